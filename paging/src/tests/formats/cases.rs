//! What every entry format has to hold, over all sets of flags, sizes and edge addresses.
//!
//! A test file of a format gives its oracle ([`Format`]): a decoder written from the manual, and
//! which sets are refused and how. It shares no constant with the format under test.

use std::collections::BTreeSet;
use std::vec::Vec;

use crate::addr::{PhysAddr, VirtAddr};
use crate::{
    AddressSpace, Attributes, GenericPTE, InvalidateScope, Maintenance, MappingFlags, PageSize,
    PagingError, SoftwareBits,
};

pub(super) const R: MappingFlags = MappingFlags::READ;
pub(super) const W: MappingFlags = MappingFlags::WRITE;
pub(super) const X: MappingFlags = MappingFlags::EXECUTE;
pub(super) const U: MappingFlags = MappingFlags::USER;
pub(super) const D: MappingFlags = MappingFlags::DEVICE;
pub(super) const N: MappingFlags = MappingFlags::UNCACHED;
pub(super) const G: MappingFlags = MappingFlags::GLOBAL;
pub(super) const A: MappingFlags = MappingFlags::ACCESSED;
pub(super) const ANYWAY: MappingFlags = MappingFlags::EXECUTE_ANYWAY;

/// What the hardware lets one privilege level do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rights {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) execute: bool,
}

impl Rights {
    pub(super) const NONE: Self = Self {
        read: false,
        write: false,
        execute: false,
    };

    /// What the flags say, whoever it is for.
    pub(super) fn of(flags: MappingFlags) -> Self {
        Self {
            read: flags.contains(R),
            write: flags.contains(W),
            execute: flags.contains(X),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum MemoryType {
    Cached,
    Uncached,
    Device,
}

/// A translation as the hardware would use it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Leaf {
    pub(super) frame: u64,
    pub(super) kernel: Rights,
    pub(super) user: Rights,
    pub(super) memory: MemoryType,
    pub(super) global: bool,
    pub(super) accessed: bool,
    pub(super) dirty: bool,
}

/// What an entry is to a walker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decoded {
    Invalid,
    Table { frame: u64 },
    Leaf(Leaf),
}

/// A format and its oracle.
pub(super) trait Format {
    type Entry: GenericPTE;
    /// Bits of a physical address.
    const PA_BITS: u32;

    /// The entry as the manual reads it, where a leaf of `size` would stand. Panics where a
    /// reserved bit is set.
    fn decode(bits: u64, size: PageSize) -> Decoded;

    /// The flags that cannot be had, or none and READ is missing; `None`: the set is fine. Asked
    /// only of sets that W^X allows.
    fn unsupported(flags: MappingFlags) -> Option<MappingFlags>;

    /// What the kernel can do with a present leaf.
    fn kernel_rights(flags: MappingFlags) -> Rights;
}

/// For metadata whose tables are never walked.
pub(super) struct NoMachine;

// SAFETY: as its name says.
unsafe impl Maintenance for NoMachine {
    fn order_table() {}
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

/// All sets of flags.
pub(super) fn sets() -> impl Iterator<Item = MappingFlags> {
    (0..512).map(MappingFlags::from_bits_retain)
}

/// Why `flags` are refused.
pub(super) fn refusal<F: Format>(flags: MappingFlags) -> Option<PagingError> {
    let write = flags.contains(X | W);
    let memory = flags.contains(X) && flags.intersects(D | N);
    match (write, memory, flags.contains(ANYWAY)) {
        (true, _, false) => return Some(PagingError::WritableExecutable { flags }),
        (false, true, false) => return Some(PagingError::ExecutableDevice { flags }),
        (false, false, true) => {
            return Some(PagingError::Unsupported {
                flags,
                refused: ANYWAY,
            });
        }
        _ => (),
    }
    F::unsupported(flags).map(|refused| PagingError::Unsupported { flags, refused })
}

/// The sets that are not refused.
pub(super) fn accepted<F: Format>() -> Vec<MappingFlags> {
    sets().filter(|&set| refusal::<F>(set).is_none()).collect()
}

/// Frames of `size` at both ends of the width, and between.
pub(super) fn frames<F: Format>(size: PageSize) -> [usize; 5] {
    let end = 1_usize << F::PA_BITS;
    let mixed = 0x5aa5_a5a5_5a5a_5000 % end;
    [
        0,
        size.bytes(),
        mixed - mixed % size.bytes(),
        end / 2,
        end - size.bytes(),
    ]
}

pub(super) fn page<F: Format>(frame: usize, flags: MappingFlags, size: PageSize) -> F::Entry {
    F::Entry::new_page(PhysAddr::new(frame), flags, size).unwrap()
}

fn table<F: Format>(frame: usize) -> F::Entry {
    F::Entry::new_table(PhysAddr::new(frame))
}

/// Every leaf that the format can make, of all sizes, with what it was made from.
fn for_each_leaf<F: Format>(mut check: impl FnMut(F::Entry, usize, MappingFlags, PageSize)) {
    for size in PageSize::ALL {
        for frame in frames::<F>(size) {
            for flags in accepted::<F>() {
                check(page::<F>(frame, flags, size), frame, flags, size);
            }
        }
    }
}

fn expected<F: Format>(frame: usize, flags: MappingFlags) -> Decoded {
    if !flags.intersects(R | W | X) {
        return Decoded::Invalid;
    }
    let user = if flags.contains(U) {
        Rights::of(flags)
    } else {
        Rights::NONE
    };
    let memory = match (flags.contains(D), flags.contains(N)) {
        (false, false) => MemoryType::Cached,
        (false, true) => MemoryType::Uncached,
        (true, _) => MemoryType::Device,
    };
    Decoded::Leaf(Leaf {
        frame: frame as u64,
        kernel: F::kernel_rights(flags),
        user,
        memory,
        global: flags.contains(G),
        accessed: flags.contains(A),
        dirty: flags.contains(W),
    })
}

/// Every set is accepted, or refused by name, whatever the address and the size. Gives how many
/// are accepted.
pub(super) fn every_set_is_accepted_or_refused_by_name<F: Format>() -> usize {
    for size in PageSize::ALL {
        for frame in frames::<F>(size) {
            for flags in sets() {
                let made = F::Entry::new_page(PhysAddr::new(frame), flags, size);
                assert_eq!(made.err(), refusal::<F>(flags), "{flags:?}");
            }
        }
    }
    let unknown = MappingFlags::from_bits_retain(1 << 9);
    assert_eq!(
        F::Entry::new_page(PhysAddr::new(0), R | unknown, PageSize::Size4K),
        Err(PagingError::Unsupported {
            flags: R | unknown,
            refused: unknown
        })
    );
    accepted::<F>().len()
}

pub(super) fn every_leaf_means_what_was_asked_for<F: Format>() {
    for_each_leaf::<F>(|leaf, frame, flags, size| {
        let decoded = F::decode(leaf.bits(), size);
        assert_eq!(decoded, expected::<F>(frame, flags), "{flags:?} {size}");
        assert_eq!(leaf.is_present(), flags.intersects(R | W | X));
        assert!(!leaf.is_unused(), "{flags:?} {size}");
        assert!(leaf.is_huge() || size == PageSize::Size4K);
    });
}

pub(super) fn every_leaf_gives_back_flags_and_frame<F: Format>() {
    for_each_leaf::<F>(|leaf, frame, flags, _| {
        assert_eq!(leaf.flags(), flags);
        assert_eq!(leaf.paddr(), PhysAddr::new(frame));
        assert_eq!(F::Entry::from_bits(leaf.bits()), leaf);
    });
}

/// Also to no access and back: what was inaccessible is a leaf of the same size.
pub(super) fn flags_and_frames_can_be_changed_from_any_to_any<F: Format>() {
    for_each_leaf::<F>(|leaf, frame, _, size| {
        for other in accepted::<F>() {
            let mut changed = leaf;
            changed.set_flags(other, size).unwrap();
            assert_eq!(changed, page::<F>(frame, other, size));
        }
        for other in frames::<F>(size) {
            let mut changed = leaf;
            changed.set_paddr(PhysAddr::new(other), size).unwrap();
            assert_eq!(changed, page::<F>(other, leaf.flags(), size));
        }
    });
}

pub(super) fn a_refused_change_changes_nothing<F: Format>() {
    let leaf = page::<F>(0, R | A, PageSize::Size2M);
    let mut entry = leaf;
    for flags in sets().filter(|&set| refusal::<F>(set).is_some()) {
        let refused = entry.set_flags(flags, PageSize::Size2M);
        assert_eq!(refused.err(), refusal::<F>(flags));
    }
    assert!(
        entry
            .set_paddr(PhysAddr::new(0x1000), PageSize::Size2M)
            .is_err()
    );
    assert_eq!(entry, leaf);
}

pub(super) fn frames_past_the_width_or_unaligned_are_refused<F: Format>() {
    for size in PageSize::ALL {
        let make = |frame| F::Entry::new_page(PhysAddr::new(frame), R | A, size);
        let past = 1_usize << F::PA_BITS;
        for past in [past, past * 2, 1 << 63] {
            let pa = PhysAddr::new(past);
            assert_eq!(make(past), Err(PagingError::InvalidPhysAddr { pa }));
        }
        for value in [1, 0x800, size.bytes() / 2, size.bytes() + 8, usize::MAX] {
            let alignment = size.bytes();
            let refused = PagingError::NotAligned { value, alignment };
            assert_eq!(make(value), Err(refused));
        }
    }
}

/// Address bits are the frame's alone, so leaves that agree in all others agree in their flags.
pub(super) fn the_address_mask_is_what_frames_differ_in<F: Format>() {
    for_each_leaf::<F>(|leaf, _, flags, size| {
        let first = page::<F>(0, flags, size);
        let mask = F::Entry::address_mask(size);
        assert_eq!(first.bits() & mask, 0);
        assert_eq!(leaf.bits() & !mask, first.bits());
    });
    for size in PageSize::ALL {
        let last = (1_usize << F::PA_BITS) - size.bytes();
        let all = page::<F>(last, R | A, size).bits() ^ page::<F>(0, R | A, size).bits();
        assert_eq!(all, F::Entry::address_mask(size));
    }
}

pub(super) fn the_next_leaf_is_that_of_the_next_frame<F: Format>() {
    for_each_leaf::<F>(|leaf, frame, flags, size| {
        let next = frame + size.bytes();
        if next >> F::PA_BITS == 0 {
            assert_eq!(leaf.next(size), page::<F>(next, flags, size));
        }
    });
}

/// A leaf where it stands, a table's entry at every level; in frame 0 too.
pub(super) fn a_broken_entry_is_invalid_and_names_its_frame<F: Format>() {
    let check = |entry: F::Entry, sizes: &[PageSize]| {
        let broken = entry.broken();
        for &size in sizes {
            assert_eq!(F::decode(broken.bits(), size), Decoded::Invalid);
        }
        assert!(!broken.is_present());
        assert!(!broken.is_unused());
        assert!(broken.is_broken() && !entry.is_broken());
        assert_eq!(broken.paddr(), entry.paddr());
    };
    for frame in frames::<F>(PageSize::Size4K) {
        check(table::<F>(frame), &PageSize::ALL);
    }
    for_each_leaf::<F>(|leaf, _, flags, size| {
        if flags.intersects(R | W | X) {
            check(leaf, &[size]);
        }
    });
    // What was broken says what it was.
    for size in PageSize::ALL {
        let flags = accepted::<F>().into_iter();
        let leaves = flags.map(|flags| page::<F>(0, flags, size));
        let leaves: Vec<_> = leaves.filter(|leaf| leaf.is_present()).collect();
        let broken: BTreeSet<_> = leaves.iter().map(|leaf| leaf.broken().bits()).collect();
        assert_eq!(broken.len(), leaves.len());
    }
}

pub(super) fn a_table_is_no_leaf_and_no_leaf_is_a_table<F: Format>() {
    for frame in frames::<F>(PageSize::Size4K) {
        let entry = table::<F>(frame);
        let decoded = Decoded::Table {
            frame: frame as u64,
        };
        for size in [PageSize::Size2M, PageSize::Size1G] {
            assert_eq!(F::decode(entry.bits(), size), decoded);
        }
        assert!(entry.is_present() && !entry.is_huge() && !entry.is_unused());
        assert_eq!(entry.paddr(), PhysAddr::new(frame));
        assert_eq!(entry.count(), 0);
    }
    for_each_leaf::<F>(|leaf, _, _, size| {
        let decoded = F::decode(leaf.bits(), size);
        assert!(!matches!(decoded, Decoded::Table { .. }));
    });
}

/// What may not coexist: frames, memory types, a leaf and a table, a global one and another.
pub(super) fn what_cannot_coexist_is_broken_first<F: Format>() {
    let present = || {
        accepted::<F>()
            .into_iter()
            .filter(|set| set.intersects(R | W | X))
    };
    for size in PageSize::ALL {
        for old_flags in present() {
            let old = page::<F>(0, old_flags, size);
            assert!(size == PageSize::Size4K || old.needs_break(table::<F>(0)));
            for new_flags in present() {
                let same = page::<F>(0, new_flags, size);
                let memory = (old_flags ^ new_flags).intersects(D | N);
                let global = new_flags.contains(G) && !old_flags.contains(G);
                assert_eq!(old.needs_break(same), memory || global);
                assert!(old.needs_break(same.next(size)));
            }
        }
    }
}

/// The two bits mean nothing to the hardware, and stay through every change of a leaf: other flags,
/// inaccessible and back, another frame, the frame behind, broken. `place` is that of the lower one.
pub(super) fn software_bits_are_ignored_and_kept<F: Format>(place: u32) {
    assert_eq!(F::Entry::SOFTWARE, 0b11 << place);
    for_each_leaf::<F>(|leaf, frame, flags, size| {
        assert_eq!(leaf.software(), SoftwareBits::empty());
        for software in (0..4).map(SoftwareBits::from_bits_truncate) {
            let marked = leaf.with_software(software);
            let bits = u64::from(software.bits()) << place;
            assert_eq!(marked.bits(), leaf.bits() | bits);
            assert_eq!(marked.attributes(), Attributes { flags, software });
            assert_eq!(marked.with_software(SoftwareBits::empty()), leaf);
            assert_eq!(F::decode(marked.bits(), size), F::decode(leaf.bits(), size));
            assert_eq!(marked.is_present(), leaf.is_present());
            assert_eq!(marked.is_huge(), leaf.is_huge());
            assert!(!marked.is_unused() && !marked.is_broken());
            assert_eq!(marked.paddr(), PhysAddr::new(frame));
            let mut changed = marked;
            for other in [R | A, MappingFlags::empty(), flags] {
                changed.set_flags(other, size).unwrap();
                assert_eq!(changed.software(), software);
            }
            assert_eq!(changed, marked);
            changed.set_paddr(PhysAddr::new(0), size).unwrap();
            assert_eq!(changed.software(), software);
            if marked.is_present() {
                assert!(!marked.needs_break(leaf) && !leaf.needs_break(marked));
                assert_eq!(marked.broken().software(), software);
                assert!(marked.broken().is_broken());
                assert_eq!(marked.broken().paddr(), leaf.paddr());
            }
        }
    });
}

/// No walker follows it, no leaf looks like it, broken or not, and it gives its value back. `zero`
/// is that with the value 0, worked out by hand.
pub(super) fn a_swap_entry_is_told_from_everything<F: Format>(zero: u64) {
    assert_eq!(F::Entry::new_swap(0).bits(), zero);
    for value in [0, 1, 7, 0x8000_0000, 0xaaaa_5555, u32::MAX] {
        let entry = F::Entry::new_swap(value);
        assert_eq!(F::Entry::from_bits(entry.bits()).swap(), Some(value));
        assert!(!entry.is_present() && !entry.is_unused() && entry.is_broken());
        assert!(!entry.is_page() && !entry.is_contiguous());
        assert_eq!(F::decode(entry.bits(), PageSize::Size4K), Decoded::Invalid);
    }
    for_each_leaf::<F>(|leaf, _, _, size| {
        for software in (0..4).map(SoftwareBits::from_bits_truncate) {
            let leaf = leaf.with_software(software);
            let broken = if leaf.is_present() {
                leaf.broken()
            } else {
                leaf
            };
            for entry in [leaf, broken, leaf.with_contiguous()] {
                assert_eq!(entry.swap(), None, "{entry:?}");
                assert!(size != PageSize::Size4K || entry.is_page());
            }
        }
    });
    for frame in frames::<F>(PageSize::Size4K) {
        let table = table::<F>(frame).with_count(512);
        assert_eq!((table.swap(), table.broken().swap()), (None, None));
    }
}

pub(super) fn an_unused_entry_is_nothing<F: Format>() {
    let mut entry = page::<F>(0, R | A, PageSize::Size4K);
    entry.clear();
    assert_eq!(entry.bits(), 0);
    assert!(entry.is_unused() && !entry.is_present() && !entry.is_huge());
    for size in PageSize::ALL {
        assert_eq!(F::decode(0, size), Decoded::Invalid);
    }
}
