//! The image `kernel8`: everything is in the library, which this pulls in.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
use stilt as _;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    eprintln!("kernel8 is a bare-metal image and does not run on this host: use `make qemu`");
    std::process::ExitCode::from(2)
}
