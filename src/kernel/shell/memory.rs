//! Commands about memory: what there is, how it is mapped, what is in it.
#![expect(unsafe_code, reason = "reads and writes what is typed")]

use core::error::Error;
use core::fmt::{self, Write};

use super::arguments::{address, no_arguments, no_choice, number};
use super::error::CommandError;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::cpu;
use crate::arch::mmu::{self, Access, address_translate};
use crate::arch::nofault::{self, AccessWidth};
use crate::exception::syndrome::{Fault, Syndrome};
use crate::mm::frames::Statistics;
use crate::mm::heap;
use crate::mm::kernel_frames::{frame_count, frame_statistics};
use crate::mm::kernel_space::{LowView, live_view};
use crate::paging::format::aarch64::{A64PTE, Describe};
use crate::paging::format::par::TranslationResult;
use crate::paging::{GenericPTE, MappingFlags, PageSize, PagingError, Visit};
use crate::text::Size;

/// `mem`
pub(super) fn mem(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    let frames = frame_count();
    let heap = heap::usage();
    let tables = live_view().count_tables();
    let size = |frames: usize| Size((frames * PAGE_SIZE) as u64);
    writeln!(
        out,
        "frames  {} free of {} ({} of {})",
        frames.free,
        frames.usable,
        size(frames.free),
        size(frames.usable)
    )?;
    writeln!(out, "tables  {tables} frames ({})", size(tables))?;
    writeln!(
        out,
        "heap    {} used of {}",
        Size(heap.used as u64),
        Size(heap.size as u64)
    )?;
    match frame_statistics() {
        Some(statistics) => blocks(&statistics, out),
        None => Ok(()),
    }
}

/// The free blocks of each order, and what became of all.
fn blocks(statistics: &Statistics, out: &mut dyn Write) -> Result<(), CommandError> {
    let allocations: u64 = statistics.orders.iter().map(|o| o.allocations).sum();
    let frees: u64 = statistics.orders.iter().map(|o| o.frees).sum();
    writeln!(
        out,
        "blocks  {allocations} taken, {frees} given back, {} splits, {} merges",
        statistics.splits, statistics.merges
    )?;
    writeln!(
        out,
        "peak    {} frames in use ({})",
        statistics.peak,
        Size((statistics.peak * PAGE_SIZE) as u64)
    )?;
    writeln!(out, "{}", statistics.fragmentation())?;
    Ok(())
}

/// `pt ADDRESS`
pub(super) fn pt(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let va = address(word)?;
    let mut written = Ok(());
    let mut show = |visit: &Visit<A64PTE>| {
        let Visit {
            level,
            index,
            entry,
            ..
        } = *visit;
        let words = Describe { entry, level };
        written = written
            .and_then(|()| writeln!(out, "L{level}[{index:3}] {:#018x} {words}", entry.bits()));
    };
    match live_view().trace(va, &mut show) {
        Err(PagingError::InvalidVirtAddr { .. }) if is_low(va) => pt_low(va, show)?,
        result => result?,
    }
    written?;
    Ok(())
}

/// The walk in the low half, if there is one.
fn pt_low(va: VirtAddr, show: impl FnMut(&Visit<A64PTE>)) -> Result<(), CommandError> {
    low_view(va)?.trace(va, show)?;
    Ok(())
}

/// The tables of the address space that this core is in, which have `va`.
///
/// # Errors
/// [`AccessError::LowHalf`] if it is in none.
pub(super) fn low_view(va: VirtAddr) -> Result<LowView, CommandError> {
    let root = mmu::low_root().ok_or(AccessError::LowHalf { va })?;
    // SAFETY: TTBR0 points to a tree while walks from it are on; the linear map has its tables.
    Ok(unsafe { LowView::new(root) })
}

/// The translation of `va` by the live tables of its half.
///
/// # Errors
/// [`AccessError::LowHalf`]; [`PagingError`] where nothing is mapped.
pub(super) fn query(va: VirtAddr) -> Result<(PhysAddr, MappingFlags, PageSize), CommandError> {
    let translation = if is_low(va) {
        low_view(va)?.query(va)
    } else {
        live_view().query(va)
    };
    Ok(translation?)
}

/// Whether an address is one of the low half, which TTBR0 translates.
pub(super) fn is_low(va: VirtAddr) -> bool {
    va.as_usize() >> 48 == 0
}

/// `translate ADDRESS`
pub(super) fn translate(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let va = address(word)?;
    match query(va) {
        Ok((pa, flags, size)) => writeln!(out, "walk       {pa} {flags} {size}")?,
        Err(_) if is_low(va) && mmu::low_root().is_none() => {
            writeln!(out, "walk       none in the low half, {LOW_HALF_IS_OFF}")?;
        }
        Err(error) => writeln!(out, "walk       {error}")?,
    }
    for (name, access) in [
        ("AT S1E1R", Access::KernelRead),
        ("AT S1E1W", Access::KernelWrite),
        ("AT S1E0R", Access::UserRead),
    ] {
        let result = TranslationResult(address_translate(va, access));
        match result.frame() {
            Some(frame) => {
                let pa = frame.as_usize() | va.as_usize() & (PAGE_SIZE - 1);
                let attributes = result.attributes();
                writeln!(out, "{name}   {pa:#018x} {attributes}")?;
            }
            None => {
                let fault = Fault::from_status(result.fault_status());
                writeln!(out, "{name}   fault: {fault}")?;
            }
        }
    }
    Ok(())
}

/// `peek ADDRESS [WIDTH]`
pub(super) fn peek(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (word, width) = match arguments {
        [word] => (word, AccessWidth::Double),
        [word, width] => (word, parse_width(width)?),
        _ => return Err(CommandError::wrong_count()),
    };
    let va = address(word)?;
    check_access(va, width, MappingFlags::READ)?;
    // It may be a device, and the console's is another one.
    cpu::device_barrier();
    // SAFETY: reading a device register can have an effect: the user asked for it.
    let value = unsafe { nofault::read(va, width) };
    let value = value.map_err(|aborted| AccessError::Aborted {
        va,
        syndrome: aborted.syndrome,
    })?;
    let digits = 2 + 2 * width as usize;
    writeln!(out, "{va}: {value:#0digits$x}")?;
    Ok(())
}

/// `poke ADDRESS VALUE [WIDTH]`
pub(super) fn poke(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (word, value, width) = match arguments {
        [word, value] => (word, value, AccessWidth::Double),
        [word, value, width] => (word, value, parse_width(width)?),
        _ => return Err(CommandError::wrong_count()),
    };
    let (va, value) = (address(word)?, number(value)?);
    let bits = 8 * width as usize;
    if value.checked_shr(bits as u32).is_some_and(|rest| rest != 0) {
        return Err(AccessError::TooWide { value, bits }.into());
    }
    check_access(va, width, MappingFlags::WRITE)?;
    cpu::device_barrier();
    // SAFETY: whether the kernel survives it is the user's business; an abort is a message.
    let result = unsafe { nofault::write(va, width, value) };
    result.map_err(|aborted| AccessError::Aborted {
        va,
        syndrome: aborted.syndrome,
    })?;
    writeln!(out, "{va} written")?;
    Ok(())
}

fn parse_width(word: &str) -> Result<AccessWidth, CommandError> {
    match word {
        "8" => Ok(AccessWidth::Byte),
        "16" => Ok(AccessWidth::Half),
        "32" => Ok(AccessWidth::Word),
        "64" => Ok(AccessWidth::Double),
        other => Err(no_choice(other, &"8, 16, 32, 64")),
    }
}

/// Whether the live map lets the kernel access `width` bytes at `va`.
pub(super) fn check_access(
    va: VirtAddr,
    width: AccessWidth,
    right: MappingFlags,
) -> Result<(), CommandError> {
    let bytes = width as usize;
    if !va.is_aligned(bytes) {
        return Err(AccessError::Unaligned { va, bytes }.into());
    }
    let (_, flags, _) = query(va)?;
    if flags.contains(right) {
        return Ok(());
    }
    let right = if right == MappingFlags::WRITE {
        "writable"
    } else {
        "readable"
    };
    Err(AccessError::Forbidden { va, right }.into())
}

/// Why memory cannot be used as asked.
enum AccessError {
    /// An address in the half that is not translated.
    LowHalf { va: VirtAddr },
    /// An address that is not a multiple of the access's width.
    Unaligned { va: VirtAddr, bytes: usize },
    /// A value that does not fit the access's width.
    TooWide { value: u64, bits: usize },
    /// The page is mapped without the right that is needed.
    Forbidden { va: VirtAddr, right: &'static str },
    /// The access was tried, and the memory system refused it; `syndrome` is ESR_EL1's.
    Aborted { va: VirtAddr, syndrome: u64 },
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is kilobytes of the
/// image.
impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LowHalf { va } => write!(f, "{va} is in the low half, {LOW_HALF_IS_OFF}"),
            Self::Unaligned { va, bytes } => write!(f, "{va} is not a multiple of {bytes}"),
            Self::TooWide { value, bits } => write!(f, "{value:#x} does not fit {bits} bits"),
            Self::Forbidden { va, right } => write!(f, "{va} is mapped, but not {right}"),
            Self::Aborted { va, syndrome } => write!(f, "{va}: {}", Syndrome::new(*syndrome)),
        }
    }
}

impl Error for AccessError {}

/// Why nothing is mapped below 2^48.
const LOW_HALF_IS_OFF: &str = "which is off (TCR_EL1.EPD0)";
