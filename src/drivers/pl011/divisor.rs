//! The baud rate divisor of the UART's clock.
//!
//! # Decisions
//!
//! There is no check of the rate's error. A divisor of 64 or more 64ths, rounded to the nearest, is
//! off by at most 0.79 %, which is within the 1.5 % that eight-bit frames bear; smaller ones are
//! refused.
#![forbid(unsafe_code)]

use core::fmt;

/// The divisor of the UART's clock that gives 16 times the bit rate, in 64ths.
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
        /// The rate of the UART's clock, in Hz.
        clock_hz: u32,
        /// The rate in bits a second.
        baud: u32,
    },
    /// The clock would have to be divided by more than 65535; so it is for a rate of 0.
    ClockTooFast {
        /// The rate of the UART's clock, in Hz.
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

    /// The whole part, 1 to 65535, for IBRD: 26 of 26.04 (48 MHz, 115200 bit/s; DDI 0183 3.3.6).
    #[must_use]
    pub const fn integer(self) -> u32 {
        self.sixty_fourths / 64
    }

    /// The rest in 64ths, 0 to 63, for FBRD: 3 of 26.04.
    #[must_use]
    pub const fn fraction(self) -> u32 {
        self.sixty_fourths % 64
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::{BaudError, Divisor};

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
}
