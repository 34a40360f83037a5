//! Oddities of the data that a loader hands over: a line for each, and whether it hides
//! reservations.
#![forbid(unsafe_code)]

use core::fmt;

use super::reservation::RESERVED_RANGES;
use super::text::Text;

/// How many are kept; of the others the number is.
const KEPT: usize = 12;

/// Where a device tree's structure cannot be read on (tokens of the Devicetree Specification 5.4).
/// Nodes before that are read, those behind are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It ends inside something.
    CutOff,
    /// There is a word that begins nothing.
    Token(u32),
    /// It says that it ends, while nodes are open.
    Unclosed,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("is cut off"),
            Self::Token(token) => write!(f, "has no token but {token:#x}"),
            Self::Unclosed => f.write_str("ends in the middle of a node"),
        }
    }
}

/// The node whose property is meant, shown as its path: `/memory`; a place in `/reserved-memory` by
/// the first 24 characters of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyOwner {
    /// The root.
    Root,
    /// A memory node.
    Memory,
    /// `/reserved-memory`.
    ReservedMemory,
    /// `/chosen`.
    Chosen,
    /// A place in `/reserved-memory`.
    Place(Text<24>),
}

impl fmt::Display for PropertyOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("/"),
            Self::Memory => f.write_str("/memory"),
            Self::ReservedMemory => f.write_str("/reserved-memory"),
            Self::Chosen => f.write_str("/chosen"),
            Self::Place(name) => name.fmt(f),
        }
    }
}

/// Something that is wrong, or unusual enough to be told, with the numbers as the source has them.
/// Reading goes on behind it; shown as the rest of a report's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// A tree of a size that no tree has.
    Size {
        /// The size in bytes, as claimed.
        claimed: u32,
        /// Bytes that are looked at.
        read: usize,
    },
    /// A tree at an address that is not a multiple of 8.
    Unaligned {
        /// The value of x0.
        x0: u64,
    },
    /// A tree of a version that is not understood.
    Version {
        /// Its version.
        version: u32,
        /// The oldest version that it is compatible with.
        last_compatible: u32,
    },
    /// The tree's structure cannot be read to its end.
    Structure {
        /// The error that ends the reading.
        damage: Damage,
        /// Where, from the tree's first byte on.
        at: usize,
    },
    /// The reservation block does not lie in the tree, or has no end in it.
    ReservationBlock {
        /// The offset in the tree at which the block begins.
        at: usize,
    },
    /// Properties whose names are not in the tree.
    Unnamed(PropertyOwner),
    /// It does not say how its children write addresses and sizes.
    NoCells(PropertyOwner),
    /// It says so with something else than 1 or 2.
    BadCells(PropertyOwner),
    /// A `reg` that does not consist of whole pairs of address and size.
    RegLength {
        /// The node of the property.
        owner: PropertyOwner,
        /// The property's length in bytes.
        bytes: usize,
    },
    /// A memory node that is switched off.
    MemoryDisabled,
    /// Memory that reaches past the last address there is.
    MemoryWraps {
        /// Its first address, as the source names it.
        base: u64,
        /// Its size in bytes, as the source names it.
        size: u64,
    },
    /// One range of memory more than are kept.
    MemoryLeftOut {
        /// Its first address, as the source names it.
        base: u64,
        /// Its size in bytes, as the source names it.
        size: u64,
    },
    /// Memory to which the kernel is restricted: empty, past the last address, or one range more
    /// than are kept.
    UsableLeftOut {
        /// Its first address, as the source names it.
        base: u64,
        /// Its size in bytes, as the source names it.
        size: u64,
    },
    /// A list of the memory to which the kernel is restricted, of which a part cannot be read.
    UsableLength {
        /// The property's length in bytes.
        bytes: usize,
    },
    /// A list of the memory to which the kernel is restricted that names none.
    UsableUnread,
    /// A reserved place that does not say where it is.
    Nowhere(PropertyOwner),
    /// A reserved place that the kernel may choose.
    Anywhere {
        /// The node of the place.
        owner: PropertyOwner,
        /// The size that it asks for, in bytes.
        size: u64,
    },
    /// Nodes in a place, deeper than is looked.
    Nested(PropertyOwner),
    /// More reservations than are kept apart.
    ManyReservations,
    /// An initial RAM disk without a byte.
    InitrdEmpty {
        /// The first address, as the source names it.
        start: u64,
        /// The address behind it, as the source names it.
        end: u64,
    },
    /// Only one end of the initial RAM disk can be read.
    InitrdHalf,
    /// The list of ATAGs cannot be read to its end.
    Atags {
        /// Where, from its first byte on.
        at: usize,
        /// The tag.
        tag: u32,
    },
}

impl Oddity {
    /// Whether it is an error, and not only worth a line: all are but [`Oddity::Anywhere`], a
    /// reservation that leaves the place to the kernel. The report puts `warning:` before an error.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        !matches!(self, Self::Anywhere { .. })
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { claimed, read } => {
                write!(f, "a size of {claimed:#x}: {read:#x} bytes are looked at")
            }
            Self::Unaligned { x0 } => write!(f, "x0 = {x0:#x} is not a multiple of 8"),
            Self::Version {
                version,
                last_compatible,
            } => write!(f, "version {version}, compatible with {last_compatible}"),
            Self::Structure { damage, at } => write!(f, "the structure {damage} at {at:#x}"),
            Self::ReservationBlock { at } => {
                write!(f, "the reservation block at {at:#x} has no end")
            }
            Self::Unnamed(owner) => write!(f, "{owner}: a property without a name"),
            Self::NoCells(owner) => write!(f, "{owner}: no cells, the root's are taken"),
            Self::BadCells(owner) => write!(f, "{owner}: numbers of cells other than 1 or 2"),
            Self::RegLength { owner, bytes } => {
                write!(f, "{owner}: reg of {bytes} bytes, no whole pairs")
            }
            Self::MemoryDisabled => f.write_str("/memory: switched off, not used"),
            Self::MemoryWraps { base, size } => {
                write!(f, "{size:#x} bytes of memory at {base:#x} wrap: not used")
            }
            Self::MemoryLeftOut { base, size } => {
                write!(
                    f,
                    "{size:#x} bytes of memory at {base:#x} too many: not used"
                )
            }
            Self::UsableLeftOut { base, size } => {
                write!(f, "{size:#x} usable bytes at {base:#x}: not used")
            }
            Self::UsableLength { bytes } => {
                write!(f, "usable memory of {bytes} bytes, no whole pairs")
            }
            Self::UsableUnread => f.write_str("usable memory: none that can be read"),
            Self::Nowhere(owner) => write!(f, "{owner}: reserved, and nothing says where"),
            Self::Anywhere { owner, size } => {
                write!(f, "{owner}: {size:#x} bytes anywhere, none taken")
            }
            Self::Nested(owner) => write!(f, "{owner}: nodes too deep in it"),
            Self::ManyReservations => write!(
                f,
                "over {RESERVED_RANGES} reservations: near ones are made one"
            ),
            Self::InitrdEmpty { start, end } => {
                write!(f, "initrd from {start:#x} to {end:#x}: nothing")
            }
            Self::InitrdHalf => f.write_str("initrd: only one end can be read"),
            Self::Atags { at, tag } => write!(f, "ATAG {tag:#x} at +{at:#x} does not fit"),
        }
    }
}

/// The first 12 oddities, in the order in which they were seen, and the number of the others. The
/// one that casts doubt is kept even if it is not among the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    all: [Option<Oddity>; KEPT],
    seen: usize,
    doubt: Option<Oddity>,
}

impl Oddities {
    /// The oddities that are kept, each once, in the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &Oddity> {
        self.all.iter().flatten()
    }

    /// The number of those behind the twelfth, which are not kept: 0 if there were no more. Equal
    /// ones among them are counted each time.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.seen.saturating_sub(KEPT)
    }

    /// The first that may hide reservations, as [`Facts::doubt`](super::Facts::doubt) gives it.
    #[must_use]
    pub const fn doubt(&self) -> Option<Oddity> {
        self.doubt
    }

    /// Adds one, unless an equal one is kept already. The thirteenth and those behind it are only
    /// counted.
    pub fn note(&mut self, oddity: Oddity) {
        if self.iter().any(|known| *known == oddity) {
            return;
        }
        if let Some(free) = self.all.get_mut(self.seen) {
            *free = Some(oddity);
        }
        self.seen += 1;
    }

    /// Adds one that may hide reservations.
    pub(in crate::drivers) fn note_doubt(&mut self, oddity: Oddity) {
        self.note(oddity);
        self.doubt.get_or_insert(oddity);
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Oddities, Oddity};
    use std::vec::Vec;

    #[test]
    fn the_first_ones_are_kept_once_and_the_others_counted() {
        let mut oddities = Oddities::default();
        let numbered = |at| Oddity::ReservationBlock { at };
        for at in 0..KEPT + 5 {
            oddities.note(numbered(at));
            oddities.note(numbered(0));
        }
        let kept: Vec<Oddity> = oddities.iter().copied().collect();
        assert_eq!(kept, (0..KEPT).map(numbered).collect::<Vec<_>>());
        assert_eq!(oddities.left_out(), 5);
        assert_eq!(oddities.doubt(), None);
    }

    #[test]
    fn a_doubt_stays_when_there_is_no_room_for_it() {
        let mut oddities = Oddities::default();
        for at in 0..KEPT {
            oddities.note(Oddity::ReservationBlock { at });
        }
        oddities.note_doubt(Oddity::InitrdHalf);
        oddities.note_doubt(Oddity::MemoryDisabled);
        assert_eq!(oddities.doubt(), Some(Oddity::InitrdHalf));
    }
}
