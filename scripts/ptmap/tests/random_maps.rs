//! 200 random trees in both halves, built by `stilt-paging` on frames of this program: the walk
//! finds the runs and tables that the library itself reads in them.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ptmap::finding::FindingKind;
use ptmap::map::{Map, runs};
use ptmap::memory::{PhysicalMemory, Table};
use ptmap::places::Places;
use ptmap::registers::Registers;
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::{A64PageTable, Half, HighHalf, LowHalf};
use stilt_paging::format::aarch64_registers::{MAIR_EL1, SCTLR_EL1_MMU_ON, tcr_el1};
use stilt_paging::{
    AddressSpace, ENTRIES, InvalidateScope, Maintenance, MappingFlags, PagingHandler, PagingResult,
    RegionOptions, Run,
};

const MAPS: u64 = 200;
/// The number of frames in the pool, and the physical address of the first.
const FRAMES: usize = 4096;
const BASE: usize = 0x8000_0000;

#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

static RAM: [Frame; FRAMES] = [const { Frame([const { AtomicU64::new(0) }; ENTRIES]) }; FRAMES];
static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// The pool of frames, as the handler of the tables.
struct Frames;

impl Frames {
    fn words(pa: PhysAddr) -> Option<&'static [AtomicU64; ENTRIES]> {
        let number = pa.as_usize().checked_sub(BASE)? / PAGE_SIZE;
        RAM.get(number).map(|frame| &frame.0)
    }
}

// SAFETY: a frame that is in use is not in the list of free ones; its memory is a static, aligned
// to 4096, and every access to it is atomic.
unsafe impl PagingHandler for Frames {
    fn alloc_frame() -> Option<PhysAddr> {
        let number = FREE.lock().unwrap().pop()?;
        Some(PhysAddr::new(BASE + number * PAGE_SIZE))
    }

    fn dealloc_frame(pa: PhysAddr) {
        FREE.lock()
            .unwrap()
            .push((pa.as_usize() - BASE) / PAGE_SIZE);
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        let words = Self::words(pa).expect("a frame of the pool");
        VirtAddr::new(words.as_ptr().expose_provenance())
    }
}

/// No hardware walks these tables: nothing is maintained.
struct Nothing;

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Nothing {
    fn store(slot: &AtomicU64, bits: u64) {
        slot.store(bits, Ordering::Relaxed);
    }
    fn order_table() {}
    fn publish() {}
    fn begin_invalidation() {}
    fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
    fn invalidate_all(_: AddressSpace) {}
    fn end_invalidation() {}
}

/// The pool as physical memory that the walk reads.
struct Pool;

impl PhysicalMemory for Pool {
    type Error = Infallible;

    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, Infallible> {
        let words = Frames::words(PhysAddr::new(pa as usize));
        let load = |words: &[AtomicU64; ENTRIES]| {
            Box::new(std::array::from_fn(|index| {
                words[index].load(Ordering::Relaxed)
            }))
        };
        Ok(words.map(load))
    }
}

/// xorshift64: the same maps in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

type Tree<S> = A64PageTable<S, Nothing, Frames>;

/// Random flags that a leaf of the half may have.
fn flags<S: Half>(random: &mut Random) -> MappingFlags {
    const READ: MappingFlags = MappingFlags::READ.union(MappingFlags::ACCESSED);
    let write = READ | MappingFlags::WRITE;
    let rights = random.one_of(&[
        READ,
        write,
        READ | MappingFlags::EXECUTE,
        write | MappingFlags::EXECUTE | MappingFlags::EXECUTE_ANYWAY,
        write | MappingFlags::DEVICE,
        write | MappingFlags::DEVICE | MappingFlags::UNCACHED,
        write | MappingFlags::UNCACHED,
        MappingFlags::READ,
        MappingFlags::ACCESSED,
    ]);
    rights
        | match S::BASE {
            0 => random.one_of(&[MappingFlags::empty(), MappingFlags::USER]),
            _ => random.one_of(&[MappingFlags::GLOBAL, MappingFlags::empty()]),
        }
}

/// A random range near one of few places, so that operations overlap.
fn range<S: Half>(random: &mut Random) -> (VirtAddr, usize) {
    let place = random.one_of(&[0, 0x80_0000_0000, 0x7fff_8000_0000]);
    let (align, most) = random.one_of(&[
        (0x1000, 40),
        (0x1_0000, 40),
        (0x20_0000, 6),
        (0x4000_0000, 2),
    ]);
    let start = place + random.below(64) * align % 0x100_0000;
    let bytes = (1 + random.below(most)) * align;
    (VirtAddr::new(S::BASE | start), bytes)
}

fn build<S: Half>(random: &mut Random) -> Tree<S> {
    let mut tree = Tree::<S>::try_new().expect("a frame for the root");
    for _ in 0..2 + random.below(40) {
        // An operation that is refused (mapped already, not mapped) changes nothing.
        let _ = step(&mut tree, random);
    }
    tree
}

fn step<S: Half>(tree: &mut Tree<S>, random: &mut Random) -> PagingResult {
    let (va, bytes) = range::<S>(random);
    match random.below(8) {
        0 => tree.unmap_region(va, bytes)?.flush(),
        1 => {
            let flags = flags::<S>(random);
            tree.protect_region(va, bytes, flags)?.flush();
        }
        _ => {
            let mut options = RegionOptions::from_bits_truncate(random.below(4) as u8);
            // The frame's distance from the address's alignment: none, a page, or a block.
            let mut skew = random.one_of(&[0, 0x1000, 0x20_0000]);
            if bytes >= 0x4000_0000 {
                // Only with blocks: in pages, two regions of this size would take all frames.
                options |= RegionOptions::HUGE;
                skew &= !0xf_ffff;
            }
            let pa = PhysAddr::new((va.as_usize() & 0xff_ffff_ffff) + skew);
            let flags = flags::<S>(random);
            tree.map_region(va, pa, bytes, flags, options)?.flush();
        }
    }
    Ok(())
}

fn found_by_the_library<S: Half>(tree: &Tree<S>) -> (Vec<Run>, usize) {
    (tree.iter(..).collect(), tree.view().count_tables())
}

#[test]
fn the_walk_finds_what_the_library_reads_in_its_own_trees() {
    *FREE.lock().unwrap() = (0..FRAMES).rev().collect();
    let (mut all, mut contiguous, mut inaccessible, mut blocks) = (0, 0, 0, 0);
    for seed in 1..=MAPS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let low = build::<LowHalf>(&mut random);
        let high = build::<HighHalf>(&mut random);
        let registers = Registers {
            ttbr0: low.root_paddr().as_usize() as u64 | 7 << 48,
            ttbr1: high.root_paddr().as_usize() as u64,
            tcr: tcr_el1(5),
            mair: MAIR_EL1,
            sctlr: SCTLR_EL1_MMU_ON,
        };
        let Ok(map) = Map::read("random", "", registers, &mut Pool, &Places::default());
        let [low_tree, high_tree] = &map.trees;
        for (tree, expected) in [
            (low_tree, found_by_the_library(&low)),
            (high_tree, found_by_the_library(&high)),
        ] {
            assert_eq!(runs(tree), expected.0, "seed {seed}");
            assert_eq!(tree.tables.len(), expected.1, "seed {seed}");
            all += expected.0.len();
        }
        let pieces = map.pieces.iter();
        contiguous += pieces.clone().filter(|piece| piece.is_contiguous()).count();
        inaccessible += pieces.clone().filter(|piece| !piece.is_valid()).count();
        blocks += pieces.filter(|piece| piece.level < 3).count();
        // The library makes no broken contiguous group, no reserved encoding, no misaligned block.
        let made_by_nobody = map.findings.iter().find(|found| {
            !matches!(
                found.kind,
                FindingKind::WritableExecutable
                    | FindingKind::WritableAlias
                    | FindingKind::MixedMemoryTypes
                    | FindingKind::NeverUsed
            )
        });
        assert_eq!(made_by_nobody, None, "seed {seed}");
    }
    let enough = all > 2000 && contiguous > 100 && inaccessible > 50 && blocks > 500;
    assert!(
        enough,
        "{all} runs, {contiguous} contiguous, {inaccessible} inaccessible, {blocks} blocks"
    );
}
