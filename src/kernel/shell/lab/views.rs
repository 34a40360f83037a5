//! `as list`, `query`, `show`, `tables`: looks at the spaces, which change nothing.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::super::arguments::address;
use super::super::error::CommandError;
use super::spaces;
use crate::addr::VirtAddr;
use crate::mm::current_space::other_cores_in;
use crate::paging::{ENTRIES, Run};
use crate::text::Size;

pub(super) fn list(out: &mut dyn Write) -> Result<(), CommandError> {
    spaces::each(|named, is_used| {
        let pages = named.space.page_count()?;
        let mark = if is_used { '*' } else { ' ' };
        write!(out, "{mark} {:<15} {pages:>6} pages", named.name)?;
        match named.space.asid() {
            Some(asid) => write!(out, ", ASID {}", asid.as_u16())?,
            None => write!(out, ", no ASID yet")?,
        }
        for core in other_cores_in(&named.space) {
            write!(out, ", core {core} is in it")?;
        }
        writeln!(out)?;
        Ok(())
    })
}

pub(super) fn query(va: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    let (pa, flags, size) = spaces::used()?.space.query(address(va)?)?;
    writeln!(out, "{pa} {flags} {size}")?;
    Ok(())
}

/// Runs that are shown at once: the tables' lock is held while they are collected.
const RUNS: usize = 16;

pub(super) fn show(out: &mut dyn Write) -> Result<(), CommandError> {
    let named = spaces::used()?;
    let mut next = VirtAddr::new(0);
    loop {
        let mut runs = [const { None }; RUNS];
        named.space.with_view(&mut |view| {
            for (slot, run) in runs.iter_mut().zip(view.iter(next..)) {
                *slot = Some(run);
            }
        });
        for run in runs.iter().flatten() {
            let Run {
                va,
                pa,
                bytes,
                flags,
                size,
                ..
            } = *run;
            writeln!(out, "{va} {:>9} {flags} {size} {pa}", Size(bytes as u64))?;
            next = VirtAddr::new(va.as_usize() + bytes);
        }
        if runs.iter().any(Option::is_none) {
            return Ok(());
        }
    }
}

pub(super) fn tables(out: &mut dyn Write) -> Result<(), CommandError> {
    let named = spaces::used()?;
    let mut count = 0;
    named.space.each_table(&mut |table| {
        count += 1;
        let (level, va, pa, used) = (table.level, table.va, table.pa, table.used);
        let last = VirtAddr::new(va.as_usize() + (table.bytes - 1));
        writeln!(out, "L{level} {va}-{last} {used:>3} of {ENTRIES} in {pa}")?;
        Ok::<(), CommandError>(())
    })?;
    writeln!(out, "{count} tables")?;
    Ok(())
}
