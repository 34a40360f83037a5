//! Names to addresses and back, from the ELF file.

use std::fs;
use std::ops::Range;

use object::{Object, ObjectSymbol};

use super::checkout;

/// Where the kernel's linear map puts physical 0.
pub(crate) const HIGH_HALF: u64 = 0xffff_0000_0000_0000;

/// The symbols of the image.
pub(crate) struct Symbols {
    /// Name, first address, size in bytes.
    all: Vec<(String, u64, u64)>,
}

impl Symbols {
    /// Those of `kernel8.elf`.
    pub(crate) fn read() -> Self {
        let bytes = fs::read(checkout::elf()).expect("kernel8.elf can be read");
        let file = object::File::parse(&*bytes).expect("kernel8.elf is an ELF file");
        let symbols = file.symbols();
        let named = symbols.filter_map(|symbol| {
            let name = symbol.name().ok()?.to_owned();
            Some((name, symbol.address(), symbol.size()))
        });
        Self {
            all: named.collect(),
        }
    }

    /// The address of an unmangled symbol.
    #[track_caller]
    pub(crate) fn address(&self, name: &str) -> u64 {
        let mut found = self.all.iter().filter(|(this, ..)| this == name);
        match (found.next(), found.next()) {
            (Some((_, address, _)), None) => *address,
            (one, _) => panic!(
                "{name}: {} such symbols",
                if one.is_none() { "no" } else { "several" }
            ),
        }
    }

    /// The memory of the Rust item whose path ends with `path`.
    #[track_caller]
    pub(crate) fn item(&self, path: &[&str]) -> Range<u64> {
        let mangled = path.iter().map(|name| format!("{}{name}", name.len()));
        let mangled = mangled.collect::<String>();
        let mut found = self.all.iter().filter(|(name, ..)| name.contains(&mangled));
        match found.next() {
            Some((_, start, size)) => *start..start + size,
            None => panic!("no symbol for {path:?}"),
        }
    }
}
