//! The interrupt controller of the BCM2835: which interrupts of the GPU's peripherals and of the
//! ARM block are let through to the cores, and which are pending.
//!
//! BCM2835 ARM Peripherals, section 7.5: registers in this order; the block here begins at the
//! first of them, offset 0x200 in the manual. On the BCM2837 its output is one line into the local
//! controller, which chooses the core.
//!
//! Enabling and disabling write ones to registers of their own, so nothing is read and modified,
//! and no method needs an exclusive caller, but [`GpuInterrupts::disable_all`] undoes what others
//! do.
//!
//! # Decisions
//!
//! - Bits 20:10 of the basic pending register repeat eleven GPU interrupts, which then do not count
//!   in its bits 8 and 9 ("more in pending 1, 2"). QEMU counts them in both. Here a repeated bit is
//!   never taken for an interrupt: it means only, as bits 8 and 9 do, that its pending register is
//!   worth reading. Every interrupt thus comes out of one register, once, by either reading, and an
//!   interrupt of one peripheral costs two reads, not three.
//! - The FIQ is off. It has one source, and whoever wanted it would have to have its IRQ disabled.
#![forbid(unsafe_code)]

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// IRQ basic pending.
    BASIC_PENDING [
        /// The ARM block's own.
        ARM OFFSET(0) NUMBITS(8) [],
        /// Others than the repeated ones are in pending 1.
        MORE_1 OFFSET(8) NUMBITS(1) [],
        /// Others than the repeated ones are in pending 2.
        MORE_2 OFFSET(9) NUMBITS(1) [],
        /// GPU interrupts 7, 9, 10, 18 and 19.
        REPEATED_1 OFFSET(10) NUMBITS(5) [],
        /// GPU interrupts 53 to 57 and 62.
        REPEATED_2 OFFSET(15) NUMBITS(6) [],
    ],
}

register_structs! {
    /// The controller's registers.
    pub Registers {
        (0x00 => irq_basic_pending: ReadOnly<u32, BASIC_PENDING::Register>),
        (0x04 => irq_pending: [ReadOnly<u32>; 2]),
        (0x0c => fiq_control: ReadWrite<u32>),
        (0x10 => enable_irqs: [ReadWrite<u32>; 2]),
        (0x18 => enable_basic_irqs: ReadWrite<u32>),
        (0x1c => disable_irqs: [WriteOnly<u32>; 2]),
        (0x24 => disable_basic_irqs: WriteOnly<u32>),
        (0x28 => @END),
    }
}

/// A line of the controller, counted as its FIQ register does: GPU interrupts 0 to 63, then the ARM
/// block's as 64 to 71.
///
/// # Invariants
///
/// At most 71.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GpuLine(u8);

impl GpuLine {
    const FIRST_BASIC: u8 = 64;

    /// GPU interrupt `number`, as the manual's table (page 113) counts them: bit `number % 32` of
    /// pending 1 or 2. `None` above 63.
    #[must_use]
    pub const fn gpu(number: u8) -> Option<Self> {
        if number < Self::FIRST_BASIC {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The ARM block's interrupt at bit `number` of the basic pending register, or `None` above 7.
    #[must_use]
    pub const fn basic(number: u8) -> Option<Self> {
        if number < 8 {
            Some(Self(Self::FIRST_BASIC + number))
        } else {
            None
        }
    }

    /// The line: 0 to 63 for the GPU's interrupts, 64 to 71 for bits 0 to 7 of the basic pending
    /// register.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The register of three, and the bit in it.
    const fn place(self) -> (usize, u32) {
        (self.0 as usize / 32, 1 << (self.0 % 32))
    }
}

/// The pending interrupts as they were read: pending 1, pending 2, and the ARM block's own. An
/// iterator over their lines; what becomes pending later is not in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GpuPending([u32; 3]);

impl GpuPending {
    /// No interrupt is pending: what stands in for the registers where they need not be read.
    pub const NONE: Self = Self([0; 3]);
}

/// Each line once, lowest first.
impl Iterator for GpuPending {
    type Item = GpuLine;

    fn next(&mut self) -> Option<GpuLine> {
        let index = self.0.iter().position(|word| *word != 0)?;
        let bit = self.0[index].trailing_zeros();
        self.0[index] &= self.0[index] - 1;
        Some(GpuLine(index as u8 * 32 + bit as u8))
    }
}

/// The BCM2835's interrupt controller. It acknowledges nothing: an interrupt is pending until its
/// device is silent, or disabled here.
#[derive(Clone, Copy, Debug)]
pub struct GpuInterrupts {
    registers: Mmio<Registers>,
}

impl GpuInterrupts {
    /// Drives the controller behind `registers`, the block at 0x3f00_b200. Nothing is written:
    /// [`GpuInterrupts::disable_all`] comes first.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Lets nothing through: the state to begin with, whatever a loader enabled. The FIQ is off
    /// then, and stays so.
    pub fn disable_all(&self) {
        self.registers.fiq_control.set(0);
        for register in &self.registers.disable_irqs {
            register.set(u32::MAX);
        }
        self.registers.disable_basic_irqs.set(0xff);
    }

    /// Lets the interrupts of `line` through, for whichever core the local controller routes them
    /// to. One that is pending already comes at once.
    pub fn enable(&self, line: GpuLine) {
        let (index, bit) = line.place();
        match self.registers.enable_irqs.get(index) {
            Some(register) => register.set(bit),
            None => self.registers.enable_basic_irqs.set(bit),
        }
    }

    /// Lets `line` no longer through. One that is on its way to the core may still be taken, and
    /// find nothing pending.
    pub fn disable(&self, line: GpuLine) {
        let (index, bit) = line.place();
        match self.registers.disable_irqs.get(index) {
            Some(register) => register.set(bit),
            None => self.registers.disable_basic_irqs.set(bit),
        }
    }

    /// Whether `line` can be enabled and disabled, so that a controller is there: a hypervisor may
    /// have put memory in its place. The line is disabled afterwards.
    #[must_use]
    pub fn obeys(&self, line: GpuLine) -> bool {
        self.enable(line);
        let was_enabled = self.is_enabled(line);
        self.disable(line);
        was_enabled && !self.is_enabled(line)
    }

    /// Whether `line` is let through, by its bit in an enable register, which reads as what is
    /// enabled.
    #[must_use]
    pub fn is_enabled(&self, line: GpuLine) -> bool {
        let (index, bit) = line.place();
        match self.registers.enable_irqs.get(index) {
            Some(register) => register.get() & bit != 0,
            None => self.registers.enable_basic_irqs.get() & bit != 0,
        }
    }

    /// The interrupts that are pending and enabled. One read, and one more for each of the two
    /// halves of the GPU's interrupts that has some.
    #[must_use]
    pub fn pending(&self) -> GpuPending {
        let basic = self.registers.irq_basic_pending.extract();
        let in_1 = basic.any_matching_bits_set(
            BASIC_PENDING::MORE_1::SET + BASIC_PENDING::REPEATED_1.val(0b1_1111),
        );
        let in_2 = basic.any_matching_bits_set(
            BASIC_PENDING::MORE_2::SET + BASIC_PENDING::REPEATED_2.val(0b11_1111),
        );
        let [pending_1, pending_2] = &self.registers.irq_pending;
        GpuPending([
            if in_1 { pending_1.get() } else { 0 },
            if in_2 { pending_2.get() } else { 0 },
            basic.read(BASIC_PENDING::ARM),
        ])
    }
}

#[cfg(test)]
pub(super) mod device {
    //! The registers of the controller for pending interrupts.

    use crate::drivers::mmio::fake::FakeRegisters;

    /// How bits 8 and 9 of the basic pending register see the repeated interrupts.
    #[derive(Clone, Copy, Debug)]
    pub(in crate::drivers) enum Repeated {
        /// By the manual.
        Hidden,
        /// By QEMU.
        Counted,
    }

    /// BCM2835 ARM Peripherals, page 114: what bits 10 to 20 repeat.
    pub(super) const REPEATED: [u8; 11] = [7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62];

    /// Shows GPU interrupts `gpu` and the ARM block's `basic` as pending.
    pub(in crate::drivers) fn show(
        memory: &FakeRegisters<10>,
        gpu: u64,
        basic: u8,
        repeated: Repeated,
    ) {
        let mut word = u32::from(basic);
        let mut more = gpu;
        for (index, number) in REPEATED.into_iter().enumerate() {
            if gpu & (1 << number) != 0 {
                word |= 1 << (10 + index);
                if let Repeated::Hidden = repeated {
                    more &= !(1 << number);
                }
            }
        }
        word |= u32::from(more as u32 != 0) << 8;
        word |= u32::from(more >> 32 != 0) << 9;
        memory.set(0x00, word);
        memory.set(0x04, gpu as u32);
        memory.set(0x08, (gpu >> 32) as u32);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::device::{REPEATED, Repeated, show};
    use super::{GpuInterrupts, GpuLine};
    use crate::drivers::mmio::fake::FakeRegisters;

    const BOTH: [Repeated; 2] = [Repeated::Hidden, Repeated::Counted];

    fn controller() -> (&'static FakeRegisters<10>, GpuInterrupts) {
        let memory = FakeRegisters::leak();
        (memory, GpuInterrupts::new(memory.view()))
    }

    fn lines(controller: &GpuInterrupts) -> Vec<u8> {
        controller.pending().map(GpuLine::number).collect()
    }

    #[test]
    fn there_are_64_gpu_lines_and_8_basic_ones() {
        assert_eq!(GpuLine::gpu(63).map(GpuLine::number), Some(63));
        assert_eq!(GpuLine::gpu(64), None);
        assert_eq!(GpuLine::basic(0).map(GpuLine::number), Some(64));
        assert_eq!(GpuLine::basic(7).map(GpuLine::number), Some(71));
        assert_eq!(GpuLine::basic(8), None);
    }

    #[test]
    fn disabling_all_writes_every_disable_register_and_the_fiq() {
        let (memory, controller) = controller();
        memory.set(0x0c, 0xb9);
        controller.disable_all();
        assert_eq!(memory.get(0x0c), 0, "FIQ control");
        assert_eq!(memory.get(0x1c), 0xffff_ffff);
        assert_eq!(memory.get(0x20), 0xffff_ffff);
        assert_eq!(memory.get(0x24), 0xff);
        for offset in [0x10, 0x14, 0x18] {
            assert_eq!(memory.get(offset), 0, "nothing is enabled");
        }
    }

    #[test]
    fn a_line_is_enabled_and_disabled_by_one_bit_of_one_register() {
        // The PL011 is GPU interrupt 57: bit 25 of the second registers.
        let table = [
            (GpuLine::gpu(0), 0x10, 0x1c, 0x0000_0001),
            (GpuLine::gpu(3), 0x10, 0x1c, 0x0000_0008),
            (GpuLine::gpu(31), 0x10, 0x1c, 0x8000_0000),
            (GpuLine::gpu(32), 0x14, 0x20, 0x0000_0001),
            (GpuLine::gpu(57), 0x14, 0x20, 0x0200_0000),
            (GpuLine::basic(1), 0x18, 0x24, 0x0000_0002),
            (GpuLine::basic(7), 0x18, 0x24, 0x0000_0080),
        ];
        for (line, enable_at, disable_at, bit) in table {
            let line = line.expect("a line");
            let (memory, controller) = controller();
            controller.enable(line);
            for offset in (0..0x28).step_by(4) {
                let expected = if offset == enable_at { bit } else { 0 };
                assert_eq!(memory.get(offset), expected, "{line:?} at {offset:#x}");
            }
            memory.set(enable_at, 0);
            controller.disable(line);
            for offset in (0..0x28).step_by(4) {
                let expected = if offset == disable_at { bit } else { 0 };
                assert_eq!(memory.get(offset), expected, "{line:?} at {offset:#x}");
            }
        }
    }

    #[test]
    fn every_line_that_is_pending_alone_comes_out_alone() {
        let (memory, controller) = controller();
        for repeated in BOTH {
            for number in 0..64 {
                show(memory, 1 << number, 0, repeated);
                assert_eq!(lines(&controller), [number], "{repeated:?}");
            }
            for number in 0..8 {
                show(memory, 0, 1 << number, repeated);
                assert_eq!(lines(&controller), [64 + number]);
            }
        }
    }

    #[test]
    fn none_is_lost_or_doubled_when_repeated_ones_meet_others() {
        let (memory, controller) = controller();
        let all: Vec<u8> = (0..72).collect();
        for repeated in BOTH {
            show(memory, u64::MAX, 0xff, repeated);
            assert_eq!(lines(&controller), all);
            for number in REPEATED {
                // With one that is not repeated, in the other half.
                let other = (number + 33) % 64 / 32 * 32 + 1;
                show(memory, 1 << number | 1 << other, 0x02, repeated);
                let expected = [number.min(other), number.max(other), 65];
                assert_eq!(lines(&controller), expected, "{repeated:?}");
            }
        }
    }

    #[test]
    fn a_half_that_has_nothing_is_not_read() {
        let (memory, controller) = controller();
        show(memory, 1 << 57, 0, Repeated::Hidden);
        // As if GPU interrupt 3 came after the first read: it shows the next time.
        memory.set(0x04, 1 << 3);
        assert_eq!(lines(&controller), [57]);
        show(memory, 0, 0, Repeated::Hidden);
        assert_eq!(lines(&controller), []);
    }
}
