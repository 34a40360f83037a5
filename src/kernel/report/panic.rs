//! Panics: an invariant of the kernel is broken. Reported, then everything stops.
#![forbid(unsafe_code)]

use core::fmt::Write;
use core::panic::PanicInfo;

use super::{Report, out, trace_from_here};
use crate::kernel::exit::ExitCode;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let report = Report::begin(ExitCode::Panic, "panic", info.message());
    if let Some(place) = info.location() {
        let _ = writeln!(out(), "  by     {place}");
    }
    let _ = trace_from_here(&mut out());
    report.end()
}
