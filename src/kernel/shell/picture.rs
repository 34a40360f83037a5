//! `map --picture`: both halves in few rows, each with a bar as long as the part is large.
#![forbid(unsafe_code)]

use core::fmt::{self, Display, Write};

use super::error::CommandError;
use super::memory::low_view;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::kernel::report::address_map::{Piece, each_piece};
use crate::mm::areas::AreaName;
use crate::mm::layout::{USER_CODE, USER_STACK};
use crate::paging::{MappingFlags, Run};
use crate::text::Size;

/// Unmapped bytes between two parts from which on they are a row of their own; below that they are
/// a guard, and a mark.
const CUT: usize = 1 << 20;

/// With which characters the picture is drawn.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Glyphs {
    /// Blocks of Unicode, U+2588 to U+2593.
    Blocks,
    Ascii,
}

impl Glyphs {
    /// The cell of a bar: code, read-only, writable, device registers, no rights.
    const fn cell(self, flags: MappingFlags) -> char {
        let blocks = matches!(self, Self::Blocks);
        let (block, ascii) = match flags.intersection(MappingFlags::RIGHTS) {
            _ if flags.contains(MappingFlags::DEVICE) => ('\u{259a}', '%'),
            rights if rights.contains(MappingFlags::EXECUTE) => ('\u{2588}', '#'),
            rights if rights.contains(MappingFlags::WRITE) => ('\u{2592}', '='),
            rights if rights.contains(MappingFlags::READ) => ('\u{2591}', '-'),
            _ => ('\u{b7}', '.'),
        };
        if blocks { block } else { ascii }
    }

    /// The mark of a part below which a few pages are unmapped: a guard.
    const fn guard(self) -> char {
        match self {
            Self::Blocks => '\u{2506}',
            Self::Ascii => '!',
        }
    }
}

/// Draws both halves.
pub(super) fn draw(glyphs: Glyphs, out: &mut dyn Write) -> Result<(), CommandError> {
    let mut picture = Picture {
        glyphs,
        out,
        end: 0,
        part: None,
    };
    match low_view(VirtAddr::new(0)) {
        Ok(view) => {
            writeln!(picture.out, "low half, TTBR0_EL1: the space in use")?;
            for run in view.iter(..) {
                picture.add(&run, low_name(run.va))?;
            }
            picture.flush()?;
        }
        Err(_) => writeln!(picture.out, "low half, TTBR0_EL1: off, no space is in use")?,
    }
    writeln!(picture.out, "high half, TTBR1_EL1: the kernel")?;
    picture.end = 0xffff << 48;
    each_piece(&mut |piece| match piece {
        Piece::Mapped(run, name) => picture.add(&run, PartName::Area(name)),
        Piece::Guard(_) => Ok(()),
    })?;
    picture.flush()?;
    legend(glyphs, picture.out)?;
    Ok(())
}

fn legend(glyphs: Glyphs, out: &mut dyn Write) -> fmt::Result {
    let code = glyphs.cell(MappingFlags::EXECUTE);
    let data = glyphs.cell(MappingFlags::WRITE);
    let constants = glyphs.cell(MappingFlags::READ);
    let device = glyphs.cell(MappingFlags::DEVICE);
    writeln!(
        out,
        "{code} code  {data} writable  {constants} read-only  {device} device  {} behind a guard",
        glyphs.guard()
    )?;
    writeln!(out, "One cell is 4 KiB; each further cell doubles it.")
}

/// The name of a page of a space.
fn low_name(va: VirtAddr) -> PartName {
    PartName::Space(match va {
        USER_CODE => "code for touch",
        USER_STACK => "stack",
        _ => "",
    })
}

/// The name of a part.
#[derive(Clone, Copy, PartialEq)]
enum PartName {
    /// Of the kernel's half.
    Area(AreaName),
    /// Of a space.
    Space(&'static str),
}

impl Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Area(name) => name.fmt(f),
            Self::Space(name) => f.write_str(name),
        }
    }
}

/// The picture so far: equal neighbours are one part, whatever their leaves.
struct Picture<'a> {
    glyphs: Glyphs,
    out: &'a mut dyn Write,
    /// The address behind what is drawn.
    end: usize,
    /// The part that is not drawn yet, as more of it may come.
    part: Option<Part>,
}

/// A row.
struct Part {
    first: usize,
    bytes: usize,
    flags: MappingFlags,
    name: PartName,
}

impl Picture<'_> {
    fn add(&mut self, run: &Run, name: PartName) -> fmt::Result {
        let next = Part {
            first: run.va.as_usize(),
            bytes: run.bytes,
            flags: run.flags,
            name,
        };
        if let Some(part) = &mut self.part
            && part.first + part.bytes == next.first
            && (part.flags, part.name) == (next.flags, next.name)
        {
            part.bytes += next.bytes;
            return Ok(());
        }
        self.flush()?;
        self.part = Some(next);
        Ok(())
    }

    /// Stands for `bytes` that are not mapped, to the largest unit: `over 255 TiB`, of which the
    /// exact size has 12 digits.
    fn cut(&mut self, bytes: u64) -> fmt::Result {
        let unit = 1 << (bytes.ilog2() / 10 * 10);
        let over = if bytes.is_multiple_of(unit) {
            ""
        } else {
            "over "
        };
        writeln!(self.out, "  ... {over}{}", Size(bytes / unit * unit))
    }

    /// Draws what is left.
    fn flush(&mut self) -> fmt::Result {
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        let unmapped = part.first - self.end;
        if unmapped >= CUT {
            self.cut(unmapped as u64)?;
        }
        // The last part of the high half ends with the addresses.
        self.end = part.first.wrapping_add(part.bytes);
        let mark = match unmapped {
            1..CUT => self.glyphs.guard(),
            _ => ' ',
        };
        let (first, size) = (VirtAddr::new(part.first), Size(part.bytes as u64));
        let [read, write, execute] = part.flags.right_letters();
        let who = if part.flags.contains(MappingFlags::USER) {
            'u'
        } else {
            ' '
        };
        let memory = part.flags.memory_type();
        write!(
            self.out,
            "{mark}{first} {size:>10} {read}{write}{execute}{who} {memory:<6} "
        )?;
        let cells = (part.bytes / PAGE_SIZE).ilog2() + 1;
        let cell = self.glyphs.cell(part.flags);
        (0..cells).try_for_each(|_| self.out.write_char(cell))?;
        match part.name {
            PartName::Space("") => writeln!(self.out),
            name => writeln!(self.out, " {name}"),
        }
    }
}
