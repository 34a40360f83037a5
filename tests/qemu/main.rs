//! The tests that boot the image in QEMU and drive it over the serial line, and those of the tools
//! around it.
//!
//! `make test` builds the image and runs them; by hand: `cargo xtask image && cargo test --features
//! qemu-tests --test qemu [NAME]`. `QEMU=/path` takes another emulator. A machine lives in
//! [`harness`]; every other module is one topic.
//!
//! # Decisions
//! - One test program for all topics: one link, and no part of the harness is unused in any of
//!   them. libtest runs as many tests at once as there are CPUs, and no test has two machines at
//!   the same time.
//! - What a test compares is what matters to a user (addresses, codes, the words of a fault), not
//!   whole lines.
#![forbid(unsafe_code)]

mod atags;
mod audit;
mod bad_input;
mod book;
mod boot;
mod card;
mod checks;
mod cores;
mod debugger;
mod devices;
mod early;
mod editing;
mod endings;
mod explain;
mod faults;
mod firmware;
mod harness;
mod interrupting;
mod interrupts;
mod lab;
mod lab_changes;
mod lab_lines;
mod lab_refusals;
mod labs;
mod machine;
mod named_commands;
mod numbers;
mod prompt;
mod ptmap;
mod registers;
mod scripts;
mod shell;
mod silence;
mod soak;
mod spurious_faults;
mod storms;
mod time;
mod transcripts;
mod trees;
mod verbs;
