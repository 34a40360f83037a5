//! The address spaces that the prompt has, by their names, and the one that its commands are for.
//!
//! The shell runs on one core and does one command at a time: the list has no lock that waits.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt::{self, Write};

use super::super::error::CommandError;
use super::elsewhere;
use crate::arch::cpu;
use crate::arch::try_lock::TryLock;
use crate::kernel::user::access;
use crate::mm::current_space;
use crate::mm::left_out;
use crate::mm::user_space::UserSpace;

/// Bytes of a name at most.
const NAME_MAX: usize = 15;

/// The name of a space: 1 to 15 letters, digits, `-` and `_`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(in super::super) struct SpaceName {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl SpaceName {
    /// # Errors
    /// [`NameError`].
    fn new(word: &str) -> Result<Self, NameError> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let mut bytes = [0; NAME_MAX];
        match bytes.get_mut(..word.len()) {
            Some(slots) if word.bytes().all(|byte| is_part(&byte)) => {
                slots.copy_from_slice(word.as_bytes());
            }
            _ => return Err(NameError),
        }
        let len = word.len();
        Ok(Self { bytes, len })
    }

    fn is(&self, word: &str) -> bool {
        self.bytes.get(..self.len) == Some(word.as_bytes())
    }
}

impl fmt::Display for SpaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        f.pad(core::str::from_utf8(bytes).unwrap_or_default())
    }
}

/// A word that is no name.
#[derive(Debug)]
struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a name has 1 to {NAME_MAX} letters, digits, `-` and `_`, and none is `none`"
        )
    }
}

impl Error for NameError {}

/// A space of the prompt's.
#[derive(Clone)]
pub(in super::super) struct NamedSpace {
    pub(in super::super) name: SpaceName,
    pub(in super::super) space: Arc<UserSpace>,
}

struct Spaces {
    all: Vec<NamedSpace>,
    /// The index of the one in use.
    used: Option<usize>,
}

static SPACES: TryLock<Spaces> = TryLock::new(Spaces {
    all: Vec::new(),
    used: None,
});

/// Why a space is not there, or is not made.
#[derive(Debug)]
enum ListError {
    Exists,
    Unknown,
    NoneUsed,
    InUse,
    /// Another core is in it.
    UsedOn {
        core: usize,
    },
    NoMemory,
    /// Another core lists spaces: the prompt has one core.
    Elsewhere,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::UsedOn { core } => {
                return write!(
                    f,
                    "core {core} is in the space: `as use none core {core}` first"
                );
            }
            Self::Exists => "there is a space of that name",
            Self::Unknown => "no space has that name; `as list` shows them",
            Self::NoneUsed => "no space is in use: `as new NAME`, then `as use NAME`",
            Self::InUse => "the space is in use: `as use none` first",
            Self::NoMemory => "no heap left for another space",
            Self::Elsewhere => "the list of spaces is in use on another core",
        })
    }
}

impl Error for ListError {}

fn with<R>(work: impl FnOnce(&mut Spaces) -> Result<R, CommandError>) -> Result<R, CommandError> {
    let mut spaces = SPACES.try_lock().ok_or(ListError::Elsewhere)?;
    work(&mut spaces)
}

impl Spaces {
    fn index(&self, word: &str) -> Result<usize, ListError> {
        let index = self.all.iter().position(|named| named.name.is(word));
        index.ok_or(ListError::Unknown)
    }

    /// Gives the list's memory back if no space is on it.
    fn release_if_empty(&mut self) {
        if self.all.is_empty() {
            self.all = Vec::new();
        }
    }
}

/// Makes an empty space of that name.
///
/// # Errors
/// There is one, or no memory.
pub(super) fn create(word: &str) -> Result<(), CommandError> {
    add(word, |_| Ok(access::new_space()?))
}

/// Makes a space `new` that shares the frames of the one called `word`, read-only in both.
///
/// # Errors
/// There is none, or one called `new`; no memory.
pub(super) fn clone(word: &str, new: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    add(new, |spaces| {
        let index = spaces.index(word)?;
        let named = spaces.all.get(index).ok_or(ListError::Unknown)?;
        let copy = access::new_space()?;
        let pages = named.space.share_with(&copy)?;
        writeln!(out, "{pages} pages shared, read-only")?;
        Ok(copy)
    })
}

/// Adds the space that `make` makes.
fn add(
    word: &str,
    make: impl FnOnce(&Spaces) -> Result<Arc<UserSpace>, CommandError>,
) -> Result<(), CommandError> {
    let name = SpaceName::new(word).map_err(CommandError::of_usage)?;
    if name.len == 0 || name.is(NONE) {
        return Err(CommandError::of_usage(NameError));
    }
    with(|spaces| {
        if spaces.index(word).is_ok() {
            return Err(ListError::Exists.into());
        }
        spaces.all.try_reserve(1).map_err(|_| ListError::NoMemory)?;
        let made = make(spaces).map(|space| spaces.all.push(NamedSpace { name, space }));
        // A refusal must not leave the room for a first space behind.
        spaces.release_if_empty();
        made
    })
}

/// The word for "no space" in `as use none`.
pub(super) const NONE: &str = "none";

/// Puts this core into the space of that name, or into none.
///
/// # Errors
/// There is no such space.
pub(super) fn choose(word: &str) -> Result<(), CommandError> {
    left_out::heal();
    with(|spaces| {
        if word == NONE {
            spaces.used = None;
            current_space::leave();
            return Ok(());
        }
        let index = spaces.index(word)?;
        spaces.used = Some(index);
        if let Some(named) = spaces.all.get(index) {
            current_space::activate(&named.space);
        }
        Ok(())
    })
}

/// Lets core `core` enter the space of that name and stay in it, or leave the one that it is in.
/// The space in use at the prompt is another matter, unless it is the prompt's core.
///
/// # Errors
/// There is no such space; the core has no time.
pub(super) fn choose_on(core: usize, word: &str, out: &mut dyn Write) -> Result<(), CommandError> {
    if core == cpu::number() {
        return choose(word);
    }
    left_out::heal();
    let space = match word {
        NONE => None,
        name => Some(named(name)?.space),
    };
    elsewhere::enter(core, space, out)
}

/// Gives the space of that name up.
///
/// # Errors
/// There is none, or a core is in it.
pub(super) fn remove(word: &str) -> Result<(), CommandError> {
    let named = with(|spaces| {
        let index = spaces.index(word)?;
        if spaces.used == Some(index) {
            return Err(ListError::InUse.into());
        }
        let named = spaces.all.get(index).ok_or(ListError::Unknown)?;
        if let Some(core) = current_space::other_cores_in(&named.space).next() {
            return Err(ListError::UsedOn { core }.into());
        }
        spaces.used = spaces.used.map(|used| used - usize::from(used > index));
        let named = spaces.all.remove(index);
        spaces.release_if_empty();
        Ok(named)
    })?;
    drop(named);
    Ok(())
}

/// The space in use.
///
/// # Errors
/// None is.
#[inline(never)]
pub(super) fn used() -> Result<NamedSpace, CommandError> {
    with(|spaces| {
        let used = spaces.used.and_then(|index| spaces.all.get(index));
        Ok(used.cloned().ok_or(ListError::NoneUsed)?)
    })
}

/// The space of that name, in use or not.
///
/// # Errors
/// There is none.
pub(in super::super) fn named(word: &str) -> Result<NamedSpace, CommandError> {
    with(|spaces| {
        let named = spaces.all.get(spaces.index(word)?);
        Ok(named.cloned().ok_or(ListError::Unknown)?)
    })
}

/// Shows each, and whether it is in use.
///
/// # Errors
/// Those of `each`.
pub(super) fn each(
    mut each: impl FnMut(&NamedSpace, bool) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    with(|spaces| {
        let used = spaces.used;
        let mut all = spaces.all.iter().enumerate();
        all.try_for_each(|(index, named)| each(named, used == Some(index)))
    })
}
