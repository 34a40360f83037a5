//! What must come of an operation: [`Judge`] keeps the model and the pins of a table, and says
//! what an operation does, or everything that is wrong with it.

use core::cell::Cell;
use core::marker::PhantomData;
use std::vec::Vec;

use super::operation::{Operation, Rule, scattered};
use super::{Model, Run, SIZES, SWAPPED};
use crate::tests::formats::{Format, Halves, View};
use crate::tests::{A, D, G, K4, N, R, U, W, X, pa, va};
use crate::{
    Attributes, GenericPTE, MappingFlags, PageSize, PagingError, RegionOptions, SoftwareBits,
};

/// What an operation that was carried out said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Done {
    Mapped,
    /// The frame, the flags, the bytes of the leaf.
    Unmapped(usize, MappingFlags, usize),
    Updated(usize),
    Pages(usize),
}

/// What becomes of the leaves in a range.
#[derive(Clone, Copy, Debug)]
enum Change {
    Unmap,
    Protect(MappingFlags),
    With(Rule),
    Replace(Run),
    /// What is present loses its accessed flag.
    Age,
}

impl Change {
    /// The attributes of a leaf that had `old`; none if it is unmapped.
    fn of(self, old: Attributes) -> Option<Attributes> {
        match self {
            Self::Unmap => None,
            _ if old.flags == SWAPPED => Some(old),
            Self::Protect(flags) => Some(Attributes { flags, ..old }),
            Self::With(rule) => Some(rule.of(old)),
            Self::Replace(new) => Some(new.attributes()),
            Self::Age => {
                let present = old.flags.intersects(R | W | X);
                let lost = if present { A } else { MappingFlags::empty() };
                let flags = old.flags.difference(lost);
                Some(Attributes { flags, ..old })
            }
        }
    }
}

/// Every reason to refuse an operation.
pub(super) type Faults = Vec<PagingError>;

pub(in crate::tests) struct Judge<F> {
    pub(in crate::tests) model: Model,
    /// First pages and lengths.
    pub(super) pins: Vec<(usize, usize)>,
    /// The whole leaves and groups of the range that was judged last: the model knows no groups.
    whole: Cell<(usize, usize)>,
    format: PhantomData<F>,
}

fn verdict<T>(faults: Faults, verdict: T) -> Result<T, Faults> {
    if faults.is_empty() {
        Ok(verdict)
    } else {
        Err(faults)
    }
}

fn alignment_fault(value: usize) -> Option<PagingError> {
    let alignment = K4;
    (!value.is_multiple_of(alignment)).then_some(PagingError::NotAligned { value, alignment })
}

impl<F: Format> Judge<F> {
    pub(super) fn new() -> Self {
        let hole = match F::HALVES {
            Halves::Both => F::space() / 2 / K4,
            _ => 0,
        };
        Self {
            model: Model::new(F::LEVELS, hole),
            pins: Vec::new(),
            whole: Cell::new((0, 0)),
            format: PhantomData,
        }
    }

    /// The page of `at`, which was judged.
    fn page(at: usize) -> usize {
        F::page(at).expect("an address of the tree")
    }

    fn address_fault(at: usize) -> Option<PagingError> {
        match F::page(at) {
            Some(_) => None,
            None => Some(PagingError::InvalidVirtAddr { va: va(at) }),
        }
    }

    fn frame_fault(frame: usize, bytes: usize) -> Option<PagingError> {
        let last = frame.checked_add(bytes - 1);
        let fits = last.is_some_and(|last| last >> F::PA_BITS == 0);
        (!fits).then_some(PagingError::InvalidPhysAddr { pa: pa(frame) })
    }

    /// What is wrong with `bytes` from `at` on.
    pub(super) fn range_faults(at: usize, bytes: usize) -> Faults {
        let mut faults: Faults = alignment_fault(at).into_iter().collect();
        faults.extend(alignment_fault(bytes));
        faults.extend(Self::address_fault(at));
        if faults.is_empty() && bytes > 0 {
            let last = at.checked_add(bytes - 1).and_then(F::page);
            if last.and_then(|last| last.checked_sub(Self::page(at))) != Some(bytes / K4 - 1) {
                let (va, size) = (va(at), bytes);
                faults.push(PagingError::RangeTooLong { va, size });
            }
        }
        faults
    }

    /// What must come of `operation`: what it says and how many tables it takes, or all that is
    /// wrong with it.
    pub(super) fn judge(
        &self,
        operation: Operation,
        view: &View<F>,
    ) -> Result<(Done, usize), Faults> {
        match operation {
            Operation::Map(at, frame, size, flags) => {
                let (at, frame) = (at & !(size.bytes() - 1), frame & !(size.bytes() - 1));
                let pages = size.bytes() / K4;
                let cost = self.judge_map(at, frame, (pages, pages), flags)?;
                Ok((Done::Mapped, cost))
            }
            Operation::Unmap(at) => {
                let (page, leaf) = self.judge_leaf(at)?;
                self.judge_pins(page, page + leaf.pages, Change::Unmap, view)?;
                let (frame, bytes) = (leaf.frame * K4, leaf.pages * K4);
                Ok((Done::Unmapped(frame, leaf.flags, bytes), 0))
            }
            Operation::Update(at, frame, flags) => {
                let (page, old) = self.judge_leaf(at)?;
                let new = Self::judge_update(old, frame, flags)?;
                if new != old {
                    self.judge_pins(page, page + old.pages, Change::Replace(new), view)?;
                }
                Ok((Done::Updated(old.pages * K4), 0))
            }
            Operation::SetSwap(..) | Operation::SwapOut(..) | Operation::SwapIn(..) => {
                self.judge_swap(operation, view)
            }
            Operation::SetSoftware(at, software) => {
                let (page, old) = self.judge_leaf(at)?;
                let new = Run { software, ..old };
                if new != old {
                    self.judge_pins(page, page + old.pages, Change::Replace(new), view)?;
                }
                Ok((Done::Updated(old.pages * K4), 0))
            }
            Operation::MapRegion(at, frame, bytes, flags, options) => {
                let mut faults = Self::range_faults(at, bytes);
                faults.extend(alignment_fault(frame));
                if bytes == 0 || !faults.is_empty() {
                    faults.extend(F::faults(flags));
                    return verdict(faults, (Done::Pages(0), 0));
                }
                let pages = bytes / K4;
                let cost = self.judge_map(at, frame, (pages, largest(options)), flags)?;
                Ok((Done::Pages(pages), cost))
            }
            Operation::MapFrames(at, frame, count, size, flags) => {
                self.judge_frames(at, (frame, count, size), flags)
            }
            Operation::UnmapRegion(at, bytes) | Operation::UnmapRegionWith(at, bytes) => {
                self.judge_change(at, bytes, Change::Unmap, view)
            }
            Operation::ProtectRegion(at, bytes, flags) => {
                self.judge_change(at, bytes, Change::Protect(flags), view)
            }
            Operation::UpdateRegionWith(at, bytes, rule) => {
                self.judge_change(at, bytes, Change::With(rule), view)
            }
            Operation::TestAndClearAccessed(at, bytes) => {
                verdict(Self::range_faults(at, bytes), ())?;
                let page = Self::page(at);
                let (start, end) = self.whole_leaves(page, page + bytes / K4, view);
                self.whole.set((start, end));
                self.judge_pins(start, end, Change::Age, view)?;
                let runs = self.model.runs_in(start, end);
                let present = runs.filter(|(_, run)| run.flags.intersects(R | W | X));
                Ok((Done::Pages(present.map(|(_, run)| run.pages).sum()), 0))
            }
            Operation::Compact(at, bytes) => {
                verdict(Self::range_faults(at, bytes), ())?;
                let page = Self::page(at);
                self.judge_pins(page, page + bytes / K4, Change::Unmap, view)?;
                // What merges is known when it has: see `apply`.
                Ok((Done::Pages(0), 0))
            }
        }
    }

    fn judge_map(
        &self,
        at: usize,
        frame: usize,
        (pages, leaf): (usize, usize),
        flags: MappingFlags,
    ) -> Result<usize, Faults> {
        let mut faults = F::faults(flags);
        faults.extend(Self::frame_fault(frame, pages * K4));
        faults.extend(Self::address_fault(at));
        verdict(faults, ())?;
        let page = Self::page(at);
        if let Some(mapped) = self.model.first_mapped(page, page + pages) {
            let va = va(F::address(mapped));
            return Err(Vec::from([PagingError::AlreadyMapped { va }]));
        }
        let frame = frame / K4;
        Ok(self.model.cost_of_map(
            page,
            Run {
                pages,
                leaf,
                frame,
                flags,
                software: SoftwareBits::empty(),
            },
        ))
    }

    /// An operation on swap entries.
    fn judge_swap(&self, operation: Operation, view: &View<F>) -> Result<(Done, usize), Faults> {
        match operation {
            Operation::SetSwap(at, value) => {
                verdict(Self::address_fault(at).into_iter().collect(), ())?;
                let page = Self::page(at);
                if self
                    .model
                    .leaf_at(page)
                    .is_some_and(|(_, run)| !run.is_swapped())
                {
                    let va = va(at & !(K4 - 1));
                    return Err(Vec::from([PagingError::AlreadyMapped { va }]));
                }
                let cost = self.model.cost_of_map(page, Run::swapped(value));
                Ok((Done::Mapped, cost))
            }
            Operation::SwapOut(at, _) => {
                let (first, leaf) = self.judge_leaf(at)?;
                let page = Self::page(at);
                self.judge_pins(page, page + 1, Change::Unmap, view)?;
                let frame = (leaf.frame + (page - first)) * K4;
                let cost = self.model.cost_of_change(page, page + 1, &|_| None);
                Ok((Done::Unmapped(frame, leaf.flags, K4), cost))
            }
            Operation::SwapIn(at, frame, flags) => {
                verdict(Self::address_fault(at).into_iter().collect(), ())?;
                let run = self.model.leaf_at(Self::page(at));
                if !run.is_some_and(|(_, run)| run.is_swapped()) {
                    return Err(Vec::from([PagingError::NotMapped { va: va(at) }]));
                }
                let mut faults = F::faults(flags);
                faults.extend(Self::frame_fault(frame & !(K4 - 1), K4));
                verdict(faults, (Done::Mapped, 0))
            }
            other => panic!("{other:x?} is none"),
        }
    }

    /// `count` leaves of `size` from `at` on, to the frames below `frame`.
    fn judge_frames(
        &self,
        at: usize,
        (frame, count, size): (usize, usize, PageSize),
        flags: MappingFlags,
    ) -> Result<(Done, usize), Faults> {
        let (bytes, alignment) = (count * size.bytes(), size.bytes());
        let mut faults = Self::range_faults(at, bytes);
        let unaligned = |value: usize| {
            let error = PagingError::NotAligned { value, alignment };
            (!value.is_multiple_of(alignment)).then_some(error)
        };
        faults.extend(unaligned(at));
        faults.extend(F::faults(flags));
        for frame in scattered(frame, count, size) {
            faults.extend(unaligned(frame.as_usize()));
            faults.extend(Self::frame_fault(frame.as_usize(), alignment));
        }
        verdict(faults, ())?;
        if count == 0 {
            return Ok((Done::Pages(0), 0));
        }
        let pages = (bytes / K4, alignment / K4);
        Ok((Done::Pages(pages.0), self.judge_map(at, 0, pages, flags)?))
    }

    fn judge_leaf(&self, at: usize) -> Result<(usize, Run), Faults> {
        let Some(page) = F::page(at) else {
            return Err(Self::address_fault(at).into_iter().collect());
        };
        let not_mapped = PagingError::NotMapped { va: va(at) };
        self.model
            .leaf_at(page)
            .filter(|(_, leaf)| !leaf.is_swapped())
            .ok_or_else(|| Vec::from([not_mapped]))
    }

    /// What `old` becomes with another frame and other flags.
    fn judge_update(
        old: Run,
        frame: Option<usize>,
        flags: Option<MappingFlags>,
    ) -> Result<Run, Faults> {
        let bytes = old.pages * K4;
        let (mut new, mut faults) = (old, Vec::new());
        if let Some(flags) = flags {
            faults.extend(F::faults(flags));
            new.flags = flags;
        }
        if let Some(frame) = frame {
            let frame = frame & !(bytes - 1);
            faults.extend(Self::frame_fault(frame, bytes));
            new.frame = frame / K4;
        }
        verdict(faults, new)
    }

    fn judge_change(
        &self,
        at: usize,
        bytes: usize,
        change: Change,
        view: &View<F>,
    ) -> Result<(Done, usize), Faults> {
        let mut faults = Self::range_faults(at, bytes);
        let flags = match change {
            Change::Protect(flags) => Some(flags),
            _ => None,
        };
        faults.extend(flags.into_iter().flat_map(F::faults));
        verdict(faults, ())?;
        let page = Self::page(at);
        let end = page + bytes / K4;
        if matches!(change, Change::With(_)) {
            let new = self.model.runs_in(page, end);
            let new = new.filter(|(_, run)| !run.is_swapped());
            let new = new.filter_map(|(_, run)| change.of(run.attributes()));
            verdict(new.flat_map(|new| F::faults(new.flags)).collect(), ())?;
        }
        self.judge_pins(page, end, change, view)?;
        let pages = self
            .model
            .runs_in(page, end)
            .filter(|(_, run)| matches!(change, Change::Unmap) || !run.is_swapped())
            .map(|(_, run)| run.pages)
            .sum();
        Ok((
            Done::Pages(pages),
            self.model.cost_of_change(page, end, &|old| change.of(old)),
        ))
    }

    /// `start..end`, with the leaves and groups across its ends as a whole.
    fn whole_leaves(&self, start: usize, end: usize, view: &View<F>) -> (usize, usize) {
        let whole = |page: usize| {
            let leaf = self.model.leaf_at(page);
            let Some((first, leaf)) = leaf.filter(|(_, leaf)| !leaf.is_swapped()) else {
                return page..page + 1;
            };
            let entry = view.leaf(va(F::address(first))).expect("a leaf").entry;
            let hinted = entry.is_contiguous();
            let pages = leaf.pages * if hinted { F::PTE::CONTIGUOUS } else { 1 };
            let first = first / pages * pages;
            first..first + pages
        };
        if start == end {
            return (start, end);
        }
        (whole(start).start, whole(end - 1).end)
    }

    /// Whether a core that stands on the pins loses anything by `change` of `start..end`.
    fn judge_pins(
        &self,
        start: usize,
        end: usize,
        change: Change,
        view: &View<F>,
    ) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for (pin, pages) in self.pins.iter().filter(|_| start < end) {
            let mut page = *pin;
            while page < pin + pages {
                let Some((first, leaf)) = self.model.leaf_at(page) else {
                    let next = self.model.first_mapped(page, pin + pages);
                    page = next.unwrap_or(pin + pages);
                    continue;
                };
                if Self::loses(first, leaf, (start, end), change, view) {
                    let va = va(F::address(page));
                    faults.push(PagingError::Pinned { va });
                    break;
                }
                page = first + leaf.pages;
            }
        }
        verdict(faults, ())
    }

    /// Whether the leaf at `page`, which a core stands on, is taken away or restricted.
    fn loses(
        page: usize,
        leaf: Run,
        (start, end): (usize, usize),
        change: Change,
        view: &View<F>,
    ) -> bool {
        let grants = |flags: MappingFlags| flags.intersects(R | W | X);
        let new = match change {
            Change::Replace(new) => Some(new),
            other => other.of(leaf.attributes()).map(|new| leaf.with(new)),
        };
        let stays = !matches!(change, Change::Replace(_)) && new == Some(leaf);
        if !grants(leaf.flags) || stays {
            return false;
        }
        // One TLB entry may hold all leaves of a contiguous group: they are broken together.
        let entry = view.leaf(va(F::address(page))).expect("a leaf").entry;
        let hinted = entry.is_contiguous();
        let pages = if hinted {
            F::PTE::CONTIGUOUS * leaf.pages
        } else {
            leaf.pages
        };
        let first = page / pages * pages;
        if end <= first || first + pages <= start {
            return false;
        }
        let Some(new) = new.filter(|new| grants(new.flags)) else {
            return true;
        };
        let lost = leaf.flags.difference(new.flags).intersects(R | W | X | A);
        let user = new.flags.contains(U) && !leaf.flags.contains(U);
        let broken = new.frame != leaf.frame
            || (new.flags ^ leaf.flags).intersects(D | N)
            || new.flags.contains(G) && !leaf.flags.contains(G);
        let whole = start <= first && first + pages <= end;
        lost || user || broken || hinted || !whole
    }

    /// Carries `operation`, which was judged to be possible, out on the model.
    pub(super) fn apply(&mut self, operation: Operation) -> Option<Done> {
        let model = &mut self.model;
        match operation {
            Operation::Map(at, frame, size, flags) => {
                let pages = size.bytes() / K4;
                let frame = (frame & !(size.bytes() - 1)) / K4;
                let leaf = pages;
                let at = at & !(size.bytes() - 1);
                model.map(
                    Self::page(at),
                    Run {
                        pages,
                        leaf,
                        frame,
                        flags,
                        software: SoftwareBits::empty(),
                    },
                );
            }
            Operation::Unmap(at) => {
                let (page, leaf) = model.leaf_at(Self::page(at))?;
                model.change(page, page + leaf.pages, &|_| None);
            }
            Operation::Update(at, frame, flags) => {
                let (page, old) = model.leaf_at(Self::page(at))?;
                let new = Self::judge_update(old, frame, flags).ok()?;
                model.replace(page, new);
            }
            Operation::SetSwap(at, value) | Operation::SwapOut(at, value) => {
                let page = Self::page(at);
                model.change(page, page + 1, &|_| None);
                model.map(page, Run::swapped(value));
            }
            Operation::SwapIn(at, frame, flags) => {
                model.replace(Self::page(at), Run::page(frame / K4, flags));
            }
            Operation::SetSoftware(at, software) => {
                let (page, old) = model.leaf_at(Self::page(at))?;
                model.replace(page, Run { software, ..old });
            }
            Operation::MapRegion(at, frame, bytes, flags, options) => {
                let (pages, frame, leaf) = (bytes / K4, frame / K4, largest(options));
                if pages > 0 {
                    model.map(
                        Self::page(at),
                        Run {
                            pages,
                            leaf,
                            frame,
                            flags,
                            software: SoftwareBits::empty(),
                        },
                    );
                }
            }
            Operation::MapFrames(at, frame, count, size, flags) => {
                let leaf = size.bytes() / K4;
                let frames = scattered(frame, count, size).into_iter().enumerate();
                for (number, frame) in frames {
                    let frame = frame.as_usize() / K4;
                    let run = Run {
                        pages: leaf,
                        leaf,
                        frame,
                        flags,
                        software: SoftwareBits::empty(),
                    };
                    model.map(Self::page(at) + number * leaf, run);
                }
            }
            Operation::UnmapRegion(at, bytes) | Operation::UnmapRegionWith(at, bytes) => {
                let page = Self::page(at);
                model.change(page, page + bytes / K4, &|_| None);
            }
            Operation::ProtectRegion(at, bytes, flags) => {
                let page = Self::page(at);
                let change = Change::Protect(flags);
                model.change(page, page + bytes / K4, &|old| change.of(old));
            }
            Operation::UpdateRegionWith(at, bytes, rule) => {
                let page = Self::page(at);
                let change = Change::With(rule);
                model.change(page, page + bytes / K4, &|old| change.of(old));
            }
            Operation::TestAndClearAccessed(..) => {
                let (start, end) = self.whole.get();
                model.change(start, end, &|old| Change::Age.of(old));
            }
            Operation::Compact(at, bytes) => {
                let page = Self::page(at);
                return Some(Done::Pages(model.compact(page, page + bytes / K4)));
            }
        }
        None
    }
}

/// Pages of the largest leaf that a region may have.
const fn largest(options: RegionOptions) -> usize {
    if options.contains(RegionOptions::HUGE) {
        SIZES[0]
    } else {
        1
    }
}
