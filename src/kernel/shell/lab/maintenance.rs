//! `as cost` and `tlb`: what the last changes of a space stored, issued and took, as the kernel
//! counted it, and TLBIs that are left out on purpose.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::super::arguments::no_choice;
use super::super::error::CommandError;
use crate::addr::VirtAddr;
use crate::arch::maintenance::{self, Issued, Record};
use crate::arch::try_lock::TryLock;
use crate::mm::left_out;
use crate::paging::format::aarch64_tlb::Tlbi;

/// Changes that `tlb` shows.
const CHANGES: usize = 4;

/// In the order of [`Tlbi`].
const FORMS: [&str; 7] = [
    "vaae1is",
    "vaale1is",
    "vae1is",
    "vale1is",
    "aside1is",
    "vmalle1is",
    "vmalle1",
];
/// The first form with each kind of operand: an address, address and ASID, an ASID.
const BY_ADDRESS: usize = Tlbi::Vaae1is as usize;
const BY_ADDRESS_AND_ASID: usize = Tlbi::Vae1is as usize;
const BY_ASID: usize = Tlbi::Aside1is as usize;
/// In the order of [`Record::barriers`].
const BARRIERS: [&str; 4] = ["dmb ishst", "dsb ishst", "dsb ish", "isb"];

/// A command and its maintenance.
#[derive(Clone, Copy)]
struct Change {
    command: &'static str,
    record: Record,
}

struct Changes {
    /// The last one first.
    last: [Option<Change>; CHANGES],
    /// Whether the next one leaves its TLBIs out.
    skips_next: bool,
}

static CHANGES_SO_FAR: TryLock<Changes> = TryLock::new(Changes {
    last: [None; CHANGES],
    skips_next: false,
});

/// Does `work`, the change of `command`, and keeps its maintenance; of one that is refused nothing.
/// Invalidations that an earlier one left out are made up for before.
pub(super) fn record(
    command: &'static str,
    out: &mut dyn Write,
    work: &mut dyn FnMut(&mut dyn Write) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    left_out::heal();
    let is_new = command == "as new";
    let skips = !is_new && CHANGES_SO_FAR.try_lock().is_some_and(|all| all.skips_next);
    maintenance::begin();
    if skips {
        left_out::begin();
    }
    let result = work(out);
    left_out::end();
    let record = Record::read();
    if record.left_out == 0 {
        left_out::heal();
    }
    result?;
    if let Some(mut changes) = CHANGES_SO_FAR.try_lock() {
        changes.last.rotate_right(1);
        changes.last[0] = Some(Change { command, record });
        changes.skips_next &= !skips;
    }
    if skips {
        show_left_out(&record, out)?;
    }
    Ok(())
}

/// The line of a command that was to leave its TLBIs out.
fn show_left_out(record: &Record, out: &mut dyn Write) -> Result<(), CommandError> {
    let issued: u32 = record.tlbis.iter().sum();
    match (record.left_out, issued) {
        (0, 0) => writeln!(out, "no TLBI left out: none was due")?,
        (0, _) => writeln!(out, "no TLBI left out: break-before-make is always whole")?,
        (count, _) => {
            writeln!(out, "{count} TLBIs LEFT OUT on purpose:")?;
            each_issued(record, out)?;
        }
    }
    Ok(())
}

/// Shows the last TLBIs of `record`, one a line.
fn each_issued(record: &Record, out: &mut dyn Write) -> fmt::Result {
    let shown = record.last.iter().flatten().count() as u32;
    let all: u32 = record.tlbis.iter().sum();
    if all > shown {
        writeln!(out, "    {} more, then", all - shown)?;
    }
    for issued in record.last.iter().flatten() {
        let mark = if issued.is_left_out { ", LEFT OUT" } else { "" };
        writeln!(out, "    tlbi {}{mark}", Instruction(*issued))?;
    }
    Ok(())
}

/// A TLBI with what its operand says: `vale1is 0x0000000000400000 ASID 1`.
struct Instruction(Issued);

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Issued { form, operand, .. }) = *self;
        f.write_str(FORMS.get(form).copied().unwrap_or_default())?;
        let asid = operand >> 48;
        let va = VirtAddr::new((operand << 12) as usize & ((1 << 56) - 1));
        match form {
            BY_ADDRESS..BY_ADDRESS_AND_ASID => write!(f, " {va}"),
            BY_ADDRESS_AND_ASID..BY_ASID => write!(f, " {va} ASID {asid}"),
            BY_ASID => write!(f, " ASID {asid}"),
            _ => Ok(()),
        }
    }
}

/// Counts with their names, those that are not 0: `2 dsb ish, 1 isb`; `none`.
struct Counts<'a>(&'a [u32], &'a [&'static str]);

impl fmt::Display for Counts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counts, names) = self;
        let mut separator = "";
        for (count, name) in counts.iter().zip(*names).filter(|(count, _)| **count > 0) {
            write!(f, "{separator}{count} {name}")?;
            separator = ", ";
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// The last changes, the oldest first.
fn last() -> impl DoubleEndedIterator<Item = Change> {
    let changes = CHANGES_SO_FAR.try_lock().map(|changes| changes.last);
    changes.unwrap_or_default().into_iter().flatten().rev()
}

/// `as cost`
pub(super) fn cost(out: &mut dyn Write) -> Result<(), CommandError> {
    let Some(Change { command, record }) = last().next_back() else {
        writeln!(out, "no space was changed yet")?;
        return Ok(());
    };
    let Record {
        stores,
        tables_taken,
        tables_freed,
        ..
    } = record;
    writeln!(out, "{command}")?;
    writeln!(out, "  stores    {stores}")?;
    writeln!(out, "  barriers  {}", Counts(&record.barriers, &BARRIERS))?;
    writeln!(out, "  TLBIs     {}", Counts(&record.tlbis, &FORMS))?;
    if record.left_out > 0 {
        writeln!(out, "  LEFT OUT  {} of them", record.left_out)?;
    }
    writeln!(
        out,
        "  tables    {tables_taken} taken, {tables_freed} given back"
    )?;
    Ok(())
}

/// `tlb [skip|heal]`
pub(in super::super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => show(out),
        ["skip"] | ["skip", "next"] => {
            left_out::heal();
            if let Some(mut changes) = CHANGES_SO_FAR.try_lock() {
                changes.skips_next = true;
            }
            writeln!(out, "the next change of a space leaves its TLBIs out")?;
            Ok(())
        }
        ["heal"] => {
            let was_stale = left_out::is_stale();
            left_out::heal();
            let did = if was_stale {
                "everything was invalidated, on every core"
            } else {
                "nothing is stale: no TLBI was left out"
            };
            writeln!(out, "{did}")?;
            Ok(())
        }
        [other] => Err(no_choice(other, &"skip, heal")),
        _ => Err(CommandError::wrong_count()),
    }
}

/// The words that Tab completes behind `tlb`.
pub(in super::super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        ["skip", "heal"].into_iter().for_each(each);
    }
}

/// The lines that `help tlb` adds.
pub(in super::super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 9] = [
        "  The TLBIs of the last changes of a space, the last one at the end.",
        "  tlb skip: the next change issues none. What it unmaps or restricts may be",
        "  used until then by whoever has it cached: `touch` before and after it, with",
        "  no `as use` in between. An emulator forgets more than a board: each shows",
        "  some of these translations, and none is sure to be there.",
        "  tlb heal, or the next change: everything is invalidated, on every core.",
        "  Frames and tables that were given up are kept until then, so that nobody",
        "  else gets them. Break-before-make is never left out, nor is what a space",
        "  that is only looked at needs.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn show(out: &mut dyn Write) -> Result<(), CommandError> {
    for Change { command, record } in last() {
        writeln!(out, "{command:<11} {}", Counts(&record.tlbis, &FORMS))?;
        each_issued(&record, out)?;
    }
    say_if_stale(out)?;
    let skips = CHANGES_SO_FAR.try_lock().is_some_and(|all| all.skips_next);
    if skips {
        writeln!(out, "the next change of a space leaves its TLBIs out")?;
    }
    Ok(())
}

/// One line, if a translation may be stale.
fn say_if_stale(out: &mut dyn Write) -> fmt::Result {
    if left_out::is_stale() {
        writeln!(
            out,
            "stale: the next change, or `tlb heal`, invalidates all"
        )?;
    }
    Ok(())
}

/// Of an access that was done although the map refuses it: which TLBI would have ended that.
pub(super) fn explain_stale(va: VirtAddr, out: &mut dyn Write) -> Result<(), CommandError> {
    writeln!(
        out,
        "stale: the map refuses {va}; by a TLBI left out, it is cached"
    )?;
    match last().find(|change| change.record.left_out > 0) {
        Some(change) => Ok(each_issued(&change.record, out)?),
        None => Ok(()),
    }
}
