//! The PL011 UART: eight bits, no parity, one stop bit, both queues on.
//!
//! Arm PrimeCell UART (PL011), DDI 0183: chapter 3 has the registers, in this order and with these
//! names. Owns the divisor arithmetic and the order in which the device is set up. Uses no
//! interrupt.
//!
//! Every method takes `&self` and none takes a lock: a panic can print through a [`Pl011`] of its
//! own. Who wants whole lines from several cores puts a lock around it; [`Pl011::init`] needs a
//! sole caller.
//!
//! # Decisions
//!
//! - All waits are bounded by a number of polls. A UART that is switched off or whose clock stands
//!   never drains, and a console must not take the kernel down with it.
//! - There is no check of the rate's error. A divisor of 64 or more 64ths, rounded to the nearest,
//!   is off by at most 0.79 %, which is within the 1.5 % that eight-bit frames bear; smaller ones
//!   are refused.
#![forbid(unsafe_code)]

use core::fmt;

use bitflags::bitflags;
use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

use super::mmio::Mmio;

register_bitfields! { u32,
    /// Data register.
    DR [
        DATA OFFSET(0) NUMBITS(8) [],
        FE OFFSET(8) NUMBITS(1) [],
        PE OFFSET(9) NUMBITS(1) [],
        BE OFFSET(10) NUMBITS(1) [],
        OE OFFSET(11) NUMBITS(1) [],
    ],
    /// Flag register.
    FR [
        BUSY OFFSET(3) NUMBITS(1) [],
        RXFE OFFSET(4) NUMBITS(1) [],
        TXFF OFFSET(5) NUMBITS(1) [],
    ],
    /// Integer baud rate register.
    IBRD [
        BAUD_DIVINT OFFSET(0) NUMBITS(16) [],
    ],
    /// Fractional baud rate register.
    FBRD [
        BAUD_DIVFRAC OFFSET(0) NUMBITS(6) [],
    ],
    /// Line control register.
    LCR_H [
        FEN OFFSET(4) NUMBITS(1) [],
        WLEN OFFSET(5) NUMBITS(2) [
            EightBits = 0b11,
        ],
    ],
    /// Control register.
    CR [
        UARTEN OFFSET(0) NUMBITS(1) [],
        TXE OFFSET(8) NUMBITS(1) [],
        RXE OFFSET(9) NUMBITS(1) [],
    ],
    /// Interrupt clear register.
    ICR [
        ALL OFFSET(0) NUMBITS(11) [],
    ],
}

register_structs! {
    /// The PL011's registers up to DMACR; the identification registers at 0xFE0 are not needed.
    pub Registers {
        (0x00 => dr: ReadWrite<u32, DR::Register>),
        (0x04 => rsr_ecr: ReadWrite<u32>),
        (0x08 => _reserved0),
        (0x18 => fr: ReadOnly<u32, FR::Register>),
        (0x1c => _reserved1),
        (0x20 => ilpr: ReadWrite<u32>),
        (0x24 => ibrd: ReadWrite<u32, IBRD::Register>),
        (0x28 => fbrd: ReadWrite<u32, FBRD::Register>),
        (0x2c => lcr_h: ReadWrite<u32, LCR_H::Register>),
        (0x30 => cr: ReadWrite<u32, CR::Register>),
        (0x34 => ifls: ReadWrite<u32>),
        (0x38 => imsc: ReadWrite<u32>),
        (0x3c => ris: ReadOnly<u32>),
        (0x40 => mis: ReadOnly<u32>),
        (0x44 => icr: WriteOnly<u32, ICR::Register>),
        (0x48 => dmacr: ReadWrite<u32>),
        (0x4c => @END),
    }
}

/// Polls after which a transmitter that does not drain is given up: far more than the 17 frames
/// of a full queue take, some 10 ms of polling and more.
const DRAIN_POLLS: u32 = 200_000;

/// What to divide the UART clock by to get 16 times the bit rate, in 64ths.
///
/// # Invariants
///
/// From 64 (1, 0/64) to 65535 * 64 (65535, 0/64): what DDI 0183 section 3.3.6 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    sixty_fourths: u32,
}

/// Why there is no divisor. Both carry what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaudError {
    /// The clock has fewer than the 16 periods a bit that the receiver samples.
    ClockTooSlow {
        /// The UART clock.
        clock_hz: u32,
        /// The rate in bits a second.
        baud: u32,
    },
    /// The clock would have to be divided by more than 65535; so it is for a rate of 0.
    ClockTooFast {
        /// The UART clock.
        clock_hz: u32,
        /// The rate in bits a second.
        baud: u32,
    },
}

impl fmt::Display for BaudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (adjective, clock_hz, baud) = match *self {
            Self::ClockTooSlow { clock_hz, baud } => ("slow", clock_hz, baud),
            Self::ClockTooFast { clock_hz, baud } => ("fast", clock_hz, baud),
        };
        write!(
            f,
            "a UART clock of {clock_hz} Hz is too {adjective} for {baud} baud"
        )
    }
}

impl core::error::Error for BaudError {}

impl Divisor {
    const MIN: u64 = 64;
    const MAX: u64 = 65535 * 64;

    /// The divisor nearest to `clock_hz / (16 * baud)`.
    ///
    /// # Errors
    ///
    /// [`BaudError`] if that is below 1 or above 65535.
    pub const fn for_baud(clock_hz: u32, baud: u32) -> Result<Self, BaudError> {
        if baud == 0 {
            return Err(BaudError::ClockTooFast { clock_hz, baud });
        }
        // clock / (16 * baud), in 64ths: 4 * clock / baud. Adding half a divisor first rounds.
        let sixty_fourths = (4 * clock_hz as u64 + baud as u64 / 2) / baud as u64;
        if sixty_fourths < Self::MIN {
            Err(BaudError::ClockTooSlow { clock_hz, baud })
        } else if sixty_fourths > Self::MAX {
            Err(BaudError::ClockTooFast { clock_hz, baud })
        } else {
            Ok(Self {
                sixty_fourths: sixty_fourths as u32,
            })
        }
    }

    /// The whole part, for IBRD.
    #[must_use]
    pub const fn integer(self) -> u32 {
        self.sixty_fourths / 64
    }

    /// The rest in 64ths, for FBRD.
    #[must_use]
    pub const fn fraction(self) -> u32 {
        self.sixty_fourths % 64
    }
}

bitflags! {
    /// What went wrong while a byte came in: DR bits 11 to 8, moved down.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct LineErrors: u8 {
        /// No stop bit where one was due: the other side's rate or format differs.
        const FRAMING = 1 << 0;
        /// Wrong parity.
        const PARITY = 1 << 1;
        /// The line was held low for longer than a frame.
        const BREAK = 1 << 2;
        /// The queue was full: bytes before this one are lost.
        const OVERRUN = 1 << 3;
    }
}

/// A byte that came in with errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveError {
    /// What was received: right if [`LineErrors::OVERRUN`] is the only error, 0 for a break.
    pub byte: u8,
    /// Never empty.
    pub errors: LineErrors,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "received {:#04x} with", self.byte)?;
        self.errors
            .iter_names()
            .try_for_each(|(name, _)| write!(f, " {name}"))
    }
}

impl core::error::Error for ReceiveError {}

/// What became of a byte to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Transmit {
    /// It is in the queue.
    Queued,
    /// There was no room: it is not sent.
    Full,
}

/// A PL011.
#[derive(Clone, Copy, Debug)]
pub struct Pl011 {
    registers: Mmio<Registers>,
}

impl Pl011 {
    /// Drives the UART behind `registers`, which may already be running.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Sets the UART up from whatever state a loader left it in, after what is still being sent.
    ///
    /// All whole values: the reset values of these registers say nothing worth keeping.
    pub fn init(&self, divisor: Divisor) {
        self.wait_idle();
        let registers = &self.registers;
        registers.cr.set(0);
        // Switching the queues off empties them.
        registers.lcr_h.set(0);
        registers.icr.write(ICR::ALL.val(0x7ff));
        registers
            .ibrd
            .write(IBRD::BAUD_DIVINT.val(divisor.integer()));
        registers
            .fbrd
            .write(FBRD::BAUD_DIVFRAC.val(divisor.fraction()));
        // Last of the three: the three are one register inside, loaded by a write to this one.
        registers
            .lcr_h
            .write(LCR_H::WLEN::EightBits + LCR_H::FEN::SET);
        registers.imsc.set(0);
        registers
            .cr
            .write(CR::UARTEN::SET + CR::TXE::SET + CR::RXE::SET);
    }

    /// The next byte that came in, if there is one.
    #[must_use]
    pub fn try_read(&self) -> Option<Result<u8, ReceiveError>> {
        if self.registers.fr.is_set(FR::RXFE) {
            return None;
        }
        let data = self.registers.dr.extract();
        let byte = data.read(DR::DATA) as u8;
        let errors = LineErrors::from_bits_truncate((data.get() >> 8) as u8);
        Some(if errors.is_empty() {
            Ok(byte)
        } else {
            Err(ReceiveError { byte, errors })
        })
    }

    /// Queues `byte` if there is room.
    pub fn try_write(&self, byte: u8) -> Transmit {
        if self.registers.fr.is_set(FR::TXFF) {
            return Transmit::Full;
        }
        self.registers.dr.write(DR::DATA.val(byte.into()));
        Transmit::Queued
    }

    /// Queues `byte` as soon as there is room. [`Transmit::Full`] only if the UART does not send at
    /// all.
    pub fn write_blocking(&self, byte: u8) -> Transmit {
        for _ in 0..DRAIN_POLLS {
            if self.try_write(byte) == Transmit::Queued {
                return Transmit::Queued;
            }
        }
        Transmit::Full
    }

    /// Whether everything is sent, to the last stop bit.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.registers.fr.is_set(FR::BUSY)
    }

    /// Waits until everything is sent, or until it is clear that it never will be.
    pub fn wait_idle(&self) {
        for _ in 0..DRAIN_POLLS {
            if self.is_idle() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::{BaudError, Divisor, LineErrors, Pl011, ReceiveError, Transmit};
    use crate::drivers::mmio::fake::FakeRegisters;

    const DR: usize = 0x00;
    const FR: usize = 0x18;
    const BUSY: u32 = 1 << 3;
    const RXFE: u32 = 1 << 4;
    const TXFF: u32 = 1 << 5;

    fn uart() -> (&'static FakeRegisters<19>, Pl011) {
        let memory = FakeRegisters::leak();
        (memory, Pl011::new(memory.view()))
    }

    #[track_caller]
    fn assert_divisor(clock_hz: u32, baud: u32, integer: u32, fraction: u32) {
        let divisor = Divisor::for_baud(clock_hz, baud).expect("a divisor");
        assert_eq!((divisor.integer(), divisor.fraction()), (integer, fraction));
    }

    #[test]
    fn divisors_are_those_worked_out_by_hand() {
        // 48 MHz / (16 * 115200) = 26.0417; 0.0417 * 64 = 2.67.
        assert_divisor(48_000_000, 115_200, 26, 3);
        // 3 MHz (QEMU): 1.6276; 0.6276 * 64 = 40.2.
        assert_divisor(3_000_000, 115_200, 1, 40);
        // 1 GHz: 542.5347; 34.2.
        assert_divisor(1_000_000_000, 115_200, 542, 34);
        // 48 MHz at 921600: 3.2552; 16.3.
        assert_divisor(48_000_000, 921_600, 3, 16);
        // DDI 0183 section 3.3.6: 4 MHz at 230400 is 1 and 5/64.
        assert_divisor(4_000_000, 230_400, 1, 5);
        // A fraction that rounds up to a whole: 1.9961 is 127.75 64ths.
        assert_divisor(3_066_000, 96_000, 2, 0);
    }

    #[test]
    fn a_clock_that_cannot_make_the_rate_is_refused_with_its_values() {
        assert_eq!(
            Divisor::for_baud(3_000_000, 921_600),
            Err(BaudError::ClockTooSlow {
                clock_hz: 3_000_000,
                baud: 921_600
            })
        );
        assert_eq!(
            Divisor::for_baud(0, 115_200),
            Err(BaudError::ClockTooSlow {
                clock_hz: 0,
                baud: 115_200
            })
        );
        assert_eq!(
            Divisor::for_baud(48_000_000, 0),
            Err(BaudError::ClockTooFast {
                clock_hz: 48_000_000,
                baud: 0
            })
        );
        assert_eq!(
            format!(
                "{}",
                BaudError::ClockTooSlow {
                    clock_hz: 3,
                    baud: 9
                }
            ),
            "a UART clock of 3 Hz is too slow for 9 baud"
        );
    }

    #[test]
    fn at_the_largest_whole_part_the_fraction_is_zero() {
        // 65535 * 16 * 16 baud. A 64th more would need FBRD = 1, which the manual forbids; half of
        // one, 2 Hz here, rounds to it.
        assert_divisor(16_776_960, 16, 65535, 0);
        assert_divisor(16_776_961, 16, 65535, 0);
        let (clock_hz, baud) = (16_776_962, 16);
        let too_fast = BaudError::ClockTooFast { clock_hz, baud };
        assert_eq!(Divisor::for_baud(clock_hz, baud), Err(too_fast));
        // The smallest divisor is 1, and 63.5 64ths round to it.
        assert_divisor(16 * 9600 - 1200, 9600, 1, 0);
        assert_divisor(16 * 9600, 9600, 1, 0);
        assert!(Divisor::for_baud(16 * 9600 - 1300, 9600).is_err());
    }

    #[test]
    fn no_accepted_rate_is_off_by_more_than_one_and_a_half_percent() {
        for clock_hz in (500_000..1_000_000_000_u32).step_by(999_983) {
            for baud in [50, 9600, 115_200, 230_400, 460_800, 921_600, 3_000_000] {
                if let Ok(divisor) = Divisor::for_baud(clock_hz, baud) {
                    let sixty_fourths = u64::from(divisor.integer() * 64 + divisor.fraction());
                    let wanted = 4 * u64::from(clock_hz);
                    let got = sixty_fourths * u64::from(baud);
                    assert!(
                        wanted.abs_diff(got) * 1000 <= wanted * 15,
                        "{clock_hz} {baud}"
                    );
                }
            }
        }
    }

    #[test]
    fn init_leaves_the_documented_values_whatever_was_there() {
        let (memory, uart) = uart();
        for offset in (0x04..0x4c).step_by(4).filter(|offset| *offset != FR) {
            memory.set(offset, 0xffff_ffff);
        }
        uart.init(Divisor::for_baud(48_000_000, 115_200).expect("a divisor"));
        assert_eq!(memory.get(0x24), 26, "IBRD");
        assert_eq!(memory.get(0x28), 3, "FBRD");
        assert_eq!(memory.get(0x2c), 0b111 << 4, "LCRH: FEN, WLEN = 8 bits");
        assert_eq!(memory.get(0x30), 0x301, "CR: RXE, TXE, UARTEN");
        assert_eq!(memory.get(0x38), 0, "IMSC");
        assert_eq!(memory.get(0x44), 0x7ff, "ICR");
    }

    #[test]
    fn a_transmitter_that_never_drains_does_not_stop_the_kernel() {
        let (memory, uart) = uart();
        memory.set(FR, BUSY | TXFF);
        uart.init(Divisor::for_baud(48_000_000, 115_200).expect("a divisor"));
        assert_eq!(memory.get(0x30), 0x301);
        assert_eq!(uart.write_blocking(b'x'), Transmit::Full);
        assert_eq!(memory.get(DR), 0);
        assert!(!uart.is_idle());
    }

    #[test]
    fn a_byte_is_written_only_where_there_is_room() {
        let (memory, uart) = uart();
        assert_eq!(uart.try_write(b'a'), Transmit::Queued);
        assert_eq!(memory.get(DR), u32::from(b'a'));
        memory.set(FR, TXFF);
        assert_eq!(uart.try_write(b'b'), Transmit::Full);
        assert_eq!(memory.get(DR), u32::from(b'a'));
    }

    #[test]
    fn a_byte_with_errors_is_never_taken_for_a_good_one() {
        let (memory, uart) = uart();
        memory.set(DR, 0x041);
        assert_eq!(uart.try_read(), Some(Ok(b'A')));
        for (bit, errors) in [
            (8, LineErrors::FRAMING),
            (9, LineErrors::PARITY),
            (10, LineErrors::BREAK),
            (11, LineErrors::OVERRUN),
        ] {
            memory.set(DR, 0x041 | 1 << bit);
            let error = ReceiveError { byte: b'A', errors };
            assert_eq!(uart.try_read(), Some(Err(error)));
        }
        memory.set(FR, RXFE);
        assert_eq!(uart.try_read(), None);
    }
}
