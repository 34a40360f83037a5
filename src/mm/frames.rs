//! Physical frames: which are free.
//!
//! A bitmap in memory that the caller gives, one bit a frame, set when free. Frame numbers count
//! from physical 0. Pure: knows neither where RAM is nor who reserved what.
//!
//! # Decisions
//! A bitmap rather than a list in the frames: it can be made before they are mapped, and a frame
//! that is freed twice is seen.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::{PAGE_SIZE, PhysAddr};

/// Frames in one word of the bitmap.
const WORD_FRAMES: usize = u64::BITS as usize;

/// Why a frame was not taken back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameError {
    /// It is free already.
    DoubleFree {
        /// The frame.
        pa: PhysAddr,
    },
    /// It is not a frame that the bitmap covers, or not the start of one.
    Foreign {
        /// The address.
        pa: PhysAddr,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleFree { pa } => write!(f, "frame {pa} freed twice"),
            Self::Foreign { pa } => write!(f, "{pa} is not a frame of this allocator"),
        }
    }
}

impl core::error::Error for FrameError {}

/// How many frames there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameCount {
    /// Frames that can be free at all: RAM that nobody reserved for good.
    pub usable: usize,
    /// Frames that are free now.
    pub free: usize,
}

/// The free frames below a limit.
#[derive(Debug)]
pub struct FrameAllocator<'bitmap> {
    bitmap: &'bitmap mut [u64],
    /// No word below this one has a free frame.
    lowest: usize,
    count: FrameCount,
}

impl<'bitmap> FrameAllocator<'bitmap> {
    /// Words of bitmap for `bytes` of address space.
    #[must_use]
    pub const fn words_for(bytes: usize) -> usize {
        bytes.div_ceil(PAGE_SIZE).div_ceil(WORD_FRAMES)
    }

    /// An allocator without a free frame, over memory with any contents.
    #[must_use]
    pub fn new(bitmap: &'bitmap mut [u64]) -> Self {
        bitmap.fill(0);
        Self {
            lowest: bitmap.len(),
            bitmap,
            count: FrameCount { usable: 0, free: 0 },
        }
    }

    /// Adds the whole frames of `[start, end)` that the bitmap covers. Returns how many were new.
    pub fn add(&mut self, start: PhysAddr, end: PhysAddr) -> usize {
        let first = start.as_usize().div_ceil(PAGE_SIZE);
        let added = self.change(first, end.as_usize() / PAGE_SIZE, |word, mask| {
            let new = mask & !*word;
            *word |= mask;
            new
        });
        self.lowest = self.lowest.min(first / WORD_FRAMES);
        self.count.usable += added;
        self.count.free += added;
        added
    }

    /// Takes every frame that `[start, end)` touches out for good. Returns how many were free.
    pub fn reserve(&mut self, start: PhysAddr, end: PhysAddr) -> usize {
        let first = start.as_usize() / PAGE_SIZE;
        let past = end.as_usize().div_ceil(PAGE_SIZE);
        let removed = self.change(first, past, |word, mask| {
            let old = mask & *word;
            *word &= !mask;
            old
        });
        self.count.usable -= removed;
        self.count.free -= removed;
        removed
    }

    /// The lowest free frame; its contents are unknown.
    pub fn allocate(&mut self) -> Option<PhysAddr> {
        let rest = self.bitmap.get_mut(self.lowest..)?;
        let Some(skip) = rest.iter().position(|word| *word != 0) else {
            self.lowest = self.bitmap.len();
            return None;
        };
        self.lowest += skip;
        let word = self.bitmap.get_mut(self.lowest)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        self.count.free -= 1;
        Some(PhysAddr::new((self.lowest * WORD_FRAMES + bit) * PAGE_SIZE))
    }

    /// Takes a frame back.
    ///
    /// # Errors
    /// [`FrameError::DoubleFree`], [`FrameError::Foreign`].
    pub fn free(&mut self, pa: PhysAddr) -> Result<(), FrameError> {
        let frame = pa.as_usize() / PAGE_SIZE;
        let word = self
            .bitmap
            .get_mut(frame / WORD_FRAMES)
            .filter(|_| pa.is_aligned(PAGE_SIZE))
            .ok_or(FrameError::Foreign { pa })?;
        let mask = 1 << (frame % WORD_FRAMES);
        if *word & mask != 0 {
            return Err(FrameError::DoubleFree { pa });
        }
        *word |= mask;
        self.lowest = self.lowest.min(frame / WORD_FRAMES);
        self.count.free += 1;
        Ok(())
    }

    /// How many frames there are.
    #[must_use]
    pub const fn count(&self) -> FrameCount {
        self.count
    }

    /// Applies `change` to each word that frames `first..past` touch, with the mask of their
    /// bits; adds up the bits it returns.
    fn change(
        &mut self,
        first: usize,
        past: usize,
        mut change: impl FnMut(&mut u64, u64) -> u64,
    ) -> usize {
        let past = past.min(self.bitmap.len() * WORD_FRAMES);
        let mut frame = first;
        let mut bits = 0;
        while frame < past {
            let bit = frame % WORD_FRAMES;
            let count = (WORD_FRAMES - bit).min(past - frame);
            let mask = (u64::MAX >> (WORD_FRAMES - count)) << bit;
            if let Some(word) = self.bitmap.get_mut(frame / WORD_FRAMES) {
                bits += change(word, mask).count_ones() as usize;
            }
            frame += count;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::{FrameAllocator, FrameError};
    use crate::addr::{PAGE_SIZE, PhysAddr};
    use std::collections::BTreeSet;
    use std::vec;

    fn frame(number: usize) -> PhysAddr {
        PhysAddr::new(number * PAGE_SIZE)
    }

    #[test]
    fn memory_with_any_contents_starts_without_free_frames() {
        let mut bitmap = vec![u64::MAX; 4];
        let mut frames = FrameAllocator::new(&mut bitmap);
        assert_eq!(frames.allocate(), None);
        assert_eq!(frames.count().free, 0);
    }

    #[test]
    fn ranges_round_to_what_is_safe() {
        let mut bitmap = vec![0; 4];
        let mut frames = FrameAllocator::new(&mut bitmap);
        assert_eq!(frames.add(PhysAddr::new(1), PhysAddr::new(0x2fff)), 1);
        assert_eq!(frames.add(frame(0), frame(256)), 255);
        assert_eq!(
            frames.reserve(PhysAddr::new(0x5fff), PhysAddr::new(0x6001)),
            2
        );
        assert_eq!(frames.count().usable, 254);
    }

    #[test]
    fn every_frame_comes_out_once_and_reserved_ones_never() {
        let mut bitmap = vec![0; 3];
        let mut frames = FrameAllocator::new(&mut bitmap);
        frames.add(frame(3), frame(190));
        frames.reserve(frame(60), frame(70));
        let mut seen = BTreeSet::new();
        while let Some(pa) = frames.allocate() {
            assert!(seen.insert(pa.as_usize() / PAGE_SIZE));
        }
        assert_eq!(seen, (3..60).chain(70..190).collect());
        assert_eq!(frames.count().free, 0);
    }

    #[test]
    fn a_freed_frame_comes_out_again_and_only_once() {
        let mut bitmap = vec![0; 2];
        let mut frames = FrameAllocator::new(&mut bitmap);
        frames.add(frame(10), frame(128));
        let first = frames.allocate().unwrap();
        let second = frames.allocate().unwrap();
        frames.free(first).unwrap();
        assert_eq!(
            frames.free(first),
            Err(FrameError::DoubleFree { pa: first })
        );
        assert_eq!(frames.allocate(), Some(first));
        assert_ne!(frames.allocate(), Some(second));
    }

    #[test]
    fn foreign_frames_are_refused() {
        let mut bitmap = vec![0; 1];
        let mut frames = FrameAllocator::new(&mut bitmap);
        let past = frame(64);
        assert_eq!(frames.free(past), Err(FrameError::Foreign { pa: past }));
        let odd = PhysAddr::new(0x1008);
        assert_eq!(frames.free(odd), Err(FrameError::Foreign { pa: odd }));
    }
}
