//! The live page tables of an AArch64 machine, read from outside and drawn as one page.
//!
//! [`gdb`] speaks GDB's remote protocol with an emulator's stub, [`walk`] follows the tables from
//! the registers down and trusts no descriptor; a [`map`] holds the tables and leaves that were
//! found, and the faults in them. [`page`] draws maps as one HTML file, which loads nothing,
//! [`picture`] as an SVG for a text. The kernel has no part in it: the maps show what a machine's
//! MMU would find, whether the kernel runs or not.
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | [`gdb`] | a client of GDB's remote protocol |
//! | [`memory_type`] | memory types, the bytes of MAIR_EL1 |
//! | [`registers`] | TTBR0, TTBR1, TCR, MAIR and SCTLR by their fields |
//! | [`descriptor`] | the bits of a descriptor, field by field |
//! | [`memory`] | tables in physical memory |
//! | [`finding`] | kinds of faults and oddities |
//! | [`walk`] | the tables and leaves of both halves |
//! | [`places`] | areas and symbols by address |
//! | [`piece`] `audit` | runs of leaves; the search for faults: W^X, aliases, mixed memory types, odd descriptors |
//! | [`map`] | a snapshot of a machine's registers and tables, with the findings |
//! | [`difference`] | the differences between two maps |
//! | [`listing`] | a map as lines of text |
//! | [`words`] | sizes and counts in words |
//! | [`rows`] | maps side by side, address by address |
//! | `colours` `escape` | classes of the style; text in HTML, SVG and JSON |
//! | [`page`] | maps as one HTML file |
//! | [`picture`] | two maps as an SVG for a text |
//!
//! Source: Arm DDI 0487, D8 (the VMSAv8-64), D24.2 (the registers).
#![forbid(unsafe_code)]

mod audit;
mod colours;
pub mod descriptor;
pub mod difference;
mod escape;
pub mod finding;
pub mod gdb;
pub mod listing;
pub mod map;
pub mod memory;
pub mod memory_type;
pub mod page;
pub mod picture;
pub mod piece;
pub mod places;
pub mod registers;
pub mod rows;
#[cfg(test)]
mod synthetic;
pub mod walk;
pub mod words;
