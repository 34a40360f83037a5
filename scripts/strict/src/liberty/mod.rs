//! Liberties: what the machine may do otherwise than an emulator does.
//!
//! A liberty is never an error of the kernel. It is an error to rely on its not being taken.

mod log;

use std::fmt;

pub(crate) use log::Log;
pub use log::Taken;

/// One kind of liberty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Liberty {
    /// RAM that nobody wrote holds noise.
    Noise,
    /// Registers without a reset value hold noise.
    Unknown,
    /// Caches hold and lose lines as they may, and act only by maintenance.
    Caches,
    /// Writes of system registers take effect only by a context synchronisation event.
    Context,
    /// WFE ends early.
    Wake,
    /// The counter is read earlier than the instruction stands.
    Counter,
    /// A store-exclusive fails without a reason.
    Exclusive,
    /// Former translations are used until an invalidation that covers them is complete, and walkers
    /// see stores to tables late.
    Translations,
    /// Stores drain late and out of order, as far as barriers let them.
    Stores,
    /// Loads are performed early, as far as barriers and addresses let them.
    Loads,
    /// Unaligned accesses, exclusives and DC ZVA abort where memory is Device.
    Device,
}

impl Liberty {
    /// Every liberty, by its name.
    pub const ALL: [Self; 11] = [
        Self::Noise,
        Self::Unknown,
        Self::Caches,
        Self::Context,
        Self::Wake,
        Self::Counter,
        Self::Exclusive,
        Self::Translations,
        Self::Stores,
        Self::Loads,
        Self::Device,
    ];

    /// The name that `--off` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Unknown => "unknown",
            Self::Caches => "caches",
            Self::Context => "context",
            Self::Wake => "wake",
            Self::Counter => "counter",
            Self::Exclusive => "exclusive",
            Self::Translations => "translations",
            Self::Stores => "stores",
            Self::Loads => "loads",
            Self::Device => "device",
        }
    }

    /// The liberty with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|liberty| liberty.name() == name)
    }
}

impl fmt::Display for Liberty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of liberties.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Liberties(u16);

impl Liberties {
    /// No liberty: an emulator.
    pub const NONE: Self = Self(0);

    /// Every liberty.
    pub const ALL: Self = Self((1 << Liberty::ALL.len()) - 1);

    /// Whether a liberty is taken.
    #[must_use]
    pub const fn has(self, liberty: Liberty) -> bool {
        self.0 >> liberty as u16 & 1 != 0
    }

    /// Whether accesses of one core become visible in another order than they are executed.
    #[must_use]
    pub(crate) const fn reorders(self) -> bool {
        self.has(Liberty::Stores) || self.has(Liberty::Loads)
    }

    /// The set with the accesses of each core in the order in which they are executed.
    #[must_use]
    pub const fn in_order(self) -> Self {
        self.without(Liberty::Stores).without(Liberty::Loads)
    }

    /// The set without one liberty.
    #[must_use]
    pub const fn without(self, liberty: Liberty) -> Self {
        Self(self.0 & !(1 << liberty as u16))
    }
}

#[cfg(test)]
mod tests {
    use super::{Liberties, Liberty};

    #[test]
    fn each_name_names_its_liberty() {
        for liberty in Liberty::ALL {
            assert_eq!(Liberty::named(liberty.name()), Some(liberty));
            assert!(Liberties::ALL.has(liberty));
            assert!(!Liberties::ALL.without(liberty).has(liberty));
            assert!(!Liberties::NONE.has(liberty));
        }
        assert_eq!(Liberty::named("luck"), None);
    }
}
