//! The regions of the image: the one list that the boot map and the final map are made from.
//!
//! Made before the MMU is on: no pointer is kept, no formatting, plain values only.
#![forbid(unsafe_code)]

use crate::addr::PhysAddr;

/// The contents of a region of the image, from which its rights follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(usize)]
pub enum RegionKind {
    /// The parking pages, `.init` and `.early`: code for low addresses.
    Init,
    /// The kernel's code.
    Text,
    /// The kernel's constants.
    ReadOnly,
    /// Everything that is written: data, bss, boot tables, boot stack.
    ReadWrite,
}

/// A region of the image, `[start, end)` in physical addresses: whole frames, as linker.ld aligns
/// it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageRegion {
    /// The address of its first byte.
    pub start: PhysAddr,
    /// The byte after its last.
    pub end: PhysAddr,
    /// Its contents, from which its rights follow.
    pub kind: RegionKind,
}

/// The regions of the image in the order of addresses, without overlap and without gap: each begins
/// where the one before ends.
pub type Regions = [ImageRegion; 4];

/// Where the parts of the image begin and end; physical. The fields are in the order of addresses,
/// and a part ends where the next one begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageLayout {
    /// The entry and the parking place: the first page of all.
    pub park: PhysAddr,
    /// `.init`: code that runs at low addresses.
    pub init: PhysAddr,
    /// `.early`, up to the text: vectors that EL2 and EL3 keep.
    pub early: PhysAddr,
    /// The text: the kernel's code.
    pub text: PhysAddr,
    /// The constants (`.rodata`).
    pub rodata: PhysAddr,
    /// The variables: data, noinit, bss.
    pub data: PhysAddr,
    /// Boot tables and boot stack.
    pub scratch: PhysAddr,
    /// The byte after the last.
    pub end: PhysAddr,
}

impl ImageLayout {
    /// The image, region by region.
    #[must_use]
    pub const fn regions(&self) -> Regions {
        const fn region(start: PhysAddr, end: PhysAddr, kind: RegionKind) -> ImageRegion {
            ImageRegion { start, end, kind }
        }
        [
            region(self.park, self.text, RegionKind::Init),
            region(self.text, self.rodata, RegionKind::Text),
            region(self.rodata, self.data, RegionKind::ReadOnly),
            region(self.data, self.end, RegionKind::ReadWrite),
        ]
    }
}
