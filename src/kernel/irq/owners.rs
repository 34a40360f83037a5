//! The owner of each interrupt.
//!
//! Numbers are 0 to `N` of whatever space the caller has; nothing here knows a controller. What an
//! interrupt calls is kept apart ([`handlers`](super::handlers)), where cores read it without a
//! lock.
#![forbid(unsafe_code)]

use core::fmt;

/// Why an interrupt was not registered, or not given up. Nothing has changed, but for
/// [`IrqError::StillServed`]: the interrupt is masked, and its handler not called again.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum IrqError {
    /// There is no such interrupt.
    OutOfRange {
        /// The interrupt's number.
        number: usize,
        /// How many there are.
        count: usize,
    },
    /// Another owner has it.
    Taken {
        /// The interrupt's number.
        number: usize,
        /// The owner that has it.
        owner: &'static str,
    },
    /// It has no owner.
    NotRegistered {
        /// The interrupt's number.
        number: usize,
    },
    /// Another core is giving it up just now.
    Leaving {
        /// The interrupt's number.
        number: usize,
    },
    /// Its handler has not returned in time; the owner has it still, and may try again.
    StillServed {
        /// The interrupt's number.
        number: usize,
        /// The core that serves it.
        core: usize,
    },
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is a kilobyte of the
/// image.
impl fmt::Debug for IrqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
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
            Self::Leaving { number } => write!(f, "interrupt {number} is being given up"),
            Self::StillServed { number, core } => {
                write!(
                    f,
                    "the handler of interrupt {number} does not return on core {core}"
                )
            }
        }
    }
}

impl core::error::Error for IrqError {}

/// The owner of one interrupt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum IrqOwner {
    Nobody,
    Has(&'static str),
    /// It gives the interrupt up, and waits for handlers that run.
    Leaves(&'static str),
}

/// The owner of each of `N` interrupts: a name, compared as text. An owner that gives its interrupt
/// up has it until [`IrqOwners::remove`].
#[derive(Debug)]
pub struct IrqOwners<const N: usize> {
    owners: [IrqOwner; N],
}

impl<const N: usize> IrqOwners<N> {
    /// No interrupt has an owner.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            owners: [IrqOwner::Nobody; N],
        }
    }

    /// Gives interrupt `number` to `owner`.
    ///
    /// # Errors
    /// [`IrqError::OutOfRange`] if there is none; [`IrqError::Taken`] if anybody has it, `owner`
    /// included.
    pub fn add(&mut self, number: usize, owner: &'static str) -> Result<(), IrqError> {
        let entry = self.entry(number)?;
        match *entry {
            IrqOwner::Nobody => {
                *entry = IrqOwner::Has(owner);
                Ok(())
            }
            IrqOwner::Has(owner) | IrqOwner::Leaves(owner) => {
                Err(IrqError::Taken { number, owner })
            }
        }
    }

    /// `owner` begins to give interrupt `number` up, and ends with [`IrqOwners::remove`] or
    /// [`IrqOwners::keep`].
    ///
    /// # Errors
    /// [`IrqError::OutOfRange`] if there is none; [`IrqError::Taken`] if somebody else has it;
    /// [`IrqError::NotRegistered`] if nobody has it; [`IrqError::Leaving`] if that has begun
    /// already.
    pub fn leave(&mut self, number: usize, owner: &'static str) -> Result<(), IrqError> {
        let entry = self.entry(number)?;
        match *entry {
            IrqOwner::Has(name) if name == owner => {
                *entry = IrqOwner::Leaves(owner);
                Ok(())
            }
            IrqOwner::Leaves(name) if name == owner => Err(IrqError::Leaving { number }),
            IrqOwner::Has(owner) | IrqOwner::Leaves(owner) => {
                Err(IrqError::Taken { number, owner })
            }
            IrqOwner::Nobody => Err(IrqError::NotRegistered { number }),
        }
    }

    /// Interrupt `number`, which was being given up, has no owner any more. Nothing happens to any
    /// other.
    pub fn remove(&mut self, number: usize) {
        if let Some(entry @ IrqOwner::Leaves(_)) = self.owners.get_mut(number) {
            *entry = IrqOwner::Nobody;
        }
    }

    /// Interrupt `number`, which was being given up, stays with its owner, who may try again.
    /// Nothing happens to any other.
    pub fn keep(&mut self, number: usize) {
        if let Some(entry) = self.owners.get_mut(number)
            && let IrqOwner::Leaves(owner) = *entry
        {
            *entry = IrqOwner::Has(owner);
        }
    }

    /// The owner of interrupt `number`; `None` if it has none, or if there is no such interrupt.
    #[must_use]
    pub fn of(&self, number: usize) -> Option<&'static str> {
        match *self.owners.get(number)? {
            IrqOwner::Nobody => None,
            IrqOwner::Has(owner) | IrqOwner::Leaves(owner) => Some(owner),
        }
    }

    fn entry(&mut self, number: usize) -> Result<&mut IrqOwner, IrqError> {
        let error = IrqError::OutOfRange { number, count: N };
        self.owners.get_mut(number).ok_or(error)
    }
}

impl<const N: usize> Default for IrqOwners<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{IrqError, IrqOwners};
    use std::string::ToString;

    const NUMBERS: usize = 76;

    #[test]
    fn an_interrupt_has_one_owner_and_only_the_owner_gives_it_up() {
        let mut owners: IrqOwners<NUMBERS> = IrqOwners::default();
        let (number, owner) = (9, "mailbox");
        let taken = Err(IrqError::Taken { number, owner });
        assert_eq!(
            owners.leave(9, "mailbox"),
            Err(IrqError::NotRegistered { number })
        );
        assert_eq!(owners.add(9, "mailbox"), Ok(()));
        assert_eq!(owners.add(9, "usb"), taken);
        assert_eq!(owners.add(9, "mailbox"), taken);
        assert_eq!(owners.leave(9, "usb"), taken);
        assert_eq!(owners.of(9), Some("mailbox"));
        assert_eq!(owners.of(8), None);
        assert_eq!(owners.leave(9, "mailbox"), Ok(()));
        owners.remove(9);
        assert_eq!(owners.of(9), None);
        assert_eq!(owners.add(9, "usb"), Ok(()));
    }

    #[test]
    fn who_gives_up_has_it_until_the_end_and_can_keep_it() {
        let mut owners: IrqOwners<NUMBERS> = IrqOwners::new();
        let (number, owner) = (3, "alarm");
        assert_eq!(owners.add(number, owner), Ok(()));
        assert_eq!(owners.leave(number, owner), Ok(()));
        assert_eq!(
            owners.leave(number, owner),
            Err(IrqError::Leaving { number })
        );
        assert_eq!(
            owners.add(number, "usb"),
            Err(IrqError::Taken { number, owner })
        );
        assert_eq!(
            owners.leave(number, "usb"),
            Err(IrqError::Taken { number, owner })
        );
        assert_eq!(owners.of(number), Some(owner));
        owners.keep(number);
        assert_eq!(owners.of(number), Some(owner));
        owners.remove(number);
        assert_eq!(
            owners.of(number),
            Some(owner),
            "only what is being given up goes"
        );
        assert_eq!(owners.leave(number, owner), Ok(()));
    }

    #[test]
    fn numbers_that_there_are_not_are_refused() {
        let mut owners: IrqOwners<NUMBERS> = IrqOwners::new();
        for number in [NUMBERS, NUMBERS + 1, usize::MAX] {
            let count = NUMBERS;
            let error = IrqError::OutOfRange { number, count };
            assert_eq!(owners.add(number, "nobody"), Err(error));
            assert_eq!(owners.leave(number, "nobody"), Err(error));
            assert_eq!(owners.of(number), None);
        }
        assert_eq!(owners.add(NUMBERS - 1, "last"), Ok(()));
    }

    #[test]
    fn errors_name_the_interrupt_and_its_owner() {
        let texts = [
            IrqError::OutOfRange {
                number: 80,
                count: 76,
            },
            IrqError::Taken {
                number: 57,
                owner: "uart0",
            },
            IrqError::NotRegistered { number: 3 },
            IrqError::Leaving { number: 3 },
            IrqError::StillServed { number: 3, core: 2 },
        ]
        .map(|error| error.to_string());
        assert_eq!(
            texts,
            [
                "interrupt 80 is not one of the 76 that there are",
                "interrupt 57 belongs to uart0",
                "interrupt 3 belongs to nobody",
                "interrupt 3 is being given up",
                "the handler of interrupt 3 does not return on core 2",
            ]
        );
    }
}
