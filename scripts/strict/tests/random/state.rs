//! The page at [`SAVED`](super::layout::SAVED): what a block left, and the state of the run.

/// The number of the SVC that ends a block.
pub(crate) const END_OF_BLOCK: u16 = 0xffff;
/// ESR of that SVC: class 0x15, IL, the number.
const END_SYNDROME: u64 = 0x5600_0000 | END_OF_BLOCK as u64;
/// The number of blocks between two lines of output, a power of two.
pub(crate) const CHECKPOINT: u32 = 256;

/// What is saved at the end of a block behind X0 to X30, in this order; `elr`, `spsr` and `far`
/// are those of the blocks' level.
pub(crate) const REGISTERS: [&str; 11] = [
    "sp",
    "sp_el0",
    "elr",
    "spsr",
    "far",
    "tpidr_el0",
    "tpidrro_el0",
    "contextidr_el1",
    "par_el1",
    "csselr_el1",
    EVENTS_NAME,
];
/// The last of [`REGISTERS`], which is none: all exceptions of the block, folded.
pub(crate) const EVENTS_NAME: &str = "events";

/// The number of values that are folded into the hash: a multiple of four.
pub(crate) const WORDS: u64 = 44;
/// The offset of the last of [`REGISTERS`].
pub(crate) const EVENTS: u64 = (31 + REGISTERS.len() as u64 - 1) * 8;
/// The offset of the hash of everything so far.
pub(crate) const HASH: u64 = WORDS * 8;
/// The offset of the number of the current block.
pub(crate) const INDEX: u64 = HASH + 8;
/// The offset of [`State::blocks`].
pub(crate) const BLOCKS: u64 = HASH + 16;
/// The offset of [`State::detail`].
pub(crate) const DETAIL: u64 = HASH + 24;
/// The offset of [`State::dump`].
pub(crate) const DUMP: u64 = HASH + 32;
/// The offset of ESR of the SVC that ends a block.
pub(crate) const SYNDROME: u64 = HASH + 40;
/// The offset of the vector's number, 0 to 15.
pub(crate) const VECTOR: u64 = HASH + 48;
/// The size of the page's used part in values.
const SIZE: u64 = WORDS + 7;

/// The number of lines that are printed of the saved values: X0 to X30, [`REGISTERS`], and the
/// hash of the window.
pub(crate) const LINES: usize = 31 + REGISTERS.len() + 1;

/// What is known before the first block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// The number of blocks.
    pub(crate) blocks: u64,
    /// The first block behind which there is a line of output in any case.
    pub(crate) detail: u64,
    /// The block after which the saved values are printed, and the run ends.
    pub(crate) dump: u64,
}

impl State {
    /// The page before the first block.
    pub(crate) fn page(self) -> Vec<u64> {
        let mut page = vec![0; SIZE as usize];
        for (offset, value) in [
            (BLOCKS, self.blocks),
            (DETAIL, self.detail),
            (DUMP, self.dump),
            (SYNDROME, END_SYNDROME),
        ] {
            page[offset as usize / 8] = value;
        }
        page
    }
}

/// The name of a printed value by its place among [`LINES`].
pub(crate) fn name(place: usize) -> String {
    match place.checked_sub(31) {
        None => format!("x{place}"),
        Some(place) => REGISTERS
            .get(place)
            .copied()
            .unwrap_or("hash of the window")
            .to_owned(),
    }
}
