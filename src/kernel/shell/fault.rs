//! `fault`: provokes what the map must catch.

use core::arch::asm;
use core::fmt::Write;
use core::ptr;

use super::{ChoiceText, CommandError};
use crate::mm::layout;

/// The kinds, as the shell shows them.
pub(super) const KINDS: &str = "null-read|write-text|exec-data|guard-page";

/// `ret`, in memory that is data.
static mut RETURN: u32 = 0xd65f_03c0;

/// `fault KIND`
pub(super) fn run(arguments: &[&str], _out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        ["null-read"] => load(0),
        ["write-text"] => store(run as *const () as usize & !7),
        ["exec-data"] => call((&raw const RETURN).addr()),
        ["guard-page"] => store(layout::main_stack(0).start.as_usize() - 8),
        [other] => {
            return Err(CommandError::Choice {
                given: ChoiceText::new(other),
                expected: KINDS,
            });
        }
        _ => return Err(CommandError::Usage),
    }
    Ok(())
}

/// A load that the compiler knows nothing about.
fn load(address: usize) {
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { asm!("ldr {0}, [{0}]", inout(reg) address => _, options(nostack)) };
}

fn store(address: usize) {
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { asm!("str xzr, [{0}]", in(reg) address, options(nostack)) };
}

fn call(address: usize) {
    let code = ptr::with_exposed_provenance::<()>(address);
    // SAFETY: not safe, and meant so: the map must catch it. If it did not, `ret` comes back.
    let routine = unsafe { core::mem::transmute::<*const (), extern "C" fn()>(code) };
    routine();
}
