//! Running EL0: interrupts are served on the way, and who does not come back is left.
#![expect(unsafe_code, reason = "runs what may write by its map")]

use crate::arch::masks;
use crate::arch::user_mode::{self, UserContext};
use crate::exception::syndrome::{ExceptionClass, Syndrome};
use crate::exception::vector::{ExceptionKind, Vector};
use crate::kernel::clock::now_ns;
use crate::kernel::time::timers::TimerError;
use crate::kernel::time::{arm_at, cancel};

/// Why a program at EL0 is back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// An `svc`.
    Call,
    /// Any other exception of its own.
    Fault(Vector),
    /// Its time limit.
    OutOfTime,
}

/// Runs EL0 with the registers of `context`, in the space that this core is in. `limit_ns` is for
/// what may loop: without one it must come back by itself.
///
/// # Errors
/// [`TimerError::Full`]: nothing would end a loop.
pub(super) fn run(context: &mut UserContext, limit_ns: Option<u64>) -> Result<Left, TimerError> {
    let Some(limit_ns) = limit_ns else {
        return Ok(run_until(context, u64::MAX));
    };
    let deadline_ns = now_ns().saturating_add(limit_ns);
    // What it does is of no interest: that it interrupts is.
    let alarm = arm_at(deadline_ns, None, |_| {}, 0)?;
    let left = run_until(context, deadline_ns);
    cancel(alarm);
    Ok(left)
}

/// Whether the synchronous exception of `context` is an `svc`.
const fn is_call(context: &UserContext) -> bool {
    matches!(Syndrome::new(context.esr).class(), ExceptionClass::Svc)
}

fn run_until(context: &mut UserContext, deadline_ns: u64) -> Left {
    loop {
        let vector = {
            let _masked = masks::mask();
            // SAFETY: EL0 reaches what this core's space maps for it: frames of its own, which the
            // kernel gave to it, and the page of its programs, read-only.
            Vector(unsafe { user_mode::run(context) })
        };
        // An interrupt was served by the kernel's own vector just now, when the masks were lifted.
        match vector.kind() {
            ExceptionKind::Irq if now_ns() < deadline_ns => {}
            ExceptionKind::Irq => return Left::OutOfTime,
            // Of a synchronous exception alone: an FIQ leaves ESR_EL1 as the last one had it.
            ExceptionKind::Synchronous if is_call(context) => return Left::Call,
            _ => return Left::Fault(vector),
        }
    }
}
