//! EL0: programs of the low half, run until they come back.

mod code;
mod run;
pub(crate) mod touch;
