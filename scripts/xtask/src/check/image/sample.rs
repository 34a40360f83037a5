//! Small images for tests: words, symbols and relocations at chosen addresses.

#![forbid(unsafe_code)]

use object::elf::RelocationType;

use super::parts::{Content, Parts, Relocation, Section, Symbol, Target};
use super::program::Program;

/// The address of `.init` in the samples.
pub(super) const INIT: u64 = 0xffff_0000_0008_0000;
/// The address of `.text` in the samples.
pub(super) const TEXT: u64 = 0xffff_0000_0008_1000;
/// The address of `.rodata` in the samples.
pub(super) const RODATA: u64 = 0xffff_0000_0009_0000;

/// RET.
pub(super) const RET: u32 = 0xd65f_03c0;

/// A sample image under construction.
#[derive(Default)]
pub(super) struct Sample {
    parts: Parts,
}

impl Sample {
    /// Adds a section that holds these words.
    pub(super) fn section(mut self, name: &str, address: u64, words: &[u32]) -> Self {
        self.parts.sections.push(Section {
            name: name.into(),
            address,
            size: words.len() as u64 * 4,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
            executable: name != ".rodata",
        });
        self
    }

    /// Adds a symbol of `words` words; 0 makes a label.
    pub(super) fn symbol(mut self, name: &str, address: u64, words: u64) -> Self {
        self.parts.symbols.push(Symbol {
            name: name.into(),
            address,
            size: words * 4,
        });
        self
    }

    /// Adds a relocation.
    pub(super) fn relocation(mut self, address: u64, kind: RelocationType, target: Target) -> Self {
        self.parts.relocations.push(Relocation {
            address,
            kind,
            target,
        });
        self
    }

    /// Adds a mapping symbol: the words from `address` on are code or data.
    pub(super) fn content(mut self, address: u64, content: Content) -> Self {
        self.parts.contents.push((address, content));
        self
    }

    /// The finished image.
    pub(super) fn build(self) -> Program {
        Program::new(self.parts)
    }
}
