//! The parts of a linked image: sections, symbols and relocations, as the linker writes them.

#![forbid(unsafe_code)]

use std::ops::Range;

use object::elf::RelocationType;

/// A section that is loaded.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// Its name, for example `.init`.
    pub(super) name: String,
    /// The address it is linked at.
    pub(super) address: u64,
    /// Its length in memory, in bytes.
    pub(super) size: u64,
    /// Its contents; empty for `.bss`.
    pub(super) bytes: Vec<u8>,
    /// Whether it is executable (SHF_EXECINSTR).
    pub(super) executable: bool,
}

/// A symbol: a named address. Mapping symbols are kept apart.
#[derive(Clone, Debug)]
pub(super) struct Symbol {
    /// The name, demangled.
    pub(super) name: String,
    /// The linked address.
    pub(super) address: u64,
    /// The length in bytes; 0 for a label.
    pub(super) size: u64,
}

/// The content of an executable section from a mapping symbol on (ELF for the Arm 64-bit
/// Architecture, "Mapping symbols": `$x` and `$d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A64 instructions.
    Code,
    /// Constants.
    Data,
}

/// The target of a relocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A function or an object, or a place in a section: symbol and addend.
    Address(u64),
    /// A symbol without a type and addend, as linker scripts and assembly without `.type` make
    /// them: the bound of a region, not the object that lies there.
    Boundary(u64),
    /// The value of an absolute symbol and addend, which no section holds.
    Number(u64),
}

/// A relocation that the linker has applied and kept (`--emit-relocs`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Relocation {
    /// The linked address of the word that it changes.
    pub(super) address: u64,
    /// Its type, an `R_AARCH64_*` number.
    pub(super) kind: RelocationType,
    /// The symbol or place whose value the word gets.
    pub(super) target: Target,
}

/// The parts of a linked image.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Loaded sections.
    pub(super) sections: Vec<Section>,
    /// The symbols in these sections, and absolute ones.
    pub(super) symbols: Vec<Symbol>,
    /// The mapping symbols: an address and the content from there on.
    pub(super) contents: Vec<(u64, Content)>,
    /// Relocations of loaded sections.
    pub(super) relocations: Vec<Relocation>,
}

impl Section {
    /// The linked addresses of the section.
    pub(super) fn range(&self) -> Range<u64> {
        self.address..self.address + self.size
    }
}
