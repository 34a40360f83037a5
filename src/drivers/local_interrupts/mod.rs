//! The local interrupt controller of the BCM2836: it routes timers, mailboxes and performance
//! counters to their cores, and the GPU's interrupts to one of them.
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
//! with interrupts masked. What all cores share is written whole. [`LocalInterrupts::init_shared`]
//! needs a sole caller. The rest are single accesses, or touch bits that nobody else clears, and
//! need none.
//!
//! # Decisions
//!
//! Everything comes as IRQ. The FIQ enables, which override, are written 0, and stay so.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

#[cfg(test)]
mod tests;

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

/// Local timer write flags (4.11): the interrupt flag is cleared by a 1.
const CLEAR_TIMER_FLAG: u32 = 1 << 31;

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

/// A mailbox: number 0 to 3 of one core.
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
    /// CNTPSIRQ: the secure physical timer.
    PhysicalSecure = 0,
    /// CNTPNSIRQ: the non-secure physical timer.
    PhysicalNonSecure = 1,
    /// CNTHPIRQ: the timer of EL2.
    Hypervisor = 2,
    /// CNTVIRQ: the virtual timer.
    Virtual = 3,
}

/// The sources that can be masked here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalSource {
    /// A timer.
    Timer(CoreTimer),
    /// A mailbox.
    Mailbox(CoreMailbox),
    /// The performance counters.
    Pmu,
    /// A device of the block's own, which all cores share.
    Device(LocalDevice),
}

/// A device of the local peripherals that interrupts. There is no mask between it and its core: it
/// is kept silent in its own control register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LocalDevice {
    /// The counter of outstanding AXI transactions (4.9), which interrupts core 0.
    AxiOutstanding,
    /// The local timer (4.11), which interrupts the core that its routing register names.
    Timer,
}

impl LocalSource {
    /// The source at bit `source` of a core's source register (4.10), or `None` if that is nothing
    /// that can be masked: the GPU's interrupts, which are masked at their controller, and bits
    /// that the manual reserves.
    #[must_use]
    pub const fn at_bit(source: u8) -> Option<Self> {
        Some(match source {
            0 => Self::Timer(CoreTimer::PhysicalSecure),
            1 => Self::Timer(CoreTimer::PhysicalNonSecure),
            2 => Self::Timer(CoreTimer::Hypervisor),
            3 => Self::Timer(CoreTimer::Virtual),
            4..=7 => Self::Mailbox(CoreMailbox(source - 4)),
            9 => Self::Pmu,
            10 => Self::Device(LocalDevice::AxiOutstanding),
            11 => Self::Device(LocalDevice::Timer),
            _ => return None,
        })
    }
}

/// A reading of a core's source register: the bits that are still to be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalPending(u32);

impl LocalPending {
    /// Stands for everything behind the other controller.
    const GPU: u32 = 1 << 8;

    /// The sources in `bits`, a value of the core's source register.
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
        self.stop(LocalDevice::AxiOutstanding);
        self.stop(LocalDevice::Timer);
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

    /// Unmasks `source` at `core`. A device of this block stays as its driver set it up.
    pub fn unmask(&self, core: Core, source: LocalSource) {
        match self.control(core, source) {
            Control::Device(_) => {}
            Control::Bit { register, bit } => register.set(register.get() | bit),
            Control::Pmu { irq } => self
                .registers
                .pmu_routing_set
                .write(PMU_ROUTING::IRQ.val(irq)),
        }
    }

    /// Masks `source` at `core`. A device of this block that has no mask is stopped, for all cores.
    pub fn mask(&self, core: Core, source: LocalSource) {
        match self.control(core, source) {
            Control::Device(device) => self.stop(device),
            Control::Bit { register, bit } => register.set(register.get() & !bit),
            Control::Pmu { irq } => self
                .registers
                .pmu_routing_clear
                .write(PMU_ROUTING::IRQ.val(irq)),
        }
    }

    /// Stops a device of the block's own, and what it interrupts for. Whole values: nobody here
    /// uses them, and a timer that is off must not show the interrupt of before.
    fn stop(&self, device: LocalDevice) {
        match device {
            LocalDevice::AxiOutstanding => self.registers.axi_outstanding_irq.set(0),
            LocalDevice::Timer => {
                self.registers.local_timer_control.set(0);
                self.registers.local_timer_write_flags.set(CLEAR_TIMER_FLAG);
            }
        }
    }

    /// The pending sources of `core` that are not masked.
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
            LocalSource::Device(device) => Control::Device(device),
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
    /// The device's own control register.
    Device(LocalDevice),
}
