//! The page tables of format LA64 on QEMU's `virt` for LoongArch.
//!
//! The kernel of [`mmu_scenario`] runs at PLV 0, user code at PLV 3, both in direct-mapped windows:
//! every address that a tree can translate is free for the trees under test. The TLB is filled by
//! `refill.S`, with `lddir` and `ldpte`.
//!
//! The emulator needs `-m 4G`. It ends with exit code 0 whatever happens: the last line that the
//! program prints says how it went.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(
    target_os = "none",
    expect(unsafe_code, reason = "there is nothing below it")
)]

#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod csr;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod emulator;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod pairs;
#[cfg(target_os = "none")]
mod program;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("mmu-loongarch64 is a bare-metal program: `make test-mmu` runs it");
    std::process::ExitCode::from(2)
}
