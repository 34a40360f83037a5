//! LoongArch64, 4 levels of 4 KiB tables: entries, addresses, and what a refill set-up needs.
//!
//! LoongArch Reference Manual volume 1: 4.2.5 (LDDIR, LDPTE), 5.3 (memory access types), 5.4 (TLB
//! entries; tables for page walking, with the formats of basic and huge entries), 7.5 (CSRs of
//! mapped address translation). The core needs CPUCFG.1 RI, EP and HP, as Loongson 3A5000 has them.
//!
//! Both PGDL and PGDH hold the root: its index is bits 47:39, so the lower half of the addresses
//! uses entries 0 to 255 and the upper one 256 to 511. There is no hardware walk here (PWCH bit 24
//! stays clear): the refill handler must not follow an entry that is zero, but fill the TLB with an
//! invalid pair. The TLB keeps that, so making an entry valid needs an invalidation too.
//!
//! # Decisions
//! * V means valid *and accessed*, P that the page exists: a leaf without `ACCESSED` is present
//!   with V = 0, and its use raises a page-invalid exception, the access-flag fault of this
//!   architecture. D goes with `WRITE`, so no store raises a page-modified exception for less.
//! * `USER` is PLV = 3 and RPLV = 0: the kernel has the rights too, fetches included.
//! * `DEVICE` is SUC, in program order and one at a time; `UNCACHED` is WUC, which may be merged
//!   and speculated. `DEVICE | UNCACHED` is refused: there is no type stricter than SUC.
//! * H of a huge entry is where a basic one has G, and its G is bit 12, in the middle of a basic
//!   one's address. An entry does not know where it stands, so bit 9 says that a leaf is huge.
//! * Walks ignore bits that the formats do not define: 11:9 and 60:48 are software's. Bit 60 makes
//!   a table's entry, otherwise a bare address, differ from an unused entry in frame 0 too. LDDIR
//!   may drop that bit: a handler that uses it cannot tell such a table from nothing.
//! * A broken table's entry reads as a huge page with V = 0, so LDDIR does not follow it. Its
//!   address is moved up by 12 bits, because LDPTE takes bits 14:12 of a huge entry for a level
//!   and G. In a table of the last level it reads as a global page with V = 0.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::marker::PhantomData;

use super::encoding::{Encodings, bits_if, encodings, excluded};
use crate::addr::PhysAddr;
use crate::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData,
    PagingResult, TableView, check_frame, check_wx,
};

/// CSR.PWCL: the last level indexes with 9 bits from bit 12, Dir1 with 9 from 21, Dir2 with 9 from
/// 30; an entry has 64 bits.
pub const PWCL: u64 = 12 | 9 << 5 | 21 << 10 | 9 << 15 | 30 << 20 | 9 << 25;

/// CSR.PWCH: Dir3 (the root) indexes with 9 bits from bit 39; no Dir4, no walk by hardware.
pub const PWCH: u64 = 39 | 9 << 6;

/// CSR.STLBPS, and the PS field of CSR.TLBREHI for a pair of pages: log2 of 4 KiB. A pair of
/// halves of a block has 20 (2 MiB) or 29 (1 GiB).
pub const STLBPS: u64 = 12;

/// Valid, and accessed.
const VALID: u64 = 1 << 0;
const DIRTY: u64 = 1 << 1;
const USER: u64 = 0b11 << 2;
const MEMORY_TYPE: u64 = 0b11 << 4;
const STRONGLY_ORDERED_UNCACHED: u64 = 0 << 4;
const COHERENT_CACHED: u64 = 1 << 4;
const WEAKLY_ORDERED_UNCACHED: u64 = 2 << 4;
/// In a basic page's entry: global.
const GLOBAL: u64 = 1 << 6;
/// In a directory: a huge page's entry.
const HUGE: u64 = 1 << 6;
/// The page exists.
const PRESENT: u64 = 1 << 7;
const WRITE: u64 = 1 << 8;
/// Software: a huge page's entry, wherever it is looked at.
const IS_HUGE: u64 = 1 << 9;
/// Software: not present, but not unused.
const INVALID: u64 = 1 << 10;
/// Software: the address of a broken table's entry is moved up.
const MOVED: u64 = 1 << 11;
/// In a huge page's entry: global.
const HUGE_GLOBAL: u64 = 1 << 12;
/// Software: the user's.
const SOFTWARE: u64 = 0b11 << 56;
/// Software: a leaf that is not present for a moment.
const BROKEN: u64 = 1 << 58;
/// Software: an inaccessible or broken leaf is to have V when it is present again.
const INACCESSIBLE_ACCESSED: u64 = 1 << 59;
/// Software: a table's entry.
const TABLE: u64 = 1 << 60;
/// Software, in what is not present: a swap entry, with 32 bits from bit 12 on. No table's entry
/// that is broken keeps this bit.
const SWAP: u64 = TABLE;
const SWAP_SHIFT: u32 = 12;
const NO_READ: u64 = 1 << 61;
const NO_EXECUTE: u64 = 1 << 62;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const MOVED_BY: u32 = 12;

/// An entry of any of the four levels, 64 bits: a directory's or a page table's (volume 1, 5.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct LA64PTE(u64);

impl LA64PTE {
    #[inline]
    const fn is_table(self) -> bool {
        self.0 & TABLE != 0
    }

    #[inline]
    const fn is_global(self) -> bool {
        let global = if self.0 & IS_HUGE == 0 {
            GLOBAL
        } else {
            HUGE_GLOBAL
        };
        self.0 & global != 0
    }
}

// SAFETY: a directory's entry without H is a table, and only `new_table` makes one that counts as
// present: a leaf above the last level has H. What is not present has V clear and H where LDDIR
// could follow it. What was put in is read back by shifts and masks.
unsafe impl GenericPTE for LA64PTE {
    const COUNTS: bool = false;

    /// Of the bits 60:48, which the formats do not define.
    const SOFTWARE: u64 = SOFTWARE;

    const SWAP: bool = true;

    #[inline]
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        let attributes = attributes(flags, size)?;
        Ok(Self(attributes | check_frame(pa, size, ADDRESS)?))
    }

    #[inline]
    fn new_table(pa: PhysAddr) -> Self {
        Self(pa.as_usize() as u64 & ADDRESS | TABLE)
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn paddr(self) -> PhysAddr {
        let address = match self.0 & (IS_HUGE | MOVED) {
            0 => self.0,
            IS_HUGE => self.0 & !HUGE_GLOBAL,
            _ => self.0 >> MOVED_BY,
        };
        PhysAddr::new((address & ADDRESS) as usize)
    }

    #[inline]
    fn flags(self) -> MappingFlags {
        let mut flags = match self.0 & MEMORY_TYPE {
            STRONGLY_ORDERED_UNCACHED => MappingFlags::DEVICE,
            WEAKLY_ORDERED_UNCACHED => MappingFlags::UNCACHED,
            COHERENT_CACHED => MappingFlags::empty(),
            // Reserved: a set that no leaf is made with.
            _ => MappingFlags::MEMORY_TYPE,
        };
        flags.set(MappingFlags::READ, self.0 & NO_READ == 0);
        flags.set(MappingFlags::WRITE, self.0 & WRITE != 0);
        flags.set(MappingFlags::EXECUTE, self.0 & NO_EXECUTE == 0);
        flags.set(MappingFlags::USER, self.0 & USER == USER);
        flags.set(MappingFlags::GLOBAL, self.is_global());
        let accessed = self.0 & (VALID | INACCESSIBLE_ACCESSED) != 0;
        flags.set(MappingFlags::ACCESSED, accessed);
        flags.set(MappingFlags::EXECUTE_ANYWAY, flags.breaks_wx());
        flags
    }

    #[inline]
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult {
        self.0 = self.0 & !Self::address_mask(size) | check_frame(pa, size, ADDRESS)?;
        Ok(())
    }

    #[inline]
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult {
        self.0 = self.0 & (Self::address_mask(size) | SOFTWARE) | attributes(flags, size)?;
        Ok(())
    }

    #[inline]
    fn is_present(self) -> bool {
        self.0 != 0 && self.0 & INVALID == 0
    }

    #[inline]
    fn is_huge(self) -> bool {
        self.0 & HUGE != 0
    }

    #[inline]
    fn address_mask(size: PageSize) -> u64 {
        ADDRESS & !(size.bytes() as u64 - 1)
    }

    #[inline]
    fn next(self, size: PageSize) -> Self {
        Self(self.0.wrapping_add(size.bytes() as u64))
    }

    /// The manual leaves the order to software, which fills the TLB: what must not be there
    /// together is what two matching entries could answer differently (volume 1, 5.4).
    #[inline]
    fn needs_break(self, new: Self) -> bool {
        // A leaf that becomes a table: entries of two sizes for one address.
        if new.is_table() {
            return true;
        }
        // Another frame.
        if self.paddr() != new.paddr() {
            return true;
        }
        // Another memory access type: cached and uncached accesses to one frame.
        if (self.0 ^ new.0) & MEMORY_TYPE != 0 {
            return true;
        }
        // Global, where an entry of the ASID may be left.
        !self.is_global() && new.is_global()
    }

    #[inline]
    fn broken(self) -> Self {
        if self.is_table() {
            return Self((self.0 & ADDRESS) << MOVED_BY | MOVED | INVALID | HUGE);
        }
        // V says, too, that the leaf was accessed: as in one that is inaccessible.
        let accessed = if self.0 & VALID == 0 {
            0
        } else {
            INACCESSIBLE_ACCESSED
        };
        Self(self.0 & !(PRESENT | VALID) | INVALID | BROKEN | accessed)
    }

    fn new_swap(value: u32) -> Self {
        Self(INVALID | BROKEN | SWAP | u64::from(value) << SWAP_SHIFT)
    }

    #[inline]
    fn swap(self) -> Option<u32> {
        (self.0 & (INVALID | SWAP) == INVALID | SWAP).then_some((self.0 >> SWAP_SHIFT) as u32)
    }

    #[inline]
    fn is_broken(self) -> bool {
        // Where an address is moved up, bits 59:24 are its own.
        self.0 & MOVED != 0 || self.0 & BROKEN != 0
    }
}

/// All bits of a leaf but its frame.
#[inline]
fn attributes(flags: MappingFlags, size: PageSize) -> PagingResult<u64> {
    let bits = ENCODINGS.attributes(flags, encode)?;
    Ok(match size {
        PageSize::Size4K => bits,
        PageSize::Size2M | PageSize::Size1G => huge(bits),
    })
}

/// A basic page's attributes as a huge one's.
const fn huge(bits: u64) -> u64 {
    let global = if bits & GLOBAL == 0 { 0 } else { HUGE_GLOBAL };
    bits | HUGE | IS_HUGE | global
}

static ENCODINGS: Encodings = encodings!(flags => encode(flags));

/// All bits of a basic page's entry but its frame, or why there are none.
const fn encode(flags: MappingFlags) -> PagingResult<u64> {
    if let Err(error) = check_wx(flags) {
        return Err(error);
    }
    let refused = excluded(flags);
    if !refused.is_empty() {
        return Err(PagingError::Unsupported { flags, refused });
    }
    let (state, accessed) = if flags.intersects(MappingFlags::RIGHTS) {
        (PRESENT, VALID)
    } else {
        (INVALID, INACCESSIBLE_ACCESSED)
    };
    Ok(state
        | memory_type(flags)
        | NO_READ & !bits_if(flags, MappingFlags::READ, NO_READ)
        | bits_if(flags, MappingFlags::WRITE, WRITE | DIRTY)
        | NO_EXECUTE & !bits_if(flags, MappingFlags::EXECUTE, NO_EXECUTE)
        | bits_if(flags, MappingFlags::USER, USER)
        | bits_if(flags, MappingFlags::GLOBAL, GLOBAL)
        | bits_if(flags, MappingFlags::ACCESSED, accessed))
}

const fn memory_type(flags: MappingFlags) -> u64 {
    if flags.contains(MappingFlags::DEVICE) {
        STRONGLY_ORDERED_UNCACHED
    } else if flags.contains(MappingFlags::UNCACHED) {
        WEAKLY_ORDERED_UNCACHED
    } else {
        COHERENT_CACHED
    }
}

/// 4 levels of 4 KiB tables over both halves of 48-bit addresses, with 48-bit physical addresses.
///
/// The direct-mapped windows (CSR.DMW) are not among these addresses.
pub struct LA64MetaData<T>(PhantomData<T>);

// SAFETY: `PWCL` and `PWCH` are made for this: 4 levels of 9 bits, canonical; the TLB keeps what
// was filled in as invalid.
unsafe impl<T: Maintenance> PagingMetaData for LA64MetaData<T> {
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = 48;
    const CACHES_INVALID: bool = true;
    type Maintenance = T;
}

/// A page table with invalidations by `T` and frames from `H`; its root is PGDL's and PGDH's.
pub type LA64PageTable<T, H> = PageTable64<LA64MetaData<T>, LA64PTE, H>;

/// A tree to be read, which somebody else may own: the one that PGDL and PGDH name, say.
pub type LA64TableView<T, H> = TableView<LA64MetaData<T>, LA64PTE, H>;
