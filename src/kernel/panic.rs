//! Panics: an invariant of the kernel is broken. Reported, then everything stops.
#![forbid(unsafe_code)]

use core::fmt::Write;
use core::panic::PanicInfo;

use super::console::Raw;
use super::exit::ExitCode;
use super::report::{self, Report};

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let report = Report::begin(ExitCode::Panic, "panic", info.message());
    if let Some(place) = info.location() {
        let _ = writeln!(Raw, "  by     {place}");
    }
    let _ = report::trace_from_here(&mut Raw);
    report.end()
}
