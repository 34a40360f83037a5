//! Writes flattened device trees, right ones and wrong ones. For tests.

#![forbid(unsafe_code)]

use std::vec::Vec;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// A tree in the making: calls nest as the nodes do.
#[derive(Clone, Default)]
pub(super) struct Writer {
    reservations: Vec<u8>,
    structure: Vec<u8>,
    strings: Vec<u8>,
    /// Version and last compatible one, if not 17 and 16.
    version: Option<[usize; 2]>,
}

impl Writer {
    /// A tree with its root opened.
    pub(super) fn new() -> Self {
        Self::default().node("")
    }

    /// Makes it of this version. Before 17, a header does not have the structure's size.
    pub(super) fn version(mut self, version: usize, last_compatible: usize) -> Self {
        self.version = Some([version, last_compatible]);
        self
    }

    /// Adds to the reservation block.
    pub(super) fn reserve(mut self, base: u64, size: u64) -> Self {
        self.reservations.extend(base.to_be_bytes());
        self.reservations.extend(size.to_be_bytes());
        self
    }

    /// Opens a node.
    pub(super) fn node(mut self, name: &str) -> Self {
        self.word(BEGIN_NODE);
        self.structure.extend(name.as_bytes());
        self.structure.push(0);
        self.pad()
    }

    /// Adds a property to the open node.
    pub(super) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        let name_at = self.string(name);
        self.word(PROP);
        self.word(value.len() as u32);
        self.word(name_at);
        self.structure.extend(value);
        self.pad()
    }

    /// Adds a property of 32-bit cells.
    pub(super) fn cells(self, name: &str, cells: &[u32]) -> Self {
        let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
        self.bytes(name, &bytes)
    }

    /// Adds a string, with its NUL.
    pub(super) fn string_property(self, name: &str, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(name, &bytes)
    }

    /// Adds a token that means nothing.
    pub(super) fn nop(mut self) -> Self {
        self.word(NOP);
        self
    }

    /// Closes the open node.
    pub(super) fn end(mut self) -> Self {
        self.word(END_NODE);
        self
    }

    /// Closes the root and gives the tree.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.word(END_NODE);
        self.word(END);
        let [version, last_compatible] = self.version.unwrap_or([17, 16]);
        let reservations_at = 40;
        let structure_at = reservations_at + self.reservations.len() + 16;
        let strings_at = structure_at + self.structure.len();
        let total = strings_at + self.strings.len();
        let header = [
            0xd00d_feed,
            total,
            structure_at,
            strings_at,
            reservations_at,
            version,
            last_compatible,
            0,
            self.strings.len(),
            // Behind the header of version 16 anything may stand.
            if version < 17 {
                0x5a5a
            } else {
                self.structure.len()
            },
        ];
        let mut tree: Vec<u8> = header
            .iter()
            .flat_map(|word| (*word as u32).to_be_bytes())
            .collect();
        tree.extend(self.reservations);
        tree.extend([0; 16]);
        tree.extend(self.structure);
        tree.extend(self.strings);
        tree
    }

    fn word(&mut self, word: u32) {
        self.structure.extend(word.to_be_bytes());
    }

    fn pad(mut self) -> Self {
        self.structure
            .resize(self.structure.len().next_multiple_of(4), 0);
        self
    }

    /// Where `name` is among the strings, to which it is added if need be.
    fn string(&mut self, name: &str) -> u32 {
        let mut wanted = name.as_bytes().to_vec();
        wanted.push(0);
        let found = self
            .strings
            .windows(wanted.len())
            .position(|window| window == wanted);
        let at = found.unwrap_or_else(|| {
            self.strings.extend(&wanted);
            self.strings.len() - wanted.len()
        });
        at as u32
    }
}
