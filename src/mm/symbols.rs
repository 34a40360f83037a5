//! Linker symbols as typed addresses.
//!
//! The addresses are formed relative to the program counter: physical before the MMU is on,
//! virtual afterwards. [`image`] is right in both worlds.
#![expect(unsafe_code, reason = "the linker's symbols")]

use super::regions::ImageLayout;
use crate::addr::{PhysAddr, VirtAddr};
use crate::mm::layout::{phys_to_virt, virt_to_phys};

macro_rules! symbols {
    ($($(#[$doc:meta])* $visibility:vis $name:ident = $symbol:ident;)*) => {
        unsafe extern "C" {
            $(static $symbol: [u8; 0];)*
        }
        $(
            $(#[$doc])*
            #[inline(always)]
            $visibility fn $name() -> PhysAddr {
                let here = (&raw const $symbol).addr();
                virt_to_phys(VirtAddr::new(here))
            }
        )*
    };
}

symbols! {
    park = __park_start;
    init = __init_start;
    early = __early_start;
    text = __text_start;
    rodata = __rodata_start;
    data = __data_start;
    bss = __bss_start;
    scratch = __scratch_start;
    end = __image_end;
    late_start = __late_start;
    late_end = __late_end;
    boot_stack_top = __boot_stack_top;
    exception_stack_top = __boot_exception_stack_top;
    /// Where cores 1 to 3 begin (boot/park.S).
    pub secondary_entry = secondary_start;
    /// Where the routine that switches TTBR1 is (boot/start.S).
    pub switch_routine = switch_ttbr1;
}

/// Where the parts of the image are: physical addresses, before the MMU is on and behind it.
#[must_use]
#[inline(always)]
pub fn image() -> ImageLayout {
    ImageLayout {
        park: park(),
        init: init(),
        early: early(),
        text: text(),
        rodata: rodata(),
        data: data(),
        scratch: scratch(),
        end: end(),
    }
}

/// The upper end of the stack for exceptions before the final map; virtual, in the linear map. Core
/// 0's, until it has its stack in the kernel window.
#[must_use]
pub fn boot_exception_stack_top() -> usize {
    phys_to_virt(exception_stack_top()).as_usize()
}

/// The table of names and lines, for `exception::names`. Zeros if the build put none there.
#[must_use]
pub fn names() -> &'static [u8] {
    unsafe extern "C" {
        static __names_start: u8;
        static __names_end: u8;
    }
    let start = &raw const __names_start;
    let length = (&raw const __names_end).addr() - start.addr();
    // SAFETY: linker.ld puts both symbols around the section `.names`, which is loaded with the
    // image, mapped wherever this code is, and never written.
    unsafe { core::slice::from_raw_parts(start, length) }
}

/// Statics in sections `.late.*`: large, zero at first, and cleared by `kernel_main` instead of
/// before the MMU is on, where it costs more.
#[must_use]
pub fn late() -> (PhysAddr, PhysAddr) {
    (late_start(), late_end())
}

/// The memory that is written with the caches off: from `.bss` to the end of the boot stack.
#[must_use]
#[inline(always)]
pub fn written_before_caches() -> (PhysAddr, PhysAddr) {
    (bss(), boot_stack_top())
}
