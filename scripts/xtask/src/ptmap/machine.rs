//! The machines whose tables are read: one that is booted for this purpose, or one that runs
//! already.

use std::ffi::OsString;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use ptmap::gdb::{Client, Connection, GdbError};
use ptmap::map::Map;
use ptmap::memory::MachineMemory;
use ptmap::places::Places;
use ptmap::registers::Registers;
use stilt::board::raspi3;

use super::error::MapError;
use crate::program::pieces_of;
use crate::stub::Machine;

/// The longest wait for one answer of the stub.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for the kernel's prompt, in seconds; a tenth of a second is usual.
const BOOT_SECONDS: u64 = 20;
/// The kernel's prompt.
const PROMPT: &[u8] = b"stilt> ";
/// The function at whose start the boot map is read: the first one in the high half.
const BOOTED: &str = "kernel_main";

/// Boots `kernel`, and reads its boot map and its final map.
pub(super) fn boot_and_final(
    program: &OsString,
    kernel: &Path,
    core: usize,
    places: &Places,
) -> Result<[Map; 2], MapError> {
    let symbols = places.symbols();
    let entry = symbols.iter().find(|symbol| symbol.name == BOOTED);
    let entry = entry.ok_or_else(|| MapError::NoEntry {
        path: kernel.to_owned(),
    })?;
    let mut machine = Machine::start(program, kernel, "stilt-ptmap", |command, _| {
        command.args(["-serial", "stdio"]).stdout(Stdio::piped());
    })?;
    let mut console = Console::new(machine.child().stdout.take());
    let socket = machine.gdb_socket();
    let stream = UnixStream::connect(&socket).map_err(|source| MapError::Attach {
        address: socket.display().to_string(),
        source,
    })?;
    let mut client = Client::connect(stream, TIMEOUT)?;
    let booted = client.run_to(entry.va, Duration::from_secs(BOOT_SECONDS));
    booted.map_err(|error| MapError::NotBooted {
        how: match error {
            GdbError::Silent { .. } => format!("in {BOOT_SECONDS} s"),
            other => format!("({other})"),
        },
        output: console.so_far(),
    })?;
    let when = "when the MMU has just been turned on, at the first instruction of kernel_main";
    let boot = read("boot", when, &mut client, core, places)?;
    client.resume()?;
    console.wait_for_prompt()?;
    client.interrupt()?;
    let when = "when the shell has asked for its first line";
    let last = read("final", when, &mut client, core, places)?;
    Ok([boot, last])
}

/// Reads the map of the machine whose stub is at `address`, and lets the machine run on.
pub(super) fn current(address: &str, core: usize, places: &Places) -> Result<Map, MapError> {
    let wrong = |source| MapError::Attach {
        address: address.to_owned(),
        source,
    };
    if address.contains('/') {
        let stream = UnixStream::connect(address).map_err(wrong)?;
        return read_and_detach(stream, core, places);
    }
    let mut last = std::io::ErrorKind::AddrNotAvailable.into();
    for place in address.to_socket_addrs().map_err(wrong)? {
        match TcpStream::connect_timeout(&place, TIMEOUT) {
            Ok(stream) => return read_and_detach(stream, core, places),
            Err(error) => last = error,
        }
    }
    Err(wrong(last))
}

fn read_and_detach<C: Connection>(
    stream: C,
    core: usize,
    places: &Places,
) -> Result<Map, MapError> {
    let mut client = Client::connect(stream, TIMEOUT)?;
    let map = read(
        "current",
        "when it was asked for",
        &mut client,
        core,
        places,
    );
    // The machine is in use, so it must run on even if the map could not be read.
    let detached = client.detach();
    let map = map?;
    detached?;
    Ok(map)
}

/// The map of `core`, whose registers are compared with those of the others.
fn read<C: Connection>(
    name: &str,
    when: &str,
    client: &mut Client<C>,
    core: usize,
    places: &Places,
) -> Result<Map, MapError> {
    let mut cores = Vec::new();
    let names = client.cores()?;
    for name in &names {
        client.choose(name)?;
        cores.push(Registers::read(client)?);
    }
    // QEMU reads memory through the chosen core; all cores have one physical memory.
    client.choose(&names[0])?;
    let last = names.len() - 1;
    let registers = *cores.get(core).ok_or(MapError::NoCore { core, last })?;
    let ram_end = raspi3::RAM_LIMIT as u64;
    let mut memory = MachineMemory::new(client, ram_end);
    let mut map = Map::read(name, when, registers, &mut memory, places)?;
    map.compare_cores(&cores);
    Ok(map)
}

/// The console of a booted machine: its output so far, and a thread that reads it.
struct Console {
    pieces: Receiver<Vec<u8>>,
    output: Vec<u8>,
}

impl Console {
    fn new(output: Option<ChildStdout>) -> Self {
        Self {
            pieces: pieces_of(output),
            output: Vec::new(),
        }
    }

    /// Waits for the prompt.
    fn wait_for_prompt(&mut self) -> Result<(), MapError> {
        let deadline = Instant::now() + Duration::from_secs(BOOT_SECONDS);
        while !self.output.ends_with(PROMPT) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(piece) = self.pieces.recv_timeout(left) else {
                return Err(MapError::NoPrompt {
                    seconds: BOOT_SECONDS,
                    output: self.so_far(),
                });
            };
            self.output.extend(piece);
        }
        Ok(())
    }

    /// The whole output so far.
    fn so_far(&mut self) -> String {
        self.output.extend(self.pieces.try_iter().flatten());
        String::from_utf8_lossy(&self.output).into_owned()
    }
}
