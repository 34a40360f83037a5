//! A page-table format of one's own, for an MMU that does not exist: 39-bit addresses, three levels
//! of 512 entries, the crate's nine flags in the low bits of a leaf.
//!
//! `cargo run --example own_format` maps, splits and unmaps with it and prints the tree and the
//! cost. The format is the sixty lines of `OwnPTE` and `OwnGeometry`; all else that [`GenericPTE`]
//! and [`PagingMetaData`] ask for has a default. A format of a machine that exists has its bits
//! elsewhere: `stilt_paging::format::x86_64` is one to read next.
//!
//! | bit | |
//! |---|---|
//! | 8:0 | a leaf's [`MappingFlags`] |
//! | 9 | the MMU follows the entry |
//! | 10 | the entry is a leaf, also at the levels above the last |
//! | 11 | software: not followed only for a moment |
//! | 47:12 | the frame or table |
#![expect(unsafe_code, reason = "implements unsafe traits")]

mod counting;
mod frames;

use counting::{Cost, Counting, cost_of};
use frames::Frames;
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingMetaData, PagingResult, RegionOptions,
    check_frame, check_supported, check_wx,
};

const VALID: u64 = 1 << 9;
const LEAF: u64 = 1 << 10;
const BROKEN: u64 = 1 << 11;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const GLOBAL: u64 = MappingFlags::GLOBAL.bits() as u64;
/// What walkers must not see change while the entry is valid; rights and `ACCESSED` they may.
const HARD: u64 = LEAF | ADDRESS | MappingFlags::MEMORY_TYPE.bits() as u64;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct OwnPTE(u64);

// SAFETY: bit 10 tells leaves from tables, and `new_table` alone makes a valid entry without it.
// The MMU follows nothing without bit 9. Breaking keeps all else, and flags are read as put in.
unsafe impl GenericPTE for OwnPTE {
    fn new_page(pa: PhysAddr, flags: MappingFlags, size: PageSize) -> PagingResult<Self> {
        check_wx(flags)?;
        check_supported(flags, MappingFlags::all())?;
        let valid = u64::from(flags.intersects(MappingFlags::RIGHTS)) * VALID;
        let frame = check_frame(pa, size, ADDRESS)?;
        Ok(Self(frame | LEAF | valid | flags.bits() as u64))
    }
    fn new_table(pa: PhysAddr) -> Self {
        Self(pa.as_usize() as u64 | VALID)
    }
    fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    fn bits(self) -> u64 {
        self.0
    }
    fn paddr(self) -> PhysAddr {
        PhysAddr::new((self.0 & ADDRESS) as usize)
    }
    fn flags(self) -> MappingFlags {
        MappingFlags::from_bits_truncate(self.0 as usize)
    }
    fn is_present(self) -> bool {
        self.0 & VALID != 0
    }
    fn is_huge(self) -> bool {
        self.0 & LEAF != 0
    }
    fn address_mask(size: PageSize) -> u64 {
        ADDRESS & !(size.bytes() as u64 - 1)
    }
    fn needs_break(self, new: Self) -> bool {
        let becomes_global = !self.0 & new.0 & GLOBAL;
        (self.0 ^ new.0) & HARD | becomes_global != 0
    }
    fn broken(self) -> Self {
        Self(self.0 & !VALID | BROKEN)
    }
    fn is_broken(self) -> bool {
        self.0 & BROKEN != 0
    }
}

/// 12 + 3 × 9 = 39 bits of address in two canonical halves.
struct OwnGeometry;

// SAFETY: three levels of 512 entries with 48 bits of address; what is invalid is never cached.
unsafe impl PagingMetaData for OwnGeometry {
    const LEVELS: usize = 3;
    const PA_MAX_BITS: usize = 48;
    type Maintenance = Counting;
}

type OwnTable = PageTable64<OwnGeometry, OwnPTE, Frames>;

/// What the tree looked like with a page unlike its neighbours, and what each step cost.
struct Life {
    dump: String,
    steps: [(&'static str, Cost); 4],
}

const START: VirtAddr = VirtAddr::new(0x20_0000);
const BYTES: usize = 2 * PageSize::Size2M.bytes();
const DATA: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED);
const READ_ONLY: MappingFlags = DATA.difference(MappingFlags::WRITE);

/// What `work` cost, if it was done.
fn step(work: impl FnOnce() -> PagingResult) -> PagingResult<Cost> {
    let (result, cost) = cost_of(work);
    result.map(|()| cost)
}

/// Maps two blocks, makes one page of them read-only, gives it another frame, and unmaps all.
fn life() -> PagingResult<Life> {
    let mut table = OwnTable::try_new()?;
    let page = VirtAddr::new(START.as_usize() + 0x3000);
    let other = PhysAddr::new(0x7000_0000);
    let map = step(|| {
        let pa = PhysAddr::new(0x4000_0000);
        let receipt = table.map_region(START, pa, BYTES, DATA, RegionOptions::HUGE)?;
        receipt.flush();
        Ok(())
    })?;
    let protect = step(|| {
        let receipt = table.protect_region(page, PageSize::Size4K.bytes(), READ_ONLY)?;
        receipt.flush();
        Ok(())
    })?;
    let remap = step(|| {
        let (_, receipt) = table.remap(page, other, READ_ONLY)?;
        receipt.flush();
        Ok(())
    })?;
    assert_eq!(table.query(page)?, (other, READ_ONLY, PageSize::Size4K));
    table.check().expect("the tree is sound");
    let dump = table.dump().to_string();
    let unmap = step(|| {
        table.unmap_region(START, BYTES)?.flush();
        Ok(())
    })?;
    let steps = [
        ("map", map),
        ("protect a page", protect),
        ("another frame", remap),
        ("unmap", unmap),
    ];
    Ok(Life { dump, steps })
}

fn main() -> PagingResult {
    let Life { dump, steps } = life()?;
    println!("{dump}");
    for (what, cost) in steps {
        let (stores, barriers) = (cost.stores, cost.barriers);
        println!("{what:<16} {stores:>4} stores {barriers:>2} barriers");
        for invalidation in cost.invalidations {
            println!("    invalidated: {invalidation}");
        }
    }
    println!("frames in use at the end: {}", Frames::in_use());
    Ok(())
}

#[test]
fn a_format_of_ones_own_maps_splits_and_unmaps_and_leaves_nothing_behind() {
    let Life { dump, steps } = life().unwrap();
    let rows = dump.lines().filter(|line| line.contains(" -> "));
    // The pages before the one that was protected, itself, those behind it, the other block.
    assert_eq!(rows.count(), 4);
    let [(_, map), (_, protect), (_, remap), (_, unmap)] = &steps;
    assert_eq!(map.invalidations, [""; 0]);
    assert_eq!(protect.invalidations.len(), 1);
    assert!(protect.invalidations[0].starts_with(&START.to_string()));
    // Broken, invalidated, made anew.
    assert_eq!((remap.stores, remap.invalidations.len()), (2, 1));
    assert!(!unmap.invalidations.is_empty());
    assert_eq!(Frames::in_use(), 0);
}

#[test]
fn every_set_of_flags_comes_back_from_an_entry_or_is_refused() {
    let pa = PhysAddr::new(0x4000_0000);
    let mut accepted = 0;
    for set in 0..MappingFlags::SETS {
        let flags = MappingFlags::from_bits_retain(set);
        let Ok(entry) = OwnPTE::new_page(pa, flags, PageSize::Size1G) else {
            let wx = flags.breaks_wx() != flags.contains(MappingFlags::EXECUTE_ANYWAY);
            assert!(wx || flags.contains(MappingFlags::USER | MappingFlags::GLOBAL));
            continue;
        };
        assert_eq!((entry.flags(), entry.paddr()), (flags, pa));
        assert!(!entry.is_unused() && entry.is_huge());
        assert_eq!(entry.is_present(), flags.intersects(MappingFlags::RIGHTS));
        let broken = entry.broken();
        assert!(broken.is_broken() && !broken.is_present() && !broken.is_unused());
        assert_eq!(broken.paddr(), pa);
        accepted += 1;
    }
    // Each set either names its exception to W^X or needs none; a quarter is both user and global.
    assert_eq!(accepted, MappingFlags::SETS / 2 * 3 / 4);
}
