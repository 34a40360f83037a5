//! Panics: an invariant of the kernel is broken. Reported without a lock, then everything stops.
#![forbid(unsafe_code)]

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use super::console::{self, Raw};
use super::exit::{ExitCode, stop};
use crate::arch::aarch64::cpu;

/// Whether a report is under way: one inside it must not begin another.
static REPORTING: AtomicBool = AtomicBool::new(false);

/// Marks the beginning of a report. If there is one already, stops at once.
pub(super) fn begin_report(code: ExitCode) {
    if REPORTING.load(Ordering::Relaxed) {
        let _ = writeln!(Raw, "\nstilt: another failure inside the report; stopped");
        console::flush();
        stop(code);
    }
    REPORTING.store(true, Ordering::Relaxed);
}

/// Ends a report: everything printed leaves, then this core stops.
pub(super) fn end_report(code: ExitCode) -> ! {
    let _ = writeln!(Raw, "stilt: stopped");
    console::flush();
    stop(code)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    cpu::mask_exceptions();
    begin_report(ExitCode::Panic);
    let _ = writeln!(Raw, "\nstilt: panic on core {}", cpu::number());
    if let Some(place) = info.location() {
        let _ = writeln!(Raw, "  at    {place}");
    }
    let _ = writeln!(Raw, "  why   {}", info.message());
    end_report(ExitCode::Panic)
}
