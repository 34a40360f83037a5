//! What a machine is made of before it starts: image, memory, arguments of QEMU.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::checkout;
use super::machine::Machine;

/// The longest that a machine may live, unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine that has not been started.
pub(crate) struct Setup {
    args: Vec<OsString>,
    limit: Duration,
    folder: TempDir,
}

impl Setup {
    /// No kernel: what runs is what a loader device puts there.
    pub(crate) fn bare() -> Self {
        let args = [
            "-M",
            "raspi3b",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
            "-semihosting-config",
            "enable=on,target=native",
        ];
        Self {
            args: args.map(OsString::from).into(),
            limit: LIMIT,
            folder: tempfile::tempdir().expect("a folder for this test's files"),
        }
    }

    /// The flat image: QEMU enters it at EL2 with one core.
    pub(crate) fn raw() -> Self {
        Self::bare().arg("-kernel").arg(checkout::image())
    }

    /// The ELF file: QEMU enters it at EL3 with four cores.
    pub(crate) fn elf() -> Self {
        Self::bare().arg("-kernel").arg(checkout::elf())
    }

    /// Nobody listens to semihosting: a machine that ends stands still, and its emulator runs on.
    pub(crate) fn without_semihosting(mut self) -> Self {
        let is_option = |arg: &OsString| arg == "-semihosting-config";
        if let Some(at) = self.args.iter().position(is_option) {
            self.args.drain(at..at + 2);
        }
        self
    }

    /// The console on no terminal, and the mini-UART on this one: as tutorials start QEMU.
    pub(crate) fn with_the_mini_uart(mut self) -> Self {
        let serial = self.args.iter().position(|arg| arg == "-serial");
        let value = serial.expect("a serial line") + 1;
        self.args[value] = "null".into();
        self.arg("-serial").arg("stdio")
    }

    /// One more argument of QEMU.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Another time limit.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A path for a file that lives as long as the machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts `bytes` into memory at `address` before the first instruction.
    pub(crate) fn memory(self, name: &str, address: u64, bytes: &[u8]) -> Self {
        let path = self.path(name);
        fs::write(&path, bytes).expect("the file can be written");
        self.memory_from(&path, address)
    }

    /// Puts the bytes of the file `path` into memory at `address` before the first instruction.
    pub(crate) fn memory_from(self, path: &Path, address: u64) -> Self {
        let mut device = OsString::from("loader,force-raw=on,file=");
        device.push(path);
        device.push(format!(",addr={address:#x}"));
        self.arg("-device").arg(device)
    }

    /// Stops before the first instruction, for [`Machine::debugger`] or a GDB.
    pub(crate) fn stopped(self) -> Self {
        let mut socket = OsString::from("socket,id=gdb,server=on,wait=off,path=");
        socket.push(self.path("gdb"));
        self.arg("-S")
            .arg("-chardev")
            .arg(socket)
            .arg("-gdb")
            .arg("chardev:gdb")
    }

    /// Starts QEMU.
    pub(crate) fn start(self) -> Machine {
        let mut command = Command::new(checkout::qemu());
        command.args(&self.args);
        Machine::start(command, self.limit, self.folder)
    }
}
