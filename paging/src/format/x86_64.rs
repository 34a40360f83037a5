//! x86-64 4-level paging: entries, both halves in one tree, and what the registers must say.
//!
//! Intel SDM volume 3A, chapter "Paging": 4-level paging (formats of PML4E, PDPTE, PDE and PTE),
//! access rights, accessed and dirty flags, memory typing, caching translation information;
//! chapter "Memory Cache Control": page attribute table. AMD's manual (volume 2, 5.3) agrees.
//!
//! The rights mean what they say with CR0.WP = 1, EFER.NXE = 1, CR4.PGE = 1 and, where the CPU has
//! them, CR4.SMEP = 1; the memory types with [`IA32_PAT`].
//!
//! # Decisions
//! * Rights are ANDed over the levels, so a table's entry grants all and its leaves decide. Its
//!   accessed bit is set from the start, so the hardware never writes it.
//! * The dirty bit goes with `WRITE`, so the hardware never has to write it. It does set the
//!   accessed bit of a leaf without `ACCESSED`, instead of a fault, when the leaf is used.
//! * `DEVICE` is UC and `UNCACHED` is UC-, by PCD and PWT alone. `DEVICE | UNCACHED` is refused:
//!   no type forbids an early acknowledgement. The PAT bit stays clear; it is bit 7 of a page and
//!   bit 12 of a block, so nothing here could read it back.
//! * An occupancy count is in bits 61:52 of a table's entry, which are ignored there. In a leaf 53:52
//!   are `SoftwareBits`: 62:59 may be a protection key.
//! * What is not present has bit 0 clear, and bit 9 (ignored) set: it is not zero in frame 0; bit
//!   10 is set as well in what is broken. It keeps its frame in clear text: on a CPU with the L1
//!   terminal fault, whoever could use the page may still read by speculation what the L1 cache
//!   holds of it.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::marker::PhantomData;

use super::encoding::{Encodings, bits_if, encodings, excluded};
use crate::addr::PhysAddr;
use crate::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData,
    PagingResult, TableView, check_frame, check_wx,
};

/// IA32_PAT as at power-on: what PAT:PCD:PWT of an entry select is, from 0, WB, WT, UC-, UC and the
/// same again. Firmware may have changed it.
pub const IA32_PAT: u64 = 0x0007_0406_0007_0406;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const CACHE_DISABLE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// In a PDPTE or PDE: a leaf. In a PTE it is the PAT bit.
const PAGE_SIZE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
/// Software: not present, but not unused.
const INVALID: u64 = 1 << 9;
/// Software: not present for a moment.
const BROKEN: u64 = 1 << 10;
/// In what is not present, where it is software's: a swap entry. Its 32 bits are inverted, bits
/// 51:20, so that small values are frames that no machine has: speculation on a CPU with the L1
/// terminal fault looks there.
const SWAP: u64 = 1 << 11;
const SWAP_SHIFT: u32 = 20;
/// Software: the user's.
const SOFTWARE: u64 = 0b11 << 52;
const EXECUTE_DISABLE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const COUNT_SHIFT: u32 = 52;
const COUNT: u64 = 0x3ff << COUNT_SHIFT;

const UNCACHEABLE: u64 = CACHE_DISABLE | WRITE_THROUGH;
const UNCACHEABLE_MINUS: u64 = CACHE_DISABLE;
const MEMORY_TYPE: u64 = CACHE_DISABLE | WRITE_THROUGH;

/// An entry of any of the four levels, 64 bits: PML4E, PDPTE, PDE or PTE.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct X64PTE(u64);

// SAFETY: a present entry without PS is a table above the last level, and only `new_table` makes
// one there. Without P no walker follows it. What was put in is read back by shifts and masks.
unsafe impl GenericPTE for X64PTE {
    const COUNTS: bool = true;

    /// Of the bits 58:52, which are ignored in a leaf.
    const SOFTWARE: u64 = SOFTWARE;

    const SWAP: bool = true;

    #[inline]
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        let attributes = attributes(flags, size)?;
        Ok(Self(attributes | check_frame(pa, size, ADDRESS)?))
    }

    #[inline]
    fn new_table(pa: PhysAddr) -> Self {
        Self(pa.as_usize() as u64 & ADDRESS | ACCESSED | USER | WRITABLE | PRESENT)
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
        PhysAddr::new((self.0 & ADDRESS) as usize)
    }

    #[inline]
    fn flags(self) -> MappingFlags {
        let mut flags = match self.0 & MEMORY_TYPE {
            UNCACHEABLE => MappingFlags::DEVICE,
            UNCACHEABLE_MINUS => MappingFlags::UNCACHED,
            _ => MappingFlags::empty(),
        };
        flags.set(MappingFlags::READ, self.0 & PRESENT != 0);
        flags.set(MappingFlags::WRITE, self.0 & WRITABLE != 0);
        flags.set(MappingFlags::EXECUTE, self.0 & EXECUTE_DISABLE == 0);
        flags.set(MappingFlags::USER, self.0 & USER != 0);
        flags.set(MappingFlags::GLOBAL, self.0 & GLOBAL != 0);
        flags.set(MappingFlags::ACCESSED, self.0 & ACCESSED != 0);
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
        self.0 & PRESENT != 0
    }

    #[inline]
    fn is_huge(self) -> bool {
        self.0 & PAGE_SIZE != 0
    }

    #[inline]
    fn address_mask(size: PageSize) -> u64 {
        ADDRESS & !(size.bytes() as u64 - 1)
    }

    #[inline]
    fn next(self, size: PageSize) -> Self {
        Self(self.0.wrapping_add(size.bytes() as u64))
    }

    /// Changes after which a processor may use either entry until INVLPG, where that would be wrong
    /// (the section "Recommended Invalidation" of the manual's chapter "Paging").
    #[inline]
    fn needs_break(self, new: Self) -> bool {
        let changed = self.0 ^ new.0;
        // Another frame: a processor may use either, for each access anew.
        if changed & ADDRESS != 0 {
            return true;
        }
        // Another memory type: aliases of different types for one frame.
        if changed & MEMORY_TYPE != 0 {
            return true;
        }
        // Another page size: entries of both may be used.
        if changed & PAGE_SIZE != 0 {
            return true;
        }
        // Global, where an entry of the PCID may be left.
        changed & new.0 & GLOBAL != 0
    }

    #[inline]
    fn broken(self) -> Self {
        Self(self.0 & !PRESENT | INVALID | BROKEN)
    }

    fn new_swap(value: u32) -> Self {
        Self(INVALID | BROKEN | SWAP | u64::from(!value) << SWAP_SHIFT)
    }

    #[inline]
    fn swap(self) -> Option<u32> {
        (self.0 & (PRESENT | SWAP) == SWAP).then_some(!((self.0 >> SWAP_SHIFT) as u32))
    }

    #[inline]
    fn is_broken(self) -> bool {
        self.0 & BROKEN != 0
    }

    #[inline]
    fn with_count(self, count: usize) -> Self {
        Self(self.0 & !COUNT | (count as u64) << COUNT_SHIFT & COUNT)
    }

    #[inline]
    fn count(self) -> usize {
        ((self.0 & COUNT) >> COUNT_SHIFT) as usize
    }
}

/// All bits of a leaf but its frame.
#[inline]
fn attributes(flags: MappingFlags, size: PageSize) -> PagingResult<u64> {
    let bits = ENCODINGS.attributes(flags, encode)?;
    Ok(match size {
        PageSize::Size4K => bits,
        PageSize::Size2M | PageSize::Size1G => bits | PAGE_SIZE,
    })
}

static ENCODINGS: Encodings = encodings!(flags => encode(flags));

/// All bits of a page but its frame, or why there are none.
const fn encode(flags: MappingFlags) -> PagingResult<u64> {
    if let Err(error) = check_wx(flags) {
        return Err(error);
    }
    let refused = excluded(flags);
    let present = flags.intersects(MappingFlags::RIGHTS);
    if !refused.is_empty() || present && !flags.contains(MappingFlags::READ) {
        return Err(PagingError::Unsupported { flags, refused });
    }
    let state = if present { PRESENT } else { INVALID };
    Ok(state
        | memory_type(flags)
        | bits_if(flags, MappingFlags::WRITE, WRITABLE | DIRTY)
        | bits_if(flags, MappingFlags::USER, USER)
        | bits_if(flags, MappingFlags::GLOBAL, GLOBAL)
        | bits_if(flags, MappingFlags::ACCESSED, ACCESSED)
        | EXECUTE_DISABLE & !bits_if(flags, MappingFlags::EXECUTE, EXECUTE_DISABLE))
}

const fn memory_type(flags: MappingFlags) -> u64 {
    bits_if(flags, MappingFlags::DEVICE, UNCACHEABLE)
        | bits_if(flags, MappingFlags::UNCACHED, UNCACHEABLE_MINUS)
}

/// 4 levels of 4 KiB tables over both canonical halves of 48-bit addresses.
///
/// An entry has room for 52 bits of physical address. A CPU may have fewer (CPUID leaf
/// 0x8000_0008, EAX bits 7:0), and then faults on entries with more.
pub struct X64MetaData<T>(PhantomData<T>);

// SAFETY: 4-level paging: 48 bits, canonical. Entries that are not present are never cached.
unsafe impl<T: Maintenance> PagingMetaData for X64MetaData<T> {
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = 52;
    type Maintenance = T;
}

/// A page table with invalidations by `T` and frames from `H`; its root is CR3's.
pub type X64PageTable<T, H> = PageTable64<X64MetaData<T>, X64PTE, H>;

/// A tree to be read, which somebody else may own: the one that CR3 names, say.
pub type X64TableView<T, H> = TableView<X64MetaData<T>, X64PTE, H>;
