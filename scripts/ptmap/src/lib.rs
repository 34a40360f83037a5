//! The live page tables of an AArch64 machine, read from outside and drawn as one page.
//!
//! [`gdb`] speaks GDB's remote protocol with an emulator's stub, [`walk`] follows the tables from
//! the registers down, and believes no descriptor; a [`map`] is what was found, with what is wrong
//! in it. [`page`] draws maps as one HTML file, which loads nothing, [`picture`]
//! as one for a text. The kernel has no part in it:
//! what a machine's MMU would find is what is shown, whether the kernel runs or not.
//!
//! | module | what it has; each uses those above it |
//! |---|---|
//! | [`gdb`] | a client of GDB's remote protocol |
//! | [`memory_type`] | what a byte of MAIR_EL1 means |
//! | [`registers`] | TTBR0, TTBR1, TCR, MAIR and SCTLR by their fields |
//! | [`descriptor`] | the bits of a descriptor, field by field |
//! | [`memory`] | tables in physical memory |
//! | [`finding`] | what may be wrong or odd |
//! | [`walk`] | the tables and leaves of both halves |
//! | [`places`] | names of addresses: areas, symbols |
//! | [`piece`] `audit` | leaves put together; W^X, aliases, mixed memory types, odd descriptors |
//! | [`map`] | what a machine's registers and tables were at one moment |
//! | [`difference`] | what differs between two maps |
//! | [`listing`] | a map as lines of text |
//! | [`words`] | numbers, for people |
//! | [`rows`] | maps side by side, address by address |
//! | `colours` `escape` | classes of the style; text in HTML, SVG and JSON |
//! | [`page`] | the page |
//! | [`picture`] | a picture for a text |
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
