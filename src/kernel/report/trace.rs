//! The trace of a report: the calls on the stack, with names and lines where the image has them.
#![expect(unsafe_code, reason = "reads memory that may not be mapped")]

use core::fmt::{self, Display, Write};

use crate::addr::VirtAddr;
use crate::arch::cpu;
use crate::arch::exception::TrapFrame;
use crate::arch::nofault::{self, AccessWidth};
use crate::board::raspi3;
use crate::exception::backtrace::{Backtrace, Step};
use crate::exception::folded::{Folded, TraceLine};
use crate::exception::names::{HIGH_BITS, Names};
use crate::mm::symbols;

const _: () = assert!(HIGH_BITS == raspi3::KERNEL_VA_OFFSET as u64);

/// The name of the function at a code address, with a space in front; nothing if it has none.
pub(super) struct At(pub(super) u64);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(names) = Names::new(symbols::names()) else {
            return Ok(());
        };
        if let Some(function) = names.function(self.0) {
            write!(f, " {function}+{:#x}", function.offset)?;
        }
        match names.line(self.0) {
            Some(place) => write!(f, " {place}"),
            None => Ok(()),
        }
    }
}

/// The calls that led to an exception.
pub(super) fn from_frame(out: &mut impl Write, frame: &TrapFrame) -> fmt::Result {
    let [fp, link] = [frame.x[29], frame.x[30]];
    let names = Names::new(symbols::names());
    let link = names
        .ok()
        .and_then(|names| names.return_address(frame.elr, link));
    print(out, frame.elr, link, fp)
}

/// The calls that led here. Inline: a frame of its own would be gone if the compiler ended it with a
/// jump to what prints.
#[inline(always)]
pub(crate) fn from_here(out: &mut impl Write) -> fmt::Result {
    let (pc, fp) = cpu::here();
    print(out, pc, None, fp)
}

fn print(out: &mut impl Write, pc: u64, link: Option<u64>, fp: u64) -> fmt::Result {
    if Names::new(symbols::names()).is_err() {
        writeln!(
            out,
            "  names  none: `cargo xtask image` puts them into the image"
        )?;
    }
    let mut lines = Folded::new(Backtrace::new(pc, link, fp, read));
    // Walked twice: memory for what is at the outer end there is none.
    let count = lines.clone().count();
    let left_out = if count > INNERMOST + OUTERMOST {
        INNERMOST..count - OUTERMOST
    } else {
        0..0
    };
    let mut label = "trace";
    for (index, line) in lines.by_ref().enumerate() {
        match line {
            _ if index == left_out.start && !left_out.is_empty() => {
                writeln!(out, "         ... {} lines left out", left_out.len())?;
            }
            _ if left_out.contains(&index) => {}
            TraceLine::Step(step) => {
                let at = At(Step::instruction(step));
                writeln!(out, "  {label:<6} {:#018x}{at}", step.address())?;
            }
            TraceLine::Again(again) => writeln!(out, "         {again}")?,
        }
        label = "";
    }
    match lines.end() {
        Some(end) => writeln!(out, "         {end}"),
        None => Ok(()),
    }
}

/// Lines of a trace that are shown at either end.
const INNERMOST: usize = 24;
const OUTERMOST: usize = 12;

/// A word of a stack.
fn read(address: u64) -> Option<u64> {
    // SAFETY: frame pointers are multiples of 16 and grow; at worst this reads a device that a
    // broken one points to.
    unsafe { nofault::read(VirtAddr::new(address as usize), AccessWidth::Double) }.ok()
}
