//! A descriptor, field by field.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::field_row::FieldRow;
use crate::arch::mmu::Register;
use crate::paging::MappingFlags;
use crate::paging::format::aarch64_registers::SCTLR_EL1_WXN;
use crate::paging::format::fields::{AARCH64, Layout};
use crate::text::Size;

/// Prints what `bits` are in a table of `level`.
pub(super) fn show(layout: &Layout, bits: u64, level: usize, out: &mut dyn Write) -> fmt::Result {
    let name = layout.name;
    writeln!(
        out,
        "{name}, level {level}: {}",
        Heading {
            layout,
            bits,
            level
        }
    )?;
    let kind = layout.kind(bits, level);
    for field in layout.fields(kind, level) {
        writeln!(out, "{}", FieldRow { field, bits })?;
    }
    if kind.is_leaf() {
        let rights = layout.rights(bits);
        writeln!(out, "  rights of this leaf: {rights}")?;
        let both = MappingFlags::WRITE.union(MappingFlags::EXECUTE);
        let is_writable_code = rights.kernel.contains(both) || rights.user.contains(both);
        if is_writable_code && name == AARCH64.name && Register::Sctlr.read() & SCTLR_EL1_WXN != 0 {
            writeln!(
                out,
                "  but SCTLR_EL1.WXN is 1: what is writable is not executed"
            )?;
        }
    }
    Ok(())
}

/// An entry in one line: `page of 4 KiB at 0x0000000080000000`.
pub(super) struct Heading<'a> {
    pub(super) layout: &'a Layout,
    pub(super) bits: u64,
    pub(super) level: usize,
}

impl fmt::Display for Heading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            layout,
            bits,
            level,
        } = *self;
        let kind = layout.kind(bits, level);
        f.write_str(kind.word())?;
        if kind.is_leaf() {
            write!(f, " of {}", Size(layout.entry_bytes(level)))?;
        }
        match layout.address(bits, kind, level) {
            Some(address) => write!(f, " at {address}"),
            None => Ok(()),
        }
    }
}
