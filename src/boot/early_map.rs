//! The boot tables: TTBR0 the identity map, TTBR1 the high half, both of 0 to 1 GiB.
//!
//! The shape is ChCore's: the first 2 MiB in 4 KiB pages, RAM in 2 MiB blocks up to the
//! peripherals, peripherals in device blocks up to 1 GiB; TTBR1 has the same and one 1 GiB device
//! block for the local peripherals. What differs is that every right is exact:
//!
//! | page | TTBR0 (non-global) | TTBR1 (global) |
//! |---|---|---|
//! | `.init`, park | read-only, executable at EL1 | read-only, execute-never |
//! | text | read-only, execute-never | read-only, executable at EL1 |
//! | rodata | read-only, execute-never | read-only, execute-never |
//! | all else, devices | read-write, execute-never | read-write, execute-never |
//!
//! so no frame is writable through one address and executable through another, and nothing
//! speculates into a device. Runs with the MMU off; see the rules of [`super`].
//! Source: Arm DDI 0487 D8.3.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::board::raspi3;
use crate::mm::regions::{ImageRegion, Kind, Regions};
use crate::paging::format::aarch64::A64PTE;
use crate::paging::{ENTRIES, MappingFlags, PageSize};

/// One table: 512 descriptors.
pub type Table = [u64; ENTRIES];

/// The eight boot tables. [`BootTables::CLEARED_SIZE`] bytes are clear before they are filled;
/// the rest is filled completely.
#[repr(C, align(4096))]
#[derive(Clone)]
pub struct BootTables {
    ttbr0_l0: Table,
    ttbr0_l1: Table,
    ttbr1_l0: Table,
    ttbr1_l1: Table,
    ttbr0_l2: Table,
    ttbr0_l3: Table,
    ttbr1_l2: Table,
    ttbr1_l3: Table,
}

/// The roots of the two trees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roots {
    /// For TTBR0_EL1.
    pub low: PhysAddr,
    /// For TTBR1_EL1.
    pub high: PhysAddr,
}

const NORMAL: MappingFlags = MappingFlags::READ.union(MappingFlags::ACCESSED);
const READ_WRITE: MappingFlags = NORMAL.union(MappingFlags::WRITE);
const EXECUTABLE: MappingFlags = NORMAL.union(MappingFlags::EXECUTE);
const DEVICE: MappingFlags = READ_WRITE.union(MappingFlags::DEVICE);
const LOCAL_DEVICE: MappingFlags = DEVICE.union(MappingFlags::UNCACHED);
const GLOBAL: MappingFlags = MappingFlags::GLOBAL;

/// Attributes of one half's leaves; the output address is added to them.
struct Attributes {
    read_write_page: u64,
    read_only_page: u64,
    executable_page: u64,
    read_write_block: u64,
    device_block: u64,
}

impl Attributes {
    const fn new(scope: MappingFlags) -> Self {
        const fn page(flags: MappingFlags) -> u64 {
            A64PTE::attributes(flags, PageSize::Size4K)
        }
        const fn block(flags: MappingFlags) -> u64 {
            A64PTE::attributes(flags, PageSize::Size2M)
        }
        Self {
            read_write_page: page(READ_WRITE.union(scope)),
            read_only_page: page(NORMAL.union(scope)),
            executable_page: page(EXECUTABLE.union(scope)),
            read_write_block: block(READ_WRITE.union(scope)),
            device_block: block(DEVICE.union(scope)),
        }
    }

    /// The attributes of a page of the image, in the half whose code is `executable`.
    const fn page(&self, kind: Kind, executable: Kind) -> u64 {
        if kind as usize == executable as usize {
            return self.executable_page;
        }
        match kind {
            Kind::Init | Kind::Text | Kind::ReadOnly => self.read_only_page,
            Kind::ReadWrite => self.read_write_page,
        }
    }
}

const LOW: Attributes = Attributes::new(MappingFlags::empty());
const HIGH: Attributes = Attributes::new(GLOBAL);
const LOCAL_BLOCK: u64 = A64PTE::attributes(LOCAL_DEVICE.union(GLOBAL), PageSize::Size1G);

const BLOCK: usize = PageSize::Size2M.bytes();
/// Valid, table.
const TABLE: u64 = 0b11;
/// Where the high half's addresses begin in the root: KERNEL_VA_OFFSET has index 0 there.
const HIGH_INDEX: usize = (raspi3::KERNEL_VA_OFFSET >> 39) & (ENTRIES - 1);
const LOCAL_INDEX: usize = raspi3::LOCAL_PERIPHERALS.as_usize() >> 30;
const PERIPHERAL_INDEX: usize = raspi3::PERIPHERALS.as_usize() / BLOCK;

const _: () = {
    assert!(raspi3::PERIPHERALS.as_usize() + raspi3::PERIPHERALS_SIZE == ENTRIES * BLOCK);
    assert!(raspi3::LOCAL_WINDOW_SIZE == PageSize::Size1G.bytes());
    assert!(raspi3::KERNEL_VA_OFFSET.is_multiple_of(1 << 39));
};

impl BootTables {
    /// Bytes from the start that must be zero before [`BootTables::fill`]: levels 0 and 1, of
    /// which few entries are used.
    pub const CLEARED_SIZE: usize = 4 * PAGE_SIZE;

    /// All tables empty, for tests and as a picture of what the image's memory holds.
    #[must_use]
    pub const fn empty() -> Self {
        const EMPTY: Table = [0; ENTRIES];
        Self {
            ttbr0_l0: EMPTY,
            ttbr0_l1: EMPTY,
            ttbr1_l0: EMPTY,
            ttbr1_l1: EMPTY,
            ttbr0_l2: EMPTY,
            ttbr0_l3: EMPTY,
            ttbr1_l2: EMPTY,
            ttbr1_l3: EMPTY,
        }
    }

    /// Fills the tables, which stand at physical `base`, for an image with these regions.
    pub fn fill(&mut self, base: PhysAddr, image: &Regions) -> Roots {
        let table_at = |index: usize| base.as_usize() + index * PAGE_SIZE;
        let link = |index: usize| table_at(index) as u64 | TABLE;

        self.ttbr0_l0[0] = link(1);
        self.ttbr0_l1[0] = link(4);
        fill_blocks(&mut self.ttbr0_l2, &LOW);
        self.ttbr0_l2[0] = link(5);
        fill_pages(&mut self.ttbr0_l3, image, &LOW, Kind::Init);

        self.ttbr1_l0[HIGH_INDEX] = link(3);
        self.ttbr1_l1[0] = link(6);
        self.ttbr1_l1[LOCAL_INDEX] = raspi3::LOCAL_PERIPHERALS.as_usize() as u64 | LOCAL_BLOCK;
        fill_blocks(&mut self.ttbr1_l2, &HIGH);
        self.ttbr1_l2[0] = link(7);
        fill_pages(&mut self.ttbr1_l3, image, &HIGH, Kind::Text);

        Roots {
            low: PhysAddr::new(table_at(0)),
            high: PhysAddr::new(table_at(2)),
        }
    }
}

/// 2 MiB blocks: RAM below the peripherals, devices above.
fn fill_blocks(table: &mut Table, attributes: &Attributes) {
    let (ram, devices) = table.split_at_mut(PERIPHERAL_INDEX);
    run(ram, 0, BLOCK, attributes.read_write_block);
    run(
        devices,
        raspi3::PERIPHERALS.as_usize(),
        BLOCK,
        attributes.device_block,
    );
}

/// 4 KiB pages of the first 2 MiB: below the image, the image region by region, above it.
fn fill_pages(table: &mut Table, image: &Regions, attributes: &Attributes, executable: Kind) {
    let mut page = 0;
    for &ImageRegion { start, end, kind } in image {
        let (first, end) = (start.as_usize() / PAGE_SIZE, end.as_usize() / PAGE_SIZE);
        pages(table, page, first, attributes.read_write_page);
        pages(table, first, end, attributes.page(kind, executable));
        page = end;
    }
    pages(table, page, ENTRIES, attributes.read_write_page);
}

/// Pages `first..end` of the first 2 MiB.
fn pages(table: &mut Table, first: usize, end: usize, attributes: u64) {
    if let Some(entries) = table.get_mut(first..end) {
        run(entries, first * PAGE_SIZE, PAGE_SIZE, attributes);
    }
}

/// Consecutive leaves; four a turn, because this is most of what boot executes.
fn run(entries: &mut [u64], start: usize, size: usize, attributes: u64) {
    let mut descriptor = start as u64 | attributes;
    let size = size as u64;
    let mut groups = entries.chunks_exact_mut(4);
    for group in &mut groups {
        group[0] = descriptor;
        group[1] = descriptor + size;
        group[2] = descriptor + 2 * size;
        group[3] = descriptor + 3 * size;
        descriptor += 4 * size;
    }
    for entry in groups.into_remainder() {
        *entry = descriptor;
        descriptor += size;
    }
}
