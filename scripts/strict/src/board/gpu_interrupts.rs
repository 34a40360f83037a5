//! The interrupt controller of the GPU's 64 interrupts and the ARM block's 8.
//!
//! BCM2835 ARM Peripherals 7.5, offsets from its first register (0x200 in the manual). Its IRQ and
//! FIQ are one line each into the local block. Its inputs are levels: a device's, at that moment.

use super::options::{Kind, Lines};
use super::peripheral::Refused;

const BASIC_PENDING: u32 = 0x00;
const PENDING_1: u32 = 0x04;
const PENDING_2: u32 = 0x08;
const FIQ_CONTROL: u32 = 0x0c;
const ENABLE_1: u32 = 0x10;
const ENABLE_2: u32 = 0x14;
const ENABLE_BASIC: u32 = 0x18;
const DISABLE_1: u32 = 0x1c;
const DISABLE_2: u32 = 0x20;
const DISABLE_BASIC: u32 = 0x24;

const FIQ_ENABLE: u32 = 1 << 7;

/// GPU interrupts that bits 10 to 20 of the basic pending register repeat (page 113).
const REPEATED: [u32; 11] = [7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62];

/// The inputs: bit `n` is GPU interrupt `n`, or bit `n` of the basic pending register.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Inputs {
    pub(super) gpu: u64,
    pub(super) basic: u32,
}

#[derive(Clone, Debug)]
pub(super) struct GpuInterrupts {
    kind: Kind,
    enabled: Inputs,
    fiq: u32,
}

impl GpuInterrupts {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            enabled: Inputs::default(),
            fiq: 0,
        }
    }

    /// The lines into the local block.
    pub(super) fn lines(&self, inputs: Inputs) -> Lines {
        let pending = self.pending(inputs);
        let source = self.fiq & 0x7f;
        let raised = match source {
            0..64 => inputs.gpu >> source & 1 != 0,
            64..72 => inputs.basic >> (source - 64) & 1 != 0,
            _ => false,
        };
        Lines {
            irq: pending.gpu != 0 || pending.basic != 0,
            fiq: raised && self.fiq & FIQ_ENABLE != 0,
        }
    }

    pub(super) fn read(&self, offset: u32, inputs: Inputs) -> Result<u32, Refused> {
        let pending = self.pending(inputs);
        // The manual gives no value for the disable registers; QEMU's is the complement.
        let disabled = |enabled: u32| match self.kind {
            Kind::Qemu => !enabled,
            Kind::Board => enabled,
        };
        Ok(match offset {
            BASIC_PENDING => self.basic_pending(pending),
            PENDING_1 => low(pending.gpu),
            PENDING_2 => high(pending.gpu),
            FIQ_CONTROL => self.fiq,
            ENABLE_1 => low(self.enabled.gpu),
            ENABLE_2 => high(self.enabled.gpu),
            ENABLE_BASIC => self.enabled.basic,
            DISABLE_1 => disabled(low(self.enabled.gpu)),
            DISABLE_2 => disabled(high(self.enabled.gpu)),
            DISABLE_BASIC => disabled(self.enabled.basic),
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Result<(), Refused> {
        let (word, upper) = (u64::from(value), u64::from(value) << 32);
        match offset {
            FIQ_CONTROL => self.fiq = value & 0xff,
            ENABLE_1 => self.enabled.gpu |= word,
            ENABLE_2 => self.enabled.gpu |= upper,
            ENABLE_BASIC => self.enabled.basic |= value & 0xff,
            DISABLE_1 => self.enabled.gpu &= !word,
            DISABLE_2 => self.enabled.gpu &= !upper,
            DISABLE_BASIC => self.enabled.basic &= !value,
            // Read-only.
            BASIC_PENDING | PENDING_1 | PENDING_2 => {}
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    fn pending(&self, inputs: Inputs) -> Inputs {
        Inputs {
            gpu: inputs.gpu & self.enabled.gpu,
            basic: inputs.basic & self.enabled.basic,
        }
    }

    /// Bits 8 and 9 say that pending 1 and 2 have others than the repeated ones; QEMU's say that
    /// they have any.
    fn basic_pending(&self, pending: Inputs) -> u32 {
        let mut repeated = 0;
        let mut others = pending.gpu;
        for (bit, source) in (10..).zip(REPEATED) {
            repeated |= ((pending.gpu >> source & 1) as u32) << bit;
            if self.kind == Kind::Board {
                others &= !(1 << source);
            }
        }
        let more = u32::from(low(others) != 0) << 8 | u32::from(high(others) != 0) << 9;
        pending.basic | more | repeated
    }
}

fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::{GpuInterrupts, Inputs};
    use crate::board::options::{Kind, Lines};

    const UART: Inputs = Inputs {
        gpu: 1 << 57,
        basic: 0,
    };

    #[test]
    fn an_enabled_interrupt_is_pending_and_a_repeated_one_counts_once() {
        for (kind, basic) in [(Kind::Board, 1 << 19), (Kind::Qemu, 1 << 19 | 1 << 9)] {
            let mut controller = GpuInterrupts::new(kind);
            assert_eq!(controller.lines(UART), Lines::default());
            // 57 is bit 25 of the second word, and the tenth of those repeated.
            controller.write(0x14, 1 << 25).expect("enable 2");
            assert!(controller.lines(UART).irq);
            assert_eq!(controller.read(0x08, UART), Ok(1 << 25));
            assert_eq!(controller.read(0x00, UART), Ok(basic));
            controller.write(0x20, 1 << 25).expect("disable 2");
            assert_eq!(controller.lines(UART), Lines::default());
        }
    }

    #[test]
    fn the_fiq_takes_one_source_and_needs_no_enable() {
        let mut controller = GpuInterrupts::new(Kind::Board);
        controller.write(0x0c, 0x80 | 57).expect("FIQ control");
        let fiq = Lines {
            irq: false,
            fiq: true,
        };
        assert_eq!(controller.lines(UART), fiq);
        controller.write(0x0c, 0x80 | 65).expect("FIQ control");
        let mailbox = Inputs { gpu: 0, basic: 2 };
        assert_eq!(controller.lines(mailbox), fiq);
        controller.write(0x0c, 0xff).expect("FIQ control");
        assert_eq!(controller.lines(mailbox), Lines::default());
    }

    /// As QEMU 7.2's raspi3b does: seen there.
    #[test]
    fn qemus_disable_registers_read_as_the_complement() {
        let mut controller = GpuInterrupts::new(Kind::Qemu);
        controller.write(0x18, u32::MAX).expect("enable basic");
        let read = |offset| controller.read(offset, Inputs::default());
        assert_eq!(read(0x18), Ok(0xff));
        assert_eq!(read(0x24), Ok(0xffff_ff00));
        assert_eq!(read(0x1c), Ok(u32::MAX));
    }
}
