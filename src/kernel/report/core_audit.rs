//! The audit of what each core stands on beside its tables: the registers that decide what its
//! addresses mean, the table without entries that TTBR0 names, and the pages that a core may still
//! come to.
#![forbid(unsafe_code)]

use core::fmt;

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::mmu::{self, Register};
use crate::board::raspi3::{self, CORES};
use crate::kernel::cores::ipi;
use crate::kernel::cores::secondary_boot;
use crate::kernel::cores::smp::{self, CoreState};
use crate::mm::kernel_frames;
use crate::mm::{current_space, kernel_space, symbols};
use crate::warning;

/// The first violation that the audit of the cores found.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum CoreViolation {
    /// A core's register is not what it is on every core.
    Register {
        core: usize,
        name: &'static str,
        value: u64,
        expected: u64,
    },
    /// The table without entries has one.
    NotEmpty { index: usize, entry: u64 },
    /// A frame that somebody else needs can be given out, or was.
    GivenOut { pa: PhysAddr, what: &'static str },
}

/// As [`Display`](fmt::Display) has it: what a derive makes of these fields is a kilobyte of the
/// image.
impl fmt::Debug for CoreViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CoreViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register {
                core,
                name,
                value,
                expected,
            } => write!(
                f,
                "{name} of core {core} is {value:#018x} instead of {expected:#018x}"
            ),
            Self::NotEmpty { index, entry } => {
                let table = kernel_space::empty_table();
                write!(
                    f,
                    "entry {index} of the empty table at {table} is {entry:#x}"
                )
            }
            Self::GivenOut { pa, what } => {
                write!(f, "the frame at {pa} can be given out: {what}")
            }
        }
    }
}

impl core::error::Error for CoreViolation {}

/// Checks all of it, on every core that runs.
///
/// # Errors
/// The first [`CoreViolation`].
pub(crate) fn check() -> Result<(), CoreViolation> {
    if let Some((index, entry)) = kernel_space::empty_table_entry() {
        return Err(CoreViolation::NotEmpty { index, entry });
    }
    let running = (0..CORES).filter(|core| smp::state(*core) == CoreState::Online);
    running.into_iter().try_for_each(check_registers)?;
    check_frames()
}

fn check_registers(core: usize) -> Result<(), CoreViolation> {
    for (index, register) in Register::ALL.into_iter().enumerate() {
        let read = |routine| ipi::call_function(core, routine, index);
        let difference = match read(difference) {
            Ok(difference) => difference as u64,
            Err(error) => {
                warning!(
                    "audit",
                    "the registers of core {core} are not known: {error}"
                );
                return Ok(());
            }
        };
        if difference != 0 {
            let value = read(read_register).unwrap_or_default() as u64;
            return Err(CoreViolation::Register {
                core,
                name: register.name(),
                value,
                expected: value ^ difference,
            });
        }
    }
    Ok(())
}

/// On the core whose it is: the register.
fn read_register(index: usize) -> usize {
    Register::ALL
        .get(index)
        .map_or(0, |register| register.read()) as usize
}

/// On the core whose it is: the bits of the register that are not what they should be. Compared
/// there, since the core may go to another address space between two calls.
fn difference(index: usize) -> usize {
    let low = current_space::active().map(|space| space.ttbr0());
    let (empty, high) = (kernel_space::empty_table(), mmu::high_root());
    Register::ALL.get(index).map_or(0, |register| {
        register.read() ^ register.settled(low, empty, high)
    }) as usize
}

/// Page 0 is the board's; the vectors of EL2 and EL3 are kept for good, and the parking pages as
/// long as a core may come to them.
fn check_frames() -> Result<(), CoreViolation> {
    let image = symbols::image();
    let parked = if secondary_boot::is_prepared() {
        image.init
    } else {
        image.park
    };
    let first = raspi3::FIRMWARE_PAGE;
    let page_0_end = PhysAddr::new(first.as_usize() + PAGE_SIZE);
    for (start, end, what) in [
        (first, page_0_end, "page 0 is the board's"),
        (
            image.park,
            parked,
            "a core may still come to the parking pages",
        ),
        (
            image.early,
            image.text,
            "EL2 and EL3 have their vectors there",
        ),
    ] {
        let mut frames = (start.as_usize()..end.as_usize()).step_by(PAGE_SIZE);
        if let Some(pa) = frames.find(|pa| kernel_frames::is_allocatable(PhysAddr::new(*pa))) {
            let pa = PhysAddr::new(pa);
            return Err(CoreViolation::GivenOut { pa, what });
        }
    }
    Ok(())
}
