//! The page tables of VMSAv8-64, in the low half and in the high half, on a Cortex-A53.
//!
//! `start.S` begins in whichever exception level the loader enters and goes on in EL1: the kernel
//! of [`mmu_scenario`]. User code runs in EL0. Besides the scenario there is what this format
//! alone has: contiguous groups, and the AT instructions, which say what the hardware makes of
//! every leaf of a random map.
//!
//! # Decisions
//! * QEMU's `virt` with the kernel's CPU, not the Raspberry Pi: to give a leaf of 1 GiB another
//!   frame there must be two such frames of memory, and that board has one, with the program in
//!   it.
//! * Another target than the kernel's, with floating point: what cargo's configuration says about
//!   the kernel's target, its linker script above all, is not for this program.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    target_os = "none",
    expect(unsafe_code, reason = "there is nothing below it")
)]

#[cfg(target_os = "none")]
mod board;
#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod leaves;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod program;
#[cfg(target_os = "none")]
mod random;
#[cfg(target_os = "none")]
mod side;
#[cfg(target_os = "none")]
mod wrong;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("mmu-aarch64 is a bare-metal program: `make test-mmu` runs it");
    std::process::ExitCode::from(2)
}
