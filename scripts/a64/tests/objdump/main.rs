//! The decoder against llvm-objdump: on every word of the linked image, and on words of every
//! class.
//!
//! Class and operands are compared as text, in one canonical form (`canonical`). Words that are not
//! allocated in Armv8.0 are compared on the image alone: on others no disassembler is an oracle for
//! allocation.
#![forbid(unsafe_code)]

mod canonical;
mod disassembler;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use a64::{Instruction, decode};
use disassembler::{Line, disassemble};
use object::{Object, ObjectSection, SectionKind};

/// The top of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The outcome of a comparison: the words of a file, by agreement of decoder and llvm-objdump.
#[derive(Debug, Default)]
struct Tally {
    /// The number of words on which both agree, by class.
    same: BTreeMap<&'static str, usize>,
    /// Words that the decoder does not model ([`Instruction::Vector`], [`Instruction::Later`],
    /// [`Instruction::Unallocated`]) and llvm-objdump knows, with its text.
    not_modelled: Vec<String>,
    /// The number of words that neither knows.
    unknown: usize,
    /// The bytes of constants in the code.
    data: usize,
    /// Words on which they differ, with both texts.
    different: Vec<String>,
}

fn kind(instruction: Instruction) -> Option<&'static str> {
    match instruction {
        Instruction::Data(_) => Some("data processing"),
        Instruction::Branch(_) => Some("branches"),
        Instruction::Exception(_) => Some("exceptions"),
        Instruction::System(_) => Some("system"),
        Instruction::Access(_) => Some("loads and stores"),
        Instruction::Undefined(_) => Some("udf"),
        Instruction::Vector(_) | Instruction::Later(_) | Instruction::Unallocated(_) => None,
    }
}

fn compare(lines: &[Line]) -> Tally {
    let mut tally = Tally::default();
    for line in lines {
        let ours = decode(line.word);
        match (kind(ours), &line.text) {
            (_, None) if line.is_data => tally.data += line.length,
            (None, None) => tally.unknown += 1,
            (None, Some(theirs)) => tally
                .not_modelled
                .push(format!("{:08x} {theirs}", line.word)),
            (Some(kind), theirs) => {
                let theirs = theirs.as_deref().unwrap_or("unknown");
                let (left, right) = (
                    canonical::ours(ours, line.address),
                    canonical::theirs(theirs, line.address),
                );
                if left == right {
                    *tally.same.entry(kind).or_default() += 1;
                } else {
                    tally
                        .different
                        .push(format!("{:08x}: {left} | {right} ({theirs})", line.word));
                }
            }
        }
    }
    tally
}

impl Tally {
    /// All words and constants, in bytes.
    fn bytes(&self) -> usize {
        let same: usize = self.same.values().sum();
        let words = same + self.not_modelled.len() + self.unknown + self.different.len();
        words * 4 + self.data
    }
}

/// The size of an ELF file's code sections in bytes.
fn code_bytes(elf: &Path) -> u64 {
    let file = fs::read(elf).expect("the file");
    let file = object::File::parse(&*file).expect("an ELF file");
    let code = file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text);
    code.map(|section| section.size()).sum()
}

#[track_caller]
fn assert_same(tally: &Tally) {
    println!("{tally:#?}");
    let shown = &tally.different[..tally.different.len().min(40)];
    assert!(
        tally.different.is_empty(),
        "{} words differ (ours | theirs):\n{}",
        tally.different.len(),
        shown.join("\n")
    );
}

#[test]
fn every_word_of_the_image_is_what_llvm_objdump_says() {
    let elf = root().join("kernel8.elf");
    assert!(
        elf.exists(),
        "kernel8.elf is not there: `make image` builds it"
    );
    let tally = compare(&disassemble(&elf));
    assert_same(&tally);
    // The kernel is built for Armv8.0 without SIMD: the decoder models every word of it.
    assert!(tally.not_modelled.is_empty());
    assert_eq!(tally.bytes() as u64, code_bytes(&elf), "all are shown");
    assert!(tally.same["data processing"] > 10_000, "this is no kernel");
}

#[test]
fn words_of_every_class_are_what_llvm_objdump_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("words.elf");
    fs::write(&path, words::object_of(&words::words())).expect("its own file");
    let tally = compare(&disassemble(&path));
    assert_same(&tally);
    for kind in ["data processing", "branches", "system", "loads and stores"] {
        assert!(tally.same[kind] > 400, "{kind}: {:?}", tally.same);
    }
}
