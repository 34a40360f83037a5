//! Characters on the console: editing a line, reading a number, writing a quantity.
//!
//! Owns what typed bytes mean and how values look to a person. It knows no device (bytes come in as
//! arguments, text goes out through [`core::fmt::Write`]) and no command (the shell passes their
//! names in), imports nothing from the other rooms, and allocates nothing.

#![forbid(unsafe_code)]

mod line_editor;
mod number;
pub mod script;
mod size;
mod wrap;

pub use line_editor::{Event, HISTORY_LINES, LINE_CAPACITY, LineEditor, Words};
pub use number::{NumberError, parse_u64};
pub use size::{Hertz, Size, Timestamp};
pub use wrap::Wrapped;
