//! The words by which cores agree: who has a call's slot, who stands still for whom, who ends the
//! machine.
//!
//! Pure: each protocol is a few words that cores load, store and exchange. In the kernel a word is
//! an atomic of the machine; the tests use words that let a schedule choose which core's access
//! comes next, and go through every schedule of a small scene (`explore` in its tests).
#![forbid(unsafe_code)]

mod ending;
mod hold;
mod slot;
mod word;

#[cfg(test)]
pub(crate) mod explore;
#[cfg(test)]
mod tests;

pub use ending::Ending;
pub use hold::{Held, Hold};
pub use slot::Slot;
pub use word::Word;
