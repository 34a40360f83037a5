//! Whether there is a device tree where x0 points, and how much of it can be looked at: decided
//! from the number and from the first 40 bytes there, before anything of the size that the header
//! claims is touched.
//!
//! Data that begins as a tree does is one: a size that cannot be is cut to what can, and said, so
//! that the reservations in it are not lost; and so is an address that no tree should have.
//!
//! Firmware puts a tree's address into x0. QEMU puts 0x100 there, where it has left ATAGs, or 0 for
//! an ELF image, with a tree at address 0 if one was asked for. Another loader leaves anything.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PhysAddr;
use crate::drivers::facts::Oddity;
use crate::drivers::range::PhysRange;

/// Bytes of a header of version 17, ten words (Devicetree Specification 5.2). One of version 16 has
/// nine; the tenth is not used.
pub const HEADER_BYTES: usize = 40;
/// The largest tree that is believed, 2 MiB: that of a board has some 30 KiB. Of a larger one the
/// first 2 MiB are read, and [`Oddity::Size`] is noted.
pub const MAX_TREE_BYTES: usize = 2 << 20;

/// The first word of a tree.
const MAGIC: u32 = 0xd00d_feed;
/// The oldest version that is read.
const OLDEST_VERSION: u32 = 16;
/// The newest version that is known. It adds the structure's size, which is not used here. A later
/// version is read if it is compatible with this one.
const VERSION: u32 = 17;
/// The first tag of a list of ATAGs, in its second word.
const ATAG_CORE: u32 = 0x5441_0001;
/// The Linux boot protocol for arm64, and the cells of the format, ask for this.
const ALIGNMENT: usize = 8;

/// The meaning of x0 = 0, which depends on the loader: 0 is left by one that hands nothing over,
/// and by QEMU, which puts the tree of an ELF image at address 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtZero {
    /// There is no tree.
    NoTree,
    /// There may be a tree at address 0: its header will tell.
    Look,
}

/// Why there is no device tree to be read. The kernel goes on without one: it looks for ATAGs, and
/// asks the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerError {
    /// x0 was 0.
    Null,
    /// x0 is not a multiple of 8, and no tree is there.
    Unaligned {
        /// The value of x0.
        x0: u64,
    },
    /// The header would reach past RAM.
    PastRam {
        /// The value of x0.
        x0: u64,
    },
    /// ATAGs, which is what came before device trees.
    Atags,
    /// Something else than a tree.
    WrongMagic {
        /// The first word of what is there.
        magic: u32,
    },
}

impl fmt::Display for PointerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("none given"),
            Self::Unaligned { x0 } => write!(f, "x0 = {x0:#x} is not a multiple of 8"),
            Self::PastRam { x0 } => {
                write!(f, "{HEADER_BYTES:#x} bytes at x0 = {x0:#x} are not in RAM")
            }
            Self::Atags => f.write_str("ATAGs instead"),
            Self::WrongMagic { magic } => write!(f, "magic {magic:#010x} instead of {MAGIC:#x}"),
        }
    }
}

impl core::error::Error for PointerError {}

/// A place in RAM where a device tree may be.
///
/// # Invariants
///
/// The header lies below `ram_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceTree {
    base: PhysAddr,
    ram_limit: PhysAddr,
}

impl DeviceTree {
    /// Takes what x0 held at the kernel's entry for the address of a tree. RAM goes from 0 to
    /// `ram_limit` at the most.
    ///
    /// # Errors
    ///
    /// [`PointerError::Null`], [`PointerError::PastRam`].
    pub fn validate_pointer(
        x0: u64,
        ram_limit: PhysAddr,
        at_zero: AtZero,
    ) -> Result<Self, PointerError> {
        if x0 == 0 && at_zero == AtZero::NoTree {
            return Err(PointerError::Null);
        }
        let past_ram = PointerError::PastRam { x0 };
        let base = usize::try_from(x0)
            .map(PhysAddr::new)
            .map_err(|_| past_ram)?;
        let tree = Self { base, ram_limit };
        match tree.bytes_of_ram() {
            HEADER_BYTES.. => Ok(tree),
            _ => Err(past_ram),
        }
    }

    /// The physical address of the header, and of the tree if there is one: x0 as it was. A
    /// multiple of 8 only if the loader kept to the boot protocol.
    #[must_use]
    pub const fn base(self) -> PhysAddr {
        self.base
    }

    /// The memory that can be read as a tree, from the 40 bytes at [`DeviceTree::base`].
    ///
    /// # Errors
    ///
    /// [`PointerError::Atags`], [`PointerError::Unaligned`], [`PointerError::WrongMagic`].
    pub fn validate_header(self, header: &[u8; HEADER_BYTES]) -> Result<TreeExtent, PointerError> {
        let [first, second, ..] = *header.as_chunks().0 else {
            unreachable!("a header has ten words");
        };
        let magic = u32::from_be_bytes(first);
        let x0 = self.base.as_usize() as u64;
        let is_aligned = self.base.is_aligned(ALIGNMENT);
        if magic != MAGIC {
            return Err(match u32::from_le_bytes(second) {
                ATAG_CORE => PointerError::Atags,
                _ if !is_aligned => PointerError::Unaligned { x0 },
                _ => PointerError::WrongMagic { magic },
            });
        }
        let claimed = u32::from_be_bytes(second);
        let limit = self.bytes_of_ram().min(MAX_TREE_BYTES);
        let read = (claimed as usize).clamp(HEADER_BYTES, limit);
        let Some(place) = PhysRange::new(self.base, read) else {
            unreachable!("a header at least, and below the end of RAM");
        };
        let size = (read != claimed as usize).then_some(Oddity::Size { claimed, read });
        let address = (!is_aligned).then_some(Oddity::Unaligned { x0 });
        Ok(TreeExtent {
            place,
            oddities: [size, address],
        })
    }

    fn bytes_of_ram(self) -> usize {
        self.ram_limit.checked_sub(self.base).unwrap_or(0)
    }
}

/// The memory that is looked at as a tree: the size that its header claims, cut to the end of RAM
/// and to [`MAX_TREE_BYTES`], and at least a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeExtent {
    /// In RAM, and [`HEADER_BYTES`] at least.
    pub place: PhysRange,
    /// The oddities of its size and of its address.
    pub oddities: [Option<Oddity>; 2],
}

/// The numbers in a header (Devicetree Specification 5.2) that are asked for.
pub(super) struct Header {
    pub(super) structure: usize,
    pub(super) strings: usize,
    pub(super) reservations: usize,
    pub(super) version: u32,
    pub(super) last_compatible: u32,
}

impl Header {
    pub(super) fn parse(header: &[u8; HEADER_BYTES]) -> Self {
        let (words, _) = header.as_chunks();
        let word = |index: usize| u32::from_be_bytes(words.get(index).copied().unwrap_or_default());
        Self {
            structure: word(2) as usize,
            strings: word(3) as usize,
            reservations: word(4) as usize,
            version: word(5),
            last_compatible: word(6),
        }
    }

    /// Whether the rest of the tree is as it is known here.
    pub(super) const fn is_understood(&self) -> bool {
        self.version >= OLDEST_VERSION && self.last_compatible <= VERSION
    }
}

#[cfg(test)]
mod tests {
    use super::{AtZero, DeviceTree, HEADER_BYTES, Header, PointerError, TreeExtent};
    use crate::addr::PhysAddr;
    use crate::drivers::facts::Oddity;
    use crate::drivers::range::range;

    const LIMIT: PhysAddr = PhysAddr::new(0x3f00_0000);

    fn at(x0: u64) -> Result<DeviceTree, PointerError> {
        DeviceTree::validate_pointer(x0, LIMIT, AtZero::Look)
    }

    fn header(words: [u32; 10]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        bytes
    }

    const GOOD: [u32; 10] = [0xd00d_feed, 0x1000, 0x38, 0x800, 0x28, 17, 16, 0, 0, 0];

    fn extent(base: u64, claimed: u32) -> TreeExtent {
        let mut words = GOOD;
        words[1] = claimed;
        let tree = at(base).expect("a pointer");
        tree.validate_header(&header(words)).expect("a tree")
    }

    #[test]
    fn zero_is_an_address_only_if_the_caller_says_so() {
        let null = DeviceTree::validate_pointer(0, LIMIT, AtZero::NoTree);
        assert_eq!(null, Err(PointerError::Null));
        assert_eq!(at(0).map(DeviceTree::base), Ok(PhysAddr::new(0)));
    }

    #[test]
    fn the_header_is_in_ram() {
        for x0 in [0x100, 0x0800_0000, 0x3eff_ffd8] {
            assert!(at(x0).is_ok(), "{x0:#x}");
        }
        for x0 in [0x3eff_ffe0, 0x3f00_0000, 0x4000_0000, 0xffff_ffff_ffff_fff8] {
            assert_eq!(at(x0), Err(PointerError::PastRam { x0 }));
        }
    }

    #[test]
    fn a_tree_at_an_odd_address_is_one_and_nothing_else_is() {
        for x0 in [0x101, 0x104, 0x0800_0001] {
            let tree = at(x0).expect("a pointer");
            let place = range(x0 as usize, 0x1000);
            let oddities = [None, Some(Oddity::Unaligned { x0 })];
            let extent = tree.validate_header(&header(GOOD));
            assert_eq!(extent, Ok(TreeExtent { place, oddities }));
            let garbage = tree.validate_header(&header([0x1234_5678; 10]));
            assert_eq!(garbage, Err(PointerError::Unaligned { x0 }));
        }
    }

    #[test]
    fn atags_are_told_from_garbage() {
        let tree = at(0x100).expect("a pointer");
        // QEMU: size 5 words, ATAG_CORE, little endian.
        let atags = header([
            5_u32.swap_bytes(),
            0x5441_0001_u32.swap_bytes(),
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        assert_eq!(tree.validate_header(&atags), Err(PointerError::Atags));
        let garbage = header([0x1234_5678, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let magic = 0x1234_5678;
        assert_eq!(
            tree.validate_header(&garbage),
            Err(PointerError::WrongMagic { magic })
        );
    }

    #[test]
    fn a_size_is_believed_between_a_header_and_two_mebibytes() {
        for good in [40, 0x1000, 0x20_0000] {
            let place = range(0x0800_0000, good as usize);
            assert_eq!(
                extent(0x0800_0000, good),
                TreeExtent {
                    place,
                    oddities: [None; 2]
                }
            );
        }
        for (claimed, read) in [
            (0, 40),
            (39, 40),
            (0x20_0001, 0x20_0000),
            (u32::MAX, 0x20_0000),
        ] {
            let place = range(0x0800_0000, read);
            let oddities = [Some(Oddity::Size { claimed, read }), None];
            assert_eq!(extent(0x0800_0000, claimed), TreeExtent { place, oddities });
        }
    }

    #[test]
    fn of_a_tree_that_claims_to_reach_past_ram_only_ram_is_looked_at() {
        let place = range(0x3eff_f000, 0x1000);
        assert_eq!(
            extent(0x3eff_f000, 0x1000),
            TreeExtent {
                place,
                oddities: [None; 2]
            }
        );
        let (claimed, read) = (0x1008, 0x1000);
        let oddities = [Some(Oddity::Size { claimed, read }), None];
        assert_eq!(extent(0x3eff_f000, claimed), TreeExtent { place, oddities });
    }

    #[test]
    fn versions_16_and_17_are_understood_and_what_is_compatible_with_them() {
        let understood = |version: u32, last_compatible: u32| {
            let mut words = GOOD;
            [words[5], words[6]] = [version, last_compatible];
            Header::parse(&header(words)).is_understood()
        };
        for (version, last_compatible) in [(16, 16), (17, 16), (17, 17), (18, 17), (18, 16)] {
            assert!(understood(version, last_compatible), "{version}");
        }
        for (version, last_compatible) in [(18, 18), (0, 0), (3, 2), (15, 15), (15, 16)] {
            assert!(!understood(version, last_compatible), "{version}");
        }
    }
}
