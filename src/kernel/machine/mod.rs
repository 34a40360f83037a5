//! What this machine is: asked of the device tree and of the mailbox, at boot.
//!
//! What may change is asked again whenever somebody wants to know: `describe.rs`.

mod describe;
mod firmware;

use core::fmt;

use super::console;
use super::record::boot_record;
use super::time::counter_hz;
use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::aarch64::cpu;
use crate::arch::aarch64::relax::Once;
use crate::board::raspi3;
use crate::board::revision::Revision;
use crate::console::{Hertz, Size};
use crate::drivers::device_tree::{
    AtZero, DeviceTree, Facts, HEADER_BYTES, MAX_TREE_BYTES, PointerError, TreeError,
};
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
use crate::mm::kernel_space::linear;
use crate::mm::{layout, symbols};

pub(super) use describe::describe;
use firmware::ask;

/// boot/start.S cleans as much of a tree as is believed here.
const _: () = assert!(MAX_TREE_BYTES == raspi3::DEVICE_TREE_MAX_SIZE);

/// What is known about the machine.
pub(super) struct Machine {
    /// The device tree, and where it is.
    pub(super) tree: &'static Tree,
    /// The board's revision code.
    pub(super) revision: Result<Revision, MailboxError>,
    /// The board's serial number.
    pub(super) serial: Result<u64, MailboxError>,
    /// When the firmware was built, in seconds since 1970, or QEMU's idea of it.
    pub(super) firmware: Result<u32, MailboxError>,
    /// What runs the UART, in Hz, and how that is known.
    pub(super) uart_clock: UartClock,
    /// The board's Ethernet address.
    pub(super) mac: Result<MacAddress, MailboxError>,
    /// What is RAM.
    pub(super) ram: Decision,
    /// What of it is reserved, and what may be mapped.
    pub(super) reserved: Reserved,
}

/// A tree and where it is, or why there is none.
pub(super) type Tree = Result<(Facts, PhysRange), NoTree>;

/// Why there is no device tree.
#[derive(Clone, Debug)]
pub(super) enum NoTree {
    Pointer(PointerError),
    Contents(TreeError),
}

impl fmt::Display for NoTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(error) => error.fmt(f),
            Self::Contents(error) => write!(f, "not believed: {error}"),
        }
    }
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
/// The tree's facts, apart from the rest: they are large, and the boot stack is not.
static TREE: Once<Tree> = Once::new();

/// What is known about the machine; nothing before [`discover`].
pub(super) fn machine() -> Option<&'static Machine> {
    MACHINE.get()
}

/// Asks for everything. The console works from the first log line in here on.
pub(super) fn discover(dtb: u64) -> &'static Machine {
    let uart_clock = uart_clock();
    console::init(uart_clock.divisor);
    greet();
    if let Some(problem) = uart_clock.problem {
        let hz = Hertz(uart_clock.hz.into());
        log!("uart", "clock unknown ({problem}): {hz} assumed");
    }
    let tree = TREE.call_once(|| read_tree(dtb));
    MACHINE.call_once(|| settle(tree, uart_clock))
}

/// Everything that follows from the tree and from the mailbox. Never inlined, as [`read_tree`]: the boot
/// stack has room for what each of them needs, one after the other.
#[inline(never)]
fn settle(tree: &'static Tree, uart_clock: UartClock) -> Machine {
    let facts = tree.as_ref().ok().map(|(facts, _)| facts);
    let ram = ram_from(facts, claims(), &certain());
    let asked = facts.map_or(&[][..], |facts| &facts.reservations);
    let place = tree.as_ref().ok().map(|(_, place)| *place);
    let reserved = Reserved::judge(asked, &ram.ram, needed(place));
    Machine {
        revision: ask(BoardRevision).map(Revision),
        serial: ask(BoardSerial),
        firmware: ask(FirmwareRevision),
        mac: ask(BoardMac),
        ram,
        reserved,
        tree,
        uart_clock,
    }
}

/// What the mailbox says about RAM; what it does not answer is logged.
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

/// What is in use before any reservation is looked at.
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

/// What must be RAM: the image.
fn certain() -> Certain {
    Certain {
        ram_limit: PhysAddr::new(raspi3::RAM_LIMIT),
        chip_end: PhysAddr::new(raspi3::RAM_CHIP_SIZE),
        kernel: image(),
    }
}

/// What the kernel takes before anything works fits into the room that reservations leave it,
/// several times: the rest is to work with.
const _: () = {
    let metadata = FrameAllocator::metadata_for(raspi3::RAM_LIMIT) * size_of::<FrameState>();
    let stacks = layout::stacks(0);
    let [emergency, exception, main] = [stacks[0].size, stacks[1].size, stacks[2].size];
    let stacks = raspi3::CORES * (emergency + exception + main);
    assert!(2 * (metadata + stacks + layout::HEAP_SIZE) <= ROOM_BYTES);
};

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

/// Logs what was found.
pub(super) fn report(machine: &Machine) {
    match (machine.tree, &machine.revision) {
        (Ok((facts, _)), _) if !facts.model.as_str().is_empty() => {
            log!("model", "{}", facts.model.as_str());
        }
        (_, Ok(revision)) => log!("model", "{revision} ({:#x})", revision.0),
        (_, Err(error)) => log!("model", "unknown: {error}"),
    }
    match machine.tree {
        Ok((_, place)) => log!("tree", "device tree at {place}"),
        Err(reason) => log!("tree", "no device tree: {reason}"),
    }
    report_ram(&machine.ram);
    for judged in machine.reserved.judged() {
        log!("reserve", "{judged}");
    }
    log!(
        "uart",
        "{} baud from a clock of {}",
        raspi3::CONSOLE_BAUD,
        Hertz(machine.uart_clock.hz.into())
    );
}

/// Logs what is RAM, and what there is to warn about.
fn report_ram(ram: &Decision) {
    for range in ram.ram.iter() {
        let size = Size(range.size() as u64);
        log!("ram", "{range} {size} ({})", ram.source);
    }
    if let Some(share) = ram.videocore {
        let size = Size(share.size() as u64);
        log!("vc", "{share} {size} is the VideoCore's");
    }
    if let Some(differ) = ram.differ {
        log!("ram", "warning: {differ}");
    }
    if let Some(overlap) = ram.overlap {
        log!("ram", "warning: {overlap}");
    }
    for (who, refused) in [
        ("device tree", ram.device_tree_refused),
        ("mailbox", ram.mailbox_refused),
        ("mailbox, about the VideoCore,", ram.videocore_refused),
    ] {
        if let Some(refused) = refused {
            log!("ram", "warning: the {who} is not believed: {refused}");
        }
    }
}

/// The device tree that x0 points to.
#[inline(never)]
fn read_tree(x0: u64) -> Tree {
    let limit = PhysAddr::new(raspi3::RAM_LIMIT);
    let tree = DeviceTree::validate_pointer(x0, limit, AtZero::Look).map_err(NoTree::Pointer)?;
    let header = linear(tree.base()).as_usize() as *const [u8; HEADER_BYTES];
    // SAFETY: the pointer was validated: the header lies below the limit of RAM, all of which the
    // boot map has; nobody writes there yet.
    let header = unsafe { header.read() };
    let size = tree.validate_header(&header).map_err(NoTree::Pointer)?;
    let first = linear(tree.base()).as_usize() as *const u8;
    // SAFETY: `validate_header` saw that `size` bytes lie below the limit; as above.
    let blob = unsafe { core::slice::from_raw_parts(first, size) };
    let facts =
        Facts::read(blob, PhysAddr::new(raspi3::RAM_CHIP_SIZE)).map_err(NoTree::Contents)?;
    let place = PhysRange::new(tree.base(), size)
        .ok_or(NoTree::Pointer(PointerError::PastRam { x0, size }))?;
    Ok((facts, place))
}

/// The clock that the UART runs on, and the divisor for it.
fn uart_clock() -> UartClock {
    let baud = raspi3::CONSOLE_BAUD;
    let mut problem = None;
    for attempt in 0..2 {
        if attempt == 1 {
            // What it answers is what it was asked for; the rate is read again.
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
