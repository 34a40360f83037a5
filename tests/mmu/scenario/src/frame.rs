//! What stands in the frames that are mapped: a routine, a word to be read, a word to be written.
//! Always reached through the linear map, never through the mapping under test.

use stilt_paging::addr::{PAGE_SIZE, PhysAddr};

use crate::machine::{Machine, ROUTINE_BYTES};
use crate::pool::LinearMap;

/// Where the routine begins: with the page.
pub(crate) const ROUTINE: usize = 0;
/// The word that loads read: the last of the page.
pub(crate) const READ_WORD: usize = PAGE_SIZE - 8;
/// The word that stores write.
pub(crate) const WRITE_WORD: usize = PAGE_SIZE - 16;

/// The word that loads from the frame at `pa` must find: another one for each frame.
pub(crate) fn stamp(pa: PhysAddr) -> u64 {
    (pa.as_usize() as u64 ^ 0x5afe_c0de_0000_0fff).rotate_left(20)
}

/// The number that the routine in the frame at `pa` must return: below 2^31, so that no machine
/// extends its sign.
pub(crate) fn number(pa: PhysAddr) -> u32 {
    ((pa.as_usize() >> 12) as u32 ^ 0x2a5a_0000) & 0x7fff_ffff
}

/// Puts into the frame at `pa`, which is in one of the machine's blocks, what the accesses need.
pub(crate) fn prepare<A: Machine>(machine: &mut A, pa: PhysAddr) {
    if read::<A>(pa, READ_WORD) == stamp(pa) {
        return;
    }
    let routine = A::routine(number(pa));
    let (words, _) = routine.as_chunks::<8>();
    const { assert!(ROUTINE_BYTES.is_multiple_of(8)) };
    for (index, word) in words.iter().enumerate() {
        write::<A>(pa, ROUTINE + index * 8, u64::from_le_bytes(*word));
    }
    write::<A>(pa, READ_WORD, stamp(pa));
    machine.publish_code();
}

/// Stores the first word of the routine in the frame at `pa` once more.
///
/// QEMU remembers what it executed by virtual address, beside its TLB, and an invalidation of a
/// block makes it forget that for one page of the block only (seen with 7.2 and x86's `invlpg`).
/// What it translated from a page that is written to, it forgets everywhere: so a later jump
/// depends on the TLB and the tables alone, as on a real machine.
pub(crate) fn touch_routine<A: Machine>(pa: PhysAddr) {
    write::<A>(pa, ROUTINE, read::<A>(pa, ROUTINE));
}

/// The word at `offset` in the frame at `pa`.
pub(crate) fn read<A: Machine>(pa: PhysAddr, offset: usize) -> u64 {
    let word = word::<A>(pa, offset);
    // SAFETY: the frame is in one of the machine's blocks, which are reached through the linear
    // map; `offset` is that of an aligned word in it.
    unsafe { word.read_volatile() }
}

fn write<A: Machine>(pa: PhysAddr, offset: usize, value: u64) {
    let word = word::<A>(pa, offset);
    // SAFETY: as for `read`; nobody holds a reference into the blocks.
    unsafe { word.write_volatile(value) };
}

fn word<A: Machine>(pa: PhysAddr, offset: usize) -> *mut u64 {
    debug_assert!(pa.is_aligned(PAGE_SIZE) && offset < PAGE_SIZE);
    (A::Linear::virt(pa).as_usize() + offset) as *mut u64
}
