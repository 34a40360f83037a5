//! How long one waits for another: every limit, and how they depend on each other.
//!
//! All are long enough for an emulator on a busy host, whose cores may stand for most of a second,
//! and none is so long that a person at the prompt takes the kernel for dead.
#![forbid(unsafe_code)]

use crate::arch::waited::{NS_PER_US, SLICE_NS, Waited};

/// A second.
const S: u64 = 1_000_000_000;

/// A wait of `limit_ns` at most, in nanoseconds. It takes eight looks that agree, at least: a
/// counter that is set to another number does not end it.
pub const fn wait_for(limit_ns: u64) -> Waited {
    // A limit of nothing ends with the third look.
    let slice_ns = match limit_ns / 8 + 1 {
        eighth_ns if eighth_ns < SLICE_NS => eighth_ns,
        _ => SLICE_NS,
    };
    Waited::new(slice_ns, NS_PER_US)
}

/// That a first core is alive, at boot: nobody waits for longer where there is one core alone.
pub const FIRST_ALIVE_NS: u64 = S;
/// That a core is alive, when others are.
pub const ALIVE_NS: u64 = 3 * S;
/// That a core that was let online is.
pub const ONLINE_NS: u64 = 3 * S;
/// The UART takes no byte: its interrupt is gone, and it is polled from then on. Its queue of 16
/// empties in 1.4 ms at 115200 baud.
pub const UART_NS: u64 = S / 50;
/// The console's turn, for who prints and for who reports. The text before leaves its queue of 4
/// KiB in 0.36 s at 115200 baud.
pub const CONSOLE_TURN_NS: u64 = S;
/// The turn to report. Whoever has it may wait for the console's turn, and prints some 2 KiB.
pub const REPORT_TURN_NS: u64 = 3 * S;
/// The reports of other cores, before one ends the machine; as much longer does everybody wait
/// while somebody reports.
pub const REPORTS_NS: u64 = 4 * S;
/// That the others halt.
pub const HALT_NS: u64 = S;
/// That the others stop for `stop_machine`. One of them may be printing a report.
pub const STOP_MACHINE_NS: u64 = 2 * S;
/// Being stopped. The initiator may be waiting for another core.
pub const STOPPED_NS: u64 = STOP_MACHINE_NS + 3 * S;
/// The right to stop others.
pub const INITIATOR_NS: u64 = STOPPED_NS + S / 2;
/// A lock. Its holder may be stopping other cores.
pub const LOCK_NS: u64 = 8 * S;
/// That a handler returns, whose interrupt is given up.
pub const HANDLER_NS: u64 = 2 * S;
/// The answer to a call.
pub const ANSWER_NS: u64 = 4 * S;
/// A sign of life, for `cpus`.
pub const SIGN_NS: u64 = S;
/// An answer, or a sign, of a core that is known to be silent.
pub const SILENT_NS: u64 = S / 2;
/// That such a core stops for `stop_machine`.
pub const SILENT_STOP_NS: u64 = S / 1000;
/// A tick that is due, before it counts as lost.
pub const TICK_NS: u64 = S + S / 2;
/// The end of a job that was asked to end. A job may be waiting for an answer, and then for its
/// ticks.
pub const JOB_END_NS: u64 = 6 * S;
/// The firmware's other questions, each of which it may leave unanswered for a second.
pub const FIRMWARE_NS: u64 = 2 * S;

const _: () = {
    assert!(CONSOLE_TURN_NS > UART_NS);
    assert!(REPORT_TURN_NS > CONSOLE_TURN_NS);
    assert!(REPORTS_NS > REPORT_TURN_NS);
    assert!(STOPPED_NS > STOP_MACHINE_NS);
    assert!(LOCK_NS > STOPPED_NS);
    assert!(JOB_END_NS > ANSWER_NS + TICK_NS);
};

#[cfg(test)]
mod tests {
    use super::{ANSWER_NS, SILENT_STOP_NS, wait_for};

    #[test]
    fn every_limit_is_passed_also_that_of_nothing() {
        for limit_ns in [0, 1, 7, SILENT_STOP_NS, ANSWER_NS] {
            let mut waited = wait_for(limit_ns);
            let looks = (0..10_000).map(|look| look * limit_ns.div_ceil(100).max(1));
            let mut sums = looks.map(|now_ns| waited.look(now_ns, 1));
            assert!(sums.any(|sum_ns| sum_ns > limit_ns), "{limit_ns} ns");
        }
    }
}
