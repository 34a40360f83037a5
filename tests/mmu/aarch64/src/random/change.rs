//! Random changes of a [`Map`]: each looks at the pages on both sides of every border of what it
//! changes, before and afterwards.
#![forbid(unsafe_code)]

use stilt_paging::PageSize;
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

use super::map::Map;
use crate::side::Side;
use crate::wrong::{Mapped, Wrong, done, same};

/// Pages to look at: outside, first, one inside, last, outside.
const SAMPLES: usize = 5;

/// What is to be changed, and what was there.
struct Part {
    va: VirtAddr,
    pages: usize,
    before: [(VirtAddr, Option<Mapped>); SAMPLES],
}

/// Makes change `number`.
pub(super) fn any<S: Side>(map: &mut Map<S>, number: usize) -> Result<(), Wrong> {
    match number % 8 {
        0..=2 => protect_region(map),
        3 => unmap_region(map),
        4 => remap(map),
        5 => protect(map),
        6 => compact(map),
        _ => unmap_and_map(map),
    }
}

fn protect_region<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let part = Part::new(map);
    let flags = map.flags();
    let result = map.table.protect_region(part.va, part.bytes(), flags);
    done(
        "protect_region",
        part.va,
        result.map(|receipt| receipt.flush()),
    )?;
    part.check("protect_region", map, |old| Some(Mapped { flags, ..old }))
}

fn unmap_region<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let part = Part::new(map);
    let result = map.table.unmap_region(part.va, part.bytes());
    let receipt = done("unmap_region", part.va, result)?;
    map.pages -= receipt.pages();
    receipt.flush();
    part.check("unmap_region", map, |_| None)
}

/// Gives the leaf of a page another frame and other flags.
fn remap<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let Some((part, size)) = Part::leaf(map) else {
        return Ok(());
    };
    let (pa, flags) = (map.frame(size), map.flags());
    let (found, receipt) = done("remap", part.va, map.table.remap(part.va, pa, flags))?;
    receipt.flush();
    same("bytes in a leaf", size.bytes(), found.bytes())?;
    let last = part.bytes() - PAGE_SIZE;
    let leaf = Mapped { pa, flags, size };
    map.expect("remap", part.va, Some(leaf))?;
    let pa = PhysAddr::new(pa.as_usize() + last);
    map.expect("remap", part.page(last), Some(Mapped { pa, ..leaf }))?;
    part.check_outside("remap", map)
}

/// Gives the leaf of a page other flags.
fn protect<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let Some((part, _)) = Part::leaf(map) else {
        return Ok(());
    };
    let flags = map.flags();
    let result = map.table.protect(part.va, flags);
    done(
        "protect",
        part.va,
        result.map(|(_, receipt)| receipt.flush()),
    )?;
    part.check("protect", map, |old| Some(Mapped { flags, ..old }))
}

/// Merges what can be merged, around a region too: nothing that is mapped changes.
fn compact<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let part = Part::new(map);
    let block = PageSize::Size1G.bytes();
    let result = map.table.compact(part.va.align_down(block), block);
    done("compact", part.va, result.map(|receipt| receipt.flush()))?;
    part.check("compact", map, Some)
}

/// Unmaps the leaf of a page, and maps another frame there with other flags.
fn unmap_and_map<S: Side>(map: &mut Map<S>) -> Result<(), Wrong> {
    let Some((part, size)) = Part::leaf(map) else {
        return Ok(());
    };
    let leaf = map.at(part.va);
    let receipt = done("unmap", part.va, map.table.unmap(part.va))?;
    let (flags, size_of_leaf) = (receipt.flags(), receipt.size());
    let pa = receipt.flush();
    let found = Some(Mapped {
        pa,
        flags,
        size: size_of_leaf,
    });
    if leaf != found {
        return Err(Wrong::Mapping {
            what: "unmap",
            va: part.va,
            expected: leaf,
            found,
        });
    }
    part.check("unmap", map, |_| None)?;
    let (pa, flags) = (map.frame(size), map.flags());
    let receipt = done("map", part.va, map.table.map(part.va, pa, size, flags))?;
    receipt.flush();
    map.expect("map", part.va, Some(Mapped { pa, flags, size }))?;
    part.check_outside("map", map)
}

impl Part {
    /// Some pages of an area.
    fn new<S: Side>(map: &mut Map<S>) -> Self {
        let area = map.area();
        let first = match map.numbers.one_in(3) {
            true => 0,
            false => map.numbers.below(area.pages),
        };
        let rest = area.pages - first;
        let pages = match map.numbers.below(3) {
            0 => rest,
            1 => 1,
            _ => 1 + map.numbers.below(rest),
        };
        let va = VirtAddr::new(area.va.as_usize() + first * PAGE_SIZE);
        Self::sampled(map, va, pages)
    }

    /// The leaf that covers a page of an area, if it is mapped.
    fn leaf<S: Side>(map: &mut Map<S>) -> Option<(Self, PageSize)> {
        let va = Self::new(map).va;
        let leaf = map.table.view().leaf(va).ok()?;
        let part = Self::sampled(map, leaf.va, leaf.size.bytes() / PAGE_SIZE);
        Some((part, leaf.size))
    }

    /// The pages, with what is there now.
    fn sampled<S: Side>(map: &mut Map<S>, va: VirtAddr, pages: usize) -> Self {
        let inside = map.numbers.below(pages) * PAGE_SIZE;
        let bytes = pages * PAGE_SIZE;
        let offsets = [
            0usize.wrapping_sub(PAGE_SIZE),
            0,
            inside,
            bytes - PAGE_SIZE,
            bytes,
        ];
        let before = offsets
            .map(|offset| VirtAddr::new(va.as_usize().wrapping_add(offset)))
            .map(|va| (va, map.at(va)));
        Self { va, pages, before }
    }

    const fn bytes(&self) -> usize {
        self.pages * PAGE_SIZE
    }

    fn page(&self, offset: usize) -> VirtAddr {
        VirtAddr::new(self.va.as_usize() + offset)
    }

    /// Checks that what was mapped inside became `changed`, and that outside nothing did. Sizes may
    /// differ: leaves are split and merged.
    fn check<S: Side>(
        &self,
        what: &'static str,
        map: &Map<S>,
        changed: impl Fn(Mapped) -> Option<Mapped>,
    ) -> Result<(), Wrong> {
        for (index, &(va, old)) in self.before.iter().enumerate() {
            let outside = index == 0 || index == SAMPLES - 1;
            let expected = if outside { old } else { old.and_then(&changed) };
            self.check_sample(what, map, va, expected)?;
        }
        Ok(())
    }

    /// Checks that nothing changed outside.
    fn check_outside<S: Side>(&self, what: &'static str, map: &Map<S>) -> Result<(), Wrong> {
        for (va, old) in [self.before[0], self.before[SAMPLES - 1]] {
            self.check_sample(what, map, va, old)?;
        }
        Ok(())
    }

    fn check_sample<S: Side>(
        &self,
        what: &'static str,
        map: &Map<S>,
        va: VirtAddr,
        expected: Option<Mapped>,
    ) -> Result<(), Wrong> {
        let size = |mapped: Option<Mapped>| mapped.map(|mapped| mapped.size);
        let expected = expected.map(|expected| Mapped {
            size: size(map.at(va)).unwrap_or(expected.size),
            ..expected
        });
        map.expect(what, va, expected)
    }
}
