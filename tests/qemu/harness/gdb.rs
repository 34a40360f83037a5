//! A debugger's side of the GDB remote protocol, as much as tests need to stop the kernel and
//! change it.
//!
//! Source: the GDB manual, appendix E. QEMU's own packet is `Qqemu.PhyMemMode`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The longest that a packet may take to come.
const TIMEOUT: Duration = Duration::from_secs(20);

/// x30, the program counter and the processor state, as the protocol numbers them for AArch64.
const LINK_REGISTER: u32 = 30;
const PROGRAM_COUNTER: u32 = 32;
const PROCESSOR_STATE: u32 = 33;

/// The cores of the machine.
const CORES: usize = 4;

/// A connection to a stopped machine.
pub(crate) struct Gdb {
    stream: UnixStream,
}

impl Gdb {
    /// Connects as soon as QEMU listens.
    pub(crate) fn connect(socket: &Path) -> Self {
        let deadline = Instant::now() + TIMEOUT;
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "{}: {error}", socket.display()),
            }
            thread::sleep(Duration::from_millis(5));
        };
        let limited = stream.set_read_timeout(Some(TIMEOUT));
        limited.expect("a socket can have a time limit");
        let mut gdb = Self { stream };
        // Without that, QEMU takes us for a debugger that knows no registers.
        gdb.description("target.xml");
        gdb
    }

    /// Continues until core 0 is about to execute `address`.
    #[track_caller]
    pub(crate) fn run_to(&mut self, address: u64) {
        self.must(&format!("Z1,{address:x},4"));
        let stop = self.ask("c");
        assert!(stop.starts_with('T'), "the debugger was told {stop:?}");
        self.must(&format!("z1,{address:x},4"));
        let stopped = self.register(PROGRAM_COUNTER);
        assert_eq!(stopped, address, "stopped at {stopped:#x}");
    }

    /// Continues until some core is about to execute `address`, which `provoke` leads to. Returns
    /// its number.
    #[track_caller]
    pub(crate) fn run_some_core_to(&mut self, address: u64, provoke: impl FnOnce()) -> usize {
        self.must(&format!("Z1,{address:x},4"));
        self.packet("c");
        provoke();
        let stop = self.answer();
        self.must(&format!("z1,{address:x},4"));
        let thread = stop
            .split_once("thread:")
            .and_then(|(_, rest)| rest.split(';').next())
            .and_then(|number| usize::from_str_radix(number, 16).ok());
        match thread {
            Some(thread @ 1..=CORES) => thread - 1,
            _ => panic!("the debugger was told {stop:?}"),
        }
    }

    /// Lets all cores go on but `held`, which stands where it is.
    pub(crate) fn resume_all_but(&mut self, held: usize) {
        let others = (0..CORES).filter(|core| *core != held);
        let actions: String = others.map(|core| format!(";c:{:x}", core + 1)).collect();
        self.packet(&format!("vCont{actions}"));
    }

    /// Lets all cores go on.
    pub(crate) fn resume_all(&mut self) {
        self.packet("c");
    }

    /// Stops all cores that were let go.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.send("\x03");
        let stop = self.answer();
        assert!(stop.starts_with('T'), "the debugger was told {stop:?}");
    }

    /// The program counter and the processor state of a core.
    pub(crate) fn place_of(&mut self, core: usize) -> (u64, u64) {
        self.must(&format!("Hg{:x}", core + 1));
        let place = self.register(PROGRAM_COUNTER);
        let state = self.ask(&format!("p{PROCESSOR_STATE:x}"));
        self.must("Hg1");
        // 4 bytes, in memory order.
        let state = u64::from_str_radix(&state, 16).map(|state| state.swap_bytes() >> 32);
        (place, state.expect("the processor state"))
    }

    /// Whether a core waits with its exceptions masked: where it is a moment later. All are
    /// stopped.
    pub(crate) fn has_stopped(&mut self, core: usize) -> bool {
        const ALL_MASKED: u64 = 0b1111 << 6;
        let (place, state) = self.place_of(core);
        self.resume_all();
        thread::sleep(Duration::from_millis(50));
        self.stop();
        place.abs_diff(self.place_of(core).0) <= 8 && state & ALL_MASKED == ALL_MASKED
    }

    /// Stops whoever is about to execute `address`, until [`Gdb::clear_breakpoint`].
    #[track_caller]
    pub(crate) fn set_breakpoint(&mut self, address: u64) {
        self.must(&format!("Z1,{address:x},4"));
    }

    /// Stops nobody there any more.
    #[track_caller]
    pub(crate) fn clear_breakpoint(&mut self, address: u64) {
        self.must(&format!("z1,{address:x},4"));
    }

    /// Continues; [`Gdb::has_stopped_within`] says when it has stopped again.
    pub(crate) fn go_on(&mut self) {
        self.packet("c");
    }

    /// Whether the machine stops within `timeout`, or has stopped.
    pub(crate) fn has_stopped_within(&mut self, timeout: Duration) -> bool {
        let limited = self.stream.set_read_timeout(Some(timeout));
        limited.expect("a socket can have a time limit");
        // The acknowledgement of what was sent, or the beginning of the answer.
        let mut byte = [0];
        let found = loop {
            match self.stream.read(&mut byte) {
                Ok(1) if byte == *b"$" => break true,
                Ok(1) => {}
                _ => break false,
            }
        };
        let limited = self.stream.set_read_timeout(Some(TIMEOUT));
        limited.expect("a socket can have a time limit");
        if found {
            let stop = self.rest_of_answer();
            assert!(stop.starts_with('T'), "the debugger was told {stop:?}");
        }
        found
    }

    /// Where the core that stopped is.
    pub(crate) fn program_counter(&mut self) -> u64 {
        self.register(PROGRAM_COUNTER)
    }

    /// x0 to x30.
    pub(crate) fn x(&mut self, number: u32) -> u64 {
        self.register(number)
    }

    /// Lets core `core` execute an instruction; the others stand.
    #[track_caller]
    pub(crate) fn step(&mut self, core: usize) {
        let stop = self.ask(&format!("vCont;s:{:x}", core + 1));
        assert!(stop.starts_with('T'), "the debugger was told {stop:?}");
    }

    /// Registers are those of core `core` from here on.
    #[track_caller]
    pub(crate) fn choose(&mut self, core: usize) {
        self.must(&format!("Hg{:x}", core + 1));
    }

    /// System registers of the chosen core, by their names as QEMU has them.
    pub(crate) fn system_registers(&mut self, names: &[&str]) -> Vec<u64> {
        let registers = self.description("system-registers.xml");
        let number = |name: &&str| {
            let (_, rest) = registers.split_once(&format!("name=\"{name}\""))?;
            let (_, rest) = rest.split_once("regnum=\"")?;
            rest.split('"').next()?.parse().ok()
        };
        let numbers: Vec<Option<u32>> = names.iter().map(number).collect();
        numbers
            .into_iter()
            .zip(names)
            .map(|(number, name)| match number {
                Some(number) => self.register(number),
                None => panic!("QEMU describes no {name}"),
            })
            .collect()
    }

    /// Continues, for good.
    pub(crate) fn resume(mut self) {
        self.packet("c");
    }

    /// Lets the machine go on, so that another debugger can stop it.
    pub(crate) fn detach(mut self) {
        self.must("D");
    }

    /// Ends the session as GDB does, which supports several processes: QEMU names them from now on.
    pub(crate) fn detach_as_gdb(mut self) {
        self.ask("qSupported:multiprocess+");
        self.must("D;1");
    }

    /// A register by its number.
    fn register(&mut self, number: u32) -> u64 {
        number_of(&self.ask(&format!("p{number:x}")))
    }

    /// Changes a register.
    pub(crate) fn set_register(&mut self, number: u32, value: u64) {
        self.must(&format!("P{number:x}={}", hex(value)));
    }

    /// Returns from the function that was just entered, before it does anything.
    pub(crate) fn return_at_once(&mut self) {
        let caller = self.register(LINK_REGISTER);
        self.set_register(PROGRAM_COUNTER, caller);
    }

    /// A system register by its name, as QEMU describes them.
    pub(crate) fn system_register(&mut self, name: &str) -> u64 {
        self.system_registers(&[name])[0]
    }

    /// 8 bytes at a physical address.
    pub(crate) fn read(&mut self, address: u64) -> u64 {
        self.must("Qqemu.PhyMemMode:1");
        let answer = self.ask(&format!("m{address:x},8"));
        self.must("Qqemu.PhyMemMode:0");
        number_of(&answer)
    }

    /// Changes 8 bytes at a physical address.
    pub(crate) fn write(&mut self, address: u64, value: u64) {
        self.must("Qqemu.PhyMemMode:1");
        self.must(&format!("M{address:x},8:{}", hex(value)));
        self.must("Qqemu.PhyMemMode:0");
    }

    fn description(&mut self, name: &str) -> String {
        let mut text = String::new();
        loop {
            let mut part = self.ask(&format!("qXfer:features:read:{name}:{:x},800", text.len()));
            // A machine that was running says first that it has stopped.
            while part.starts_with('T') {
                part = self.answer();
            }
            text.push_str(part.get(1..).unwrap_or_default());
            match part.get(..1) {
                Some("m") => {}
                Some("l") => return text,
                _ => panic!("{name}: {part:?}"),
            }
        }
    }

    #[track_caller]
    fn must(&mut self, packet: &str) {
        let answer = self.ask(packet);
        assert_eq!(answer, "OK", "{packet}");
    }

    fn ask(&mut self, packet: &str) -> String {
        self.packet(packet);
        self.answer()
    }

    fn packet(&mut self, text: &str) {
        let sum = text.bytes().fold(0_u8, u8::wrapping_add);
        self.send(&format!("${text}#{sum:02x}"));
    }

    fn send(&mut self, text: &str) {
        let sent = self.stream.write_all(text.as_bytes());
        sent.expect("QEMU listens to its debugger");
    }

    /// The contents of the next packet.
    fn answer(&mut self) -> String {
        while self.byte() != b'$' {}
        self.rest_of_answer()
    }

    /// What follows the `$`.
    fn rest_of_answer(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            match self.byte() {
                b'#' => break,
                b'}' => text.push(self.byte() ^ 0x20),
                byte => text.push(byte),
            }
        }
        // The sum: a local socket changes no bytes. QEMU waits for the acknowledgement.
        self.byte();
        self.byte();
        self.send("+");
        String::from_utf8_lossy(&text).into_owned()
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        let read = self.stream.read_exact(&mut byte);
        read.expect("QEMU answers its debugger");
        byte[0]
    }
}

/// Memory order, as registers and memory are sent.
fn hex(value: u64) -> String {
    value
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[track_caller]
fn number_of(hex: &str) -> u64 {
    match u64::from_str_radix(hex, 16) {
        Ok(number) if hex.len() == 16 => number.swap_bytes(),
        _ => panic!("{hex:?} is not a register or 8 bytes of memory"),
    }
}
