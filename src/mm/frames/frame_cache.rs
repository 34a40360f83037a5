//! The cache of single frames: those freed last, which are allocated again first.
//!
//! A frame that was just freed is likely in the core's data cache still, and allocating it again
//! costs neither a split nor a merge. Linux's per-CPU lists of pages serve this purpose; here one
//! cache stands behind the one lock, for four cores. In Linux's terms `count` is
//! `taken - in_use`, `high` is [`CAPACITY`], and `batch` is 1.
//!
//! The cache is a ring of 16 slots, and the number of single frames in use is its stack pointer.
//! With 5 frames in use and 3 cached (8 taken from the buddy lists and not given back to them):
//!
//! ```text
//!  slot     ..   3    4    5    6    7    8   ..  15
//!                        [ 20 |  9 |  4 ]
//!                          ^              ^
//!                          in_use = 5     taken = 8
//! ```
//!
//! 1. Allocate: frame 20, of slot 5, goes into use; `in_use` becomes 6.
//! 2. Free frame 33: `in_use` becomes 4, and slot 4 has frame 33. It is the next to be allocated.
//! 3. Allocate with `in_use == taken`: nothing is cached. A frame from the buddy lists goes into
//!    use; both numbers rise by 1 ([`refill`](FrameCache::refill)).
//! 4. Free with 16 cached: the oldest frame, of slot `taken - 1`, goes back to the buddy lists
//!    first; `taken` falls by 1 ([`replace_oldest`](FrameCache::replace_oldest)).
//!
//! # The peak
//! [`Statistics::peak`](super::Statistics) is the most frames that were in use at a time, those of
//! larger blocks included. Here `peak` is that number less the frames of the larger blocks that are
//! in use now, so that `in_use` alone has to be compared with it: after a peak of 518 frames, with
//! one block of 512 in use, an allocation with `in_use == 6` makes a new peak.
//!
//! # Decisions
//! The fast path of either way makes one comparison. Step 3 and a new peak have `slow_at`, the
//! smaller of `taken` and `peak`, for both: with `in_use < slow_at` neither happens. Step 4 has
//! `full_at`, `taken - 16`: with `in_use > full_at` there is room.
#![forbid(unsafe_code)]

/// Frames that the cache holds at most.
pub(super) const CAPACITY: usize = 16;

/// Counts of single frames, and the cached ones.
///
/// The fields are in the order in which the fast paths use them: one load fetches two.
///
/// # Invariants
/// `in_use <= taken <= in_use + CAPACITY`.
#[derive(Debug)]
#[repr(C)]
pub(super) struct FrameCache {
    /// The smaller of `taken` and `peak`: from here on an allocation is no longer fast.
    slow_at: usize,
    /// Single frames in use.
    in_use: usize,
    /// `taken - CAPACITY`, or 0: with so many in use, or fewer, a freed frame finds no room.
    full_at: usize,
    /// Single frames freed so far.
    frees: u64,
    /// Single frames taken from the buddy lists: in use or cached.
    taken: usize,
    /// With so many single frames in use, and the larger blocks that are in use now, the peak is
    /// reached.
    peak: usize,
    /// The cached frames are those of slots `in_use..taken`, modulo the size.
    slots: [u32; CAPACITY],
}

impl FrameCache {
    /// An empty cache; no frame is in use.
    pub(super) const fn new() -> Self {
        Self {
            slots: [0; CAPACITY],
            in_use: 0,
            taken: 0,
            slow_at: 0,
            full_at: 0,
            peak: 0,
            frees: 0,
        }
    }

    /// The frame that was freed last, and whether it may be taken by [`pop`](Self::pop): not if
    /// none is cached, and not if taking it makes a new peak.
    #[inline(always)]
    pub(super) const fn top(&self) -> (usize, bool) {
        let frame = self.slots[self.in_use % CAPACITY] as usize;
        (frame, self.in_use < self.slow_at)
    }

    /// The frame of [`top`](Self::top) goes into use.
    #[inline(always)]
    pub(super) fn pop(&mut self) {
        self.in_use += 1;
    }

    /// The frame that was freed last goes into use, and makes a new peak. `None` if none is cached.
    pub(super) fn pop_to_new_peak(&mut self) -> Option<usize> {
        if self.in_use >= self.taken {
            return None;
        }
        self.peak = self.peak.max(self.in_use + 1);
        self.update_limits();
        let (frame, _) = self.top();
        self.pop();
        Some(frame)
    }

    /// Counts a frame that the caller took from the buddy lists and that goes into use at once;
    /// none is cached.
    pub(super) fn refill(&mut self) {
        self.in_use += 1;
        self.taken += 1;
        self.peak = self.peak.max(self.in_use);
        self.update_limits();
    }

    /// Counts the `frames` frames of a larger block in use that become single ones; none is cached.
    // Apart from `refill`, which the slow path of an allocation takes.
    #[inline(never)]
    pub(super) fn block_split(&mut self, frames: usize) {
        self.peak += frames;
        self.in_use += frames;
        self.taken += frames;
        self.update_limits();
    }

    /// Whether fewer than [`CAPACITY`] frames are cached.
    #[inline(always)]
    pub(super) const fn has_room(&self) -> bool {
        self.in_use > self.full_at
    }

    /// Caches a frame that was in use. There is room.
    #[inline(always)]
    pub(super) fn push(&mut self, frame: usize) {
        self.frees += 1;
        self.in_use -= 1;
        self.slots[self.in_use % CAPACITY] = frame as u32;
    }

    /// Caches a frame that was in use, where there is no room. Returns the frame cached first,
    /// which goes back to the buddy lists.
    #[inline]
    pub(super) fn replace_oldest(&mut self, frame: usize) -> usize {
        self.taken -= 1;
        // Read before the push: with a full ring both frames have this slot.
        let oldest = self.slots[self.taken % CAPACITY] as usize;
        self.push(frame);
        self.update_limits();
        oldest
    }

    /// Takes the frame cached first out of the cache, for the buddy lists.
    pub(super) fn pop_oldest(&mut self) -> Option<usize> {
        if self.in_use >= self.taken {
            return None;
        }
        self.taken -= 1;
        self.update_limits();
        Some(self.slots[self.taken % CAPACITY] as usize)
    }

    /// Counts a larger block of `frames` frames that goes into use.
    pub(super) fn block_taken(&mut self, frames: usize) {
        self.peak = self.peak.saturating_sub(frames).max(self.in_use);
        self.update_limits();
    }

    /// Counts a larger block of `frames` frames that goes out of use.
    pub(super) fn block_returned(&mut self, frames: usize) {
        self.peak += frames;
        self.update_limits();
    }

    /// How many frames are cached. Wraps if the counts were overwritten from outside, which a check
    /// has to survive.
    pub(super) const fn len(&self) -> usize {
        self.taken.wrapping_sub(self.in_use)
    }

    /// The cached frames, the one freed last first.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (self.in_use..self.taken).map(|slot| self.slots[slot % CAPACITY] as usize)
    }

    /// Single frames in use.
    pub(super) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// The peak of all frames in use, less those of the larger blocks that are in use now.
    pub(super) const fn peak(&self) -> usize {
        self.peak
    }

    /// Single frames freed so far.
    pub(super) const fn frees(&self) -> u64 {
        self.frees
    }

    fn update_limits(&mut self) {
        self.slow_at = self.taken.min(self.peak);
        self.full_at = self.taken.saturating_sub(CAPACITY);
    }
}
