//! Regions: over leaves of several sizes, and over a part of one, which is split.
#![forbid(unsafe_code)]

use core::ops::Range;

use stilt_paging::addr::{PAGE_SIZE, VirtAddr};
use stilt_paging::{MappingFlags, PageSize, RegionOptions};

use super::{COMMON, KERNEL_DATA, areas, frame, leaf};
use crate::failure::{Failure, Translation};
use crate::machine::Machine;
use crate::trial::{Trial, at, done, within};

/// What no leaf here has otherwise.
const READ_ONLY: MappingFlags = MappingFlags::READ.union(MappingFlags::ACCESSED);
const TWO_MIB: usize = PageSize::Size2M.bytes();

/// Maps a page, three blocks and a page in one go, and unmaps them.
pub(super) fn map<A: Machine>(trial: &mut Trial<'_, A>, _: PageSize) -> Result<(), Failure> {
    let start = TWO_MIB - PAGE_SIZE;
    let bytes = PAGE_SIZE + 3 * TWO_MIB + PAGE_SIZE;
    for (area, flags) in areas::<A>().into_iter().zip(COMMON) {
        let va = at(area, start);
        let to = Translation {
            pa: frame::<A>(0, PageSize::Size1G),
            flags,
            size: PageSize::Size1G,
        };
        let first = within(to, start).pa;
        let result = trial
            .table
            .map_region(va, first, bytes, flags, RegionOptions::HUGE);
        done("map_region", va, result.map(|receipt| receipt.flush()))?;
        let region = Part {
            leaf: PageSize::Size1G,
            range: start..start + bytes,
        };
        region.check(trial, area, |inside| inside.then_some(to))?;
        let result = trial.table.unmap_region(va, bytes);
        done("unmap_region", va, result.map(|receipt| receipt.flush()))?;
        region.check(trial, area, |_| None)?;
    }
    Ok(())
}

/// Protects, then unmaps parts of a block: the rest stays as it was, in leaves as large as fit.
pub(super) fn split<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let bytes = size.bytes();
    let middle = bytes / 2;
    let parts = [
        0..PAGE_SIZE,
        bytes - PAGE_SIZE..bytes,
        middle - 3 * PAGE_SIZE..middle + 5 * PAGE_SIZE,
        PAGE_SIZE..bytes,
        0..middle,
        0..bytes,
    ];
    for va in areas::<A>() {
        for range in parts.clone() {
            let part = Part { leaf: size, range };
            for to in COMMON.into_iter().filter(|&to| to != KERNEL_DATA) {
                part.protect(trial, va, to)?;
            }
            part.unmap(trial, va)?;
        }
    }
    Ok(())
}

/// Splits a block at both ends, uses the pages there, and merges all.
pub(super) fn merge<A: Machine>(trial: &mut Trial<'_, A>, size: PageSize) -> Result<(), Failure> {
    let bytes = size.bytes();
    let part = Part {
        leaf: size,
        range: bytes..bytes,
    };
    for va in areas::<A>() {
        for flags in COMMON {
            let block = leaf::<A>(flags, size);
            trial.map(va, block)?;
            part.check(trial, va, |_| Some(block))?;
            for page in [va, at(va, bytes - PAGE_SIZE)] {
                let result = trial.table.protect_region(page, PAGE_SIZE, READ_ONLY);
                done(
                    "protect_region",
                    page,
                    result.map(|receipt| receipt.flush()),
                )?;
                trial.page(page, trial.query(page))?;
                trial.protect(page, flags)?;
            }
            trial.page(
                va,
                Some(Translation {
                    size: PageSize::Size4K,
                    ..block
                }),
            )?;
            let result = trial.table.compact(va, bytes);
            done("compact", va, result.map(|receipt| receipt.flush()))?;
            part.check(trial, va, |_| Some(block))?;
            trial.unmap(va, block)?;
            trial.nothing(va, size)?;
        }
    }
    Ok(())
}

/// A part of a block.
struct Part {
    /// The size of the block.
    leaf: PageSize,
    /// Where in it.
    range: Range<usize>,
}

impl Part {
    /// Maps the block, gives the part the flags `to`, and unmaps all.
    fn protect<A: Machine>(
        &self,
        trial: &mut Trial<'_, A>,
        va: VirtAddr,
        to: MappingFlags,
    ) -> Result<(), Failure> {
        let old = self.map_block(trial, va)?;
        let (start, bytes) = (at(va, self.range.start), self.range.len());
        let result = trial.table.protect_region(start, bytes, to);
        done(
            "protect_region",
            start,
            result.map(|receipt| receipt.flush()),
        )?;
        let new = leaf::<A>(to, self.leaf);
        self.check(trial, va, |inside| Some(if inside { new } else { old }))?;
        self.unmap_block(trial, va)
    }

    /// Maps the block, unmaps the part, and then all.
    fn unmap<A: Machine>(&self, trial: &mut Trial<'_, A>, va: VirtAddr) -> Result<(), Failure> {
        let old = self.map_block(trial, va)?;
        let (start, bytes) = (at(va, self.range.start), self.range.len());
        let result = trial.table.unmap_region(start, bytes);
        done("unmap_region", start, result.map(|receipt| receipt.flush()))?;
        self.check(trial, va, |inside| (!inside).then_some(old))?;
        self.unmap_block(trial, va)
    }

    fn map_block<A: Machine>(
        &self,
        trial: &mut Trial<'_, A>,
        va: VirtAddr,
    ) -> Result<Translation, Failure> {
        let block = leaf::<A>(KERNEL_DATA, self.leaf);
        trial.map(va, block)?;
        trial.leaf(va, block)?;
        Ok(block)
    }

    fn unmap_block<A: Machine>(
        &self,
        trial: &mut Trial<'_, A>,
        va: VirtAddr,
    ) -> Result<(), Failure> {
        let result = trial.table.unmap_region(va, self.leaf.bytes());
        done("unmap_region", va, result.map(|receipt| receipt.flush()))?;
        self.check(trial, va, |_| None)
    }

    /// Checks the pages on both sides of every place where something may change; `block` says
    /// what the block would be inside and outside the part.
    fn check<A: Machine>(
        &self,
        trial: &mut Trial<'_, A>,
        va: VirtAddr,
        block: impl Fn(bool) -> Option<Translation>,
    ) -> Result<(), Failure> {
        let last = self.leaf.bytes() - PAGE_SIZE;
        let Range { start, end } = self.range;
        let borders = [0, TWO_MIB, start, end, last]
            .into_iter()
            .chain([start, end].map(|border| border & !(TWO_MIB - 1)))
            .chain([start, end].map(|border| border.next_multiple_of(TWO_MIB)));
        let pages = borders.flat_map(|border| [border.wrapping_sub(PAGE_SIZE), border]);
        for page in pages.filter(|&page| page <= last) {
            let want = block(self.range.contains(&page)).map(|to| Translation {
                size: self.size_at(page),
                ..within(to, page)
            });
            trial.page(at(va, page), want)?;
        }
        trial.around(va, self.leaf.bytes())
    }

    /// The size of the leaf at `offset` when the part differs from the rest: the largest that is
    /// all inside or all outside.
    fn size_at(&self, offset: usize) -> PageSize {
        let uniform = |size: &PageSize| {
            let start = offset & !(size.bytes() - 1);
            let end = start + size.bytes();
            let inside = self.range.start <= start && end <= self.range.end;
            let outside = end <= self.range.start || self.range.end <= start;
            *size <= self.leaf && (inside || outside)
        };
        let largest = PageSize::ALL.into_iter().rev().find(uniform);
        largest.unwrap_or(PageSize::Size4K)
    }
}
