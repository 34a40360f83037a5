//! A reader that is interrupted by the writer between any two steps of a walk: as by another core,
//! or by an interrupt. Each reading operation is cut at each of its steps by each change.
//!
//! What it reports must be what was mapped before or is mapped after; what the writer does not
//! touch must be there. A frame that is not owned cannot be reached, and one that is handed out
//! again holds other tables by the time the reader goes on.
#![forbid(unsafe_code)]

use core::cell::RefCell;
use core::ops::ControlFlow;
use std::boxed::Box;
use std::println;
use std::rc::Rc;
use std::string::ToString;
use std::vec::Vec;

use super::{Reader, Top, Writer, reader, start, top, writer};
use crate::addr::{PhysAddr, VirtAddr};
use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{after_steps, live_frames, stop_counting};
use crate::tests::{K4, M2, RO, RW, pa};
use crate::{MappingFlags, PageSize, RegionOptions};

const HUGE: RegionOptions = RegionOptions::HUGE;
/// What the writer maps and unmaps: three pages, a block, and a table full of pages.
const TOUCHED: usize = 16 * M2;
const BLOCK: usize = 2 * M2;
const FULL: usize = 4 * M2;
/// A page that it never touches, in the other shared table.
fn witness<F: Format>() -> usize {
    F::space() / 512 + 5 * K4
}

/// A leaf that was reported: where, its frame, its flags.
type Seen = (VirtAddr, PhysAddr, MappingFlags);

/// A way of reading: reports what it finds.
type Read<F> = fn(&Reader<'_, F>) -> Vec<Seen>;

/// A change that the writer makes.
type Change<F> = fn(&mut Writer<'_, F>);

fn at<F: Format>(offset: usize) -> VirtAddr {
    F::va(start::<F>() + offset)
}

fn fill<F: Format>(kernel: &mut Writer<'_, F>) {
    for (offset, bytes, options) in [
        (0, 3 * K4, RegionOptions::empty()),
        (BLOCK, M2, HUGE),
        (FULL, M2, RegionOptions::empty()),
    ] {
        let region = kernel.map_region(at::<F>(offset), pa(offset), bytes, RO, options);
        region.unwrap().flush();
    }
}

fn clear<F: Format>(kernel: &mut Writer<'_, F>) {
    kernel.unmap_region(at::<F>(0), TOUCHED).unwrap().flush();
}

/// Frees all tables, and has others take the frames.
fn move_away<F: Format>(kernel: &mut Writer<'_, F>) {
    clear::<F>(kernel);
    for offset in [8 * M2, 9 * M2, 10 * M2] {
        let mapped = kernel.map(at::<F>(offset), pa(offset), PageSize::Size4K, RW);
        mapped.unwrap().flush();
    }
}

fn changes<F: Format>() -> [Change<F>; 5] {
    [
        move_away::<F>,
        |kernel| kernel.compact(at::<F>(0), TOUCHED).unwrap().flush(),
        |kernel| {
            let region = kernel.protect_region(at::<F>(BLOCK + K4), FULL, RW);
            region.unwrap().flush();
        },
        |kernel| {
            for offset in [0, K4, 2 * K4, BLOCK] {
                let _ = kernel.unmap(at::<F>(offset)).unwrap().flush();
            }
        },
        |kernel| {
            clear::<F>(kernel);
            fill::<F>(kernel);
        },
    ]
}

fn query<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let offsets = [0, K4, BLOCK, FULL + 7 * K4, 8 * M2, witness::<F>()];
    let found = offsets.into_iter().filter_map(|offset| {
        let va = at::<F>(offset);
        let (pa, flags, _) = user.query(va).ok()?;
        Some((va, pa, flags))
    });
    found.collect()
}

fn leaf<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let view = user.view();
    let offsets = [0, BLOCK, FULL + 7 * K4, witness::<F>()];
    let found = offsets.into_iter().filter_map(|offset| {
        let leaf = view.leaf(at::<F>(offset)).ok()?;
        Some((leaf.va, leaf.paddr(), leaf.flags()))
    });
    found.collect()
}

fn leaves<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let mut seen = Vec::new();
    let _ = user.leaves(|leaf| {
        seen.push((leaf.va, leaf.paddr(), leaf.flags()));
        ControlFlow::<()>::Continue(())
    });
    seen
}

fn runs<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    user.iter(..)
        .map(|run| (run.va, run.pa, run.flags))
        .collect()
}

fn runs_backwards<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let runs = user.iter(..).rev();
    runs.map(|run| (run.va, run.pa, run.flags)).collect()
}

fn runs_of_a_view<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let view = user.view();
    view.iter(..)
        .map(|run| (run.va, run.pa, run.flags))
        .collect()
}

fn cursor<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let mut cursor = user.cursor(at::<F>(K4)).unwrap();
    let mut seen = Vec::new();
    seen.extend(cursor.leaf());
    seen.extend(cursor.previous_leaf());
    cursor.seek(at::<F>(FULL + (M2 - 3 * K4))).unwrap();
    while let Some(leaf) = cursor.next_leaf() {
        seen.push(leaf);
    }
    seen.into_iter()
        .map(|leaf| (leaf.va, leaf.paddr(), leaf.flags()))
        .collect()
}

/// These report nothing that could be compared but the witness.
fn text_and_counts<F: Format>(user: &Reader<'_, F>) -> Vec<Seen> {
    let text = user.dump().to_string();
    let va = at::<F>(witness::<F>());
    assert!(text.contains(&va.to_string()), "{text}");
    assert!(user.view().count_tables() >= F::LEVELS);
    let _ = user.check();
    query::<F>(user)
}

fn ways<F: Format>() -> [Read<F>; 9] {
    [
        query::<F>,
        leaf::<F>,
        leaves::<F>,
        runs::<F>,
        runs_backwards::<F>,
        runs_of_a_view::<F>,
        cursor::<F>,
        text_and_counts::<F>,
        |user| {
            let mut seen = Vec::new();
            let _ = user.view().trace(at::<F>(K4), |_| {});
            seen.extend(query::<F>(user));
            seen
        },
    ]
}

/// Every leaf of this test maps the frame that is as far from 0 as it is from the start.
fn check<F: Format>(seen: &[Seen]) {
    for (va, pa, flags) in seen {
        let offset = va.as_usize() - at::<F>(0).as_usize();
        assert_eq!(pa.as_usize(), offset, "at {va}");
        assert!([RO, RW].contains(flags), "{flags} at {va}");
    }
    let witness = at::<F>(witness::<F>());
    assert!(seen.iter().any(|(va, ..)| *va == witness), "the witness");
}

fn a_reader_goes_on_after_any_change_at_any_step<F: Format>() {
    let top: &'static Top<F> = Box::leak(Box::new(top::<F>()));
    let kernel = Rc::new(RefCell::new(writer::<F>(top)));
    let user = reader::<F>(top);
    let page = witness::<F>();
    let mapped = kernel
        .borrow_mut()
        .map(at::<F>(page), pa(page), PageSize::Size4K, RO)
        .map(drop);
    mapped.unwrap();
    let empty = live_frames();
    let mut cuts = 0;
    for read in ways::<F>() {
        for change in changes::<F>() {
            for step in 0.. {
                fill::<F>(&mut kernel.borrow_mut());
                let writer = Rc::clone(&kernel);
                after_steps(step, Box::new(move || change(&mut writer.borrow_mut())));
                let seen = read(&user);
                let was_cut = !stop_counting();
                check::<F>(&seen);
                clear::<F>(&mut kernel.borrow_mut());
                assert_eq!(kernel.borrow_mut().reclaim(), 0);
                assert_eq!(live_frames(), empty);
                if !was_cut {
                    break;
                }
                cuts += 1;
            }
        }
    }
    println!("{cuts} walks were cut");
    assert!(cuts > 1000);
}

every_format! {
    a_reader_goes_on_after_any_change_at_any_step,
}
