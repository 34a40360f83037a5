//! `cargo xtask peers`: this project's page tables beside other libraries', measured by the
//! programs in `benches/peers`.
//!
//! In QEMU, where instructions are counted exactly, the figures are compared with limits; with
//! `--host` they are measured on this machine, in callgrind's instructions if valgrind is there,
//! and in times as ratios. Fails if a program finds a wrong result, if a limit is passed, or if an
//! operation issues maintenance that it does not need.

mod error;
mod host;
mod machine;
mod programs;
mod rows;
mod workloads;

use std::process::ExitCode;

use lexopt::{Arg, Parser};

use crate::failure::Failure;
use crate::qemu;

/// Runs `cargo xtask peers`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    let mut program = qemu::default_program();
    let mut on_host = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("host") => on_host = true,
            Arg::Long("qemu") => program = args.value()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if on_host {
        Ok(host::run()?)
    } else {
        qemu::check_program(&program)?;
        Ok(machine::run(&program)?)
    }
}
