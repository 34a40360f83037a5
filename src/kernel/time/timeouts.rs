//! The timeout of every wait for another core or a device, in nanoseconds, and their order.
//!
//! A wait whose holder may itself wait has the longer timeout: the holder of a lock (8 s) may stop
//! other cores (5 s), one of which may be printing (2 s). So the innermost wait ends first, and its
//! error names the core that hangs. All are long enough for an emulator on a busy host, whose cores
//! may get no time for most of a second; none is so long that a person at the prompt takes the
//! kernel for dead.
#![forbid(unsafe_code)]

use crate::arch::waited::{NS_PER_US, SLICE_NS, Waited};

/// A second.
const S: u64 = 1_000_000_000;

/// A wait of `limit_ns` at most, in nanoseconds. It takes at least eight readings of the counter
/// that agree: one that is set to another number does not end it.
pub const fn wait_for(limit_ns: u64) -> Waited {
    // A limit of nothing ends with the third look.
    let slice_ns = match limit_ns / 8 + 1 {
        eighth_ns if eighth_ns < SLICE_NS => eighth_ns,
        _ => SLICE_NS,
    };
    Waited::new(slice_ns, NS_PER_US)
}

/// For a first secondary core to be alive, at boot: where there is one core, boot takes this
/// longer.
pub const FIRST_ALIVE_NS: u64 = S;
/// For a secondary core to be alive, when another is: then all were released, and the host of an
/// emulator is busy.
pub const ALIVE_NS: u64 = 3 * S;
/// For a core that was let online to be online: with its MMU on, vectors installed, clock joined,
/// interrupts let in.
pub const ONLINE_NS: u64 = 3 * S;
/// For the UART to take a byte: after it, the interrupt is lost, and the UART is polled. Its queue
/// of 16 empties in 1.4 ms at 115200 baud.
pub const UART_NS: u64 = S / 50;
/// For the console's turn, to print or to report. The text before leaves its queue of 4
/// KiB in 0.36 s at 115200 baud.
pub const CONSOLE_TURN_NS: u64 = S;
/// For the turn to report. Its owner may wait for the console's turn, and prints some 2 KiB.
pub const REPORT_TURN_NS: u64 = 3 * S;
/// For the reports of other cores, before one ends the machine. Every other wait is so much longer
/// while a core reports.
pub const REPORTS_NS: u64 = 4 * S;
/// For the other cores to halt. The last lines before the machine ends name those that have not.
pub const HALT_NS: u64 = S;
/// For the other cores to stop for `stop_machine`. One of them may be printing a report.
pub const STOP_MACHINE_NS: u64 = 2 * S;
/// For a stopped core to run again. The initiator may be waiting for another core.
pub const STOPPED_NS: u64 = STOP_MACHINE_NS + 3 * S;
/// For the initiator of another `stop_machine` to end it. Longer than [`STOPPED_NS`], so that a
/// core which that initiator has stopped panics first.
pub const INITIATOR_NS: u64 = STOPPED_NS + S / 2;
/// For a lock, before the core that waits panics and says who has it. Its holder may wait for
/// another initiator, and then for the cores that it stops itself: 7.5 s.
pub const LOCK_NS: u64 = 8 * S;
/// For a handler to return, after its interrupt was unregistered. If it does not, the interrupt
/// stays with its owner.
pub const HANDLER_NS: u64 = 2 * S;
/// For a function call on another core, which may print there. A core that does not answer counts
/// as silent from then on.
pub const ANSWER_NS: u64 = 4 * S;
/// For the function call by which `cpus` finds silent cores: it waits for one after the other, 3 s
/// at most.
pub const SIGN_NS: u64 = S;
/// For a function call on a core that is known to be silent: a wait has ended without it before.
pub const SILENT_NS: u64 = S / 2;
/// For a core that is known to be silent to stop for `stop_machine`: each change that needs one
/// waits for it again.
pub const SILENT_STOP_NS: u64 = S / 1000;
/// For a tick that is due; after it, the tick counts as lost. A busy host may run no guest for most
/// of a second.
pub const TICK_NS: u64 = S + S / 2;
/// For a job that was asked to end. It may be waiting for a function call, and then for its ticks.
pub const JOB_END_NS: u64 = 6 * S;
/// For the firmware's turn: its owner's question may take the firmware a second. Without the turn
/// the question is not asked.
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
