//! EL0: programs of the low half, run until they come back.

pub(crate) mod access;
mod code;
mod run;
