//! The map of an AArch64 kernel in the high half, built on a recorder: what it looks like, and what
//! each step costs in descriptors, barriers and TLB invalidations.
//!
//! `cargo run --example kernel_map` prints both. On a machine, `Recorder` is replaced by
//! `stilt_paging::backend::aarch64::Machine`, and nothing else changes.
#![expect(unsafe_code, reason = "implements unsafe traits")]

mod frames;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use frames::Frames;
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::{A64PageTable, HighHalf};
use stilt_paging::format::aarch64_tlb::{A64Maintenance, Barrier, Instructions, Tlbi};
use stilt_paging::{MappingFlags, PageSize, PagingResult, RegionOptions, Summary};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
/// Where the kernel has physical address 0.
const OFFSET: usize = 0xffff_0000_0000_0000;

const NORMAL: MappingFlags = MappingFlags::GLOBAL.union(MappingFlags::ACCESSED);
const CODE: MappingFlags = NORMAL
    .union(MappingFlags::READ)
    .union(MappingFlags::EXECUTE);
const CONSTANTS: MappingFlags = NORMAL.union(MappingFlags::READ);
const DATA: MappingFlags = CONSTANTS.union(MappingFlags::WRITE);
const DEVICE: MappingFlags = DATA.union(MappingFlags::DEVICE);

/// A part of the map: its name, first physical address, size in bytes, flags.
type Part = (&'static str, usize, usize, MappingFlags);

/// A kernel on a board with RAM from 0 and devices below 1 GiB.
const PARTS: [Part; 6] = [
    ("RAM below the kernel", 0, 512 * KIB, DATA),
    ("text", 512 * KIB, 256 * KIB, CODE),
    ("constants", 768 * KIB, 128 * KIB, CONSTANTS),
    ("data", 896 * KIB, MIB + 128 * KIB, DATA),
    ("RAM behind the kernel", 2 * MIB, 1006 * MIB, DATA),
    ("devices", 1008 * MIB, 16 * MIB, DEVICE),
];

/// What was executed.
#[derive(Debug, Default)]
struct Cost {
    stores: usize,
    barriers: Vec<Barrier>,
    invalidations: Vec<(Tlbi, u64)>,
}

thread_local! {
    static COST: RefCell<Cost> = RefCell::default();
}

/// Executes nothing and notes everything.
struct Recorder;

// SAFETY: no hardware walks these tables.
unsafe impl Instructions for Recorder {
    fn barrier(barrier: Barrier) {
        COST.with_borrow_mut(|cost| cost.barriers.push(barrier));
    }

    fn tlbi(tlbi: Tlbi, operand: u64) {
        COST.with_borrow_mut(|cost| cost.invalidations.push((tlbi, operand)));
    }

    fn store(entry: &AtomicU64, bits: u64) {
        COST.with_borrow_mut(|cost| cost.stores += 1);
        entry.store(bits, Ordering::Relaxed);
    }
}

type KernelTable = A64PageTable<HighHalf, A64Maintenance<Recorder>, Frames>;

/// What each step of the example cost, and what the tree held before and after the guard page.
struct Steps {
    build: Cost,
    built: Summary,
    protect: Cost,
    guarded: Summary,
    dump: String,
    unmap: Cost,
}

/// The page that becomes inaccessible: below a stack, in the middle of a block of RAM.
const GUARD: VirtAddr = VirtAddr::new(OFFSET + 101 * MIB);

fn steps() -> PagingResult<Steps> {
    let mut table = KernelTable::try_new()?;
    COST.take();
    for (_, start, size, flags) in PARTS {
        let (va, pa) = (VirtAddr::new(OFFSET + start), PhysAddr::new(start));
        table
            .map_region(va, pa, size, flags, RegionOptions::HUGE)?
            .flush();
    }
    let build = COST.take();
    let built = table.check().expect("the tree is sound");

    // No right is left. The block around the page is split, and nothing else in it changes.
    table
        .protect_region(GUARD, PageSize::Size4K.bytes(), NORMAL)?
        .flush();
    let protect = COST.take();
    let guarded = table.check().expect("the tree is sound");
    let dump = table.dump().to_string();

    table.unmap_region(VirtAddr::new(OFFSET), GIB)?.flush();
    let unmap = COST.take();
    assert_eq!(
        table.view().count_tables(),
        1,
        "tables left empty are freed"
    );
    Ok(Steps {
        build,
        built,
        protect,
        guarded,
        dump,
        unmap,
    })
}

fn show(what: &str, cost: &Cost) {
    println!(
        "{what:<32} {:>6} stores  {:>3} barriers  {:>3} invalidations",
        cost.stores,
        cost.barriers.len(),
        cost.invalidations.len(),
    );
}

fn main() -> PagingResult {
    for (name, start, size, flags) in PARTS {
        println!("{name:<24} {:>7} KiB at {start:#010x}  {flags}", size / KIB);
    }
    let steps = steps()?;
    println!("\n{}", steps.dump);
    show("build the map", &steps.build);
    show("make a page inaccessible", &steps.protect);
    for (tlbi, operand) in &steps.protect.invalidations {
        println!("    {tlbi:?} {operand:#x}");
    }
    show("unmap everything", &steps.unmap);
    let (before, after) = (steps.built.tables, steps.guarded.tables);
    let left = Frames::in_use();
    println!("tables: {before}, with the guard page {after}; frames in use at the end: {left}");
    Ok(())
}

#[cfg(test)]
use stilt_paging::{ENTRIES, format::aarch64_tlb::tlbi_operand};

#[test]
fn a_map_costs_what_its_leaves_cost_and_no_invalidation_before_something_is_taken_away() {
    let steps = steps().unwrap();
    let Steps { build, built, .. } = &steps;
    // The leaves; and for each part what links its tables and counts its entries.
    assert!((built.present..=built.present + 2 * PARTS.len()).contains(&build.stores));
    assert_eq!(build.invalidations, []);
    // The first part brings all tables, and each one is published.
    let mut barriers = vec![Barrier::DmbIshst];
    barriers.extend([Barrier::DsbIshst, Barrier::Isb].repeat(PARTS.len()));
    assert_eq!(build.barriers, barriers);

    // One block becomes 512 pages, one of them without rights; it is broken before, and invalidated
    // once.
    let Steps {
        protect, guarded, ..
    } = &steps;
    assert_eq!(guarded.tables, built.tables + 1);
    assert_eq!(guarded.inaccessible, 1);
    assert_eq!(guarded.present, built.present - 1 + ENTRIES - 1);
    assert!((ENTRIES..ENTRIES + 5).contains(&protect.stores));
    let block = GUARD.align_down(PageSize::Size2M.bytes());
    assert_eq!(
        protect.invalidations,
        [(Tlbi::Vaae1is, tlbi_operand(block, 0))]
    );
    assert!(steps.dump.contains("--- k wb     ga 4K"));

    // Whole tables go by one store each, and with one invalidation of everything.
    assert!(steps.unmap.stores < ENTRIES);
    assert_eq!(steps.unmap.invalidations, [(Tlbi::Vmalle1is, 0)]);
    assert_eq!(Frames::in_use(), 0);
}
