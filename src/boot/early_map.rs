//! The boot tables: TTBR0 the identity map, TTBR1 the high half, both of 0 to 2 GiB.
//!
//! The shape is ChCore's: the first 2 MiB in 4 KiB pages, RAM in 2 MiB blocks up to the
//! peripherals, peripherals in device blocks up to 1 GiB, and one 1 GiB device block for the local
//! peripherals; TTBR1 has the same. What differs is that every right is exact:
//!
//! | page | TTBR0 (non-global) | TTBR1 (global) |
//! |---|---|---|
//! | park, `.init`, `.early` | read-only, executable at EL1 | read-only, execute-never |
//! | text | read-only, execute-never | read-only, executable at EL1 |
//! | rodata | read-only, execute-never | read-only, execute-never |
//! | all else, devices | read-write, execute-never | read-write, execute-never |
//!
//! so no frame is writable through one address and executable through another, and nothing
//! speculates into a device. Runs with the MMU off; see the rules of [`super`].
//! Source: Arm DDI 0487 D8.3.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::board::raspi3;
use crate::mm::regions::{ImageRegion, RegionKind, Regions};
use crate::paging::format::aarch64::A64PTE;
use crate::paging::{ENTRIES, GenericPTE, MappingFlags, PageSize, Run};

/// One table: 512 descriptors of 8 bytes, a frame of 4 KiB. Level and meaning are those of its
/// place in [`BootTables`].
pub type BootTable = [u64; ENTRIES];

/// The eight boot tables. [`BootTables::CLEARED_SIZE`] bytes are clear before they are filled;
/// the rest is filled completely.
#[repr(C, align(4096))]
#[derive(Clone)]
pub struct BootTables {
    ttbr0_l0: BootTable,
    ttbr0_l1: BootTable,
    ttbr1_l0: BootTable,
    ttbr1_l1: BootTable,
    ttbr0_l2: BootTable,
    ttbr0_l3: BootTable,
    ttbr1_l2: BootTable,
    ttbr1_l3: BootTable,
}

/// The physical addresses of the two level-0 tables, as the TTBRs take them: multiples of 4 KiB,
/// ASID 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Roots {
    /// The root for TTBR0_EL1.
    pub low: PhysAddr,
    /// The root for TTBR1_EL1.
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
    const fn page(&self, kind: RegionKind, executable: RegionKind) -> u64 {
        if kind as usize == executable as usize {
            return self.executable_page;
        }
        match kind {
            RegionKind::Init | RegionKind::Text | RegionKind::ReadOnly => self.read_only_page,
            RegionKind::ReadWrite => self.read_write_page,
        }
    }
}

const LOW: Attributes = Attributes::new(MappingFlags::empty());
const HIGH: Attributes = Attributes::new(GLOBAL);
const LOCAL_BLOCK: u64 = A64PTE::attributes(LOCAL_DEVICE.union(GLOBAL), PageSize::Size1G);
/// For boot/early.S, which interrupts the other cores.
const LOW_LOCAL_BLOCK: u64 = A64PTE::attributes(LOCAL_DEVICE, PageSize::Size1G);

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
        const EMPTY: BootTable = [0; ENTRIES];
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

    /// Fills the tables, which stand at physical `base`, a multiple of 4 KiB, for an image with
    /// these regions, which end in the first 2 MiB. Every address from 0 to 2 GiB is mapped then,
    /// in both halves. The caller makes the tables visible to walks and turns the MMU on.
    pub fn fill(&mut self, base: PhysAddr, image: &Regions) -> Roots {
        let table_at = |index: usize| base.as_usize() + index * PAGE_SIZE;
        let link = |index: usize| table_at(index) as u64 | TABLE;

        self.ttbr0_l0[0] = link(1);
        self.ttbr0_l1[0] = link(4);
        self.ttbr0_l1[LOCAL_INDEX] = raspi3::LOCAL_PERIPHERALS.as_usize() as u64 | LOW_LOCAL_BLOCK;
        fill_blocks(&mut self.ttbr0_l2, &LOW);
        self.ttbr0_l2[0] = link(5);
        fill_pages(&mut self.ttbr0_l3, image, &LOW, RegionKind::Init);

        self.ttbr1_l0[HIGH_INDEX] = link(3);
        self.ttbr1_l1[0] = link(6);
        self.ttbr1_l1[LOCAL_INDEX] = raspi3::LOCAL_PERIPHERALS.as_usize() as u64 | LOCAL_BLOCK;
        fill_blocks(&mut self.ttbr1_l2, &HIGH);
        self.ttbr1_l2[0] = link(7);
        fill_pages(&mut self.ttbr1_l3, image, &HIGH, RegionKind::Text);

        Roots {
            low: PhysAddr::new(table_at(0)),
            high: PhysAddr::new(table_at(2)),
        }
    }
}

impl BootTables {
    /// Shows `visit` each leaf of filled tables, the low half's before the high half's, each in the
    /// order of addresses. Not before the MMU is on: `visit` is called through a table.
    pub fn each_leaf(&self, visit: &mut dyn FnMut(Run)) {
        for (level_1, level_2, level_3, start) in [
            (&self.ttbr0_l1, &self.ttbr0_l2, &self.ttbr0_l3, 0),
            (
                &self.ttbr1_l1,
                &self.ttbr1_l2,
                &self.ttbr1_l3,
                raspi3::KERNEL_VA_OFFSET,
            ),
        ] {
            each_leaf_of(level_3, PageSize::Size4K, start, visit);
            each_leaf_of(level_2, PageSize::Size2M, start, visit);
            each_leaf_of(level_1, PageSize::Size1G, start, visit);
        }
    }
}

/// The leaves of a table, whose first entry translates `start`: links are left out.
fn each_leaf_of(table: &BootTable, size: PageSize, start: usize, visit: &mut dyn FnMut(Run)) {
    for (index, bits) in table.iter().enumerate() {
        let entry = A64PTE::from_bits(*bits);
        let is_leaf = size == PageSize::Size4K || entry.is_huge();
        if !entry.is_present() || !is_leaf {
            continue;
        }
        visit(Run {
            va: VirtAddr::new(start + index * size.bytes()),
            pa: entry.paddr(),
            bytes: size.bytes(),
            flags: entry.flags(),
            software: entry.software(),
            size,
            rights: None,
        });
    }
}

/// 2 MiB blocks: RAM below the peripherals, devices above.
fn fill_blocks(table: &mut BootTable, attributes: &Attributes) {
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
fn fill_pages(
    table: &mut BootTable,
    image: &Regions,
    attributes: &Attributes,
    executable: RegionKind,
) {
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
fn pages(table: &mut BootTable, first: usize, end: usize, attributes: u64) {
    if let Some(entries) = table.get_mut(first..end) {
        run(entries, first * PAGE_SIZE, PAGE_SIZE, attributes);
    }
}

/// Consecutive leaves; eight a turn, because this is most of what boot executes.
#[inline(always)]
fn run(entries: &mut [u64], start: usize, size: usize, attributes: u64) {
    let mut descriptor = start as u64 | attributes;
    let size = size as u64;
    let (groups, rest) = entries.as_chunks_mut::<8>();
    for group in groups {
        group[0] = descriptor;
        group[1] = descriptor + size;
        group[2] = descriptor + 2 * size;
        group[3] = descriptor + 3 * size;
        group[4] = descriptor + 4 * size;
        group[5] = descriptor + 5 * size;
        group[6] = descriptor + 6 * size;
        group[7] = descriptor + 7 * size;
        descriptor += 8 * size;
    }
    for entry in rest {
        *entry = descriptor;
        descriptor += size;
    }
}

#[cfg(test)]
mod tests {
    //! Attribute bits by hand from DDI 0487 D8.3: 0 valid, 1 page or table, 4:2 AttrIndx (4
    //! write-back, 1 nGnRE, 0 nGnRnE), 7 read-only, 9:8 SH (3 inner), 10 AF, 11 nG, 53 PXN,
    //! 54 UXN.

    use super::{BootTable, BootTables, MappingFlags, Run};
    use crate::addr::PhysAddr;
    use crate::mm::regions::ImageLayout;
    use std::boxed::Box;
    use std::vec::Vec;

    const BASE: usize = 0xc_8000;
    const GARBAGE: u64 = 0xdead_beef_dead_beef;
    const BLOCK: usize = 0x20_0000;

    const READ_WRITE: u64 = 0x0060_0000_0000_0713;
    const READ_ONLY: u64 = 0x0060_0000_0000_0793;
    const EXECUTABLE: u64 = 0x0040_0000_0000_0793;
    const READ_WRITE_BLOCK: u64 = 0x0060_0000_0000_0711;
    const DEVICE_BLOCK: u64 = 0x0060_0000_0000_0405;
    const LOCAL_BLOCK: u64 = 0x0060_0000_4000_0401;
    const NON_GLOBAL: u64 = 0x800;

    /// Starts of park, init, text, rodata, data and scratch, and the end.
    const LAYOUTS: [[usize; 7]; 5] = [
        [
            0x8_0000, 0x8_1000, 0x8_4000, 0xa_0000, 0xb_0000, BASE, 0xd_8000,
        ],
        // Text to the end of the first 2 MiB, nothing behind it.
        [
            0x8_0000, 0x8_1000, 0x8_2000, 0x20_0000, 0x20_0000, 0x20_0000, 0x20_0000,
        ],
        // Read-write to the end of the first 2 MiB.
        [
            0x8_0000, 0x8_1000, 0x8_2000, 0x9_3000, 0x9_5000, 0x1f_0000, 0x20_0000,
        ],
        // Every region empty but one page of text.
        [
            0x8_0000, 0x8_0000, 0x8_0000, 0x8_1000, 0x8_1000, 0x8_1000, 0x8_1000,
        ],
        // From physical 0.
        [0, 0x1000, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000],
    ];

    fn filled([park, init, text, rodata, data, scratch, end]: [usize; 7]) -> Box<BootTables> {
        let layout = ImageLayout {
            park: PhysAddr::new(park),
            init: PhysAddr::new(init),
            early: PhysAddr::new(text),
            text: PhysAddr::new(text),
            rodata: PhysAddr::new(rodata),
            data: PhysAddr::new(data),
            scratch: PhysAddr::new(scratch),
            end: PhysAddr::new(end),
        };
        let mut tables = Box::new(BootTables::empty());
        tables.ttbr0_l2 = [GARBAGE; 512];
        tables.ttbr0_l3 = [GARBAGE; 512];
        tables.ttbr1_l2 = [GARBAGE; 512];
        tables.ttbr1_l3 = [GARBAGE; 512];
        let roots = tables.fill(PhysAddr::new(BASE), &layout.regions());
        assert_eq!(roots.low, PhysAddr::new(BASE));
        assert_eq!(roots.high, PhysAddr::new(BASE + 0x2000));
        tables
    }

    /// The rights of the page at `pa` in the low and in the high half.
    fn page(pa: usize, [park, _, text, rodata, data, ..]: [usize; 7]) -> (u64, u64) {
        let (low, high) = match pa {
            _ if (park..text).contains(&pa) => (EXECUTABLE, READ_ONLY),
            _ if (text..rodata).contains(&pa) => (READ_ONLY, EXECUTABLE),
            _ if (rodata..data).contains(&pa) => (READ_ONLY, READ_ONLY),
            _ => (READ_WRITE, READ_WRITE),
        };
        (low | NON_GLOBAL | pa as u64, high | pa as u64)
    }

    /// The rights of the block at `pa` in the high half.
    fn block(pa: usize) -> u64 {
        let attributes = if pa < 0x3f00_0000 {
            READ_WRITE_BLOCK
        } else {
            DEVICE_BLOCK
        };
        attributes | pa as u64
    }

    /// A table with these entries and no others.
    fn table(entries: &[(usize, u64)]) -> BootTable {
        let mut table = [0; 512];
        for (index, entry) in entries {
            table[*index] = *entry;
        }
        table
    }

    #[test]
    fn every_entry_of_every_table_is_what_the_memory_map_says() {
        for layout in LAYOUTS {
            let tables = filled(layout);
            let link = |index: usize| (BASE + index * 0x1000) as u64 | 0b11;
            assert_eq!(tables.ttbr0_l0, table(&[(0, link(1))]));
            let local = LOCAL_BLOCK | NON_GLOBAL;
            assert_eq!(tables.ttbr0_l1, table(&[(0, link(4)), (1, local)]));
            assert_eq!(tables.ttbr1_l0, table(&[(0, link(3))]));
            assert_eq!(tables.ttbr1_l1, table(&[(0, link(6)), (1, LOCAL_BLOCK)]));
            assert_eq!((tables.ttbr0_l2[0], tables.ttbr1_l2[0]), (link(5), link(7)));
            for index in 1..512 {
                let high = block(index * BLOCK);
                assert_eq!(tables.ttbr1_l2[index], high, "block {index}");
                assert_eq!(tables.ttbr0_l2[index], high | NON_GLOBAL, "block {index}");
            }
            for index in 0..512 {
                let found = (tables.ttbr0_l3[index], tables.ttbr1_l3[index]);
                assert_eq!(
                    found,
                    page(index * 0x1000, layout),
                    "page {index} of {layout:x?}"
                );
            }
        }
    }

    /// Every leaf of both halves: its first and last byte, and its descriptor.
    fn leaves(tables: &BootTables) -> Vec<(usize, usize, u64)> {
        let of = |table: &BootTable, size: usize, bit_1: u64| -> Vec<_> {
            let leaf = |entry: &&u64| **entry & 0b11 == bit_1 | 1;
            let address = |entry: u64| (entry & 0x0000_ffff_ffff_f000) as usize;
            let span = |entry: &u64| (address(*entry), address(*entry) + size - 1, *entry);
            table.iter().filter(leaf).map(span).collect()
        };
        [
            of(&tables.ttbr0_l3, 0x1000, 0b10),
            of(&tables.ttbr1_l3, 0x1000, 0b10),
            of(&tables.ttbr0_l2, BLOCK, 0),
            of(&tables.ttbr1_l2, BLOCK, 0),
            of(&tables.ttbr0_l1, 1 << 30, 0),
            of(&tables.ttbr1_l1, 1 << 30, 0),
        ]
        .concat()
    }

    #[test]
    fn the_leaves_are_all_of_both_halves_without_a_hole() {
        for layout in LAYOUTS {
            let tables = filled(layout);
            let mut shown = Vec::new();
            tables.each_leaf(&mut |leaf| shown.push(leaf));
            assert_eq!(shown.len(), leaves(&tables).len());
            let (low, high) = shown.split_at(shown.len() / 2);
            for (half, start) in [(low, 0), (high, 0xffff_0000_0000_0000)] {
                let mut next = start;
                for leaf in half {
                    assert_eq!(leaf.va.as_usize(), next);
                    assert_eq!(leaf.pa.as_usize(), next - start);
                    assert_eq!(leaf.bytes, leaf.size.bytes());
                    let is_global = leaf.flags.contains(MappingFlags::GLOBAL);
                    assert_eq!(is_global, start != 0);
                    next += leaf.bytes;
                }
                assert_eq!(next - start, 2 << 30);
            }
            let executable = |half: &[Run]| -> Vec<usize> {
                let runs = half.iter();
                let runs = runs.filter(|leaf| leaf.flags.contains(MappingFlags::EXECUTE));
                runs.map(|leaf| leaf.pa.as_usize()).collect()
            };
            let [park, _, text, rodata, ..] = layout;
            let pages = |range: core::ops::Range<usize>| range.step_by(0x1000).collect::<Vec<_>>();
            assert_eq!(executable(low), pages(park..text));
            assert_eq!(executable(high), pages(text..rodata));
        }
    }

    #[test]
    fn no_frame_is_writable_here_and_executable_there() {
        for layout in LAYOUTS {
            let leaves = leaves(&filled(layout));
            assert_eq!(leaves.len(), 2 * (511 + 512 + 1));
            let executable = |bits: u64| bits & 0x0060_0000_0000_0000 != 0x0060_0000_0000_0000;
            let writable = |bits: u64| bits & 0x80 == 0;
            for (start, end, _) in leaves.iter().filter(|leaf| executable(leaf.2)) {
                for (other, other_end, bits) in leaves.iter().filter(|leaf| writable(leaf.2)) {
                    let apart = end < other || other_end < start;
                    assert!(apart, "{start:#x} is writable: {bits:#x} in {layout:x?}");
                }
            }
        }
    }

    #[test]
    fn nothing_but_init_and_text_is_executable_and_only_in_its_half() {
        let tables = filled(LAYOUTS[0]);
        let executable = |table: &BootTable| -> Vec<usize> {
            let never = 0x0060_0000_0000_0000;
            (0..512)
                .filter(|index| table[*index] & 0b11 == 0b11 && table[*index] & never != never)
                .collect()
        };
        assert_eq!(
            executable(&tables.ttbr0_l3),
            (0x80..0x84).collect::<Vec<_>>()
        );
        assert_eq!(
            executable(&tables.ttbr1_l3),
            (0x84..0xa0).collect::<Vec<_>>()
        );
    }
}
