//! What formats share: the attributes of leaves, looked up in a table by their flags.
//!
//! Attributes are all bits of a leaf of 4 KiB but its frame. A format has a `const fn` that makes
//! them from flags, or says why not. It runs once for each set of flags, when the format is
//! compiled; [`Encodings`] is what came out.
#![forbid(unsafe_code)]

use crate::{MappingFlags, PagingError, PagingResult};

/// The attributes for every set of flags: looked up on the way to every leaf.
pub(super) struct Encodings([u64; MappingFlags::SETS]);

/// What stands for a set that has none. No leaf has these attributes: in frame 0 it would be
/// unused.
const REFUSED: u64 = 0;

impl Encodings {
    /// Of no set yet: for [`encodings!`].
    pub(super) const NONE: Self = Self([REFUSED; MappingFlags::SETS]);

    /// Adds what `flags` make, if they make any.
    #[expect(
        clippy::indexing_slicing,
        reason = "in a const, an error of the compiler"
    )]
    pub(super) const fn add(&mut self, flags: MappingFlags, encoded: &PagingResult<u64>) {
        if let Ok(attributes) = encoded {
            self.0[flags.bits()] = *attributes;
        }
    }

    /// The attributes for `flags`, or what `encode`, which made the table, has against them.
    #[inline(always)]
    pub(super) fn attributes(
        &self,
        flags: MappingFlags,
        encode: impl FnOnce(MappingFlags) -> PagingResult<u64>,
    ) -> PagingResult<u64> {
        match self.0.get(flags.bits()) {
            Some(&attributes) if attributes != REFUSED => Ok(attributes),
            _ => Err(refusal(flags, encode)),
        }
    }
}

/// Why flags have no encoding; those that no format knows, `encode` does not look at.
#[cold]
fn refusal(
    flags: MappingFlags,
    encode: impl FnOnce(MappingFlags) -> PagingResult<u64>,
) -> PagingError {
    match encode(flags) {
        Err(error) => error,
        Ok(_) => PagingError::Unsupported {
            flags,
            refused: flags.difference(MappingFlags::all()),
        },
    }
}

/// The [`Encodings`] that `$encode` makes of every set of `$flags`. Not a function, because a
/// `const fn` cannot call one that it is given.
macro_rules! encodings {
    ($flags:ident => $encode:expr) => {{
        let mut encodings = $crate::format::encoding::Encodings::NONE;
        let mut set = 0;
        while set < $crate::MappingFlags::SETS {
            let $flags = $crate::MappingFlags::from_bits_retain(set);
            encodings.add($flags, &$encode);
            set += 1;
        }
        encodings
    }};
}
pub(super) use encodings;

/// The flags that exclude others of the set in a format with global entries for the kernel alone,
/// and no memory type that is stricter than `DEVICE`.
pub(super) const fn excluded(flags: MappingFlags) -> MappingFlags {
    let mut excluded = MappingFlags::empty();
    if flags.contains(MappingFlags::MEMORY_TYPE) {
        excluded = excluded.union(MappingFlags::UNCACHED);
    }
    if flags.contains(MappingFlags::USER) {
        excluded = excluded.union(flags.intersection(MappingFlags::GLOBAL));
    }
    excluded
}

/// `bits` for a set that has `flag`.
pub(super) const fn bits_if(flags: MappingFlags, flag: MappingFlags, bits: u64) -> u64 {
    if flags.contains(flag) { bits } else { 0 }
}
