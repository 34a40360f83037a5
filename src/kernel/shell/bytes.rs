//! Memory by the byte: `dump` shows it, `fill` writes it.
//!
//! Both go through [`nofault`]: what the map allows and the memory system refuses is a line, and no
//! report.
#![expect(unsafe_code, reason = "reads and writes what is typed")]

use core::error::Error;
use core::fmt::{self, Write};

use super::arguments::{address, number, size};
use super::error::CommandError;
use super::memory::{check_access, is_low, query};
use super::progress::Progress;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::nofault::{self, AccessWidth};
use crate::paging::{MappingFlags, PagingError};

/// Bytes that a row shows.
const ROW: usize = 16;
/// Bytes that `dump` shows at most.
const DUMP_MAX: usize = 1 << 20;

/// `dump ADDRESS SIZE`
pub(super) fn dump(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [va, bytes] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let (va, bytes) = (address(va)?, size(bytes)?);
    if !(1..=DUMP_MAX).contains(&bytes) {
        return Err(BytesError::DumpSize { bytes }.into());
    }
    let last = va.checked_add(bytes - 1);
    let last = last.ok_or(BytesError::Beyond { va, bytes })?;
    let mut next = va;
    loop {
        let state = PageState::of(next)?;
        // Pages of one state are shown together.
        let mut end = last_of_page(next);
        while end < last && PageState::of(after(end))? == state {
            end = last_of_page(after(end));
        }
        let end = end.min(last);
        match state {
            PageState::Readable => rows(next, end, out)?,
            _ => writeln!(out, "{next}  {}, to {end}", state.words())?,
        }
        if end == last {
            return Ok(());
        }
        next = after(end);
    }
}

/// The lines that `help dump` adds.
pub(super) fn dump_details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 4] = [
        "  SIZE bytes from ADDRESS on, at most 1M, in hexadecimal and as text.",
        "  Low addresses are those of the space in use.",
        "  Pages that are not mapped, or not to be read, are one line.",
        "  Device registers are not read, for that may change them: `peek` reads one.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The last address of the page of `va`.
fn last_of_page(va: VirtAddr) -> VirtAddr {
    VirtAddr::new(va.as_usize() | (PAGE_SIZE - 1))
}

/// The address behind `va`, which is not the last that there is.
fn after(va: VirtAddr) -> VirtAddr {
    VirtAddr::new(va.as_usize() + 1)
}

/// Whether a page is read.
#[derive(Clone, Copy, PartialEq)]
enum PageState {
    Readable,
    /// Mapped, and nobody may read it.
    NoRights,
    Device,
    Unmapped,
}

impl PageState {
    /// Of the page of `va`.
    ///
    /// # Errors
    /// The low half is off.
    fn of(va: VirtAddr) -> Result<Self, CommandError> {
        match query(va) {
            Ok((_, flags, _)) if flags.contains(MappingFlags::DEVICE) => Ok(Self::Device),
            Ok((_, flags, _)) if flags.contains(MappingFlags::READ) => Ok(Self::Readable),
            Ok(_) => Ok(Self::NoRights),
            Err(error) if error.is::<PagingError>() => Ok(Self::Unmapped),
            Err(error) => Err(error),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::NoRights => "mapped, but not readable",
            Self::Device => "device registers, not read",
            Self::Unmapped => "not mapped",
        }
    }
}

/// Prints the bytes of readable pages in rows.
fn rows(first: VirtAddr, last: VirtAddr, out: &mut dyn Write) -> fmt::Result {
    let mut start = first.align_down(ROW);
    loop {
        let bytes = core::array::from_fn(|index| {
            let va = VirtAddr::new(start.as_usize() + index);
            if (first..=last).contains(&va) {
                // SAFETY: the live map has memory there, and no device.
                let byte = unsafe { nofault::read(va, AccessWidth::Byte) };
                byte.map_or(ShownByte::Refused, |byte| ShownByte::Is(byte as u8))
            } else {
                ShownByte::Outside
            }
        });
        writeln!(out, "{start}  {}", Row(bytes))?;
        match start.checked_add(ROW) {
            Some(next) if next <= last => start = next,
            _ => return Ok(()),
        }
    }
}

/// A byte of a row.
#[derive(Clone, Copy)]
enum ShownByte {
    Is(u8),
    /// The load was refused.
    Refused,
    /// Before the first byte that was asked for, or behind the last.
    Outside,
}

/// Bytes in the order of their addresses, in groups of four, and as text.
struct Row([ShownByte; ROW]);

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                f.write_char(' ')?;
            }
            match byte {
                ShownByte::Is(byte) => write!(f, "{byte:02x}")?,
                ShownByte::Refused => f.write_str("??")?,
                ShownByte::Outside => f.write_str("  ")?,
            }
        }
        f.write_str("  |")?;
        for byte in self.0 {
            f.write_char(match byte {
                ShownByte::Is(byte) if byte == b' ' || byte.is_ascii_graphic() => byte.into(),
                ShownByte::Is(_) => '.',
                ShownByte::Refused => '?',
                ShownByte::Outside => ' ',
            })?;
        }
        f.write_char('|')
    }
}

/// `fill ADDRESS PATTERN [SIZE]`
pub(super) fn fill(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (first, pattern, bytes) = match arguments {
        [va, pattern] => (
            address(va)?.align_down(PAGE_SIZE),
            number(pattern)?,
            PAGE_SIZE,
        ),
        [va, pattern, bytes] => (address(va)?, number(pattern)?, size(bytes)?),
        _ => return Err(CommandError::wrong_count()),
    };
    let width = width_of(pattern);
    for value in [first.as_usize(), bytes] {
        if value % width as usize != 0 {
            return Err(BytesError::NotMultiple { value, width }.into());
        }
    }
    if bytes == 0 {
        return Err(BytesError::NoByte.into());
    }
    let last = first.checked_add(bytes - 1);
    let last = last.ok_or(BytesError::Beyond { va: first, bytes })?;
    if !is_low(last) {
        return Err(BytesError::Kernels {
            va: first.max(VirtAddr::new(1 << 48)),
        }
        .into());
    }
    // All of them first: nothing is written if one page refuses.
    let pages = (first.align_down(PAGE_SIZE).as_usize()..=last.as_usize()).step_by(PAGE_SIZE);
    for page in pages {
        check_access(VirtAddr::new(page), AccessWidth::Byte, MappingFlags::WRITE)?;
    }
    // Eight bytes at once, where they are aligned: an eighth of the stores.
    let (width, value) = match (first.as_usize() | bytes) % 8 {
        0 => (AccessWidth::Double, repeated(pattern, width)),
        _ => (width, pattern),
    };
    let mut progress = Progress::new("fill", bytes as u64, "bytes");
    for offset in (0..bytes).step_by(width as usize) {
        if offset % PAGE_SIZE == 0 {
            progress.at(offset as u64, out)?;
        }
        let va = VirtAddr::new(first.as_usize() + offset);
        // SAFETY: a page below 2^48, which is a space's: the kernel keeps nothing there.
        let written = unsafe { nofault::write(va, width, value) };
        written.map_err(|_| BytesError::Refused { va })?;
    }
    writeln!(out, "{first} to {last} filled")?;
    Ok(())
}

/// The lines that `help fill` adds.
pub(super) fn fill_details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 5] = [
        "  Without a SIZE the whole page of ADDRESS; with it, SIZE bytes from there on.",
        "  PATTERN is repeated as a byte if it fits one, else as 2, 4 or 8 bytes, its low",
        "  byte first; ADDRESS and SIZE are multiples of that.",
        "  Of the space in use, and only what is writable: all of it, or nothing.",
        "  The kernel's memory is not filled: `poke` writes to it.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The narrowest width that holds `pattern`.
const fn width_of(pattern: u64) -> AccessWidth {
    match pattern {
        0..=0xff => AccessWidth::Byte,
        0x100..=0xffff => AccessWidth::Half,
        0x1_0000..=0xffff_ffff => AccessWidth::Word,
        _ => AccessWidth::Double,
    }
}

/// 64 bits of `pattern`, which has that width.
const fn repeated(pattern: u64, width: AccessWidth) -> u64 {
    match width {
        AccessWidth::Byte => pattern * 0x0101_0101_0101_0101,
        AccessWidth::Half => pattern * 0x0001_0001_0001_0001,
        AccessWidth::Word => pattern * 0x0000_0001_0000_0001,
        AccessWidth::Double => pattern,
    }
}

/// Why bytes are not shown, or not written.
enum BytesError {
    /// Nothing to fill.
    NoByte,
    /// More bytes than `dump` shows, or none.
    DumpSize { bytes: usize },
    /// Some would be behind the last address.
    Beyond { va: VirtAddr, bytes: usize },
    /// Not a multiple of the pattern's bytes.
    NotMultiple { value: usize, width: AccessWidth },
    /// Of the kernel's half.
    Kernels { va: VirtAddr },
    /// The map allows the store, and the memory system refused it.
    Refused { va: VirtAddr },
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoByte => f.write_str("a size of 1 byte or more was expected"),
            Self::DumpSize { bytes } => {
                write!(f, "{bytes} bytes: from 1 to {DUMP_MAX} are shown at once")
            }
            Self::Beyond { va, bytes } => {
                write!(f, "{bytes:#x} bytes from {va} on pass the last address")
            }
            Self::NotMultiple { value, width } => {
                write!(
                    f,
                    "{value:#x} is not a multiple of {}, the pattern's bytes",
                    width as usize
                )
            }
            Self::Kernels { va } => {
                write!(
                    f,
                    "{va} is not below 2^48: `poke` writes the kernel's memory"
                )
            }
            Self::Refused { va } => write!(f, "{va}: the store was refused"),
        }
    }
}

/// As [`Display`](fmt::Display) has it.
impl fmt::Debug for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for BytesError {}
