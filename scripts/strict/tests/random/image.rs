//! An image: the code that surrounds the blocks, the blocks, and their data.

use super::block::Writer;
use super::code::Code;
use super::encode;
use super::entry;
use super::handler;
use super::layout::{
    BLOCKS, DESCRIPTORS, END, ENTRY, Level, MOST_BLOCKS, POOL, POOL_VALUES, RUN, SAVED, TABLES,
    WINDOW, WINDOW_SIZE, tables,
};
use super::numbers::Random;
use super::settings::Settings;
use super::state::{CHECKPOINT, END_OF_BLOCK, State};

/// What an image is made from: equal values give equal bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    /// The seed, which also chooses the [`Settings`].
    pub(crate) seed: u32,
    /// The number of blocks.
    pub(crate) blocks: u32,
    /// The first of [`CHECKPOINT`] blocks with a line of output behind each, which end the run.
    pub(crate) detail: Option<u32>,
    /// The end of the run within a block, if not behind the last one.
    pub(crate) cut: Option<Cut>,
}

impl Recipe {
    /// An image that runs to its end.
    pub(crate) fn new(seed: u32, blocks: u32) -> Self {
        Self {
            seed,
            blocks,
            detail: None,
            cut: None,
        }
    }
}

/// An end within a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// The number of the block.
    pub(crate) block: u32,
    /// The number of the word in it that is replaced by the SVC that ends a block.
    pub(crate) word: usize,
}

/// An image, and where its blocks are.
pub(crate) struct Image {
    /// What is loaded at [`ENTRY`].
    pub(crate) bytes: Vec<u8>,
    /// The words of the blocks, from [`BLOCKS`] on.
    words: Vec<u32>,
    /// The addresses of the blocks, and of the end of the last one.
    addresses: Vec<u64>,
}

impl Image {
    /// Builds the image.
    pub(crate) fn new(recipe: Recipe) -> Self {
        assert!((1..=MOST_BLOCKS).contains(&recipe.blocks));
        let settings = Settings::of(recipe.seed);
        let mut random = Random::new(u64::from(recipe.seed));
        let pool = pool(&mut random);
        let window: Vec<u64> = (0..WINDOW_SIZE / 8).map(|_| random.next()).collect();
        let descriptions: Vec<[u32; 2]> = (0..recipe.blocks)
            .map(|_| description(&mut random, settings.level))
            .collect();
        let mut writer = Writer::new(random, BLOCKS, settings);
        let mut addresses: Vec<u64> = (0..recipe.blocks).map(|_| writer.block()).collect();
        addresses.push(writer.code.here());
        let mut words = writer.code.words().to_vec();
        if let Some(cut) = recipe.cut {
            let first = (addresses[cut.block as usize] - BLOCKS) / 4;
            words[first as usize + cut.word] = encode::svc(END_OF_BLOCK);
        }
        let last = recipe.detail.map(|first| first + CHECKPOINT);
        let state = State {
            blocks: last.unwrap_or(u32::MAX).min(recipe.blocks).into(),
            detail: recipe.detail.map_or(u64::MAX, u64::from),
            dump: recipe.cut.map_or(u64::MAX, |cut| cut.block.into()),
        };
        let mut image = Self {
            bytes: Vec::new(),
            words,
            addresses,
        };
        image.surround(settings);
        image.place(SAVED, &values(&state.page()));
        image.place(TABLES, &values(&tables(settings.level)));
        image.place(POOL, &values(&pool));
        image.place(WINDOW, &values(&window));
        image.describe(&descriptions);
        let bytes: Vec<u8> = image
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        image.place(BLOCKS, &bytes);
        image
    }

    /// The words of a block, without the SVC that ends it.
    pub(crate) fn block(&self, block: u32) -> &[u32] {
        let at = |block: usize| ((self.addresses[block] - BLOCKS) / 4) as usize;
        &self.words[at(block as usize)..at(block as usize + 1) - 1]
    }

    /// The address of a block.
    pub(crate) fn address(&self, block: u32) -> u64 {
        self.addresses[block as usize]
    }

    fn surround(&mut self, settings: Settings) {
        let (vectors, first) = handler::code(settings.level);
        let upper = handler::upper_code();
        for code in [entry::code(settings, first), vectors, upper] {
            self.place_code(&code);
        }
    }

    fn place_code(&mut self, code: &Code) {
        let bytes: Vec<u8> = code
            .words()
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        self.place(code.here() - bytes.len() as u64, &bytes);
    }

    fn place(&mut self, address: u64, bytes: &[u8]) {
        let at = (address - ENTRY) as usize;
        let end = at + bytes.len();
        assert!(address + (bytes.len() as u64) < END, "too much code");
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        assert!(
            self.bytes[at..end].iter().all(|byte| *byte == 0),
            "{address:#x} is taken"
        );
        self.bytes[at..end].copy_from_slice(bytes);
    }

    /// Address, SPSR and run of the pool of each block.
    fn describe(&mut self, descriptions: &[[u32; 2]]) {
        let mut bytes = Vec::new();
        for (address, [state, run]) in self.addresses.iter().zip(descriptions) {
            bytes.extend(address.to_le_bytes());
            bytes.extend(state.to_le_bytes());
            bytes.extend(run.to_le_bytes());
        }
        self.place(DESCRIPTORS, &bytes);
    }
}

fn values(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn pool(random: &mut Random) -> Vec<u64> {
    (0..POOL_VALUES + RUN).map(|_| random.operand()).collect()
}

/// SPSR (flags, DAIF set, the level and its stack pointer) and the run's offset in bytes.
fn description(random: &mut Random, level: Level) -> [u32; 2] {
    let mode = match level {
        Level::El1 => random.pick(&[0, 0, 4, 5, 5, 5, 5, 5]),
        Level::El2 => random.pick(&[8, 9, 9, 9]),
    };
    let flags = random.bits() & 0xf000_0000;
    [flags | 0x3c0 | mode, random.below(POOL_VALUES) * 8]
}
