//! Why a command was refused, failed, or was ended by Ctrl-C: any error at all, and whether the
//! line was at fault.
//!
//! A command's own errors stand in its file; `?` turns each into a [`CommandError`].
//!
//! # Decisions
//! An error goes into a box, and the heap may be full: then [`OutOfMemory`] is said in its place. A
//! command that must get its word out with a heap that is full or broken has errors that lie in the
//! image: [`CommandError::of_static`].
#![expect(unsafe_code, reason = "an allocation that may fail")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

/// Why a command did not do what it is for.
///
/// Not an [`Error`] itself: else `From` could not take every error.
pub(super) struct CommandError {
    cause: Cause,
    line: Syntax,
}

/// Where the error is.
enum Cause {
    /// In the image.
    Static(&'static dyn Error),
    /// On the heap.
    Boxed(Box<dyn Error>),
}

/// Whether the line was written as the command's usage says.
#[derive(PartialEq)]
enum Syntax {
    AsUsage,
    Otherwise,
}

impl CommandError {
    /// Of a line that was not written as the command's usage says: that is shown too.
    pub(super) fn of_usage(error: impl Error + 'static) -> Self {
        Self {
            line: Syntax::Otherwise,
            ..Self::from(error)
        }
    }

    /// Of a line with too few words or too many.
    pub(super) const fn wrong_count() -> Self {
        Self {
            cause: Cause::Static(&WrongCount),
            line: Syntax::Otherwise,
        }
    }

    /// Takes nothing from the heap, whatever its state.
    pub(super) const fn of_static(error: &'static dyn Error) -> Self {
        Self {
            cause: Cause::Static(error),
            line: Syntax::AsUsage,
        }
    }

    /// The error without the command's usage behind it: it says by itself what was expected.
    pub(super) fn without_usage(self) -> Self {
        Self {
            line: Syntax::AsUsage,
            ..self
        }
    }

    /// Whether it is that of [`wrong_count`](Self::wrong_count).
    pub(super) fn is_wrong_count(&self) -> bool {
        self.is::<WrongCount>()
    }

    /// Whether the line was not written as the command's usage says.
    pub(super) fn is_of_usage(&self) -> bool {
        self.line == Syntax::Otherwise
    }

    /// Whether the error is an `E`.
    pub(super) fn is<E: Error + 'static>(&self) -> bool {
        self.error().is::<E>()
    }

    fn error(&self) -> &(dyn Error + 'static) {
        match &self.cause {
            Cause::Static(error) => *error,
            Cause::Boxed(error) => &**error,
        }
    }
}

impl<E: Error + 'static> From<E> for CommandError {
    // Not inline: each `?` of a command would have a copy.
    #[inline(never)]
    fn from(error: E) -> Self {
        match try_box(error) {
            Ok(error) => Self {
                cause: Cause::Boxed(error),
                line: Syntax::AsUsage,
            },
            Err(OutOfMemory) => Self::of_static(&OutOfMemory),
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.error(), f)
    }
}

/// [`Box::new`], but for the panic when the heap is full.
fn try_box<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    let mut room = Vec::new();
    room.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
    room.push(value);
    let slice = Box::into_raw(room.into_boxed_slice());
    // SAFETY: a box owned `slice`, which has one element: `T` and `[T; 1]` have one layout.
    Ok(unsafe { Box::from_raw(slice.cast()) })
}

/// The number of words does not fit.
#[derive(Debug)]
struct WrongCount;

impl fmt::Display for WrongCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong number of arguments")
    }
}

impl Error for WrongCount {}

/// The heap has no room for the error.
#[derive(Debug)]
struct OutOfMemory;

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed, and the heap has no room for the reason")
    }
}

impl Error for OutOfMemory {}
