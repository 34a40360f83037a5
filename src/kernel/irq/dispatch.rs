//! The dispatch of interrupts: the controllers' pending bits to the registered handlers.
//!
//! The UART receives a byte:
//!
//! 1. Core 0 takes an IRQ. Its source register of the local controller has bit 8, the GPU's
//!    cascade; the GPU's controller has bit 57 pending, the UART.
//! 2. `HANDLERS` gives the console's handler for that number, without a lock
//!    ([`handlers`](super::handlers)), and it is called with interrupts masked.
//! 3. The interrupt counts as handled; [`storm`](super::storm) looks whether it comes too often.
//!
//! An unhandled interrupt, and one that storms, is masked and reported. A spurious one is counted.
//!
//! # Decisions
//! - A masked storm is let in again by a timer that did not storm: the physical timer
//!   ([`second_timer`](crate::kernel::time::second_timer)), so that a storm of the virtual one ends
//!   too. A storm of the physical timer is first taken for one of deadlines, which its pause ends;
//!   if it goes on it is masked, and the timers let it in.
//! - Masks and storms are each core's own. To let an interrupt in on another core is a function
//!   call to that core.
//! - The owners of interrupts are under a lock, which only registration, reports and storms take.
#![expect(
    unsafe_code,
    reason = "places that the linker is told; `Handlers::serve`"
)]

use core::sync::atomic::AtomicUsize;

use super::counts::{IrqCounts, Unhandled};
use super::handlers::{CacheLine, Handlers, Served};
use super::owners::{IrqError, IrqOwners};
use super::storm::{ArrivalVerdict, STORM_RATE, StormGuard};
use crate::arch::held::assert_may_wait;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::{cpu, masks, timer};
use crate::board::irq_numbers::{IrqKind, IrqNumber};
use crate::board::raspi3::{self, CORES};
use crate::drivers::gpu_interrupts::{GpuInterrupts, GpuLine};
use crate::drivers::irq_sources::{IrqSource, Pending};
use crate::drivers::local_interrupts::{Core, CoreMailbox, LocalInterrupts, LocalSource};
use crate::kernel::clock;
use crate::kernel::devices::registers;
use crate::kernel::time::{self, second_timer, timeouts, wait};
use crate::log;

/// The function that is called for an interrupt, on the core that takes it, with its interrupts
/// masked: with its number and the argument that it was registered with.
pub type Handler = fn(IrqNumber, usize);

#[derive(Clone, Copy, Debug)]
struct IrqAction {
    handler: Handler,
    argument: usize,
}

static LOCAL: LocalInterrupts = LocalInterrupts::new(registers(raspi3::LOCAL_PERIPHERALS));
static GPU: GpuInterrupts = GpuInterrupts::new(registers(raspi3::INTERRUPT_CONTROLLER));

/// The core to which the GPU's interrupts are routed.
const GPU_CORE: u8 = 0;

static OWNERS: Lock<IrqOwners<{ IrqNumber::COUNT }>, lock_classes::IrqOwners> =
    Lock::new(IrqOwners::new());

static HANDLERS: Handlers<IrqAction, AtomicUsize, CORES, { IrqNumber::COUNT }> = Handlers::new(
    [const { AtomicUsize::new(0) }; IrqNumber::COUNT],
    [const { CacheLine(AtomicUsize::new(0)) }; CORES],
);
// SAFETY: cleared by `kernel_main`; an empty value is all zero, and nobody uses it before.
#[unsafe(link_section = ".late.irq_counts")]
static COUNTS: IrqCounts<CORES, { IrqNumber::COUNT }> = IrqCounts::new();
// SAFETY: as above.
#[unsafe(link_section = ".late.irq_storms")]
static STORMS: StormGuard<CORES, { IrqNumber::COUNT }> = StormGuard::new();

/// How long an interrupt that storms is masked at most: less if another one storms already.
const STORM_PAUSE_NS: u64 = 1_000_000_000;

/// The mailbox through which cores interrupt each other: mailbox 0 of each core (QA7 4.8).
pub(crate) const IPI_MAILBOX: IrqNumber = IrqNumber::MAILBOX_0;

/// The interrupt by which a masked storm is let in again, and which stands in for the virtual timer
/// where that is needed.
pub(crate) const SECOND_TIMER: IrqNumber = IrqNumber::PHYSICAL_TIMER;

/// Brings the controllers to a known state. Once, on core 0, before any core lets interrupts in.
pub(crate) fn init() {
    cpu::device_barrier();
    LOCAL.init_shared(core(usize::from(GPU_CORE)));
    cpu::device_barrier();
    GPU.disable_all();
    cpu::device_barrier();
}

/// Gives interrupt `number` to `owner`: from here on `handler` is called with `argument` for it, if
/// it is [let in](unmask). At any time, on any core; what a handler reads must be ready before.
///
/// # Errors
/// [`IrqError::Taken`] if anybody has it, `owner` included.
pub fn register(
    owner: &'static str,
    number: IrqNumber,
    handler: Handler,
    argument: usize,
) -> Result<(), IrqError> {
    OWNERS.lock().add(number.index(), owner)?;
    let is_free = HANDLERS.set(number.index(), IrqAction { handler, argument });
    assert!(is_free, "{number} has a handler, and no owner");
    Ok(())
}

/// Takes interrupt `number` from `owner`, and masks it: when this returns, its handler runs on no
/// core and is not called any more. A core that is in it is waited for.
///
/// Of a local source only this core's line is masked: mask those of other cores before.
/// An interrupt that still comes on another core's line is masked there, and reported as unhandled.
///
/// # Errors
/// [`IrqError::NotRegistered`], [`IrqError::Taken`] or [`IrqError::Leaving`] if it is not `owner`'s
/// to give up; [`IrqError::StillServed`] if a core does not leave the handler in time: it is not
/// called any more, is `owner`'s still, and may be given up again.
///
/// # Panics
/// If interrupts are masked, as in every handler: it would wait for itself. In debug builds, if a
/// lock is held.
pub fn unregister(owner: &'static str, number: IrqNumber) -> Result<(), IrqError> {
    assert!(
        !cpu::interrupts_are_masked(),
        "{number} is given up with interrupts masked"
    );
    assert_may_wait("the end of a handler");
    let index = number.index();
    OWNERS.lock().leave(index, owner)?;
    mask(number);
    HANDLERS.retire(index);
    let mut server = 0;
    let is_free = wait::until(timeouts::HANDLER_NS, || match HANDLERS.free(index) {
        Ok(()) => true,
        Err(core) => {
            server = core;
            false
        }
    });
    if !is_free {
        OWNERS.lock().keep(index);
        let (number, core) = (index, server);
        return Err(IrqError::StillServed { number, core });
    }
    OWNERS.lock().remove(index);
    Ok(())
}

/// The owner of `number`.
fn owner_of(number: IrqNumber) -> Option<&'static str> {
    OWNERS.lock().of(number.index())
}

/// Whether the running core is the one that the GPU's peripherals interrupt.
pub(crate) fn serves_gpu() -> bool {
    cpu::number() == usize::from(GPU_CORE)
}

/// Lets this core's interrupts in: both its timers, its mailbox, and then PSTATE.I. Once on each
/// core, behind its vectors; on core 0 behind [`init`].
pub(crate) fn init_core() {
    timer::init();
    second_timer::init_core();
    cpu::device_barrier();
    LOCAL.init_core(core(cpu::number()));
    unmask(SECOND_TIMER);
    unmask(IrqNumber::VIRTUAL_TIMER);
    unmask(IPI_MAILBOX);
    cpu::unmask_interrupts();
}

/// Whether the GPU's peripherals can interrupt at all: the UART's line is enabled, read back and
/// disabled again. Under a hypervisor there may be memory in the controller's place.
pub(crate) fn gpu_interrupts_work() -> bool {
    let _masked = masks::mask();
    cpu::device_barrier();
    let obeys = match IrqNumber::UART0.kind() {
        IrqKind::Gpu { source } => GpuLine::gpu(source).is_some_and(|line| GPU.obeys(line)),
        _ => false,
    };
    cpu::device_barrier();
    obeys
}

/// Whether `number`, one of the GPU's, is let in: by the controller's register, and not by what was
/// asked of it last. `false` for any other number.
pub(crate) fn is_let_in(number: IrqNumber) -> bool {
    let _masked = masks::mask();
    cpu::device_barrier();
    let is_enabled = match number.kind() {
        IrqKind::Gpu { source } => GpuLine::gpu(source).is_some_and(|line| GPU.is_enabled(line)),
        _ => false,
    };
    cpu::device_barrier();
    is_enabled
}

/// Lets `number` in: for this core if it is one of its own, else for the core to which it is
/// routed.
pub fn unmask(number: IrqNumber) {
    change_mask(number, LocalInterrupts::unmask, GpuInterrupts::enable);
}

/// Keeps `number` out, where [`unmask`] lets it in: a local source on this core alone (QA7 4.6,
/// 4.7), a line of the GPU's controller for the core that it is routed to (BCM2835 ARM Peripherals,
/// 7.5). One that is on its way may still come. A number without a mask stays as it is.
pub fn mask(number: IrqNumber) {
    change_mask(number, LocalInterrupts::mask, GpuInterrupts::disable);
}

fn change_mask(
    number: IrqNumber,
    local: fn(&LocalInterrupts, Core, LocalSource),
    gpu: fn(&GpuInterrupts, GpuLine),
) {
    let _masked = masks::mask();
    cpu::device_barrier();
    match number.kind() {
        IrqKind::Local { source } => {
            if let Some(source) = LocalSource::at_bit(source) {
                local(&LOCAL, core(cpu::number()), source);
            }
        }
        IrqKind::Gpu { source } => {
            if let Some(line) = GpuLine::gpu(source) {
                gpu(&GPU, line);
            }
        }
        IrqKind::Basic { source } => {
            if let Some(line) = GpuLine::basic(source) {
                gpu(&GPU, line);
            }
        }
    }
    cpu::device_barrier();
}

/// Interrupts core `number`: adds `bits` to its mailbox, once all that was written is visible.
pub(crate) fn send(number: usize, bits: u32) {
    cpu::wait_for_stores();
    LOCAL.send(core(number), IPI, bits);
}

/// Empties this core's mailbox: what was asked is looked for after this.
pub(crate) fn take() {
    let _ = LOCAL.take(core(cpu::number()), IPI);
    cpu::wait_for_stores();
}

const IPI: CoreMailbox = match CoreMailbox::new(0) {
    Some(mailbox) => mailbox,
    None => unreachable!(),
};

#[inline]
fn core(number: usize) -> Core {
    match Core::new(number as u8) {
        Some(core) => core,
        None => unreachable!("core {number}"),
    }
}

/// An IRQ on this core: serves all that is pending.
///
/// The barrier between what the interrupted code was reading and the first access here is in the
/// vectors (arch/exception.S).
pub(crate) fn handle() {
    let here = cpu::number();
    let pending = LOCAL.pending(core(here));
    let mut served = false;
    for source in Pending::new(pending, &GPU, cpu::device_barrier) {
        let number = match source {
            IrqSource::Local(bit) => IrqNumber::local(bit),
            IrqSource::Gpu(line) => IrqNumber::behind_cascade(line.number()),
        };
        if let Some(number) = number {
            serve(here, number);
            served = true;
        }
    }
    if !served {
        COUNTS.count_spurious(here);
    }
}

#[inline]
fn serve(here: usize, number: IrqNumber) {
    let call = |action: IrqAction| {
        COUNTS.count_handled(here, number.index());
        (action.handler)(number, action.argument);
    };
    // SAFETY: this core's number, in its interrupt, which masks others.
    match unsafe { HANDLERS.serve(here, number.index(), call) } {
        Served::Called => {}
        // It was on its way when it was masked.
        Served::Retiring => return mask(number),
        Served::Nobody => return refuse(here, number),
    }
    // Counted behind the handler, so that nothing delays it. IPIs are not counted: the cores of
    // this kernel send as many as they need.
    if number != IPI_MAILBOX {
        match STORMS.arrived(STORM_RATE, here, number.index(), clock::raw_ns()) {
            ArrivalVerdict::Calm => {}
            ArrivalVerdict::Storm if number == SECOND_TIMER => pause(here),
            ArrivalVerdict::Storm | ArrivalVerdict::Masked => calm(here, number),
        }
    }
}

#[cold]
fn refuse(here: usize, number: IrqNumber) {
    mask(number);
    if COUNTS.count_unhandled(here, number.index()) == Unhandled::First {
        let how = if has_mask(number) {
            "masked"
        } else {
            "there is no mask for it"
        };
        log!("irq", "{number} on core {here} belongs to nobody: {how}");
    }
}

/// Whether anything keeps `number` out.
const fn has_mask(number: IrqNumber) -> bool {
    match number.kind() {
        IrqKind::Local { source } => LocalSource::at_bit(source).is_some(),
        IrqKind::Gpu { .. } | IrqKind::Basic { .. } => true,
    }
}

/// The owner of what was given up just now.
const NOBODY: &str = "nobody";

/// The physical timer storms: for a second it serves no deadlines.
#[cold]
fn pause(here: usize) {
    second_timer::end_storm_in(STORM_PAUSE_NS);
    let owner = owner_of(SECOND_TIMER).unwrap_or(NOBODY);
    log!(
        "irq",
        "{SECOND_TIMER} of {owner} storms on core {here}: serves no deadline for a second"
    );
}

#[cold]
fn calm(here: usize, number: IrqNumber) {
    mask(number);
    let owner = owner_of(number).unwrap_or(NOBODY);
    log!(
        "irq",
        "{number} of {owner} storms on core {here}: masked at {} a second, for a second",
        1_000_000_000 / STORM_RATE.interval_ns
    );
    if number != SECOND_TIMER {
        return second_timer::end_storm_in(STORM_PAUSE_NS);
    }
    let later = time::arm(STORM_PAUSE_NS, None, |_| let_all_in_again(), 0);
    if let Err(error) = later {
        log!("irq", "{number} stays masked: {error}");
    }
}

/// The physical timer's interrupt: the storms on this core are over, or come again; and what is due
/// is done, which sets the timer again if it stands in.
pub(crate) fn second_timer_interrupt(number: IrqNumber, argument: usize) {
    if second_timer::take() {
        let_all_in_again();
    }
    time::interrupt(number, argument);
}

fn let_all_in_again() {
    for number in numbers() {
        release_here(number);
    }
}

/// Lets `number` in again on this core if a storm masked it, and somebody has it still. Returns
/// whether a storm had.
pub(crate) fn release_here(number: IrqNumber) -> bool {
    let _masked = masks::mask();
    let here = cpu::number();
    let stormed = STORMS.is_masked(here, number.index());
    if stormed {
        STORMS.release(here, number.index());
        if owner_of(number).is_some() {
            unmask(number);
        }
    }
    stormed
}

/// Whether a storm of `number` was masked on core `core`, and it was not let in again.
pub(crate) fn was_masked(core: usize, number: IrqNumber) -> bool {
    STORMS.is_masked(core, number.index())
}

/// Every interrupt that there is.
fn numbers() -> impl Iterator<Item = IrqNumber> {
    (0..IrqNumber::COUNT).filter_map(|number| IrqNumber::new(number as u8))
}

/// The counts of an interrupt so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IrqReport {
    pub(crate) number: IrqNumber,
    /// Its owner.
    pub(crate) owner: Option<&'static str>,
    /// How often it came, for each core.
    pub(crate) counts: [u64; CORES],
    /// Whether a storm of it was masked on some core.
    pub(crate) storms: bool,
}

/// Every interrupt that somebody registered or that came.
pub(crate) fn reports() -> impl Iterator<Item = IrqReport> {
    numbers().filter_map(|number| {
        let counts = core::array::from_fn(|core| COUNTS.handled(core, number.index()));
        let report = IrqReport {
            number,
            owner: owner_of(number),
            counts,
            storms: (0..CORES).any(|core| was_masked(core, number)),
        };
        let is_worth_a_line = report.owner.is_some() || counts.iter().any(|count| *count > 0);
        is_worth_a_line.then_some(report)
    })
}

/// Spurious interrupts of core `core`: nothing was pending.
pub(crate) fn spurious(core: usize) -> u64 {
    COUNTS.spurious(core)
}

/// Unhandled interrupts of core `core`: pending, and registered by nobody.
pub(crate) fn unhandled(core: usize) -> u64 {
    COUNTS.unhandled(core)
}

/// All interrupts that core `core` took, spurious and unhandled ones included. Of one moment only
/// if the core asks for itself with interrupts masked.
pub(crate) fn total(core: usize) -> u64 {
    let handled = (0..IrqNumber::COUNT).map(|number| COUNTS.handled(core, number));
    handled.sum::<u64>() + spurious(core) + unhandled(core)
}
