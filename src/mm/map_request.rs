//! The request to map pages in an address space: a range, rights, the sizes of the leaves, and from where
//! the frames come. Pure: whether that can be at all.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::mm::layout::USER;
use crate::mm::space_error::SpaceError;
use crate::paging::{MappingFlags, PageSize, RegionOptions};

/// Neighbouring leaves that one TLB entry can hold with the contiguous hint (DDI 0487 D8.7.1, 4 KiB
/// granule).
const GROUP: usize = 16;

/// The sizes of the leaves that a range is mapped with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leaves {
    /// Leaves of this size alone.
    Only(PageSize),
    /// Blocks where alignment and length allow it, pages elsewhere.
    Largest,
}

/// A range to be mapped.
#[derive(Clone, Copy, Debug)]
pub struct MapRequest {
    /// The first address.
    pub va: VirtAddr,
    /// How many bytes.
    pub bytes: usize,
    /// The rights at EL0.
    pub flags: MappingFlags,
    /// The sizes of the leaves.
    pub leaves: Leaves,
    /// Whether every leaf is to have the contiguous hint.
    pub is_contiguous: bool,
    /// The first of the frames, which follow each other; `None` for fresh ones of zeros.
    pub pa: Option<PhysAddr>,
}

impl MapRequest {
    /// Read-write, readable or whatever `flags` say, with fresh pages of 4 KiB.
    #[must_use]
    pub const fn pages(va: VirtAddr, bytes: usize, flags: MappingFlags) -> Self {
        Self {
            va,
            bytes,
            flags,
            leaves: Leaves::Only(PageSize::Size4K),
            is_contiguous: false,
            pa: None,
        }
    }

    /// Whether such leaves can be there.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`]; [`SpaceError::NotAligned`] for an
    /// address, a size or a frame that is no multiple of a leaf, or of a group of 16.
    pub fn check(&self) -> Result<(), SpaceError> {
        user_range(self.va, self.bytes)?;
        let alignment = self.alignment();
        let pa = self.pa.map_or(0, PhysAddr::as_usize);
        for value in [self.va.as_usize(), self.bytes, pa] {
            if value % alignment != 0 {
                return Err(SpaceError::NotAligned { value, alignment });
            }
        }
        Ok(())
    }

    /// The unit of which address, size and frame are multiples: a leaf, or a group of 16.
    pub(super) const fn alignment(&self) -> usize {
        let leaf = match self.leaves {
            Leaves::Only(size) => size.bytes(),
            Leaves::Largest => PAGE_SIZE,
        };
        if self.is_contiguous {
            GROUP * leaf
        } else {
            leaf
        }
    }

    /// The least and the largest fresh row of frames for the addresses from `va` on, in bytes: as
    /// many as the alignment asks for, and as there are up to the end. Powers of two.
    #[must_use]
    pub fn run_sizes(&self, va: usize) -> (usize, usize) {
        let left = self.va.as_usize() + self.bytes - va;
        let most = left.ilog2().min(va.trailing_zeros());
        (self.alignment(), 1 << most)
    }

    /// How the page tables are told.
    #[must_use]
    pub fn options(&self) -> RegionOptions {
        let mut options = RegionOptions::empty();
        options.set(
            RegionOptions::HUGE,
            self.leaves != Leaves::Only(PageSize::Size4K),
        );
        options.set(RegionOptions::CONTIGUOUS, self.is_contiguous);
        options
    }
}

/// The pages `[va, va + bytes)`, if a space may map them.
///
/// # Errors
/// [`SpaceError::NotPages`], [`SpaceError::Outside`].
pub fn user_range(va: VirtAddr, bytes: usize) -> Result<Range<usize>, SpaceError> {
    for value in [va.as_usize(), bytes] {
        if value % PAGE_SIZE != 0 {
            return Err(SpaceError::NotPages { value });
        }
    }
    if bytes == 0 {
        return Err(SpaceError::NotPages { value: bytes });
    }
    let outside = SpaceError::Outside { va, bytes };
    let start = va.as_usize();
    let end = start.checked_add(bytes).ok_or(outside)?;
    if start < USER.start || end > USER.end {
        return Err(outside);
    }
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::{Leaves, MapRequest, user_range};
    use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
    use crate::mm::layout::USER;
    use crate::mm::space_error::SpaceError;
    use crate::paging::{MappingFlags, PageSize};

    const MIB: usize = 1 << 20;

    fn request(va: usize, bytes: usize, leaves: Leaves) -> MapRequest {
        MapRequest {
            leaves,
            ..MapRequest::pages(VirtAddr::new(va), bytes, MappingFlags::READ)
        }
    }

    #[test]
    fn a_range_is_whole_pages_between_the_first_and_the_kernels() {
        let range = |va, bytes| user_range(VirtAddr::new(va), bytes);
        assert_eq!(range(0x40_0000, 0x3000), Ok(0x40_0000..0x40_3000));
        assert_eq!(range(USER.start, USER.len()), Ok(USER));
        for value in [0x40_0001, 0x40_0800] {
            let refused = Err(SpaceError::NotPages { value });
            assert_eq!(range(value, PAGE_SIZE), refused);
        }
        for bytes in [0, 1, PAGE_SIZE + 1] {
            let refused = Err(SpaceError::NotPages { value: bytes });
            assert_eq!(range(0x40_0000, bytes), refused);
        }
        for (va, bytes) in [
            (0, PAGE_SIZE),
            (USER.end - PAGE_SIZE, 2 * PAGE_SIZE),
            (USER.end, PAGE_SIZE),
            (1 << 48, PAGE_SIZE),
            (0xffff_0000_0000_0000, PAGE_SIZE),
            (usize::MAX - PAGE_SIZE + 1, PAGE_SIZE),
            (usize::MAX - PAGE_SIZE + 1, usize::MAX - PAGE_SIZE + 1),
        ] {
            let va = VirtAddr::new(va);
            let refused = Err(SpaceError::Outside { va, bytes });
            assert_eq!(user_range(va, bytes), refused);
        }
    }

    #[test]
    fn address_size_and_frame_are_multiples_of_leaf_and_group() {
        let blocks = Leaves::Only(PageSize::Size2M);
        assert_eq!(request(2 * MIB, 4 * MIB, blocks).check(), Ok(()));
        let group = MapRequest {
            is_contiguous: true,
            ..request(0x1_0000, 0x2_0000, Leaves::Only(PageSize::Size4K))
        };
        assert_eq!(group.check(), Ok(()));
        let at = |pa| MapRequest {
            pa: Some(PhysAddr::new(pa)),
            ..group
        };
        assert_eq!(at(0x5_0000).check(), Ok(()));
        for (request, value, alignment) in [
            (request(MIB, 2 * MIB, blocks), MIB, 2 * MIB),
            (request(2 * MIB, MIB, blocks), MIB, 2 * MIB),
            (at(0x5_1000), 0x5_1000, 0x1_0000),
        ] {
            let refused = Err(SpaceError::NotAligned { value, alignment });
            assert_eq!(request.check(), refused);
        }
    }

    #[test]
    fn a_row_of_fresh_frames_is_as_long_as_place_and_alignment_allow() {
        let pages = request(0x1f_f000, 67 * MIB, Leaves::Largest);
        assert_eq!(pages.run_sizes(0x1f_f000), (PAGE_SIZE, PAGE_SIZE));
        assert_eq!(pages.run_sizes(0x20_0000), (PAGE_SIZE, 2 * MIB));
        // Up to 0x44f_f000 there are 67 MiB less a page, but 0x40_0000 is a multiple of 4 MiB.
        assert_eq!(pages.run_sizes(0x40_0000), (PAGE_SIZE, 4 * MIB));
        // 0x44f_f000 - 0x440_0000 are 255 pages.
        assert_eq!(pages.run_sizes(0x440_0000), (PAGE_SIZE, MIB / 2));
        let blocks = request(2 * MIB, 4 * MIB, Leaves::Only(PageSize::Size2M));
        assert_eq!(blocks.run_sizes(2 * MIB), (2 * MIB, 2 * MIB));
        let group = |va, bytes, size| MapRequest {
            is_contiguous: true,
            ..request(va, bytes, Leaves::Only(size))
        };
        let pages = group(0x1_0000, 0x2_0000, PageSize::Size4K);
        assert_eq!(pages.run_sizes(0x2_0000), (0x1_0000, 0x1_0000));
        let blocks = group(32 * MIB, 96 * MIB, PageSize::Size2M);
        assert_eq!(blocks.run_sizes(32 * MIB), (32 * MIB, 32 * MIB));
        assert_eq!(blocks.run_sizes(64 * MIB), (32 * MIB, 64 * MIB));
    }
}
