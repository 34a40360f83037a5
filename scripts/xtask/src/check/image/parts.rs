//! The parts of a linked image: sections, symbols and relocations, as a linker leaves them.

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
    /// Whether it is mapped executable.
    pub(super) executable: bool,
}

/// A named address. Mapping symbols are not among them.
#[derive(Clone, Debug)]
pub(super) struct Symbol {
    /// The name, demangled.
    pub(super) name: String,
    /// The linked address.
    pub(super) address: u64,
    /// The length in bytes; 0 for a label.
    pub(super) size: u64,
}

/// What lies in an executable section from here on (ELF for the Arm 64-bit Architecture, "Mapping
/// symbols": `$x` and `$d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A64 instructions.
    Code,
    /// Constants.
    Data,
}

/// What a relocation points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A function or an object, or a place in a section: symbol and addend.
    Address(u64),
    /// A symbol without a type and addend: where a region begins or ends, not what lies there.
    /// Linker scripts make such symbols, and assembly that has no `.type`.
    Boundary(u64),
    /// The value of an absolute symbol and addend, which no section holds.
    Number(u64),
}

/// A relocation that the linker has applied and kept (`--emit-relocs`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Relocation {
    /// The linked address of the word that it changed.
    pub(super) address: u64,
    /// Its type, an `R_AARCH64_*` number.
    pub(super) kind: RelocationType,
    /// What it points at.
    pub(super) target: Target,
}

/// The parts of a linked image.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Loaded sections.
    pub(super) sections: Vec<Section>,
    /// Symbols in them, and absolute ones.
    pub(super) symbols: Vec<Symbol>,
    /// Mapping symbols: an address and what begins there.
    pub(super) contents: Vec<(u64, Content)>,
    /// Relocations of loaded sections.
    pub(super) relocations: Vec<Relocation>,
}

impl Section {
    /// Its addresses.
    pub(super) fn range(&self) -> Range<u64> {
        self.address..self.address + self.size
    }
}
