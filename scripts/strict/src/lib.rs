//! A Raspberry Pi 3 that executes a kernel's image on the host.
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | `chance` | numbers that come from a seed |
//! | [`board`] | the devices of the BCM2837 |
//! | `liberty` | what the machine may do otherwise than an emulator |
//! | `stop` | the ends of a run that the image did not ask for |
//! | `registers` | the system registers, as written and as in effect |
//! | `memory` | RAM in two copies, and decoded code |
//! | `order` | stores that others do not see yet, loads that are performed early |
//! | `watch` | the rules, and what broke them |
//! | `translate` | translation of addresses, and former translations |
//! | `bus` | what the cores share |
//! | `cpu` | a core: exceptions, fetches, accesses, timers |
//! | `execute` | the execution of instructions |
//! | `image` | the bytes of a kernel |
//! | `entry` | the states in which loaders leave the machine |
//! | `machine` | four cores in turns |
//! | `unknown` | two machines with other noise |
//! | `symbols` | names of addresses |
//! | [`cli`] | the command line |
//! | [`planted`] | faults in the shipped image: is each found? |
#![forbid(unsafe_code)]

pub mod board;
mod bus;
mod chance;
pub mod cli;
mod cpu;
mod entry;
mod execute;
mod image;
mod liberty;
mod machine;
mod memory;
mod order;
pub mod planted;
mod registers;
mod stop;
mod symbols;
mod translate;
mod unknown;
mod watch;

pub use entry::Entry;
pub use image::{Image, ImageError, LOAD_ADDRESS};
pub use liberty::{Liberties, Liberty, Taken};
pub use machine::{Limits, Machine, Options, Outcome};
pub use stop::Stop;
pub use symbols::{SymbolError, Symbols};
pub use unknown::unknown_kept;
pub use watch::{Finding, Lint, Rule, Scope, Text};
