//! Failures of verbs as a user and a Makefile see them: the exit code and the message of the
//! program.
//!
//! Exit code 2 is a wrong call, 1 any other failure. Only calls that fail before anything is built
//! are tested here.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::{Command, Output};

/// The outcome of a call with `arguments`, without the variables of the environment that verbs
/// read.
fn xtask(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments);
    for name in ["ATTACH", "DEBUG", "FIRMWARE", "GDB", "QEMU"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    command.output().expect("the program runs")
}

/// Asserts that a call fails with `code` and prints one line, `error: ` and `message`.
#[track_caller]
fn fails(arguments: &[&str], environment: &[(&str, &str)], code: i32, message: &str) {
    let output = xtask(arguments, environment);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, format!("error: {message}\n"), "{arguments:?}");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
}

#[test]
fn an_unknown_verb_is_a_wrong_call() {
    fails(
        &["nope"],
        &[],
        2,
        "there is no verb \"nope\": `cargo xtask --help` lists them",
    );
    fails(
        &["--nope"],
        &[],
        2,
        "invalid option '--nope' (`cargo xtask --help` lists what there is)",
    );
}

#[test]
fn an_unknown_option_of_any_verb_is_a_wrong_call() {
    let verbs = [
        "bench", "check", "console", "debug", "flash", "grade", "image", "lab", "mmu", "peers",
        "planted", "ptmap", "qemu", "sdcard",
    ];
    for verb in verbs {
        fails(
            &[verb, "--nope"],
            &[],
            2,
            "invalid option '--nope' (`cargo xtask --help` lists what there is)",
        );
    }
    fails(
        &["sdcard", "nope"],
        &[],
        2,
        "unexpected argument \"nope\" (`cargo xtask --help` lists what there is)",
    );
}

#[test]
fn a_wrong_value_is_a_wrong_call() {
    fails(
        &["mmu", "nope"],
        &[],
        2,
        "there is no machine \"nope\" in tests/mmu",
    );
    fails(
        &["image"],
        &[("DEBUG", "2")],
        2,
        "DEBUG=2: expected 1 for a debug build, or nothing",
    );
    fails(
        &["flash"],
        &[],
        2,
        "say which disk: `make flash DEV=/dev/sdX`; `lsblk` lists the disks",
    );
}

#[test]
fn an_emulator_that_is_not_there_is_told_before_a_build() {
    let message = "/nope: no such program; `make setup` installs one, QEMU=/path names another";
    for verb in ["bench", "debug", "peers", "ptmap", "qemu"] {
        fails(&[verb, "--qemu", "/nope"], &[], 1, message);
    }
    fails(&["qemu"], &[("QEMU", "/nope")], 1, message);
    fails(&["mmu", "aarch64"], &[("QEMU", "/nope")], 1, message);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    fails(
        &["flash", "/dev/nope", "--yes"],
        &[],
        1,
        "cannot read /dev/nope: No such file or directory (os error 2)",
    );
    fails(
        &["check", "--root", "/nope"],
        &[],
        1,
        "cannot read /nope/src: No such file or directory (os error 2)",
    );
}

#[test]
fn a_device_that_is_no_disk_is_refused() {
    fails(
        &["flash", "/dev/null", "--yes"],
        &[],
        1,
        "/dev/null: this is not a disk (no block device)",
    );
}

#[test]
fn firmware_with_a_file_missing_is_told_before_a_build() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().display().to_string();
    let message = format!(
        "{name}/bootcode.bin is not there, but all of the firmware's files must be in FIRMWARE's \
         folder: bootcode.bin, start.elf, fixup.dat"
    );
    fails(&["sdcard"], &[("FIRMWARE", &name)], 1, &message);
    fails(&["flash", "/dev/null"], &[("FIRMWARE", &name)], 1, &message);
}

#[test]
fn a_console_without_a_kernel_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().display().to_string();
    let message =
        format!("no `make debug` is running: there is no socket stilt-debug-*/console in {name}");
    fails(&["console"], &[("TMPDIR", &name)], 1, &message);
    let socket = Path::new(&name).join("console").display().to_string();
    let output = xtask(&["console", &socket], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("error: the console at {socket}: No such file or directory");
    assert!(said.contains(&message), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_machine_that_is_not_there_to_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elf = folder.path().join("kernel.elf").display().to_string();
    let message = format!("cannot read {elf}: No such file or directory (os error 2)");
    fails(
        &["ptmap", "--attach", "/nope", "--elf", &elf],
        &[],
        1,
        &message,
    );
    std::fs::write(&elf, "no ELF file").expect("its own file");
    let output = xtask(&["ptmap", "--elf", &elf], &[("ATTACH", "/nope")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no symbols can be read"), "{said}");
}

#[test]
fn help_lists_the_verbs_and_is_no_failure() {
    for arguments in [&[][..], &["--help"], &["-h"]] {
        let output = xtask(arguments, &[]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.starts_with("usage: cargo xtask VERB"), "{said}");
        assert_eq!(output.status.code(), Some(0));
    }
}
