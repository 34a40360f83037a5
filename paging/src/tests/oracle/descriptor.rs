//! What a 64-bit word means to a table walk, and which two meanings must never meet.
//!
//! Written from Arm DDI 0487, D8.3 (descriptor formats, 4 KiB granule, stage 1 of EL1&0 in
//! Non-secure state) and D8.17.1 (what needs break-before-make), for an Armv8.0-A core with
//! 40-bit physical addresses: what later architectures put into bits 51:48 is reserved here, and
//! an output address past bit 39 is an address size fault.
//!
//! # Decisions
//! Bits that restrict what is below a table (63:59 of its descriptor) are legal, but no tree here
//! uses them: they count as reserved, so that nobody has to track them.
#![forbid(unsafe_code)]

/// Entries in a table.
pub(super) const ENTRIES: usize = 512;
/// Leaves that one TLB entry can hold when each has the contiguous bit.
pub(super) const GROUP: usize = 16;
/// The largest piece of a leaf that one invalidation by address is sure to remove: the
/// Cortex-A53 stores a 1 GiB block as two entries (DDI 0500, 5.2.3).
const LARGEST_PIECE: usize = 0x2000_0000;

const VALID: u64 = 1;
/// Bit 1 of a valid descriptor: a table at levels 0 to 2, a page at level 3.
const NOT_BLOCK: u64 = 1 << 1;
const ATTR_INDEX: u64 = 0b111 << 2;
const ACCESS_PERMISSIONS: u64 = 0b11 << 6;
const SHAREABILITY: u64 = 0b11 << 8;
/// The value of SH that has no meaning.
const SHAREABILITY_RESERVED: u64 = 0b01 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
const ADDRESS: u64 = 0x0000_00ff_ffff_f000;
const RESERVED: u64 = 0x000f_ff00_0000_0000;
const CONTIGUOUS: u64 = 1 << 52;
const EXECUTE_NEVER: u64 = 0b11 << 53;
const RESTRICTS_BELOW: u64 = 0b1_1111 << 59;
/// What the hardware reads in a leaf, besides its output address.
const ATTRIBUTES: u64 = ATTR_INDEX
    | ACCESS_PERMISSIONS
    | SHAREABILITY
    | ACCESSED
    | NOT_GLOBAL
    | CONTIGUOUS
    | EXECUTE_NEVER;

/// The bytes that an entry of a table of `level` translates.
pub(super) const fn level_bytes(level: usize) -> usize {
    1 << (39 - 9 * level)
}

/// The index of `va` in a table of `level`.
pub(super) const fn index_of(va: usize, level: usize) -> usize {
    (va >> (39 - 9 * level)) % ENTRIES
}

/// The meaning of a descriptor. Bits that the hardware ignores are gone: descriptors that are
/// the same to a walker are equal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Descriptor {
    Invalid,
    /// Valid, but with an encoding or a bit that has no meaning.
    Reserved,
    /// The next table, by its physical address.
    Table(usize),
    Leaf(Leaf),
}

/// A block or a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Leaf {
    output: usize,
    attributes: u64,
    level: usize,
}

/// The meaning of `bits` in a table of `level`.
pub(super) const fn decode(bits: u64, level: usize) -> Descriptor {
    if bits & VALID == 0 {
        return Descriptor::Invalid;
    }
    if bits & RESERVED != 0 {
        return Descriptor::Reserved;
    }
    let output = (bits & ADDRESS) as usize;
    match (level, bits & NOT_BLOCK != 0) {
        (0..=2, true) if bits & RESTRICTS_BELOW == 0 => Descriptor::Table(output),
        (1..=2, false) | (3, true) => {
            let aligned = output.is_multiple_of(level_bytes(level));
            if !aligned || bits & SHAREABILITY == SHAREABILITY_RESERVED {
                return Descriptor::Reserved;
            }
            Descriptor::Leaf(Leaf {
                output,
                attributes: bits & ATTRIBUTES,
                level,
            })
        }
        _ => Descriptor::Reserved,
    }
}

impl Descriptor {
    /// Whether it is a leaf that is one of a contiguous group.
    pub(super) const fn is_contiguous(self) -> bool {
        matches!(self, Self::Leaf(leaf) if leaf.attributes & CONTIGUOUS != 0)
    }

    /// Whether the hardware takes it for a leaf or a table.
    pub(super) const fn is_valid(self) -> bool {
        matches!(self, Self::Table(_) | Self::Leaf(_))
    }

    /// The translation by a leaf at `va`, whether or not it may be used.
    pub(super) const fn translation(self, va: usize) -> Option<Translation> {
        match self {
            Self::Leaf(leaf) => Some(leaf.translation(va)),
            _ => None,
        }
    }

    /// What a TLB may hold of it, if it stands in the entry for `va` of a table of `level`.
    ///
    /// A descriptor that makes every access fault is never cached: an invalid one, and a leaf
    /// that has its access flag clear.
    pub(super) fn cached(self, va: usize, level: usize) -> Option<Cached> {
        match self {
            Self::Table(table) => Some(Cached::Pointer(Pointer { va, level, table })),
            Self::Leaf(leaf) if leaf.attributes & ACCESSED != 0 => {
                Some(Cached::Leaf(leaf.translation(va)))
            }
            _ => None,
        }
    }
}

impl Leaf {
    /// What one TLB entry can hold of the leaf at `va`: all of its group if it is contiguous.
    const fn translation(self, va: usize) -> Translation {
        let mut bytes = level_bytes(self.level);
        if self.attributes & CONTIGUOUS != 0 {
            bytes *= GROUP;
        }
        let offset = va & (bytes - 1);
        Translation {
            va: va - offset,
            bytes,
            output: self.output.wrapping_sub(offset),
            attributes: self.attributes,
            level: self.level,
        }
    }
}

/// An entry of a TLB or of a walk cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Cached {
    Leaf(Translation),
    Pointer(Pointer),
}

/// A cached leaf: of all members of a contiguous group, the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) struct Translation {
    pub(super) va: usize,
    pub(super) bytes: usize,
    /// The physical address of `va`.
    pub(super) output: usize,
    attributes: u64,
    level: usize,
}

/// A cached table descriptor: that of level `level` for `va`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) struct Pointer {
    pub(super) va: usize,
    pub(super) level: usize,
    pub(super) table: usize,
}

impl Translation {
    /// Whether it holds in every address space.
    pub(super) const fn is_global(self) -> bool {
        self.attributes & NOT_GLOBAL == 0
    }

    /// The bytes of each of the pieces that have to be invalidated one by one.
    pub(super) const fn piece_bytes(self) -> usize {
        let leaf = level_bytes(self.level);
        if leaf > LARGEST_PIECE {
            LARGEST_PIECE
        } else {
            leaf
        }
    }

    /// How many pieces there are: 1 to 32.
    pub(super) const fn pieces(self) -> usize {
        self.bytes / self.piece_bytes()
    }

    /// Whether its output address is a multiple of its size.
    pub(super) const fn is_aligned(self) -> bool {
        self.output.is_multiple_of(self.bytes)
    }

    /// Whether it leads to any of `bytes` bytes from `frame` on.
    pub(super) const fn reaches(self, frame: usize, bytes: usize) -> bool {
        self.output < frame + bytes && frame < self.output + self.bytes
    }

    /// Whether a walker must not see `new`, which covers some of the same addresses, while this
    /// one may still be cached. Rights may differ, and what was global may stop being so.
    const fn needs_break(self, new: Self) -> bool {
        let moved = self.output.wrapping_sub(self.va) != new.output.wrapping_sub(new.va);
        let changed = self.attributes ^ new.attributes;
        moved
            || self.level != new.level
            || changed & (ATTR_INDEX | SHAREABILITY | CONTIGUOUS) != 0
            || new.is_global() && !self.is_global()
    }
}

impl Cached {
    /// Whether a walker must not see `new` while `self`, which overlaps it, may still be cached.
    pub(super) const fn needs_break(self, new: Self) -> bool {
        match (self, new) {
            (Self::Leaf(old), Self::Leaf(new)) => old.needs_break(new),
            // A pointer that leads to where the other stands is no rival of it.
            (Self::Leaf(old), Self::Pointer(new)) => old.level <= new.level,
            (Self::Pointer(old), Self::Leaf(new)) => new.level <= old.level,
            (Self::Pointer(old), Self::Pointer(new)) => {
                old.level == new.level && old.table != new.table
            }
        }
    }
}
