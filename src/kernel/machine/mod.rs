//! The machine that the kernel runs on, as device tree and mailbox describe it at boot.
//!
//! Temperature, voltages and clock rates change: `describe.rs` asks for them each time.

pub(crate) mod alarm;
mod boot_summary;
mod describe;
mod firmware;
mod handed;
pub(crate) mod watchdog;

use core::fmt;
use core::mem::MaybeUninit;

use super::clock::counter_hz;
use super::console;
use super::record::boot_record;
use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::cpu;
use crate::arch::relax::Once;
use crate::arch::try_lock::TryLock;
use crate::board::raspi3;
use crate::board::revision::Revision;
use crate::drivers::mailbox::{
    ArmMemory, BoardMac, BoardRevision, BoardSerial, Clock, ClockRate, FirmwareRevision,
    MacAddress, MailboxError, MemoryAnswer, SetClockRate, VideoCoreMemory,
};
use crate::drivers::pl011::{BaudError, Divisor};
use crate::drivers::ram::{
    Certain, Decision, MailboxClaims, Needed, ROOM_BYTES, Reserved, ram_from,
};
use crate::drivers::range::PhysRange;
use crate::log;
use crate::mm::frames::{FrameAllocator, FrameState};
use crate::mm::{layout, symbols};
use crate::text::Hertz;

pub(super) use boot_summary::report;
pub(super) use describe::describe;
use firmware::ask;
use handed::Handed;

/// The description of the machine.
pub(super) struct Machine {
    /// The device tree or the ATAGs of the loader.
    handed: &'static Handed,
    /// The board's revision code.
    pub(super) revision: Result<Revision, MailboxError>,
    /// The board's serial number.
    pub(super) serial: Result<u64, MailboxError>,
    /// When the firmware was built, in seconds since 1970, or QEMU's idea of it.
    pub(super) firmware: Result<u32, MailboxError>,
    /// The UART's clock in Hz, and how that is known.
    pub(super) uart_clock: UartClock,
    /// The board's Ethernet address.
    pub(super) mac: Result<MacAddress, MailboxError>,
    /// The ranges of RAM.
    pub(super) ram: &'static Decision,
    /// The reserved parts of it, and the parts that may be mapped.
    pub(super) reserved: &'static Reserved<'static>,
}

/// The UART's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct UartClock {
    pub(super) hz: u32,
    divisor: Divisor,
    /// Why the mailbox's answer is not used, if it is not.
    problem: Option<ClockProblem>,
}

#[derive(Clone, Copy, Debug)]
enum ClockProblem {
    Mailbox(MailboxError),
    Baud(BaudError),
}

impl fmt::Display for ClockProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(error) => error.fmt(f),
            Self::Baud(error) => error.fmt(f),
        }
    }
}

static MACHINE: Once<Machine> = Once::new();

/// Memory that is filled once, and belongs to whoever filled it. What is large is made where it
/// stays: the boot stack is small.
type FilledOnce<T> = TryLock<MaybeUninit<T>>;

// SAFETY: cleared by `kernel_main`; a place that is free is all zero, and nobody asks before.
#[expect(unsafe_code, reason = "a place that the linker is told")]
#[unsafe(link_section = ".late.handed")]
static HANDED: FilledOnce<Handed> = TryLock::new(MaybeUninit::uninit());
// SAFETY: as above.
#[expect(unsafe_code, reason = "a place that the linker is told")]
#[unsafe(link_section = ".late.ram")]
static RAM: FilledOnce<Decision> = TryLock::new(MaybeUninit::uninit());
// SAFETY: as above.
#[expect(unsafe_code, reason = "a place that the linker is told")]
#[unsafe(link_section = ".late.reserved")]
static RESERVED: FilledOnce<Reserved<'static>> = TryLock::new(MaybeUninit::uninit());

/// Fills a place, once.
#[inline(never)]
fn fill<T>(place: &'static FilledOnce<T>, make: impl FnOnce() -> T) -> &'static mut T {
    let Some(place) = place.try_keep() else {
        unreachable!("the machine is discovered once");
    };
    place.write(make())
}

/// The description of the machine; `None` before [`discover`].
pub(super) fn machine() -> Option<&'static Machine> {
    MACHINE.get()
}

/// Asks for everything. The console works from the first log line in here on.
#[inline(never)]
pub(super) fn discover(dtb: u64) -> &'static Machine {
    let uart_clock = uart_clock();
    console::init(uart_clock.divisor);
    greet();
    if let Some(problem) = uart_clock.problem {
        let hz = Hertz(uart_clock.hz.into());
        log!("uart", "clock unknown ({problem}): {hz} assumed");
    }
    let handed = fill(&HANDED, Handed::nothing);
    handed.find(dtb);
    let (handed, claims) = (&*handed, claims());
    let ram = &*fill(&RAM, || ram_from(handed.voice(), claims, &certain()));
    let asked = &*handed.facts.reservations;
    let needed = needed(handed.tree());
    let reserved = fill(&RESERVED, || Reserved::new(asked, &ram.ram, needed));
    reserved.judge(&ram.ram);
    MACHINE.call_once(|| Machine {
        handed,
        revision: ask(BoardRevision).map(Revision),
        serial: ask(BoardSerial),
        firmware: ask(FirmwareRevision),
        uart_clock,
        mac: ask(BoardMac),
        ram,
        reserved,
    })
}

/// The mailbox's answers about RAM; a question that it does not answer is logged.
fn claims() -> MailboxClaims {
    let arm = ask(ArmMemory);
    if let Err(error) = arm {
        log!("mailbox", "no answer about memory: {error}");
    }
    let videocore = ask(VideoCoreMemory);
    if let Err(error) = videocore {
        log!("mailbox", "no answer about the VideoCore's memory: {error}");
    }
    let pair = |answer: MemoryAnswer| (u64::from(answer.base), u64::from(answer.size));
    MailboxClaims {
        arm: arm.map(pair).ok(),
        videocore: videocore.map(pair).ok(),
    }
}

/// The image, whole frames.
fn image() -> PhysRange {
    let image = symbols::image();
    let Some(image) = PhysRange::between(image.park, image.end) else {
        unreachable!("the image is not empty");
    };
    image
}

/// The ranges that are in use whatever the reservations say.
fn needed(tree: Option<PhysRange>) -> Needed {
    let Some(firmware_page) = PhysRange::new(raspi3::FIRMWARE_PAGE, PAGE_SIZE) else {
        unreachable!("a page is not empty");
    };
    Needed {
        image: image(),
        firmware_page,
        tree,
    }
}

/// The range that must be RAM: the image.
fn certain() -> Certain {
    Certain {
        ram_limit: PhysAddr::new(raspi3::RAM_LIMIT),
        chip_end: PhysAddr::new(raspi3::RAM_CHIP_SIZE),
        kernel: image(),
    }
}

/// The memory that the kernel takes before anything works fits into the room without which no list
/// of RAM is believed, several times: the rest is to work with.
const _: () = {
    let metadata = FrameAllocator::metadata_for(raspi3::RAM_LIMIT) * size_of::<FrameState>();
    assert!(2 * (metadata + layout::WINDOW_BYTES) <= ROOM_BYTES);
};

/// The answer of QEMU to the question when its firmware was built.
const QEMU_FIRMWARE: u32 = 0x5_48e1;

/// Whether the machine is QEMU's: its firmware is none, and was built on a day in 1970.
pub(super) fn is_qemu() -> bool {
    machine().is_some_and(|machine| machine.firmware == Ok(QEMU_FIRMWARE))
}

/// The lines that need nothing of the firmware.
fn greet() {
    let version = env!("CARGO_PKG_VERSION");
    log!("stilt", "{version}, a kernel that lives in the high half");
    let record = boot_record();
    let caches = if record.caches_were_on() { "on" } else { "off" };
    log!(
        "entry",
        "EL{}, MMU {caches}, loaded at {:#x}, x0 {:#x}",
        record.level,
        raspi3::LOAD_ADDRESS.as_usize(),
        record.x0,
    );
    log!(
        "cpu",
        "MIDR {:#010x}, counter {}",
        cpu::main_id(),
        Hertz(counter_hz().into())
    );
}

/// How many cores the loader names; nothing if it names none.
struct Cores(usize);

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(", 1 core"),
            cores => write!(f, ", {cores} cores"),
        }
    }
}

/// The clock that the UART runs on, and the divisor for it.
fn uart_clock() -> UartClock {
    let baud = raspi3::CONSOLE_BAUD;
    let mut problem = None;
    for attempt in 0..2 {
        if attempt == 1 {
            // The answer may be just the rate that was asked for: the real one is read again.
            let _ = ask(SetClockRate {
                clock: Clock::Uart,
                rate_hz: raspi3::UART_CLOCK_HZ,
            });
        }
        let answer = ask(ClockRate(Clock::Uart));
        match answer.map(|hz| (hz, Divisor::for_baud(hz, baud))) {
            Ok((hz, Ok(divisor))) => {
                let problem = None;
                return UartClock {
                    hz,
                    divisor,
                    problem,
                };
            }
            Ok((_, Err(error))) => problem = Some(ClockProblem::Baud(error)),
            Err(error) => problem = Some(ClockProblem::Mailbox(error)),
        }
    }
    UartClock {
        hz: raspi3::UART_CLOCK_HZ,
        divisor: ASSUMED_DIVISOR,
        problem,
    }
}

/// For the clock that config.txt asks for.
const ASSUMED_DIVISOR: Divisor =
    match Divisor::for_baud(raspi3::UART_CLOCK_HZ, raspi3::CONSOLE_BAUD) {
        Ok(divisor) => divisor,
        Err(_) => panic!("the assumed clock gives the console's speed"),
    };
