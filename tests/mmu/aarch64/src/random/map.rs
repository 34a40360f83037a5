//! [`Map`]: a tree under test, filled at random, and what has to be known of it to change it.

use core::ops::ControlFlow;

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::{
    Asid, GenericPTE, MappingFlags, PageSize, PagingError, PagingMetaData, RegionOptions,
};

use super::number::Numbers;
use super::start;
use crate::cpu::Wxn;
use crate::side::{self, MetaData, Side, Table};
use crate::wrong::{Mapped, Wrong, done, same};

/// Leaves that are mapped one by one.
const LEAVES: usize = 2000;
/// Regions.
const REGIONS: usize = 80;
/// The ASID of the tree.
const ASID: Asid = Asid::new(0xa53a);
const OPTIONS: [RegionOptions; 4] = [
    RegionOptions::empty(),
    RegionOptions::CONTIGUOUS,
    RegionOptions::HUGE,
    RegionOptions::HUGE.union(RegionOptions::CONTIGUOUS),
];
const SEED: u64 = 0x5719_a53a_2026_0003;

/// A stretch of addresses that was mapped at once.
#[derive(Clone, Copy, Default)]
pub(super) struct Area {
    pub(super) va: VirtAddr,
    pub(super) pages: usize,
}

/// The tree, which the hardware translates by.
pub(super) struct Map<S: Side> {
    pub(super) table: Table<S>,
    pub(super) numbers: Numbers,
    /// Sets of flags that the format accepts.
    sets: [MappingFlags; MappingFlags::SETS],
    set_count: usize,
    areas: [Area; LEAVES + REGIONS],
    area_count: usize,
    /// How many 4 KiB pages are mapped, present or inaccessible.
    pub(super) pages: usize,
    /// How many of them are the program's.
    program_pages: usize,
}

impl<S: Side> Map<S> {
    /// A tree with nothing but the program in it.
    pub(super) fn new() -> Result<Self, Wrong> {
        let mut table = done("try_new", start::<S>(), Table::<S>::try_new())?;
        done(
            "mapping the program",
            start::<S>(),
            S::map_program(&mut table),
        )?;
        // SAFETY: the only tree that this side's register names under it; nothing of it is cached
        // yet.
        unsafe { table.set_asid(Some(ASID)) };
        // SAFETY: the tree holds the program, and `Drop` ends its use before it goes away.
        unsafe { side::activate::<S>(table.root_paddr(), ASID, Wxn::On) };
        let mut map = Self {
            table,
            numbers: Numbers::new(SEED ^ S::BASE as u64),
            sets: [MappingFlags::empty(); MappingFlags::SETS],
            set_count: 0,
            areas: [Area::default(); LEAVES + REGIONS],
            area_count: 0,
            pages: 0,
            program_pages: 0,
        };
        let _ = map.table.view().leaves(|leaf| {
            map.program_pages += leaf.size.bytes() / PAGE_SIZE;
            ControlFlow::<()>::Continue(())
        });
        map.pages = map.program_pages;
        let accepted = (0..MappingFlags::SETS)
            .map(MappingFlags::from_bits_retain)
            .filter(|&set| A64PTE::new_page(PhysAddr::new(0), set, PageSize::Size4K).is_ok());
        for (place, set) in map.sets.iter_mut().zip(accepted) {
            *place = set;
            map.set_count += 1;
        }
        Ok(map)
    }

    /// A set of flags that the format accepts.
    pub(super) fn flags(&mut self) -> MappingFlags {
        self.numbers.pick(&self.sets[..self.set_count])
    }

    /// A frame for a leaf of `size`, below 2^40.
    pub(super) fn frame(&mut self, size: PageSize) -> PhysAddr {
        let width = 1 << MetaData::<S>::PA_MAX_BITS;
        PhysAddr::new(self.numbers.below(width)).align_down(size.bytes())
    }

    /// An area; big ones seldom.
    pub(super) fn area(&mut self) -> Area {
        loop {
            let area = self.numbers.pick(&self.areas[..self.area_count]);
            let big = area.pages * PAGE_SIZE >= PageSize::Size1G.bytes();
            if !big || self.numbers.one_in(8) {
                return area;
            }
        }
    }

    /// Maps all leaves and regions.
    pub(super) fn fill(&mut self) -> Result<(), Wrong> {
        for number in 0..LEAVES {
            let set = self.sets[number % self.set_count];
            let size = PageSize::ALL[number / self.set_count % PageSize::ALL.len()];
            self.map_leaf(set, size)?;
        }
        for number in 0..REGIONS {
            self.map_region(OPTIONS[number % OPTIONS.len()])?;
        }
        Ok(())
    }

    /// Maps a leaf where there is room for it.
    fn map_leaf(&mut self, flags: MappingFlags, size: PageSize) -> Result<(), Wrong> {
        let pa = self.frame(size);
        loop {
            let va = self.address(size.bytes());
            match self.table.map(va, pa, size, flags) {
                Ok(receipt) => receipt.flush(),
                Err(PagingError::AlreadyMapped { .. }) => continue,
                Err(error) => return done("map", va, Err(error)),
            }
            self.add(va, size.bytes() / PAGE_SIZE);
            return self.expect("map", va, Some(Mapped { pa, flags, size }));
        }
    }

    /// Maps a region of some pages, or, if blocks are allowed, of some blocks and pages.
    fn map_region(&mut self, options: RegionOptions) -> Result<(), Wrong> {
        let block = PageSize::Size2M.bytes();
        let mut bytes = (1 + self.numbers.below(200)) * PAGE_SIZE;
        if options.contains(RegionOptions::HUGE) {
            bytes += self.numbers.below(40) * block;
        } else if self.numbers.one_in(4) {
            // Pages that `compact` can make a block of.
            bytes = block;
        }
        let flags = self.flags();
        let skew = self
            .numbers
            .pick(&[0, 0, PAGE_SIZE, 0x1_0000, block - PAGE_SIZE]);
        loop {
            let pa = self.frame(PageSize::Size1G);
            let pa = PhysAddr::new(pa.as_usize() + skew);
            let va = VirtAddr::new(self.address(PageSize::Size1G.bytes()).as_usize() + skew);
            match self.table.map_region(va, pa, bytes, flags, options) {
                Ok(receipt) => {
                    same("pages of a region", bytes / PAGE_SIZE, receipt.pages())?;
                    receipt.flush();
                }
                Err(PagingError::AlreadyMapped { .. }) => continue,
                Err(error) => return done("map_region", va, Err(error)),
            }
            self.add(va, bytes / PAGE_SIZE);
            return Ok(());
        }
    }

    /// A multiple of `alignment` anywhere, or near something that is mapped.
    fn address(&mut self, alignment: usize) -> VirtAddr {
        let size = 1 << MetaData::<S>::VA_MAX_BITS;
        let mut offset = self.numbers.below(size);
        if self.area_count > 0 && self.numbers.one_in(2) {
            let near = self.areas[self.numbers.below(self.area_count)]
                .va
                .as_usize();
            let distance = self.numbers.below(64) * alignment;
            offset = near.wrapping_add(distance).wrapping_sub(32 * alignment) % size;
        }
        MetaData::<S>::vaddr_at(offset & !(alignment - 1))
    }

    /// Remembers what was mapped.
    fn add(&mut self, va: VirtAddr, pages: usize) {
        self.areas[self.area_count] = Area { va, pages };
        self.area_count += 1;
        self.pages += pages;
    }

    /// The leaf that covers `va`, present or inaccessible, from that address on.
    pub(super) fn at(&self, va: VirtAddr) -> Option<Mapped> {
        let leaf = self.table.view().leaf(va).ok()?;
        let offset = va.as_usize() - leaf.va.as_usize();
        Some(Mapped {
            pa: PhysAddr::new(leaf.paddr().as_usize() + offset),
            flags: leaf.flags(),
            size: leaf.size,
        })
    }

    /// A failure unless `va` is mapped as `expected`, after `what`.
    pub(super) fn expect(
        &self,
        what: &'static str,
        va: VirtAddr,
        expected: Option<Mapped>,
    ) -> Result<(), Wrong> {
        let found = self.at(va);
        if found == expected {
            return Ok(());
        }
        Err(Wrong::Mapping {
            what,
            va,
            expected,
            found,
        })
    }

    /// Unmaps everything but the program.
    pub(super) fn clear(&mut self) -> Result<(), Wrong> {
        let size = 1 << MetaData::<S>::VA_MAX_BITS;
        let program = S::PROGRAM;
        for range in [0..program.start, program.end..size] {
            let va = MetaData::<S>::vaddr_at(range.start);
            let receipt = done("unmap_region", va, self.table.unmap_region(va, range.len()))?;
            self.pages -= receipt.pages();
            receipt.flush();
        }
        same("pages are left", self.program_pages, self.pages)
    }
}

impl<S: Side> Drop for Map<S> {
    /// Before the tables go.
    fn drop(&mut self) {
        side::deactivate();
    }
}
