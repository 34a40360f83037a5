//! Stilt: a bootable AArch64 kernel for the Raspberry Pi 3 that lives in the high half.
//!
//! This page is the map of the code. The image is `kernel8` (`src/main.rs`), which pulls in this
//! library; everything before Rust is in `boot/*.S`.
//!
//! # Rooms
//!
//! The page tables and the types of addresses are a crate of their own, `stilt-paging`: [`paging`]
//! and [`addr`] here. The kernel's rooms are
//!
//! | room | what it knows |
//! |---|---|
//! | [`board`] | numbers from the board's manuals |
//! | [`exception`] | the meaning of exception bits; names of addresses, the calls on a stack |
//! | [`drivers`] | device registers and protocols |
//! | [`text`] | characters: line editor, numbers, quantities |
//! | [`arch`] | every instruction that Rust cannot say |
//! | [`mm`] | this kernel's memory: regions, frames, the kernel's map, address spaces for EL0, heap |
//! | [`kernel`] | the order of boot, interrupts, time, cores, log, shell, programs at EL0, exceptions |
//! | [`boot`] | the Rust half of `boot/`: `init_kernel_pt` and the boot map |
//!
//! All but most of `arch` and parts of `kernel`, `mm` and `boot` are pure: they compile and are
//! tested on any host. Where does a line go? First yes wins. (1) Runs before the MMU is on: `boot`.
//! (2) A number from the board's manual: `board`. (3) A special instruction or a system register:
//! `arch`. (4) A device register: `drivers`. (5) The meaning of bits: `paging::format`,
//! `exception`. (6) Memory: machinery in `paging`, choices in `mm`. (7) Characters: `text`.
//! Otherwise it is policy: `kernel`.
//!
//! # Edges
//!
//! These imports are allowed, and `make check` refuses others. Its table is
//! `scripts/xtask/src/check/sources/tables.rs`, and this picture is compared with it:
//!
//! ```text
//! addr <- board, paging, drivers      addr paging <- arch      addr board paging arch <- mm
//! addr board paging mm arch drivers exception text <- kernel
//! addr board paging mm arch kernel <- boot
//! ```
//!
//! Inside [`kernel`] each room imports only rooms that stand above it in the table of its page,
//! which is compared with `tables.rs` as well.
//!
//! # The way through
//!
//! ```text
//! loader -x0-> boot/start.S           any of EL3, EL2, EL1; drops to EL1, MMU off, clears .bss
//!   -> init_kernel_pt (boot::entry)   boot tables from mm::regions; MAIR, TCR, TTBRs
//!   -> enable_mmu_and_enter_kernel    SCTLR, branch to the high half
//!   -> kernel_main (kernel::boot)     vectors, console, device tree and mailbox, frames,
//!                                     final map by PageTable64, TTBR1 switched, stack, heap,
//!                                     interrupts, cores 1 to 3 called, low half given up, boot
//!                                     memory freed, audit, shell
//! spin table or park -> secondary_start (boot/park.S) -> kernel_secondary (kernel::cores::smp)
//! ```
//!
//! # Memory
//!
//! Virtual = physical + 0xffff_0000_0000_0000 in one linear map; the kernel window with heap and
//! guarded stacks begins at 0xffff_8000_0000_0000 (`mm::layout`).
//!
//! | physical | what | final map |
//! |---|---|---|
//! | 0x0000_0000, 4 KiB | spin table, firmware stub | unmapped; RW as long as a core may come |
//! | 0x0008_0000 | parking pages | free frames; RO as long as a core may come |
//! | | `.init` | free frames |
//! | | `.early`: vectors of EL2 and EL3 | RO |
//! | | text, rodata, data and bss | RO executable; RO; RW |
//! | RAM | up to what device tree and mailbox say | RW, largest leaves |
//! | 0x3f00_0000 | peripherals | Device-nGnRE |
//! | 0x4000_0000 | local peripherals | Device-nGnRnE |
//!
//! Nothing is writable and executable, through one address or two. The low half is empty on a core
//! that is in no address space (TTBR0 names a table without entries, EPD0 is set); in one, TTBR0
//! names that space's tables (`mm::user_space`).
#![no_std]
#![warn(clippy::match_bool)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod arch;
pub mod board;
pub mod boot;
pub mod drivers;
pub mod exception;
pub mod kernel;
pub mod mm;
pub mod text;

pub use stilt_paging::{self as paging, addr};
