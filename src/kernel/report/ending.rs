//! The end of the machine, for panics, exceptions, failed audits, `halt` and `reboot`.
//!
//! 1. One core [claims](crate::kernel::protocol::Ending) the end; every other that comes here
//!    halts.
//! 2. It waits for the reports that other cores had begun, and halts all cores.
//! 3. The console's queue is sent, then the last line; no core prints after it.
//! 4. The machine halts, resets, or ends the emulator with a code.
#![forbid(unsafe_code)]

use core::fmt::Write;

use crate::arch::cpu;
use crate::drivers::watchdog::Ticks;
use crate::kernel::console::{self, Raw};
use crate::kernel::cores::ipi;
use crate::kernel::exit::{self, ExitCode};
use crate::kernel::machine::watchdog;
use crate::kernel::time::timeouts;
use crate::kernel::time::wait::{self, ENDING, live_others, numbers};

/// How the machine ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// Something failed: an emulator that listens ends with this code.
    Failure(ExitCode),
    /// The board is switched off, as far as it can be.
    Halt,
    /// The board starts anew.
    Reset,
}

/// Ends the machine with `last_line`. If another core has claimed the end, this one waits until it
/// is halted. Reports of other cores have 4 s to end, and then the cores 1 s to halt.
pub(crate) fn end(how: End, last_line: &str) -> ! {
    cpu::mask_exceptions();
    let here = cpu::number();
    ENDING.leave(here);
    if !ENDING.claim(here) {
        wait::for_the_end();
    }
    wait::until(timeouts::REPORTS_NS, || !ENDING.others_report(here));
    let others = live_others();
    ENDING.close();
    ipi::send(others);
    wait::until(timeouts::HALT_NS, || ENDING.running(others) == 0);
    console::cut_off();
    for core in numbers(ENDING.running(others)) {
        let _ = writeln!(Raw, "stilt: core {core} does not stop");
    }
    let _ = writeln!(Raw, "{last_line}");
    console::wait_idle();
    leave(how)
}

/// Ends the machine without a word: even that has failed.
pub(crate) fn end_silently(code: ExitCode) -> ! {
    cpu::mask_exceptions();
    if !ENDING.claim(cpu::number()) {
        wait::for_the_end();
    }
    ENDING.close();
    ipi::send(live_others());
    exit::stop(code)
}

fn leave(how: End) -> ! {
    match how {
        End::Failure(code) => exit::stop(code),
        End::Halt => watchdog::device().halt(),
        End::Reset => watchdog::device().reset(Ticks::SOON),
    }
    cpu::halt()
}
