//! Random instructions, executed by the model and by QEMU's Raspberry Pi 3: registers, flags,
//! memory and exceptions are equal. So they are if the model takes its liberties, and no rule is
//! broken.
//!
//! An [`Image`] has some thousand blocks of some forty random instructions. After each block it
//! folds all registers, the flags and the exceptions that there were into a hash, and after some
//! blocks the memory, too, and prints the hash. A [`Pair`] of machines is compared by what they
//! print, and a difference is traced to its instruction.
//!
//! `STRICT_RANDOM` is the number of instructions: 500,000 in `make test`, ten million in
//! `make soak-strict`.
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | `numbers` | pseudo-random numbers |
//! | `encode` `spelling` `code` | instruction words by name, their test, and code with labels |
//! | `layout` `settings` | addresses and page tables; the system registers of an image |
//! | `state` `output` `between` `handler` `entry` | the code that surrounds the blocks |
//! | `block` | a block of items |
//! | `data` `access` `flow` `system` `undefined` | the items, by group of instructions |
//! | `image` `coverage` | the image; whether it has all in it |
//! | `model` `emulator` | the model, and QEMU |
//! | `compare` | two machines, and the first instruction after which they differ |
//! | `qemu` | the test that needs QEMU |
#![forbid(unsafe_code)]

mod access;
mod between;
mod block;
mod code;
mod compare;
mod coverage;
mod data;
#[cfg(feature = "qemu-tests")]
mod emulator;
mod encode;
mod entry;
mod flow;
mod handler;
mod image;
mod layout;
mod model;
mod numbers;
mod output;
#[cfg(feature = "qemu-tests")]
mod qemu;
mod settings;
mod spelling;
mod state;
mod system;
mod undefined;

use std::env;

use a64::{Instruction, decode};
use compare::Pair;
use image::{Image, Recipe};

/// The number of instructions, unless `STRICT_RANDOM` says how many.
const INSTRUCTIONS: u32 = 500_000;
/// The number of images at the least: one with each of the settings.
const IMAGES: u32 = 8;
/// The most blocks of an image.
const MOST: u32 = 25_600;

/// The images that have the number of instructions that is asked for.
fn recipes() -> impl Iterator<Item = Recipe> {
    let asked = env::var("STRICT_RANDOM").ok();
    let instructions = asked.map_or(INSTRUCTIONS, |number| {
        let number = number.parse();
        number.expect("STRICT_RANDOM is a number of instructions")
    });
    let all = instructions.div_ceil(block::LEAST as u32);
    let images = all.div_ceil(MOST).max(IMAGES);
    (0..images).map(move |seed| Recipe::new(seed, all.div_ceil(images)))
}

#[test]
fn liberties_change_nothing_and_nothing_is_found() {
    for recipe in recipes() {
        let pair = Pair {
            reference: &model::emulator,
            tested: &|image| model::board(image, recipe.seed.into()),
        };
        if let Some(difference) = pair.difference(recipe) {
            panic!("{difference}");
        }
    }
}

/// A block and a word in it: data processing that leaves a result, with no branch in front of it.
fn plain_word(image: &Image) -> (u32, usize) {
    const WORD: usize = 10;
    let is_plain = |block: &u32| {
        let words = &image.block(*block)[..=WORD];
        let branches = words.iter().any(|word| decode(*word).is_branch());
        let last = decode(words[WORD]);
        !branches
            && matches!(last, Instruction::Data(data) if data.rd().is_some_and(|rd| rd.0 != 31))
    };
    let block = (270..).find(is_plain).expect("a block that begins so");
    (block, WORD)
}

#[test]
fn a_difference_is_told_by_its_instruction_and_register() {
    let recipe = Recipe::new(0, 400);
    let image = Image::new(recipe);
    let (block, word) = plain_word(&image);
    let address = image.address(block) + word as u64 * 4;
    let original = image.block(block)[word];
    let rd = original & 31;
    // The machine that is tested takes the instruction for another one.
    let planted = encode::movz(rd, 0x4321, 1);
    let faulty = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = (address - layout::ENTRY) as usize;
        if bytes[at..at + 4] == original.to_le_bytes() {
            bytes[at..at + 4].copy_from_slice(&planted.to_le_bytes());
        }
        model::emulator(&bytes)
    };
    let pair = Pair {
        reference: &model::emulator,
        tested: &faulty,
    };
    let difference = pair.difference(recipe).expect("a difference").to_string();
    assert!(
        difference.contains(&format!("block {block}: {address:#x} differs")),
        "{difference}"
    );
    assert!(
        difference.contains(&format!("x{rd}: ")) && difference.contains("here 0000000043210000"),
        "{difference}"
    );
}
