//! The local interrupt controller of the BCM2836: what each core hears of its timers, mailboxes and
//! performance counters, and which core hears the GPU's peripherals.
//!
//! BCM2836 "QA7" document, chapter 4: registers in this order and with these names, four in a row
//! for the four cores. Accesses are of 32 bits: the manual allows no others.
//!
//! There is nothing to acknowledge: a source bit stands as long as its cause does. A timer is
//! silenced by its own control register, a mailbox by [`LocalInterrupts::take`], a GPU interrupt at
//! its device.
//!
//! # Who may call what
//!
//! The timer and mailbox control registers have no set and clear twins, so that
//! [`LocalInterrupts::init_core`], [`LocalInterrupts::mask`] and [`LocalInterrupts::unmask`] read,
//! modify and write. Each core has registers of its own; only that core calls these for itself, and
//! with interrupts masked. [`LocalInterrupts::init_shared`] needs a sole caller. The rest are single
//! accesses, or touch bits that nobody else clears, and need none.
//!
//! # Decisions
//!
//! Everything comes as IRQ. The FIQ enables, which override, are written 0, and stay so.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// GPU interrupts routing (4.4).
    GPU_ROUTING [
        IRQ_CORE OFFSET(0) NUMBITS(2) [],
        FIQ_CORE OFFSET(2) NUMBITS(2) [],
    ],
    /// Performance monitor interrupts routing, set and clear (4.5): a bit a core.
    PMU_ROUTING [
        IRQ OFFSET(0) NUMBITS(4) [],
        FIQ OFFSET(4) NUMBITS(4) [],
    ],
}

register_structs! {
    /// The local peripherals' registers.
    pub Registers {
        (0x00 => control: ReadWrite<u32>),
        (0x04 => _reserved0),
        (0x08 => core_timer_prescaler: ReadWrite<u32>),
        (0x0c => gpu_interrupts_routing: ReadWrite<u32, GPU_ROUTING::Register>),
        (0x10 => pmu_routing_set: WriteOnly<u32, PMU_ROUTING::Register>),
        (0x14 => pmu_routing_clear: WriteOnly<u32, PMU_ROUTING::Register>),
        (0x18 => _reserved1),
        (0x1c => core_timer_ls: ReadWrite<u32>),
        (0x20 => core_timer_ms: ReadWrite<u32>),
        (0x24 => local_interrupt_routing: ReadWrite<u32>),
        (0x28 => _reserved2),
        (0x2c => axi_outstanding_counters: ReadWrite<u32>),
        (0x30 => axi_outstanding_irq: ReadWrite<u32>),
        (0x34 => local_timer_control: ReadWrite<u32>),
        (0x38 => local_timer_write_flags: WriteOnly<u32>),
        (0x3c => _reserved3),
        (0x40 => core_timers_interrupt_control: [ReadWrite<u32>; 4]),
        (0x50 => core_mailboxes_interrupt_control: [ReadWrite<u32>; 4]),
        (0x60 => core_irq_source: [ReadOnly<u32>; 4]),
        (0x70 => core_fiq_source: [ReadOnly<u32>; 4]),
        (0x80 => core_mailbox_write_set: [[WriteOnly<u32>; 4]; 4]),
        (0xc0 => core_mailbox_read_clear: [[ReadWrite<u32>; 4]; 4]),
        (0x100 => @END),
    }
}

/// A core.
///
/// # Invariants
///
/// 0 to 3, so that its registers exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Core(u8);

impl Core {
    /// Core `number`, or `None` above 3.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 4 { Some(Self(number)) } else { None }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One of a core's four mailboxes.
///
/// # Invariants
///
/// 0 to 3, so that its registers exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CoreMailbox(u8);

impl CoreMailbox {
    /// Mailbox `number`, or `None` above 3.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 4 { Some(Self(number)) } else { None }
    }

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A core's timer: the bits of its timer control register (4.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum CoreTimer {
    /// CNTPSIRQ.
    PhysicalSecure = 0,
    /// CNTPNSIRQ.
    PhysicalNonSecure = 1,
    /// CNTHPIRQ.
    Hypervisor = 2,
    /// CNTVIRQ.
    Virtual = 3,
}

/// What can be masked here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalSource {
    /// A timer.
    Timer(CoreTimer),
    /// A mailbox.
    Mailbox(CoreMailbox),
    /// The performance counters.
    Pmu,
}

impl LocalSource {
    /// What shows at bit `source` of a core's source register (4.10), or `None` if that is nothing
    /// with a mask for each core: the GPU's interrupts, the AXI counter, the local timer, nothing.
    #[must_use]
    pub const fn at_bit(source: u8) -> Option<Self> {
        Some(match source {
            0 => Self::Timer(CoreTimer::PhysicalSecure),
            1 => Self::Timer(CoreTimer::PhysicalNonSecure),
            2 => Self::Timer(CoreTimer::Hypervisor),
            3 => Self::Timer(CoreTimer::Virtual),
            4..=7 => Self::Mailbox(CoreMailbox(source - 4)),
            9 => Self::Pmu,
            _ => return None,
        })
    }
}

/// What a core's source register showed: the bits that are still to be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalPending(u32);

impl LocalPending {
    /// Stands for everything behind the other controller.
    const GPU: u32 = 1 << 8;

    /// The register's value.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether the other controller has something for this core.
    #[must_use]
    pub const fn has_gpu(self) -> bool {
        self.0 & Self::GPU != 0
    }
}

/// The bits of interrupts of the core's own, lowest first: the timers', the mailboxes', the rest.
/// The bit for the other controller is not among them.
impl Iterator for LocalPending {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let own = self.0 & !Self::GPU;
        if own == 0 {
            return None;
        }
        self.0 &= !(own & own.wrapping_neg());
        Some(own.trailing_zeros() as u8)
    }
}

/// The local interrupt controller.
#[derive(Clone, Copy, Debug)]
pub struct LocalInterrupts {
    registers: Mmio<Registers>,
}

impl LocalInterrupts {
    /// Drives the controller behind `registers`.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Brings what the cores share to a known state: the GPU's interrupts go to `gpu_core`, the
    /// local timer stands, the AXI counter is silent. Leaves the clock of the cores' timers alone.
    pub fn init_shared(&self, gpu_core: Core) {
        let core = u32::from(gpu_core.0);
        self.registers
            .gpu_interrupts_routing
            .write(GPU_ROUTING::IRQ_CORE.val(core) + GPU_ROUTING::FIQ_CORE.val(core));
        self.registers.axi_outstanding_irq.set(0);
        self.registers.local_timer_control.set(0);
    }

    /// Masks everything of `core` and empties its mailboxes: a loader, or a kernel before this one,
    /// may have left something. To be called before anyone sends to `core`.
    pub fn init_core(&self, core: Core) {
        let index = core.index();
        self.registers.core_timers_interrupt_control[index].set(0);
        self.registers.core_mailboxes_interrupt_control[index].set(0);
        self.registers
            .pmu_routing_clear
            .write(PMU_ROUTING::IRQ.val(1 << index) + PMU_ROUTING::FIQ.val(1 << index));
        for mailbox in &self.registers.core_mailbox_read_clear[index] {
            mailbox.set(u32::MAX);
        }
    }

    /// Lets `core` hear `source`.
    pub fn unmask(&self, core: Core, source: LocalSource) {
        match self.control(core, source) {
            Control::Bit { register, bit } => register.set(register.get() | bit),
            Control::Pmu { irq } => self
                .registers
                .pmu_routing_set
                .write(PMU_ROUTING::IRQ.val(irq)),
        }
    }

    /// Lets `core` no longer hear `source`.
    pub fn mask(&self, core: Core, source: LocalSource) {
        match self.control(core, source) {
            Control::Bit { register, bit } => register.set(register.get() & !bit),
            Control::Pmu { irq } => self
                .registers
                .pmu_routing_clear
                .write(PMU_ROUTING::IRQ.val(irq)),
        }
    }

    /// What `core` is interrupted by: only what is not masked shows.
    #[must_use]
    pub fn pending(&self, core: Core) -> LocalPending {
        LocalPending(self.registers.core_irq_source[core.index()].get())
    }

    /// Adds `bits` to a mailbox of `core`, which is interrupted as long as one of its bits is set.
    ///
    /// The caller has made what the message is about visible to `core` before this (a barrier that
    /// waits: `dsb`). Bits that were already set merge: a mailbox says that, not how often.
    pub fn send(&self, core: Core, mailbox: CoreMailbox, bits: u32) {
        self.registers.core_mailbox_write_set[core.index()][mailbox.index()].set(bits);
    }

    /// Takes the bits out of a mailbox of `core`. What comes in between reading and clearing stays:
    /// only the bits that are returned are cleared. Only `core` takes what is its own.
    ///
    /// A bit that is sent again before this returns may be taken with the first. The caller looks
    /// for what a bit announces after this, not before.
    #[must_use]
    pub fn take(&self, core: Core, mailbox: CoreMailbox) -> u32 {
        let register = &self.registers.core_mailbox_read_clear[core.index()][mailbox.index()];
        let bits = register.get();
        register.set(bits);
        bits
    }

    fn control(&self, core: Core, source: LocalSource) -> Control<'_> {
        let index = core.index();
        match source {
            LocalSource::Timer(timer) => Control::Bit {
                register: &self.registers.core_timers_interrupt_control[index],
                bit: 1 << timer as u8,
            },
            LocalSource::Mailbox(mailbox) => Control::Bit {
                register: &self.registers.core_mailboxes_interrupt_control[index],
                bit: 1 << mailbox.0,
            },
            LocalSource::Pmu => Control::Pmu { irq: 1 << index },
        }
    }
}

/// Where the mask of a source is.
enum Control<'a> {
    /// A bit of a register of the core's own.
    Bit {
        register: &'a ReadWrite<u32>,
        bit: u32,
    },
    /// A bit of the registers that set and clear.
    Pmu { irq: u32 },
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Core, CoreMailbox, CoreTimer, LocalInterrupts, LocalPending, LocalSource};
    use crate::drivers::mmio::fake::FakeRegisters;

    const VIRTUAL_TIMER: LocalSource = LocalSource::Timer(CoreTimer::Virtual);

    fn controller() -> (&'static FakeRegisters<64>, LocalInterrupts) {
        let memory = FakeRegisters::leak();
        (memory, LocalInterrupts::new(memory.view()))
    }

    fn core(number: u8) -> Core {
        Core::new(number).expect("a core")
    }

    fn mailbox(number: u8) -> CoreMailbox {
        CoreMailbox::new(number).expect("a mailbox")
    }

    /// The registers that differ from `before`, with their values.
    fn changes(memory: &FakeRegisters<64>, before: u32) -> Vec<(usize, u32)> {
        (0..0x100)
            .step_by(4)
            .map(|offset| (offset, memory.get(offset)))
            .filter(|(_, value)| *value != before)
            .collect()
    }

    #[test]
    fn there_are_four_cores_and_four_mailboxes() {
        assert!(Core::new(3).is_some() && CoreMailbox::new(3).is_some());
        assert_eq!((Core::new(4), CoreMailbox::new(4)), (None, None));
    }

    #[test]
    fn the_shared_state_sends_all_to_one_core_and_leaves_the_clock() {
        let (memory, controller) = controller();
        for offset in (0..0x100).step_by(4) {
            memory.set(offset, 0x5555_5555);
        }
        controller.init_shared(core(2));
        // QA7 4.4: bits 1:0 the IRQ's core, bits 3:2 the FIQ's.
        assert_eq!(
            changes(memory, 0x5555_5555),
            [(0x0c, 0b1010), (0x30, 0), (0x34, 0)]
        );
    }

    #[test]
    fn a_core_begins_deaf_and_with_empty_mailboxes_whatever_was_left() {
        let (memory, controller) = controller();
        for offset in (0..0x100).step_by(4) {
            memory.set(offset, 0x5555_5555);
        }
        controller.init_core(core(1));
        let clear = 0xffff_ffff;
        assert_eq!(
            changes(memory, 0x5555_5555),
            [
                (0x14, 0x22),
                (0x44, 0),
                (0x54, 0),
                (0xd0, clear),
                (0xd4, clear),
                (0xd8, clear),
                (0xdc, clear),
            ]
        );
    }

    #[test]
    fn unmasking_a_timer_sets_its_bit_of_its_core_only() {
        let (memory, controller) = controller();
        memory.set(0x4c, 0b0010);
        controller.unmask(core(3), VIRTUAL_TIMER);
        assert_eq!(changes(memory, 0), [(0x4c, 0b1010)]);
        controller.mask(core(3), VIRTUAL_TIMER);
        assert_eq!(changes(memory, 0), [(0x4c, 0b0010)]);
        controller.unmask(core(0), LocalSource::Timer(CoreTimer::Hypervisor));
        assert_eq!(memory.get(0x40), 0b0100);
    }

    #[test]
    fn unmasking_a_mailbox_sets_its_bit_of_its_core_only() {
        let (memory, controller) = controller();
        memory.set(0x58, 0b0001);
        controller.unmask(core(2), LocalSource::Mailbox(mailbox(3)));
        assert_eq!(changes(memory, 0), [(0x58, 0b1001)]);
        controller.mask(core(2), LocalSource::Mailbox(mailbox(0)));
        assert_eq!(changes(memory, 0), [(0x58, 0b1000)]);
    }

    #[test]
    fn the_pmu_has_registers_to_set_and_to_clear() {
        let (memory, controller) = controller();
        controller.unmask(core(3), LocalSource::Pmu);
        assert_eq!(changes(memory, 0), [(0x10, 0b1000)]);
        controller.mask(core(1), LocalSource::Pmu);
        assert_eq!(changes(memory, 0), [(0x10, 0b1000), (0x14, 0b0010)]);
    }

    #[test]
    fn each_core_and_mailbox_has_its_own_words() {
        for (to, number, send_at, take_at) in [
            (0, 0, 0x80, 0xc0),
            (0, 3, 0x8c, 0xcc),
            (1, 0, 0x90, 0xd0),
            (2, 1, 0xa4, 0xe4),
            (3, 3, 0xbc, 0xfc),
        ] {
            let (memory, controller) = controller();
            controller.send(core(to), mailbox(number), 0x8000_0001);
            assert_eq!(changes(memory, 0), [(send_at, 0x8000_0001)]);
            memory.set(send_at, 0);
            memory.set(take_at, 0x0000_00f0);
            assert_eq!(controller.take(core(to), mailbox(number)), 0xf0);
            assert_eq!(
                memory.get(take_at),
                0xf0,
                "writes what it read, and no more"
            );
        }
    }

    #[test]
    fn a_core_sees_its_own_source_register() {
        let (memory, controller) = controller();
        for (number, offset) in [(0, 0x60), (1, 0x64), (2, 0x68), (3, 0x6c)] {
            memory.set(offset, 1 << number);
            let bits: Vec<u8> = controller.pending(core(number)).collect();
            assert_eq!(bits, [number]);
        }
    }

    #[test]
    fn pending_bits_come_once_and_in_order_without_the_cascade() {
        let mut pending = LocalPending::from_bits(0x8000_0b98);
        assert!(pending.has_gpu());
        let bits: Vec<u8> = pending.by_ref().collect();
        assert_eq!(bits, [3, 4, 7, 9, 11, 31]);
        assert!(pending.has_gpu(), "the cascade is left for who asks");
        assert!(!LocalPending::from_bits(0xffff_feff).has_gpu());
    }

    #[test]
    fn source_bits_mean_what_the_manual_says() {
        let maskable = |bit| LocalSource::at_bit(bit);
        assert_eq!(
            maskable(1),
            Some(LocalSource::Timer(CoreTimer::PhysicalNonSecure))
        );
        assert_eq!(maskable(3), Some(VIRTUAL_TIMER));
        assert_eq!(maskable(4), Some(LocalSource::Mailbox(mailbox(0))));
        assert_eq!(maskable(7), Some(LocalSource::Mailbox(mailbox(3))));
        assert_eq!(maskable(9), Some(LocalSource::Pmu));
        for bit in [8, 10, 11, 12, 31, 255] {
            assert_eq!(maskable(bit), None);
        }
        for bit in 0..4 {
            let (memory, controller) = controller();
            controller.unmask(core(0), maskable(bit).expect("a timer"));
            assert_eq!(memory.get(0x40), 1 << bit);
        }
    }
}
