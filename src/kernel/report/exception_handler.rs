//! The kernel's exception handler, which the vectors call.
//!
//! 1. An IRQ is served by [`irq`].
//! 2. The access of a spurious fault is done again ([`spurious_fault`]).
//! 3. An exception of a `nofault` access becomes its error ([`nofault`]).
//! 4. Everything else is reported; then a call that recovers from it returns
//!    ([`onfault`](crate::arch::onfault)), or the machine ends.
#![expect(unsafe_code, reason = "called from assembly, by symbol")]

use super::spurious_fault;
use super::{Report, exception};
use crate::arch::exception::TrapFrame;
use crate::arch::nofault;
use crate::exception::vector::{ExceptionKind, Vector};
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
    if vector.kind() == ExceptionKind::Synchronous
        && (spurious_fault::is_spurious(frame) || nofault::fixup(frame))
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
