//! What becomes of an exception: a failed probe goes on, everything else is reported and final.

use core::fmt::{self, Write};

use super::console::Raw;
use super::exit::ExitCode;
use super::panic::{begin_report, end_report};
use crate::arch::aarch64::exception::TrapFrame;
use crate::arch::aarch64::{cpu, probe};
use crate::exception::syndrome::Syndrome;
use crate::exception::vector::{Kind, Vector};

/// Called by the vectors (arch/aarch64/exception.S) on the exception stack. Returning resumes.
#[unsafe(no_mangle)]
extern "C" fn kernel_exception(frame: &mut TrapFrame, vector: u64) {
    let vector = Vector(vector);
    if vector.kind() == Kind::Synchronous && probe::recover(frame) {
        return;
    }
    begin_report(ExitCode::Exception);
    let _ = report(&mut Raw, frame, vector);
    end_report(ExitCode::Exception)
}

fn report(out: &mut impl Write, frame: &TrapFrame, vector: Vector) -> fmt::Result {
    writeln!(out, "\nstilt: {vector} on core {}", cpu::number())?;
    if matches!(vector.kind(), Kind::Synchronous | Kind::SError) {
        let syndrome = Syndrome::new(frame.esr);
        writeln!(out, "  what  {syndrome} (ESR {:#010x})", frame.esr)?;
        if syndrome.has_address() {
            writeln!(out, "  at    {:#018x} (FAR)", frame.far)?;
        }
    }
    writeln!(out, "  by    {:#018x} (ELR)", frame.elr)?;
    writeln!(out, "  sp    {:#018x}  SPSR {:#010x}", frame.sp, frame.spsr)?;
    for (row, registers) in frame.x.chunks(4).enumerate() {
        write!(out, " ")?;
        for (column, value) in registers.iter().enumerate() {
            write!(out, " x{:<2} {value:016x}", row * 4 + column)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
