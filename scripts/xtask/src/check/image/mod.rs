//! Checks on the linked image: the code before the MMU is on, the linker's own code, the order of
//! barriers and maintenance, and errata of the Cortex-A53.
//!
//! Every check takes a [`Program`](program::Program) and returns a report; only `elf` knows a file
//! format.

#![forbid(unsafe_code)]

mod early;
mod effect;
mod elf;
mod errata;
mod hints;
mod linker;
mod order;
mod parts;
mod program;
#[cfg(test)]
mod sample;

use super::report::Report;
pub(crate) use elf::ElfError;

/// The treatment of sequences of erratum 835769.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy835769 {
    /// Each is a violation: all code was compiled with the workaround.
    Refuse,
    /// They are counted only: `core` was compiled before, without the workaround.
    Count,
}

/// Runs every check on the ELF file in `file`.
///
/// # Errors
///
/// When the file cannot be read as a linked image with symbols and relocations.
pub(super) fn check(file: &[u8], policy: Policy835769) -> Result<Vec<Report>, ElfError> {
    let program = elf::read(file)?;
    let mut multiply_accumulate = errata::check_835769(&program);
    if policy == Policy835769::Count {
        let found = multiply_accumulate.violations.drain(..).count();
        multiply_accumulate.counted += &format!(", {found} sequences allowed");
    }
    Ok(vec![
        early::check(&program),
        linker::check_thunks(&program),
        order::check(&program),
        order::check_places(&program),
        order::check_devices(&program),
        errata::check_843419(&program),
        multiply_accumulate,
        hints::check_isb(&program),
        hints::check_instructions(&program),
    ])
}
