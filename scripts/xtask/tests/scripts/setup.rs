//! What set-up installs, and what it says where it cannot: `scripts/setup.sh` and `scripts/doctor.sh`, on machines
//! made of stubs.

use std::fs;
use std::process::Output;

use crate::sandbox::{Sandbox, TARGET, text};

/// A machine with all that `make qemu` needs except QEMU.
fn without_qemu() -> Sandbox {
    let machine = Sandbox::new();
    machine
        .toolchain("distro", "1.96.0")
        .with_sources()
        .with_linker();
    machine.program("cc");
    machine
}

fn run(machine: &Sandbox, script: &str, args: &[&str]) -> Output {
    machine
        .command(&Sandbox::root().join("scripts").join(script), &["distro"])
        .args(args)
        .output()
        .unwrap()
}

/// An apt that knows some versions, and notes what it is told to do.
fn add_apt(machine: &Sandbox, versions: &[(&str, &str)]) {
    let done = machine.path("apt-log");
    // What it installs is there afterwards.
    let install = format!(
        "echo \"$*\" >>'{}'; case $* in *qemu-system-arm*) ln -s /bin/sh '{}' ;; esac",
        done.display(),
        machine.path("bin/qemu-system-aarch64").display()
    );
    machine.script("bin/ln", "exec /bin/ln \"$@\"");
    machine.script("bin/apt-get", &install);
    machine.script("bin/id", "echo 0");
    let mut policy = String::from("case $1:$2 in\n");
    for (name, version) in versions {
        policy += &format!("policy:{name}) echo '  Candidate: {version}' ;;\n");
    }
    let versioned: Vec<&str> = versions
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.starts_with("rustc-1"))
        .collect();
    policy += &format!(
        "search:*) printf '%s - Rust\\n' {} ;;\nesac",
        versioned.join(" ")
    );
    machine.script("bin/apt-cache", &policy);
}

#[test]
fn nothing_missing_is_nothing_said_and_nothing_done() {
    let machine = without_qemu();
    add_apt(&machine, &[]);
    machine.program("qemu-system-aarch64");
    let output = run(&machine, "setup.sh", &["qemu"]);
    assert!(output.status.success());
    assert_eq!(text(&output), "");
    assert!(!machine.path("apt-log").exists());
}

#[test]
fn apt_installs_what_the_verb_needs_and_no_more() {
    let machine = without_qemu();
    add_apt(&machine, &[]);
    let output = run(&machine, "setup.sh", &["qemu"]);
    assert!(output.status.success(), "{}", text(&output));
    let log = fs::read_to_string(machine.path("apt-log")).unwrap();
    assert!(
        log.contains("install") && log.contains("qemu-system-arm"),
        "{log}"
    );
    assert!(!log.contains("gdb") && !log.contains("rust"), "{log}");
}

#[test]
fn the_programs_for_other_architectures_need_their_emulators() {
    for (manager, packages) in [
        (
            "dnf",
            "sudo dnf install qemu-system-loongarch64-core qemu-system-riscv-core qemu-system-x86-core",
        ),
        (
            "pacman",
            "sudo pacman -S --needed qemu-system-loongarch64 qemu-system-riscv qemu-system-x86",
        ),
        ("brew", "brew install qemu"),
    ] {
        let machine = without_qemu();
        machine.program(manager);
        machine.program("qemu-system-aarch64");
        let output = run(&machine, "setup.sh", &["test-mmu"]);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("  {packages}\n")), "{said}");
    }
}

#[test]
fn rustup_adds_every_target_for_the_verbs_that_build_for_all() {
    let machine = Sandbox::new();
    machine.toolchain("distro", "1.96.0").with_linker();
    for name in ["cc", "qemu-system-aarch64"] {
        machine.program(name);
    }
    machine.script("bin/rustup", "echo \"rustup $*\"");
    let said = text(&run(&machine, "setup.sh", &["test-mmu"]));
    assert!(
        said.contains(&format!(
            "rustup target add {TARGET} aarch64-unknown-none riscv64imac-unknown-none-elf"
        )),
        "{said}"
    );
    let said = text(&run(&machine, "setup.sh", &["qemu"]));
    assert!(
        said.contains(&format!("rustup target add {TARGET}\n")),
        "{said}"
    );
}

#[test]
fn other_systems_get_the_exact_command_and_a_failure() {
    for (manager, command) in [
        ("dnf", "sudo dnf install qemu-system-aarch64-core"),
        ("pacman", "sudo pacman -S --needed qemu-system-aarch64"),
        ("brew", "brew install qemu"),
    ] {
        let machine = without_qemu();
        machine.program(manager);
        let output = run(&machine, "setup.sh", &["qemu"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(command), "{}", text(&output));
    }
}

#[test]
fn rustup_adds_the_target_only_where_it_may_install() {
    let machine = Sandbox::new();
    machine.toolchain("distro", "1.96.0").with_linker();
    machine.program("cc");
    machine.program("qemu-system-aarch64");
    let core = machine.path("distro/lib/rustlib").join(TARGET).join("lib");
    let add = format!(
        "/bin/mkdir -p '{0}'; : >'{0}/libcore-1.rlib'",
        core.display()
    );
    machine.script("bin/rustup", &add);
    let script = Sandbox::root().join("scripts/setup.sh");
    let mut forbidden = machine.command(&script, &["distro"]);
    let forbidden = forbidden
        .arg("qemu")
        .env("RUSTUP_AUTO_INSTALL", "0")
        .output()
        .unwrap();
    assert_eq!(forbidden.status.code(), Some(1), "{}", text(&forbidden));
    assert!(!core.exists());
    let allowed = run(&machine, "setup.sh", &["qemu"]);
    assert!(allowed.status.success(), "{}", text(&allowed));
    assert!(core.exists());
}

#[test]
fn debians_rust_is_the_first_family_that_is_new_enough() {
    let cases: [(&[(&str, &str)], &str); 4] = [
        (
            &[("rustc", "1.63.0+dfsg1-2"), ("rustc-web", "1.96.0+dfsg1-1")],
            "rustc-web cargo-web rust-web-src\n",
        ),
        (
            &[("rustc", "1.93.1"), ("rustc-web", "1.96.0")],
            "rustc cargo rust-src\n",
        ),
        (
            &[
                ("rustc", "1.75.0"),
                ("rustc-1.76", "1.76.0"),
                ("rustc-1.89", "1.89.0"),
                ("rustc-1.100", "1.100.0"),
            ],
            "rustc-1.100 cargo-1.100 rust-1.100-src\n",
        ),
        (&[("rustc", "1.63.0")], "rustc cargo rust-src\n"),
    ];
    for (versions, expected) in cases {
        let machine = Sandbox::new();
        add_apt(&machine, versions);
        assert_eq!(
            machine.shell(&[], "packages_for kernel apt"),
            expected,
            "{versions:?}"
        );
    }
}

#[test]
fn doctor_fails_and_says_what_mends_it_if_a_needed_tool_is_missing() {
    let machine = without_qemu();
    machine.program("dnf");
    let output = run(&machine, "doctor.sh", &[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("mend it: sudo dnf install qemu-system-aarch64-core\n"),
        "{said}"
    );
    assert!(
        said.contains("needed by: qemu bench debug test test-mmu\n"),
        "{said}"
    );
    assert!(
        said.contains("distro/bin/rustc, which builds core and alloc from its own sources first"),
        "{said}"
    );
}

#[test]
fn doctor_is_content_with_all_that_qemu_and_test_need() {
    let machine = without_qemu();
    machine.program("dnf");
    for name in [
        "qemu-system-aarch64",
        "gdb-multiarch",
        "mcopy",
        "fsck.fat",
        "dtc",
    ] {
        machine.program(name);
    }
    for lint in ["cargo-clippy", "cargo-fmt"] {
        fs::remove_file(machine.path("distro/bin").join(lint)).unwrap();
    }
    let output = run(&machine, "doctor.sh", &[]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("needed by: check\n"), "{said}");
}
