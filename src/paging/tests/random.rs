//! Random operations on a table, each checked against the model.

use core::ops::ControlFlow;
use std::vec::Vec;

use super::memory::{
    allocations, begin_operation, free_frames, live_frames, old_stores, record_all, snapshot,
};
use super::model::{Model, ModelLeaf, Plan, SIZES};
use super::operation::{Operation, Random};
use super::{FRAME_LIMIT, G1, K4, SPACE, Table, oracle, pa, va};
use crate::paging::format::aarch64::{Half, HighHalf, LowHalf};
use crate::paging::{Leaf, LeafSizes, MappingFlags, PagingError};

/// What an operation that was carried out said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Done {
    Mapped,
    Unmapped(usize, MappingFlags, usize),
    Updated(usize),
    Pages(usize),
}

/// Every reason to refuse flags.
fn flag_faults(flags: MappingFlags) -> Vec<PagingError> {
    let has = |flag| flags.contains(flag);
    let (read, write, execute) = (
        has(MappingFlags::READ),
        has(MappingFlags::WRITE),
        has(MappingFlags::EXECUTE),
    );
    let user = has(MappingFlags::USER);
    let mut faults = Vec::new();
    if write && execute {
        faults.push(PagingError::WritableExecutable { flags });
    }
    if execute && (has(MappingFlags::DEVICE) || has(MappingFlags::UNCACHED)) {
        faults.push(PagingError::ExecutableDevice { flags });
    }
    let blind = write && !read || execute && !read && !user;
    if blind || (read || write || execute) && user && has(MappingFlags::GLOBAL) {
        faults.push(PagingError::Unsupported { flags });
    }
    faults
}

fn frame_faults(frame: usize, bytes: usize) -> Option<PagingError> {
    let last = frame.checked_add(bytes - 1);
    let fits = last.is_some_and(|last| last < FRAME_LIMIT);
    (!fits).then_some(PagingError::InvalidPhysAddr { pa: pa(frame) })
}

fn alignment_fault(value: usize) -> Option<PagingError> {
    let alignment = K4;
    (!value.is_multiple_of(alignment)).then_some(PagingError::NotAligned { value, alignment })
}

/// A table and its model.
pub(super) struct Pair<S: Half> {
    pub(super) table: Table<S>,
    model: Model,
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    refused: usize,
    no_memory: usize,
    splits: usize,
    tables_freed: usize,
}

impl<S: Half> Pair<S> {
    pub(super) fn new() -> Self {
        Self {
            table: Table::try_new().unwrap(),
            model: Model::default(),
        }
    }

    fn page(address: usize) -> usize {
        (address & (SPACE - 1)) / K4
    }

    fn address(page: usize) -> usize {
        S::BASE | (page * K4)
    }

    /// What must come of `operation`: what it does, or all that is wrong with it.
    fn judge(&self, operation: Operation) -> Result<(Done, Plan), Vec<PagingError>> {
        match operation {
            Operation::Map(at, frame, size, flags) => {
                let bytes = size.bytes();
                self.judge_map(
                    at & !(bytes - 1),
                    frame & !(bytes - 1),
                    bytes,
                    flags,
                    bytes / K4,
                )
                .map(|plan| (Done::Mapped, plan))
            }
            Operation::Unmap(at) => {
                let (page, leaf) = self.judge_leaf(at)?;
                let done = Done::Unmapped(leaf.frame * K4, leaf.flags, leaf.pages * K4);
                Ok((done, Model::plan_replace(page, None)))
            }
            Operation::Update(at, frame, flags) => self.judge_update(at, frame, flags),
            Operation::MapRegion(at, frame, bytes, flags, sizes) => {
                let largest = if sizes == LeafSizes::Largest {
                    SIZES[0]
                } else {
                    1
                };
                let mut faults: Vec<_> = alignment_fault(frame).into_iter().collect();
                faults.extend(Self::range_faults(at, bytes));
                if !faults.is_empty() || bytes == 0 {
                    faults.extend(flag_faults(flags));
                    return Self::verdict(faults, (Done::Pages(0), Plan::default()));
                }
                self.judge_map(at, frame, bytes, flags, largest)
                    .map(|plan| (Done::Pages(plan.pages), plan))
            }
            Operation::UnmapRegion(at, bytes) => self.judge_change(at, bytes, None),
            Operation::ProtectRegion(at, bytes, flags) => self.judge_change(at, bytes, Some(flags)),
        }
    }

    fn verdict<T>(faults: Vec<PagingError>, verdict: T) -> Result<T, Vec<PagingError>> {
        if faults.is_empty() {
            Ok(verdict)
        } else {
            Err(faults)
        }
    }

    fn address_fault(at: usize) -> Option<PagingError> {
        let inside = at.wrapping_sub(S::BASE) < SPACE;
        (!inside).then_some(PagingError::InvalidVirtAddr { va: va(at) })
    }

    fn range_faults(at: usize, bytes: usize) -> Vec<PagingError> {
        let mut faults: Vec<_> = alignment_fault(at).into_iter().collect();
        faults.extend(alignment_fault(bytes));
        faults.extend(Self::address_fault(at));
        if faults.is_empty() && at - S::BASE + bytes > SPACE {
            faults.push(PagingError::RangeTooLong {
                va: va(at),
                size: bytes,
            });
        }
        faults
    }

    fn judge_map(
        &self,
        at: usize,
        frame: usize,
        bytes: usize,
        flags: MappingFlags,
        largest: usize,
    ) -> Result<Plan, Vec<PagingError>> {
        let mut faults = flag_faults(flags);
        faults.extend(frame_faults(frame, bytes));
        faults.extend(Self::address_fault(at));
        let (page, pages) = (Self::page(at), bytes / K4);
        if faults.is_empty()
            && let Some(mapped) = self.model.first_mapped(page, page + pages)
        {
            let va = va(Self::address(mapped));
            faults.push(PagingError::AlreadyMapped { va });
        }
        Self::verdict(faults, ())?;
        let leaf = ModelLeaf {
            pages,
            frame: frame / K4,
            flags,
        };
        Ok(self.model.plan_map(page, leaf, largest))
    }

    fn judge_leaf(&self, at: usize) -> Result<(usize, ModelLeaf), Vec<PagingError>> {
        if let Some(fault) = Self::address_fault(at) {
            return Err(Vec::from([fault]));
        }
        let not_mapped = PagingError::NotMapped { va: va(at) };
        self.model
            .covering(Self::page(at))
            .ok_or_else(|| Vec::from([not_mapped]))
    }

    fn judge_update(
        &self,
        at: usize,
        frame: Option<usize>,
        flags: Option<MappingFlags>,
    ) -> Result<(Done, Plan), Vec<PagingError>> {
        let (page, mut leaf) = self.judge_leaf(at)?;
        let bytes = leaf.pages * K4;
        let mut faults = Vec::new();
        if let Some(flags) = flags {
            faults.extend(flag_faults(flags));
            leaf.flags = flags;
        }
        if let Some(frame) = frame {
            let frame = frame & !(bytes - 1);
            faults.extend(frame_faults(frame, bytes));
            leaf.frame = frame / K4;
        }
        let plan = Model::plan_replace(page, Some(leaf));
        Self::verdict(faults, (Done::Updated(bytes), plan))
    }

    fn judge_change(
        &self,
        at: usize,
        bytes: usize,
        flags: Option<MappingFlags>,
    ) -> Result<(Done, Plan), Vec<PagingError>> {
        let mut faults = Self::range_faults(at, bytes);
        faults.extend(flags.into_iter().flat_map(flag_faults));
        Self::verdict(faults, ())?;
        let page = Self::page(at);
        let plan = self.model.plan_change(page, page + bytes / K4, flags);
        Ok((Done::Pages(plan.pages), plan))
    }

    fn execute(&mut self, operation: Operation) -> Result<Done, PagingError> {
        let table = &mut self.table;
        match operation {
            Operation::Map(at, frame, size, flags) => {
                table.map(va(at), pa(frame), size, flags)?.flush();
                Ok(Done::Mapped)
            }
            Operation::Unmap(at) => {
                let unmapped = table.unmap(va(at))?;
                let (flags, bytes) = (unmapped.flags(), unmapped.size().bytes());
                Ok(Done::Unmapped(unmapped.flush().as_usize(), flags, bytes))
            }
            Operation::Update(at, frame, flags) => {
                let (size, receipt) = match (frame, flags) {
                    (None, Some(flags)) => table.protect(va(at), flags)?,
                    (Some(frame), Some(flags)) => table.remap(va(at), pa(frame), flags)?,
                    _ => table.update(va(at), frame.map(pa), flags)?,
                };
                receipt.flush();
                Ok(Done::Updated(size.bytes()))
            }
            Operation::MapRegion(at, frame, bytes, flags, sizes) => {
                let receipt = table.map_region(va(at), pa(frame), bytes, flags, sizes)?;
                Ok(Done::Pages(receipt.pages()))
            }
            Operation::UnmapRegion(at, bytes) => {
                Ok(Done::Pages(table.unmap_region(va(at), bytes)?.pages()))
            }
            Operation::ProtectRegion(at, bytes, flags) => Ok(Done::Pages(
                table.protect_region(va(at), bytes, flags)?.pages(),
            )),
        }
    }

    /// Carries `operation` out with `budget` frames to be had. Returns whether they were enough.
    fn step(&mut self, operation: Operation, budget: usize, tally: &mut Tally) -> bool {
        let (live, available) = (live_frames(), free_frames().min(budget));
        begin_operation(budget);
        let result = self.execute(operation);
        match (result, self.judge(operation)) {
            (Ok(done), Ok((expected, plan))) => {
                assert_eq!(done, expected, "{operation:x?}");
                assert_eq!(allocations(), plan.tables, "{operation:x?}");
                tally.done += 1;
                tally.splits += usize::from(plan.tables > 0 && matches!(done, Done::Pages(_)));
                self.model.apply(plan);
                tally.tables_freed += usize::from(live_frames() < live);
                assert_eq!(live_frames(), self.model.count_tables(), "{operation:x?}");
                true
            }
            (Err(error), judgement) => {
                assert_eq!(
                    old_stores(),
                    0,
                    "{operation:x?}: {error}, and yet a table was written"
                );
                assert_eq!(
                    live_frames(),
                    live,
                    "{operation:x?}: {error}, and yet frames moved"
                );
                match judgement {
                    Ok((_, plan)) => {
                        assert_eq!(error, PagingError::NoMemory, "{operation:x?}");
                        assert!(plan.tables > available, "{operation:x?}");
                        tally.no_memory += 1;
                        false
                    }
                    Err(faults) => {
                        assert!(
                            faults.contains(&error),
                            "{operation:x?}: {error:x?}, not {faults:x?}"
                        );
                        tally.refused += 1;
                        true
                    }
                }
            }
            (Ok(done), Err(faults)) => panic!("{operation:x?} did {done:x?} despite {faults:x?}"),
        }
    }

    /// Whether table and model agree on what `operation` touched, and on a leaf either side.
    fn check_around(&self, operation: Operation) {
        let (at, bytes) = match operation {
            Operation::Map(at, _, size, _) => (at & !(size.bytes() - 1), size.bytes()),
            Operation::Unmap(at) | Operation::Update(at, ..) => (at, G1),
            Operation::MapRegion(at, _, bytes, ..)
            | Operation::UnmapRegion(at, bytes)
            | Operation::ProtectRegion(at, bytes, _) => (at, bytes),
        };
        let start = Self::page(at).saturating_sub(1);
        let end = (Self::page(at) + bytes.div_ceil(K4) + 1).min(SPACE / K4);
        let mut page = self.model.covering(start).map_or(start, |(page, _)| page);
        let mut looks = 0;
        while page < end {
            if let Some((_, leaf)) = self.model.covering(page) {
                self.check_leaf(page, &leaf);
                page += leaf.pages;
            } else {
                let next = self.model.next_leaf(page).unwrap_or(end).min(end);
                self.check_hole(page, next);
                page = next;
            }
            looks += 1;
            if looks == 64 {
                // The middle of a long run is left to `check_all`.
                page = page.max(self.next_start(end.saturating_sub(8)));
            }
        }
    }

    /// The end of the leaf that `page` is inside of, or `page` itself if it starts one or none.
    fn next_start(&self, page: usize) -> usize {
        match self.model.covering(page) {
            Some((start, leaf)) if start < page => start + leaf.pages,
            _ => page,
        }
    }

    fn check_leaf(&self, page: usize, leaf: &ModelLeaf) {
        let at = Self::address(page);
        let found = self.table.view().leaf(va(at)).unwrap();
        Self::check_same(&found, page, leaf);
        let last = leaf.pages * K4 - 1;
        let expected = if leaf.flags.intersects(MappingFlags::RIGHTS) {
            Ok((pa(leaf.frame * K4 + last), leaf.flags, found.size))
        } else {
            Err(PagingError::NotMapped { va: va(at + last) })
        };
        assert_eq!(self.table.query(va(at + last)), expected);
    }

    fn check_same(found: &Leaf, page: usize, leaf: &ModelLeaf) {
        let got = (found.va, found.pa, found.flags, found.size.bytes());
        let expected = (
            va(Self::address(page)),
            pa(leaf.frame * K4),
            leaf.flags,
            leaf.pages * K4,
        );
        assert_eq!(got, expected);
    }

    fn check_hole(&self, start: usize, end: usize) {
        let step = ((end - start) / 64).max(1);
        for page in (start..end).step_by(step).chain([end - 1]) {
            let va = va(Self::address(page));
            assert_eq!(
                self.table.view().leaf(va),
                Err(PagingError::NotMapped { va })
            );
        }
    }

    /// Whether table and model agree on every page, and no table but the root is empty.
    fn check_all(&self) {
        let mut expected = self.model.leaves();
        let _ = self.table.view().leaves::<()>(|leaf| {
            let (page, model) = expected.next().expect("a leaf that the model has not");
            Self::check_same(&leaf, page, model);
            ControlFlow::Continue(())
        });
        assert_eq!(expected.next(), None);
        // The model counts the tables that its leaves need: an empty one would be too many.
        assert_eq!(self.table.view().count_tables(), self.model.count_tables());
        assert_eq!(live_frames(), self.model.count_tables());
    }

    /// Unmaps the whole half: the root is left.
    fn unmap_all(mut self) {
        self.table.unmap_region(va(S::BASE), SPACE).unwrap().flush();
        assert_eq!((self.table.view().count_tables(), live_frames()), (1, 1));
        drop(self);
        assert_eq!(live_frames(), 0);
    }
}

fn agree<S: Half>(seed: u64, operations: usize) {
    let mut random = Random::new(seed);
    let mut pair = Pair::<S>::new();
    let mut tally = Tally::default();
    for count in 0..operations {
        let operation = Operation::random(&mut random, S::BASE);
        let budget = if random.one_in(3) {
            random.below(3)
        } else {
            usize::MAX
        };
        pair.step(operation, budget, &mut tally);
        pair.check_around(operation);
        if count % 1000 == 0 {
            pair.check_all();
        }
    }
    pair.check_all();
    pair.unmap_all();
    let tenth = operations / 10;
    assert!(tally.done > 4 * tenth && tally.refused > tenth, "{tally:?}");
    let rare = operations / 100;
    assert!(
        tally.no_memory > rare && tally.splits > rare && tally.tables_freed > rare,
        "{tally:?}"
    );
}

#[test]
fn random_operations_in_the_low_half_do_what_the_model_does() {
    agree::<LowHalf>(0x5eed_0001, 50_000);
}

#[test]
fn random_operations_in_the_high_half_do_what_the_model_does() {
    agree::<HighHalf>(0x5eed_0002, 50_000);
}

/// Each operation first runs out of frames at its first allocation, then at its second, and so
/// on until it has enough.
#[test]
fn running_out_of_frames_at_any_allocation_changes_nothing() {
    let mut random = Random::new(0x5eed_0003);
    let mut pair = Pair::<HighHalf>::new();
    let mut tally = Tally::default();
    for _ in 0..10_000 {
        let operation = Operation::random(&mut random, HighHalf::BASE);
        let before = snapshot();
        for budget in 0.. {
            if pair.step(operation, budget, &mut tally) {
                break;
            }
            assert!(snapshot() == before, "{operation:x?} with {budget} frames");
        }
        pair.check_around(operation);
    }
    pair.check_all();
    assert!(tally.no_memory > 1000, "{tally:?}");
}

#[test]
fn random_operations_invalidate_what_they_replace_before_it_is_reused() {
    let mut random = Random::new(0x5eed_0004);
    let mut pair = Pair::<HighHalf>::new();
    let mut owed = 0;
    for _ in 0..1000 {
        let operation = Operation::random(&mut random, HighHalf::BASE);
        let root = pair.table.root_paddr().as_usize();
        let before = oracle::entries(root, HighHalf::BASE);
        let (_, log) = record_all(|| pair.execute(operation));
        let after = oracle::entries(root, HighHalf::BASE);
        owed += usize::from(oracle::check(&before, &after, &log));
    }
    assert!(owed > 100);
}
