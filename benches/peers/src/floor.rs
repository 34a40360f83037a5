//! No library: the least that the workloads can be done with.
//!
//! A walker of four-level A64 tables that checks nothing, maintains nothing and decodes nothing.
//! Whole tables are dropped by one store; single pages leave their tables behind. No kernel could
//! use it: it only says how far down a figure can go.

use core::ptr;

use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

const ENTRIES: usize = 512;
const PAGE: usize = 1 << 12;
const BLOCK: usize = 1 << 21;
const LAST_LEVEL: usize = 3;

const TABLE: u64 = 0b11;
const NOT_BLOCK: u64 = 0b10;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// The table: its root.
pub struct Floor(usize);

/// Bytes that an entry at `level` translates.
#[inline(always)]
const fn reach(level: usize) -> usize {
    PAGE << (9 * (LAST_LEVEL - level))
}

/// The entry for `va` in the table at `table`, which is at `level`.
#[inline(always)]
fn slot(table: usize, level: usize, va: usize) -> *mut u64 {
    let index = va / reach(level) % ENTRIES;
    ptr::with_exposed_provenance_mut(frames::same(table) + index * size_of::<u64>())
}

#[inline(always)]
fn load(slot: *mut u64) -> u64 {
    // SAFETY: `slot` made it, of a table that this module got from the pool.
    unsafe { slot.read() }
}

#[inline(always)]
fn store(slot: *mut u64, bits: u64) {
    // SAFETY: `slot` made it, of a table that this module got from the pool.
    unsafe { slot.write(bits) };
}

/// The table that an entry points to.
#[inline(always)]
const fn table_of(entry: u64) -> usize {
    (entry & ADDRESS) as usize
}

/// All of a leaf but its address and what says that it is a page.
#[inline(always)]
const fn flags_of(entry: u64) -> usize {
    (entry & !(ADDRESS | NOT_BLOCK)) as usize
}

fn new_table() -> usize {
    let table = frames::alloc().expect("a frame");
    Floor::zero(table);
    table
}

/// The table at `level` on the way to `va`, made if it is missing.
#[inline(always)]
fn descend(root: usize, level: usize, va: usize) -> usize {
    let mut table = root;
    for above in 0..level {
        let slot = slot(table, above, va);
        let entry = load(slot);
        table = if entry == 0 {
            let new = new_table();
            store(slot, new as u64 | TABLE);
            new
        } else {
            table_of(entry)
        };
    }
    table
}

/// The entry of the page at `va`, whose tables are there.
#[inline(always)]
fn page_slot(root: usize, va: usize) -> *mut u64 {
    let mut table = root;
    for level in 0..LAST_LEVEL {
        table = table_of(load(slot(table, level, va)));
    }
    slot(table, LAST_LEVEL, va)
}

/// Splits `bytes` from `va` where entries at `level` end.
#[inline(always)]
fn each_part(va: usize, bytes: usize, level: usize, mut part: impl FnMut(usize, usize)) {
    let (mut at, end) = (va, va + bytes);
    while at < end {
        let next = ((at | (reach(level) - 1)) + 1).min(end);
        part(at, next - at);
        at = next;
    }
}

/// Runs `change` on each entry at `level` for `bytes` from `va`, all in one table.
#[inline(always)]
fn each_entry(
    table: usize,
    level: usize,
    va: usize,
    bytes: usize,
    mut change: impl FnMut(*mut u64),
) {
    let first = slot(table, level, va);
    for index in 0..bytes / reach(level) {
        change(first.wrapping_add(index));
    }
}

/// The whole blocks of `bytes` from `va`, as start and length.
const fn whole_blocks(va: usize, bytes: usize) -> (usize, usize) {
    let start = va.next_multiple_of(BLOCK);
    let end = (va + bytes) / BLOCK * BLOCK;
    (start, end.saturating_sub(start))
}

/// Maps in pages.
#[inline(always)]
fn fill(root: usize, va: usize, pa: usize, bytes: usize, flags: u64) {
    each_part(va, bytes, LAST_LEVEL - 1, |at, part| {
        let table = descend(root, LAST_LEVEL, at);
        let mut entry = (at - va + pa) as u64 | flags | NOT_BLOCK;
        each_entry(table, LAST_LEVEL, at, part, |slot| {
            store(slot, entry);
            entry += PAGE as u64;
        });
    });
}

/// Maps in blocks; `va`, `pa` and `bytes` are multiples of one.
#[inline(always)]
fn fill_blocks(root: usize, va: usize, pa: usize, bytes: usize, flags: u64) {
    each_part(va, bytes, LAST_LEVEL - 2, |at, part| {
        let table = descend(root, LAST_LEVEL - 1, at);
        let mut entry = (at - va + pa) as u64 | flags;
        each_entry(table, LAST_LEVEL - 1, at, part, |slot| {
            store(slot, entry);
            entry += BLOCK as u64;
        });
    });
}

/// Runs `visit` on each entry of the table at `table` that is used.
#[inline(always)]
fn each_used(table: usize, mut visit: impl FnMut(u64)) {
    let first = slot(table, LAST_LEVEL, 0);
    for index in 0..ENTRIES {
        let entry = load(first.wrapping_add(index));
        if entry != 0 {
            visit(entry);
        }
    }
}

fn free(table: usize, level: usize) {
    each_used(table, |entry| {
        if entry & NOT_BLOCK == 0 {
            return;
        }
        if level + 1 < LAST_LEVEL {
            free(table_of(entry), level + 1);
        } else {
            give_back(table_of(entry));
        }
    });
    give_back(table);
}

#[inline(always)]
fn give_back(table: usize) {
    // SAFETY: the table came from `new_table`, and nothing leads to it any more.
    unsafe { frames::dealloc(table) };
}

/// The leaves below the table at `table`.
fn count(table: usize, level: usize) -> usize {
    let mut leaves = 0;
    if level == LAST_LEVEL {
        each_used(table, |_| leaves += 1);
        return leaves;
    }
    each_used(table, |entry| {
        leaves += if entry & NOT_BLOCK != 0 {
            count(table_of(entry), level + 1)
        } else {
            1
        };
    });
    leaves
}

/// Runs `visit` on each leaf below the table at `table`.
fn each_leaf(table: usize, level: usize, visit: &mut impl FnMut(u64)) {
    if level == LAST_LEVEL {
        each_used(table, visit);
        return;
    }
    each_used(table, |entry| {
        if entry & NOT_BLOCK != 0 {
            each_leaf(table_of(entry), level + 1, visit);
        } else {
            visit(entry);
        }
    });
}

/// A leaf that the table has room for: everything but the address.
const NORMAL: u64 = 0x0040_0000_0000_0711;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    type Flags = u64;
    const READ_WRITE: u64 = NORMAL | 1 << 53;
    const READ_ONLY: u64 = Self::READ_WRITE | 1 << 7;
    const READ_EXECUTE: u64 = NORMAL | 1 << 7;
    const DEVICE: u64 = 0x0060_0000_0000_0405;
    const ZEROING: Zeroing = Zeroing::Counted;

    #[inline(always)]
    fn new() -> Self {
        Self(new_table())
    }

    fn flags_bits(flags: u64) -> usize {
        flags as usize
    }

    #[inline(always)]
    fn map_region(&mut self, va: usize, pa: usize, bytes: usize, flags: u64, sizes: Sizes) {
        let (start, length) = whole_blocks(va, bytes);
        if sizes == Sizes::Pages || length == 0 {
            fill(self.0, va, pa, bytes, flags);
            return;
        }
        let end = start + length;
        fill(self.0, va, pa, start - va, flags);
        fill_blocks(self.0, start, start - va + pa, length, flags);
        fill(self.0, end, end - va + pa, va + bytes - end, flags);
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        let mut table = self.0;
        for level in 0..=LAST_LEVEL {
            let entry = load(slot(table, level, va));
            if entry == 0 {
                return None;
            }
            if level == LAST_LEVEL || entry & NOT_BLOCK == 0 {
                return Some(Translation {
                    pa: table_of(entry) | (va & (reach(level) - 1)),
                    flags: flags_of(entry),
                    size: reach(level),
                });
            }
            table = table_of(entry);
        }
        None
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: u64) {
        let table = descend(self.0, LAST_LEVEL, va);
        store(slot(table, LAST_LEVEL, va), pa as u64 | flags | NOT_BLOCK);
    }

    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        let slot = page_slot(self.0, va);
        let entry = load(slot);
        store(slot, 0);
        Some(Translation {
            pa: table_of(entry),
            flags: flags_of(entry),
            size: PAGE,
        })
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        let root = self.0;
        each_part(va, bytes, LAST_LEVEL - 1, |at, part| {
            let above = descend(root, LAST_LEVEL - 1, at);
            let table = table_of(load(slot(above, LAST_LEVEL - 1, at)));
            if part == BLOCK {
                store(slot(above, LAST_LEVEL - 1, at), 0);
                give_back(table);
            } else {
                each_entry(table, LAST_LEVEL, at, part, |slot| store(slot, 0));
            }
        });
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: u64) {
        let root = self.0;
        each_part(va, bytes, LAST_LEVEL - 1, |at, part| {
            let table = descend(root, LAST_LEVEL, at);
            each_entry(table, LAST_LEVEL, at, part, |slot| {
                store(slot, load(slot) & ADDRESS | flags | NOT_BLOCK);
            });
        });
    }

    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        each_leaf(self.0, 0, &mut |entry| {
            leaves.count += 1;
            leaves.sum += table_of(entry);
        });
        leaves
    }

    #[inline(always)]
    fn count_leaves(&self) -> usize {
        count(self.0, 0)
    }

    #[inline(always)]
    fn zero(pa: usize) {
        frames::zero(pa);
        frames::count_zeroed();
    }
}

impl Drop for Floor {
    #[inline(always)]
    fn drop(&mut self) {
        free(self.0, 0);
    }
}
