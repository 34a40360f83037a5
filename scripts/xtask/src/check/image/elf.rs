//! Reads a linked ELF file into a [`Program`].
//!
//! The file must have the contents that the checks rely on: little-endian AArch64 code, a symbol
//! table, and the relocations that `--emit-relocs` keeps. ELF for the Arm 64-bit Architecture (IHI
//! 0056) lists the relocation numbers.

#![forbid(unsafe_code)]

use object::LittleEndian;
use object::elf::{
    EM_AARCH64, FileHeader64, SHF_ALLOC, SHF_EXECINSTR, SHN_ABS, SHT_RELA, SHT_SYMTAB, STT_FILE,
    STT_NOTYPE, STT_SECTION,
};
use object::read::SectionIndex;
use object::read::elf::{FileHeader, Rela, SectionHeader, SectionTable, Sym, SymbolTable};
use rustc_demangle::demangle;
use thiserror::Error;

use super::parts::{Content, Parts, Relocation, Section, Symbol, Target};
use super::program::Program;

type Header = FileHeader64<LittleEndian>;

const ENDIAN: LittleEndian = LittleEndian;

/// Reasons why a file cannot be checked.
#[derive(Debug, Error)]
pub(crate) enum ElfError {
    #[error("not a readable ELF file: {0}")]
    Malformed(#[from] object::Error),
    #[error("its e_machine is {0}, expected 183, little-endian AArch64")]
    Machine(u16),
    #[error("no symbol table: link without --strip-all")]
    NoSymbols,
    #[error("no relocations: link with --emit-relocs")]
    NoRelocations,
}

/// Reads the image in `file`.
///
/// # Errors
///
/// When the file is no AArch64 ELF file, or lacks symbols or relocations.
pub(in crate::check) fn read(file: &[u8]) -> Result<Program, ElfError> {
    let parts = read_parts(file)?;
    if parts.symbols.is_empty() {
        return Err(ElfError::NoSymbols);
    }
    if parts.relocations.is_empty() {
        return Err(ElfError::NoRelocations);
    }
    Ok(Program::new(parts))
}

fn read_parts(file: &[u8]) -> Result<Parts, ElfError> {
    let header = Header::parse(file)?;
    let machine = header.e_machine(ENDIAN);
    if machine != EM_AARCH64 || !header.is_little_endian() {
        return Err(ElfError::Machine(machine.0));
    }
    let table = header.sections(ENDIAN, file)?;
    let symbols = table.symbols(ENDIAN, file, SHT_SYMTAB)?;
    let mut parts = Parts {
        sections: sections(&table, file)?,
        ..Parts::default()
    };
    read_symbols(&symbols, &mut parts)?;
    for header in table
        .iter()
        .filter(|header| header.sh_type(ENDIAN) == SHT_RELA)
    {
        let index = SectionIndex(header.sh_info(ENDIAN) as usize);
        if index.0 != 0 && is_loaded(table.section(index)?) {
            read_relocations(header, file, &symbols, &mut parts)?;
        }
    }
    Ok(parts)
}

fn is_loaded(header: &<Header as FileHeader>::SectionHeader) -> bool {
    header.sh_flags(ENDIAN).contains(SHF_ALLOC)
}

fn sections(table: &SectionTable<'_, Header>, file: &[u8]) -> Result<Vec<Section>, ElfError> {
    let loaded = table.iter().filter(|header| is_loaded(header));
    loaded
        .map(|header| {
            Ok(Section {
                name: String::from_utf8_lossy(table.section_name(ENDIAN, header)?).into_owned(),
                address: header.sh_addr(ENDIAN),
                size: header.sh_size(ENDIAN),
                bytes: header.data(ENDIAN, file)?.to_vec(),
                executable: header.sh_flags(ENDIAN).contains(SHF_EXECINSTR),
            })
        })
        .collect()
}

/// Sorts the symbols into mapping symbols (`$x`, `$d`, with or without a suffix) and all others.
fn read_symbols(symbols: &SymbolTable<'_, Header>, parts: &mut Parts) -> Result<(), ElfError> {
    for symbol in symbols.iter() {
        let kind = symbol.st_type();
        let name = String::from_utf8_lossy(symbol.name(ENDIAN, symbols.strings())?);
        if kind == STT_FILE || kind == STT_SECTION || name.is_empty() {
            continue;
        }
        let address = symbol.st_value(ENDIAN);
        match name.split('.').next() {
            Some("$x") => parts.contents.push((address, Content::Code)),
            Some("$d") => parts.contents.push((address, Content::Data)),
            _ => {
                let name = format!("{:#}", demangle(&name));
                parts.symbols.push(Symbol {
                    name,
                    address,
                    size: symbol.st_size(ENDIAN),
                });
            }
        }
    }
    Ok(())
}

fn read_relocations(
    header: &<Header as FileHeader>::SectionHeader,
    file: &[u8],
    symbols: &SymbolTable<'_, Header>,
    parts: &mut Parts,
) -> Result<(), ElfError> {
    let Some((entries, _)) = header.rela(ENDIAN, file)? else {
        return Ok(());
    };
    for entry in entries {
        let Some(index) = entry.symbol(ENDIAN, false) else {
            continue;
        };
        let symbol = symbols.symbol(index)?;
        let value = symbol
            .st_value(ENDIAN)
            .wrapping_add_signed(entry.r_addend(ENDIAN));
        let target = match (symbol.st_shndx(ENDIAN), symbol.st_type()) {
            (SHN_ABS, _) => Target::Number(value),
            (_, STT_NOTYPE) => Target::Boundary(value),
            _ => Target::Address(value),
        };
        let (address, kind) = (entry.r_offset(ENDIAN), entry.r_type(ENDIAN, false));
        parts.relocations.push(Relocation {
            address,
            kind,
            target,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use object::elf::R_AARCH64_ABS64;
    use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
    use object::{
        Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags,
        SymbolKind, SymbolScope,
    };

    use super::{Content, ElfError, Target, read, read_parts};

    /// An object file with eight bytes of text and a section that is not loaded.
    struct File {
        object: Object<'static>,
        text: SectionId,
        debug: SectionId,
    }

    impl File {
        fn new(architecture: Architecture) -> Self {
            let mut object = Object::new(BinaryFormat::Elf, architecture, Endianness::Little);
            let text = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
            object.append_section_data(text, &[1, 2, 3, 4, 5, 6, 7, 8], 4);
            let debug = object.add_section(Vec::new(), b".debug_x".to_vec(), SectionKind::Debug);
            Self {
                object,
                text,
                debug,
            }
        }

        fn symbol(&mut self, name: &str, kind: SymbolKind, section: SymbolSection) -> SymbolId {
            self.object.add_symbol(Symbol {
                name: name.into(),
                value: 4,
                size: 4,
                kind,
                scope: SymbolScope::Linkage,
                weak: false,
                section,
                flags: SymbolFlags::None,
            })
        }

        fn relocation(&mut self, section: SectionId, offset: u64, symbol: SymbolId) {
            let flags = RelocationFlags::Elf {
                r_type: R_AARCH64_ABS64,
            };
            let relocation = Relocation {
                offset,
                symbol,
                addend: 2,
                flags,
            };
            self.object
                .add_relocation(section, relocation)
                .expect("a valid relocation");
        }

        fn in_text(&self) -> SymbolSection {
            SymbolSection::Section(self.text)
        }

        fn bytes(&self) -> Vec<u8> {
            self.object.write().expect("a valid object")
        }
    }

    #[test]
    fn sections_symbols_and_relocations_are_read() {
        let mut file = File::new(Architecture::Aarch64);
        let function = file.symbol(
            "_ZN4core3fmt5write17h0123456789abcdefE",
            SymbolKind::Text,
            file.in_text(),
        );
        let label = file.symbol("__text_start", SymbolKind::Label, file.in_text());
        let number = file.symbol("__image_size", SymbolKind::Label, SymbolSection::Absolute);
        file.symbol("$d.7", SymbolKind::Label, file.in_text());
        for (offset, symbol) in [(0, function), (1, label), (2, number)] {
            file.relocation(file.text, offset, symbol);
        }
        file.relocation(file.debug, 0, function);
        let parts = read_parts(&file.bytes()).expect("a valid file");

        let sections: Vec<_> = parts
            .sections
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        assert_eq!(sections, [".text"], "only what is loaded");
        assert!(parts.sections[0].executable);
        assert_eq!(parts.sections[0].bytes, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(parts.contents, [(4, Content::Data)]);
        assert!(
            parts
                .symbols
                .iter()
                .any(|symbol| symbol.name == "core::fmt::write" && symbol.size == 4)
        );
        let targets: Vec<_> = parts
            .relocations
            .iter()
            .map(|found| (found.address, found.target))
            .collect();
        let expected = [
            (0, Target::Address(6)),
            (1, Target::Boundary(6)),
            (2, Target::Number(6)),
        ];
        assert_eq!(targets, expected, "none of the debug sections");
        assert!(
            parts
                .relocations
                .iter()
                .all(|found| found.kind == R_AARCH64_ABS64)
        );
    }

    #[test]
    fn files_that_cannot_be_checked_are_refused() {
        assert!(matches!(
            read(b"\x7fELF but no more"),
            Err(ElfError::Malformed(_))
        ));
        let other = File::new(Architecture::X86_64).bytes();
        assert!(matches!(read(&other), Err(ElfError::Machine(62))));
        let mut file = File::new(Architecture::Aarch64);
        assert!(matches!(read(&file.bytes()), Err(ElfError::NoSymbols)));
        file.symbol("f", SymbolKind::Text, file.in_text());
        assert!(matches!(read(&file.bytes()), Err(ElfError::NoRelocations)));
    }
}
