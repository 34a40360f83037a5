//! The exact order of stores, barriers and invalidations of each kind of operation on A64, by the
//! rules of DDI 0487 D8.16 and D8.17.
//!
//! In a fresh table the root is frame 0; the first page mapped puts its tables of levels 1, 2
//! and 3 into frames 3, 2 and 1. A table's descriptor has the number of its used entries in bits
//! 11:2.

mod group;
mod leaf;
mod receipt;
mod region;
mod space;
mod split;

use std::vec::Vec;

use crate::format::aarch64_tlb::Barrier::{DmbIshst, DsbIsh, DsbIshst, Isb};
use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{A64High, Format, Table};
use crate::tests::memory::{Event, word};
use crate::tests::{K4, RW, pa, va};
use crate::{PageSize, RegionOptions};

const HIGH: usize = 0xffff_0000_0000_0000;
const L1: usize = 0x3000;
const L2: usize = 0x2000;
const L3: usize = 0x1000;

/// The level-2 table of [`two_blocks`] of 2 MiB, and the next frame: of the first split.
const BLOCKS: usize = 0x1000;
const SPLIT: usize = 0x3000;

/// Global, write-back: AttrIndx 4, inner shareable, AF, PXN and UXN; page.
const RW_PAGE: u64 = 0x0060_0000_0000_0713;

/// AP[2].
const READ_ONLY: u64 = 0x80;
const RO_PAGE: u64 = RW_PAGE | READ_ONLY;

/// Bit 1 is clear.
const RW_BLOCK: u64 = RW_PAGE & !2;
const CONTIGUOUS: u64 = 1 << 52;
const PAGES: RegionOptions = RegionOptions::empty();

type HighTable = Table<A64High>;

const fn store(table: usize, index: usize, bits: u64) -> Event {
    Event::Store { table, index, bits }
}

/// The descriptor of the table at `table` with `used` entries.
const fn link(table: usize, used: u64) -> u64 {
    table as u64 | used << 2 | 0b11
}

/// An invalidation by address, whatever the ASID.
const fn tlbi(form: Tlbi, at: usize) -> Event {
    Event::Tlbi(form, at as u64 >> 12 & 0x0fff_ffff_ffff)
}

const PUBLISH: [Event; 2] = [Event::Barrier(DsbIshst), Event::Barrier(Isb)];
const ORDER: Event = Event::Barrier(DmbIshst);
const BEFORE_TLBI: Event = Event::Barrier(DsbIshst);
const AFTER_TLBI: [Event; 2] = [Event::Barrier(DsbIsh), Event::Barrier(Isb)];

/// What completes stores that another core may have made, before their invalidations are issued.
const ADOPT: Event = Event::Barrier(DsbIsh);

/// Invalidations of what was broken, between their barriers: this core need not notice yet.
fn invalidation_of_broken(tlbis: &[Event]) -> Vec<Event> {
    [&[BEFORE_TLBI], tlbis, &[Event::Barrier(DsbIsh)]].concat()
}

/// Invalidations between their barriers.
fn invalidation(tlbis: &[Event]) -> Vec<Event> {
    [&[BEFORE_TLBI], tlbis, &AFTER_TLBI].concat()
}

fn is_tlbi(event: &&Event) -> bool {
    matches!(event, Event::Tlbi(..))
}

fn tlbis(log: &[Event]) -> Vec<Event> {
    log.iter().filter(is_tlbi).copied().collect()
}

/// Without what orders stores among themselves.
fn unordered(mut log: Vec<Event>) -> Vec<Event> {
    log.retain(|event| *event != ORDER);
    log
}

/// Without its stores.
fn maintenance(mut log: Vec<Event>) -> Vec<Event> {
    log.retain(|event| !matches!(event, Event::Store { .. }));
    log
}

fn high_table() -> HighTable {
    let table = A64High::table();
    assert_eq!(table.root_paddr(), pa(0));
    table
}

fn map(table: &mut HighTable, at: usize, frame: usize, size: PageSize) {
    table.map(va(at), pa(frame), size, RW).unwrap().flush();
}

fn map_pages(table: &mut HighTable, at: usize, frame: usize, pages: usize, options: RegionOptions) {
    let (at, frame) = (va(at), pa(frame));
    table
        .map_region(at, frame, pages * K4, RW, options)
        .unwrap()
        .flush();
}

/// A table with pages 0 and 1 of the half mapped to frames 0x8000_0000 and after.
fn two_pages() -> HighTable {
    let mut table = high_table();
    for offset in [0, K4] {
        map(
            &mut table,
            HIGH + offset,
            0x8000_0000 + offset,
            PageSize::Size4K,
        );
    }
    table
}

/// A table with two blocks of `size` at the start of the half, at 0x8000_0000 and after.
fn two_blocks(size: PageSize) -> HighTable {
    let mut table = high_table();
    for offset in [0, size.bytes()] {
        map(&mut table, HIGH + offset, 0x8000_0000 + offset, size);
    }
    table
}

/// The table that word `index` of `table` leads to.
fn word_table(table: usize, index: usize) -> usize {
    (word(table, index) & 0x0000_ffff_ffff_f000) as usize
}
