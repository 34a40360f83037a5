//! One access, for real: at EL0, or at EL1, in some address space, on this core.
//!
//! At EL1 it is a call that may fault: an exception is reported, and ends the call alone.
//! At EL0 the exception ends the program. Either way the report walks the tables while the core is
//! still in the space.

#![expect(unsafe_code, reason = "accesses that may fault")]

use alloc::sync::Arc;

use super::code;
use super::run::{Left, run};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::onfault::{self, FaultableFunction};
use crate::arch::user_mode::UserContext;
use crate::kernel::cores::per_core;
use crate::kernel::report;
use crate::kernel::time::timers::TimerError;
use crate::mm::current_space;
use crate::mm::layout;
use crate::mm::space_error::SpaceError;
use crate::mm::user_space::UserSpace;
use crate::paging::format::aarch64_refusal::Privilege;

pub(crate) use code::UserAccess;

/// Time after which a call at EL0 is ended: `touch x` may call a loop.
const CALL_TIMEOUT_NS: u64 = 100_000_000;

/// An access of one byte.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch {
    pub(crate) access: UserAccess,
    pub(crate) va: VirtAddr,
    /// The byte to store.
    pub(crate) value: u8,
    pub(crate) privilege: Privilege,
}

/// The result of an access.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touched {
    /// It was done; of a load, this is the value.
    Done(u8),
    /// An exception refused it, or what was called took one: it was reported.
    Reported,
    /// The call at EL0 was ended after [`CALL_TIMEOUT_NS`], at this address.
    OutOfTime {
        /// Its program counter.
        pc: u64,
    },
}

/// An empty space in which EL0 can be [touched](touch).
///
/// # Errors
/// [`SpaceError::NoMemory`].
pub(crate) fn new_space() -> Result<Arc<UserSpace>, SpaceError> {
    let code = code::frame().ok_or(SpaceError::NoMemory { bytes: PAGE_SIZE })?;
    UserSpace::new(code)
}

/// Does `touch` on this core in `space`, if there is one. Afterwards the core is in the space that
/// it was in before.
///
/// # Errors
/// [`TimerError`].
pub(crate) fn touch(space: Option<&Arc<UserSpace>>, touch: Touch) -> Result<Touched, TimerError> {
    if space.is_some_and(current_space::is_active) {
        return here(touch);
    }
    let before = current_space::active();
    current_space::enter(space);
    let touched = here(touch);
    current_space::enter(before.as_ref());
    touched
}

/// Does `touch` in the space that this core is in.
fn here(touch: Touch) -> Result<Touched, TimerError> {
    match touch.privilege {
        Privilege::El0 => at_el0(touch),
        Privilege::El1 => Ok(at_el1(touch)),
    }
}

fn at_el0(touch: Touch) -> Result<Touched, TimerError> {
    let stack = (layout::USER_STACK.as_usize() + PAGE_SIZE) as u64;
    let mut context = UserContext::new(code::entry(touch.access), stack);
    context.x[0] = u64::from(touch.value);
    context.x[1] = touch.va.as_usize() as u64;
    // A load or a store is done, or refused.
    let limit_ns = (touch.access == UserAccess::Execute).then_some(CALL_TIMEOUT_NS);
    Ok(match run(&mut context, limit_ns)? {
        Left::Call => Touched::Done(context.x[0] as u8),
        Left::Fault(vector) => {
            report::user_fault(vector, &context);
            Touched::Reported
        }
        Left::OutOfTime => Touched::OutOfTime { pc: context.pc },
    })
}

fn at_el1(mut touch: Touch) -> Touched {
    let function = match touch.access {
        UserAccess::Load => load,
        UserAccess::Store => store,
        UserAccess::Execute => execute,
    };
    let core = per_core::this();
    let depth = core.nesting.depth();
    let argument = (&raw mut touch).expose_provenance();
    // SAFETY: the word is this core's; the functions own nothing. What they may touch is for
    // whoever asked to know.
    match unsafe { onfault::call(&core.onfault, depth, function, argument) } {
        Ok(()) => Touched::Done(touch.value),
        Err(_) => Touched::Reported,
    }
}

/// The access whose address a function below gets.
///
/// # Safety
/// `argument` is the address of a [`Touch`] that nobody else uses.
unsafe fn wanted<'a>(argument: usize) -> &'a mut Touch {
    let touch = core::ptr::with_exposed_provenance_mut::<Touch>(argument);
    // SAFETY: the caller's promise.
    unsafe { &mut *touch }
}

unsafe extern "C" fn load(argument: usize) {
    // SAFETY: `at_el1` gives the address of its own, and waits.
    let touch = unsafe { wanted(argument) };
    let byte = core::ptr::with_exposed_provenance::<u8>(touch.va.as_usize());
    // SAFETY: not safe, and meant so: the map decides, and an exception ends the call.
    touch.value = unsafe { byte.read_volatile() };
}

unsafe extern "C" fn store(argument: usize) {
    // SAFETY: as in `load`.
    let touch = unsafe { wanted(argument) };
    let byte = core::ptr::with_exposed_provenance_mut::<u8>(touch.va.as_usize());
    // SAFETY: as in `load`.
    unsafe { byte.write_volatile(touch.value) };
}

unsafe extern "C" fn execute(argument: usize) {
    // SAFETY: as in `load`.
    let touch = unsafe { wanted(argument) };
    let code = core::ptr::with_exposed_provenance::<()>(touch.va.as_usize());
    // SAFETY: a function is as wide as an address.
    let function = unsafe { core::mem::transmute::<*const (), FaultableFunction>(code) };
    // SAFETY: as in `load`.
    unsafe { function(0) };
}
