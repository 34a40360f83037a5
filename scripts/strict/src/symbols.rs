//! Names of addresses: functions from the ELF file's symbols, lines from its DWARF.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use thiserror::Error;

use crate::image::physical;

/// A file whose symbols cannot be read.
#[derive(Debug, Error)]
pub enum SymbolError {
    /// It is no ELF file.
    #[error("the file has no symbols: {0}")]
    Elf(#[from] object::Error),
}

/// A function, or a label in assembly code.
#[derive(Default)]
struct Function {
    /// Its bytes; 0 for a label.
    size: u64,
    /// The name as the file has it.
    mangled: String,
    /// The name as the source has it: few of a thousand are asked for.
    name: OnceLock<String>,
}

impl Function {
    fn name(&self) -> &str {
        self.name
            .get_or_init(|| format!("{:#}", rustc_demangle::demangle(&self.mangled)))
    }
}

/// The names of an image's addresses.
pub struct Symbols {
    /// Each function by its first address.
    functions: BTreeMap<u64, Function>,
    elf: Vec<u8>,
    /// The distance from a function's virtual to its physical address, for code that runs with the
    /// MMU off.
    segments: Vec<(u64, u64, u64)>,
}

impl Symbols {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(elf: Vec<u8>) -> Result<Self, SymbolError> {
        let file = object::read::elf::ElfFile64::<object::Endianness>::parse(&*elf)?;
        let segments = file.elf_program_headers().iter().map(|header| {
            let endian = file.endian();
            let virtual_address = header.p_vaddr.get(endian);
            let size = header.p_memsz.get(endian);
            (physical(header.p_paddr.get(endian)), virtual_address, size)
        });
        let segments = segments.collect();
        let named = file.symbols().filter(|symbol| {
            // Labels of assembly code have no type.
            let is_code = match symbol.kind() {
                SymbolKind::Text | SymbolKind::Label => true,
                SymbolKind::Unknown => symbol
                    .section_index()
                    .and_then(|index| file.section_by_index(index).ok())
                    .is_some_and(|section| section.kind() == SectionKind::Text),
                _ => false,
            };
            is_code && symbol.is_definition()
        });
        let mut functions = BTreeMap::new();
        for symbol in named {
            let name = symbol.name().unwrap_or_default();
            // `$x` and `$d` tell code from data and name nothing.
            if name.is_empty() || name.starts_with('$') {
                continue;
            }
            let entry = functions.entry(symbol.address());
            let known: &mut Function = entry.or_default();
            if symbol.size() >= known.size {
                *known = Function {
                    size: symbol.size(),
                    mangled: name.to_owned(),
                    name: OnceLock::new(),
                };
            }
        }
        drop_inner_labels(&mut functions);
        Ok(Self {
            functions,
            segments,
            elf,
        })
    }

    /// The virtual address that the image was linked for, of a physical or a virtual one.
    fn linked(&self, address: u64) -> u64 {
        let in_segment = self
            .segments
            .iter()
            .find(|(physical, _, size)| address.wrapping_sub(*physical) < *size);
        match in_segment {
            Some((physical, linked, _)) => linked + (address - physical),
            None => address,
        }
    }

    /// The physical addresses of each function's first instruction and end, and its name, in the
    /// order of addresses. A label without a size counts as a function: it ends at the next one.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (u64, u64, &str)> {
        let firsts = self.functions.keys().copied();
        let nexts = firsts.skip(1).chain([u64::MAX]);
        let pairs = self.functions.iter().zip(nexts);
        pairs.filter_map(|((first, function), next)| {
            let end = match function.size {
                0 => next,
                size => next.min(first + size),
            };
            let (physical, linked, length) = self
                .segments
                .iter()
                .find(|(_, linked, length)| first.wrapping_sub(*linked) < *length)?;
            let end = end.min(linked + length);
            Some((
                physical + (first - linked),
                physical + (end - linked),
                function.name(),
            ))
        })
    }

    /// The function that an address lies in, and the distance from its first instruction.
    #[must_use]
    pub fn function(&self, address: u64) -> Option<(&str, u64)> {
        let address = self.linked(address);
        let (first, function) = self.functions.range(..=address).next_back()?;
        let distance = address - first;
        (distance < function.size.max(4096)).then(|| (function.name(), distance))
    }

    /// The source file and line of an address.
    #[must_use]
    pub fn line(&self, address: u64) -> Option<(String, u32)> {
        let file = object::read::elf::ElfFile64::<object::Endianness>::parse(&*self.elf).ok()?;
        let section = |id: SectionId| {
            let data = file
                .section_by_name(id.name())
                .and_then(|section| section.data().ok());
            Ok::<_, ()>(EndianSlice::new(data.unwrap_or(&[]), LittleEndian))
        };
        let context = Context::from_dwarf(Dwarf::load(section).ok()?).ok()?;
        let location = context.find_location(self.linked(address)).ok()??;
        Some((location.file?.to_owned(), location.line?))
    }

    /// An address with its function: `0x80a14 (boot_core + 0x14)`.
    #[must_use]
    pub fn place(&self, address: u64) -> String {
        match self.function(address) {
            Some((name, 0)) => format!("{address:#x} ({name})"),
            Some((name, distance)) => format!("{address:#x} ({name} + {distance:#x})"),
            None => format!("{address:#x}"),
        }
    }
}

/// Takes away the labels within functions whose size is known: they are places, not functions.
fn drop_inner_labels(functions: &mut BTreeMap<u64, Function>) {
    let mut end = 0;
    functions.retain(|&address, function| {
        let is_inner = function.size == 0 && address < end;
        end = end.max(address.saturating_add(function.size));
        !is_inner
    });
}

#[cfg(test)]
mod tests {
    use super::{Function, drop_inner_labels};

    #[test]
    fn a_label_names_code_that_no_function_has() {
        let symbols = [
            (0x100, 0x40, "f"),
            (0x110, 0, "inner"),
            (0x140, 0, "g"),
            (0x150, 0x10, "h"),
        ];
        let mut functions = symbols
            .map(|(address, size, name)| {
                let function = Function {
                    size,
                    mangled: name.to_owned(),
                    ..Function::default()
                };
                (address, function)
            })
            .into();
        drop_inner_labels(&mut functions);
        let names: Vec<_> = functions.values().map(Function::name).collect();
        assert_eq!(names, ["f", "g", "h"]);
    }
}
