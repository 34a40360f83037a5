//! Reports of exceptions and panics.
//!
//! A report takes no lock and allocates nothing. Cores that fail at once take turns, each for a
//! bounded time; a failure inside a report is told in one line and ends the machine.
//!
//! # Decisions
//! Everything that a report reads through a pointer it reads by [`nofault`](crate::arch::nofault):
//! tables and stacks may be what is broken.

use core::fmt::{self, Display, Write};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::console::{self, Raw};
use super::cores::per_core;
use super::exit::ExitCode;
use super::time::wait;
use crate::addr::VirtAddr;
use crate::arch::exception::TrapFrame;
use crate::arch::masks::ExceptionsMasked;
use crate::arch::user_mode::UserContext;
use crate::arch::{cpu, onfault};
use crate::exception::state::ProcessorState;
use crate::exception::syndrome::{ExceptionClass, Syndrome};
use crate::exception::vector::{ExceptionKind, Vector};
use crate::mm::layout;
use crate::paging::format::aarch64_refusal::{Attempt, Privilege};
use crate::text::Wrapped;
use ending::{End, end, end_silently};

pub(crate) mod address_map;
mod audit_again;
pub(crate) mod boot_map;
mod core_audit;
pub(crate) mod ending;
mod exception_handler;
pub(crate) mod live_audit;
mod panic;
mod space_audit;
mod spurious_fault;
mod trace;
mod turn;
mod walk;

pub(super) use audit_again::audit_again;
pub(super) use space_audit::SpaceCounts;
pub(super) use walk::{KeptWalk, index_shift, map_allows, table_index};

use trace::At;
pub(super) use trace::from_here as trace_from_here;
use turn::ReportTurn;

/// Whether the next report fails on purpose, for `fault nested`.
pub(super) static FAIL_INSIDE: AtomicBool = AtomicBool::new(false);

/// ESR_EL1 of the last report of a synchronous exception, on any core; 0 if there was none, which
/// is the value of no exception of a 32-bit instruction (IL is set).
static LAST_SYNDROME: AtomicU64 = AtomicU64::new(0);

/// The syndrome of the last report since [`forget_fault`], of whichever core.
pub(super) fn last_fault() -> Option<Syndrome> {
    let esr = LAST_SYNDROME.load(Ordering::Acquire);
    (esr != 0).then_some(Syndrome::new(esr))
}

/// From here on [`last_fault`] is none until the next report.
pub(super) fn forget_fault() {
    LAST_SYNDROME.store(0, Ordering::Relaxed);
}

/// The last line of a machine that has failed.
const LAST_LINE: &str = "stilt: stopped";

/// Where a report goes: the console as it is, in rows of 80 columns.
pub(super) const fn out() -> Wrapped<Raw> {
    Wrapped::new(Raw)
}

/// A report under way on this core.
pub(crate) struct Report {
    turn: ReportTurn,
    /// Other cores cannot print meanwhile.
    console: console::ConsoleTurn,
    code: ExitCode,
}

impl Report {
    /// Begins a report about `title`; a final one will end the machine with `code`. If there is one
    /// under way on this core, says only that and `detail`, and ends the machine.
    pub(crate) fn begin(code: ExitCode, title: impl Display, detail: impl Display) -> Self {
        cpu::mask_exceptions();
        let reports = &per_core::this().reports;
        let under_way = reports.load(Ordering::Relaxed);
        reports.store(under_way + 1, Ordering::Relaxed);
        match under_way {
            0 => {}
            1 => {
                let core = cpu::number();
                if wait::must_halt(core) {
                    wait::halt();
                }
                let _ = writeln!(out(), "\nstilt: {title} inside the report on core {core}");
                let _ = writeln!(out(), "  what   {detail}");
                ReportTurn::give_up();
                end(End::Failure(code), LAST_LINE);
            }
            _ => end_silently(code),
        }
        let turn = ReportTurn::take();
        let console = console::ConsoleTurn::for_report();
        let _ = writeln!(out(), "\nstilt: {title} on core {}", cpu::number());
        let _ = writeln!(out(), "  what   {detail}");
        Self {
            turn,
            console,
            code,
        }
    }

    /// The report was all: this core goes on.
    pub(super) fn resume(self) {
        let _ = writeln!(out(), "stilt: continues");
        per_core::this().reports.store(0, Ordering::Relaxed);
        drop(self.console);
        self.turn.pass_on();
    }

    /// Ends the machine, when the reports of other cores are out.
    pub(crate) fn end(self) -> ! {
        drop(self.console);
        self.turn.pass_on();
        end(End::Failure(self.code), LAST_LINE)
    }
}

/// Reports an exception. If a call [recovers](onfault) from it, that returns; otherwise the machine
/// ends.
pub(super) fn exception(frame: &mut TrapFrame, vector: Vector) {
    let code = ExitCode::Exception;
    let detail = Detail::of(frame, vector);
    let report = Report::begin(code, vector, &detail);
    let _ = describe(&mut out(), frame, detail.syndrome);
    if recover(frame, vector) {
        report.resume();
    } else {
        report.end();
    }
}

/// Reports the exception that ended a program at EL0, by the registers that it left. The kernel
/// goes on behind a synchronous one. An SError ends the machine: it may come long after the access
/// that caused it, which may have been the kernel's.
pub(super) fn user_fault(vector: Vector, context: &UserContext) {
    let frame = frame_of(context);
    let _masked = ExceptionsMasked::begin();
    let detail = Detail::of(&frame, vector);
    let report = Report::begin(ExitCode::Exception, vector, &detail);
    let _ = describe(&mut out(), &frame, detail.syndrome);
    if vector.kind() != ExceptionKind::Synchronous {
        report.end();
    }
    report.resume();
}

/// The registers of EL0 as reports have them. No call leads to them: the record is an outermost
/// one.
const fn frame_of(context: &UserContext) -> TrapFrame {
    TrapFrame {
        x: context.x,
        sp: context.sp,
        elr: context.pc,
        spsr: context.pstate,
        esr: context.esr,
        far: context.far,
        link: [0; 2],
    }
}

/// Makes this core's innermost [`onfault::call`] return an error, if its function took the
/// exception of `frame`. Returns whether it did.
///
/// Not for an SError, which may come long after the access that caused it. Called in the handler of
/// that exception.
fn recover(frame: &mut TrapFrame, vector: Vector) -> bool {
    let core = per_core::this();
    let stacks = layout::stacks(cpu::number());
    let stack = |sp: usize| {
        let mut stacks = stacks.iter();
        let stack = stacks.find(|stack| (stack.start.as_usize()..stack.end()).contains(&sp));
        stack.map(|stack| stack.start.as_usize())
    };
    vector.kind() == ExceptionKind::Synchronous
        && onfault::recover(&core.onfault, core.nesting.depth(), stack, frame)
}

/// The second line of a report: cause and addresses.
struct Detail {
    /// ESR_EL1, of exceptions that have a syndrome.
    syndrome: Option<Syndrome>,
    elr: u64,
}

impl Detail {
    fn of(frame: &TrapFrame, vector: Vector) -> Self {
        let reported = matches!(
            vector.kind(),
            ExceptionKind::Synchronous | ExceptionKind::SError
        );
        if vector.kind() == ExceptionKind::Synchronous {
            LAST_SYNDROME.store(frame.esr, Ordering::Release);
        }
        Self {
            syndrome: reported.then_some(Syndrome::new(frame.esr)),
            elr: frame.elr,
        }
    }
}

impl Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.syndrome {
            Some(syndrome) => write!(f, "{syndrome} (ESR {:#010x})", syndrome.value()),
            None => write!(f, "interrupted at {:#018x}", self.elr),
        }
    }
}

fn describe(out: &mut impl Write, frame: &TrapFrame, syndrome: Option<Syndrome>) -> fmt::Result {
    if syndrome.is_some_and(Syndrome::has_address) {
        writeln!(out, "  at     {:#018x} (FAR)", frame.far)?;
    }
    writeln!(out, "  by     {:#018x} (ELR){}", frame.elr, At(frame.elr))?;
    let state = ProcessorState(frame.spsr);
    writeln!(out, "  state  {state} (SPSR {:#010x})", frame.spsr)?;
    writeln!(out, "  stack  {:#018x} (SP){}", frame.sp, Stack(frame.sp))?;
    if let Some(syndrome) = syndrome {
        explain_address(out, frame, syndrome)?;
    }
    if FAIL_INSIDE.swap(false, Ordering::Relaxed) {
        fail();
    }
    registers(out, frame)?;
    if state.is_user() {
        // Nothing is known of what its frame pointer says.
        return Ok(());
    }
    trace::from_frame(out, frame)
}

/// Why the address was refused, if there is one.
fn explain_address(out: &mut impl Write, frame: &TrapFrame, syndrome: Syndrome) -> fmt::Result {
    if !syndrome.has_address() {
        return Ok(());
    }
    let va = VirtAddr::new(frame.far as usize);
    if let Some((core, stack)) = layout::overflown_stack(va) {
        let name = stack.name;
        writeln!(out, "  guard  the {name} of core {core} has run over")?;
    }
    let attempt = match syndrome.class() {
        ExceptionClass::InstructionAbort => Attempt::Execute,
        ExceptionClass::DataAbort if syndrome.is_write() => Attempt::Write,
        ExceptionClass::DataAbort => Attempt::Read,
        _ => return Ok(()),
    };
    let privilege = if ProcessorState(frame.spsr).is_user() {
        Privilege::El0
    } else {
        Privilege::El1
    };
    walk::explain(out, va, walk::JudgedAccess { attempt, privilege }, syndrome)
}

/// Prints the stack that an address is on.
struct Stack(u64);

impl Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sp = self.0 as usize;
        for core in 0..crate::board::raspi3::CORES {
            for stack in layout::stacks(core) {
                if (stack.start.as_usize()..=stack.end()).contains(&sp) {
                    let left = sp - stack.start.as_usize();
                    return write!(f, " {} of core {core}, {left} bytes left", stack.name);
                }
            }
        }
        Ok(())
    }
}

/// Registers in a row of 80 columns.
const REGISTERS_A_ROW: usize = 3;

fn registers(out: &mut impl Write, frame: &TrapFrame) -> fmt::Result {
    for (row, registers) in frame.x.chunks(REGISTERS_A_ROW).enumerate() {
        write!(out, " ")?;
        for (column, value) in registers.iter().enumerate() {
            let number = row * REGISTERS_A_ROW + column;
            write!(out, " x{number:<2} {value:016x}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Reads what nobody may read.
#[expect(unsafe_code, reason = "faults on purpose")]
#[inline(never)]
fn fail() {
    let nowhere = core::ptr::without_provenance::<u64>(8);
    // SAFETY: not safe, and meant so: the map must catch it.
    unsafe { nowhere.read_volatile() };
}
