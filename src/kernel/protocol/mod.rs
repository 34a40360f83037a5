//! The words by which cores agree: which of two has a call's slot, which cores are stopped by which
//! (`stop_machine`), and which core ends the machine.
//!
//! Pure: each protocol is a few words that cores load, store and exchange. In the kernel a word is
//! an atomic of the machine; the tests use words that let a schedule choose which core's access
//! comes next, and go through every schedule of a small scene (`explore` in its tests).
#![forbid(unsafe_code)]

mod call_state;
mod halt_word;
mod stop_request;
mod word;

#[cfg(test)]
pub(crate) mod explore;
#[cfg(test)]
mod tests;

pub use call_state::CallState;
pub use halt_word::Ending;
pub use stop_request::{StopMachine, StopRequest};
pub use word::Word;
