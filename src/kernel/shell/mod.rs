//! The shell: a prompt, a table of commands, and what they share.
//!
//! To add a command: write a function of type `CommandFunction` in one of the files here, and add
//! a line to `COMMANDS`. `help` and completion follow from it. A command that can take over a
//! second tells how far it is and can be ended: [`progress`].

mod alarm;
mod answers;
mod arguments;
mod begun_jobs;
mod bytes;
mod check;
mod commands;
mod cores;
mod echo_test;
mod error;
mod expect;
mod explain;
mod fault;
mod input;
mod lab;
mod map;
mod memory;
mod numbers;
mod picture;
mod progress;
mod prompt;
mod shootdown;
mod soak;
mod system;
mod ticks;
mod words;

pub(super) use prompt::run;
