//! Whether there is a device tree where x0 points: decided from the number and from the first 40
//! bytes there, before anything of the size that the header claims is touched.
//!
//! Firmware puts a tree's address into x0. QEMU puts 0x100 there, where it has left ATAGs, or 0 for
//! an ELF image, with a tree at address 0 if one was asked for. Another loader leaves anything.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::PhysAddr;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 40;
/// The largest tree that is believed: that of a board has some 30 KiB.
pub const MAX_TREE_BYTES: usize = 2 << 20;

/// The first word of a tree.
const MAGIC: u32 = 0xd00d_feed;
/// The version that is understood, or that a newer one must be compatible with.
const VERSION: u32 = 17;
/// The first tag of a list of ATAGs, in its second word.
const ATAG_CORE: u32 = 0x5441_0001;
/// The Linux boot protocol for arm64, and the cells of the format, ask for this.
const ALIGNMENT: usize = 8;

/// What x0 = 0 means, which depends on the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtZero {
    /// There is no tree.
    NoTree,
    /// There may be a tree at address 0: its header will tell.
    Look,
}

/// Why there is no device tree to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerError {
    /// x0 was 0.
    Null,
    /// Not a multiple of 8.
    Unaligned {
        /// As in x0.
        x0: u64,
    },
    /// The header, or the tree with the size that it claims, would reach past RAM.
    PastRam {
        /// As in x0.
        x0: u64,
        /// Bytes from there on.
        size: usize,
    },
    /// ATAGs, which is what came before device trees.
    Atags,
    /// Something else than a tree.
    WrongMagic {
        /// The first word.
        magic: u32,
    },
    /// A size that no tree has.
    WrongSize {
        /// Bytes, as claimed.
        size: u32,
    },
    /// A version that is not understood.
    WrongVersion {
        /// Its version.
        version: u32,
        /// The oldest version that it is compatible with.
        last_compatible: u32,
    },
}

impl fmt::Display for PointerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("none given"),
            Self::Unaligned { x0 } => write!(f, "x0 = {x0:#x} is not a multiple of 8"),
            Self::PastRam { x0, size } => {
                write!(f, "{size:#x} bytes at x0 = {x0:#x} are not in RAM")
            }
            Self::Atags => f.write_str("ATAGs instead"),
            Self::WrongMagic { magic } => write!(f, "magic {magic:#010x} instead of {MAGIC:#x}"),
            Self::WrongSize { size } => write!(
                f,
                "size {size:#x} is not from {HEADER_BYTES:#x} to {MAX_TREE_BYTES:#x}"
            ),
            Self::WrongVersion {
                version,
                last_compatible,
            } => write!(
                f,
                "version {version}, compatible with {last_compatible}, instead of {VERSION}"
            ),
        }
    }
}

impl core::error::Error for PointerError {}

/// A place in RAM where a device tree may be.
///
/// # Invariants
///
/// 8-byte aligned, and the header lies below `ram_limit`.
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
    /// [`PointerError::Null`], [`PointerError::Unaligned`], [`PointerError::PastRam`].
    pub fn validate_pointer(
        x0: u64,
        ram_limit: PhysAddr,
        at_zero: AtZero,
    ) -> Result<Self, PointerError> {
        if x0 == 0 && at_zero == AtZero::NoTree {
            return Err(PointerError::Null);
        }
        let size = HEADER_BYTES;
        let past_ram = PointerError::PastRam { x0, size };
        let base = usize::try_from(x0)
            .map(PhysAddr::new)
            .map_err(|_| past_ram)?;
        if !base.is_aligned(ALIGNMENT) {
            return Err(PointerError::Unaligned { x0 });
        }
        let tree = Self { base, ram_limit };
        if tree.fits(size) {
            Ok(tree)
        } else {
            Err(past_ram)
        }
    }

    /// Where the header is, and the tree after [`DeviceTree::validate_header`].
    #[must_use]
    pub const fn base(self) -> PhysAddr {
        self.base
    }

    /// The tree's size in bytes, with its header, from the 40 bytes at [`DeviceTree::base`].
    ///
    /// # Errors
    ///
    /// [`PointerError`], any but those of the pointer itself.
    pub fn validate_header(self, header: &[u8; HEADER_BYTES]) -> Result<usize, PointerError> {
        let (words, _) = header.as_chunks();
        let word = |index: usize| words.get(index).copied().unwrap_or_default();
        let magic = u32::from_be_bytes(word(0));
        if magic != MAGIC {
            return Err(if u32::from_le_bytes(word(1)) == ATAG_CORE {
                PointerError::Atags
            } else {
                PointerError::WrongMagic { magic }
            });
        }
        let claimed = u32::from_be_bytes(word(1));
        let wrong_size = PointerError::WrongSize { size: claimed };
        let size = usize::try_from(claimed).map_err(|_| wrong_size)?;
        if !(HEADER_BYTES..=MAX_TREE_BYTES).contains(&size) {
            return Err(wrong_size);
        }
        let version = u32::from_be_bytes(word(5));
        let last_compatible = u32::from_be_bytes(word(6));
        if !(last_compatible..=version).contains(&VERSION) {
            return Err(PointerError::WrongVersion {
                version,
                last_compatible,
            });
        }
        if !self.fits(size) {
            let x0 = self.base.as_usize() as u64;
            return Err(PointerError::PastRam { x0, size });
        }
        Ok(size)
    }

    fn fits(self, size: usize) -> bool {
        self.base
            .checked_add(size)
            .is_some_and(|end| end <= self.ram_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::{AtZero, DeviceTree, HEADER_BYTES, PointerError};
    use crate::addr::PhysAddr;

    const LIMIT: PhysAddr = PhysAddr::new(0x3f00_0000);

    fn at(x0: u64) -> Result<DeviceTree, PointerError> {
        DeviceTree::validate_pointer(x0, LIMIT, AtZero::Look)
    }

    fn header(words: [u32; 10]) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    const GOOD: [u32; 10] = [0xd00d_feed, 0x1000, 0x38, 0x800, 0x28, 17, 16, 0, 0, 0];

    fn size(change: impl FnOnce(&mut [u32; 10])) -> Result<usize, PointerError> {
        let mut words = GOOD;
        change(&mut words);
        at(0x0800_0000)
            .expect("a pointer")
            .validate_header(&header(words))
    }

    #[test]
    fn zero_is_an_address_only_if_the_caller_says_so() {
        let null = DeviceTree::validate_pointer(0, LIMIT, AtZero::NoTree);
        assert_eq!(null, Err(PointerError::Null));
        assert_eq!(at(0).map(DeviceTree::base), Ok(PhysAddr::new(0)));
    }

    #[test]
    fn a_pointer_is_aligned_and_its_header_is_in_ram() {
        for x0 in [0x100, 0x0800_0000, 0x3eff_ffd8] {
            assert!(at(x0).is_ok(), "{x0:#x}");
        }
        for x0 in [0x101, 0x104, 0x3eff_fffc] {
            assert_eq!(at(x0), Err(PointerError::Unaligned { x0 }));
        }
        for x0 in [0x3eff_ffe0, 0x3f00_0000, 0x4000_0000, 0xffff_ffff_ffff_fff8] {
            let size = HEADER_BYTES;
            assert_eq!(at(x0), Err(PointerError::PastRam { x0, size }));
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
            assert_eq!(size(|words| words[1] = good), Ok(good as usize));
        }
        for bad in [0, 39, 0x20_0001, 0x8000_0000, u32::MAX] {
            assert_eq!(
                size(|words| words[1] = bad),
                Err(PointerError::WrongSize { size: bad })
            );
        }
    }

    #[test]
    fn a_tree_that_claims_to_reach_past_ram_is_refused() {
        let tree = at(0x3eff_f000).expect("a pointer");
        assert_eq!(tree.validate_header(&header(GOOD)), Ok(0x1000));
        let mut words = GOOD;
        words[1] = 0x1008;
        let past = PointerError::PastRam {
            x0: 0x3eff_f000,
            size: 0x1008,
        };
        assert_eq!(tree.validate_header(&header(words)), Err(past));
    }

    #[test]
    fn a_version_counts_if_it_is_compatible_with_17() {
        assert!(size(|words| words[5] = 18).is_ok());
        assert!(size(|words| words[6] = 17).is_ok());
        for (version, last_compatible) in [(16, 16), (18, 18), (0, 0), (16, 17)] {
            let result = size(|words| [words[5], words[6]] = [version, last_compatible]);
            let wrong = PointerError::WrongVersion {
                version,
                last_compatible,
            };
            assert_eq!(result, Err(wrong));
        }
    }
}
