//! The kernel window: heap and stacks, each with unmapped pages around it.
//!
//! ```text
//! 0xffff_8000_0000_0000  one slot of 256 KiB a core:
//!              +0x00000    guard
//!              +0x01000    exception stack, 16 KiB
//!              +0x05000    guard
//!              +0x06000    main stack, 64 KiB
//!              +0x16000    unmapped to the end of the slot
//! 0xffff_8000_4000_0000  guard
//!              +0x01000    heap
//!              (its end)   guard
//! ```
//!
//! The frames keep their address in the linear map, with the same rights and memory type.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, VirtAddr};

/// The first address of the kernel window.
pub const WINDOW: usize = 0xffff_8000_0000_0000;

const SLOT_SIZE: usize = 0x4_0000;
const EXCEPTION_STACK: usize = PAGE_SIZE;
const EXCEPTION_STACK_SIZE: usize = 0x4000;
const MAIN_STACK: usize = EXCEPTION_STACK + EXCEPTION_STACK_SIZE + PAGE_SIZE;
const MAIN_STACK_SIZE: usize = 0x1_0000;

const HEAP_GUARD: usize = WINDOW + 0x4000_0000;
/// Bytes of the heap.
pub const HEAP_SIZE: usize = 1 << 20;

/// A range of pages in the kernel window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pages {
    /// What it is for, in words.
    pub name: &'static str,
    /// The first byte.
    pub start: VirtAddr,
    /// Bytes, whole pages.
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

    /// The byte after the last: where a stack begins.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start.as_usize() + self.size
    }
}

/// The stack on which core `core` takes exceptions.
#[must_use]
pub const fn exception_stack(core: usize) -> Pages {
    let start = WINDOW + core * SLOT_SIZE + EXCEPTION_STACK;
    Pages::new("exception stack", start, EXCEPTION_STACK_SIZE)
}

/// The stack on which core `core` runs.
#[must_use]
pub const fn main_stack(core: usize) -> Pages {
    let start = WINDOW + core * SLOT_SIZE + MAIN_STACK;
    Pages::new("main stack", start, MAIN_STACK_SIZE)
}

/// The heap.
#[must_use]
pub const fn heap() -> Pages {
    Pages::new("heap", HEAP_GUARD + PAGE_SIZE, HEAP_SIZE)
}

/// Everything in the window that must stay unmapped so that running over an end faults: below
/// and above each stack of core 0 (the other cores' slots are unmapped as a whole), around the
/// heap, and the page of address 0.
#[must_use]
pub const fn guards() -> [Pages; 6] {
    const SLOT_REST: usize = WINDOW + MAIN_STACK + MAIN_STACK_SIZE;
    [
        Pages::new("guard below the exception stack", WINDOW, PAGE_SIZE),
        Pages::new(
            "guard below the main stack",
            WINDOW + MAIN_STACK - PAGE_SIZE,
            PAGE_SIZE,
        ),
        Pages::new(
            "guard above the main stack",
            SLOT_REST,
            WINDOW + SLOT_SIZE - SLOT_REST,
        ),
        Pages::new(
            "stacks of cores that are not up",
            WINDOW + SLOT_SIZE,
            3 * SLOT_SIZE,
        ),
        Pages::new("guard below the heap", HEAP_GUARD, PAGE_SIZE),
        Pages::new("guard above the heap", heap().end(), PAGE_SIZE),
    ]
}

#[cfg(test)]
mod tests {
    use super::{exception_stack, guards, heap, main_stack};

    #[test]
    fn guards_touch_both_ends_of_what_they_guard_and_never_overlap_it() {
        let guarded = [exception_stack(0), main_stack(0), heap()];
        for pages in guarded {
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
}
