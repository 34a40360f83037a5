//! The kernel's own programs for EL0: one access each, and the call that says it was done.
//!
//! They lie in the image as constants. A frame gets a copy when the first space is made, and every
//! space has that frame at [`USER_CODE`](layout::USER_CODE): nothing else of the kernel's is in the
//! page, and no page of the image is mapped for EL0.
#![expect(unsafe_code, reason = "copies programs in assembly")]

use core::arch::global_asm;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::layout::{self, phys_to_virt};
use crate::paging::PagingHandler;

// In: x1 = address. Out, at the svc: x0 = value.
global_asm!(
    ".section .rodata.user_code, \"a\", @progbits",
    ".balign 8",
    ".global __user_load, __user_store, __user_execute, __user_end",
    "__user_load:",
    "    ldrb    w0, [x1]",
    "    svc     #0",
    "__user_store:",
    "    strb    w0, [x1]",
    "    svc     #0",
    "__user_execute:",
    "    blr     x1",
    "    svc     #0",
    "__user_end:",
);

unsafe extern "C" {
    static __user_load: [u8; 0];
    static __user_store: [u8; 0];
    static __user_execute: [u8; 0];
    static __user_end: [u8; 0];
}

/// An access from EL0, of one byte or of an instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UserAccess {
    /// Loads a byte.
    Load,
    /// Stores a byte.
    Store,
    /// Goes there by a call: `ret` comes back.
    Execute,
}

/// Where a program is in every space.
pub(super) fn entry(access: UserAccess) -> u64 {
    let program = match access {
        UserAccess::Load => (&raw const __user_load).addr(),
        UserAccess::Store => (&raw const __user_store).addr(),
        UserAccess::Execute => (&raw const __user_execute).addr(),
    };
    let offset = program - (&raw const __user_load).addr();
    (layout::USER_CODE.as_usize() + offset) as u64
}

/// The frame that has them, or 0 as long as there is none. Kept for good.
static FRAME: AtomicUsize = AtomicUsize::new(0);

/// The frame that has the programs. What was written to it is made visible to instruction fetches
/// by whoever maps it executable.
pub(super) fn frame() -> Option<PhysAddr> {
    let known = FRAME.load(Ordering::Acquire);
    if known != 0 {
        return Some(PhysAddr::new(known));
    }
    let frame = KernelFrames::alloc_frame()?;
    KernelFrames::zero_frame(frame);
    let programs = (&raw const __user_load).cast::<u8>();
    let bytes = (&raw const __user_end).addr() - programs.addr();
    let page = core::ptr::with_exposed_provenance_mut::<u8>(phys_to_virt(frame).as_usize());
    debug_assert!(bytes <= PAGE_SIZE);
    // SAFETY: from the image's constants to a frame that nobody else has.
    unsafe { core::ptr::copy_nonoverlapping(programs, page, bytes) };
    match FRAME.compare_exchange(0, frame.as_usize(), Ordering::Release, Ordering::Acquire) {
        Ok(_) => Some(frame),
        Err(others) => {
            KernelFrames::dealloc_frame(frame);
            Some(PhysAddr::new(others))
        }
    }
}
