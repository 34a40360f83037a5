//! The PL011, by interrupts with a queue each way, or polled.
//!
//! Core 1 prints 5000 bytes at 115200 baud, 87 us for each, while somebody types:
//!
//! 1. It takes the console's turn ([`ConsoleTurn`]), with its interrupts as they were: no lock, for
//!    the text takes 0.43 s to leave. Other cores that print wait for the turn.
//! 2. Line by line, LF as CR LF, the text goes to the queue of 4096 bytes, and from there to the
//!    device's own of 16. The lock of both queues is held for a part at a time.
//! 3. The queue is full, and core 1 waits for room. The UART interrupts core 0 when 2 bytes of 16
//!    are left in the device, and its handler fills that up from the queue. If 20 ms bring no room,
//!    the interrupt is lost, and core 1 polls; if 20 ms of polling move no byte, the UART does not
//!    send, and the rest of the text is dropped.
//! 4. Bytes that come in meanwhile interrupt core 0 from the eighth in the device on, or when a few
//!    are followed by a pause, and go to the queue of 1024 bytes. They wait for the lock, not for
//!    the text.
//! 5. A command runs that reads nothing. From 512 waiting bytes on, its look for Ctrl-C moves them
//!    to [`ahead`], 64 at a time: the queue does not fill up, and a Ctrl-C behind them is found.
//! 6. Core 2 panics. It waits a second for core 1's turn, and takes it then. What is queued is sent
//!    first, unless a core is in the middle of the queue; the report goes by [`Raw`], which polls
//!    and waits for no core.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::ahead::{self, CTRL_C};
use super::kept::KeptOutput;
use super::stream::{self, SerialLine};
use crate::arch::cache;
use crate::arch::cpu::{self, device_barrier};
use crate::arch::lock::{Guard, Lock};
use crate::arch::lock_classes;
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3;
use crate::drivers::gpio::Gpio;
use crate::drivers::mini_uart::MiniUart;
use crate::drivers::mmio::Mmio;
use crate::drivers::pl011::{Divisor, Pl011, Registers, Serial, SerialCounts};
use crate::kernel::clock::{self, delay_us};
use crate::kernel::cores::exclusive::{Exclusive, Owned};
use crate::kernel::cores::idle;
use crate::kernel::devices::registers;
use crate::kernel::irq;
use crate::kernel::log::{self, Level, Sink};
use crate::kernel::time::{timeouts, wait};
use crate::warning;

/// More than 150 cycles of any clock that the GPIO block runs at.
const PULL_SETUP_US: u64 = 10;

/// Bytes that wait to be read, and to be sent.
const RECEIVE_QUEUE: usize = 1 << 10;
const TRANSMIT_QUEUE: usize = 1 << 12;

const UART: Pl011 = Pl011::new(registers(raspi3::UART0));

type SerialPort = Serial<Mmio<Registers>, RECEIVE_QUEUE, TRANSMIT_QUEUE>;

static SERIAL: Lock<SerialPort, lock_classes::Console> = Lock::new(Serial::new(UART));

/// Whether the UART's interrupts come; before, everything is polled.
static INTERRUPTS: AtomicBool = AtomicBool::new(false);

/// Bytes of a command's output that are kept: a report of 80 columns has 3 KiB at most.
const LAST_OUTPUT_BYTES: usize = 1 << 12;

/// The output while the last command ran, of every core.
// SAFETY: any bytes are a value; `kernel_main` clears them.
#[expect(unsafe_code, reason = "a place that the linker is told")]
#[unsafe(link_section = ".late.last_output")]
pub(crate) static LAST_OUTPUT: KeptOutput<LAST_OUTPUT_BYTES> = KeptOutput::new();

/// The UART, and its queues.
fn serial() -> Guard<'static, SerialPort, lock_classes::Console> {
    let serial = SERIAL.lock();
    device_barrier();
    serial
}

/// The right to print. Below the rank of every lock: who holds one does not print, for its
/// interrupts are masked for as long.
static TURN: Exclusive<lock_classes::ConsoleTurn> = Exclusive::new();

/// The right to print a text as a whole, until it is dropped: one core's at a time, whose
/// interrupts stay as they are. A handler that interrupts its owner prints in between.
pub(crate) struct ConsoleTurn {
    /// `None` if this core has it already: it may be interrupted while it prints.
    _owned: Option<Owned<lock_classes::ConsoleTurn>>,
}

impl ConsoleTurn {
    /// Waits for it. A core that does not give it back in time loses it.
    #[track_caller]
    fn take() -> Self {
        let here = cpu::number();
        let _owned = match TURN.take(timeouts::CONSOLE_TURN_NS) {
            Ok(owned) => Some(owned),
            Err(core) if core == here => None,
            Err(core) => {
                let owned = TURN.seize();
                let lost = format_args!("\nconsole: core {core} does not give its turn back\n");
                let _ = Queue.write_fmt(lost);
                Some(owned)
            }
        };
        Self { _owned }
    }

    /// For a report: waits as long, and says nothing. What was printed before leaves first.
    pub(crate) fn for_report() -> Self {
        let _owned = if TURN.owner() == Some(cpu::number()) {
            None
        } else {
            Some(TURN.take_or_seize(timeouts::CONSOLE_TURN_NS))
        };
        push_out();
        Self { _owned }
    }
}

/// Lets what was printed leave, if nobody is in the middle of the queue.
fn push_out() {
    const LOOKS: usize = 100_000;
    if !SERIAL.is_mine()
        && let Some(mut serial) = SERIAL.try_lock(LOOKS)
    {
        device_barrier();
        serial.flush();
    }
}

/// For the end of the machine, the other cores stopped: what they had printed leaves, and what they
/// were printing is cut off.
pub(crate) fn cut_off() {
    core::mem::forget(TURN.seize());
    push_out();
}

/// The console without a lock: for reports from panics and exceptions. Polls the UART, 87 us for
/// each byte at 115200 baud, and drops a byte that it does not take; LF leaves as CR LF. Without
/// the console's turn the text may mix with another core's.
pub struct Raw;

impl Write for Raw {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        LAST_OUTPUT.write(text);
        device_barrier();
        for byte in text.bytes() {
            if byte == b'\n' {
                let _ = UART.write_blocking(b'\r');
            }
            let _ = UART.write_blocking(byte);
        }
        Ok(())
    }
}

/// The console's queue, for who has the turn.
struct Queue;

impl Queue {
    /// Queues `bytes`, when there is room. The lock, and with it the mask, is held for a part at a
    /// time: bytes that come in do not wait for those that leave. A UART that does not send at all
    /// loses the text. Returns how many were queued.
    fn send(bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (taken, unsent) = {
                let mut serial = serial();
                (serial.write(rest), serial.unsent())
            };
            rest = rest.get(taken..).unwrap_or_default();
            let moves = match INTERRUPTS.load(Ordering::Relaxed) {
                _ if unsent == 0 => true,
                false => push_by_polling(),
                true if rest.is_empty() => true,
                true => wait::until(timeouts::UART_NS, has_room) || push_by_polling(),
            };
            if !moves {
                break;
            }
        }
        bytes.len() - rest.len()
    }
}

fn has_room() -> bool {
    serial().unsent() < TRANSMIT_QUEUE
}

/// Moves what is queued to the device until the queue is empty: the UART does not interrupt.
/// Returns whether it takes bytes at all.
fn push_by_polling() -> bool {
    let push = || {
        let mut serial = serial();
        let _ = serial.service();
        serial.push()
    };
    loop {
        let unsent = push();
        if unsent == 0 {
            return true;
        }
        if !wait::until(timeouts::UART_NS, || push() < unsent) {
            return false;
        }
    }
}

impl Write for Queue {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        LAST_OUTPUT.write(text);
        for line in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => {
                    Self::send(line);
                    Self::send(b"\r\n");
                }
                None => {
                    Self::send(line);
                }
            }
        }
        Ok(())
    }
}

/// Not 0 once pins and speed are set: boot/early.S, which reads it with the caches off, sets both
/// otherwise. Loaded with the image, not cleared with `.bss`.
#[expect(unsafe_code, reason = "read by assembly")]
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.early.console_is_set_up")]
static CONSOLE_IS_SET_UP: SetUp = SetUp(AtomicU32::new(0));

/// In a cache line of its own.
#[repr(align(64))]
struct SetUp(AtomicU32);

/// The line that a terminal at the wrong UART shows, instead of nothing.
const WHERE_IT_IS: &str =
    "stilt: the console is the PL011: QEMU's first -serial, GPIO14 and 15 of a board\r\n";

/// Connects the pins, sets the speed, and shows the log from here on. What was typed before is
/// kept.
///
/// # Panics
/// If the log has no room for another sink.
pub fn init(divisor: Divisor) {
    device_barrier();
    Gpio::new(registers(raspi3::GPIO)).route_pl011(|| delay_us(PULL_SETUP_US));
    serial().init(divisor);
    CONSOLE_IS_SET_UP.0.store(1, Ordering::Relaxed);
    let flag = (&raw const CONSOLE_IS_SET_UP).addr();
    cache::clean_and_invalidate(flag, flag + size_of::<SetUp>());
    device_barrier();
    // Whether a terminal is connected there cannot be known.
    let _ = MiniUart::new(registers(raspi3::AUX)).say(WHERE_IT_IS);
    device_barrier();
    let sink = Sink {
        write: print,
        least: Level::Info,
    };
    if let Err(error) = log::add_sink(sink) {
        panic!("the console shows no log: {error}");
    }
}

/// Lets the UART interrupt: from here on bytes come in whatever the core does.
pub(crate) fn start_interrupts() {
    serial().start();
    if irq::gpu_interrupts_work() {
        irq::unmask(IrqNumber::UART0);
        INTERRUPTS.store(true, Ordering::Relaxed);
    } else {
        warning!(
            "irq",
            "the interrupt controller does not obey: the console is polled"
        );
    }
}

/// The UART's interrupt, on the core that the GPU's are routed to: moves bytes between device and
/// queues. Barriers on both sides, since another peripheral's accesses may be under way (BCM2835
/// ARM Peripherals, 1.3).
pub(crate) fn interrupt(_: IrqNumber, _: usize) {
    let _ = serial().service();
    device_barrier();
}

/// Prints a text as a whole: no other core's comes in between, and LF leaves as CR LF.
///
/// Waits for the console's turn, a second at most unless a core reports, and then for room in the
/// queue of 4 KiB. Not with a lock held: debug builds refuse it. A UART that sends nothing loses
/// the text.
pub fn print(text: fmt::Arguments<'_>) {
    let _turn = ConsoleTurn::take();
    let _ = Queue.write_fmt(text);
}

/// The next byte that came in, if one has; a byte that arrived damaged is skipped.
pub(crate) fn try_read() -> Option<u8> {
    ahead::read().or_else(|| serial().read())
}

/// Waits for a byte, or for any interrupt: idle, or, where the UART does not interrupt this core,
/// for one look at the device. Who reads in a loop does in between what must be done.
pub(crate) fn wait_for_input() {
    if interrupts_come() && irq::serves_gpu() {
        idle::idle_unless(|| SERIAL.lock().has_received());
    } else {
        let _ = serial().service();
        push_by_polling();
    }
}

/// Whether the UART's interrupt wakes who waits for it: it may have been masked, in a storm or by
/// hand.
pub(crate) fn interrupts_come() -> bool {
    INTERRUPTS.load(Ordering::Relaxed) && irq::is_let_in(IrqNumber::UART0)
}

/// Whether a byte waits to be read: typed ahead, or in the UART's queue. Looks at the device, too,
/// once in a millisecond, where it does not interrupt.
pub(crate) fn has_received() -> bool {
    ahead::has_received() || received().has_received()
}

/// Whether Ctrl-C was typed and not read yet. What was typed before it waits to be read, as ever.
/// Not for handlers.
pub(crate) fn is_interrupted() -> bool {
    move_ahead();
    ahead::is_interrupted() || serial().has_received_byte(CTRL_C)
}

/// Whether [`is_interrupted`] has something to do: for who waits with interrupts masked.
pub(crate) fn wants_a_look() -> bool {
    if ahead::is_interrupted() {
        return true;
    }
    let has_room = ahead::room() > 0;
    let serial = serial();
    serial.has_received_byte(CTRL_C) || has_room && serial.waiting() >= FULL_ENOUGH
}

/// Bytes in the receive queue from which on it is emptied for a command that does not read.
const FULL_ENOUGH: usize = RECEIVE_QUEUE / 2;

/// Makes room in the receive queue, some bytes at a time: its lock masks interrupts.
fn move_ahead() {
    const BYTES: usize = 64;
    loop {
        let room = ahead::room();
        let mut bytes = [0; BYTES];
        let mut count = 0;
        {
            let mut serial = received();
            if serial.waiting() < FULL_ENOUGH {
                return;
            }
            for slot in bytes.iter_mut().take(room) {
                let Some(byte) = serial.read() else {
                    break;
                };
                *slot = byte;
                count += 1;
            }
        }
        if count == 0 {
            return;
        }
        ahead::push(bytes.get(..count).unwrap_or_default());
    }
}

/// Takes the Ctrl-C away, for whom it ended. Returns whether there was one.
pub(crate) fn take_interrupt() -> bool {
    ahead::take_interrupt() || received().remove_received(CTRL_C)
}

/// How often the device is looked at for bytes whose interrupt may not come: its queue of 16 takes
/// longer to fill.
const LOOK_NS: u64 = 1_000_000;

/// The UART, with what has come so far in its queue. Costs no access to a device but once in
/// [`LOOK_NS`].
fn received() -> Guard<'static, SerialPort, lock_classes::Console> {
    static NEXT_LOOK_NS: AtomicU64 = AtomicU64::new(0);
    let now_ns = clock::now_ns();
    let is_due = now_ns >= NEXT_LOOK_NS.load(Ordering::Relaxed);
    if !is_due {
        return serial();
    }
    NEXT_LOOK_NS.store(now_ns.saturating_add(LOOK_NS), Ordering::Relaxed);
    let is_polled = !interrupts_come();
    let mut serial = serial();
    if is_polled {
        let _ = serial.service();
    }
    serial
}

/// The counts of the serial line so far.
pub(crate) fn counts() -> SerialCounts {
    SERIAL.lock().counts()
}

/// Waits until everything printed has left. The lock is held for a look at a time: bytes that come
/// in do not wait for those that leave.
pub fn flush() {
    push_by_polling();
    wait_idle();
}

/// Waits until everything has left that is in the device.
pub(crate) fn wait_idle() {
    device_barrier();
    UART.wait_idle();
}

/// Writes to the console as [`print`] does, each `write_str` as a whole: `write!` with arguments is
/// several, between which other cores may print.
pub struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let _turn = ConsoleTurn::take();
        Queue.write_str(text)
    }
}

/// The console's UART, for a [`Stream`]. Without a value of its own: all copies share the PL011 and
/// its queues.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uart;

/// The console as a stream of bytes: `Stream::default()`, on any core.
///
/// Not for interrupt handlers, nor with a lock held: both directions wait, and debug builds refuse
/// it. Feeds no watchdog.
pub type Stream = stream::Stream<Uart>;

impl SerialLine for Uart {
    fn try_read(&self) -> Option<u8> {
        try_read()
    }

    fn has_received(&self) -> bool {
        has_received()
    }

    fn wait_for_input(&self) {
        wait_for_input();
    }

    fn send(&self, bytes: &[u8]) -> usize {
        let _turn = ConsoleTurn::take();
        Queue::send(bytes)
    }

    fn push_out(&self) -> bool {
        let is_empty = push_by_polling();
        if is_empty {
            wait_idle();
        }
        is_empty
    }
}
