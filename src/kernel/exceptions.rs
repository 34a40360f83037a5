//! What becomes of an exception: an interrupt is served, a fault that is none is done again, a failed
//! probe goes on, everything else is reported.

use super::cores::per_core;
use super::exit::ExitCode;
use super::irq;
use super::look_again;
use super::report::{self, Report};
use crate::arch::aarch64::exception::TrapFrame;
use crate::arch::aarch64::{attempt, cpu, probe};
use crate::exception::vector::{Kind, Vector};
use crate::mm::layout;

/// Called by the vectors (arch/aarch64/exception.S) on the exception stack. Returning resumes.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &mut TrapFrame, vector: u64) {
    let nesting = &per_core::this().nesting;
    nesting.enter();
    match Vector(vector) {
        Vector::KERNEL_IRQ => irq::handle(),
        vector => other(frame, vector),
    }
    nesting.leave();
}

#[inline(never)]
fn other(frame: &mut TrapFrame, vector: Vector) {
    if vector.kind() == Kind::Synchronous
        && (look_again::is_good_now(frame) || probe::recover(frame))
    {
        return;
    }
    report::exception(frame, vector);
}

/// Makes the interrupted code of `frame` end its attempt, if the exception is the attempt's own: what
/// a handler does that interrupted it is not, and an error that is told late may be anybody's. Called
/// in the handler of that exception. Returns whether it was one.
pub(crate) fn abandon_attempt(frame: &mut TrapFrame, vector: Vector) -> bool {
    let core = per_core::this();
    let stacks = layout::stacks(cpu::number());
    let stack = |sp: usize| {
        let mut stacks = stacks.iter();
        let stack = stacks.find(|stack| (stack.start.as_usize()..stack.end()).contains(&sp));
        stack.map(|stack| stack.start.as_usize())
    };
    vector.kind() == Kind::Synchronous
        && attempt::abandon(&core.attempt, core.nesting.depth(), stack, frame)
}

/// Called by the vectors when an exception finds the emergency stack used up.
#[unsafe(no_mangle)]
extern "C" fn kernel_stacks_exhausted(sp: u64) -> ! {
    let title = "exception with every stack used up";
    let detail = format_args!("the emergency stack has run over, SP {sp:#018x}");
    Report::begin(ExitCode::Exception, title, detail).end()
}
