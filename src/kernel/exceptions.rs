//! What becomes of an exception: an interrupt is served, a failed probe goes on, everything else is
//! reported.

use super::exit::ExitCode;
use super::interrupts;
use super::report::{self, Report};
use crate::arch::aarch64::exception::TrapFrame;
use crate::arch::aarch64::probe;
use crate::exception::vector::{Kind, Vector};

/// Called by the vectors (arch/aarch64/exception.S) on the exception stack. Returning resumes.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &mut TrapFrame, vector: u64) {
    let vector = Vector(vector);
    if vector == Vector::KERNEL_IRQ {
        return interrupts::handle();
    }
    if vector.kind() == Kind::Synchronous && probe::recover(frame) {
        return;
    }
    report::exception(frame, vector);
}

/// Called by the vectors when an exception finds the emergency stack used up.
#[unsafe(no_mangle)]
extern "C" fn kernel_stacks_exhausted(sp: u64) -> ! {
    let title = "exception with every stack used up";
    let detail = format_args!("the emergency stack has run over, SP {sp:#018x}");
    Report::begin(ExitCode::Exception, title, detail).end()
}
