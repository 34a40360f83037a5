//! What becomes of an exception: an interrupt is served, a fault that is none is done again, a
//! failed probe goes on, everything else is reported.

use super::look_again;
use super::{Report, exception};
use crate::arch::exception::TrapFrame;
use crate::arch::probe;
use crate::exception::vector::{Kind, Vector};
use crate::kernel::cores::per_core;
use crate::kernel::exit::ExitCode;
use crate::kernel::irq;

/// Called by the vectors (arch/exception.S) on the exception stack. Returning resumes.
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
    exception(frame, vector);
}

/// Called by the vectors when an exception finds the emergency stack used up.
#[unsafe(no_mangle)]
extern "C" fn kernel_stacks_exhausted(sp: u64) -> ! {
    let title = "exception with every stack used up";
    let detail = format_args!("the emergency stack has run over, SP {sp:#018x}");
    Report::begin(ExitCode::Exception, title, detail).end()
}
