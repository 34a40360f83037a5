//! A client of GDB's remote serial protocol, reduced to reading the registers and the physical
//! memory of a stopped machine.
//!
//! Source: "Debugging with GDB", appendix E (Remote Protocol: E.1 acknowledgement, E.2 packets, E.4
//! `q` packets, E.9 interrupts, G target descriptions). `PhyMemMode` is QEMU's own (`gdbstub.c`).
//!
//! # Decisions
//! - The other side may be anything that listens at a port. No answer is waited for longer than the
//!   timeout, none is accepted beyond a limit, and every answer becomes a value or a [`GdbError`].
//! - A packet that arrives damaged is requested again, and a packet of the client that the stub
//!   refuses is sent again, three times in all.
//! - The client only reads: the one change to the machine is a breakpoint, which is removed again.
//! - A thread is `02`, or `p01.02` with its process. QEMU names processes for as long as it runs
//!   once GDB was attached, whatever a later client supports (`multiprocess`, E.4), and then `D`
//!   needs one, too.

mod description;
mod error;
mod packet;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

pub use description::{Description, RegisterNumber};
pub use error::GdbError;
use packet::{Arrival, Reader};

/// The number of times a packet is sent or requested until the connection counts as broken.
const ATTEMPTS: usize = 3;
/// The bytes of memory that one packet asks for, unless the stub accepts less.
const CHUNK: usize = 0x800;
/// The longest packet that is accepted, in bytes; an answer with [`CHUNK`] bytes has 4096 digits.
const LONGEST_PACKET: usize = 1 << 16;
/// The longest document of a target description that is accepted, in bytes; one of QEMU's has some
/// tens of thousands.
const LONGEST_DOCUMENT: usize = 1 << 20;
/// The most documents of one target description.
const DOCUMENTS: usize = 16;
/// The number of cores behind which the list is cut.
const MOST_CORES: usize = 64;

/// A connection whose reads can be limited in time.
pub trait Connection: Read + Write {
    /// Limits every later read to `limit`, which is not zero.
    ///
    /// # Errors
    /// The system's, from setting the timeouts of a socket.
    fn limit_reads(&mut self, limit: Duration) -> io::Result<()>;
}

impl Connection for TcpStream {
    fn limit_reads(&mut self, limit: Duration) -> io::Result<()> {
        self.set_nodelay(true)?;
        self.set_write_timeout(Some(limit))?;
        self.set_read_timeout(Some(limit))
    }
}

impl Connection for UnixStream {
    fn limit_reads(&mut self, limit: Duration) -> io::Result<()> {
        self.set_write_timeout(Some(limit))?;
        self.set_read_timeout(Some(limit))
    }
}

/// A connection to a stub whose machine is stopped.
pub struct Client<C> {
    connection: C,
    reader: Reader,
    timeout: Duration,
    /// The bytes of memory that one packet asks for.
    chunk: usize,
    registers: Description,
    /// Whether the stub takes memory addresses as physical (`Qqemu.PhyMemMode:1`).
    physical: bool,
}

impl<C: Connection> Client<C> {
    /// Connects to the stub behind `connection` and reads its target description. QEMU stops its
    /// machine when a client connects. No answer may take longer than `timeout`.
    ///
    /// # Errors
    /// [`GdbError`]: the other side does not answer, or not as a stub does.
    pub fn connect(connection: C, timeout: Duration) -> Result<Self, GdbError> {
        let mut client = Self {
            connection,
            reader: Reader::default(),
            timeout,
            chunk: CHUNK,
            registers: Description::default(),
            physical: false,
        };
        let features = client.ask("qSupported:swbreak+;qXfer:features:read+")?;
        if let Some(size) = packet::feature(&features, "PacketSize") {
            // Two digits a byte. QEMU says 4096, and answers 2048 bytes.
            let size = usize::from_str_radix(size, 16).unwrap_or(0) / 2;
            client.chunk = size.clamp(8, CHUNK);
        }
        match client.describe() {
            Ok(registers) => client.registers = registers,
            Err(error) => {
                // The machine was stopped by the connection, and may be in use: `D` lets it run.
                let _ = client.let_go();
                return Err(error);
            }
        }
        Ok(client)
    }

    /// The cores as the stub's thread numbers, in hexadecimal: `01`, `02`, or `p01.01`, `p01.02`.
    ///
    /// # Errors
    /// [`GdbError`], [`GdbError::Unexpected`] for a list that is empty or holds anything but
    /// thread numbers.
    pub fn cores(&mut self) -> Result<Vec<String>, GdbError> {
        let mut cores = Vec::new();
        let mut answer = self.ask("qfThreadInfo")?;
        while let Some(list) = answer.strip_prefix('m') {
            cores.extend(list.split(',').map(str::to_owned));
            if cores.len() > MOST_CORES {
                break;
            }
            answer = self.ask("qsThreadInfo")?;
        }
        match cores.iter().all(|core| is_thread(core)) && !cores.is_empty() {
            true => Ok(cores),
            false => Err(GdbError::unexpected("qfThreadInfo", &answer)),
        }
    }

    /// Chooses the core whose registers are read from here on; `core` is one of [`Client::cores`].
    ///
    /// # Errors
    /// [`GdbError`], if the stub does not answer `OK`.
    pub fn choose(&mut self, core: &str) -> Result<(), GdbError> {
        self.must(&format!("Hg{core}"))
    }

    /// The value of a register of the chosen core, under the first of `names` that the stub
    /// describes.
    ///
    /// # Errors
    /// [`GdbError::NoRegister`] if the stub describes none of them.
    pub fn register(&mut self, names: &[&str]) -> Result<u64, GdbError> {
        let number = names.iter().find_map(|name| self.registers.number(name));
        let Some(RegisterNumber(number)) = number else {
            let name = names.join(" or ");
            return Err(GdbError::NoRegister { name });
        };
        let request = format!("p{number:x}");
        let answer = self.ask(&request)?;
        packet::register_value(&answer).ok_or_else(|| GdbError::unexpected(&request, &answer))
    }

    /// Fills `bytes` from the physical `address` on, in packets of at most 2 KiB.
    ///
    /// # Errors
    /// [`GdbError::Refused`] with the request where the stub has no memory; [`GdbError::NotQemu`]
    /// if it cannot read physical memory.
    pub fn read_physical(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), GdbError> {
        self.use_physical_addresses(true)?;
        let mut done = 0;
        while done < bytes.len() {
            let wanted = (bytes.len() - done).min(self.chunk);
            let request = format!("m{:x},{wanted:x}", address + done as u64);
            let answer = self.ask(&request)?;
            if answer.starts_with('E') {
                return Err(GdbError::Refused { request, answer });
            }
            let found = packet::bytes(&answer)
                .filter(|found| !found.is_empty() && found.len() <= wanted)
                .ok_or_else(|| GdbError::unexpected(&request, &answer))?;
            bytes[done..done + found.len()].copy_from_slice(&found);
            done += found.len();
        }
        Ok(())
    }

    /// Resumes the machine until a core is about to execute the virtual `address`: a hardware
    /// breakpoint, which is removed again.
    ///
    /// # Errors
    /// [`GdbError::Silent`] if no core gets there within `limit`.
    pub fn run_to(&mut self, address: u64, limit: Duration) -> Result<(), GdbError> {
        self.use_physical_addresses(false)?;
        self.must(&format!("Z1,{address:x},4"))?;
        let timeout = std::mem::replace(&mut self.timeout, limit);
        self.resume()?;
        let stopped = self.stop_reply("c");
        self.timeout = timeout;
        stopped?;
        self.must(&format!("z1,{address:x},4"))
    }

    /// Resumes the machine; [`Client::interrupt`] stops it.
    ///
    /// # Errors
    /// [`GdbError`], if the connection fails.
    pub fn resume(&mut self) -> Result<(), GdbError> {
        self.use_physical_addresses(false)?;
        self.send(&packet::framed("c"))
    }

    /// Stops a machine that [`Client::resume`] has resumed.
    ///
    /// # Errors
    /// [`GdbError::Silent`] if it does not stop within the timeout.
    pub fn interrupt(&mut self) -> Result<(), GdbError> {
        self.send(b"\x03")?;
        self.stop_reply("an interrupt")
    }

    /// Resumes the machine and frees the stub for another debugger.
    ///
    /// # Errors
    /// [`GdbError`], if the stub does not answer `OK`.
    pub fn detach(mut self) -> Result<(), GdbError> {
        self.use_physical_addresses(false)?;
        self.let_go()
    }

    /// Resumes the machine: `D`, or `D;1` if the stub wants to know which process.
    fn let_go(&mut self) -> Result<(), GdbError> {
        let answer = self.ask("D")?;
        if answer == "OK" {
            return Ok(());
        }
        let current = self.ask("qC")?;
        match current.strip_prefix("QC").and_then(process) {
            Some(process) => self.must(&format!("D;{process}")),
            None => Err(GdbError::unexpected("D", &answer)),
        }
    }

    fn use_physical_addresses(&mut self, physical: bool) -> Result<(), GdbError> {
        if self.physical == physical {
            return Ok(());
        }
        match self.ask(&format!("Qqemu.PhyMemMode:{}", u8::from(physical)))? {
            answer if answer == "OK" => self.physical = physical,
            _ => return Err(GdbError::NotQemu),
        }
        Ok(())
    }

    /// The registers of the target description: `target.xml` and the documents that it includes.
    fn describe(&mut self) -> Result<Description, GdbError> {
        let mut description = Description::default();
        let mut names = vec!["target.xml".to_owned()];
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            let document = self.document(&name)?;
            for included in description.take(&document) {
                if names.len() < DOCUMENTS && !names.contains(&included) {
                    names.push(included);
                }
            }
            next += 1;
        }
        Ok(description)
    }

    /// A document of the target description, read part by part.
    fn document(&mut self, name: &str) -> Result<String, GdbError> {
        let mut text = String::new();
        loop {
            let (offset, length) = (text.len(), self.chunk);
            let request = format!("qXfer:features:read:{name}:{offset:x},{length:x}");
            let answer = self.ask(&request)?;
            let (more, part) = match answer.split_at_checked(1) {
                Some(("m", part)) if !part.is_empty() => (true, part),
                Some(("l", part)) => (false, part),
                _ => return Err(GdbError::unexpected(&request, &answer)),
            };
            text.push_str(part);
            if text.len() > LONGEST_DOCUMENT {
                let limit = LONGEST_DOCUMENT;
                return Err(GdbError::TooLong { limit });
            }
            if !more {
                return Ok(text);
            }
        }
    }

    fn must(&mut self, request: &str) -> Result<(), GdbError> {
        let answer = self.ask(request)?;
        match answer.as_str() {
            "OK" => Ok(()),
            _ => Err(GdbError::unexpected(request, &answer)),
        }
    }

    /// Sends `request` and returns the answer.
    fn ask(&mut self, request: &str) -> Result<String, GdbError> {
        self.send(&packet::framed(request))?;
        loop {
            let answer = self.answer(request)?;
            // A machine that ran when the client connected reports that it has stopped, before the
            // answer.
            if !is_stop_reply(&answer) {
                return Ok(answer);
            }
        }
    }

    /// Waits for the report that the machine has stopped.
    fn stop_reply(&mut self, request: &str) -> Result<(), GdbError> {
        let answer = self.answer(request)?;
        match is_stop_reply(&answer) {
            true => Ok(()),
            false => Err(GdbError::unexpected(request, &answer)),
        }
    }

    /// The next packet whose checksum is right, acknowledged. `request` is sent again if the stub
    /// refuses it.
    fn answer(&mut self, request: &str) -> Result<String, GdbError> {
        let deadline = Instant::now() + self.timeout;
        let mut damaged = 0;
        while damaged < ATTEMPTS {
            match self.arrival(request, deadline)? {
                Arrival::Packet(text) => {
                    self.send(b"+")?;
                    return Ok(text);
                }
                Arrival::Damaged => {
                    damaged += 1;
                    self.send(b"-")?;
                }
                Arrival::Refusal => {
                    damaged += 1;
                    self.send(&packet::framed(request))?;
                }
            }
        }
        Err(GdbError::Damaged {
            request: request.to_owned(),
        })
    }

    fn arrival(&mut self, request: &str, deadline: Instant) -> Result<Arrival, GdbError> {
        loop {
            if let Some(arrival) = self.reader.next() {
                return Ok(arrival);
            }
            if self.reader.waiting() > LONGEST_PACKET {
                let limit = LONGEST_PACKET;
                return Err(GdbError::TooLong { limit });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.silent(request));
            }
            self.connection.limit_reads(left)?;
            let mut bytes = [0; 4096];
            match self.connection.read(&mut bytes) {
                Ok(0) => return Err(GdbError::Closed),
                Ok(count) => self.reader.take(&bytes[..count]),
                Err(error) if is_timeout(&error) => return Err(self.silent(request)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn silent(&self, request: &str) -> GdbError {
        GdbError::Silent {
            request: request.to_owned(),
            seconds: self.timeout.as_secs_f32(),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), GdbError> {
        self.connection.write_all(bytes)?;
        Ok(self.connection.flush()?)
    }
}

/// Whether an answer says that a core has stopped (`T05thread:01;`, `S05`).
fn is_stop_reply(answer: &str) -> bool {
    answer.starts_with(['T', 'S']) && answer.get(1..3).is_some_and(packet::is_hex)
}

/// Whether a name is a thread's: `02`, or `p01.02` with its process.
fn is_thread(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && packet::is_hex(text);
    match name.strip_prefix('p').map(|rest| rest.split_once('.')) {
        None => is_number(name),
        Some(Some((process, thread))) => is_number(process) && is_number(thread),
        Some(None) => false,
    }
}

/// The process in a thread's name: `01` of `p01.02`.
fn process(thread: &str) -> Option<&str> {
    let (process, _) = thread.strip_prefix('p')?.split_once('.')?;
    is_thread(thread).then_some(process)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
