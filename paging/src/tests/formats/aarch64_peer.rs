//! A64 descriptors against `aarch64-paging`, which reads them in tables: ours are put where it
//! looks for its own, and it walks them.

use core::cell::Cell;
use core::ptr::NonNull;
use std::vec::Vec;

use aarch64_paging::descriptor::{El1Attributes as Theirs, PagingAttributes, PhysicalAddress};
use aarch64_paging::mair::{Mair, MairAttribute, NormalMemory};
use aarch64_paging::paging::{El1And0, MemoryRegion, PageTable, RootTable, Translation, VaRange};

use super::{A64Low, Format};
use crate::addr::PhysAddr;
use crate::format::aarch64::A64PTE;
use crate::format::aarch64_registers::MAIR_EL1;
use crate::tests::memory::{Frames, live_frames, put_word};
use crate::tests::{A, ANYWAY, D, G, G1, K4, M2, N, R, RO, RW, U, W, X, pa, va};
use crate::{ENTRIES, GenericPTE, MappingFlags, PageSize, PagingHandler, RegionOptions};

/// Frames with edges of every field; of them every size takes those that it is aligned to.
const FRAMES: [usize; 8] = [
    0,
    K4,
    0x8_0000,
    M2,
    G1,
    0xff_c000_0000,
    0xffff_c000_0000,
    0xffff_ffff_f000,
];

/// Our tables, as its walker gets at them.
struct Ours<'walk> {
    root: PhysAddr,
    /// Tables that it gave back.
    returned: &'walk Cell<usize>,
}

fn pointer(table: PhysAddr) -> NonNull<PageTable<Theirs>> {
    let words = Frames::phys_to_virt(table).as_usize() as *mut PageTable<Theirs>;
    NonNull::new(words).expect("a frame of the tests")
}

impl Translation<Theirs> for Ours<'_> {
    /// It asks once, for the root.
    fn allocate_table(&mut self) -> (NonNull<PageTable<Theirs>>, PhysicalAddress) {
        (pointer(self.root), PhysicalAddress(self.root.as_usize()))
    }

    /// The table stays: it is not its own.
    unsafe fn deallocate_table(&mut self, _: NonNull<PageTable<Theirs>>) {
        self.returned.set(self.returned.get() + 1);
    }

    fn physical_to_virtual(&self, table: PhysicalAddress) -> NonNull<PageTable<Theirs>> {
        pointer(pa(table.0))
    }
}

/// What it says of a descriptor.
#[derive(Clone, Copy, Debug)]
struct Read {
    at: usize,
    level: usize,
    valid: bool,
    table_or_page: bool,
    frame: usize,
    attributes: Theirs,
}

/// What it finds in the tree below `root`, a table of `level`, but for what leads to tables; how
/// many tables there are.
fn walk(root: PhysAddr, level: usize) -> (Vec<Read>, usize) {
    let tables = Cell::new(0);
    let returned = &tables;
    let ours = Ours { root, returned };
    let tree = RootTable::with_va_range(ours, level, El1And0, VaRange::Lower);
    let mut found = Vec::new();
    let all = MemoryRegion::new(0, tree.size());
    let walked = tree.walk_range(&all, &mut |region, descriptor, level| {
        found.push(Read {
            at: region.start().0,
            level,
            valid: descriptor.is_valid(),
            table_or_page: descriptor.is_table_or_page(),
            frame: descriptor.output_address().0,
            attributes: descriptor.flags(),
        });
        Ok(())
    });
    assert_eq!(walked, Ok(()));
    drop(tree);
    (found, tables.get())
}

/// What it reads where `entries` stand in a table of `level`.
fn read(entries: &[A64PTE], level: usize) -> Vec<Read> {
    let table = Frames::alloc_frame().unwrap();
    let mut all = Vec::new();
    for some in entries.chunks(ENTRIES) {
        Frames::zero_frame(table);
        for (index, entry) in some.iter().enumerate() {
            put_word(table.as_usize(), index, entry.bits());
        }
        let (found, tables) = walk(table, level);
        assert_eq!((found.len(), tables), (ENTRIES, 1));
        assert!(found.iter().all(|read| read.level == level));
        assert!(found[some.len()..].iter().all(|read| !read.valid));
        all.extend_from_slice(&found[..some.len()]);
    }
    Frames::dealloc_frame(table);
    all
}

/// The level at which leaves of `size` stand.
const fn level(size: PageSize) -> usize {
    3 - size.levels_below()
}

fn accepted() -> impl Iterator<Item = MappingFlags> {
    let sets = (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain);
    sets.filter(|flags| A64Low::faults(*flags).is_empty())
}

/// All leaves of `size`: frame, flags, entry.
fn leaves(size: PageSize) -> Vec<(usize, MappingFlags, A64PTE)> {
    let aligned = FRAMES.into_iter().filter(|frame| frame % size.bytes() == 0);
    let all = aligned.flat_map(|frame| accepted().map(move |flags| (frame, flags)));
    all.map(|(frame, flags)| {
        let entry = A64PTE::new_page(pa(frame), flags, size);
        (frame, flags, entry.unwrap())
    })
    .collect()
}

/// The memory type that an index into MAIR_EL1 selects, by its names; with that, the
/// shareability that we ask for.
fn memory_type(attributes: Theirs) -> (MappingFlags, Theirs) {
    use NormalMemory::{NonCacheable, WriteBackNonTransientReadWriteAllocate as WriteBack};
    let indices = [
        Theirs::ATTRIBUTE_INDEX_0,
        Theirs::ATTRIBUTE_INDEX_1,
        Theirs::ATTRIBUTE_INDEX_2,
        Theirs::ATTRIBUTE_INDEX_3,
        Theirs::ATTRIBUTE_INDEX_4,
    ];
    let index = attributes & Theirs::ATTRIBUTE_INDEX_MASK;
    let index = indices.into_iter().position(|known| known == index);
    let types = [
        (MairAttribute::DEVICE_NGNRNE, D | N, Theirs::empty()),
        (MairAttribute::DEVICE_NGNRE, D, Theirs::empty()),
        (
            MairAttribute::normal(NonCacheable, NonCacheable),
            N,
            Theirs::INNER_SHAREABLE,
        ),
        (
            MairAttribute::normal(WriteBack, WriteBack),
            MappingFlags::empty(),
            Theirs::INNER_SHAREABLE,
        ),
    ];
    let selected = Mair(MAIR_EL1).attributes()[index.expect("an index that is in use")];
    let known = types.into_iter().find(|(known, ..)| *known == selected);
    let (_, flags, shareability) = known.expect("a type that we know");
    (flags, shareability)
}

/// Its attributes of a present leaf in our flags.
fn flags_of(attributes: Theirs) -> MappingFlags {
    let has = |attribute| attributes.contains(attribute);
    let el0_executes = !has(Theirs::UXN);
    let when = |condition, flags| {
        if condition {
            flags
        } else {
            MappingFlags::empty()
        }
    };
    // What only EL0 may execute and may not read is not READ, though EL1 reads it.
    let flags = memory_type(attributes).0
        | when(has(Theirs::USER) || el0_executes, U)
        | when(has(Theirs::USER) || !el0_executes, R)
        | when(!has(Theirs::READ_ONLY), W)
        | when(el0_executes || !has(Theirs::PXN), X)
        | when(!has(Theirs::NON_GLOBAL), G)
        | when(has(Theirs::ACCESSED), A);
    let breaks = flags.contains(X) && flags.intersects(W | D | N);
    flags | when(breaks, ANYWAY)
}

#[test]
fn it_reads_every_present_leaf_as_we_do() {
    for size in PageSize::ALL {
        let leaves = leaves(size);
        let entries: Vec<_> = leaves.iter().map(|(_, _, entry)| *entry).collect();
        for ((frame, flags, entry), read) in leaves.iter().zip(read(&entries, level(size))) {
            assert_eq!(read.valid, entry.is_present(), "{flags:?}");
            assert_eq!((read.frame, pa(read.frame)), (*frame, entry.paddr()));
            if !read.valid {
                continue;
            }
            assert_eq!(read.table_or_page, size == PageSize::Size4K, "{flags:?}");
            assert_eq!(flags_of(read.attributes), *flags, "{:?}", read.attributes);
            assert_eq!(entry.flags(), *flags);
            // No field is set that was not asked for.
            let known = Theirs::VALID
                | Theirs::TABLE_OR_PAGE
                | Theirs::ATTRIBUTE_INDEX_MASK
                | Theirs::SHAREABILITY_MASK
                | Theirs::USER
                | Theirs::READ_ONLY
                | Theirs::ACCESSED
                | Theirs::NON_GLOBAL
                | Theirs::PXN
                | Theirs::UXN;
            assert_eq!(read.attributes - known, Theirs::empty(), "{flags:?}");
            let shareability = read.attributes & Theirs::SHAREABILITY_MASK;
            assert_eq!(shareability, memory_type(read.attributes).1);
        }
    }
}

/// Nothing is there to its walker; the rest it reads as it stands in a present leaf. What is
/// inaccessible is marked in a field of software's.
#[test]
fn what_is_inaccessible_or_broken_is_invalid_to_it() {
    for size in PageSize::ALL {
        let leaves = leaves(size);
        let (inaccessible, present): (Vec<_>, Vec<_>) = leaves
            .into_iter()
            .partition(|(_, flags, _)| !flags.intersects(R | W | X));
        let entries: Vec<_> = inaccessible.iter().map(|(_, _, entry)| *entry).collect();
        for ((frame, flags, _), read) in inaccessible.iter().zip(read(&entries, level(size))) {
            assert!(!read.valid && !read.table_or_page, "{flags:?}");
            assert_eq!(read.frame, *frame);
            let expected = Theirs::SWFLAG_0 | Theirs::PXN | Theirs::UXN | Theirs::READ_ONLY;
            assert!(read.attributes.contains(expected), "{flags:?}");
            let read = memory_type(read.attributes).0;
            assert_eq!(read, *flags & (D | N));
        }
        let broken: Vec<_> = present.iter().map(|(_, _, leaf)| leaf.broken()).collect();
        for ((frame, ..), read) in present.iter().zip(read(&broken, level(size))) {
            assert!(!read.valid && !read.table_or_page);
            assert_eq!(read.frame, *frame);
        }
    }
}

/// Where it does not go on, in a table of the last level, it shows what leads to tables. The
/// count stands in fields that a table's descriptor has not.
#[test]
fn a_table_names_its_frame_whatever_its_count_is() {
    let counts = [0, 1, 2, 255, 256, 511, 512];
    let tables: Vec<_> = FRAMES
        .into_iter()
        .flat_map(|frame| {
            let table = A64PTE::new_table(pa(frame));
            counts.map(|count| (frame, table.with_count(count)))
        })
        .collect();
    let entries: Vec<_> = tables.iter().map(|(_, entry)| *entry).collect();
    let ignored = Theirs::ATTRIBUTE_INDEX_MASK
        | Theirs::NS
        | Theirs::USER
        | Theirs::READ_ONLY
        | Theirs::SHAREABILITY_MASK
        | Theirs::ACCESSED
        | Theirs::NON_GLOBAL;
    for ((frame, entry), read) in tables.iter().zip(read(&entries, 3)) {
        assert!(entry.is_present() && read.valid && read.table_or_page);
        assert_eq!((read.frame, pa(read.frame)), (*frame, entry.paddr()));
        let expected = Theirs::VALID | Theirs::TABLE_OR_PAGE;
        assert_eq!(read.attributes - ignored, expected);
    }
    let broken: Vec<_> = entries.iter().map(|entry| entry.broken()).collect();
    for level in 0..4 {
        assert!(read(&broken, level).iter().all(|read| !read.valid));
    }
}

/// Known to differ: it breaks before AP\[1\] changes (USER), which the manual does not ask for.
#[test]
fn it_breaks_first_what_we_break_first() {
    let present = || accepted().filter(|flags| flags.intersects(R | W | X));
    for size in PageSize::ALL {
        let leaf = |flags| A64PTE::new_page(pa(G1), flags, size).unwrap();
        let plain: Vec<_> = present().map(leaf).collect();
        let hinted: Vec<_> = plain.iter().map(|leaf| leaf.with_contiguous()).collect();
        let ours: Vec<_> = plain.into_iter().chain(hinted).collect();
        let theirs = read(&ours, level(size));
        for (old, old_read) in ours.iter().zip(&theirs) {
            for (new, new_read) in ours.iter().zip(&theirs) {
                let (from, to) = (old_read.attributes, new_read.attributes);
                let user = (from ^ to).contains(Theirs::USER);
                let breaks = !Theirs::is_bbm_safe(from, to);
                assert_eq!(old.needs_break(*new) || user, breaks, "{from:?} {to:?}");
            }
        }
    }
}

/// It finds what we mapped, by the same way down.
#[test]
fn it_finds_in_our_tree_what_we_mapped() {
    let mut table = A64Low::table();
    let last = A64Low::space() - M2;
    let regions = [
        (G1 - M2 - 3 * K4, 2 * G1 - M2 - 3 * K4, 3 * G1, RW),
        (5 * G1 + K4, 0xff_0000_3000, 35 * K4, RO),
        (last, 0xffff_ffe0_0000, M2, R | X | U | A),
    ];
    for (at, frame, bytes, flags) in regions {
        let region = table.map_region(va(at), pa(frame), bytes, flags, RegionOptions::all());
        region.unwrap().flush();
    }
    table
        .protect_region(va(2 * G1 + M2), M2, MappingFlags::empty())
        .unwrap()
        .flush();
    let mut ours = Vec::new();
    let _ = table.leaves::<()>(|leaf| {
        if leaf.entry.is_present() {
            let level = level(leaf.size);
            ours.push((
                leaf.va.as_usize(),
                leaf.paddr().as_usize(),
                level,
                leaf.flags(),
            ));
        }
        core::ops::ControlFlow::Continue(())
    });
    let (found, tables) = walk(table.root_paddr(), 0);
    assert_eq!(tables, table.view().count_tables());
    let theirs: Vec<_> = found
        .iter()
        .filter(|read| read.valid)
        .map(|read| (read.at, read.frame, read.level, flags_of(read.attributes)))
        .collect();
    assert!(ours.len() > 1000, "{}", ours.len());
    assert_eq!(ours, theirs);
    drop(table);
    assert_eq!(live_frames(), 0);
}
