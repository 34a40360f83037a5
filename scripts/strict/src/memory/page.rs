//! One frame of RAM: its two copies, the state of each line, its decoded words.

use super::writers::{LINES, Writers};

/// The size of a frame in bytes.
pub(crate) const FRAME: usize = 4096;

/// The size of a cache line in bytes: CTR_EL0.DminLine of the Cortex-A53 (DDI 0500 4.3.11).
pub(crate) const LINE: usize = 64;

const _: () = assert!(FRAME / LINE == LINES, "a bit for each line");

/// The relation of a line's two copies. All coherent caches count as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Both copies are equal; a cache may hold the line or not.
    Clean,
    /// A cache holds a newer value than memory, and may write it back at any time.
    Dirty,
    /// A cache may hold an older value than memory.
    Stale,
    /// A cache holds a value of its own that it may write back at any time, over newer bytes in
    /// memory.
    Torn,
    /// No cache holds the line.
    Absent,
}

/// A frame of RAM.
pub(crate) struct Page {
    /// The values that cacheable accesses of all cores see.
    pub(crate) cached: [u8; FRAME],
    /// The values at the point of coherency: what uncached accesses and the GPU see.
    pub(crate) memory: [u8; FRAME],
    /// The state of each line.
    pub(crate) lines: [Line; FRAME / LINE],
    /// The decoded words of each copy, by number.
    pub(crate) code: [Option<u32>; 2],
    /// Lines that were stored to past the caches and not maintained since.
    pub(crate) fresh: u64,
    /// Lines that were stored to since they were cleaned.
    pub(crate) unclean: u64,
    /// Lines that were stored to since the instruction caches were invalidated for the
    /// `invalidation`th time.
    pub(crate) stale_code: u64,
    pub(crate) invalidation: u32,
    /// Words that were ever stored to, 64 in an element.
    stored_words: [u64; FRAME / 256],
    /// The cores that stored past the caches.
    pub(super) writers: Writers,
    /// Whether a store needs more than the new bytes.
    pub(crate) watched: bool,
}

impl Line {
    /// Whether an eviction writes the line to memory.
    pub(crate) fn is_dirty(self) -> bool {
        matches!(self, Self::Dirty | Self::Torn)
    }

    /// The state after a store through the caches.
    #[inline]
    pub(crate) fn stored(self) -> Self {
        match self {
            Self::Stale | Self::Torn => Self::Torn,
            Self::Clean | Self::Dirty | Self::Absent => Self::Dirty,
        }
    }
}

impl Page {
    /// A frame of zeros, or of noise.
    pub(crate) fn new(noise: Option<crate::chance::Chance>) -> Box<Self> {
        let mut page = Box::new(Self {
            cached: [0; FRAME],
            memory: [0; FRAME],
            lines: [Line::Clean; FRAME / LINE],
            code: [None; 2],
            fresh: 0,
            unclean: 0,
            stale_code: 0,
            invalidation: 0,
            stored_words: [0; FRAME / 256],
            writers: Writers::none(),
            watched: false,
        });
        if let Some(mut chance) = noise {
            for bytes in page.memory.as_chunks_mut().0 {
                *bytes = chance.next().to_le_bytes();
            }
            page.cached = page.memory;
        }
        page
    }

    /// A store to a line, which an instruction cache may hold as it was.
    #[inline]
    pub(crate) fn stored(&mut self, offset: usize, size: usize, invalidation: u32) {
        let words = match size {
            LINE => 0xffff,
            8 => 0b11,
            _ => 0b1,
        };
        self.stored_words[offset % FRAME / 256] |= words << (offset / 4 % 64);
        if self.invalidation != invalidation {
            self.invalidation = invalidation;
            self.stale_code = 0;
        }
        self.stale_code |= 1 << (offset / LINE);
    }

    /// Whether the word at an offset was ever stored to: a line may hold code and data.
    pub(crate) fn has_stored_word(&self, offset: usize) -> bool {
        self.stored_words[offset % FRAME / 256] >> (offset / 4 % 64) & 1 != 0
    }

    /// A quarter of the lines become dirty, with noise that memory lacks.
    pub(crate) fn leave_dirty_lines(&mut self, chance: &mut crate::chance::Chance) {
        for line in 0..FRAME / LINE {
            if chance.happens(64) {
                let bytes = &mut self.cached[line * LINE..(line + 1) * LINE];
                for bytes in bytes.as_chunks_mut().0 {
                    *bytes = chance.next().to_le_bytes();
                }
                self.lines[line] = Line::Dirty;
            }
        }
    }

    /// Copies a line from the caches to memory.
    pub(crate) fn write_back(&mut self, line: usize) {
        let bytes = line * LINE..(line + 1) * LINE;
        self.memory[bytes.clone()].copy_from_slice(&self.cached[bytes]);
    }

    /// Copies a line from memory to the caches' copy.
    pub(crate) fn refill(&mut self, line: usize) {
        let bytes = line * LINE..(line + 1) * LINE;
        self.cached[bytes.clone()].copy_from_slice(&self.memory[bytes]);
    }
}

/// Up to eight bytes at `offset`, little endian; the access ends within `bytes`.
#[inline]
pub(crate) fn load(bytes: &[u8; FRAME], offset: usize, size: usize) -> u64 {
    fn array<const N: usize>(bytes: &[u8; FRAME], offset: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&bytes[offset..offset + N]);
        array
    }
    match size {
        1 => u64::from(bytes[offset]),
        2 => u64::from(u16::from_le_bytes(array(bytes, offset))),
        4 => u64::from(u32::from_le_bytes(array(bytes, offset))),
        _ => u64::from_le_bytes(array(bytes, offset)),
    }
}

/// Stores the low `size` bytes (1, 2, 4 or 8) of `value` at `offset`; a whole line of zeros if that
/// is the size.
#[inline]
pub(crate) fn store(bytes: &mut [u8; FRAME], offset: usize, size: usize, value: u64) {
    let value = value.to_le_bytes();
    match size {
        1 => bytes[offset] = value[0],
        2 => bytes[offset..offset + 2].copy_from_slice(&value[..2]),
        4 => bytes[offset..offset + 4].copy_from_slice(&value[..4]),
        LINE => bytes[offset..offset + LINE].fill(0),
        _ => bytes[offset..offset + 8].copy_from_slice(&value),
    }
}
