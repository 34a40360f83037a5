//! Where the program lies, for the linker.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=linker.ld");
    let target = env::var("CARGO_CFG_TARGET_OS");
    if target.is_ok_and(|system| system == "none")
        && let Ok(here) = env::var("CARGO_MANIFEST_DIR")
    {
        println!("cargo:rustc-link-arg-bins=-T{here}/linker.ld");
    }
}
