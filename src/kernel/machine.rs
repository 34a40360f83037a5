//! What this machine is: asked of the device tree and of the mailbox, once.

use core::fmt::{self, Write};

use super::console::{self, registers};
use super::record::boot_record;
use super::time::{self, counter_hz};
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::aarch64::relax::{Mutex, Once};
use crate::arch::aarch64::{cache, cpu};
use crate::board::raspi3;
use crate::board::revision::Revision;
use crate::console::{Hertz, Size};
use crate::drivers::device_tree::{
    AtZero, DeviceTree, Facts, HEADER_BYTES, MAX_TREE_BYTES, PointerError, TreeError,
};
use crate::drivers::mailbox::{
    ArmMemory, BoardRevision, BoardSerial, Clock, ClockRate, FirmwareRevision, Mailbox, MailboxEnv,
    MailboxError, PropertyBuffer, SetClockRate, Tag,
};
use crate::drivers::pl011::{BaudError, Divisor};
use crate::drivers::ram::{Certain, Decision, ram_from};
use crate::drivers::range::PhysRange;
use crate::log;
use crate::mm::kernel_space::linear;

/// boot/start.S cleans as much of a tree as is believed here.
const _: () = assert!(MAX_TREE_BYTES == raspi3::DEVICE_TREE_MAX_SIZE);

/// What is known about the machine.
pub(super) struct Machine {
    /// The device tree, and where it is.
    pub(super) tree: Result<(Facts, PhysRange), NoTree>,
    /// The board's revision code.
    pub(super) revision: Result<Revision, MailboxError>,
    /// The board's serial number.
    pub(super) serial: Result<u64, MailboxError>,
    /// When the firmware was built, in seconds since 1970, or QEMU's idea of it.
    pub(super) firmware: Result<u32, MailboxError>,
    /// What runs the UART, in Hz, and how that is known.
    pub(super) uart_clock: UartClock,
    /// What is RAM.
    pub(super) ram: Decision,
}

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

/// What is known about the machine; nothing before [`discover`].
pub(super) fn machine() -> Option<&'static Machine> {
    MACHINE.get()
}

/// Asks for everything. The console works from the first log line in here on.
pub(super) fn discover(dtb: u64) -> &'static Machine {
    let mut firmware = Firmware::new();
    let uart_clock = uart_clock(&mut firmware);
    console::init(uart_clock.divisor);
    greet();
    if let Some(problem) = uart_clock.problem {
        let hz = Hertz(uart_clock.hz.into());
        log!("uart", "clock unknown ({problem}): {hz} assumed");
    }
    MACHINE.call_once(|| {
        let tree = read_tree(dtb);
        let memory = firmware.ask(ArmMemory);
        if let Err(error) = memory {
            log!("mailbox", "no answer about memory: {error}");
        }
        let mailbox = memory
            .map(|answer| (u64::from(answer.base), u64::from(answer.size)))
            .ok();
        let facts = tree.as_ref().ok().map(|(facts, _)| facts);
        Machine {
            revision: firmware.ask(BoardRevision).map(Revision),
            serial: firmware.ask(BoardSerial),
            firmware: firmware.ask(FirmwareRevision),
            ram: ram_from(facts, mailbox, &certain()),
            tree,
            uart_clock,
        }
    })
}

/// What must be RAM: the image, and what is above it in the first 2 MiB.
fn certain() -> Certain {
    let first_block = PhysAddr::new(2 << 20);
    let Some(kernel) = PhysRange::between(raspi3::LOAD_ADDRESS, first_block) else {
        unreachable!("the image begins in the first 2 MiB");
    };
    Certain {
        ram_limit: PhysAddr::new(raspi3::RAM_LIMIT),
        kernel,
    }
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

/// Logs what was found.
pub(super) fn report(machine: &Machine) {
    match (&machine.tree, &machine.revision) {
        (Ok((facts, _)), _) if !facts.model.as_str().is_empty() => {
            log!("model", "{}", facts.model.as_str());
        }
        (_, Ok(revision)) => log!("model", "{revision} ({:#x})", revision.0),
        (_, Err(error)) => log!("model", "unknown: {error}"),
    }
    match &machine.tree {
        Ok((_, place)) => log!("tree", "device tree at {place}"),
        Err(reason) => log!("tree", "no device tree: {reason}"),
    }
    let ram = &machine.ram;
    for range in ram.ram.iter() {
        let size = Size(range.size() as u64);
        log!("ram", "{range} {size} ({})", ram.source);
    }
    if let Some(differ) = ram.differ {
        log!("ram", "warning: {differ}");
    }
    if let Some(refused) = ram.device_tree_refused {
        log!("ram", "warning: the device tree is not believed: {refused}");
    }
    if let Some(refused) = ram.mailbox_refused {
        log!("ram", "warning: the mailbox is not believed: {refused}");
    }
    log!(
        "uart",
        "{} baud from a clock of {}",
        raspi3::CONSOLE_BAUD,
        Hertz(machine.uart_clock.hz.into())
    );
}

/// The device tree that x0 points to.
fn read_tree(x0: u64) -> Result<(Facts, PhysRange), NoTree> {
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
fn uart_clock(firmware: &mut Firmware) -> UartClock {
    let baud = raspi3::CONSOLE_BAUD;
    let mut problem = None;
    for attempt in 0..2 {
        if attempt == 1 {
            // What it answers is what it was asked for; the rate is read again.
            let _ = firmware.ask(SetClockRate {
                clock: Clock::Uart,
                rate_hz: raspi3::UART_CLOCK_HZ,
            });
        }
        let answer = firmware.ask(ClockRate(Clock::Uart));
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

/// The buffer that VideoCore reads and writes: whole cache lines, for ever.
static BUFFER: Mutex<PropertyBuffer> = Mutex::new(PropertyBuffer::new());

/// The VideoCore's firmware, asked by mailbox. Once it has been silent it is not asked again.
struct Firmware {
    mailbox: Mailbox,
    silence: Option<MailboxError>,
}

impl Firmware {
    fn new() -> Self {
        Self {
            mailbox: Mailbox::new(registers(raspi3::MAILBOX)),
            silence: None,
        }
    }

    fn ask<T: Tag>(&mut self, tag: T) -> Result<T::Answer, MailboxError> {
        if let Some(silence) = self.silence {
            return Err(silence);
        }
        let mut buffer = BUFFER.lock();
        let va = VirtAddr::new((&raw const *buffer).addr());
        let address = PhysAddr::new(va.as_usize() & !raspi3::KERNEL_VA_OFFSET);
        // SAFETY: `address` is the buffer's: a static lies in the linear map. It is one for ever.
        let answer = unsafe { self.mailbox.query(tag, &mut buffer, address, &mut Env) };
        if let Err(error @ (MailboxError::NoAnswer { .. } | MailboxError::FullTimeout { .. })) =
            answer
        {
            self.silence = Some(error);
        }
        answer
    }
}

/// What the mailbox driver needs of the CPU.
struct Env;

impl MailboxEnv for Env {
    fn now_us(&mut self) -> u64 {
        time::now_us()
    }

    fn clean_invalidate(&mut self, buffer: &PropertyBuffer) {
        let start = (&raw const *buffer).addr();
        cache::clean_and_invalidate(start, start + size_of::<PropertyBuffer>());
    }

    fn invalidate(&mut self, buffer: &PropertyBuffer) {
        let start = (&raw const *buffer).addr();
        // SAFETY: the buffer fills its cache lines, and nothing was written to it since it was
        // cleaned.
        unsafe { cache::invalidate_to_coherency(start, start + size_of::<PropertyBuffer>()) };
    }

    fn barrier(&mut self) {
        cache::barrier();
    }
}

/// One line each about the machine, for the shell.
pub(super) fn describe(out: &mut dyn Write) -> fmt::Result {
    let Some(machine) = machine() else {
        return Ok(());
    };
    match &machine.tree {
        Ok((facts, place)) => {
            writeln!(out, "model     {}", facts.model.as_str())?;
            writeln!(out, "tree      device tree at {place}")?;
            writeln!(out, "bootargs  {}", facts.bootargs.as_str())?;
        }
        Err(reason) => writeln!(out, "tree      no device tree: {reason}")?,
    }
    match &machine.revision {
        Ok(revision) => writeln!(out, "board     {revision} ({:#x})", revision.0)?,
        Err(error) => writeln!(out, "board     unknown: {error}")?,
    }
    match &machine.serial {
        Ok(serial) => writeln!(out, "serial    {serial:#018x}")?,
        Err(error) => writeln!(out, "serial    unknown: {error}")?,
    }
    match &machine.firmware {
        Ok(revision) => writeln!(out, "firmware  {revision:#x}")?,
        Err(error) => writeln!(out, "firmware  unknown: {error}")?,
    }
    let ram = &machine.ram;
    let size = Size(ram.ram.total_size() as u64);
    writeln!(out, "ram       {size} ({})", ram.source)?;
    writeln!(
        out,
        "clocks    UART {}, counter {}",
        Hertz(machine.uart_clock.hz.into()),
        Hertz(counter_hz().into())
    )
}
