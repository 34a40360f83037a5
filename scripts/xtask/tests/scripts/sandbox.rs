//! A machine made of stubs: a PATH with only the programs that a test puts there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The kernel's target.
pub(crate) const TARGET: &str = "aarch64-unknown-none-softfloat";
/// The programs that the scripts may expect on every system.
const BASICS: &[&str] = &[
    "basename", "cat", "chmod", "dirname", "env", "grep", "id", "mkdir", "printf", "rm", "sed",
    "sh", "sort", "tail", "tr", "uname",
];

/// A folder that holds the whole PATH.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// A sandbox with nothing but the basic tools.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Self { folder };
        fs::create_dir(sandbox.bin()).unwrap();
        for name in BASICS {
            let real = ["/usr/bin", "/bin"].map(|at| Path::new(at).join(name));
            let real = real.iter().find(|path| path.exists()).unwrap();
            symlink(real, sandbox.bin().join(name)).unwrap();
        }
        sandbox
    }

    /// The checkout that is being tested.
    pub(crate) fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .unwrap()
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// A path below the sandbox's folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Puts a shell script with this body at `below`.
    pub(crate) fn script(&self, below: &str, body: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.is_symlink() {
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Puts a program on the PATH that does nothing.
    pub(crate) fn program(&self, name: &str) {
        self.script(&format!("bin/{name}"), "exit 0");
    }

    /// A toolchain in the folder `name`, whose cargo shows its environment and its arguments.
    pub(crate) fn toolchain(&self, name: &str, version: &str) -> Toolchain<'_> {
        let sysroot = self.path(name);
        let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
        self.script(
            &format!("{name}/bin/rustc"),
            &format!(
                "case $* in\n--version) echo 'rustc {version} (stub)' ;;\n'--print sysroot') echo '{}' ;;\n*) echo '{}' ;;\nesac",
                sysroot.display(),
                libraries.display()
            ),
        );
        for tool in ["cargo", "cargo-clippy", "cargo-fmt", "rustfmt"] {
            self.script(
                &format!("{name}/bin/{tool}"),
                &format!("env; echo \"{tool}: $*\""),
            );
        }
        Toolchain {
            sandbox: self,
            name: name.to_owned(),
        }
    }

    /// A command that sees this PATH, these variables, and the toolchains `distro` as the
    /// distribution's.
    pub(crate) fn command(&self, program: &Path, distro: &[&str]) -> Command {
        let distro: Vec<String> = distro
            .iter()
            .map(|name| self.path(name).join("bin/rustc").display().to_string())
            .collect();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", self.bin())
            .env("HOME", self.folder.path())
            .env("CARGO_TARGET_DIR", self.path("target"));
        command.env(
            "DISTRO_RUSTC",
            if distro.is_empty() {
                "/nowhere".to_owned()
            } else {
                distro.join(" ")
            },
        );
        command
    }

    /// The output of `lines` in a shell that has sourced the scripts that find tools.
    pub(crate) fn shell(&self, distro: &[&str], lines: &str) -> String {
        let root = Self::root();
        let sourced = format!(
            "root='{0}'; . '{0}/scripts/toolchain.sh'; . '{0}/scripts/tools.sh'; {lines}",
            root.display()
        );
        text(
            &self
                .command(Path::new("/bin/sh"), distro)
                .args(["-euc", &sourced])
                .output()
                .unwrap(),
        )
    }
}

/// A toolchain under construction.
pub(crate) struct Toolchain<'sandbox> {
    sandbox: &'sandbox Sandbox,
    name: String,
}

impl Toolchain<'_> {
    fn file(self, below: &str) -> Self {
        let path = self.sandbox.path(&self.name).join(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        self
    }

    /// Gives it a compiled `core` for the kernel's target.
    pub(crate) fn with_target(self) -> Self {
        self.file(&format!("lib/rustlib/{TARGET}/lib/libcore-0123.rlib"))
    }

    /// Gives it the library's sources.
    pub(crate) fn with_sources(self) -> Self {
        self.file("lib/rustlib/src/rust/library/Cargo.lock")
    }

    /// Gives it a linker of its own.
    pub(crate) fn with_linker(self) -> Self {
        self.sandbox.script(
            &format!("{}/lib/rustlib/host/bin/rust-lld", self.name),
            "exit 0",
        );
        self
    }

    /// Makes it the one that the PATH leads to, as rustup does.
    pub(crate) fn on_path(self) {
        self.sandbox.script(
            "bin/rustc",
            &format!(
                "exec '{}/bin/rustc' \"$@\"",
                self.sandbox.path(&self.name).display()
            ),
        );
    }
}

/// Both streams of a finished command.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
