//! Why a command was refused, failed, or was ended by Ctrl-C.
#![forbid(unsafe_code)]

use core::fmt;

use super::fault;
use crate::addr::VirtAddr;
use crate::drivers::watchdog::BadTime;
use crate::exception::syndrome::Syndrome;
use crate::kernel::cores::ipi::CallError;
use crate::kernel::cores::jobs::JobError;
use crate::kernel::cores::smp::ComeError;
use crate::kernel::irq::owners::IrqError;
use crate::kernel::report::live_audit::AuditError;
use crate::kernel::time::timers::TimerError;
use crate::paging::PagingError;
use crate::text::{NumberError, parse_u64};

/// Why a command was refused or failed.
pub(super) enum CommandError {
    /// The number of arguments does not fit.
    Usage,
    /// An argument is not a number.
    Number(NumberError),
    /// An argument is none of these words.
    Choice {
        given: ChoiceText,
        expected: &'static str,
    },
    /// There is no such kind of fault.
    Kind { given: ChoiceText },
    /// What had to fail did not: only an image with the checks of debug builds notices.
    NeedsDebug { what: &'static str },
    /// A number is not one that the command takes.
    Range { value: u64, least: u64, most: u64 },
    /// The watchdog cannot count that.
    Time(BadTime),
    /// The page tables refuse.
    Paging(PagingError),
    /// An address in the half that is not translated.
    LowHalf { va: VirtAddr },
    /// An address is not a multiple of the access's width.
    Unaligned { va: VirtAddr, bytes: usize },
    /// A value does not fit the access's width.
    TooWide { value: u64, bits: usize },
    /// The page is mapped without the right that is needed.
    Forbidden { va: VirtAddr, right: &'static str },
    /// The access was tried, and the memory system refused it.
    Aborted { va: VirtAddr, syndrome: u64 },
    /// All timers are armed.
    Timer(TimerError),
    /// Another core was asked in vain.
    Call(CallError),
    /// An interrupt is not to be had.
    Irq(IrqError),
    /// Another core does not begin a job, or does not end it.
    Job(JobError),
    /// A core that did not come at boot cannot be called.
    Come(ComeError),
    /// What had to fail did not.
    NoFault,
    /// A step that was measured did not do what it is for.
    Step { name: &'static str },
    /// The audit of the live map.
    Audit(AuditError),
    /// An allocator's structure is not what it should be; what is wrong was written.
    Unsound { part: &'static str },
    /// Ctrl-C came.
    Interrupted,
    /// Ctrl-C came when so much was done.
    InterruptedAfter { done: u64, unit: &'static str },
    /// The console failed.
    Output,
}

impl CommandError {
    /// Whether the line was not written as the command's usage says.
    pub(super) const fn is_of_usage(&self) -> bool {
        matches!(
            self,
            Self::Usage | Self::Number(_) | Self::Choice { .. } | Self::Kind { .. }
        )
    }
}

/// The number that was typed as `word`, if it is from `least` to `most`.
pub(super) fn number_from(least: u64, most: u64, word: &str) -> Result<u64, CommandError> {
    let value = parse_u64(word)?;
    match (least..=most).contains(&value) {
        true => Ok(value),
        false => Err(CommandError::Range { value, least, most }),
    }
}

/// The first bytes of a word that was typed.
#[derive(Clone, Copy)]
pub(super) struct ChoiceText {
    bytes: [u8; 16],
    len: usize,
}

impl ChoiceText {
    pub(super) fn new(word: &str) -> Self {
        let mut text = Self {
            bytes: [0; 16],
            len: 0,
        };
        for (slot, byte) in text.bytes.iter_mut().zip(word.bytes()) {
            *slot = byte;
            text.len += 1;
        }
        text
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl From<fmt::Error> for CommandError {
    fn from(_: fmt::Error) -> Self {
        Self::Output
    }
}

impl From<NumberError> for CommandError {
    fn from(error: NumberError) -> Self {
        Self::Number(error)
    }
}

impl From<BadTime> for CommandError {
    fn from(error: BadTime) -> Self {
        Self::Time(error)
    }
}

impl From<TimerError> for CommandError {
    fn from(error: TimerError) -> Self {
        Self::Timer(error)
    }
}

impl From<IrqError> for CommandError {
    fn from(error: IrqError) -> Self {
        Self::Irq(error)
    }
}

impl From<JobError> for CommandError {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<CallError> for CommandError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<ComeError> for CommandError {
    fn from(error: ComeError) -> Self {
        Self::Come(error)
    }
}

impl From<PagingError> for CommandError {
    fn from(error: PagingError) -> Self {
        Self::Paging(error)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => f.write_str("wrong number of arguments"),
            Self::Number(error) => error.fmt(f),
            Self::Choice { given, expected } => {
                write!(f, "`{}` is not one of {expected}", given.as_str())
            }
            Self::Kind { given } => {
                write!(f, "`{}` is not one of {}", given.as_str(), fault::Names)
            }
            Self::NeedsDebug { what } => {
                write!(
                    f,
                    "nothing was caught: {what} needs a debug image: make qemu DEBUG=1"
                )
            }
            Self::Range { value, least, most } => {
                write!(f, "{value} is not from {least} to {most}")
            }
            Self::Time(error) => error.fmt(f),
            Self::Paging(error) => error.fmt(f),
            Self::LowHalf { va } => write!(f, "{va} is in the low half, {LOW_HALF_IS_OFF}"),
            Self::Unaligned { va, bytes } => write!(f, "{va} is not a multiple of {bytes}"),
            Self::TooWide { value, bits } => write!(f, "{value:#x} does not fit {bits} bits"),
            Self::Forbidden { va, right } => write!(f, "{va} is mapped, but not {right}"),
            Self::Aborted { va, syndrome } => write!(f, "{va}: {}", Syndrome::new(*syndrome)),
            Self::Timer(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::Irq(error) => error.fmt(f),
            Self::Job(error) => error.fmt(f),
            Self::Come(error) => error.fmt(f),
            Self::NoFault => f.write_str("nothing was caught"),
            Self::Step { name } => write!(f, "{name}: not what it should do"),
            Self::Audit(error) => error.fmt(f),
            Self::Unsound { part } => write!(f, "{part} unsound"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::InterruptedAfter { done, unit } => {
                write!(f, "interrupted after {done} {unit}")
            }
            Self::Output => f.write_str("the console failed"),
        }
    }
}

/// Why nothing is mapped below 2^48.
pub(super) const LOW_HALF_IS_OFF: &str = "which is off (TCR_EL1.EPD0)";
