//! `fault`: provokes what the kernel must catch and explain.
#![expect(unsafe_code, reason = "faults on purpose")]

use core::arch::asm;
use core::error::Error;
use core::fmt::{self, Write};
use core::hint::black_box;
use core::ops::Range;
use core::sync::atomic::Ordering;

use super::arguments::{no_choice, number_from};
use super::error::CommandError;
use super::progress::Progress;
use crate::arch::cpu;
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::onfault::{self, FaultableFunction, Faulted};
use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::board::raspi3::{self, CORES};
use crate::kernel::clock;
use crate::kernel::cores::ipi::{self, CallError, PendingCall};
use crate::kernel::cores::per_core;
use crate::kernel::time;
use crate::kernel::time::timeouts;
use crate::kernel::{console, report};
use crate::mm::kernel_space::{self, READ_WRITE};
use crate::mm::layout::phys_to_virt;
use crate::mm::layout::{self, Pages};
use crate::paging::{MappingFlags, PagingResult};

/// Whether the kernel goes on afterwards.
#[derive(Clone, Copy, PartialEq)]
enum AfterFault {
    Returns,
    Final,
    /// Without the checks of a debug image nothing happens.
    FinalInDebugImage,
}

struct FaultKind {
    name: &'static str,
    /// The action, as `help fault` shows it.
    what: &'static str,
    function: FaultableFunction,
    ending: AfterFault,
}

const fn returns(name: &'static str, what: &'static str, function: FaultableFunction) -> FaultKind {
    FaultKind {
        name,
        what,
        function,
        ending: AfterFault::Returns,
    }
}

const fn ends(name: &'static str, what: &'static str, function: FaultableFunction) -> FaultKind {
    FaultKind {
        name,
        what,
        function,
        ending: AfterFault::Final,
    }
}

const fn ends_in_debug_image(
    name: &'static str,
    what: &'static str,
    function: FaultableFunction,
) -> FaultKind {
    let kind = ends(name, what, function);
    FaultKind {
        ending: AfterFault::FinalInDebugImage,
        ..kind
    }
}

#[rustfmt::skip]
static KINDS: [FaultKind; 25] = [
    returns("null-read", "load from address 0", null_read),
    returns("null-call", "call address 0", null_call),
    returns("write-text", "store to code", write_text),
    returns("write-rodata", "store to a constant", write_rodata),
    returns("exec-data", "call a function in data", exec_data),
    returns("exec-device", "call the UART's registers", exec_device),
    returns("unaligned-device", "load across registers", unaligned_device),
    returns("guard-page", "store below the stack", guard_page),
    returns("undefined", "an undefined instruction", undefined),
    returns("brk", "a breakpoint instruction", brk),
    returns("svc", "a system call from EL1", svc),
    returns("access-flag", "load from a page never accessed", access_flag),
    returns("non-canonical", "load from 1 << 48", non_canonical),
    returns("guard-order", "guards dropped in another order", guard_order),
    returns("timer-storm", "a timer that is always due", timer_storm),
    ends("stack-overflow", "recursion without end", stack_overflow),
    ends("handler-brk", "a breakpoint in a handler", handler_brk),
    ends("handler-overflow", "recursion in a handler", handler_overflow),
    ends("emergency-overflow", "recursion on the emergency stack", emergency_overflow),
    ends("panic", "a panic", panic),
    ends("nested", "a fault inside the report", nested),
    ends("deadlock", "wait for one's own lock", deadlock),
    ends("locked-call", "call a core under a lock", locked_call),
    ends_in_debug_image("lock-order", "locks out of order", lock_order),
    ends_in_debug_image("locked-print", "print under a lock", locked_print),
];

/// The names of all kinds, for a refusal.
struct FaultNames;

impl fmt::Display for FaultNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in KINDS.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", kind.name)?;
        }
        Ok(())
    }
}

/// All kinds, one a line: what `fault` and `help fault` show.
pub(super) fn list(out: &mut dyn Write) -> fmt::Result {
    for kind in &KINDS {
        let ending = match kind.ending {
            AfterFault::Returns => "",
            AfterFault::Final => "; ends the run",
            AfterFault::FinalInDebugImage if HAS_CHECKS => "; ends the run",
            AfterFault::FinalInDebugImage => "; needs a debug image: make qemu DEBUG=1",
        };
        writeln!(out, "  {:<19} {}{ending}", kind.name, kind.what)?;
    }
    let last = CORES - 1;
    writeln!(
        out,
        "  CORE is from 0 to {last}, or `all` at once; without: core 0."
    )
}

/// The words that Tab completes.
pub(super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => KINDS.iter().for_each(|kind| each(kind.name)),
        [_] => ["0", "1", "2", "3", "all"].into_iter().for_each(each),
        _ => {}
    }
}

/// Whether this image has the checks of debug builds.
const HAS_CHECKS: bool = cfg!(debug_assertions);

/// `fault KIND [CORE|all]`
pub(super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (name, cores) = match arguments {
        [] => {
            list(out)?;
            writeln!(out, "usage: fault KIND [CORE|all]")?;
            return Ok(());
        }
        [name] => (name, 0..1),
        [name, "all"] => (name, 0..CORES),
        [name, core] => {
            let core = number_from(0, CORES as u64 - 1, core)? as usize;
            (name, core..core + 1)
        }
        _ => return Err(CommandError::wrong_count()),
    };
    let Some(index) = KINDS.iter().position(|kind| kind.name == *name) else {
        return Err(no_choice(name, &FaultNames));
    };
    let _page = UntouchedPage::new()?;
    provoke_on(cores, index, out)
}

/// The page at [`layout::SCRATCH`] without its access flag, until it is dropped.
struct UntouchedPage;

impl UntouchedPage {
    fn new() -> PagingResult<Self> {
        let untouched = READ_WRITE.difference(MappingFlags::ACCESSED);
        kernel_space::map_page(layout::SCRATCH, untouched)?;
        Ok(Self)
    }
}

impl Drop for UntouchedPage {
    fn drop(&mut self) {
        // Only a page that is not mapped is refused, and then there is nothing to undo.
        let _ = kernel_space::unmap_page(layout::SCRATCH);
    }
}

/// Provokes the fault on all of `cores` at once, on this one last.
fn provoke_on(cores: Range<usize>, index: usize, out: &mut dyn Write) -> Result<(), CommandError> {
    let here = cpu::number();
    let mut calls = [const { None }; CORES];
    if let Some(core) = cores.clone().find(|core| !per_core::of(*core).is_online()) {
        return Err(CallError::Offline { core }.into());
    }
    // Every core that was called is waited for, also when another call fails.
    let mut refused = Ok(());
    for core in cores.clone().filter(|core| *core != here) {
        match (
            ipi::call_function_async(core, provoke, index),
            calls.get_mut(core),
        ) {
            (Ok(call), Some(slot)) => *slot = Some(call),
            (Ok(_), None) => {}
            (Err(error), _) => refused = Err(CommandError::from(error)),
        }
    }
    let mut all_caught = !cores.contains(&here) || provoke(index) == CAUGHT;
    for (core, call) in calls.into_iter().enumerate() {
        match call.map(|call| answer_of(call, out)) {
            None | Some(Ok(CAUGHT)) => {}
            Some(Ok(_)) => {
                writeln!(out, "core {core} caught nothing")?;
                all_caught = false;
            }
            Some(Err(error)) if error.is::<CallError>() => refused = Err(error),
            Some(Err(error)) => return Err(error),
        }
    }
    refused?;
    match (all_caught, KINDS.get(index)) {
        (true, _) => Ok(()),
        (false, Some(kind)) if kind.ending == AfterFault::FinalInDebugImage => {
            Err(NothingCaught::NeedsDebug { what: kind.name }.into())
        }
        (false, _) => Err(NothingCaught::AtAll.into()),
    }
}

/// The result of `call`. Ctrl-C ends the wait for a core that hangs.
fn answer_of(call: PendingCall, out: &mut dyn Write) -> Result<usize, CommandError> {
    let mut waited = timeouts::wait_for(call.timeout_ns());
    let mut progress = Progress::new("fault", call.timeout_ns() / 1_000_000, "ms of waiting");
    let mut waited_ns = 0;
    while !call.is_complete() && waited_ns < call.timeout_ns() {
        progress.at(waited_ns / 1_000_000, out)?;
        relax();
        waited_ns = waited.look(clock::raw_ns(), LOOK_CYCLES);
    }
    Ok(call.finish_now()?)
}

/// The action took no exception.
#[derive(Debug)]
enum NothingCaught {
    AtAll,
    /// Only an image with the checks of debug builds notices.
    NeedsDebug {
        what: &'static str,
    },
}

impl fmt::Display for NothingCaught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was caught")?;
        match self {
            Self::AtAll => Ok(()),
            Self::NeedsDebug { what } => {
                write!(f, ": {what} needs a debug image: make qemu DEBUG=1")
            }
        }
    }
}

impl Error for NothingCaught {}

const CAUGHT: usize = 1;

/// Provokes fault `index` on this core. Returns [`CAUGHT`] if it was caught.
fn provoke(index: usize) -> usize {
    let Some(kind) = KINDS.get(index) else {
        return 0;
    };
    let page = layout::SCRATCH.as_usize();
    if kind.ending != AfterFault::Returns {
        // SAFETY: not safe, and meant so: the kernel ends.
        unsafe { (kind.function)(page) };
        return 0;
    }
    let core = per_core::this();
    let depth = core.nesting.depth();
    // SAFETY: the word is this core's; the routines own nothing.
    match unsafe { onfault::call(&core.onfault, depth, kind.function, page) } {
        Ok(()) => 0,
        Err(Faulted) => CAUGHT,
    }
}

/// `ret`, in memory that is data.
static mut RETURN: u32 = 0xd65f_03c0;
/// In memory that is constant.
static CONSTANT: u64 = 0x5741_4c4c;

/// A load that the compiler knows nothing about.
#[inline(always)]
fn load(address: usize) {
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { asm!("ldr {0}, [{0}]", inout(reg) address => _, options(nostack)) };
}

#[inline(always)]
fn store(address: usize) {
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { asm!("str xzr, [{0}]", in(reg) address, options(nostack)) };
}

#[inline(always)]
fn call(address: usize) {
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { asm!("blr {0}", in(reg) address, clobber_abi("C")) };
}

unsafe extern "C" fn null_read(_: usize) {
    load(0);
}

unsafe extern "C" fn null_call(_: usize) {
    call(0);
}

unsafe extern "C" fn write_text(_: usize) {
    store((write_text as FaultableFunction as usize).next_multiple_of(8));
}

unsafe extern "C" fn write_rodata(_: usize) {
    store((&raw const CONSTANT).addr());
}

unsafe extern "C" fn exec_data(_: usize) {
    call((&raw const RETURN).addr());
}

unsafe extern "C" fn exec_device(_: usize) {
    call(phys_to_virt(raspi3::UART0).as_usize());
}

unsafe extern "C" fn unaligned_device(_: usize) {
    load(phys_to_virt(raspi3::UART0).as_usize() + 1);
}

unsafe extern "C" fn guard_page(_: usize) {
    store(layout::main_stack(cpu::number()).start.as_usize() - 8);
}

unsafe extern "C" fn access_flag(untouched_page: usize) {
    load(untouched_page);
}

unsafe extern "C" fn non_canonical(_: usize) {
    load(1 << 48);
}

unsafe extern "C" fn undefined(_: usize) {
    // SAFETY: not safe, and meant so.
    unsafe { asm!("udf #0x57", options(nostack)) };
}

unsafe extern "C" fn brk(_: usize) {
    // SAFETY: not safe, and meant so.
    unsafe { asm!("brk #0x57", options(nostack)) };
}

unsafe extern "C" fn svc(_: usize) {
    // SAFETY: not safe, and meant so. A call from EL1 to EL1 overwrites nothing but ELR and SPSR.
    unsafe { asm!("svc #0x57", options(nostack)) };
}

unsafe extern "C" fn panic(_: usize) {
    panic!("asked for by `fault panic`");
}

static LOWER: Lock<(), lock_classes::FaultLower> = Lock::new(());
static UPPER: Lock<(), lock_classes::FaultUpper> = Lock::new(());

/// A core that waits for itself.
unsafe extern "C" fn deadlock(_: usize) {
    let held = LOWER.lock();
    drop(LOWER.lock());
    drop(held);
}

/// Locks in an order in which two cores could wait for each other.
unsafe extern "C" fn lock_order(_: usize) {
    let upper = UPPER.lock();
    drop(LOWER.lock());
    drop(upper);
}

/// Prints with a lock held, and so with interrupts kept out for as long as the line takes.
unsafe extern "C" fn locked_print(_: usize) {
    let held = LOWER.lock();
    console::print(format_args!("printed with a lock held\n"));
    drop(held);
}

/// Waits for another core, which may be waiting for this lock.
unsafe extern "C" fn locked_call(_: usize) {
    let held = LOWER.lock();
    let other = usize::from(cpu::number() == 0);
    let _ = ipi::call_function(other, |argument| argument, 0);
    drop(held);
}

/// Ends the guards of two locks in the order in which they began: interrupts come back with the
/// second.
unsafe extern "C" fn guard_order(_: usize) {
    let before = cpu::interrupts_are_masked();
    let (lower, upper) = (LOWER.lock(), UPPER.lock());
    drop(lower);
    assert!(
        cpu::interrupts_are_masked(),
        "interrupts are let in while a lock is held"
    );
    drop(upper);
    assert!(
        cpu::interrupts_are_masked() == before,
        "interrupts stay masked behind the last lock"
    );
}

/// The core's timer interrupts it twice as often as is allowed, for 30 ms.
unsafe extern "C" fn timer_storm(_: usize) {
    let end_us = clock::now_us() + 30_000;
    storm_on(end_us as usize);
}

fn storm_on(end_us: usize) {
    if clock::now_us() < end_us as u64 {
        // Without a free timer the storm ends, which is what it does in the end anyway.
        let _ = time::arm(STORM_INTERVAL_NS, None, storm_on, end_us);
    }
}

const STORM_INTERVAL_NS: u64 = 5_000;

/// A breakpoint in an interrupt's handler, which interrupts a call that recovers from exceptions:
/// from this one it does not.
unsafe extern "C" fn handler_brk(_: usize) {
    // SAFETY: not safe, and meant so.
    let armed = time::arm(HANDLER_BRK_NS, None, |_| unsafe { brk(0) }, 0);
    if armed.is_ok() {
        let core = per_core::this();
        // SAFETY: the word is this core's; waiting owns nothing.
        let _ = unsafe { onfault::call(&core.onfault, core.nesting.depth(), wait, 0) };
    }
}

/// Long enough for the call to begin.
const HANDLER_BRK_NS: u64 = 20_000_000;

/// Waits for what [`handler_brk`] has armed, and some more.
unsafe extern "C" fn wait(_: usize) {
    clock::delay_us(10 * HANDLER_BRK_NS / 1_000);
}

unsafe extern "C" fn nested(_: usize) {
    report::FAIL_INSIDE.store(true, Ordering::Relaxed);
    // SAFETY: not safe, and meant so.
    unsafe { asm!("brk #0x58", options(nostack)) };
}

unsafe extern "C" fn stack_overflow(depth: usize) {
    // Small enough for stores of this function: this function hits the guard, not memcpy.
    let filler = black_box([depth; 4]);
    if black_box(depth) < usize::MAX {
        // SAFETY: not safe, and meant so: a guard must catch it.
        unsafe { stack_overflow(depth + 1) };
    }
    black_box(filler);
}

unsafe extern "C" fn handler_overflow(_: usize) {
    overflow(layout::exception_stack(cpu::number()));
}

unsafe extern "C" fn emergency_overflow(_: usize) {
    overflow(layout::emergency_stack(cpu::number()));
}

/// Runs over `stack`, as if in a handler.
fn overflow(stack: Pages) -> ! {
    // SAFETY: not safe, and meant so: a guard must catch it.
    unsafe {
        asm!(
            "mov sp, {top}",
            "mov x0, xzr",
            "bl {function}",
            "b .",
            top = in(reg) stack.end(),
            function = sym stack_overflow,
            options(noreturn),
        )
    }
}
