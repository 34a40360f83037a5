//! The bits of VMSAv8-64 descriptors with a 4 KiB granule, and how flags become bits and bits
//! flags.
//!
//! Sources: DDI 0487 D8.3.1 (descriptors), D8.3.2 (attributes), D8.4.1 (access permissions).
//!
//! # A leaf
//!
//! ```text
//!  63 58 57 56 55   54  53   52  51 48 47             12 11 10  9 8 7 6  5   4      2  1   0
//! +-----+-----+---+----+----+----+----+-----------------+--+--+----+----+--+----------+---+---+
//! | 0   |SOFTW|INA|UXN |PXN |CONT| 0  | output address  |nG|AF| SH | AP |0 | AttrIndx |pg | V |
//! +-----+-----+---+----+----+----+----+-----------------+--+--+----+----+--+----------+---+---+
//! ```
//!
//! `pg` is 1 in a page and 0 in a block. Of the bits for software (58:55), `INA` marks an
//! inaccessible leaf, of which V is 0 and all else stays, and `SOFTW` are `SoftwareBits`. The page of frame 0x8000_0000 with kernel data
//! (read-write, global, accessed, write-back) is 0x0060_0000_8000_0713: UXN and PXN, AF, inner
//! shareable, AttrIndx 4, page, valid.
//!
//! # A table
//!
//! ```text
//!  63              48 47                               12 11                    2  1   0
//! +------------------+-----------------------------------+-----------------------+---+---+
//! | 0                | address of the table              | its used entries      | 1 | V |
//! +------------------+-----------------------------------+-----------------------+---+---+
//! ```
//!
//! Bits 11:2 are ignored by the hardware (D8.3.1) and have the count of `change::walk`. The
//! hierarchical rights in 63:59 are 0: they take nothing away.
//!
//! # Rights
//!
//! | flags | AP\[2:1\] | UXN, PXN | EL1 may | EL0 may |
//! |---|---|---|---|---|
//! | `READ` | 10 | 1, 1 | read | – |
//! | `READ WRITE` | 00 | 1, 1 | read, write | – |
//! | `READ EXECUTE` | 10 | 1, 0 | read, execute | – |
//! | `USER READ` | 11 | 1, 1 | read | read |
//! | `USER READ WRITE` | 01 | 1, 1 | read, write | read, write |
//! | `USER READ EXECUTE` | 11 | 0, 1 | read | read, execute |
//! | `USER EXECUTE` | 10 | 0, 1 | read | execute |
//!
//! `WRITE EXECUTE` with `EXECUTE_ANYWAY` is the sum of two rows. What has no row is refused:
//! `WRITE` without `READ`, say, because EL1 reads whatever it may use, so the leaf would grant more
//! than was asked for.
//!
//! # Decisions
//! Both ways go through tables that are made when the crate is compiled: a page is mapped, or read,
//! with one load in place of some twenty instructions of tests.
#![forbid(unsafe_code)]

use super::encoding::{Encodings, encodings};
use crate::{MappingFlags, PageSize, PagingError, PagingResult, Rights, check_wx};

pub(super) const VALID: u64 = 1 << 0;
/// In a valid descriptor: a table (levels 0 to 2) or a page (level 3); clear: a block.
pub(super) const NOT_BLOCK: u64 = 1 << 1;
pub(super) const ATTR_INDEX_SHIFT: u32 = 2;
pub(super) const ATTR_INDEX: u64 = 0b111 << ATTR_INDEX_SHIFT;
/// AP\[1\]: EL0 may, too.
pub(super) const AP_EL0: u64 = 1 << 6;
/// AP\[2\]: nobody may write.
pub(super) const AP_READ_ONLY: u64 = 1 << 7;
/// SH: 0b11 is inner shareable, all that Normal memory is here.
pub(super) const INNER_SHAREABLE: u64 = 0b11 << 8;
/// AF: clear, the first access faults; the Cortex-A53 does not set it by itself.
pub(super) const ACCESS_FLAG: u64 = 1 << 10;
/// nG: TLB entries hold for one ASID.
pub(super) const NON_GLOBAL: u64 = 1 << 11;
pub(super) const PXN: u64 = 1 << 53;
pub(super) const UXN: u64 = 1 << 54;
/// Software: an inaccessible leaf.
pub(super) const INACCESSIBLE: u64 = 1 << 55;
/// In an invalid descriptor, where it is software's: a swap entry, with 32 bits from bit 12 on.
pub(super) const SWAP: u64 = 1 << 59;
pub(super) const SWAP_SHIFT: u32 = 12;
/// Software: the user's.
pub(super) const SOFTWARE: u64 = 0b11 << 56;
/// One TLB entry may hold the whole group of 16 (D8.7.1).
pub(super) const CONTIGUOUS: u64 = 1 << 52;
/// Of a table descriptor, ignored by the hardware: how many entries of the table are used.
pub(super) const COUNT_SHIFT: u32 = 2;
pub(super) const COUNT: u64 = 0x3ff << COUNT_SHIFT;
pub(super) const OUTPUT_ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Indices into [`MAIR_EL1`](super::aarch64_registers::MAIR_EL1).
const DEVICE_NGNRNE: u64 = 0;
const DEVICE_NGNRE: u64 = 1;
const NORMAL_NON_CACHEABLE: u64 = 3;
const NORMAL_WRITE_BACK: u64 = 4;

/// The rights of EL1 and EL0 in a leaf that is made of `flags`: what EL0 executes, EL1 does not,
/// and EL1 reads everything.
pub(super) fn granted(flags: MappingFlags) -> Rights {
    let rights = flags.intersection(MappingFlags::RIGHTS);
    let (kernel, user) = if flags.contains(MappingFlags::USER) {
        (rights.difference(MappingFlags::EXECUTE), rights)
    } else {
        (rights, MappingFlags::empty())
    };
    Rights {
        kernel: kernel.union(MappingFlags::READ),
        user,
    }
}

/// All bits of a leaf of 4 KiB but its output address, or why there is no row for `flags`.
pub(super) const fn encode(flags: MappingFlags) -> PagingResult<u64> {
    let user = flags.contains(MappingFlags::USER);
    // A global entry is used under every ASID: by every process.
    if user && flags.contains(MappingFlags::GLOBAL) {
        return unsupported(flags, MappingFlags::GLOBAL);
    }
    if let Err(error) = check_wx(flags) {
        return Err(error);
    }
    if !flags.intersects(MappingFlags::RIGHTS) {
        return Ok(attributes(flags) | INACCESSIBLE | UXN | PXN | NOT_BLOCK);
    }
    let execute = flags.contains(MappingFlags::EXECUTE);
    let readable = flags.contains(MappingFlags::READ);
    // Everything that EL1 may use it may read; EL0 may execute what it must not read, but then EL1
    // may read it, and nobody may write it.
    if !readable && (!user || !execute || flags.contains(MappingFlags::WRITE)) {
        return unsupported(flags, MappingFlags::empty());
    }
    let never = match (execute, user) {
        (false, _) => PXN | UXN,
        (true, false) => UXN,
        (true, true) => PXN,
    };
    let el0 = if user && readable { AP_EL0 } else { 0 };
    Ok(attributes(flags) | VALID | never | el0 | NOT_BLOCK)
}

const fn unsupported<T>(flags: MappingFlags, refused: MappingFlags) -> PagingResult<T> {
    Err(PagingError::Unsupported { flags, refused })
}

static ENCODINGS: Encodings = encodings!(flags => encode(flags));

/// All bits of a leaf of `size` but its output address. Inlined across crates: every mapping of a
/// page passes here.
#[inline]
pub(super) fn lookup(flags: MappingFlags, size: PageSize) -> PagingResult<u64> {
    Ok(ENCODINGS.attributes(flags, encode)? & !block_bit(size))
}

/// The bit that [`encode`], which makes pages, has set and a leaf of `size` has clear: bit 1 for a
/// block.
pub(super) const fn block_bit(size: PageSize) -> u64 {
    match size {
        PageSize::Size4K => 0,
        PageSize::Size2M | PageSize::Size1G => NOT_BLOCK,
    }
}

/// Memory type, shareability, read-only, access flag, global; for an inaccessible leaf also USER.
const fn attributes(flags: MappingFlags) -> u64 {
    let memory = match (
        flags.contains(MappingFlags::DEVICE),
        flags.contains(MappingFlags::UNCACHED),
    ) {
        (true, false) => DEVICE_NGNRE << ATTR_INDEX_SHIFT,
        (true, true) => DEVICE_NGNRNE << ATTR_INDEX_SHIFT,
        (false, true) => NORMAL_NON_CACHEABLE << ATTR_INDEX_SHIFT | INNER_SHAREABLE,
        (false, false) => NORMAL_WRITE_BACK << ATTR_INDEX_SHIFT | INNER_SHAREABLE,
    };
    let mut bits = memory;
    if !flags.contains(MappingFlags::WRITE) {
        bits |= AP_READ_ONLY;
    }
    if flags.contains(MappingFlags::ACCESSED) {
        bits |= ACCESS_FLAG;
    }
    if !flags.contains(MappingFlags::GLOBAL) {
        bits |= NON_GLOBAL;
    }
    if flags.contains(MappingFlags::USER) && !flags.intersects(MappingFlags::RIGHTS) {
        bits |= AP_EL0;
    }
    bits
}

/// The flags of present leaves by the bits of rights and memory type: AttrIndx, NS and AP where
/// they are (bits 7:2), PXN and UXN below them in the place of pg and V. Each has `GLOBAL`, which
/// [`decode`] takes away where nG is set.
///
/// 0x0060_0000_8000_0713, kernel data: 0x713 & 0xfc is 0x10, with UXN and PXN 0x13; entry 0x13 is
/// read, write, global.
#[expect(clippy::indexing_slicing, reason = "the index runs over the table")]
static RIGHTS_AND_TYPES: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let bits = index as u64 & RIGHTS_IN_PLACE | (index as u64 & 0b11) << EXECUTE_NEVER_SHIFT;
        table[index] = rights_and_type(bits).union(MappingFlags::GLOBAL).bits() as u16;
        index += 1;
    }
    table
};

/// The part of the index into [`RIGHTS_AND_TYPES`] that stands in the descriptor as it is.
const RIGHTS_IN_PLACE: u64 = 0xfc;
const EXECUTE_NEVER_SHIFT: u32 = PXN.trailing_zeros();

/// The bits of a leaf that say what EL1 and EL0 may do with it.
pub(super) const DECIDES_RIGHTS: u64 = VALID | AP_EL0 | AP_READ_ONLY | PXN | UXN;

/// The flags that AF and nG, shifted down by [`SCOPE_SHIFT`], become: two neighbours in the
/// descriptor, and in the flags.
const SCOPE: MappingFlags = MappingFlags::ACCESSED.union(MappingFlags::GLOBAL);
const SCOPE_SHIFT: u32 =
    ACCESS_FLAG.trailing_zeros() - MappingFlags::ACCESSED.bits().trailing_zeros();
const _: () = assert!(NON_GLOBAL >> SCOPE_SHIFT == MappingFlags::GLOBAL.bits() as u64);

/// The flags of a present leaf with these `bits`, but for `ACCESSED` and `GLOBAL`.
const fn rights_and_type(bits: u64) -> MappingFlags {
    const fn when(condition: bool, flags: MappingFlags) -> MappingFlags {
        if condition {
            flags
        } else {
            MappingFlags::empty()
        }
    }
    let el0 = bits & AP_EL0 != 0;
    let user_executes = bits & UXN == 0;
    let kernel_executes = bits & PXN == 0;
    let flags = memory_type(bits)
        .union(when(el0 || user_executes, MappingFlags::USER))
        .union(when(el0 || !user_executes, MappingFlags::READ))
        .union(when(bits & AP_READ_ONLY == 0, MappingFlags::WRITE))
        .union(when(
            user_executes || kernel_executes,
            MappingFlags::EXECUTE,
        ));
    flags.union(when(flags.breaks_wx(), MappingFlags::EXECUTE_ANYWAY))
}

/// The flags of a present leaf with these `bits`. nG says the opposite of `GLOBAL`, so that both
/// are put in by one exclusive or.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "eight bits, and 256 entries")]
pub(super) fn decode(bits: u64) -> MappingFlags {
    let rights = bits & RIGHTS_IN_PLACE | bits >> EXECUTE_NEVER_SHIFT & 0b11;
    let flags = RIGHTS_AND_TYPES[rights as usize] as usize;
    let scope = bits as usize >> SCOPE_SHIFT & SCOPE.bits();
    MappingFlags::from_bits_retain(flags ^ scope)
}

/// The memory type of a leaf with these `bits`. Other indices than the four mean what MAIR_EL1 has
/// there, which nobody here has written: write-back, as 4.
pub(super) const fn memory_type(bits: u64) -> MappingFlags {
    match (bits & ATTR_INDEX) >> ATTR_INDEX_SHIFT {
        DEVICE_NGNRNE => MappingFlags::MEMORY_TYPE,
        DEVICE_NGNRE => MappingFlags::DEVICE,
        NORMAL_NON_CACHEABLE => MappingFlags::UNCACHED,
        _ => MappingFlags::empty(),
    }
}
