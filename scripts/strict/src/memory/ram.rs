//! The two copies, and what changes them.

use super::code::{Marks, Outdated};
use super::page::{self, FRAME, LINE, Line, Page};
use crate::board::GpuMemory;
use crate::chance::Chance;

/// The copy that an access reads and writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    /// Cacheable accesses of a core whose caches are on.
    Cached = 0,
    /// All others.
    Memory = 1,
}

/// Whether the caches act, or memory is coherent at once as in an emulator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Caches {
    /// Both copies are one.
    Transparent,
    /// Two copies, kept equal by maintenance alone.
    Acting,
}

/// A cache maintenance operation on one line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LineOperation {
    /// DC IVAC: the line is dropped; if it was dirty, with its data or after writing them back.
    Invalidate,
    /// DC CVAC and DC CVAU: a dirty line is written back and stays.
    Clean,
    /// DC CIVAC: a dirty line is written back, and the line is dropped.
    CleanInvalidate,
}

/// An access that a rule judges.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Note {
    /// Maintenance of the line at an address that is dirty, while memory has newer bytes.
    DirtyOverFresh(u64),
    /// A core with its caches off cleans a line that was written past the caches.
    CleanOverFresh(u64),
    /// An instruction of a line that was stored to is fetched.
    Fetched {
        /// The address of the line.
        line: u64,
        /// The store was not cleaned; else no invalidation of the instruction caches followed it.
        unclean: bool,
    },
    /// The GPU read a word whose newest value is in a cache.
    UncleanRead(u64),
    /// A core used a line by the caches that it had written past them, and not invalidated.
    MixedUse(u64),
    /// An uncached access met bytes that differ from a cache's: one of both has old ones.
    OldBytes(u64),
}

/// Whether the data cache of the core that maintains a line is on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Caching {
    On,
    Off,
}

/// The copies in which a loader leaves bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Placed {
    /// In memory alone: the caches are empty since their reset.
    Memory,
    /// In memory, and perhaps in clean lines.
    Clean,
    /// In dirty lines alone: memory below is as it was.
    Dirty,
}

/// RAM from address 0 up.
pub(crate) struct Memory {
    size: u64,
    noise: Option<u64>,
    pub(super) caches: Caches,
    chance: Chance,
    seed: u64,
    /// The number of invalidations of the instruction caches.
    pub(super) invalidation: u32,
    /// For each frame the number of its page plus one; 0 before the frame was touched.
    slots: Vec<u32>,
    /// For each page the number of its frame.
    frames: Vec<u32>,
    pub(super) pages: Vec<Box<Page>>,
    /// The number of frames' copies that instructions were fetched from.
    pub(super) codes: u32,
    pub(super) marks: Marks,
    /// Frames whose decoded words are older than their bytes.
    pub(super) outdated: Vec<u32>,
    pub(super) outdated_words: Vec<Outdated>,
    /// Accesses that rules judge.
    pub(super) notes: Vec<Note>,
    left: Placed,
    newly_watched: bool,
    /// Whether any core's caches are on, so that a line may be fetched at any time.
    pub(crate) speculation: bool,
}

impl Memory {
    /// RAM of `size` bytes: of zeros, or of the noise of a seed.
    pub(crate) fn new(size: u64, caches: Caches, noise: Option<u64>, seed: u64) -> Self {
        Self {
            size,
            noise,
            caches,
            chance: Chance::new(seed, 1),
            seed,
            invalidation: 0,
            slots: vec![0; (size / FRAME as u64) as usize],
            frames: Vec::new(),
            pages: Vec::new(),
            codes: 0,
            marks: Marks::default(),
            outdated: Vec::new(),
            outdated_words: Vec::new(),
            notes: Vec::new(),
            left: Placed::Clean,
            newly_watched: false,
            speculation: false,
        }
    }

    /// Everything that a loader does not place is left like this: perhaps in dirty lines.
    pub(crate) fn leave(&mut self, left: Placed) {
        self.left = left;
    }

    /// Whether no cache can hold a line: none did at first, and no core's caches have been on.
    pub(super) fn caches_are_empty(&self) -> bool {
        self.left == Placed::Memory && !self.speculation
    }

    /// Whether `address` is in RAM.
    pub(crate) fn holds(&self, address: u64) -> bool {
        address < self.size
    }

    /// The number of the page at an address in RAM, made at its first use.
    pub(crate) fn slot(&mut self, address: u64) -> u32 {
        let frame = (address / FRAME as u64) as usize;
        match self.slots[frame] {
            0 => {
                let noise = self.noise.map(|seed| Chance::new(seed, 2 + frame as u64));
                let mut page = Page::new(noise);
                if self.left == Placed::Memory {
                    page.lines.fill(Line::Absent);
                }
                if self.left == Placed::Dirty
                    && self.caches == Caches::Acting
                    && let Some(seed) = self.noise
                {
                    let stream = (1 << 32) + frame as u64;
                    page.leave_dirty_lines(&mut Chance::new(seed, stream));
                }
                self.pages.push(page);
                self.frames.push(frame as u32);
                let slot = self.pages.len() as u32;
                self.slots[frame] = slot;
                slot - 1
            }
            slot => slot - 1,
        }
    }

    /// The physical address of a page.
    pub(crate) fn address(&self, slot: u32) -> u64 {
        u64::from(self.frames[slot as usize]) * FRAME as u64
    }

    /// Whether a store to the page needs [`Memory::write`], instead of [`Memory::store`].
    pub(crate) fn is_watched(&self, slot: u32) -> bool {
        self.pages[slot as usize].watched
    }

    /// A cacheable load that does not cross the page's end.
    #[inline]
    pub(crate) fn load(&self, slot: u32, offset: usize, size: usize) -> u64 {
        page::load(&self.pages[slot as usize].cached, offset, size)
    }

    /// A cacheable store to a page that is not watched; it does not cross a line's end.
    #[inline]
    pub(crate) fn store(&mut self, slot: u32, offset: usize, size: usize, value: u64) {
        let page = &mut *self.pages[slot as usize];
        let line = &mut page.lines[offset / LINE];
        *line = line.stored();
        page.unclean |= 1 << (offset / LINE);
        page.stored(offset, size, self.invalidation);
        page::store(&mut page.cached, offset, size, value);
    }

    /// A load within one line of RAM.
    pub(crate) fn read(&mut self, address: u64, size: usize, view: View) -> u64 {
        let slot = self.slot(address) as usize;
        let offset = address as usize % FRAME;
        if view == View::Cached || self.caches == Caches::Transparent {
            return page::load(&self.pages[slot].cached, offset, size);
        }
        if self.pages[slot].lines[offset / LINE].is_dirty() && self.may_evict(address) {
            self.evict(slot, offset / LINE);
        }
        let page = &self.pages[slot];
        let value = page::load(&page.memory, offset, size);
        if value != page::load(&page.cached, offset, size) {
            self.notes.push(Note::OldBytes(address));
        }
        value
    }

    /// A store within one line of RAM.
    pub(crate) fn write(&mut self, address: u64, size: usize, value: u64, view: View) {
        let slot = self.slot(address) as usize;
        let offset = address as usize % FRAME;
        if view == View::Cached || self.caches == Caches::Transparent {
            self.store(slot as u32, offset, size, value);
        } else {
            self.write_uncached(address, size, value);
        }
        if self.pages[slot].watched {
            self.code_was_written(address, size, view);
        }
    }

    fn write_uncached(&mut self, address: u64, size: usize, value: u64) {
        let slot = self.slot(address) as usize;
        let offset = address as usize % FRAME;
        let line = offset / LINE;
        if self.pages[slot].lines[line].is_dirty() && self.may_evict(address) {
            self.evict(slot, line);
        }
        let kept = match self.pages[slot].lines[line] {
            Line::Dirty | Line::Torn => true,
            Line::Absent => self.speculation && self.chance.happens(128),
            Line::Clean | Line::Stale => self.chance.happens(224),
        };
        let page = &mut *self.pages[slot];
        let differs = page::load(&page.memory, offset, size) != value & ones(size);
        page::store(&mut page.memory, offset, size, value);
        page.fresh |= 1 << line;
        page.stored(offset, size, self.invalidation);
        match page.lines[line] {
            Line::Dirty | Line::Torn => page.lines[line] = Line::Torn,
            _ if kept && differs => {
                page.lines[line] = Line::Stale;
                self.notes.push(Note::OldBytes(address));
            }
            _ if kept => {}
            _ => {
                page.refill(line);
                page.lines[line] = Line::Absent;
            }
        }
    }

    /// Puts bytes into RAM as a loader has left them.
    pub(crate) fn place(&mut self, address: u64, bytes: &[u8], placed: Placed) {
        let (mut address, mut bytes) = (address, bytes);
        while !bytes.is_empty() {
            let offset = address as usize % FRAME;
            let line = offset / LINE;
            let (now, later) = bytes.split_at(bytes.len().min(LINE - offset % LINE));
            let slot = self.slot(address) as usize;
            let page = &mut *self.pages[slot];
            if placed == Placed::Clean && page.lines[line].is_dirty() {
                page.refill(line);
                page.lines[line] = Line::Clean;
            }
            page.cached[offset..offset + now.len()].copy_from_slice(now);
            match placed {
                Placed::Memory | Placed::Clean => {
                    page.memory[offset..offset + now.len()].copy_from_slice(now);
                }
                Placed::Dirty => page.lines[line] = Line::Dirty,
            }
            address += now.len() as u64;
            bytes = later;
        }
    }

    /// Every store to a frame of RAM is seen from here on.
    pub(crate) fn watch(&mut self, address: u64) {
        let slot = self.slot(address) as usize;
        self.newly_watched |= !std::mem::replace(&mut self.pages[slot].watched, true);
    }

    /// Whether a frame has been watched since the last call: cores must forget that they may store
    /// to it without being seen.
    pub(crate) fn take_newly_watched(&mut self) -> bool {
        std::mem::take(&mut self.newly_watched)
    }

    /// The descriptor at an address in RAM, as a cacheable walk reads it.
    pub(crate) fn descriptor(&mut self, address: u64) -> u64 {
        let slot = self.slot(address) as usize;
        page::load(&self.pages[slot].cached, (address & !7) as usize % FRAME, 8)
    }

    /// The accesses since the last call that rules judge.
    #[inline]
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Whether a dirty line leaves the caches now. Three lines of four never do by themselves: which
    /// ones, the seed decides.
    fn may_evict(&mut self, address: u64) -> bool {
        let line = address / LINE as u64;
        let restless = Chance::new(self.seed, line).below(4) == 0;
        restless && self.chance.happens(64)
    }

    fn evict(&mut self, slot: usize, line: usize) {
        let page = &mut *self.pages[slot];
        page.write_back(line);
        page.lines[line] = Line::Clean;
    }

    /// Every line of the caches is cleaned, and invalidated perhaps.
    pub(crate) fn empty_caches(&mut self, invalidates: bool) {
        if self.caches == Caches::Transparent {
            return;
        }
        for slot in 0..self.pages.len() {
            for line in 0..FRAME / LINE {
                let state = self.pages[slot].lines[line];
                if state == Line::Torn {
                    let first = self.address(slot as u32) + (line * LINE) as u64;
                    self.notes.push(Note::DirtyOverFresh(first));
                }
                if state.is_dirty() {
                    self.evict(slot, line);
                }
                let page = &mut *self.pages[slot];
                page.unclean &= !(1 << line);
                if invalidates {
                    page.fresh &= !(1 << line);
                    page.writers.forget(line);
                    page.refill(line);
                    page.lines[line] = Line::Absent;
                }
            }
        }
    }

    /// Executes cache maintenance on the line of an address in RAM.
    pub(crate) fn maintain(&mut self, address: u64, operation: LineOperation, by: Caching) {
        if operation != LineOperation::Clean {
            let slot = self.slot(address) as usize;
            self.pages[slot]
                .writers
                .forget(address as usize % FRAME / LINE);
        }
        if self.caches == Caches::Transparent {
            return;
        }
        let slot = self.slot(address) as usize;
        let line = address as usize % FRAME / LINE;
        let state = self.pages[slot].lines[line];
        if state == Line::Torn {
            let first = address & !(LINE as u64 - 1);
            self.notes.push(Note::DirtyOverFresh(first));
        }
        let bit = 1 << line;
        let page = &mut *self.pages[slot];
        let cleans = operation != LineOperation::Invalidate;
        if cleans && by == Caching::Off && page.fresh & bit != 0 {
            let first = address & !(LINE as u64 - 1);
            self.notes.push(Note::CleanOverFresh(first));
        }
        page.fresh &= !bit;
        page.unclean &= !bit;
        let dirty = state.is_dirty();
        let loses = operation == LineOperation::Invalidate && self.chance.happens(128);
        if dirty && !loses {
            self.evict(slot, line);
        }
        let page = &mut *self.pages[slot];
        if operation != LineOperation::Clean {
            page.refill(line);
            page.lines[line] = Line::Absent;
        }
    }
}

/// Ones at the low `size` bytes.
fn ones(size: usize) -> u64 {
    u64::MAX >> (64 - 8 * size)
}

impl GpuMemory for Memory {
    fn read(&mut self, address: u32) -> u32 {
        let address = u64::from(address) & !3;
        if !self.holds(address) {
            return 0;
        }
        let slot = self.slot(address) as usize;
        let line = self.pages[slot].lines[address as usize % FRAME / LINE];
        if self.caches == Caches::Acting && line.is_dirty() {
            self.notes.push(Note::UncleanRead(address));
        }
        Self::read(self, address, 4, View::Memory) as u32
    }

    fn write(&mut self, address: u32, value: u32) {
        if self.holds(u64::from(address)) {
            let address = u64::from(address) & !3;
            Self::write(self, address, 4, u64::from(value), View::Memory);
        }
    }
}
