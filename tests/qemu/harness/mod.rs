//! What tests drive the image with: a machine in QEMU, a loader that enters as other loaders do, a
//! debugger.

mod assembler;
pub(crate) mod checkout;
mod dirt;
mod ending;
pub(crate) mod gdb;
pub(crate) mod kinds;
pub(crate) mod loader;
mod machine;
pub(crate) mod report;
mod setup;
pub(crate) mod symbols;
pub(crate) mod tables;
pub(crate) mod trace;
pub(crate) mod tree;

pub(crate) use assembler::{Code, Sys};
pub(crate) use ending::Ending;
pub(crate) use gdb::Gdb;
pub(crate) use machine::Machine;
pub(crate) use setup::Setup;
