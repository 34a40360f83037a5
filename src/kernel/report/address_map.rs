//! The live map in lines of 80 columns: runs of equal pages, cut where one area ends and another
//! begins.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::{PhysAddr, VirtAddr};
use crate::mm::areas::{self, AreaName};
use crate::mm::kernel_space::live_view;
use crate::mm::layout;
use crate::mm::symbols;
use crate::paging::{self, MappingFlags, Run};
use crate::text::Size;

/// The flags of every page of the kernel: only others are shown.
const USUAL: MappingFlags = MappingFlags::GLOBAL.union(MappingFlags::ACCESSED);

/// A part of the map: `FIRST-LAST FRAME RIGHTS TYPE LEAF NAME`.
#[derive(Clone, Copy)]
pub(crate) enum Piece {
    /// Equal pages with one use.
    Mapped(Run, AreaName),
    /// Pages that must stay unmapped, and are.
    Guard(layout::Pages),
}

/// Shows `visit` the whole map and the guards, in the order of addresses.
///
/// # Errors
/// The first of `visit`, which ends it.
pub(crate) fn each_piece(visit: &mut dyn FnMut(Piece) -> fmt::Result) -> fmt::Result {
    let is_unmapped = |guard: &layout::Pages| live_view().query(guard.start).is_err();
    let guards = layout::guards();
    let mut guards = guards.into_iter().filter(is_unmapped).peekable();
    for run in live_view().iter(..) {
        while let Some(guard) = guards.next_if(|guard| guard.start < run.va) {
            visit(Piece::Guard(guard))?;
        }
        each_named(run, |run, name| visit(Piece::Mapped(run, name)))?;
    }
    guards.try_for_each(|guard| visit(Piece::Guard(guard)))
}

/// Cuts `run` where its use changes.
pub(super) fn each_named<E>(
    mut run: Run,
    mut visit: impl FnMut(Run, AreaName) -> Result<(), E>,
) -> Result<(), E> {
    let image = symbols::image();
    loop {
        let area = areas::area_at(&image, run.va);
        // Once all cores have come, what they begin in is memory like any other.
        let name = match area.name {
            AreaName::BootCode if run.flags.contains(MappingFlags::WRITE) => AreaName::Ram,
            name => name,
        };
        if run.last() <= area.last {
            return visit(run, name);
        }
        let bytes = area.last.as_usize() + 1 - run.va.as_usize();
        visit(Run { bytes, ..run }, name)?;
        run = Run {
            va: VirtAddr::new(run.va.as_usize() + bytes),
            pa: PhysAddr::new(run.pa.as_usize() + bytes),
            bytes: run.bytes - bytes,
            ..run
        };
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, name) = match self {
            Self::Mapped(run, name) => (run, name),
            Self::Guard(pages) => {
                let last = VirtAddr::new(pages.end() - 1);
                return write!(f, "{}-{last} {:>10} ---           guard", pages.start, "-");
            }
        };
        let (first, last, frame) = (run.va, run.last(), run.pa.as_usize());
        let (rights, memory) = (ShownRights(run.flags), run.flags.memory_type());
        write!(
            f,
            "{first}-{last} {frame:#010x} {rights} {memory:<6} {} {name}",
            run.size
        )?;
        match run.rights {
            Some(rights) => write!(f, "\n  above: {rights}")?,
            None if run.flags.contains(MappingFlags::USER) => {
                write!(f, "\n  above: user code has these rights too")?;
            }
            None => {}
        }
        for (flag, word) in [
            (MappingFlags::GLOBAL, "global"),
            (MappingFlags::ACCESSED, "accessed"),
        ] {
            if !run.flags.contains(flag) {
                write!(f, "\n  above: not {word}")?;
            }
        }
        Ok(())
    }
}

/// `rwx`.
struct ShownRights(MappingFlags);

impl fmt::Display for ShownRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [read, write, execute] = self.0.right_letters();
        write!(f, "{read}{write}{execute}")
    }
}

/// A line of the log: what is equal but for frames and the sizes of leaves, as one.
pub(crate) struct SummaryLine {
    first: VirtAddr,
    bytes: usize,
    flags: MappingFlags,
    /// The rights of kernel and user, where the flags do not tell them.
    both_rights: Option<paging::Rights>,
    name: AreaName,
}

impl SummaryLine {
    /// Of `piece`; nothing of a guard.
    fn of(piece: Piece) -> Option<Self> {
        let Piece::Mapped(run, name) = piece else {
            return None;
        };
        Some(Self {
            first: run.va,
            bytes: run.bytes,
            flags: run.flags,
            both_rights: run.rights,
            name,
        })
    }

    /// Takes `next` in, if it continues this.
    fn extend(&mut self, next: &Self) -> bool {
        let continues = self.first.checked_add(self.bytes) == Some(next.first)
            && self.flags == next.flags
            && self.both_rights == next.both_rights
            && self.name == next.name;
        if continues {
            self.bytes += next.bytes;
        }
        continues
    }
}

impl fmt::Display for SummaryLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, name, .. } = self;
        let (rights, memory) = (ShownRights(self.flags), self.flags.memory_type());
        let size = Size(self.bytes as u64);
        write!(f, "{first} {size:>9} {rights} {memory:<6} {name}")?;
        match self.flags.symmetric_difference(USUAL) & USUAL.union(MappingFlags::USER) {
            differs if differs.is_empty() && self.both_rights.is_none() => Ok(()),
            _ => write!(f, " !"),
        }
    }
}

/// Shows `visit` the map in as few lines as tell what is mapped where.
pub(crate) fn each_summary(mut visit: impl FnMut(&SummaryLine)) {
    let mut last: Option<SummaryLine> = None;
    let _ = each_piece(&mut |piece| {
        let Some(next) = SummaryLine::of(piece) else {
            return Ok(());
        };
        if !last.as_mut().is_some_and(|last| last.extend(&next))
            && let Some(whole) = last.replace(next)
        {
            visit(&whole);
        }
        Ok(())
    });
    if let Some(whole) = last {
        visit(&whole);
    }
}
