//! Images that are wrong: each ends with an error or an outcome, none with a panic.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use object::write::{Object as Writer, StandardSection, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};
use strict::{Entry, Image, ImageError, Limits, Machine, Options, Outcome, Symbols};

/// The instructions of one run.
const MOST: u64 = 20_000;

fn run(image: &Image, entry: Entry, seed: u64) -> Outcome {
    let mut machine = Machine::new(image, &Options::seeded(entry, seed));
    let limits = Limits {
        instructions: MOST,
        ..Limits::default()
    };
    machine.run(&limits)
}

fn raw(words: &[u32]) -> Image {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Image::read(&bytes).expect("raw bytes are an image")
}

/// A generator of words: multiplication by an odd constant, and the high half.
struct Words(u64);

impl Iterator for Words {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        Some((self.0 >> 32) as u32)
    }
}

#[test]
fn no_random_image_is_a_panic() {
    for seed in 0..5_000_u64 {
        let words: Vec<u32> = Words(seed).take(1 + seed as usize % 4096).collect();
        let image = raw(&words);
        let entry = Entry::ALL[seed as usize % Entry::ALL.len()];
        let ended = catch_unwind(AssertUnwindSafe(|| run(&image, entry, seed)));
        assert!(ended.is_ok(), "random image {seed} by {}", entry.name());
    }
}

/// A small object of AArch64 with one function.
fn object() -> Vec<u8> {
    let mut writer = Writer::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
    let text = writer.section_id(StandardSection::Text);
    writer.append_section_data(text, &[0x1f, 0x20, 0x03, 0xd5], 4);
    writer.add_symbol(Symbol {
        name: b"f".to_vec(),
        value: 0,
        size: 4,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(text),
        flags: SymbolFlags::None,
    });
    writer.write().expect("a small object")
}

#[test]
fn no_damaged_elf_file_is_a_panic() {
    let whole = object();
    let mut random = Words(1);
    let mut next = move || random.next().unwrap_or_default() as usize;
    for round in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 8 {
            let place = next() % bytes.len();
            // The magic number stays: other files are raw images.
            bytes[place.max(4)] = next() as u8;
        }
        bytes.truncate(bytes.len() - next() % 64);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let Ok(image) = Image::read(&bytes) {
                run(&image, Entry::Firmware, 0);
            }
            if let Ok(symbols) = Symbols::read(bytes) {
                drop((symbols.place(0), symbols.line(0)));
            }
        }));
        assert!(ended.is_ok(), "round {round}");
    }
}

#[test]
fn what_is_no_image_is_told() {
    assert!(matches!(Image::read(&[]), Err(ImageError::Empty)));
    assert!(matches!(Image::read(b"\x7fELF"), Err(ImageError::Elf(_))));
    // An object file has no program to load.
    assert!(matches!(Image::read(&object()), Err(ImageError::Entry(_))));
}

#[test]
fn an_endless_loop_and_a_sleep_without_end_are_outcomes() {
    let branch_to_itself = raw(&[0x1400_0000]);
    let outcome = run(&branch_to_itself, Entry::Firmware, 0);
    assert!(matches!(outcome, Outcome::Exhausted), "{outcome:?}");
    // wfi; b .-4: interrupts are masked, and no device raises one.
    let sleep = raw(&[0xd503_207f, 0x17ff_ffff]);
    let outcome = run(&sleep, Entry::Firmware, 0);
    assert!(matches!(outcome, Outcome::Asleep), "{outcome:?}");
}

#[test]
fn an_instruction_that_is_not_modelled_is_named() {
    // fmov d0, #1.0: at EL2 nothing traps it.
    let outcome = run(&raw(&[0x1e6e_1000]), Entry::Qemu, 0);
    let Outcome::Stopped(stop) = outcome else {
        panic!("it runs: {outcome:?}");
    };
    assert!(stop.to_string().contains("is not modelled"), "{stop}");
}
