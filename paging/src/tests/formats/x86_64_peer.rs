//! x86_64 entries against `page_table_entry`, whose formats are compiled for their own architecture
//! only.
#![forbid(unsafe_code)]

use page_table_entry::x86_64::{PTF, X64PTE as Theirs};
use page_table_entry::{GenericPTE as _, MappingFlags as TheirFlags};

use super::cases::{self as cases, A, ANYWAY, D, G, N, R, W, X};
use super::x86_64::{X64, bits};
use crate::PageSize;

/// Known to differ: it has no GLOBAL, ACCESSED or exception to W^X; all memory types but
/// write-back are UNCACHED to it when it reads; nothing inaccessible has flags to it.
#[test]
fn it_reads_the_flags_that_it_knows() {
    for flags in cases::accepted::<X64>() {
        let read = TheirFlags::from(PTF::from_bits_retain(bits(0, flags, PageSize::Size4K)));
        let mut ours = flags - (G | A | ANYWAY);
        if ours.contains(D) {
            ours = (ours - D) | N;
        }
        if !flags.intersects(R | W | X) {
            ours = ours - ours;
        }
        assert_eq!(read.bits(), ours.bits(), "{flags:?}");
    }
}

/// Known to differ: it sets neither A, nor D with WRITE, nor G; it makes UNCACHED the same as
/// DEVICE (PCD and PWT); it makes sets without rights present, and so readable.
#[test]
fn it_writes_the_same_bits() {
    let (accessed, dirty, global, write_through) = (1 << 5, 1 << 6, 1 << 8, 1 << 3);
    for size in PageSize::ALL {
        for frame in cases::frames::<X64>(size) {
            for flags in cases::accepted::<X64>() {
                if !flags.intersects(R | W | X) {
                    continue;
                }
                let their_flags = TheirFlags::from_bits_truncate(flags.bits());
                let huge = size != PageSize::Size4K;
                let theirs = Theirs::new_page(frame.into(), their_flags, huge).bits() as u64;
                let mut ours = bits(frame, flags, size) & !(accessed | dirty | global);
                if flags.contains(N) {
                    ours |= write_through;
                }
                assert_eq!(ours, theirs, "{flags:?} {size}");
            }
        }
    }
}
