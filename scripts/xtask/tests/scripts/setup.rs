//! The packages that set-up installs, and its messages where it cannot: `scripts/setup.sh` and
//! `scripts/doctor.sh`, on machines made of stubs.

use std::fs;
use std::process::Output;

use crate::sandbox::{Sandbox, TARGET, text};

/// A machine with everything that `make qemu` needs except QEMU.
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

/// An apt that offers these versions of packages, and logs its arguments.
fn add_apt(machine: &Sandbox, versions: &[(&str, &str)]) {
    let done = machine.path("apt-log");
    // A package that it installs is there afterwards.
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

/// Every verb of the Makefile that installs tools.
const VERBS: [&str; 19] = [
    "image",
    "qemu",
    "debug",
    "console",
    "ptmap",
    "lab",
    "grade",
    "test",
    "test-mmu",
    "test-ptmap",
    "check",
    "bench",
    "bench-host",
    "fuzz",
    "mutants",
    "planted",
    "sdcard",
    "flash",
    "all",
];

#[test]
fn a_program_or_folder_that_is_named_and_not_there_is_told_before_anything_is_installed() {
    let machine = without_qemu();
    add_apt(&machine, &[]);
    fs::write(machine.path("text"), "no program").unwrap();
    let (text_file, folder) = (machine.path("text"), machine.path("bin"));
    for verb in VERBS {
        for (name, value, message) in [
            ("QEMU", "/nope", "QEMU=/nope: no such program"),
            ("QEMU", "no-such-qemu", "QEMU=no-such-qemu: no such program"),
            ("QEMU", text_file.to_str().unwrap(), "no such program"),
            ("GDB", "/nope", "GDB=/nope: no such program"),
            ("CHROMIUM", "/nope", "CHROMIUM=/nope: no such program"),
            ("GDB", folder.to_str().unwrap(), "no such program"),
            ("FIRMWARE", "/nope", "FIRMWARE=/nope: no such folder"),
            ("FIRMWARE", text_file.to_str().unwrap(), "no such folder"),
        ] {
            let script = Sandbox::root().join("scripts/setup.sh");
            let mut command = machine.command(&script, &["distro"]);
            let output = command.arg(verb).env(name, value).output().unwrap();
            let said = text(&output);
            assert_eq!(output.status.code(), Some(1), "{verb} {name}: {said}");
            assert!(said.contains(message), "{verb} {name}: {said}");
            assert_eq!(said.lines().count(), 1, "{verb} {name}: {said}");
        }
    }
    assert!(!machine.path("apt-log").exists());
}

#[test]
fn what_is_named_and_there_is_taken() {
    let machine = without_qemu();
    machine.program("my-qemu");
    let script = Sandbox::root().join("scripts/setup.sh");
    for named in [
        "my-qemu".to_owned(),
        machine.path("bin/my-qemu").display().to_string(),
    ] {
        let mut command = machine.command(&script, &["distro"]);
        command.arg("qemu").env("QEMU", &named);
        command.env("GDB", "").env("FIRMWARE", machine.path("bin"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{named}: {}", text(&output));
        assert_eq!(text(&output), "");
    }
}

#[test]
fn doctor_says_which_named_program_is_not_there() {
    let machine = without_qemu();
    machine.program("dnf");
    let script = Sandbox::root().join("scripts/doctor.sh");
    let mut command = machine.command(&script, &["distro"]);
    command.env("QEMU", "/nope").env("FIRMWARE", "/nowhere");
    let output = command.output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("QEMU=/nope: no such program"), "{said}");
    assert!(said.contains("FIRMWARE=/nowhere: no such folder"), "{said}");
    assert!(!said.contains("qemu-system-aarch64-core"), "{said}");
}

/// An apt in which another package conflicts with QEMU, as Debian's `qemu-utils` of another release
/// does.
#[test]
fn apt_may_not_remove_a_package_and_the_command_is_told() {
    let machine = without_qemu();
    add_apt(&machine, &[]);
    let removed = machine.path("removed");
    let body = format!(
        "case $* in\n*' -s install '* | '-s install '*) echo 'Remv qemu-utils [1:10.0.2]' ;;\n\
         *--no-remove*) exit 100 ;;\n*install*) : >'{}' ;;\nesac",
        removed.display()
    );
    machine.script("bin/apt-get", &body);
    let output = run(&machine, "setup.sh", &["qemu"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(!removed.exists(), "{said}");
    assert!(said.contains("would have to remove qemu-utils;"), "{said}");
    assert!(
        said.contains("  sudo apt-get install qemu-system-arm\n"),
        "{said}"
    );
}

/// An apt in which `qemu-utils` conflicts, and which can download packages to be unpacked.
#[test]
fn an_emulator_that_apt_has_no_room_for_is_unpacked_beside_the_system() {
    let machine = without_qemu();
    add_apt(&machine, &[]);
    let body = "case $* in\n*'-s install '*) printf '%s\\n' 'Remv qemu-utils [1:10.0.2]' \
                'Inst qemu-system-data (1:7.2 Debian [all])' \
                'Inst qemu-system-arm (1:7.2 Debian [amd64])' ;;\n\
                *--no-remove*) exit 100 ;;\n\
                'download -q '*) shift 4; for name; do : >\"$name.deb\"; done ;;\nesac";
    machine.script("bin/apt-get", body);
    let body = "mkdir -p \"$3/usr/bin\" \"$3/usr/lib/any-linux-gnu\" \"$3/lib/any-linux-gnu\"\n\
                case $2 in qemu-system-arm.deb) ;; *) exit 0 ;; esac\n\
                program=\"$3/usr/bin/qemu-system-aarch64\"\n\
                printf '#!/bin/sh\\necho \"$LD_LIBRARY_PATH $QEMU_MODULE_DIR $*\"\\n' >\"$program\"\n\
                printf '#!/bin/sh\\nexit 127\\n' >\"$3/usr/bin/qemu-system-arm\"\n\
                chmod +x \"$3\"/usr/bin/*";
    machine.script("bin/dpkg", body);
    let output = run(&machine, "setup.sh", &["qemu"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let why = "apt would have to remove qemu-utils for qemu-system-arm: unpacked in target/tools";
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("getcwd"), "{said}");
    let found = text(&run(&machine, "find-tool.sh", &["qemu"]));
    let program = machine.path("target/tools/bin/qemu-system-aarch64");
    assert_eq!(found.trim_end(), program.to_str().unwrap());
    let output = machine.command(&program, &[]).arg("-version").output();
    let said = text(&output.unwrap());
    let root = machine.path("target/tools/root");
    let root = root.to_str().unwrap();
    let libraries = format!("{root}/usr/lib/any-linux-gnu:{root}/lib/any-linux-gnu");
    let modules = format!("{root}/usr/lib/any-linux-gnu/qemu");
    let roms = format!("-L {root}/usr/share/qemu -L {root}/usr/share/seabios");
    assert_eq!(said, format!("{libraries} {modules} {roms} -version\n"));
    // An emulator that does not start is removed again, so that it is not found later.
    assert!(!machine.path("target/tools/bin/qemu-system-arm").exists());
    assert!(!machine.path("target/tools/packages").exists());
}

/// Without a message the user would look at an empty terminal for minutes.
#[test]
fn a_first_build_says_how_long_it_takes_and_a_later_one_does_not() {
    let machine = without_qemu();
    let built = machine.path("target");
    for (script, args, folder) in [
        ("cargo.sh", ["xtask", "image"], "debug".to_owned()),
        (
            "kcargo.sh",
            ["build", "--release"],
            format!("kernel/{TARGET}"),
        ),
    ] {
        let said = || {
            let script = Sandbox::root().join("scripts").join(script);
            let mut command = machine.command(&script, &["distro"]);
            text(
                &command
                    .args(args)
                    .env("CARGO_TARGET_DIR", &built)
                    .output()
                    .unwrap(),
            )
        };
        let first = said();
        assert!(
            first.contains("The first build") && first.contains("minutes"),
            "{first}"
        );
        fs::create_dir_all(built.join(folder)).unwrap();
        let second = said();
        assert!(!second.contains("The first build"), "{second}");
    }
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
        said.contains("needed by: qemu bench ptmap debug test test-mmu\n"),
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
        "llvm-objdump",
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
