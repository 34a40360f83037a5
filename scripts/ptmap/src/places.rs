//! Names of addresses: the areas of a kernel's memory map, and the symbols of its image.

use object::{Object, ObjectSymbol, SymbolKind};

/// The longest name of a symbol that is kept; generic functions have longer ones.
const LONGEST_NAME: usize = 100;
/// The most symbols that are kept; the image has some 900.
const MOST_SYMBOLS: usize = 2000;

/// A range of the address space with one use: kernel text, linear map, stacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Area {
    /// The first virtual address.
    pub first: u64,
    /// The last virtual address.
    pub last: u64,
    /// Its use, in words.
    pub name: String,
    /// Whether the area is an identity map: a page in it has the area's name only if its virtual
    /// address equals its physical one. A page at such an address with another frame belongs to
    /// something else.
    pub identity: bool,
}

/// A symbol of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Symbol {
    /// The virtual address.
    pub va: u64,
    /// The size in bytes; 0 for a label.
    pub bytes: u64,
    /// The name, demangled.
    pub name: String,
}

/// The known areas and symbols of an address space.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Places {
    /// Areas that do not overlap, in the order of addresses.
    areas: Vec<Area>,
    /// Symbols in the order of addresses.
    symbols: Vec<Symbol>,
}

impl Places {
    /// Places with these areas, which do not overlap, and these symbols.
    #[must_use]
    pub fn new(mut areas: Vec<Area>, mut symbols: Vec<Symbol>) -> Self {
        areas.sort_by_key(|area| area.first);
        symbols.sort_by(|a, b| (a.va, &a.name).cmp(&(b.va, &b.name)));
        symbols.dedup();
        symbols.truncate(MOST_SYMBOLS);
        Self { areas, symbols }
    }

    /// The use of the page at `va`, which translates to `pa`; empty where no area is known.
    #[must_use]
    pub fn name_of(&self, va: u64, pa: u64) -> &str {
        let next = self.areas.partition_point(|area| area.first <= va);
        match next.checked_sub(1).map(|index| &self.areas[index]) {
            Some(area) if va <= area.last && (va == pa || !area.identity) => &area.name,
            _ => "",
        }
    }

    /// All symbols in the order of addresses.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }
}

/// The symbols of the ELF file `elf`: functions and variables with a size, and global labels.
///
/// # Errors
/// When `elf` is no ELF file.
pub fn symbols(elf: &[u8]) -> Result<Vec<Symbol>, object::Error> {
    let file = object::File::parse(elf)?;
    let mut found = Vec::new();
    for symbol in file.symbols() {
        let is_item = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data);
        let is_label = symbol.is_global() && symbol.section_index().is_some();
        if !(is_item && symbol.size() > 0 || is_label) {
            continue;
        }
        let name = String::from_utf8_lossy(symbol.name_bytes()?).into_owned();
        let name = format!("{:#}", rustc_demangle::demangle(&name));
        found.push(Symbol {
            va: symbol.address(),
            bytes: symbol.size(),
            name: name.chars().take(LONGEST_NAME).collect(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use object::write::{Object, Symbol as Written, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

    use super::{Area, Places, Symbol, symbols};

    #[test]
    fn an_address_has_the_name_of_the_area_around_it() {
        let area = |first, last, name: &str| Area {
            first,
            last,
            name: name.to_owned(),
            identity: name == "b",
        };
        let areas = vec![area(0x3000, 0x3fff, "b"), area(0x1000, 0x1fff, "a")];
        let places = Places::new(areas, Vec::new());
        for (va, name) in [
            (0xfff, ""),
            (0x1000, "a"),
            (0x1fff, "a"),
            (0x2000, ""),
            (0x3fff, "b"),
            (u64::MAX, ""),
        ] {
            assert_eq!(places.name_of(va, va), name, "{va:#x}");
        }
        assert_eq!(places.name_of(0x1000, 0x9000), "a");
        assert_eq!(places.name_of(0x3000, 0x9000), "");
    }

    #[test]
    fn symbols_are_demangled_and_labels_of_a_file_left_out() {
        let (format, endian) = (BinaryFormat::Elf, Endianness::Little);
        let mut file = Object::new(format, Architecture::Aarch64, endian);
        let section = file.section_id(object::write::StandardSection::Text);
        file.append_section_data(section, &[0; 64], 4);
        let mut add = |name: &str, value, size, kind, scope| {
            file.add_symbol(Written {
                name: name.as_bytes().to_vec(),
                value,
                size,
                kind,
                scope,
                weak: false,
                section: SymbolSection::Section(section),
                flags: SymbolFlags::None,
            });
        };
        add(
            "_ZN5stilt4boot17h0123456789abcdefE",
            8,
            4,
            SymbolKind::Text,
            SymbolScope::Compilation,
        );
        add("_start", 0, 0, SymbolKind::Text, SymbolScope::Linkage);
        add("1", 4, 0, SymbolKind::Label, SymbolScope::Compilation);
        let found = symbols(&file.write().unwrap()).unwrap();
        let found = Places::new(Vec::new(), found).symbols().to_vec();
        let symbol = |va, bytes, name: &str| Symbol {
            va,
            bytes,
            name: name.to_owned(),
        };
        assert_eq!(found, [symbol(0, 0, "_start"), symbol(8, 4, "stilt::boot")]);
        assert!(symbols(b"no ELF").is_err());
    }
}
