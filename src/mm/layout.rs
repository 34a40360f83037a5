//! The kernel window: heap and stacks, each with unmapped pages around it.
//!
//! ```text
//! 0xffff_8000_0000_0000  one slot of 256 KiB a core:
//!              +0x00000    guard
//!              +0x01000    emergency stack, 8 KiB
//!              +0x03000    guard
//!              +0x04000    exception stack, 16 KiB
//!              +0x08000    guard
//!              +0x09000    main stack, 64 KiB
//!              +0x19000    unmapped to the end of the slot
//! 0xffff_8000_4000_0000  guard
//!              +0x01000    heap; it grows up to 512 MiB
//!         +0x2000_1000    guard
//! 0xffff_8000_8000_0000  pages that a command maps for a moment
//! ```
//!
//! The low half, in each address space of a user:
//!
//! ```text
//! 0x0000_0000_0000_0000  never mapped: null pointers
//! 0x0000_0000_0000_1000  what the space maps
//! 0x0000_ffff_ffff_0000  the kernel's: nothing, but for
//! 0x0000_ffff_ffff_c000    the stack at EL0
//! 0x0000_ffff_ffff_e000    code for EL0
//! ```
//!
//! The frames keep their address in the linear map, with the same rights and memory type.
//!
//! # Decisions
//! * A core's exception stack lies a guard above its emergency stack: the vectors tell by one
//!   distance which of them they came from.
//! * An exception goes on further down than what it interrupts, so that frame pointers grow all
//!   the way from the handler to the interrupted code.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::board::raspi3::{CORES, KERNEL_VA_OFFSET};

/// Where the linear map has the frame at `pa`: 0xffff_0000_0008_0000 for 0x8_0000. For `pa` below
/// 2^47, where the kernel window begins; whether it is mapped is not asked.
#[must_use]
#[inline(always)]
pub const fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
    VirtAddr::new(pa.as_usize() + KERNEL_VA_OFFSET)
}

/// The physical address that the linear map has at `va`: 0x8_0000 for 0xffff_0000_0008_0000. An
/// address from before the MMU is on is physical already, and stays as it is.
#[must_use]
#[inline(always)]
pub const fn virt_to_phys(va: VirtAddr) -> PhysAddr {
    PhysAddr::new(va.as_usize() & !KERNEL_VA_OFFSET)
}

/// The first address of the kernel window: the upper 128 TiB of the high half, which the linear map
/// does not reach.
pub const WINDOW: usize = 0xffff_8000_0000_0000;

const SLOT_SIZE: usize = 0x4_0000;
const EMERGENCY_STACK: usize = PAGE_SIZE;
const EMERGENCY_STACK_SIZE: usize = 0x2000;
const EXCEPTION_STACK: usize = EMERGENCY_STACK + EMERGENCY_STACK_SIZE + PAGE_SIZE;
const EXCEPTION_STACK_SIZE: usize = 0x4000;
const MAIN_STACK: usize = EXCEPTION_STACK + EXCEPTION_STACK_SIZE + PAGE_SIZE;
const MAIN_STACK_SIZE: usize = 0x1_0000;
const SLOT_REST: usize = MAIN_STACK + MAIN_STACK_SIZE;

const HEAP_GUARD: usize = WINDOW + 0x4000_0000;
/// Bytes of the heap at first, mapped at boot: 1 MiB. Behind them it grows, by 256 KiB at least.
pub const HEAP_SIZE: usize = 1 << 20;
/// Bytes that the heap may grow to: 512 MiB of addresses, half of the board's RAM.
pub const HEAP_MAX: usize = 1 << 29;

/// The first of 16 MiB of pages for commands to map for a moment, 0xffff_8000_8000_0000: nothing
/// else is ever mapped there.
pub const SCRATCH: VirtAddr = VirtAddr::new(WINDOW + 0x8000_0000);
/// Bytes of them.
const SCRATCH_SIZE: usize = 16 << 20;

/// Where an address space of the low half may map: behind the first page, so that a null pointer
/// faults at EL0 as well, and below what every space has at its top.
pub const USER: Range<usize> = PAGE_SIZE..LOW_HALF_END - 0x1_0000;
/// The first address that is not of the low half.
const LOW_HALF_END: usize = 1 << 48;
/// The stack at EL0, one page in every space. Below it and above it nothing is mapped.
pub const USER_STACK: VirtAddr = VirtAddr::new(LOW_HALF_END - 4 * PAGE_SIZE);
/// The kernel's code for EL0, one page in every space: 0x0000_ffff_ffff_e000, with nothing mapped
/// on either side.
pub const USER_CODE: VirtAddr = VirtAddr::new(LOW_HALF_END - 2 * PAGE_SIZE);

/// A range of the kernel's pages, in the window or in the linear map, with its name in reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pages {
    /// Its name in reports.
    pub name: &'static str,
    /// The address of the first byte.
    pub start: VirtAddr,
    /// The size in bytes: whole pages.
    pub size: usize,
}

impl Pages {
    const fn new(name: &'static str, start: usize, size: usize) -> Self {
        Self {
            name,
            start: VirtAddr::new(start),
            size,
        }
    }

    /// The byte after the last: where a stack begins, for SP is set there and goes down.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start.as_usize() + self.size
    }
}

/// The stack on which core `core` takes exceptions that come when its other stacks are used up.
#[must_use]
pub const fn emergency_stack(core: usize) -> Pages {
    let start = WINDOW + core * SLOT_SIZE + EMERGENCY_STACK;
    Pages::new("emergency stack", start, EMERGENCY_STACK_SIZE)
}

/// The stack on which core `core` takes exceptions: 16 KiB, from 0xffff_8000_0000_4000 on for core
/// 0, and 0x4_0000 higher for each further core.
#[must_use]
pub const fn exception_stack(core: usize) -> Pages {
    let start = WINDOW + core * SLOT_SIZE + EXCEPTION_STACK;
    Pages::new("exception stack", start, EXCEPTION_STACK_SIZE)
}

/// The stack on which core `core` runs: 64 KiB, from 0xffff_8000_0000_9000 on for core 0, and
/// 0x4_0000 higher for each further core.
#[must_use]
pub const fn main_stack(core: usize) -> Pages {
    let start = WINDOW + core * SLOT_SIZE + MAIN_STACK;
    Pages::new("main stack", start, MAIN_STACK_SIZE)
}

/// All stacks of core `core`, by address: emergency, exception, main.
#[must_use]
pub const fn stacks(core: usize) -> [Pages; 3] {
    [
        emergency_stack(core),
        exception_stack(core),
        main_stack(core),
    ]
}

/// Bytes of frames that the kernel window takes at boot: every core's stacks, and the heap.
pub const WINDOW_BYTES: usize = {
    let [emergency, exception, main] = stacks(0);
    CORES * (emergency.size + exception.size + main.size) + HEAP_SIZE
};

/// The stack that runs over when `va` is touched: the one above the guard in which it lies, and
/// whose core that is.
#[must_use]
pub fn overflown_stack(va: VirtAddr) -> Option<(usize, Pages)> {
    let guard = va.align_down(PAGE_SIZE).as_usize();
    (0..CORES).find_map(|core| {
        let above = |stack: &Pages| stack.start.as_usize() == guard + PAGE_SIZE;
        let stack = stacks(core).into_iter().find(above)?;
        Some((core, stack))
    })
}

/// The heap as it is at first; behind it lies what it grows into, unmapped until then.
#[must_use]
pub const fn heap() -> Pages {
    Pages::new("heap", HEAP_GUARD + PAGE_SIZE, HEAP_SIZE)
}

/// The pages that a command maps for a moment: 16 MiB from [`SCRATCH`] on, mapped or not.
#[must_use]
pub const fn scratch() -> Pages {
    Pages::new("a command's pages", SCRATCH.as_usize(), SCRATCH_SIZE)
}

/// Guards of a core's slot.
const SLOT_GUARDS: usize = 4;
/// How many guards there are: four in each core's slot, and one on either side of the heap.
pub const GUARDS: usize = CORES * SLOT_GUARDS + 2;

/// Everything in the window that must stay unmapped so that running over an end faults: below
/// each stack and above the last of a core, and around the heap.
#[must_use]
pub fn guards() -> [Pages; GUARDS] {
    let heap = heap();
    core::array::from_fn(|index| match index.checked_sub(CORES * SLOT_GUARDS) {
        None => slot_guard(index / SLOT_GUARDS, index % SLOT_GUARDS),
        Some(0) => Pages::new("guard below the heap", HEAP_GUARD, PAGE_SIZE),
        Some(_) => {
            let end = heap.start.as_usize() + HEAP_MAX;
            Pages::new("guard above the heap", end, PAGE_SIZE)
        }
    })
}

/// Guard `index` of `core`, from below.
fn slot_guard(core: usize, index: usize) -> Pages {
    let slot = WINDOW + core * SLOT_SIZE;
    let (name, offset, size) = match index {
        0 => ("guard below an emergency stack", 0, PAGE_SIZE),
        1 => (
            "guard below an exception stack",
            EXCEPTION_STACK - PAGE_SIZE,
            PAGE_SIZE,
        ),
        2 => (
            "guard below a main stack",
            MAIN_STACK - PAGE_SIZE,
            PAGE_SIZE,
        ),
        _ => ("guard above a main stack", SLOT_REST, SLOT_SIZE - SLOT_REST),
    };
    Pages::new(name, slot + offset, size)
}

#[cfg(test)]
mod tests {
    use super::{
        HEAP_MAX, Pages, guards, heap, main_stack, overflown_stack, phys_to_virt, stacks,
        virt_to_phys,
    };
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::board::raspi3::CORES;
    use std::vec::Vec;

    #[test]
    fn the_linear_map_goes_there_and_back() {
        for (pa, va) in [
            (0, 0xffff_0000_0000_0000),
            (0x8_0000, 0xffff_0000_0008_0000),
            (0x4000_0040, 0xffff_0000_4000_0040),
        ] {
            let (pa, va) = (PhysAddr::new(pa), VirtAddr::new(va));
            assert_eq!(phys_to_virt(pa), va);
            assert_eq!(virt_to_phys(va), pa);
            let before_the_mmu = VirtAddr::new(pa.as_usize());
            assert_eq!(virt_to_phys(before_the_mmu), pa);
        }
    }

    fn guarded() -> Vec<Pages> {
        let stacks = (0..CORES).flat_map(stacks);
        let heap = Pages {
            size: HEAP_MAX,
            ..heap()
        };
        stacks.chain([heap]).collect()
    }

    #[test]
    fn guards_touch_both_ends_of_what_they_guard_and_never_overlap_it() {
        for pages in guarded() {
            let start = pages.start.as_usize();
            assert!(guards().iter().any(|guard| guard.end() == start));
            assert!(
                guards()
                    .iter()
                    .any(|guard| guard.start.as_usize() == pages.end())
            );
            for guard in guards() {
                assert!(guard.end() <= start || pages.end() <= guard.start.as_usize());
            }
        }
    }

    #[test]
    fn a_stack_that_runs_over_is_told_by_the_guard_below_it() {
        for core in 0..CORES {
            for stack in stacks(core) {
                let start = stack.start.as_usize();
                for va in [start - 1, start - 4096] {
                    let found = overflown_stack(VirtAddr::new(va));
                    assert_eq!(found, Some((core, stack)));
                }
                for va in [start, start - 4097, stack.end() - 1] {
                    assert_ne!(overflown_stack(VirtAddr::new(va)), Some((core, stack)));
                }
            }
        }
        assert_eq!(overflown_stack(VirtAddr::new(main_stack(0).end())), None);
    }
}
