//! The audit of the address spaces of the low half: what must hold of every leaf of a space, and of
//! the frames of all of them.
//!
//! Pure: takes the runs that a walk of a space's live tables found
//! ([`live_walk`](super::live_walk)), and what the space says that it mapped
//! ([`extents`](super::extents)).
#![forbid(unsafe_code)]

use super::audit::MapViolation;
use super::extents::Extent;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::paging::{MappingFlags, Run};

/// Checks one space: its leaves are EL0's and its own, none is writable and executable, and each
/// leads to the frame that `extents` have there. Returns its pages.
///
/// A page of `extents` without a leaf is one without rights.
///
/// # Errors
/// The first [`MapViolation`].
pub fn check_space(runs: &[Run], extents: &[Extent]) -> Result<usize, MapViolation> {
    let mut pages = 0;
    for run in runs {
        let (va, flags) = (run.va, run.flags);
        if flags.contains(MappingFlags::WRITE | MappingFlags::EXECUTE) {
            return Err(MapViolation::WritableExecutable { va });
        }
        // Rights that no set of flags says: EL1 and EL0 differ otherwise than every leaf of ours.
        let is_user = flags.contains(MappingFlags::USER) && !flags.contains(MappingFlags::GLOBAL);
        if !is_user || run.rights.is_some() {
            return Err(MapViolation::NotUser { va, found: flags });
        }
        check_frames(run, extents)?;
        pages += run.bytes / PAGE_SIZE;
    }
    Ok(pages)
}

/// Each page of `run` has the frame that `extents` say.
fn check_frames(run: &Run, extents: &[Extent]) -> Result<(), MapViolation> {
    let mut next = run.va.as_usize();
    let end = next + run.bytes;
    let first = extents.partition_point(|extent| extent.pages().end <= next);
    for extent in extents.get(first..).unwrap_or_default() {
        let pa = run.pa.as_usize() + (next - run.va.as_usize());
        let part = extent.part(&(next..end));
        let is_there =
            part.is_some_and(|part| (part.va.as_usize(), part.pa.as_usize()) == (next, pa));
        if !is_there {
            break;
        }
        next = extent.pages().end.min(end);
        if next == end {
            return Ok(());
        }
    }
    let pa = PhysAddr::new(run.pa.as_usize() + (next - run.va.as_usize()));
    let va = VirtAddr::new(next);
    Err(MapViolation::ForeignFrame { va, pa })
}

/// The frames that are owned by spaces: a bit each. Frame 65, at 0x4_1000, is bit 1 of word 1.
///
/// A frame that spaces share on purpose has as many references as there are owners
/// ([`share`](super::frames::FrameAllocator::share)). Of those frames, both are added up: a space
/// that maps a frame without a reference, or keeps a reference without a frame, makes a difference.
pub struct Owners<'a> {
    words: &'a mut [u64],
    /// The owners that were found of frames with several references.
    owners: usize,
    /// The references of those frames.
    references: usize,
}

impl<'a> Owners<'a> {
    /// Words that [`Owners::new`] takes for frames below `end`: 4032 for the 1008 MiB below
    /// 0x3f00_0000.
    #[must_use]
    pub const fn words_for(end: PhysAddr) -> usize {
        end.as_usize().div_ceil(PAGE_SIZE * u64::BITS as usize)
    }

    /// No owned frames, in `words` that are all zero.
    #[must_use]
    pub const fn new(words: &'a mut [u64]) -> Self {
        Self {
            words,
            owners: 0,
            references: 0,
        }
    }

    /// Notes that a space owns the frames of `extent`, of which each is a single frame in use with
    /// `references` to it; `None` if it is not.
    ///
    /// # Errors
    /// [`MapViolation::OwnedTwice`] for a frame with one reference; [`MapViolation::OwnedFree`] for
    /// one that is not in use, or lies behind those that there are.
    pub fn add(
        &mut self,
        extent: &Extent,
        references: impl Fn(PhysAddr) -> Option<u32>,
    ) -> Result<(), MapViolation> {
        for offset in (0..extent.bytes).step_by(PAGE_SIZE) {
            let pa = PhysAddr::new(extent.pa.as_usize() + offset);
            let references = references(pa).ok_or(MapViolation::OwnedFree { pa })?;
            let is_new = self.mark(pa)?;
            if references > 1 {
                self.owners += 1;
                self.references += if is_new { references as usize } else { 0 };
            } else if !is_new {
                return Err(MapViolation::OwnedTwice { pa });
            }
        }
        Ok(())
    }

    /// Whether the frame at `pa` had no owner so far.
    fn mark(&mut self, pa: PhysAddr) -> Result<bool, MapViolation> {
        let frame = pa.as_usize() / PAGE_SIZE;
        let word = self.words.get_mut(frame / u64::BITS as usize);
        let word = word.ok_or(MapViolation::OwnedFree { pa })?;
        let bit = 1 << (frame % u64::BITS as usize);
        let is_new = *word & bit == 0;
        *word |= bit;
        Ok(is_new)
    }

    /// When all spaces were added: whether shared frames have as many owners as references.
    ///
    /// # Errors
    /// [`MapViolation::References`].
    pub const fn check_shared(&self) -> Result<(), MapViolation> {
        let Self {
            owners, references, ..
        } = *self;
        if owners == references {
            return Ok(());
        }
        Err(MapViolation::References { owners, references })
    }
}

#[cfg(test)]
mod tests {
    use super::{Owners, check_space};
    use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
    use crate::mm::audit::MapViolation;
    use crate::mm::extents::Extent;
    use crate::paging::{MappingFlags, PageSize, Rights, Run, SoftwareBits};

    const DATA: MappingFlags = MappingFlags::USER
        .union(MappingFlags::ACCESSED)
        .union(MappingFlags::READ)
        .union(MappingFlags::WRITE);

    fn run(page: usize, frame: usize, pages: usize) -> Run {
        Run {
            va: VirtAddr::new(page * PAGE_SIZE),
            pa: PhysAddr::new(frame * PAGE_SIZE),
            bytes: pages * PAGE_SIZE,
            flags: DATA,
            software: SoftwareBits::empty(),
            size: PageSize::Size4K,
            rights: None,
        }
    }

    fn extent(page: usize, frame: usize, pages: usize) -> Extent {
        Extent {
            va: VirtAddr::new(page * PAGE_SIZE),
            pa: PhysAddr::new(frame * PAGE_SIZE),
            bytes: pages * PAGE_SIZE,
            owned: true,
        }
    }

    #[test]
    fn what_agrees_is_counted_however_it_is_cut() {
        let extents = [extent(4, 100, 2), extent(6, 102, 3), extent(20, 7, 1)];
        let runs = [run(4, 100, 4), run(8, 104, 1), run(20, 7, 1)];
        assert_eq!(check_space(&runs, &extents), Ok(6));
        // The last page lost its rights.
        assert_eq!(check_space(&runs[..2], &extents), Ok(5));
    }

    #[test]
    fn a_frame_that_is_not_the_spaces_is_named() {
        let extents = [extent(4, 100, 2), extent(6, 102, 1)];
        for (leaves, page, frame) in [
            (run(4, 100, 4), 7, 103),
            (run(4, 101, 1), 4, 101),
            (run(3, 99, 2), 3, 99),
            (run(9, 1, 1), 9, 1),
        ] {
            let found = check_space(&[leaves], &extents);
            let va = VirtAddr::new(page * PAGE_SIZE);
            let pa = PhysAddr::new(frame * PAGE_SIZE);
            assert_eq!(found, Err(MapViolation::ForeignFrame { va, pa }));
        }
    }

    #[test]
    fn a_leaf_of_a_space_is_its_own_and_for_user_code() {
        let extents = [extent(4, 100, 1)];
        let va = VirtAddr::new(4 * PAGE_SIZE);
        for flags in [DATA | MappingFlags::GLOBAL, DATA - MappingFlags::USER] {
            let leaf = Run {
                flags,
                ..run(4, 100, 1)
            };
            let found = flags;
            assert_eq!(
                check_space(&[leaf], &extents),
                Err(MapViolation::NotUser { va, found })
            );
        }
        let flags = DATA | MappingFlags::EXECUTE;
        let leaf = Run {
            flags,
            ..run(4, 100, 1)
        };
        assert_eq!(
            check_space(&[leaf], &extents),
            Err(MapViolation::WritableExecutable { va })
        );
        // PXN is missing: EL1 may execute what EL0 has.
        let rights = Some(Rights {
            kernel: MappingFlags::READ | MappingFlags::EXECUTE,
            user: MappingFlags::READ,
        });
        let leaf = Run {
            rights,
            ..run(4, 100, 1)
        };
        let found = DATA;
        assert_eq!(
            check_space(&[leaf], &extents),
            Err(MapViolation::NotUser { va, found })
        );
    }

    #[test]
    fn a_frame_has_one_owner_unless_it_is_shared() {
        let end = PhysAddr::new(100 * PAGE_SIZE);
        let mut words = [0; Owners::words_for(PhysAddr::new(100 * PAGE_SIZE))];
        assert_eq!(words.len(), 2);
        let mut owners = Owners::new(&mut words);
        let once = |_| Some(1);
        for owned in [extent(1, 50, 20), extent(9, 10, 3), extent(3, 13, 1)] {
            assert_eq!(owners.add(&owned, once), Ok(()));
        }
        let pa = PhysAddr::new(69 * PAGE_SIZE);
        let twice = Err(MapViolation::OwnedTwice { pa });
        assert_eq!(owners.add(&extent(40, 69, 1), once), twice);
        // Not in use.
        let pa = PhysAddr::new(5 * PAGE_SIZE);
        let free = Err(MapViolation::OwnedFree { pa });
        assert_eq!(owners.add(&extent(40, 5, 1), |_| None), free);
        // Behind the last word.
        let pa = PhysAddr::new(end.as_usize().next_multiple_of(64 * PAGE_SIZE));
        let frame = pa.as_usize() / PAGE_SIZE;
        let behind = Err(MapViolation::OwnedFree { pa });
        assert_eq!(owners.add(&extent(40, frame, 1), once), behind);
        assert_eq!(owners.check_shared(), Ok(()));
    }

    #[test]
    fn a_shared_frame_has_as_many_owners_as_references() {
        let mut words = [0; 2];
        let mut owners = Owners::new(&mut words);
        let missing = |owners, references| Err(MapViolation::References { owners, references });
        let twice = |_| Some(2);
        assert_eq!(owners.add(&extent(1, 50, 3), twice), Ok(()));
        assert_eq!(owners.check_shared(), missing(3, 6));
        assert_eq!(owners.add(&extent(7, 50, 3), twice), Ok(()));
        assert_eq!(owners.check_shared(), Ok(()));
        // One more maps a frame that it has no reference to.
        assert_eq!(owners.add(&extent(9, 51, 1), twice), Ok(()));
        assert_eq!(owners.check_shared(), missing(7, 6));
    }
}
