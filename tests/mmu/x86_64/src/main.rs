//! The page tables of x86-64 on QEMU's PC.
//!
//! `start.S` begins where the PVH protocol enters, in 32-bit mode, and goes on in 64-bit mode at
//! privilege level 0: the kernel of [`mmu_scenario`]. User code runs at level 3.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    target_os = "none",
    expect(unsafe_code, reason = "there is nothing below it")
)]

#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod ports;
#[cfg(target_os = "none")]
mod program;
#[cfg(target_os = "none")]
mod segments;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("mmu-x86_64 is a bare-metal program: `make test-mmu` runs it");
    std::process::ExitCode::from(2)
}
