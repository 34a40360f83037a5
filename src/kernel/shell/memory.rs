//! Commands about memory: what there is, how it is mapped, what is in it.

use core::fmt::{self, Write};

use super::error::LOW_HALF_IS_OFF;
use super::{ChoiceText, CommandError, address, no_arguments};
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::cpu;
use crate::arch::mmu::{self, Access, address_translate};
use crate::arch::probe::{self, Width};
use crate::exception::syndrome::Fault;
use crate::kernel::report::address_map;
use crate::mm::frames::Statistics;
use crate::mm::heap;
use crate::mm::kernel_frames::{frame_count, frame_statistics};
use crate::mm::kernel_space::{LowView, live_view};
use crate::paging::format::aarch64::{A64PTE, Describe};
use crate::paging::format::par::TranslationResult;
use crate::paging::{GenericPTE, MappingFlags, PagingError, Visit};
use crate::text::{Size, parse_u64};

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

/// `map`
pub(super) fn map(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    no_arguments(arguments)?;
    address_map::each_piece(|piece| writeln!(out, "{piece}"))?;
    Ok(())
}

/// What `help map` adds.
pub(super) fn legend(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 13] = [
        "  A line: FIRST-LAST address, first frame, rights, memory type, leaf, name.",
        "  rights  r read, w write, x execute, - not allowed; all of the kernel",
        "  types   wb write-back, nc non-cacheable, nGnRE and nGnRnE device memory",
        "  leaf    4K page, 2M or 1G block",
        "  names   text, rodata, data       the image",
        "          RAM                      memory, at its frame + 0xffff000000000000",
        "          boot code, firmware page as long as a core may come",
        "          peripherals              device registers; local: those of the cores",
        "          stack of core N          where core N runs",
        "          exception stack N        where it takes exceptions",
        "          emergency stack N        where, if that is used up",
        "          heap                     grows upwards",
        "          guard                    never mapped, so that running over faults",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// `pt ADDRESS`
pub(super) fn pt(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::Usage);
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
    let Some(root) = mmu::low_root() else {
        return Err(CommandError::LowHalf { va });
    };
    // SAFETY: TTBR0 points to a tree while walks from it are on; the linear map has its tables.
    let view = unsafe { LowView::new(root) };
    view.trace(va, show)?;
    Ok(())
}

/// Whether an address is one of the low half, which TTBR0 translates.
fn is_low(va: VirtAddr) -> bool {
    va.as_usize() >> 48 == 0
}

/// `translate ADDRESS`
pub(super) fn translate(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let [word] = arguments else {
        return Err(CommandError::Usage);
    };
    let va = address(word)?;
    match live_view().query(va) {
        Ok((pa, flags, size)) => writeln!(out, "walk       {pa} {flags} {size}")?,
        Err(PagingError::InvalidVirtAddr { .. }) if is_low(va) && mmu::low_root().is_none() => {
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
        [word] => (word, Width::Double),
        [word, width] => (word, parse_width(width)?),
        _ => return Err(CommandError::Usage),
    };
    let va = address(word)?;
    check_access(va, width, MappingFlags::READ)?;
    // It may be a device, and the console's is another one.
    cpu::device_barrier();
    // SAFETY: reading a device register can have an effect: the user asked for it.
    let value = unsafe { probe::read(va, width) };
    let value = value.map_err(|aborted| CommandError::Aborted {
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
        [word, value] => (word, value, Width::Double),
        [word, value, width] => (word, value, parse_width(width)?),
        _ => return Err(CommandError::Usage),
    };
    let (va, value) = (address(word)?, parse_u64(value)?);
    let bits = 8 * width as usize;
    if value.checked_shr(bits as u32).is_some_and(|rest| rest != 0) {
        return Err(CommandError::TooWide { value, bits });
    }
    check_access(va, width, MappingFlags::WRITE)?;
    cpu::device_barrier();
    // SAFETY: whether the kernel survives it is the user's business; an abort is a message.
    let result = unsafe { probe::write(va, width, value) };
    result.map_err(|aborted| CommandError::Aborted {
        va,
        syndrome: aborted.syndrome,
    })?;
    writeln!(out, "{va} written")?;
    Ok(())
}

fn parse_width(word: &str) -> Result<Width, CommandError> {
    match word {
        "8" => Ok(Width::Byte),
        "16" => Ok(Width::Half),
        "32" => Ok(Width::Word),
        "64" => Ok(Width::Double),
        other => Err(CommandError::Choice {
            given: ChoiceText::new(other),
            expected: "8, 16, 32, 64",
        }),
    }
}

/// Whether the live map lets the kernel access `width` bytes at `va`.
fn check_access(va: VirtAddr, width: Width, right: MappingFlags) -> Result<(), CommandError> {
    let bytes = width as usize;
    if !va.is_aligned(bytes) {
        return Err(CommandError::Unaligned { va, bytes });
    }
    if is_low(va) && mmu::low_root().is_none() {
        return Err(CommandError::LowHalf { va });
    }
    let (_, flags, _) = live_view().query(va)?;
    if flags.contains(right) {
        return Ok(());
    }
    let right = if right == MappingFlags::WRITE {
        "writable"
    } else {
        "readable"
    };
    Err(CommandError::Forbidden { va, right })
}
