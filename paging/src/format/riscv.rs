//! RISC-V Sv39 and Sv48: entries with and without Svpbmt, addresses.
//!
//! The RISC-V Instruction Set Manual volume II: chapter "Supervisor-Level ISA" (Sv39, Sv48: format
//! of an entry, address translation, accessed and dirty bits), extension Svpbmt (page-based memory
//! types), memory-management fence `sfence.vma`.
//!
//! # Decisions
//! * Without Svpbmt the memory type of an address is the platform's (its PMAs), so `DEVICE` and
//!   `UNCACHED` are refused. With it, `DEVICE` is IO and `UNCACHED` is NC; `DEVICE | UNCACHED` is
//!   refused, as no type says anything about early acknowledgements.
//! * The dirty bit goes with `WRITE`, so that no store faults for it or makes the hardware write
//!   the entry. Without `ACCESSED` the first use faults, or the hardware sets the bit (Svadu).
//! * An inaccessible leaf has V = 0, which leaves all other bits to software; they stay where they
//!   are in a present leaf. Bit 54 (reserved, so zero, in a valid entry) says that the entry is not
//!   unused, also in frame 0; bit 55 is set as well in one that is broken. Its size is, as for a
//!   present leaf, the level at which it stands.
//! * A table's entry has all of D, A, U, G, R, W and X clear, as the manual asks for.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::fmt;
use core::marker::PhantomData;

use super::encoding::{Encodings, bits_if, encodings, excluded};
use crate::addr::PhysAddr;
use crate::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData,
    PagingResult, TableView, check_frame, check_wx,
};

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const GLOBAL: u64 = 1 << 5;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
/// RSW, software: the user's.
const SOFTWARE: u64 = 0b11 << 8;
/// In an entry without V, where it is software's: not unused.
const INVALID: u64 = 1 << 54;
/// In an entry without V: not valid for a moment.
const BROKEN: u64 = 1 << 55;
/// In an entry without V: a swap entry, with 32 bits from bit 10 on.
const SWAP: u64 = 1 << 56;
const SWAP_SHIFT: u32 = 10;
/// The rights: a valid leaf has at least one, a table's entry none.
const LEAF: u64 = READ | WRITE | EXECUTE;
/// The frame's number, bits 53:10.
const FRAME: u64 = 0x003f_ffff_ffff_fc00;
/// A physical address, shifted down by this, has its frame's number in the place of an entry's:
/// 0x8000_1000 is bits 53:10 of 0x2000_0400.
const FRAME_SHIFT: u32 = 2;
/// Bits of a physical address: 44 of frame number, 12 of offset.
const PA_BITS: u32 = 56;
const MEMORY_TYPE: u64 = 0b11 << 61;
const NON_CACHEABLE: u64 = 0b01 << 61;
const IO: u64 = 0b10 << 61;

/// Whether an entry has a say in the type of its memory: [`Platform`] (no) or [`Svpbmt`] (yes).
pub trait MemoryTypes: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// The flags of memory types that entries have an encoding for; others are refused.
    const FLAGS: MappingFlags;
}

/// The base ISA: the platform alone gives a physical address its memory type, by its physical
/// memory attributes (PMAs).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Platform;

impl MemoryTypes for Platform {
    const FLAGS: MappingFlags = MappingFlags::empty();
}

/// CPUs with Svpbmt, switched on in `menvcfg.PBMTE`: bits 62:61 of an entry give its memory a type,
/// or leave that to the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Svpbmt;

impl MemoryTypes for Svpbmt {
    const FLAGS: MappingFlags = MappingFlags::MEMORY_TYPE;
}

/// An entry of any level of Sv39 or Sv48, on a CPU that takes memory types from `E`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct Rv64Entry<E>(u64, PhantomData<E>);

/// An entry of Sv39 or Sv48 on a CPU without Svpbmt: `DEVICE` and `UNCACHED` are refused.
pub type Rv64PTE = Rv64Entry<Platform>;

/// An entry of Sv39 or Sv48 on a CPU with Svpbmt: `DEVICE` is IO, `UNCACHED` is NC.
pub type Rv64PbmtPTE = Rv64Entry<Svpbmt>;

impl<E: MemoryTypes> Rv64Entry<E> {
    const ENCODINGS: &'static Encodings = &encodings!(flags => encode(flags, E::FLAGS));

    #[inline]
    const fn new(bits: u64) -> Self {
        Self(bits, PhantomData)
    }

    /// All bits of a leaf but its frame.
    #[inline]
    fn attributes(flags: MappingFlags) -> PagingResult<u64> {
        Self::ENCODINGS.attributes(flags, |flags| encode(flags, E::FLAGS))
    }
}

// SAFETY: a valid entry without R, W and X is a table, and only `new_table` makes one: a present
// leaf has a right. Without V no walker follows it. What was put in is read back by shifts and
// masks.
unsafe impl<E: MemoryTypes> GenericPTE for Rv64Entry<E> {
    const COUNTS: bool = false;

    /// RSW, the bits 9:8.
    const SOFTWARE: u64 = SOFTWARE;

    const SWAP: bool = true;

    #[inline]
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        let attributes = Self::attributes(flags)?;
        Ok(Self::new(attributes | frame_number(pa, size)?))
    }

    #[inline]
    fn new_table(pa: PhysAddr) -> Self {
        Self::new(pa.as_usize() as u64 >> FRAME_SHIFT & FRAME | VALID)
    }

    #[inline]
    fn from_bits(bits: u64) -> Self {
        Self::new(bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    fn paddr(self) -> PhysAddr {
        PhysAddr::new(((self.0 & FRAME) << FRAME_SHIFT) as usize)
    }

    #[inline]
    fn flags(self) -> MappingFlags {
        let mut flags = match self.0 & MEMORY_TYPE {
            0 => MappingFlags::empty(),
            NON_CACHEABLE => MappingFlags::UNCACHED,
            IO => MappingFlags::DEVICE,
            // Reserved: a set that no leaf is made with.
            _ => MappingFlags::MEMORY_TYPE,
        };
        flags.set(MappingFlags::READ, self.0 & READ != 0);
        flags.set(MappingFlags::WRITE, self.0 & WRITE != 0);
        flags.set(MappingFlags::EXECUTE, self.0 & EXECUTE != 0);
        flags.set(MappingFlags::USER, self.0 & USER != 0);
        flags.set(MappingFlags::GLOBAL, self.0 & GLOBAL != 0);
        flags.set(MappingFlags::ACCESSED, self.0 & ACCESSED != 0);
        flags.set(MappingFlags::EXECUTE_ANYWAY, flags.breaks_wx());
        flags
    }

    #[inline]
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult {
        self.0 = self.0 & !Self::address_mask(size) | frame_number(pa, size)?;
        Ok(())
    }

    #[inline]
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult {
        self.0 = self.0 & (Self::address_mask(size) | SOFTWARE) | Self::attributes(flags)?;
        Ok(())
    }

    #[inline]
    fn is_present(self) -> bool {
        self.0 & VALID != 0
    }

    #[inline]
    fn is_huge(self) -> bool {
        self.0 & LEAF != 0 || self.0 & (VALID | INVALID) == INVALID
    }

    #[inline]
    fn address_mask(size: PageSize) -> u64 {
        FRAME & !((size.bytes() as u64 - 1) >> FRAME_SHIFT)
    }

    #[inline]
    fn next(self, size: PageSize) -> Self {
        Self::new(self.0.wrapping_add(size.bytes() as u64 >> FRAME_SHIFT))
    }

    /// Until SFENCE.VMA an implementation may use the old or the new entry, for each access anew:
    /// what must not be seen in turns.
    #[inline]
    fn needs_break(self, new: Self) -> bool {
        let changed = self.0 ^ new.0;
        // A leaf that becomes a table.
        if new.0 & LEAF == 0 {
            return true;
        }
        // Another frame.
        if changed & FRAME != 0 {
            return true;
        }
        // Another memory type (Svpbmt): cached and uncached accesses to one frame.
        if changed & MEMORY_TYPE != 0 {
            return true;
        }
        // Global, where an entry of the ASID may be left.
        changed & new.0 & GLOBAL != 0
    }

    #[inline]
    fn broken(self) -> Self {
        Self::new(self.0 & !VALID | INVALID | BROKEN)
    }

    fn new_swap(value: u32) -> Self {
        Self::new(INVALID | BROKEN | SWAP | u64::from(value) << SWAP_SHIFT)
    }

    #[inline]
    fn swap(self) -> Option<u32> {
        (self.0 & (VALID | SWAP) == SWAP).then_some((self.0 >> SWAP_SHIFT) as u32)
    }

    #[inline]
    fn is_broken(self) -> bool {
        self.0 & BROKEN != 0
    }
}

/// All bits of a leaf but its frame, or why there are none.
const fn encode(flags: MappingFlags, memory_types: MappingFlags) -> PagingResult<u64> {
    if let Err(error) = check_wx(flags) {
        return Err(error);
    }
    let refused = refused(flags, memory_types);
    if !refused.is_empty() {
        return Err(PagingError::Unsupported { flags, refused });
    }
    let present = flags.intersects(MappingFlags::RIGHTS);
    let state = if present { VALID } else { INVALID };
    Ok(state
        | bits_if(flags, MappingFlags::READ, READ)
        | bits_if(flags, MappingFlags::WRITE, WRITE | DIRTY)
        | bits_if(flags, MappingFlags::EXECUTE, EXECUTE)
        | bits_if(flags, MappingFlags::USER, USER)
        | bits_if(flags, MappingFlags::GLOBAL, GLOBAL)
        | bits_if(flags, MappingFlags::ACCESSED, ACCESSED)
        | bits_if(flags, MappingFlags::DEVICE, IO)
        | bits_if(flags, MappingFlags::UNCACHED, NON_CACHEABLE))
}

/// The flags that no entry can have together with the rest. R = 0 with W = 1 is reserved.
const fn refused(flags: MappingFlags, memory_types: MappingFlags) -> MappingFlags {
    let memory_type = flags.intersection(MappingFlags::MEMORY_TYPE);
    let mut refused = excluded(flags).union(memory_type.difference(memory_types));
    if !flags.contains(MappingFlags::READ) {
        refused = refused.union(flags.intersection(MappingFlags::WRITE));
    }
    refused
}

/// `pa` as the frame's number, in its place, of a leaf of `size`.
#[inline]
fn frame_number(pa: PhysAddr, size: PageSize) -> PagingResult<u64> {
    Ok(check_frame(pa, size, FRAME << FRAME_SHIFT)? >> FRAME_SHIFT)
}

/// Sv39: 3 levels of 4 KiB tables over both halves of 39-bit addresses, 256 GiB each, with 56-bit
/// physical addresses.
pub struct Sv39MetaData<T>(PhantomData<T>);

// SAFETY: as the manual has the mode: levels of 9 bits, canonical; that an entry was invalid may be
// remembered.
unsafe impl<T: Maintenance> PagingMetaData for Sv39MetaData<T> {
    const LEVELS: usize = 3;
    const PA_MAX_BITS: usize = PA_BITS as usize;
    const CACHES_INVALID: bool = true;
    type Maintenance = T;
}

/// Sv48: 4 levels of 4 KiB tables over both halves of 48-bit addresses, 128 TiB each, with 56-bit
/// physical addresses.
pub struct Sv48MetaData<T>(PhantomData<T>);

// SAFETY: as the manual has the mode: levels of 9 bits, canonical; that an entry was invalid may be
// remembered.
unsafe impl<T: Maintenance> PagingMetaData for Sv48MetaData<T> {
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = PA_BITS as usize;
    const CACHES_INVALID: bool = true;
    type Maintenance = T;
}

/// An Sv39 page table of entries `P`, with fences by `T` and frames from `H`: its root is `satp`'s
/// with mode 8.
pub type Sv39PageTable<T, H, P = Rv64PTE> = PageTable64<Sv39MetaData<T>, P, H>;

/// An Sv39 tree to be read, which somebody else may own: the one that `satp` names, say.
pub type Sv39TableView<T, H, P = Rv64PTE> = TableView<Sv39MetaData<T>, P, H>;

/// An Sv48 page table of entries `P`, with fences by `T` and frames from `H`: its root is `satp`'s
/// with mode 9.
pub type Sv48PageTable<T, H, P = Rv64PTE> = PageTable64<Sv48MetaData<T>, P, H>;

/// An Sv48 tree to be read, which somebody else may own: the one that `satp` names, say.
pub type Sv48TableView<T, H, P = Rv64PTE> = TableView<Sv48MetaData<T>, P, H>;
