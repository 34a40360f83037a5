//! The page tables of formats Sv39 and Sv48, without and with Svpbmt, on QEMU's `virt`.
//!
//! `start.S` begins in machine mode, which keeps console and exit, and goes on in supervisor mode:
//! the kernel of [`mmu_scenario`]. User code runs in user mode.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    target_os = "none",
    expect(unsafe_code, reason = "there is nothing below it")
)]

#[cfg(target_os = "none")]
mod firmware;
#[cfg(target_os = "none")]
mod hart;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("mmu-riscv64 is a bare-metal program: `make test-mmu` runs it");
    std::process::ExitCode::from(2)
}
