//! A linked image in the form in which the checks use it, with the lookups that they need.
//!
//! The ELF reader builds it from a file, the tests from a few words; the checks have no other
//! input.

#![forbid(unsafe_code)]

use std::ops::Range;

use super::parts::{Content, Parts, Relocation, Section, Symbol, Target};
use a64::{Instruction, decode};

/// The range of an executable section that belongs to one symbol: from it to the next symbol that
/// does not lie inside it, so that literal pools and padding behind a function belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// The name of its symbol, or of the section for words before the first symbol.
    pub(super) name: String,
    /// Its addresses.
    pub(super) range: Range<u64>,
}

/// A linked image.
///
/// # Invariants
///
/// `symbols`, `contents` and `relocations` are sorted by address, and `functions` cover every
/// executable section without a gap, in order.
#[derive(Debug)]
pub(super) struct Program {
    parts: Parts,
    functions: Vec<Function>,
}

impl Program {
    /// Sorts the parts and finds the functions.
    pub(super) fn new(mut parts: Parts) -> Self {
        parts.sections.sort_by_key(|section| section.address);
        // Of two symbols at one address the longer comes first, so that it covers the labels
        // inside.
        parts
            .symbols
            .sort_by_key(|symbol| (symbol.address, u64::MAX - symbol.size));
        parts.contents.sort_by_key(|&(address, _)| address);
        parts
            .relocations
            .sort_by_key(|relocation| relocation.address);
        let code = parts.sections.iter().filter(|section| section.executable);
        let functions = code
            .flat_map(|section| functions_of(section, &parts.symbols))
            .collect();
        Self { parts, functions }
    }

    /// The executable sections.
    pub(super) fn executable_sections(&self) -> impl Iterator<Item = &Section> {
        self.parts
            .sections
            .iter()
            .filter(|section| section.executable)
    }

    /// The section of that name.
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.parts
            .sections
            .iter()
            .find(|section| section.name == name)
    }

    /// The section that holds `address`.
    pub(super) fn section_at(&self, address: u64) -> Option<&Section> {
        self.parts
            .sections
            .iter()
            .find(|section| section.range().contains(&address))
    }

    /// All symbols, by address.
    pub(super) fn symbols(&self) -> &[Symbol] {
        &self.parts.symbols
    }

    /// The address of the symbol of that name.
    pub(super) fn address_of(&self, name: &str) -> Option<u64> {
        self.parts
            .symbols
            .iter()
            .find(|symbol| symbol.name == name)
            .map(|symbol| symbol.address)
    }

    /// Whether the label `name` is the last symbol at or before `address`.
    pub(super) fn stands_under(&self, name: &str, address: u64) -> bool {
        let symbols = &self.parts.symbols;
        let after = symbols.partition_point(|symbol| symbol.address <= address);
        let last = symbols[..after].last().map(|symbol| symbol.address);
        last.is_some() && last == self.address_of(name)
    }

    /// All functions, by address.
    pub(super) fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function that holds `address`.
    pub(super) fn function_at(&self, address: u64) -> Option<&Function> {
        let after = self
            .functions
            .partition_point(|function| function.range.start <= address);
        self.functions[..after]
            .last()
            .filter(|function| function.range.contains(&address))
    }

    /// The relocations of the words in `range`.
    pub(super) fn relocations_in(&self, range: &Range<u64>) -> &[Relocation] {
        let relocations = &self.parts.relocations;
        let start = relocations.partition_point(|relocation| relocation.address < range.start);
        let end = relocations.partition_point(|relocation| relocation.address < range.end);
        &relocations[start..end.max(start)]
    }

    /// The instructions in `range`, without constants and without the zeros that pad sections.
    pub(super) fn instructions(
        &self,
        range: &Range<u64>,
    ) -> impl Iterator<Item = (u64, Instruction)> {
        let start = range.start.next_multiple_of(4);
        (start..range.end).step_by(4).filter_map(|address| {
            let word = u32::from_le_bytes(self.bytes_at(address)?);
            (word != 0 && self.is_code(address)).then_some((address, decode(word)))
        })
    }

    /// The instruction at `address`.
    pub(super) fn instruction(&self, address: u64) -> Option<Instruction> {
        self.instructions(&(address..address + 4))
            .next()
            .map(|(_, instruction)| instruction)
    }

    /// `N` bytes at a linked address.
    pub(super) fn bytes_at<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let section = self.section_at(address)?;
        let offset = usize::try_from(address - section.address).ok()?;
        section.bytes.get(offset..)?.first_chunk().copied()
    }

    /// Whether the word at `address` is an instruction: the last mapping symbol before it in its
    /// executable section is no `$d`.
    fn is_code(&self, address: u64) -> bool {
        let Some(section) = self
            .section_at(address)
            .filter(|section| section.executable)
        else {
            return false;
        };
        let after = self
            .parts
            .contents
            .partition_point(|&(start, _)| start <= address);
        match self.parts.contents[..after].last() {
            Some(&(start, content)) if start >= section.address => content == Content::Code,
            _ => true,
        }
    }

    /// The data object that contains `address`: the range of the symbol that covers it or, for
    /// constants without a symbol, up to the next symbol or target of a relocation.
    pub(super) fn object_at(&self, address: u64) -> Option<Range<u64>> {
        let section = self.section_at(address)?.range();
        let symbols = self
            .parts
            .symbols
            .iter()
            .map(|symbol| symbol.address..symbol.address + symbol.size);
        let covering = symbols.clone().find(|range| range.contains(&address));
        covering.or_else(|| {
            let targets =
                self.parts
                    .relocations
                    .iter()
                    .filter_map(|relocation| match relocation.target {
                        Target::Address(target) => Some(target),
                        Target::Boundary(_) | Target::Number(_) => None,
                    });
            let starts = symbols.map(|range| range.start).chain(targets);
            let end = starts
                .filter(|start| *start > address)
                .min()
                .unwrap_or(section.end);
            Some(address..end.min(section.end))
        })
    }

    /// `address` as text: `symbol+0x10 (0xffff000000080010)`.
    pub(super) fn describe(&self, address: u64) -> String {
        let symbols = &self.parts.symbols;
        let after = symbols.partition_point(|symbol| symbol.address <= address);
        let covering = symbols[..after]
            .iter()
            .rfind(|symbol| address < symbol.address + symbol.size);
        let function = self
            .function_at(address)
            .map(|function| (&function.name, function.range.start));
        match covering
            .map(|symbol| (&symbol.name, symbol.address))
            .or(function)
        {
            Some((name, start)) => format!("{name}+{:#x} ({address:#018x})", address - start),
            None => format!("{address:#018x}"),
        }
    }
}

/// Cuts an executable section at its symbols; `symbols` are sorted by address.
fn functions_of(section: &Section, symbols: &[Symbol]) -> Vec<Function> {
    let range = section.range();
    let mut starts: Vec<(u64, &str)> = vec![(range.start, &section.name)];
    let mut covered = range.start;
    for symbol in symbols
        .iter()
        .filter(|symbol| range.contains(&symbol.address))
    {
        if symbol.address == range.start && starts[0].1 == section.name {
            starts[0].1 = &symbol.name;
        } else if symbol.address >= covered
            && starts.last().is_some_and(|last| last.0 < symbol.address)
        {
            starts.push((symbol.address, &symbol.name));
        } else {
            continue;
        }
        covered = covered.max(symbol.address + symbol.size);
    }
    let ends = starts
        .iter()
        .skip(1)
        .map(|&(start, _)| start)
        .chain([range.end]);
    let pieces = starts.iter().zip(ends);
    pieces
        .map(|(&(start, name), end)| Function {
            name: name.to_owned(),
            range: start..end,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use object::elf::R_AARCH64_ADD_ABS_LO12_NC;

    use super::super::sample::{INIT, RET, RODATA, Sample, TEXT};
    use super::{Content, Target};

    const NOP: u32 = 0xd503_201f;

    #[test]
    fn functions_cover_their_section_without_a_gap() {
        let program = Sample::default()
            .section(".init", INIT, &[NOP; 6])
            .section(".text", TEXT, &[NOP; 4])
            .symbol("outer", INIT + 4, 3)
            .symbol("label_inside", INIT + 8, 0)
            .symbol("label_after", INIT + 20, 0)
            .symbol("first", TEXT, 0)
            .build();
        let functions = program.functions().iter();
        let found: Vec<_> = functions
            .map(|f| (f.name.as_str(), f.range.clone()))
            .collect();
        let expected = [
            (".init", INIT..INIT + 4),
            ("outer", INIT + 4..INIT + 20),
            ("label_after", INIT + 20..INIT + 24),
            ("first", TEXT..TEXT + 16),
        ];
        assert_eq!(found, expected);
        let name_at = |address| {
            program
                .function_at(address)
                .map(|function| function.name.as_str())
        };
        assert_eq!(name_at(INIT + 12), Some("outer"));
        assert_eq!(name_at(INIT + 24), None);
    }

    #[test]
    fn constants_and_padding_are_no_instructions() {
        let program = Sample::default()
            .section(".init", INIT, &[NOP, RET, 0x1234_5678, NOP, 0])
            .section(".text", TEXT, &[NOP])
            .content(INIT, Content::Code)
            .content(INIT + 8, Content::Data)
            .content(INIT + 12, Content::Code)
            .content(INIT + 16, Content::Data)
            .build();
        let code = program.instructions(&(INIT..INIT + 20));
        let addresses: Vec<_> = code.map(|(address, _)| address).collect();
        assert_eq!(addresses, [INIT, INIT + 4, INIT + 12]);
        assert!(
            program.instruction(TEXT).is_some(),
            "a mapping symbol ends with its section"
        );
    }

    #[test]
    fn an_object_without_a_symbol_ends_where_the_next_is_pointed_at() {
        let target = Target::Address(RODATA + 24);
        let program = Sample::default()
            .section(".rodata", RODATA, &[0; 16])
            .symbol("table", RODATA, 4)
            .relocation(TEXT, R_AARCH64_ADD_ABS_LO12_NC, target)
            .build();
        assert_eq!(program.object_at(RODATA + 8), Some(RODATA..RODATA + 16));
        assert_eq!(
            program.object_at(RODATA + 16),
            Some(RODATA + 16..RODATA + 24)
        );
        assert_eq!(
            program.object_at(RODATA + 24),
            Some(RODATA + 24..RODATA + 64)
        );
        assert_eq!(program.object_at(RODATA + 64), None);
    }

    #[test]
    fn a_place_is_told_by_its_symbol_and_its_address() {
        let program = Sample::default()
            .section(".text", TEXT, &[NOP; 4])
            .symbol("first", TEXT, 2)
            .build();
        assert_eq!(program.describe(TEXT + 4), "first+0x4 (0xffff000000081004)");
        assert!(program.stands_under("first", TEXT + 12));
        assert!(!program.stands_under("first", TEXT - 4));
        assert!(!program.stands_under("second", TEXT));
        assert_eq!(program.describe(RODATA), "0xffff000000090000");
    }
}
