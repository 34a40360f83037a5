//! A table of the attributes of leaves by their flags, which every format has.
//!
//! Attributes are all bits of a leaf of 4 KiB but its frame: 0x0060_0000_0000_0713 for kernel data
//! on AArch64. A format has a `const fn` that makes them from flags, or says why not. It runs once
//! for each of the [`MappingFlags::SETS`] sets of flags, when the format is compiled; [`Encodings`]
//! holds the results, 4 KiB of constants for 512 sets.
//!
//! 1. `map` with `READ | WRITE | GLOBAL`: the set is the index, and the word there is the leaf but
//!    for its frame. One load, however many rules the format has.
//! 2. The word is 0, or the set is past the end: the flags are refused. Now the `const fn` runs
//!    again, out of line, for the reason.
#![forbid(unsafe_code)]

use crate::{MappingFlags, PagingError, PagingResult};

/// The attributes for every set of flags, the bits of the set as index.
pub(super) struct Encodings([u64; MappingFlags::SETS]);

/// The word of a set that is refused. No leaf has these attributes: in frame 0 it would be
/// unused.
const REFUSED: u64 = 0;

impl Encodings {
    /// A table in which every set is refused: [`encodings!`] fills it.
    pub(super) const NONE: Self = Self([REFUSED; MappingFlags::SETS]);

    /// Enters the attributes that `flags` make; a set that is refused stays so.
    #[expect(
        clippy::indexing_slicing,
        reason = "in a const, an error of the compiler"
    )]
    pub(super) const fn add(&mut self, flags: MappingFlags, encoded: &PagingResult<u64>) {
        if let Ok(attributes) = encoded {
            self.0[flags.bits()] = *attributes;
        }
    }

    /// The attributes for `flags`, or the error of `encode`, by which the table was made.
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

/// Why flags have no encoding. `encode` accepts a set with bits that no flag has, because it does
/// not look at them: then those are what is refused.
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

/// The flags of the set that another one excludes, in a format whose global entries are the
/// kernel's alone, and which has one kind of device memory: `UNCACHED` beside `DEVICE`, `GLOBAL`
/// beside `USER`.
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

/// `bits` if the set has `flag`, otherwise 0.
pub(super) const fn bits_if(flags: MappingFlags, flag: MappingFlags, bits: u64) -> u64 {
    if flags.contains(flag) { bits } else { 0 }
}
