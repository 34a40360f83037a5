//! Single frames: how many are in use, and the few freed last, which go out again first.
//!
//! A frame that was just freed is likely in the cache still, and giving it out again costs neither
//! a split nor a merge. When the stack is full the frame that lay on it longest leaves it.
//!
//! # Decisions
//! The stack is a ring that the number of frames in use points into: taking one raises the number,
//! giving one back lowers it, so that it is the stack pointer too. Of three limits (empty, a new
//! peak, full) each way meets one comparison.
#![forbid(unsafe_code)]

/// How many frames are kept.
pub(super) const ROOM: usize = 16;

/// Single frames in use and hot ones. What is used together lies together: a load fetches two.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Hot {
    /// Below this one more frame in use is neither a new peak nor more than were drawn: the
    /// smaller of `drawn` and `peak`.
    limit: usize,
    /// Single frames in use.
    in_use: usize,
    /// With so many single frames in use or fewer the stack is full.
    full: usize,
    /// Single frames freed so far.
    frees: u64,
    /// Single frames in use or hot: those drawn from the lists.
    drawn: usize,
    /// With so many single frames in use, and the larger blocks of now, the peak is reached.
    peak: usize,
    /// The hot frames are those of slots `in_use..drawn`, modulo the size.
    slots: [u32; ROOM],
}

impl Hot {
    /// No frame.
    pub(super) const fn new() -> Self {
        Self {
            slots: [0; ROOM],
            in_use: 0,
            drawn: 0,
            limit: 0,
            full: 0,
            peak: 0,
            frees: 0,
        }
    }

    /// The frame that was freed last, and whether it may be taken: not if none is hot, and not if
    /// taking it makes a new peak.
    #[inline(always)]
    pub(super) const fn top(&self) -> (usize, bool) {
        let frame = self.slots[self.in_use % ROOM] as usize;
        (frame, self.in_use < self.limit)
    }

    /// Takes [`top`](Self::top), which there is.
    #[inline(always)]
    pub(super) fn pop(&mut self) {
        self.in_use += 1;
    }

    /// Takes the frame that was freed last.
    pub(super) fn pop_to_new_peak(&mut self) -> Option<usize> {
        if self.in_use >= self.drawn {
            return None;
        }
        self.peak = self.peak.max(self.in_use + 1);
        self.settle();
        let (frame, _) = self.top();
        self.pop();
        Some(frame)
    }

    /// Counts a frame that comes from the lists and goes into use; none is hot.
    pub(super) fn draw(&mut self) {
        self.in_use += 1;
        self.drawn += 1;
        self.peak = self.peak.max(self.in_use);
        self.settle();
    }

    /// Whether a frame can be kept without one that leaves.
    #[inline(always)]
    pub(super) const fn has_room(&self) -> bool {
        self.in_use > self.full
    }

    /// Keeps a frame that goes out of use, where there is room.
    #[inline(always)]
    pub(super) fn push(&mut self, frame: usize) {
        self.frees += 1;
        self.in_use -= 1;
        self.slots[self.in_use % ROOM] = frame as u32;
    }

    /// Keeps a frame that goes out of use. Returns the one that leaves for it.
    #[inline]
    pub(super) fn exchange(&mut self, frame: usize) -> usize {
        self.drawn -= 1;
        let oldest = self.slots[self.drawn % ROOM] as usize;
        self.push(frame);
        self.settle();
        oldest
    }

    /// Takes out the frame that was freed first.
    pub(super) fn pop_oldest(&mut self) -> Option<usize> {
        if self.in_use >= self.drawn {
            return None;
        }
        self.drawn -= 1;
        self.settle();
        Some(self.slots[self.drawn % ROOM] as usize)
    }

    /// A larger block goes into use.
    pub(super) fn block_taken(&mut self, frames: usize) {
        self.peak = self.peak.saturating_sub(frames).max(self.in_use);
        self.settle();
    }

    /// A larger block goes out of use.
    pub(super) fn block_returned(&mut self, frames: usize) {
        self.peak += frames;
        self.settle();
    }

    /// Hot frames. Wraps where the counts were written over, which a check has to survive.
    pub(super) const fn len(&self) -> usize {
        self.drawn.wrapping_sub(self.in_use)
    }

    /// The hot frames.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        (self.in_use..self.drawn).map(|slot| self.slots[slot % ROOM] as usize)
    }

    /// Single frames in use.
    pub(super) const fn in_use(&self) -> usize {
        self.in_use
    }

    /// The peak of all frames in use, less those that larger blocks have now.
    pub(super) const fn peak(&self) -> usize {
        self.peak
    }

    /// Single frames freed so far.
    pub(super) const fn frees(&self) -> u64 {
        self.frees
    }

    fn settle(&mut self) {
        self.limit = self.drawn.min(self.peak);
        self.full = self.drawn.saturating_sub(ROOM);
    }
}
