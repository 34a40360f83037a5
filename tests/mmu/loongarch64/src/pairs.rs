//! What this architecture alone has: the TLB holds pairs of leaves, and pairs of nothing.
//!
//! The scenario judges leaves; here are their neighbours and what was there before, in address
//! spaces of their own, whose invalidations spare most of the TLB.

use mmu_scenario::{Access, FaultKind, Machine, Privilege, Table};
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{Asid, MappingFlags, PageSize, PagingResult};

use crate::machine::{Core, word};

/// Where leaves are mapped: aligned for every size.
const PLACE: usize = 64 << 30;
const DATA: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED);

/// Checks all; a panic says what was wrong.
///
/// # Errors
/// Those of mapping.
pub(crate) fn check(core: &mut Core) -> PagingResult {
    for size in [PageSize::Size2M, PageSize::Size1G] {
        a_block_appears_where_pages_were_missing(core, size)?;
        a_block_appears_where_a_table_was(core, size)?;
    }
    a_page_appears_where_a_gibibyte_was_missing(core)?;
    a_neighbour_of_a_global_page_is_not_global(core)
}

/// Nothing is found at several pages of a block, and remembered; then the block is mapped.
fn a_block_appears_where_pages_were_missing(core: &mut Core, size: PageSize) -> PagingResult {
    let mut space = Space::new(core, 1)?;
    space.expect_nothing(core, size);
    space.map(0, size, 0, DATA)?;
    space.expect(core, 0, 0);
    space.expect(core, size.bytes() - PAGE_SIZE, size.bytes() - PAGE_SIZE);
    let removed = space.table.unmap(VirtAddr::new(PLACE))?;
    assert_eq!(removed.flush(), Core::BLOCKS[0]);
    space.expect_nothing(core, size);
    core.deactivate();
    Ok(())
}

/// As before, but when nothing is found there is a table for smaller leaves, with one in it.
fn a_block_appears_where_a_table_was(core: &mut Core, size: PageSize) -> PagingResult {
    let mut space = Space::new(core, 1)?;
    let inside = 3 * PAGE_SIZE;
    space.map(inside, PageSize::Size4K, 0, DATA)?;
    space.expect(core, inside, 0);
    space.expect_nothing(core, size);
    let removed = space.table.unmap(VirtAddr::new(PLACE + inside))?;
    assert_eq!(removed.flush(), Core::BLOCKS[0]);
    space.map(0, size, 0, DATA)?;
    for offset in offsets(size) {
        space.expect(core, offset, offset);
    }
    core.deactivate();
    Ok(())
}

/// Nothing is found in 1 GiB, and remembered; then one page of it is mapped.
fn a_page_appears_where_a_gibibyte_was_missing(core: &mut Core) -> PagingResult {
    let mut space = Space::new(core, 1)?;
    space.expect_nothing(core, PageSize::Size1G);
    space.map(PAGE_SIZE, PageSize::Size4K, 0, DATA)?;
    space.expect(core, PAGE_SIZE, 0);
    space.expect_nothing(core, PageSize::Size1G);
    core.deactivate();
    Ok(())
}

/// Two spaces have the same global page, and beside it pages of their own.
fn a_neighbour_of_a_global_page_is_not_global(core: &mut Core) -> PagingResult {
    let global = DATA | MappingFlags::GLOBAL;
    for (global_at, own_at) in [(0, PAGE_SIZE), (PAGE_SIZE, 0)] {
        let mut spaces = [Space::new(core, 1)?, Space::new(core, 2)?];
        for (space, own) in spaces.iter_mut().zip([1, 2]) {
            space.map(global_at, PageSize::Size4K, 0, global)?;
            space.map(own_at, PageSize::Size4K, own * PAGE_SIZE, DATA)?;
        }
        for (space, own) in spaces.iter().zip([1, 2]) {
            space.activate(core);
            space.expect(core, global_at, 0);
            space.expect(core, own_at, own * PAGE_SIZE);
        }
        core.deactivate();
    }
    Ok(())
}

/// The pages of a block that are looked at: not in one pair.
fn offsets(size: PageSize) -> [usize; 4] {
    let half = size.bytes() / 2;
    [0, 5 * PAGE_SIZE, half, size.bytes() - PAGE_SIZE]
}

/// A tree and its ASID. It goes when nothing translates by it any more.
struct Space {
    table: Table<Core>,
    asid: Asid,
}

impl Space {
    /// An empty tree, by which the core translates from here on.
    fn new(core: &mut Core, asid: u16) -> PagingResult<Self> {
        let asid = Asid::new(asid);
        let mut table = Table::<Core>::try_new()?;
        // SAFETY: whoever makes the space gives each its own number; nothing of it is cached yet.
        unsafe { table.set_asid(Some(asid)) };
        let space = Self { table, asid };
        space.activate(core);
        Ok(space)
    }

    fn activate(&self, core: &mut Core) {
        // SAFETY: whoever made the space deactivates the core before the tree goes.
        unsafe { core.activate(self.table.root_paddr(), self.asid) };
    }

    /// Maps a leaf at `offset` to the memory at `target` of the machine's first block.
    fn map(
        &mut self,
        offset: usize,
        size: PageSize,
        target: usize,
        flags: MappingFlags,
    ) -> PagingResult {
        let va = VirtAddr::new(PLACE + offset);
        let receipt = self.table.map(va, memory(target), size, flags)?;
        receipt.flush();
        Ok(())
    }

    /// Checks that the page at `offset` is the one at `target` of the machine's first block.
    fn expect(&self, core: &mut Core, offset: usize, target: usize) {
        let stamp = 0x5eed_0000_0000_0000 | target as u64;
        // SAFETY: nobody else uses the blocks now.
        unsafe { word(memory(target)).write_volatile(stamp) };
        let loaded = core.load(VirtAddr::new(PLACE + offset), Privilege::Kernel);
        assert_eq!(loaded, Ok(stamp), "at offset {offset:#x}, to {target:#x}");
    }

    /// Checks that nothing is mapped in a block.
    fn expect_nothing(&self, core: &mut Core, size: PageSize) {
        for offset in offsets(size) {
            let loaded = core.load(VirtAddr::new(PLACE + offset), Privilege::Kernel);
            let kind = loaded.map_err(|fault| fault.kind);
            assert_eq!(
                kind,
                Err(FaultKind::Page(Access::Load)),
                "at offset {offset:#x}"
            );
        }
    }
}

fn memory(target: usize) -> PhysAddr {
    PhysAddr::new(Core::BLOCKS[0].as_usize() + target)
}
