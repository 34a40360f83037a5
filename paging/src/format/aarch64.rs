//! VMSAv8-64, 4 KiB granule, 48-bit halves: descriptors and addresses.
//!
//! Arm DDI 0487: D8.3.1 (table, block and page descriptors), D8.3.2 (attribute fields), D8.4
//! (access permissions); Cortex-A53 TRM DDI 0500 for what the core implements: 40-bit physical
//! addresses, 16-bit ASIDs, no hardware access flag. Descriptors mean this with the registers as
//! [`aarch64_registers`](super::aarch64_registers) has them.
//!
//! # Decisions
//! * A tree translates one half, and says which by its type: the same descriptor indices serve
//!   both, so a tree that took both would alias every address with one of the other half.
//! * An inaccessible leaf has bit 0 clear, and bit 55 (reserved for software) set: an inaccessible
//!   page of frame 0 is not all zero.
//! * `DEVICE` is nGnRE and `DEVICE | UNCACHED` nGnRnE.

use core::fmt;
use core::marker::PhantomData;

use super::encoding::{Encodings, encodings};
use crate::addr::{PhysAddr, VirtAddr};
use crate::{
    GenericPTE, Maintenance, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData,
    PagingResult, Rights, TableView, check_frame, check_wx,
};

const VALID: u64 = 1 << 0;
/// In a valid descriptor: a table (levels 0 to 2) or a page (level 3); clear: a block.
const NOT_BLOCK: u64 = 1 << 1;
const ATTR_INDEX_SHIFT: u32 = 2;
const ATTR_INDEX: u64 = 0b111 << ATTR_INDEX_SHIFT;
const AP_EL0: u64 = 1 << 6;
const AP_READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const ACCESS_FLAG: u64 = 1 << 10;
const NON_GLOBAL: u64 = 1 << 11;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
/// Software: an inaccessible leaf.
const INACCESSIBLE: u64 = 1 << 55;
/// One TLB entry may hold the whole group.
const CONTIGUOUS: u64 = 1 << 52;
/// Of a table descriptor, ignored by the hardware: how many entries of the table are used.
const COUNT_SHIFT: u32 = 2;
const COUNT: u64 = 0x3ff << COUNT_SHIFT;
const OUTPUT_ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Indices into [`MAIR_EL1`](super::aarch64_registers::MAIR_EL1).
const DEVICE_NGNRNE: u64 = 0;
const DEVICE_NGNRE: u64 = 1;
const NORMAL_NON_CACHEABLE: u64 = 3;
const NORMAL_WRITE_BACK: u64 = 4;

/// A VMSAv8-64 stage-1 descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(transparent)]
pub struct A64PTE(u64);

impl A64PTE {
    /// A leaf, for the boot map: in a `const`, with flags that are known to be right.
    ///
    /// # Panics
    /// When the flags or the address are refused; in a `const` that is a compile error.
    #[must_use]
    #[expect(clippy::panic, reason = "in a const, an error of the compiler")]
    pub const fn attributes(flags: MappingFlags, size: PageSize) -> u64 {
        match encode(flags) {
            Ok(bits) => bits & !block_bit(size),
            Err(_) => panic!("these flags have no encoding"),
        }
    }

    /// PXN: not executable at EL1.
    #[must_use]
    pub const fn is_privileged_execute_never(self) -> bool {
        self.0 & PXN != 0
    }

    /// UXN: not executable at EL0.
    #[must_use]
    pub const fn is_unprivileged_execute_never(self) -> bool {
        self.0 & UXN != 0
    }

    /// The index into MAIR_EL1.
    #[must_use]
    pub const fn attr_index(self) -> u64 {
        (self.0 & ATTR_INDEX) >> ATTR_INDEX_SHIFT
    }

    /// What EL1 and EL0 may do with a present leaf (DDI 0487 D8.4.1): what EL0 may write, EL1 never
    /// executes.
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

    /// The flags of an inaccessible leaf.
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

    /// SH, bits 9:8: 0 non-, 2 outer, 3 inner shareable.
    #[must_use]
    pub const fn shareability(self) -> u64 {
        (self.0 >> 8) & 0b11
    }
}

/// A descriptor found at `level`, in words.
#[derive(Clone, Copy, Debug)]
pub struct Describe {
    /// The descriptor.
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

/// What the leaf that is made of `flags` grants.
fn granted(flags: MappingFlags) -> Rights {
    let rights = flags.intersection(MappingFlags::RIGHTS);
    let (kernel, user) = match flags.contains(MappingFlags::USER) {
        true => (rights.difference(MappingFlags::EXECUTE), rights),
        false => (rights, MappingFlags::empty()),
    };
    Rights {
        kernel: kernel.union(MappingFlags::READ),
        user,
    }
}

/// All bits of a leaf of 4 KiB but its output address.
const fn encode(flags: MappingFlags) -> PagingResult<u64> {
    let user = flags.contains(MappingFlags::USER);
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

/// All bits of a leaf of `size` but its output address.
#[inline]
fn lookup(flags: MappingFlags, size: PageSize) -> PagingResult<u64> {
    Ok(ENCODINGS.attributes(flags, encode)? & !block_bit(size))
}

/// Bit 1, which a page has and a block has not: of a block.
const fn block_bit(size: PageSize) -> u64 {
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

/// What the bits of a present leaf say about rights and memory type, and `GLOBAL`: AttrIndx, NS
/// and AP stay where they are (bits 7:2), PXN and UXN come below them.
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
const DECIDES_RIGHTS: u64 = VALID | AP_EL0 | AP_READ_ONLY | PXN | UXN;

/// The flags that AF and nG, shifted by [`SCOPE_SHIFT`], become.
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

/// The memory type of a leaf with these `bits`.
const fn memory_type(bits: u64) -> MappingFlags {
    match (bits & ATTR_INDEX) >> ATTR_INDEX_SHIFT {
        DEVICE_NGNRNE => MappingFlags::MEMORY_TYPE,
        DEVICE_NGNRE => MappingFlags::DEVICE,
        NORMAL_NON_CACHEABLE => MappingFlags::UNCACHED,
        _ => MappingFlags::empty(),
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
    #[expect(clippy::indexing_slicing, reason = "eight bits, and 256 entries")]
    fn flags(self) -> MappingFlags {
        if !self.is_present() {
            return self.inaccessible_flags();
        }
        let rights = self.0 & RIGHTS_IN_PLACE | self.0 >> EXECUTE_NEVER_SHIFT & 0b11;
        let flags = RIGHTS_AND_TYPES[rights as usize] as usize;
        // AF and nG stand next to each other, as ACCESSED and GLOBAL do; the table has GLOBAL.
        let scope = self.0 as usize >> SCOPE_SHIFT & SCOPE.bits();
        MappingFlags::from_bits_retain(flags ^ scope)
    }

    fn odd_rights(self) -> Option<Rights> {
        // Of what this format makes, nothing is odd, and whoever walks a tree asks for each leaf.
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
        self.0 = self.0 & OUTPUT_ADDRESS | lookup(flags, size)?;
        Ok(())
    }

    #[inline(always)]
    fn is_present(self) -> bool {
        self.0 & VALID != 0
    }

    #[inline(always)]
    fn is_huge(self) -> bool {
        self.0 & (VALID | INACCESSIBLE) != 0 && self.0 & NOT_BLOCK == 0
    }

    #[inline(always)]
    fn address_mask(_: PageSize) -> u64 {
        OUTPUT_ADDRESS
    }

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

/// Which half of the address space a tree translates.
pub trait Half: sealed::Sealed + Send + Sync + 'static {
    /// The first address.
    const BASE: usize;
}

/// TTBR0's: from 0.
pub struct LowHalf;

/// TTBR1's: from 0xffff_0000_0000_0000.
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

    /// What neither may have, in one word: three instructions instead of five.
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

/// A page table of half `S`, maintained by `T`, with frames from `H`.
pub type A64PageTable<S, T, H, const PA_BITS: usize = 48> =
    PageTable64<A64MetaData<S, T, PA_BITS>, A64PTE, H>;

/// A live tree of half `S`.
pub type A64TableView<S, T, H, const PA_BITS: usize = 48> =
    TableView<A64MetaData<S, T, PA_BITS>, A64PTE, H>;
