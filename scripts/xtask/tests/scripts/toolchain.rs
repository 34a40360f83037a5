//! The choice of the Rust that builds the kernel: `scripts/toolchain.sh` and `scripts/kcargo.sh`,
//! on machines made of stubs.

use crate::sandbox::{Sandbox, TARGET, text};

const KIND: &str = "pick_kernel && echo \"$kernel_kind $kernel_version\" || echo none";

#[test]
fn a_compiled_target_comes_before_sources_wherever_it_is() {
    let machine = Sandbox::new();
    machine
        .toolchain("rustup", "1.95.0")
        .with_sources()
        .on_path();
    machine.toolchain("distro", "1.90.0").with_target();
    assert_eq!(machine.shell(&["distro"], KIND), "ready 1.90.0\n");
}

#[test]
fn sources_are_used_where_no_toolchain_has_the_target() {
    let machine = Sandbox::new();
    machine.toolchain("rustup", "1.95.0").on_path();
    machine.toolchain("distro", "1.96.0").with_sources();
    assert_eq!(machine.shell(&["distro"], KIND), "sources 1.96.0\n");
}

#[test]
fn the_path_that_rustc_prints_for_an_absent_target_counts_for_nothing() {
    let machine = Sandbox::new();
    machine.toolchain("rustup", "1.95.0").on_path();
    assert_eq!(machine.shell(&[], KIND), "none\n");
}

#[test]
fn a_rust_that_is_too_old_is_passed_over_with_the_reason() {
    let machine = Sandbox::new();
    machine.toolchain("old", "1.63.0").with_target();
    machine.toolchain("new", "2.0.0").with_target();
    let said = machine.shell(
        &["old", "new"],
        &format!("{KIND}; printf '%s' \"$passed_over\""),
    );
    assert!(said.starts_with("ready 2.0.0\n"), "{said}");
    assert!(
        said.contains("old/bin: Rust 1.63.0 is older than 1."),
        "{said}"
    );
}

#[test]
fn a_rustc_that_does_not_run_or_has_no_cargo_is_passed_over_with_the_reason() {
    let machine = Sandbox::new();
    machine.script(
        "bin/rustc",
        "echo 'toolchain stable is not installed' >&2; exit 1",
    );
    machine.toolchain("distro", "1.96.0").with_sources();
    std::fs::remove_file(machine.path("distro/bin/cargo")).unwrap();
    let said = machine.shell(
        &["distro"],
        &format!("{KIND}; printf '%s' \"$passed_over\""),
    );
    assert!(
        said.contains("does not run: toolchain stable is not installed"),
        "{said}"
    );
    assert!(
        said.contains("distro/bin: there is no cargo beside the rustc"),
        "{said}"
    );
}

#[test]
fn the_linker_is_the_toolchains_own_then_the_newest_lld_then_gnus() {
    let linker = "pick_kernel; echo \"${kernel_linker##*/}\"";
    let machine = Sandbox::new();
    machine.toolchain("distro", "1.96.0").with_sources();
    assert_eq!(machine.shell(&["distro"], linker), "missing\n");
    for (program, expected) in [
        ("aarch64-linux-gnu-ld", "aarch64-linux-gnu-ld\n"),
        ("ld.lld", "ld.lld\n"),
        ("ld.lld-9", "ld.lld-9\n"),
        ("ld.lld-22", "ld.lld-22\n"),
        ("ld.lld-14", "ld.lld-22\n"),
    ] {
        machine.program(program);
        assert_eq!(
            machine.shell(&["distro"], linker),
            expected,
            "after adding {program}"
        );
    }
    machine.toolchain("distro", "1.96.0").with_linker();
    assert_eq!(machine.shell(&["distro"], linker), "\n");
}

#[test]
fn nothing_of_an_outer_cargo_reaches_the_kernels_build() {
    let machine = Sandbox::new();
    machine.toolchain("distro", "1.96.0").with_target();
    machine.program("ld.lld-22");
    let smuggled = [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_PROFILE_RELEASE_LTO",
        "CARGO_TARGET_AARCH64_UNKNOWN_NONE_SOFTFLOAT_RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
        "RUSTC_BOOTSTRAP",
    ];
    let mut command = machine.command(&Sandbox::root().join("scripts/kcargo.sh"), &["distro"]);
    command
        .args(["build", "--release"])
        .envs(smuggled.map(|name| (name, "smuggled")));
    let said = text(
        &command
            .env("CARGO", "smuggled")
            .env("RUSTC", "smuggled")
            .output()
            .unwrap(),
    );
    assert!(!said.contains("smuggled"), "{said}");
    assert!(
        said.contains(&format!(
            "RUSTC={}",
            machine.path("distro/bin/rustc").display()
        )),
        "{said}"
    );
    assert!(
        said.contains("SOFTFLOAT_LINKER=") && said.contains("ld.lld-22\n"),
        "{said}"
    );
    let call = said.lines().find_map(|line| line.strip_prefix("cargo: "));
    let call = call.unwrap_or_default();
    assert!(
        call.starts_with(&format!("build --target {TARGET} ")) && call.ends_with(" --release"),
        "{said}"
    );
    assert!(
        call.contains("--remap-path-prefix=") && call.contains("/registry/src=registry"),
        "{said}"
    );
}

#[test]
fn only_a_toolchain_with_sources_is_asked_to_build_core() {
    let machine = Sandbox::new();
    machine
        .toolchain("distro", "1.96.0")
        .with_sources()
        .with_linker();
    let script = Sandbox::root().join("scripts/kcargo.sh");
    let said = text(
        &machine
            .command(&script, &["distro"])
            .args(["clippy"])
            .output()
            .unwrap(),
    );
    assert!(said.contains("RUSTC_BOOTSTRAP=1\n"), "{said}");
    assert!(
        said.contains("cargo-clippy: clippy --target") && said.contains("kernel-toolchain.toml"),
        "{said}"
    );

    machine.toolchain("distro", "1.96.0").with_target();
    let said = text(
        &machine
            .command(&script, &["distro"])
            .args(["clippy"])
            .output()
            .unwrap(),
    );
    assert!(
        !said.contains("RUSTC_BOOTSTRAP") && !said.contains("kernel-toolchain.toml"),
        "{said}"
    );
}

#[test]
fn host_cargo_and_its_tools_are_of_one_toolchain_that_has_them() {
    let machine = Sandbox::new();
    machine.toolchain("rustup", "1.95.0").on_path();
    machine.toolchain("distro", "1.96.0");
    std::fs::remove_file(machine.path("rustup/bin/cargo-fmt")).unwrap();
    let script = Sandbox::root().join("scripts/cargo.sh");
    let run = |verb: &str| {
        text(
            &machine
                .command(&script, &["distro"])
                .arg(verb)
                .output()
                .unwrap(),
        )
    };
    let build = run("build");
    assert!(
        build.contains(&format!(
            "RUSTC={}",
            machine.path("rustup/bin/rustc").display()
        )),
        "{build}"
    );
    let fmt = run("fmt");
    assert!(
        fmt.contains(&format!(
            "RUSTFMT={}",
            machine.path("distro/bin/rustfmt").display()
        )),
        "{fmt}"
    );
    assert!(
        fmt.contains("cargo-fmt: fmt\n") && fmt.contains("RUSTUP_AUTO_INSTALL=0\n"),
        "{fmt}"
    );
}

#[test]
fn another_target_is_built_with_its_own_name_and_linker() {
    let machine = Sandbox::new();
    machine.toolchain("distro", "1.96.0").with_sources();
    machine.program("ld.lld-22");
    let script = Sandbox::root().join("scripts/kcargo.sh");
    let mut command = machine.command(&script, &["distro"]);
    command
        .arg("build")
        .env("KERNEL_TARGET", "x86_64-unknown-none");
    let said = text(&command.output().unwrap());
    assert!(
        said.contains("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER=") && said.contains("ld.lld-22\n"),
        "{said}"
    );
    assert!(
        said.contains("cargo: build --target x86_64-unknown-none "),
        "{said}"
    );
    assert!(!said.contains("aarch64"), "{said}");
}
