//! A row of 80 columns for a field of an entry.
#![forbid(unsafe_code)]

use core::fmt;

use crate::arch::mmu::Register;
use crate::paging::format::fields::{Field, Meaning};
use crate::paging::format::par::MemoryAttributes;

/// A field of an entry as a row: bits, name, value, meaning.
pub(super) struct FieldRow<'a> {
    pub(super) field: &'a Field,
    /// The entry.
    pub(super) bits: u64,
}

impl fmt::Display for FieldRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, bits } = *self;
        let Field { high, low, .. } = *field;
        let name = field.name();
        if high == low {
            write!(f, "  {high:<7}")?;
        } else {
            write!(f, "  {high}:{low:<0$}", 6 - if high > 9 { 2 } else { 1 })?;
        }
        if let Some(address) = field.address(bits) {
            return write!(f, "{name:<16}{address:#x}");
        }
        let value = field.value(bits);
        write!(f, "{name:<16}")?;
        if high == low {
            write!(f, "{value:<15}")?;
        } else {
            write!(f, "{value:<#15x}")?;
        }
        match field.meaning {
            Meaning::MemoryType => {
                let byte = (Register::Mair.read() >> (8 * value)) as u8;
                let words = MemoryAttributes(byte);
                write!(f, "{byte:#04x} in MAIR_EL1: {words}")
            }
            _ => f.write_str(field.words(bits).unwrap_or_default()),
        }
    }
}
