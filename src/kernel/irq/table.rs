//! Interrupts: who has which, and how many came.
//!
//! Numbers are 0 to `N` of whatever space the caller has; nothing here knows a controller. An
//! [`IrqTable`] says what to call for a number. [`IrqCounts`] counts, also what was in vain: an
//! interrupt with nothing pending is *spurious*; one that is pending and registered by nobody is
//! *unhandled*, and is to be masked and reported, once.
//!
//! # Decisions
//!
//! - The table changes by `&mut` and is read by `&`: the handler's path is one indexed load, and
//!   takes no lock. So who changes it must have it alone: before the cores share it, or a table for
//!   each core that changes only with that core's interrupts masked. A table of atomics would let
//!   it change under the handlers, but a handler would have to be a number.
//! - Each count is written by one core only, in its interrupt path, which does not interrupt itself.
//!   So a load and a store are enough, without exclusives; another core that reads it sees a value
//!   that it had a moment ago.
//! - Numbers and cores come from the kernel's own decoding, so in the counting path one that is too
//!   large is a broken invariant. In registration it is an error.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Why an interrupt was not registered, or not given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IrqError {
    /// There is no such interrupt.
    OutOfRange {
        /// The number.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// Somebody else has it.
    Taken {
        /// The number.
        number: usize,
        /// Who has it.
        owner: &'static str,
    },
    /// Nobody has it.
    NotRegistered {
        /// The number.
        number: usize,
    },
}

impl fmt::Display for IrqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { number, count } => {
                write!(
                    f,
                    "interrupt {number} is not one of the {count} that there are"
                )
            }
            Self::Taken { number, owner } => write!(f, "interrupt {number} belongs to {owner}"),
            Self::NotRegistered { number } => write!(f, "interrupt {number} belongs to nobody"),
        }
    }
}

impl core::error::Error for IrqError {}

/// What was registered for an interrupt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Registration<H> {
    /// Who has it.
    pub owner: &'static str,
    /// What to call.
    pub handler: H,
}

/// For each of `N` interrupts who has it.
#[derive(Debug)]
pub struct IrqTable<H, const N: usize> {
    entries: [Option<Registration<H>>; N],
}

impl<H: Copy, const N: usize> IrqTable<H, N> {
    /// Nobody has any.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: [None; N] }
    }

    /// Gives interrupt `number` to `owner`.
    ///
    /// # Errors
    /// [`IrqError::OutOfRange`] if there is none; [`IrqError::Taken`] if anybody has it, `owner`
    /// included.
    pub fn register(
        &mut self,
        number: usize,
        owner: &'static str,
        handler: H,
    ) -> Result<(), IrqError> {
        let entry = self.entry(number)?;
        if let Some(Registration { owner, .. }) = *entry {
            return Err(IrqError::Taken { number, owner });
        }
        *entry = Some(Registration { owner, handler });
        Ok(())
    }

    /// Takes interrupt `number` from `owner`, and returns its handler.
    ///
    /// # Errors
    /// [`IrqError::OutOfRange`] if there is none; [`IrqError::Taken`] if somebody else has it;
    /// [`IrqError::NotRegistered`] if nobody has it.
    pub fn unregister(&mut self, number: usize, owner: &'static str) -> Result<H, IrqError> {
        let entry = self.entry(number)?;
        let registered = entry.ok_or(IrqError::NotRegistered { number })?;
        if registered.owner != owner {
            return Err(IrqError::Taken {
                number,
                owner: registered.owner,
            });
        }
        *entry = None;
        Ok(registered.handler)
    }

    /// Who has interrupt `number`; `None` if nobody, or if there is none.
    #[inline]
    #[must_use]
    pub fn get(&self, number: usize) -> Option<Registration<H>> {
        *self.entries.get(number)?
    }

    fn entry(&mut self, number: usize) -> Result<&mut Option<Registration<H>>, IrqError> {
        let error = IrqError::OutOfRange { number, count: N };
        self.entries.get_mut(number).ok_or(error)
    }
}

impl<H: Copy, const N: usize> Default for IrqTable<H, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether an unhandled interrupt has been reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unhandled {
    /// It is the first on this core: mask it and report it.
    First,
    /// It was reported: mask it.
    Again,
}

/// How many of each of `N` interrupts came to each of `CORES` cores since the start.
///
/// What takes a `core` and counts is for that core alone, with its interrupts masked. All methods
/// panic if there is no such core or number.
#[derive(Debug)]
pub struct IrqCounts<const CORES: usize, const N: usize> {
    cores: [CoreCounts<N>; CORES],
}

#[derive(Debug)]
struct CoreCounts<const N: usize> {
    handled: [AtomicU64; N],
    reported: [AtomicBool; N],
    unhandled: AtomicU64,
    spurious: AtomicU64,
}

impl<const CORES: usize, const N: usize> IrqCounts<CORES, N> {
    /// None came.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cores: [const {
                CoreCounts {
                    handled: [const { AtomicU64::new(0) }; N],
                    reported: [const { AtomicBool::new(false) }; N],
                    unhandled: AtomicU64::new(0),
                    spurious: AtomicU64::new(0),
                }
            }; CORES],
        }
    }

    /// Counts an interrupt that somebody has.
    #[inline]
    pub fn count_handled(&self, core: usize, number: usize) {
        increment(&self.cores[core].handled[number]);
    }

    /// Counts one that is pending and that nobody has.
    #[must_use]
    pub fn count_unhandled(&self, core: usize, number: usize) -> Unhandled {
        let counts = &self.cores[core];
        let reported = &counts.reported[number];
        increment(&counts.unhandled);
        if reported.load(Ordering::Relaxed) {
            return Unhandled::Again;
        }
        reported.store(true, Ordering::Relaxed);
        Unhandled::First
    }

    /// Counts an interrupt with nothing pending.
    pub fn count_spurious(&self, core: usize) {
        increment(&self.cores[core].spurious);
    }

    /// How many of `number` came to `core` and were handled.
    #[must_use]
    pub fn handled(&self, core: usize, number: usize) -> u64 {
        self.cores[core].handled[number].load(Ordering::Relaxed)
    }

    /// How many came to `core` that nobody had.
    #[must_use]
    pub fn unhandled(&self, core: usize) -> u64 {
        self.cores[core].unhandled.load(Ordering::Relaxed)
    }

    /// How often `core` was interrupted with nothing pending.
    #[must_use]
    pub fn spurious(&self, core: usize) -> u64 {
        self.cores[core].spurious.load(Ordering::Relaxed)
    }
}

impl<const CORES: usize, const N: usize> Default for IrqCounts<CORES, N> {
    fn default() -> Self {
        Self::new()
    }
}

/// One more, by the only writer.
fn increment(count: &AtomicU64) {
    let old = count.load(Ordering::Relaxed);
    count.store(old.wrapping_add(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{IrqCounts, IrqError, IrqTable, Registration, Unhandled};
    use crate::kernel::random::Random;
    use std::string::ToString;
    use std::thread;
    use std::vec::Vec;

    const NUMBERS: usize = 76;
    const CORES: usize = 4;

    type Handler = fn(usize) -> usize;

    fn double(number: usize) -> usize {
        2 * number
    }

    fn identity(number: usize) -> usize {
        number
    }

    #[test]
    fn what_was_registered_is_called() {
        let mut table: IrqTable<Handler, NUMBERS> = IrqTable::new();
        table.register(57, "uart0", double).expect("free");
        table.register(1, "timer", identity).expect("free");
        let called: Vec<Option<usize>> = [57, 1, 2, NUMBERS, usize::MAX]
            .into_iter()
            .map(|number| table.get(number).map(|entry| (entry.handler)(number)))
            .collect();
        assert_eq!(called, [Some(114), Some(1), None, None, None]);
        assert_eq!(table.get(57).map(|entry| entry.owner), Some("uart0"));
    }

    #[test]
    fn an_interrupt_has_one_owner_and_only_the_owner_gives_it_up() {
        let mut table: IrqTable<u8, NUMBERS> = IrqTable::default();
        let taken = Err(IrqError::Taken {
            number: 9,
            owner: "mailbox",
        });
        assert_eq!(table.register(9, "mailbox", 1), Ok(()));
        assert_eq!(table.register(9, "usb", 2), taken);
        assert_eq!(table.register(9, "mailbox", 2), taken);
        assert_eq!(table.unregister(9, "usb").map(|_| ()), taken);
        let kept = Registration {
            owner: "mailbox",
            handler: 1,
        };
        assert_eq!(table.get(9), Some(kept));
        assert_eq!(table.unregister(9, "mailbox"), Ok(1));
        let nobody = Err(IrqError::NotRegistered { number: 9 });
        assert_eq!(table.unregister(9, "mailbox"), nobody);
        assert_eq!(table.register(9, "usb", 2), Ok(()));
    }

    #[test]
    fn numbers_that_there_are_not_are_refused() {
        let mut table: IrqTable<u8, NUMBERS> = IrqTable::new();
        for number in [NUMBERS, NUMBERS + 1, usize::MAX] {
            let count = NUMBERS;
            let error = IrqError::OutOfRange { number, count };
            assert_eq!(table.register(number, "nobody", 0), Err(error));
            assert_eq!(table.unregister(number, "nobody"), Err(error));
        }
        assert_eq!(table.register(NUMBERS - 1, "last", 0), Ok(()));
    }

    #[test]
    fn errors_name_the_interrupt_and_its_owner() {
        let texts = [
            IrqError::OutOfRange {
                number: 80,
                count: 76,
            },
            IrqError::OutOfRange {
                number: 0,
                count: 0,
            },
            IrqError::Taken {
                number: 57,
                owner: "uart0",
            },
            IrqError::NotRegistered { number: 3 },
        ]
        .map(|error| error.to_string());
        assert_eq!(
            texts,
            [
                "interrupt 80 is not one of the 76 that there are",
                "interrupt 0 is not one of the 0 that there are",
                "interrupt 57 belongs to uart0",
                "interrupt 3 belongs to nobody",
            ]
        );
    }

    #[test]
    fn four_cores_at_once_lose_no_count() {
        let counts: IrqCounts<CORES, NUMBERS> = IrqCounts::new();
        let expected: Vec<Vec<u64>> = thread::scope(|scope| {
            let cores: Vec<_> = (0..CORES)
                .map(|core| {
                    let counts = &counts;
                    scope.spawn(move || {
                        let mut random = Random(0x5717_0000_0000_0050 + core as u64);
                        let mut seen = std::vec![0; NUMBERS + 1];
                        for _ in 0..50_000 {
                            let number = random.index(NUMBERS + 1);
                            seen[number] += 1;
                            if number < NUMBERS {
                                counts.count_handled(core, number);
                            } else {
                                counts.count_spurious(core);
                            }
                        }
                        seen
                    })
                })
                .collect();
            cores
                .into_iter()
                .map(|core| core.join().expect("no core fails"))
                .collect()
        });
        for (core, seen) in expected.iter().enumerate() {
            for (number, count) in seen[..NUMBERS].iter().enumerate() {
                assert_eq!(counts.handled(core, number), *count);
            }
            assert_eq!(counts.spurious(core), seen[NUMBERS]);
            assert_eq!(counts.unhandled(core), 0);
        }
    }

    #[test]
    fn an_unhandled_interrupt_is_reported_once_on_each_core() {
        let counts: IrqCounts<CORES, NUMBERS> = IrqCounts::default();
        for core in 0..CORES {
            for number in [0, 40, NUMBERS - 1] {
                assert_eq!(counts.count_unhandled(core, number), Unhandled::First);
                assert_eq!(counts.count_unhandled(core, number), Unhandled::Again);
                assert_eq!(counts.handled(core, number), 0);
            }
            assert_eq!(counts.unhandled(core), 6);
        }
    }
}
