//! VMSAv8-64, 4 KiB granule, 48-bit halves: descriptors and addresses.
//!
//! Arm DDI 0487: D8.3.1 (table, block and page descriptors), D8.17.1 (break-before-make);
//! Cortex-A53 TRM DDI 0500 for what the core implements: 40-bit physical addresses, 16-bit ASIDs,
//! no hardware access flag. The bits themselves are drawn in `aarch64_bits`; descriptors mean this
//! with the registers as [`aarch64_registers`](super::aarch64_registers) has them.
//!
//! # An address
//!
//! ```text
//!  63          48 47      39 38      30 29      21 20      12 11          0
//! +--------------+----------+----------+----------+----------+-------------+
//! | 0, or 0xffff | level 0  | level 1  | level 2  | level 3  | in the page |
//! +--------------+----------+----------+----------+----------+-------------+
//! ```
//!
//! 0xffff_0000_0040_3000 is TTBR1_EL1's: entry 0 at level 0, 0 at level 1, 2 at level 2, 3 at level
//! 3. Leaves may stand at level 1 (1 GiB), 2 (2 MiB) and 3 (4 KiB).
//!
//! # Decisions
//! * A tree translates one half, and says which by its type: the same descriptor indices serve
//!   both, so a tree that took both would alias every address with one of the other half.
//! * An inaccessible leaf has bit 0 clear, and bit 55 (reserved for software) set: an inaccessible
//!   page of frame 0 is not all zero.
//! * `DEVICE` is nGnRE and `DEVICE | UNCACHED` nGnRnE.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::fmt;
use core::marker::PhantomData;

use super::aarch64_bits::{
    ACCESS_FLAG, AP_EL0, AP_READ_ONLY, ATTR_INDEX, ATTR_INDEX_SHIFT, CONTIGUOUS, COUNT,
    COUNT_SHIFT, DECIDES_RIGHTS, INACCESSIBLE, INNER_SHAREABLE, NON_GLOBAL, NOT_BLOCK,
    OUTPUT_ADDRESS, PXN, SOFTWARE, SWAP, SWAP_SHIFT, UXN, VALID, block_bit, decode, encode,
    granted, lookup, memory_type,
};
use crate::addr::{PhysAddr, VirtAddr};
use crate::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingMetaData, PagingResult,
    Rights, TableView, check_frame,
};

/// A VMSAv8-64 stage-1 descriptor of the EL1&0 regime, 4 KiB granule, 64 bits (DDI 0487 D8.3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct A64PTE(u64);

impl A64PTE {
    /// All bits of a leaf of `size` but its output address: for a boot map, in a `const`, with
    /// flags that are known to have an encoding. Kernel data as a page is 0x0060_0000_0000_0713.
    ///
    /// # Panics
    /// When `flags` have no encoding; in a `const` that is a compile error.
    #[must_use]
    #[expect(clippy::panic, reason = "in a const, an error of the compiler")]
    pub const fn attributes(flags: MappingFlags, size: PageSize) -> u64 {
        match encode(flags) {
            Ok(bits) => bits & !block_bit(size),
            Err(_) => panic!("these flags have no encoding"),
        }
    }

    /// PXN, bit 53: not executable at EL1 (DDI 0487 D8.4.1).
    #[must_use]
    pub const fn is_privileged_execute_never(self) -> bool {
        self.0 & PXN != 0
    }

    /// UXN, bit 54: not executable at EL0 (DDI 0487 D8.4.1).
    #[must_use]
    pub const fn is_unprivileged_execute_never(self) -> bool {
        self.0 & UXN != 0
    }

    /// AttrIndx, bits 4:2: which byte of MAIR_EL1 has the memory type, 0 to 7.
    #[must_use]
    pub const fn attr_index(self) -> u64 {
        (self.0 & ATTR_INDEX) >> ATTR_INDEX_SHIFT
    }

    /// The rights of EL1 and EL0 to a present leaf (DDI 0487 D8.4.1), whoever has made it: EL1
    /// never executes a leaf that EL0 may write, whatever PXN says.
    #[must_use]
    pub fn rights(self) -> Rights {
        let el0 = self.0 & AP_EL0 != 0;
        let writable = self.0 & AP_READ_ONLY == 0;
        let mut kernel = MappingFlags::READ;
        kernel.set(MappingFlags::WRITE, writable);
        let executes = self.0 & PXN == 0 && !(el0 && writable);
        kernel.set(MappingFlags::EXECUTE, executes);
        let mut user = MappingFlags::empty();
        user.set(MappingFlags::READ, el0);
        user.set(MappingFlags::WRITE, el0 && writable);
        user.set(MappingFlags::EXECUTE, self.0 & UXN == 0);
        Rights { kernel, user }
    }

    /// The flags of an inaccessible leaf: no rights; whose it is stands in AP\[1\], which no walker
    /// reads in an invalid descriptor.
    const fn inaccessible_flags(self) -> MappingFlags {
        let mut flags = memory_type(self.0);
        if self.0 & ACCESS_FLAG != 0 {
            flags = flags.union(MappingFlags::ACCESSED);
        }
        if self.0 & NON_GLOBAL == 0 {
            flags = flags.union(MappingFlags::GLOBAL);
        }
        if self.0 & AP_EL0 != 0 {
            flags = flags.union(MappingFlags::USER);
        }
        flags
    }

    /// SH, bits 9:8: 0 non-shareable, 2 outer shareable, 3 inner shareable (DDI 0487 D8.3.2).
    #[must_use]
    pub const fn shareability(self) -> u64 {
        (self.0 >> 8) & 0b11
    }
}

/// A descriptor found at `level`, as text: `page 4K at 0x0000000080000000 AttrIndx=4 AP=00 SH=3
/// AF=1 nG=0 PXN=1 UXN=1`, with the manual's names of the fields.
#[derive(Clone, Copy, Debug)]
pub struct Describe {
    /// The descriptor, valid or not.
    pub entry: A64PTE,
    /// The level of the table it stands in, 0 to 3.
    pub level: usize,
}

impl fmt::Display for Describe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, level } = *self;
        let bit = |bit: u64| u8::from(entry.0 & bit != 0);
        if !entry.is_present() {
            let inaccessible = entry.0 & INACCESSIBLE != 0;
            return f.write_str(if inaccessible {
                "inaccessible"
            } else {
                "invalid"
            });
        }
        let size = match (level, entry.is_huge()) {
            (0..=2, false) => return write!(f, "table at {}", entry.paddr()),
            (1, true) => "block 1G",
            (2, true) => "block 2M",
            (3, false) => "page 4K",
            _ => return f.write_str("reserved"),
        };
        write!(
            f,
            "{size} at {} AttrIndx={} AP={}{} SH={} AF={} nG={} PXN={} UXN={}",
            entry.paddr(),
            entry.attr_index(),
            bit(AP_READ_ONLY),
            bit(AP_EL0),
            entry.shareability(),
            bit(ACCESS_FLAG),
            bit(NON_GLOBAL),
            bit(PXN),
            bit(UXN),
        )
    }
}

// SAFETY: a valid descriptor with bit 1 set is a table above the last level, and only `new_table`
// makes one there: blocks have it clear. Without bit 0 no walker follows it. D8.17.1's list is in
// `needs_break`; what was put in is read back by shifts and masks.
unsafe impl GenericPTE for A64PTE {
    /// In the bits 11:2 of a table descriptor, which the hardware ignores (DDI 0487 D8.3.1).
    const COUNTS: bool = true;

    /// 16 with the 4 KiB granule, at the levels 2 and 3 (DDI 0487 D8.7.1).
    const CONTIGUOUS: usize = 16;

    /// Of the bits 58:55, which are reserved for software use (DDI 0487 D8.3.1); 55 is the mark of an
    /// inaccessible leaf.
    const SOFTWARE: u64 = SOFTWARE;

    const SWAP: bool = true;

    #[inline]
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        let attributes = lookup(flags, size)?;
        Ok(Self(attributes | check_frame(pa, size, OUTPUT_ADDRESS)?))
    }

    #[inline(always)]
    fn new_table(pa: PhysAddr) -> Self {
        Self(pa.as_usize() as u64 & OUTPUT_ADDRESS | NOT_BLOCK | VALID)
    }

    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline(always)]
    fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn paddr(self) -> PhysAddr {
        PhysAddr::new((self.0 & OUTPUT_ADDRESS) as usize)
    }

    #[inline]
    fn flags(self) -> MappingFlags {
        if self.is_present() {
            return decode(self.0);
        }
        self.inaccessible_flags()
    }

    fn odd_rights(self) -> Option<Rights> {
        // A leaf that this format makes has the rights that its flags say. That is asked first, by
        // a look into the table: whoever walks a tree asks for each leaf.
        let flags = self.flags();
        let is_ours =
            lookup(flags, PageSize::Size4K).is_ok_and(|made| (made ^ self.0) & DECIDES_RIGHTS == 0);
        if is_ours || !self.is_present() {
            return None;
        }
        let rights = self.rights();
        (rights != granted(flags)).then_some(rights)
    }

    #[inline]
    fn set_paddr(&mut self, pa: PhysAddr, size: PageSize) -> PagingResult {
        self.0 = self.0 & !OUTPUT_ADDRESS | check_frame(pa, size, OUTPUT_ADDRESS)?;
        Ok(())
    }

    #[inline]
    fn set_flags(&mut self, flags: MappingFlags, size: PageSize) -> PagingResult {
        self.0 = self.0 & (OUTPUT_ADDRESS | SOFTWARE) | lookup(flags, size)?;
        Ok(())
    }

    #[inline(always)]
    fn is_present(self) -> bool {
        self.0 & VALID != 0
    }

    /// A block, valid or inaccessible: bit 1 is clear. A broken one is neither.
    #[inline(always)]
    fn is_huge(self) -> bool {
        self.0 & (VALID | INACCESSIBLE) != 0 && self.0 & NOT_BLOCK == 0
    }

    #[inline(always)]
    fn address_mask(_: PageSize) -> u64 {
        OUTPUT_ADDRESS
    }

    /// The address field is in place, so the next frame is one addition away: 0x8000_0713 of a page
    /// becomes 0x8000_1713.
    #[inline(always)]
    fn next(self, size: PageSize) -> Self {
        Self(self.0.wrapping_add(size.bytes() as u64))
    }

    /// The list of DDI 0487 D8.17.1, one return each. All else is rights (AP, PXN, UXN), the access
    /// flag and software's bits: with those, two cores may differ for a moment.
    #[inline]
    fn needs_break(self, new: Self) -> bool {
        let changed = self.0 ^ new.0;
        // Another output address: stores of two cores would go to two frames.
        if changed & OUTPUT_ADDRESS != 0 {
            return true;
        }
        // Another memory type: accesses with mismatched attributes lose coherency.
        if changed & ATTR_INDEX != 0 {
            return true;
        }
        // Another shareability: again mismatched attributes.
        if changed & INNER_SHAREABLE != 0 {
            return true;
        }
        // A block that becomes a table, or the reverse: another size of translation, and a TLB that
        // holds both may raise a conflict abort.
        if changed & NOT_BLOCK != 0 {
            return true;
        }
        // The Contiguous bit: the group's one entry and the leaf's own would both match.
        if changed & CONTIGUOUS != 0 {
            return true;
        }
        // Non-global that becomes global: the entry of the ASID and the global one would both
        // match. The reverse leaves one, which the invalidation removes.
        self.0 & NON_GLOBAL != 0 && new.0 & NON_GLOBAL == 0
    }

    /// Bit 1 keeps the broken entry of frame 0 from being unused; a block has its attributes.
    #[inline(always)]
    fn broken(self) -> Self {
        Self(self.0 & !VALID)
    }

    fn new_swap(value: u32) -> Self {
        Self(SWAP | u64::from(value) << SWAP_SHIFT)
    }

    #[inline]
    fn swap(self) -> Option<u32> {
        (self.0 & (VALID | SWAP) == SWAP).then_some((self.0 >> SWAP_SHIFT) as u32)
    }

    /// Bit 1 is set in every page, whatever became of it, and clear in a swap entry.
    #[inline(always)]
    fn is_page(self) -> bool {
        self.0 & NOT_BLOCK != 0
    }

    /// Neither valid nor inaccessible, and not the zero of an unused entry.
    #[inline(always)]
    fn is_broken(self) -> bool {
        self.0 & (VALID | INACCESSIBLE) == 0 && self.0 != 0
    }

    #[inline(always)]
    fn with_count(self, count: usize) -> Self {
        Self(self.0 & !COUNT | (count as u64) << COUNT_SHIFT)
    }

    #[inline(always)]
    fn count(self) -> usize {
        ((self.0 & COUNT) >> COUNT_SHIFT) as usize
    }

    /// One addition: a table has at most 512 used entries, and the field room for 1023, so nothing
    /// is carried into the address.
    #[inline(always)]
    fn counted_up(self) -> Self {
        Self(self.0 + (1 << COUNT_SHIFT))
    }

    #[inline(always)]
    fn counted_down(self) -> Self {
        Self(self.0 - (1 << COUNT_SHIFT))
    }

    #[inline(always)]
    fn is_contiguous(self) -> bool {
        self.0 & CONTIGUOUS != 0
    }

    #[inline(always)]
    fn with_contiguous(self) -> Self {
        Self(self.0 | CONTIGUOUS)
    }

    #[inline(always)]
    fn without_contiguous(self) -> Self {
        Self(self.0 & !CONTIGUOUS)
    }
}

mod sealed {
    /// There are two halves.
    pub trait Sealed {}
}

/// The half of the address space that a tree translates: [`LowHalf`] or [`HighHalf`].
pub trait Half: sealed::Sealed + Send + Sync + 'static {
    /// The first address of the half.
    const BASE: usize;
}

/// The half that TTBR0_EL1 translates: 0x0 to 0x0000_ffff_ffff_ffff, that of processes.
pub struct LowHalf;

/// The half that TTBR1_EL1 translates: 0xffff_0000_0000_0000 to 0xffff_ffff_ffff_ffff, the
/// kernel's.
pub struct HighHalf;

impl sealed::Sealed for LowHalf {}

impl Half for LowHalf {
    const BASE: usize = 0;
}

impl sealed::Sealed for HighHalf {}

impl Half for HighHalf {
    const BASE: usize = 0xffff_0000_0000_0000;
}

/// 4 levels of 4 KiB tables over one 48-bit half, on a CPU with `PA_BITS` bits of physical
/// address: 40 on a Cortex-A53.
pub struct A64MetaData<S, T, const PA_BITS: usize = 48>(PhantomData<fn() -> (S, T)>);

// SAFETY: 4 levels of 9 bits, which a granule of 4 KiB with 48 bits has; a half is told by the bits
// above, which `Half` fixes; invalid descriptors are never cached (D8.16.1).
unsafe impl<S: Half, T: Maintenance, const PA_BITS: usize> PagingMetaData
    for A64MetaData<S, T, PA_BITS>
{
    const LEVELS: usize = 4;
    const PA_MAX_BITS: usize = {
        assert!(PA_BITS <= 48, "a descriptor has 48 bits of address");
        PA_BITS
    };
    type Maintenance = T;

    #[inline(always)]
    fn vaddr_is_valid(va: VirtAddr) -> bool {
        va.as_usize() >> Self::VA_MAX_BITS == S::BASE >> Self::VA_MAX_BITS
    }

    /// Both tests in one word, which is 0 if both hold: three instructions instead of five, for
    /// every page that is mapped. The bits above VA_MAX_BITS are those of the half, or one differs;
    /// a frame has none from PA_MAX_BITS on.
    #[inline(always)]
    fn are_valid(va: VirtAddr, pa: PhysAddr) -> bool {
        let upper = |va: usize| va.cast_signed() >> Self::VA_MAX_BITS;
        let other_half = upper(va.as_usize()) ^ upper(S::BASE);
        let too_high = pa.as_usize() >> Self::PA_MAX_BITS;
        other_half.cast_unsigned() | too_high == 0
    }

    #[inline(always)]
    fn vaddr_at(offset: usize) -> VirtAddr {
        VirtAddr::new(S::BASE | offset)
    }
}

/// A page table of half `S`, [`LowHalf`] or [`HighHalf`], with barriers and invalidations by `T`
/// and frames from `H`, on a CPU with `PA_BITS` bits of physical address.
pub type A64PageTable<S, T, H, const PA_BITS: usize = 48> =
    PageTable64<A64MetaData<S, T, PA_BITS>, A64PTE, H>;

/// A tree of half `S` to be read, which somebody else may own: what TTBR0_EL1 or TTBR1_EL1 names.
pub type A64TableView<S, T, H, const PA_BITS: usize = 48> =
    TableView<A64MetaData<S, T, PA_BITS>, A64PTE, H>;
