//! `touch`: one access, for real, and what came of it.
#![forbid(unsafe_code)]

use core::error::Error;
use core::fmt::{self, Write};

use super::super::arguments::{address, core_number, no_choice, number_from};
use super::super::error::CommandError;
use super::{elsewhere, maintenance, spaces};
use crate::addr::VirtAddr;
use crate::arch::cpu;
use crate::kernel::report::map_allows;
use crate::kernel::user::access::{Touch, Touched, UserAccess, touch};
use crate::mm::left_out;
use crate::mm::user_space::UserSpace;
use crate::paging::format::aarch64_refusal::{Attempt, Privilege};
use crate::paging::{MappingFlags, PagingError};

/// `touch r|w|x ADDRESS [VALUE] [user] [core N]`
pub(in super::super) fn run(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    let (wanted, core) = parse(arguments)?;
    let used = spaces::used();
    let space = match wanted.privilege {
        Privilege::El0 => Some(used?.space),
        Privilege::El1 => used.ok().map(|named| named.space),
    };
    let touched = if core == cpu::number() {
        touch(space.as_ref(), wanted)?
    } else {
        elsewhere::touch_on(core, space.clone(), wanted, out)?
    };
    let va = wanted.va;
    match touched {
        Touched::Done(value) if wanted.access == UserAccess::Load => {
            writeln!(out, "{va}: {value:#04x}")?
        }
        Touched::Done(_) => writeln!(out, "{va}: done")?,
        Touched::Reported => {}
        Touched::OutOfTime { pc } => return Err(TouchError::NotBack { va, pc }.into()),
    }
    let is_done = matches!(touched, Touched::Done(_));
    match space {
        Some(space) if is_done && left_out::is_stale() && !allows(&space, &wanted) => {
            maintenance::explain_stale(va, out)
        }
        _ => Ok(()),
    }
}

/// Whether the map of `space` lets the access through, as far as it is for the low half.
fn allows(space: &UserSpace, touch: &Touch) -> bool {
    let right = match touch.access {
        UserAccess::Load => MappingFlags::READ,
        UserAccess::Store => MappingFlags::WRITE,
        UserAccess::Execute => MappingFlags::EXECUTE,
    };
    match space.query(touch.va) {
        Ok((_, flags, _)) => flags.contains(right),
        Err(PagingError::NotMapped { .. }) => false,
        Err(_) => true,
    }
}

/// The words that Tab completes behind `touch`.
pub(in super::super) fn words(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => ["r", "w", "x"].into_iter().for_each(each),
        [_, _, .., "core"] => ["0", "1", "2", "3"].into_iter().for_each(each),
        [_, _, ..] => ["user", "core"].into_iter().for_each(each),
        [_] => {}
    }
}

/// The lines that `help touch` adds.
pub(in super::super) fn details(out: &mut dyn Write) -> fmt::Result {
    const LINES: [&str; 6] = [
        "  r loads a byte, w stores one, x calls what is there, which may return.",
        "  touch w ADDRESS VALUE stores that, 0 to 255, instead of 0.",
        "  user: from EL0, in the space in use; what loops is left after 100 ms.",
        "  Without it from EL1, which must not store to its own memory: that is `poke`.",
        "  core N behind all that: on that core, in the space that is in use here.",
        "  A refused access is reported with the walk, and the prompt comes back.",
    ];
    LINES.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The access, and the core that does it.
fn parse(arguments: &[&str]) -> Result<(Touch, usize), CommandError> {
    let [letter, va, rest @ ..] = arguments else {
        return Err(CommandError::wrong_count());
    };
    let access = match *letter {
        "r" => UserAccess::Load,
        "w" => UserAccess::Store,
        "x" => UserAccess::Execute,
        other => return Err(no_choice(other, &"r, w, x")),
    };
    let va = address(va)?;
    let (value, rest) = match (access, rest) {
        (UserAccess::Store, [word, rest @ ..])
            if word.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            (number_from(0, 0xff, word)? as u8, rest)
        }
        _ => (0, rest),
    };
    let (privilege, rest) = match rest {
        ["user", rest @ ..] => (Privilege::El0, rest),
        rest => (Privilege::El1, rest),
    };
    let core = match rest {
        [] => cpu::number(),
        ["core", core] => core_number(core)?,
        ["core", _, ..] => return Err(CommandError::wrong_count()),
        [other, ..] => return Err(no_choice(other, &"user, core N")),
    };
    if privilege == Privilege::El1 {
        spare_the_kernel(access, va)?;
    }
    let touch = Touch {
        access,
        va,
        value,
        privilege,
    };
    Ok((touch, core))
}

/// EL1 may change and call its own memory: not from here.
fn spare_the_kernel(access: UserAccess, va: VirtAddr) -> Result<(), TouchError> {
    match access {
        UserAccess::Store if map_allows(va, Attempt::Write) => Err(TouchError::KernelData { va }),
        UserAccess::Execute if map_allows(va, Attempt::Execute) => {
            Err(TouchError::KernelCode { va })
        }
        _ => Ok(()),
    }
}

/// Why an access was not done, or not to its end.
enum TouchError {
    /// The code called at EL0 did not return.
    NotBack { va: VirtAddr, pc: u64 },
    /// EL1 may store there.
    KernelData { va: VirtAddr },
    /// EL1 may call what is there.
    KernelCode { va: VirtAddr },
}

impl fmt::Display for TouchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBack { va, pc } => {
                write!(f, "the code at {va} did not come back: it was at {pc:#x}")
            }
            Self::KernelData { va } => {
                write!(f, "{va} is the kernel's to write: `poke` does it")
            }
            Self::KernelCode { va } => write!(f, "{va} is the kernel's code: not called"),
        }
    }
}

/// As [`Display`](fmt::Display) has it.
impl fmt::Debug for TouchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TouchError {}
