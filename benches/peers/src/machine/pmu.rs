//! Instructions, counted by the CPU: the PMU's cycle counter, and event 8, instructions retired
//! (DDI 0487 D13).
//!
//! Under QEMU's `-icount shift=0` both count every instruction once. That they agree is checked at
//! each reading: on another machine, or without the option, the figures would mean something else.

use core::arch::asm;

use stilt_peers::workloads::{Bench, Row};

/// The counter.
pub(crate) struct Instructions {
    /// What measuring nothing gives.
    overhead: u64,
    last: u64,
}

/// Both counters.
struct Reading {
    cycles: u64,
    retired: u64,
}

impl Reading {
    fn now() -> Self {
        let (cycles, retired);
        // SAFETY: reading counters changes nothing.
        unsafe {
            asm!(
                "isb",
                "mrs {}, pmccntr_el0",
                "mrs {}, pmevcntr0_el0",
                out(reg) cycles,
                out(reg) retired,
                options(nostack, preserves_flags),
            );
        }
        Self { cycles, retired }
    }
}

impl Instructions {
    /// Starts the counters.
    pub(crate) fn start() -> Self {
        const INSTRUCTIONS_RETIRED: u64 = 8;
        const CYCLE_COUNTER_AND_COUNTER_0: u64 = 1 << 31 | 1;
        const ENABLE_AND_RESET_LONG: u64 = 1 << 6 | 0b111;
        // SAFETY: the PMU is this program's alone, and no counter interrupts.
        unsafe {
            asm!(
                "msr pmccfiltr_el0, xzr",
                "msr pmevtyper0_el0, {event}",
                "msr pmcntenset_el0, {counters}",
                "msr pmcr_el0, {control}",
                "isb",
                event = in(reg) INSTRUCTIONS_RETIRED,
                counters = in(reg) CYCLE_COUNTER_AND_COUNTER_0,
                control = in(reg) ENABLE_AND_RESET_LONG,
                options(nostack, preserves_flags),
            );
        }
        let mut counter = Self {
            overhead: 0,
            last: 0,
        };
        counter.measure(&mut || {});
        counter.overhead = counter.last;
        counter
    }
}

impl Bench for Instructions {
    #[inline(never)]
    fn measure(&mut self, work: &mut dyn FnMut()) {
        let before = Reading::now();
        work();
        let after = Reading::now();
        let cycles = after.cycles.wrapping_sub(before.cycles);
        // The event counter has 32 bits.
        let retired = after.retired.wrapping_sub(before.retired) & u64::from(u32::MAX);
        assert_eq!(
            cycles, retired,
            "the two counters disagree: is -icount shift=0 missing?"
        );
        self.last = cycles - self.overhead;
    }

    fn report(&mut self, row: &Row) {
        let Row {
            subject,
            workload,
            units,
            zeroed,
            frames,
        } = row;
        let counted = self.last;
        super::line(format_args!(
            "row {subject} {workload} {units} {counted} {zeroed} {frames}"
        ));
    }
}
