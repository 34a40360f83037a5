//! Changes of an address space: what it maps, with which rights, and to which frames.
//!
//! Each is all or nothing, in this order:
//!
//! 1. The frames are there, and zero; the list of extents, of which there is one change at a time,
//!    has room for what follows. Up to here the heap and the allocator may refuse.
//! 2. The tables change in one batch, under the space's lock. They may refuse: then step 1 is taken
//!    back.
//! 3. The list follows, and what was unmapped is given back: its invalidations are done.
//!
//! # Decisions
//! * Frames in a row are mapped by `map_region`: 64 MiB take 4.1 instructions a page, list and new
//!   tables included (`make bench`). Single frames that lie anywhere, as free memory in pieces has
//!   them, are mapped by `map_frames`, 64 a call: 127 instructions a page, where a call for each
//!   takes 485, with interrupts masked.
//! * What was unmapped is read from the list and not from the tables, as `unmap_region_with` would
//!   do: the list has the frames in rows, says whose they are, and has those of pages without a
//!   right. And it gives them back without the space's lock, which masks interrupts: 64 MiB are
//!   16,384 calls of the allocator.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::mm::extents::Extent;
use crate::mm::fresh_frames::{FreshFrames, make_executable};
use crate::mm::given_frames::{self, share};
use crate::mm::layout::USER;
use crate::mm::left_out::free;
use crate::mm::map_request::{MapRequest, user_range};
use crate::mm::space_error::SpaceError;
use crate::mm::user_space::{USER_PAGE, UserSpace, UserTable};
use crate::paging::{
    GenericPTE, MappingFlags, PageSize, PagingError, PagingResult, RegionOptions, Run,
};

impl UserSpace {
    /// Maps what `request` says, with its flags beside [`USER_PAGE`]: fresh frames of zeros, or
    /// those at an address, which are free or a space's. All or nothing.
    ///
    /// A gigabyte takes a second to clear: `may_go_on` is asked after each 4 MiB, with the pages
    /// that are cleared, and ends it with `false`.
    ///
    /// # Errors
    /// Those of [`MapRequest::check`]; [`SpaceError::NotAFrame`],
    /// [`SpaceError::AlreadyMapped`], [`SpaceError::NoMemory`]; [`SpaceError::Ended`] if it is not
    /// to go on; [`SpaceError::Busy`] during another change; [`SpaceError::Refused`] for the flags,
    /// as for writable code.
    pub fn map(
        &self,
        request: &MapRequest,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SpaceError> {
        let frames = self.frames_for(request, may_go_on)?;
        self.map_extents(frames, request)
    }

    /// The frames of [`map`](Self::map), allocated and cleared, or taken where `request` says: step
    /// 1 without the list.
    ///
    /// # Errors
    /// Those of [`map`](Self::map), but for [`SpaceError::Refused`].
    pub(crate) fn frames_for(
        &self,
        request: &MapRequest,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<FreshFrames, SpaceError> {
        request.check()?;
        let pages = user_range(request.va, request.bytes)?;
        self.check_unmapped(&pages)?;
        match request.pa {
            Some(pa) => given_frames::take(request.va, pa, request.bytes),
            None => FreshFrames::allocate(request, may_go_on),
        }
    }

    /// Whether nothing is mapped in `pages`: looked at before frames are cleared for them.
    fn check_unmapped(&self, pages: &Range<usize>) -> Result<(), SpaceError> {
        let extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        match extents.first_in(pages) {
            Some(va) => Err(SpaceError::AlreadyMapped { va }),
            None => Ok(()),
        }
    }

    /// Maps all of `fresh`, or nothing, with flags and leaves as `request` says.
    ///
    /// # Errors
    /// Those of [`map`](Self::map), but for what is wrong with the request.
    pub(crate) fn map_extents(
        &self,
        fresh: FreshFrames,
        request: &MapRequest,
    ) -> Result<(), SpaceError> {
        let no_memory = SpaceError::NoMemory {
            bytes: request.bytes,
        };
        let mut extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        for extent in fresh.as_slice() {
            if let Some(va) = extents.first_in(&extent.pages()) {
                return Err(SpaceError::AlreadyMapped { va });
            }
        }
        extents
            .reserve(fresh.as_slice().len())
            .map_err(|_| no_memory)?;
        if request.flags.contains(MappingFlags::EXECUTE) {
            fresh.as_slice().iter().for_each(make_executable);
        }
        UserTable::order_contents();
        let (flags, options) = (request.flags | USER_PAGE, request.options());
        let leaves = fresh.as_slice().iter().map(|extent| Leaves {
            va: extent.va,
            run: *extent,
            flags,
            options,
        });
        match self.map_each(leaves) {
            Ok(()) => {}
            Err(PagingError::NoMemory) => return Err(no_memory),
            Err(error) => return Err(error.into()),
        }
        for extent in fresh.keep() {
            extents.insert(extent);
        }
        Ok(())
    }

    /// Maps all of `leaves` in one batch, or nothing: pages in a row whose frames are not in one row
    /// together.
    fn map_each(&self, leaves: impl Iterator<Item = Leaves> + Clone) -> PagingResult {
        let mut map = self.locked();
        map.table.batch(|mut batch| {
            let mut rest = leaves.clone().peekable();
            let mut done = 0;
            while let Some(first) = rest.next() {
                let mut scattered = Scattered::new(&first);
                while let Some(next) = rest.peek()
                    && scattered.add(next)
                {
                    rest.next();
                }
                let mapped = match scattered.frames() {
                    [] | [_] => {
                        let Extent { pa, bytes, .. } = first.run;
                        batch.map_region(first.va, pa, bytes, first.flags, first.options)
                    }
                    frames => batch.map_frames(first.va, frames, PageSize::Size4K, first.flags),
                };
                if let Err(error) = mapped {
                    for done in leaves.take(done) {
                        // As they were mapped: no block is split, so no memory is needed.
                        batch.unmap_region(done.va, done.run.bytes)?;
                    }
                    return Err(error);
                }
                done += scattered.count.max(1);
            }
            let _ = batch.finish();
            Ok(())
        })
    }

    /// Unmaps whatever is mapped in `bytes` from `va` on, and gives the space's own frames back,
    /// once no core's TLB has them. Returns how many pages were mapped.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`], [`SpaceError::Busy`];
    /// [`SpaceError::NotMapped`] for a range without a page, while holes in it do not matter;
    /// [`SpaceError::NoMemory`] if the list of extents cannot grow by one, or a block cannot be
    /// split.
    pub fn unmap(&self, va: VirtAddr, bytes: usize) -> Result<usize, SpaceError> {
        let pages = user_range(va, bytes)?;
        let mut extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        if extents.first_in(&pages).is_none() {
            return Err(SpaceError::NotMapped { va });
        }
        let no_memory = SpaceError::NoMemory { bytes };
        extents.reserve(1).map_err(|_| no_memory)?;
        self.locked().table.unmap_region(va, bytes)?.flush();
        // No core reaches the frames any more: the invalidations are done.
        let mut count = 0;
        extents.remove(va, bytes, &mut |extent| {
            count += extent.bytes / PAGE_SIZE;
            free(&extent);
        });
        Ok(count)
    }

    /// Gives whatever is mapped in `bytes` from `va` on these `flags`, beside [`USER_PAGE`].
    /// Without a right a page becomes inaccessible, and keeps its frame.
    ///
    /// Pages that become executable are made visible to the instruction caches first.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`], [`SpaceError::Busy`];
    /// [`SpaceError::NotMapped`] for a range without a page, while holes in it do not matter;
    /// [`SpaceError::Refused`] for the flags, or if a block cannot be split.
    pub fn protect(
        &self,
        va: VirtAddr,
        bytes: usize,
        flags: MappingFlags,
    ) -> Result<(), SpaceError> {
        let pages = user_range(va, bytes)?;
        let extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        if extents.first_in(&pages).is_none() {
            return Err(SpaceError::NotMapped { va });
        }
        if flags.contains(MappingFlags::EXECUTE) {
            let parts = extents
                .as_slice()
                .iter()
                .filter_map(|extent| extent.part(&pages));
            parts.for_each(|part| make_executable(&part));
        }
        let mut map = self.locked();
        map.table
            .protect_region(va, bytes, flags | USER_PAGE)?
            .flush();
        Ok(())
    }

    /// Moves whatever is mapped in `bytes` from `va` on to the addresses from `to` on, where nothing
    /// is: frames, rights and leaves stay. Returns how many pages. Linux: `mremap`.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`] and [`SpaceError::Outside`] for either place;
    /// [`SpaceError::Overlap`] of the two; [`SpaceError::NotMapped`] for a range without a page,
    /// while holes in it do not matter; [`SpaceError::AlreadyMapped`]; [`SpaceError::Busy`];
    /// [`SpaceError::NoMemory`] for tables, or for the list of extents.
    pub fn remap(&self, va: VirtAddr, bytes: usize, to: VirtAddr) -> Result<usize, SpaceError> {
        let (old, new) = (user_range(va, bytes)?, user_range(to, bytes)?);
        if old.start < new.end && new.start < old.end {
            return Err(SpaceError::Overlap { va: to });
        }
        let no_memory = SpaceError::NoMemory { bytes };
        let mut extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        if extents.first_in(&old).is_none() {
            return Err(SpaceError::NotMapped { va });
        }
        if let Some(va) = extents.first_in(&new) {
            return Err(SpaceError::AlreadyMapped { va });
        }
        let mut moved = Vec::new();
        let parts = || extents.as_slice().iter().filter_map(|each| each.part(&old));
        let count = parts().count();
        moved.try_reserve_exact(count).map_err(|_| no_memory)?;
        moved.extend(parts());
        extents.reserve(count + 1).map_err(|_| no_memory)?;
        match self.move_leaves(&old, to) {
            Ok(()) => {}
            Err(PagingError::NoMemory) => return Err(no_memory),
            Err(error) => return Err(error.into()),
        }
        extents.remove(va, bytes, &mut |_| {});
        let mut pages = 0;
        for mut extent in moved {
            pages += extent.bytes / PAGE_SIZE;
            extent.va = VirtAddr::new(extent.va.as_usize() - old.start + new.start);
            extents.insert(extent);
        }
        Ok(pages)
    }

    /// Maps at `to` what is mapped in `old`, then unmaps that; or nothing.
    fn move_leaves(&self, old: &Range<usize>, to: VirtAddr) -> PagingResult {
        let mut map = self.locked();
        map.table.batch(|mut batch| {
            let mut next = old.start;
            let mut moved = Ok(());
            while moved.is_ok() {
                let rest = VirtAddr::new(next)..VirtAddr::new(old.end);
                let Some(run) = batch.view().iter(rest).next() else {
                    break;
                };
                let contiguous = batch.view().leaf(run.va)?.entry.is_contiguous();
                let leaves = Leaves::of(&run, contiguous);
                let va = VirtAddr::new(run.va.as_usize() - old.start + to.as_usize());
                let mapped = batch.map_region(va, run.pa, run.bytes, run.flags, leaves.options);
                moved = mapped.map(|_| ());
                next = run.va.as_usize() + run.bytes;
            }
            let start = VirtAddr::new(old.start);
            let moved = moved.and_then(|()| batch.unmap_region(start, old.len()));
            if moved.is_err() {
                // As it was mapped just now: no block is split, so no memory is needed.
                batch.unmap_region(to, old.len())?;
            }
            let _ = batch.finish();
            moved.map(|_| ())
        })
    }

    /// Folds equal pages on consecutive frames into blocks, wherever a table is full of them.
    /// Returns how many pages are in such blocks now, and were not before.
    ///
    /// # Errors
    /// [`SpaceError::Busy`] during another change.
    pub fn compact(&self) -> Result<usize, SpaceError> {
        let _unchanged = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        let mut map = self.locked();
        let receipt = map.table.compact(VirtAddr::new(0), USER.end)?;
        let pages = receipt.pages();
        receipt.flush();
        Ok(pages)
    }

    /// Lets `copy`, which has nothing mapped, map what this space does, at the same addresses and
    /// to the same frames; neither may write to any of it any more. The frames are free when both
    /// have given them up. Returns how many pages. Linux: `copy_page_range` under `fork`.
    ///
    /// # Errors
    /// [`SpaceError::Busy`] during a change of either; [`SpaceError::NoMemory`].
    pub fn share_with(&self, copy: &Self) -> Result<usize, SpaceError> {
        let own = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        let mut others = copy.extents.try_lock().ok_or(SpaceError::Busy)?;
        let bytes = own.page_count() * PAGE_SIZE;
        let no_memory = SpaceError::NoMemory { bytes };
        let mut shared = FreshFrames::none();
        for part in own.as_slice().iter().filter_map(|each| each.part(&USER)) {
            if !share(&part) || !shared.add(part) {
                return Err(no_memory);
            }
        }
        others
            .reserve(shared.as_slice().len())
            .map_err(|_| no_memory)?;
        let leaves = self.leaves()?;
        let read_only = leaves.iter().map(|each| Leaves {
            flags: each.flags - MappingFlags::WRITE,
            ..*each
        });
        copy.map_each(read_only)?;
        let without_write = |flags: MappingFlags| flags - MappingFlags::WRITE;
        let start = VirtAddr::new(USER.start);
        let protected = {
            let mut map = self.locked();
            let receipt = map
                .table
                .protect_region_with(start, USER.len(), without_write);
            receipt.map(|receipt| receipt.flush())
        };
        if let Err(error) = protected {
            let mut map = copy.locked();
            map.table.unmap_region(start, USER.len())?.flush();
            return Err(error.into());
        }
        let mut pages = 0;
        for extent in shared.keep() {
            pages += extent.bytes / PAGE_SIZE;
            others.insert(extent);
        }
        Ok(pages)
    }

    /// All leaves that a space may have mapped, as they would be mapped again.
    fn leaves(&self) -> Result<Vec<Leaves>, SpaceError> {
        let user = VirtAddr::new(USER.start)..VirtAddr::new(USER.end);
        let mut count = 0;
        self.with_view(&mut |view| count = view.iter(user.clone()).count());
        let mut leaves = Vec::new();
        let room = leaves.try_reserve_exact(count);
        room.map_err(|_| SpaceError::NoMemory { bytes: 0 })?;
        self.with_view(&mut |view| {
            for run in view.iter(user.clone()).take(count) {
                let leaf = view.leaf(run.va);
                let contiguous = leaf.is_ok_and(|leaf| leaf.entry.is_contiguous());
                leaves.push(Leaves::of(&run, contiguous));
            }
        });
        Ok(leaves)
    }
}

/// Leaves that are mapped by one call of `map_region`.
#[derive(Clone, Copy)]
struct Leaves {
    va: VirtAddr,
    run: Extent,
    flags: MappingFlags,
    options: RegionOptions,
}

impl Leaves {
    /// Those of `run`, which has the contiguous hint or not.
    fn of(run: &Run, contiguous: bool) -> Self {
        let mut options = RegionOptions::empty();
        options.set(RegionOptions::HUGE, run.size != PageSize::Size4K);
        options.set(RegionOptions::CONTIGUOUS, contiguous);
        Self {
            va: run.va,
            run: Extent {
                va: run.va,
                pa: run.pa,
                bytes: run.bytes,
                owned: false,
            },
            flags: run.flags,
            options,
        }
    }
}

/// Pages that follow each other, and whose frames lie anywhere.
struct Scattered {
    first: Leaves,
    frames: [PhysAddr; SCATTERED],
    /// How many: 0 if `first` is more than a page.
    count: usize,
}

/// Pages that are mapped by one call, at most.
const SCATTERED: usize = 64;

impl Scattered {
    fn new(first: &Leaves) -> Self {
        let mut scattered = Self {
            first: *first,
            frames: [PhysAddr::new(0); SCATTERED],
            count: 0,
        };
        scattered.add(first);
        scattered
    }

    /// Adds `next`, if it is the page behind those that there are. Returns whether it is.
    fn add(&mut self, next: &Leaves) -> bool {
        let Self { first, count, .. } = *self;
        let is_page = |leaves: &Leaves| {
            leaves.run.bytes == PAGE_SIZE && leaves.options == RegionOptions::empty()
        };
        let is_next = next.va.as_usize() == first.va.as_usize() + count * PAGE_SIZE;
        if !is_page(&first) || !is_page(next) || !is_next || next.flags != first.flags {
            return false;
        }
        let slot = self.frames.get_mut(count);
        let has_room = slot.is_some();
        if let Some(slot) = slot {
            *slot = next.run.pa;
            self.count += 1;
        }
        has_room
    }

    fn frames(&self) -> &[PhysAddr] {
        self.frames.get(..self.count).unwrap_or_default()
    }
}
