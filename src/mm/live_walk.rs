//! A walk of live page tables that believes no descriptor: for an audit of what may have been
//! written over.
//!
//! [`TableView`](crate::paging::TableView) walks a tree of which it knows that it is one. Here each
//! step is checked before it is taken:
//!
//! 1. A table is read only if its frame can be one, and each is visited once: a wild pointer is not
//!    followed, and a loop ends. Reading a device register by mistake would have an effect; so RAM
//!    is not enough.
//! 2. A descriptor must be one that this kernel's format makes from the address and the flags that
//!    it says: any other bit in it was written by somebody else. Of a leaf that is only noted.
//! 3. A table's descriptor counts the used entries of the table (`paging::format::aarch64`). An
//!    entry that was cleared or written from outside shows there, wherever it is.
//!
//! # Decisions
//! The geometry and the two low bits are written here from DDI 0487 D8.3 and not taken from the
//! library: a mistake in the library's would hide from an audit that uses it.
//!
//! Pure: reads through [`Tables`]. Source of the encoding: Arm DDI 0487 D8.3.
#![forbid(unsafe_code)]

use super::audit::MapViolation;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::paging::format::aarch64::A64PTE;
use crate::paging::{ENTRIES, GenericPTE, PageSize, Run};

const LAST_LEVEL: usize = 3;
/// Leaves of a group that has the contiguous hint.
const GROUP: usize = 16;
const ENTRY_BITS: usize = 9;
const VALID: u64 = 0b01;
/// Valid, and no block: a table above the last level, a page on it.
const TABLE_OR_PAGE: u64 = 0b11;

/// How the walk reads memory: the kernel's through the linear map, a test's in an array. Either
/// method may refuse, which ends the walk with a [`MapViolation`].
pub trait Tables {
    /// Whether the frame at `pa` can be a table, and was not asked about before.
    fn may_read_table(&mut self, pa: PhysAddr) -> bool;
    /// The descriptor at `pa`, in a frame that may be read; `None` if the memory system refuses.
    fn descriptor(&mut self, pa: PhysAddr) -> Option<u64>;
    /// Whether leaves may have the contiguous hint, in whole groups: not the kernel's.
    fn may_have_groups(&self) -> bool {
        false
    }
}

/// The counts of a walk, and the first oddities that do not end it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MapWalkSummary {
    /// Tables, the root included.
    pub tables: usize,
    /// The first leaf with bits that this kernel does not set. The leaf is shown all the same:
    /// which rule it breaks says more.
    pub foreign: Option<MapViolation>,
    /// The first table whose descriptor counts its entries wrongly. The entry that is too many or
    /// missing says more.
    pub miscounted: Option<MapViolation>,
}

/// Shows `leaf` every present leaf of the tree at `root`, which translates from `base` on, in the
/// order of addresses.
///
/// # Errors
/// The first [`MapViolation`] on the way.
pub fn walk(
    root: PhysAddr,
    base: VirtAddr,
    tables: &mut dyn Tables,
    leaf: &mut dyn FnMut(Run),
) -> Result<MapWalkSummary, MapViolation> {
    let mut walk = MapWalk {
        tables,
        leaf,
        walked: MapWalkSummary::default(),
    };
    walk.table(root, 0, base.as_usize())?;
    Ok(walk.walked)
}

struct MapWalk<'a> {
    tables: &'a mut dyn Tables,
    leaf: &'a mut dyn FnMut(Run),
    walked: MapWalkSummary,
}

impl MapWalk<'_> {
    /// Walks the table at `pa`, which stands at `level` and translates from `base` on. Returns its
    /// used entries.
    fn table(&mut self, pa: PhysAddr, level: usize, base: usize) -> Result<usize, MapViolation> {
        let first = VirtAddr::new(base);
        if !self.tables.may_read_table(pa) {
            return Err(MapViolation::NoTable { va: first, pa });
        }
        self.walked.tables += 1;
        let shift = PAGE_SIZE.ilog2() as usize + ENTRY_BITS * (LAST_LEVEL - level);
        let mut used = 0;
        for index in 0..ENTRIES {
            let place = PhysAddr::new(pa.as_usize() + index * size_of::<u64>());
            let va = VirtAddr::new(base + (index << shift));
            let descriptor = self.tables.descriptor(place);
            let bits = descriptor.ok_or(MapViolation::Unreadable { va, pa })?;
            used += usize::from(bits != 0);
            if bits & VALID != 0 {
                self.entry(place, bits, (va, level))?;
            }
        }
        Ok(used)
    }

    /// Whether the leaf `bits` of `size` at `place` has the contiguous hint as a member of a whole
    /// group (DDI 0487 D8.7.1): the first is aligned, and each is the one before it plus its size.
    #[cold]
    #[inline(never)]
    fn is_group_member(&mut self, place: PhysAddr, bits: u64, size: PageSize) -> bool {
        let entry = A64PTE::from_bits(bits);
        let index = place.as_usize() / size_of::<u64>() % GROUP;
        let before = (index * size.bytes()) as u64;
        let first = place.as_usize() - index * size_of::<u64>();
        let aligned = entry.paddr().as_usize() % (GROUP * size.bytes()) == index * size.bytes();
        let mut expected = bits.wrapping_sub(before);
        let mut others = (0..GROUP).map(|number| PhysAddr::new(first + number * size_of::<u64>()));
        self.tables.may_have_groups()
            && entry.is_contiguous()
            && aligned
            && others.all(|place| {
                let is_there = self.tables.descriptor(place) == Some(expected);
                expected += size.bytes() as u64;
                is_there
            })
    }

    /// A valid descriptor at `place` for the addresses from `va` on, in a table of `level`.
    fn entry(
        &mut self,
        place: PhysAddr,
        bits: u64,
        (va, level): (VirtAddr, usize),
    ) -> Result<(), MapViolation> {
        let foreign = MapViolation::Descriptor { va, level, bits };
        let entry = A64PTE::from_bits(bits);
        if level < LAST_LEVEL && bits & TABLE_OR_PAGE == TABLE_OR_PAGE {
            let counted = entry.count();
            if A64PTE::new_table(entry.paddr()).with_count(counted) != entry {
                return Err(foreign);
            }
            let found = self.table(entry.paddr(), level + 1, va.as_usize())?;
            if found != counted && self.walked.miscounted.is_none() {
                let miscounted = MapViolation::Miscounted { va, counted, found };
                self.walked.miscounted = Some(miscounted);
            }
            return Ok(());
        }
        let size = match (level, bits & TABLE_OR_PAGE) {
            (1, VALID) => PageSize::Size1G,
            (2, VALID) => PageSize::Size2M,
            (LAST_LEVEL, TABLE_OR_PAGE) => PageSize::Size4K,
            _ => return Err(foreign),
        };
        let (pa, flags) = (entry.paddr(), entry.flags());
        let page = A64PTE::new_page(pa, flags, size);
        if page != Ok(entry)
            && (page != Ok(entry.without_contiguous()) || !self.is_group_member(place, bits, size))
        {
            self.walked.foreign.get_or_insert(foreign);
        }
        (self.leaf)(Run {
            va,
            pa,
            bytes: size.bytes(),
            flags,
            software: entry.software(),
            size,
            rights: entry.odd_rights(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::vec::Vec;

    use super::{MapWalkSummary, Tables, walk};
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::mm::audit::MapViolation;
    use crate::paging::format::aarch64::A64PTE;
    use crate::paging::{GenericPTE, MappingFlags, PageSize, Run};

    const BASE: usize = 0xffff_0000_0000_0000;
    const ROOT: usize = 0x10_0000;
    const L1: usize = 0x10_1000;
    const L2: usize = 0x10_2000;
    const L3: usize = 0x10_3000;
    const READ_WRITE: MappingFlags = MappingFlags::READ
        .union(MappingFlags::WRITE)
        .union(MappingFlags::ACCESSED)
        .union(MappingFlags::GLOBAL);

    /// Memory with descriptors, in which the four frames above can be tables.
    #[derive(Default)]
    struct FakeTables {
        words: BTreeMap<usize, u64>,
        groups: bool,
        refused: Option<usize>,
        seen: BTreeSet<usize>,
    }

    impl Tables for FakeTables {
        fn may_read_table(&mut self, pa: PhysAddr) -> bool {
            [ROOT, L1, L2, L3].contains(&pa.as_usize()) && self.seen.insert(pa.as_usize())
        }

        fn descriptor(&mut self, pa: PhysAddr) -> Option<u64> {
            let word = self.words.get(&pa.as_usize()).copied().unwrap_or(0);
            (self.refused != Some(pa.as_usize())).then_some(word)
        }

        fn may_have_groups(&self) -> bool {
            self.groups
        }
    }

    fn link(table: usize, count: usize) -> u64 {
        A64PTE::new_table(PhysAddr::new(table))
            .with_count(count)
            .bits()
    }

    fn leaf(pa: usize, size: PageSize) -> u64 {
        let leaf = A64PTE::new_page(PhysAddr::new(pa), READ_WRITE, size);
        leaf.expect("a leaf").bits()
    }

    /// Two pages at 0 and 0x1000, a block of 2 MiB and one of 1 GiB.
    fn sound() -> FakeTables {
        let mut memory = FakeTables::default();
        for (place, bits) in [
            (ROOT, link(L1, 2)),
            (L1, link(L2, 2)),
            (L1 + 8, leaf(0x4000_0000, PageSize::Size1G)),
            (L2, link(L3, 2)),
            (L2 + 8, leaf(0x20_0000, PageSize::Size2M)),
            (L3, leaf(0x5000, PageSize::Size4K)),
            (L3 + 8, leaf(0x9000, PageSize::Size4K)),
        ] {
            memory.words.insert(place, bits);
        }
        memory
    }

    fn walked(mut memory: FakeTables) -> (Result<MapWalkSummary, MapViolation>, Vec<Run>) {
        let mut runs = Vec::new();
        let root = PhysAddr::new(ROOT);
        let base = VirtAddr::new(BASE);
        let result = walk(root, base, &mut memory, &mut |run| runs.push(run));
        (result, runs)
    }

    /// The violation when one word of the sound tree is another.
    fn with(place: usize, bits: u64) -> MapViolation {
        let mut memory = sound();
        memory.words.insert(place, bits);
        match walked(memory).0 {
            Ok(walked) => walked.foreign.or(walked.miscounted).expect("a violation"),
            Err(violation) => violation,
        }
    }

    #[test]
    fn every_leaf_is_shown_with_address_size_and_frame() {
        let (result, runs) = walked(sound());
        assert_eq!(
            result,
            Ok(MapWalkSummary {
                tables: 4,
                ..MapWalkSummary::default()
            })
        );
        let found: Vec<_> = runs
            .iter()
            .map(|run| (run.va.as_usize() - BASE, run.pa.as_usize(), run.size))
            .collect();
        let expected = [
            (0, 0x5000, PageSize::Size4K),
            (0x1000, 0x9000, PageSize::Size4K),
            (0x20_0000, 0x20_0000, PageSize::Size2M),
            (0x4000_0000, 0x4000_0000, PageSize::Size1G),
        ];
        assert_eq!(found, expected);
        assert!(runs.iter().all(|run| run.flags == READ_WRITE));
    }

    #[test]
    fn what_can_be_no_table_is_not_followed_and_no_table_twice() {
        for pa in [0x3f20_1000, 0x9000, L1, ROOT] {
            let found = with(L2, link(pa, 2));
            let (va, pa) = (VirtAddr::new(BASE), PhysAddr::new(pa));
            assert_eq!(found, MapViolation::NoTable { va, pa });
        }
    }

    #[test]
    fn each_bit_that_the_format_does_not_set_is_found() {
        let page = leaf(0x9000, PageSize::Size4K);
        let va = VirtAddr::new(BASE + 0x1000);
        // NS, SH, nG with another, AttrIndx 7, bits 47:48, DBM, contiguous, software, PBHA, 63.
        for bit in [5, 8, 2, 3, 48, 50, 51, 52, 55, 56, 59, 62, 63] {
            let bits = page ^ 1 << bit;
            let found = with(L3 + 8, bits);
            assert_eq!(
                found,
                MapViolation::Descriptor { va, level: 3, bits },
                "bit {bit}"
            );
        }
        // A block where the level has none, and a reserved encoding on the last.
        for (place, level, bits) in [
            (ROOT, 0, leaf(0x4000_0000, PageSize::Size1G)),
            (L3 + 8, 3, page & !0b10),
            // NSTable in a table's descriptor.
            (L2, 2, link(L3, 2) | 1 << 63),
        ] {
            let found = with(place, bits);
            assert!(
                matches!(
                    found,
                    MapViolation::Descriptor { level: l, bits: b, .. } if (l, b) == (level, bits)
                ),
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_contiguous_hint_stands_on_whole_groups_where_it_may_stand() {
        const CONTIGUOUS: u64 = 1 << 52;
        let mut memory = sound();
        memory.groups = true;
        memory.words.insert(L2, link(L3, 18));
        for index in 16..32 {
            let page = leaf(0x5000_0000 + index * 0x1000, PageSize::Size4K);
            memory.words.insert(L3 + 8 * index, page | CONTIGUOUS);
        }
        let foreign = |memory: FakeTables| walked(memory).0.expect("walked").foreign;
        let with = |words: &[(usize, u64)]| {
            let mut changed = FakeTables {
                words: memory.words.clone(),
                groups: true,
                ..FakeTables::default()
            };
            changed.words.extend(words.iter().copied());
            foreign(changed)
        };
        assert_eq!(with(&[]), None);
        let lone = leaf(0x9000, PageSize::Size4K) | CONTIGUOUS;
        let plain = leaf(0x5001_4000, PageSize::Size4K);
        for (index, bits) in [(1, lone), (20, plain), (20, lone), (31, 0), (16, lone)] {
            let found = with(&[(L3 + 8 * index, bits)]);
            assert!(found.is_some(), "{index} {bits:#x}");
        }
        let kernels = FakeTables {
            words: memory.words.clone(),
            ..FakeTables::default()
        };
        assert!(foreign(kernels).is_some());
    }

    #[test]
    fn rights_that_nobody_should_have_are_left_to_the_audit() {
        const PXN: u64 = 1 << 53;
        let mut memory = sound();
        memory
            .words
            .insert(L3, leaf(0x5000, PageSize::Size4K) & !PXN);
        let (result, runs) = walked(memory);
        assert_eq!(result.map(|walked| walked.tables), Ok(4));
        assert!(runs[0].flags.contains(READ_WRITE | MappingFlags::EXECUTE));
    }

    #[test]
    fn a_cleared_or_added_entry_is_missed_by_the_count_of_its_table() {
        let va = VirtAddr::new(BASE);
        for (place, bits, found) in [(L3 + 8, 0, 1), (L3 + 16, 2, 3)] {
            let violation = with(place, bits);
            assert_eq!(
                violation,
                MapViolation::Miscounted {
                    va,
                    counted: 2,
                    found
                }
            );
        }
    }

    #[test]
    fn memory_that_cannot_be_read_is_told_and_ends_the_walk() {
        let mut memory = sound();
        memory.refused = Some(L3 + 8);
        let va = VirtAddr::new(BASE + 0x1000);
        let pa = PhysAddr::new(L3);
        assert_eq!(walked(memory).0, Err(MapViolation::Unreadable { va, pa }));
    }
}
