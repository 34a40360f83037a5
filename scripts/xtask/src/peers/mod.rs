//! `cargo xtask peers`: this project's page tables beside other libraries', from the programs in
//! `benches/peers`.
//!
//! In QEMU, where the CPU counts instructions exactly, against what is asked for; with `--host` on
//! this machine, in callgrind's instructions where valgrind is there, and in time as ratio. Fails
//! if a program finds a result wrong, if an ask is missed, or if maintenance is issued that the
//! operation does not need.

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

/// The verb.
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
