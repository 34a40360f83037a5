//! The sources of a core's interrupts: the local controller's sources and, behind one of them, the
//! lines of the BCM2835's controller.
//!
//! # Decisions
//!
//! - The core's own come first, in the order of their bits: timers, mailboxes, performance
//!   counters. They are what other cores wait for, and they need no further read. The GPU's
//!   peripherals follow, lowest line first, then the ARM block's.
//! - The second controller is read when the first has nothing left, and only by the core to which
//!   it is routed: most interrupts cost one read. Each step is a count of zeros, so that the cost
//!   goes with what is pending and not with what there is.
//! - Numbers here are the controllers' own. The board makes one space of them.
#![forbid(unsafe_code)]

use super::gpu_interrupts::{GpuInterrupts, GpuLine, GpuPending};
use super::local_interrupts::LocalPending;

/// An interrupt by its controller, in that one's numbers. The board makes one space of both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IrqSource {
    /// The bit in the core's source register: 0 to 31, not 8.
    Local(u8),
    /// The line of the second controller.
    Gpu(GpuLine),
}

/// An iterator over the interrupts that were pending, each once, most urgent first. What becomes
/// pending meanwhile is not among them, and interrupts again.
#[derive(Clone, Debug)]
pub struct Pending<'a, B> {
    local: LocalPending,
    /// The second controller and the barrier before it, until it is read.
    unread: Option<(&'a GpuInterrupts, B)>,
    gpu: GpuPending,
}

impl<'a, B: FnOnce()> Pending<'a, B> {
    /// The sources of `local` and, if its cascade is pending, of `gpu`.
    ///
    /// `barrier` is called once before `gpu` is read, and not if it is not: on this board, reads of
    /// two peripherals need one between them (BCM2835 ARM Peripherals 1.3).
    #[must_use]
    pub const fn new(local: LocalPending, gpu: &'a GpuInterrupts, barrier: B) -> Self {
        Self {
            local,
            unread: Some((gpu, barrier)),
            gpu: GpuPending::NONE,
        }
    }
}

impl<B: FnOnce()> Iterator for Pending<'_, B> {
    type Item = IrqSource;

    fn next(&mut self) -> Option<IrqSource> {
        if let Some(bit) = self.local.next() {
            return Some(IrqSource::Local(bit));
        }
        if self.local.has_gpu()
            && let Some((gpu, barrier)) = self.unread.take()
        {
            barrier();
            self.gpu = gpu.pending();
        }
        self.gpu.next().map(IrqSource::Gpu)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{IrqSource, Pending};
    use crate::drivers::gpu_interrupts::device::{Repeated, show};
    use crate::drivers::gpu_interrupts::{GpuInterrupts, GpuLine};
    use crate::drivers::local_interrupts::LocalPending;
    use crate::drivers::mmio::fake::FakeRegisters;

    fn gpu(number: u8) -> IrqSource {
        IrqSource::Gpu(GpuLine::gpu(number).expect("a GPU interrupt"))
    }

    /// The sources for the source register's value `local`, and the number of barriers.
    fn pending(memory: &'static FakeRegisters<10>, local: u32) -> (Vec<IrqSource>, u32) {
        let controller = GpuInterrupts::new(memory.view());
        let mut barriers = 0;
        let local = LocalPending::from_bits(local);
        let sources = Pending::new(local, &controller, || barriers += 1).collect();
        (sources, barriers)
    }

    #[test]
    fn the_cores_own_come_before_the_gpus_and_these_before_the_arm_blocks() {
        let memory = FakeRegisters::leak();
        show(memory, 1 << 57 | 1 << 3, 1 << 1, Repeated::Hidden);
        let mailbox = IrqSource::Gpu(GpuLine::basic(1).expect("a line"));
        let (sources, barriers) = pending(memory, 1 << 3 | 1 << 4 | 1 << 8 | 1 << 9);
        assert_eq!(
            sources,
            [
                IrqSource::Local(3),
                IrqSource::Local(4),
                IrqSource::Local(9),
                gpu(3),
                gpu(57),
                mailbox,
            ]
        );
        assert_eq!(barriers, 1);
    }

    #[test]
    fn without_the_cascade_bit_the_second_controller_is_left_alone() {
        let memory = FakeRegisters::leak();
        show(memory, u64::MAX, 0xff, Repeated::Counted);
        assert_eq!(
            pending(memory, 1 << 5),
            (Vec::from([IrqSource::Local(5)]), 0)
        );
        assert_eq!(pending(memory, 0), (Vec::new(), 0));
    }

    #[test]
    fn a_cascade_with_nothing_behind_it_is_nothing() {
        let memory = FakeRegisters::leak();
        assert_eq!(pending(memory, 1 << 8), (Vec::new(), 1));
    }

    #[test]
    fn everything_at_once_is_everything_once() {
        let memory = FakeRegisters::leak();
        show(memory, u64::MAX, 0xff, Repeated::Hidden);
        let (sources, barriers) = pending(memory, u32::MAX);
        assert_eq!((sources.len(), barriers), (31 + 72, 1));
        for (index, source) in sources.iter().enumerate() {
            assert!(!sources[..index].contains(source), "{source:?} came twice");
        }
    }

    #[test]
    fn the_second_controller_is_read_after_the_cores_own_were_handled() {
        let memory = FakeRegisters::leak();
        let controller = GpuInterrupts::new(memory.view());
        let local = LocalPending::from_bits(1 << 3 | 1 << 8);
        let mut pending = Pending::new(local, &controller, || {});
        assert_eq!(pending.next(), Some(IrqSource::Local(3)));
        show(memory, 1 << 57, 0, Repeated::Hidden);
        assert_eq!(pending.next(), Some(gpu(57)));
        show(memory, 1 << 9, 0, Repeated::Hidden);
        assert_eq!(pending.next(), None, "read once");
    }
}
