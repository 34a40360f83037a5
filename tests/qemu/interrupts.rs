//! Interrupts: who has which, what becomes of one that nobody has and of one that storms, and that
//! no byte is lost on the line whatever the cores do.

use std::thread;
use std::time::Duration;

use stilt::addr::PhysAddr;
use stilt::board::irq_numbers::IrqNumber;
use stilt::board::raspi3;

use crate::harness::symbols::HIGH_HALF;
use crate::harness::{Ending, Machine, Setup};

/// Time is counted in instructions, and what is idle takes none.
fn counted() -> Setup {
    Setup::raw().arg("-icount").arg("shift=0,sleep=off")
}

/// What `irq` says.
struct Table(String);

impl Table {
    #[track_caller]
    fn read(machine: &mut Machine) -> Self {
        Self(machine.command("irq"))
    }

    /// The four counts in the row that begins with `head`.
    #[track_caller]
    fn counts(&self, head: &str) -> [u64; 4] {
        let row = self
            .0
            .lines()
            .find(|row| row.trim_start().starts_with(head));
        let words = row.map(|row| row.split_whitespace().collect::<Vec<_>>());
        let counts = words.and_then(|words| {
            let counts = words.iter().rev().take(4).rev();
            let counts: Option<Vec<u64>> = counts.map(|word| word.parse().ok()).collect();
            counts?.try_into().ok()
        });
        counts.unwrap_or_else(|| panic!("no counts of {head:?} in {}", self.0))
    }

    /// The counts of a registered interrupt, which must belong to `owner`.
    #[track_caller]
    fn of(&self, number: IrqNumber, owner: &str) -> [u64; 4] {
        let head = format!("{}  {:<16} {owner:<12} ", number.index(), number.name());
        self.counts(&head)
    }

    fn timers(&self) -> [u64; 4] {
        self.of(IrqNumber::VIRTUAL_TIMER, "timers")
    }
}

#[test]
fn every_registered_interrupt_has_its_owner() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let table = Table::read(&mut machine);
    table.of(IrqNumber::PHYSICAL_TIMER, "second timer");
    table.timers();
    table.of(IrqNumber::MAILBOX_0, "function calls");
    table.of(IrqNumber::UART0, "console");
    assert_eq!(table.counts("spurious "), [0; 4], "{}", table.0);
    assert_eq!(table.counts("unhandled "), [0; 4], "{}", table.0);
    let rows = table.0.lines().count();
    assert_eq!(rows, 1 + 4 + 3, "a row that nobody asked for: {}", table.0);
}

/// Core 0 takes the UART's interrupt, and no other core does.
#[test]
fn typing_interrupts_core_0() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let before = Table::read(&mut machine).of(IrqNumber::UART0, "console");
    let after = Table::read(&mut machine).of(IrqNumber::UART0, "console");
    assert!(
        before[0] > 0 && after[0] > before[0],
        "{before:?} {after:?}"
    );
    assert_eq!(after[1..], [0; 3]);
}

#[test]
fn a_call_to_another_core_interrupts_that_core_alone() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let calls =
        |machine: &mut Machine| Table::read(machine).of(IrqNumber::MAILBOX_0, "function calls");
    let before = calls(&mut machine);
    machine.command("fault brk 2");
    let after = calls(&mut machine);
    let came: [u64; 4] = std::array::from_fn(|core| after[core] - before[core]);
    assert_eq!(came, [0, 0, 1, 0]);
}

/// Time passes and no timer interrupts; one that is due interrupts once.
#[test]
fn the_timer_interrupts_only_when_something_is_due() {
    let mut machine = counted().start();
    machine.boot();
    assert_eq!(Table::read(&mut machine).timers(), [0; 4]);
    for slept in 1..=3 {
        machine.command("sleep 10");
        let counts = Table::read(&mut machine).timers();
        assert_eq!(counts, [slept, 0, 0, 0]);
    }
    // Once to say how far it is, and once at the end.
    machine.command("sleep 1900");
    assert_eq!(Table::read(&mut machine).timers(), [5, 0, 0, 0]);
}

/// At a prompt where nothing happens no timer interrupts, for 300 ms of the host's time.
#[test]
fn an_idle_kernel_does_not_tick() {
    let mut machine = Setup::raw().start();
    machine.boot();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(Table::read(&mut machine).timers(), [0; 4]);
}

/// Where the kernel sees a device's register.
fn register(device: PhysAddr, offset: u64) -> u64 {
    HIGH_HALF + device.as_usize() as u64 + offset
}

#[track_caller]
fn peek(machine: &mut Machine, address: u64) -> u64 {
    let output = machine.command(&format!("peek {address:#x} 32"));
    let value = output.split_once(": 0x").map(|(_, value)| value.trim());
    match value.map(|value| u64::from_str_radix(value, 16)) {
        Some(Ok(value)) => value,
        _ => machine.fail("nothing was read"),
    }
}

#[track_caller]
fn poke(machine: &mut Machine, address: u64, value: u64) {
    let output = machine.command(&format!("poke {address:#x} {value:#x} 32"));
    machine.must_say(&output, &[" written"]);
}

/// Channel 1 of the system timer, which the kernel leaves alone, and its line at the older
/// controller.
#[test]
fn an_interrupt_that_nobody_registered_is_masked_reported_and_counted_once() {
    const SYSTEM_TIMER: PhysAddr = PhysAddr::new(0x3f00_3000);
    const LINE: u64 = 1 << 1;
    let [status, counter, compare] = [0, 4, 0x10].map(|offset| register(SYSTEM_TIMER, offset));
    let enabled = register(raspi3::INTERRUPT_CONTROLLER, 0x10);
    let mut machine = counted().start();
    machine.boot();
    let now = peek(&mut machine, counter);
    poke(&mut machine, compare, (now + 20_000) & 0xffff_ffff);
    machine.command("sleep 50");
    assert_eq!(peek(&mut machine, status) & LINE, LINE, "it is raised");
    let table = Table::read(&mut machine);
    assert_eq!(table.counts("unhandled "), [0; 4], "it is not let in yet");
    poke(&mut machine, enabled, LINE);
    let words = "system timer 1 on core 0 belongs to nobody: masked";
    machine.must_say(&machine.transcript(), &[words]);
    assert_eq!(peek(&mut machine, enabled) & LINE, 0, "it is masked");
    // The line is still raised: nobody has served it.
    assert_eq!(peek(&mut machine, status) & LINE, LINE);
    machine.command("sleep 50");
    let table = Table::read(&mut machine);
    assert_eq!(table.counts("unhandled "), [1, 0, 0, 0], "{}", table.0);
    assert_eq!(machine.transcript().matches(words).count(), 1);
    // Let in again it comes again at once: counted, and not told a second time.
    poke(&mut machine, enabled, LINE);
    let table = Table::read(&mut machine);
    assert_eq!(table.counts("unhandled "), [2, 0, 0, 0], "{}", table.0);
    assert_eq!(peek(&mut machine, enabled) & LINE, 0);
    assert_eq!(machine.transcript().matches(words).count(), 1);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// The local timer has no mask between it and the core: it is stopped at its own register, and
/// told.
#[test]
fn an_interrupt_without_a_mask_is_stopped_at_its_device() {
    const ENABLED: u64 = 1 << 29 | 1 << 28;
    let control = register(raspi3::LOCAL_PERIPHERALS, 0x34);
    let mut machine = counted().start();
    machine.boot();
    for round in 1..=2 {
        // Every 26 us, from a clock of 38.4 MHz.
        poke(&mut machine, control, ENABLED | 1_000);
        machine.command("sleep 50");
        assert_eq!(peek(&mut machine, control) & ENABLED, 0, "it is stopped");
        let table = Table::read(&mut machine);
        let counts = table.counts("unhandled ");
        assert_eq!(counts, [round, 0, 0, 0], "{}", table.0);
    }
    let words = "local timer on core 0 belongs to nobody: masked";
    assert_eq!(machine.transcript().matches(words).count(), 1);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// A sender that is as fast as the emulator hands bytes over: several in each microsecond of a
/// guest whose clock counts instructions, where the line brings one in 87.
#[test]
fn an_interrupt_that_storms_is_masked_and_reported() {
    let mut machine = counted().start();
    machine.boot();
    // Bytes that are no keys, at the prompt: nothing is armed that this clock could skip to between
    // two, and nothing is answered that takes time. On a busy host they come in too slowly, at
    // times: then they come again.
    let words = "uart0 of console storms on core 0: masked at 100000 a second";
    let storms = (0..8).any(|_| {
        machine.send(vec![0; 64 << 10]);
        machine.command("uptime");
        machine.transcript().contains(words)
    });
    assert!(storms, "{}", machine.transcript());
    // The interrupt is let in again after a while, and what the emulator held back comes in.
    machine.send("echo-test 3\rabc");
    machine.expect("crc 352441c2 of 3 bytes, 0 overruns");
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn releasing_what_is_not_masked_or_does_not_exist_is_told() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (line, words) in [
        ("irq release 89", "uart0 was not masked"),
        ("irq release 104", "104 is not from 0 to 103"),
        ("irq release x", "expected a decimal digit"),
        ("irq release", "usage: irq [release NUMBER]"),
        ("irq free 89", "usage: irq [release NUMBER]"),
    ] {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
    }
}

const ECHOED: usize = 64 << 10;

/// Bytes of all values, from a generator (xorshift64) that begins with `seed`.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    });
    let bytes: Vec<u8> = bytes.take(ECHOED).collect();
    assert!((0..=u8::MAX).all(|value| bytes.contains(&value)));
    bytes
}

/// CRC-32 as of Ethernet (ISO-HDLC), a bit at a time.
pub(crate) fn crc_32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            let out = crc & 1;
            (crc >> 1) ^ (out * 0xedb8_8320)
        })
    });
    !crc
}

#[test]
fn the_crc_of_the_tests_is_the_one_that_everybody_means() {
    assert_eq!(crc_32(b"123456789"), 0xcbf4_3926);
}

#[track_caller]
fn all_bytes_arrive(command: &str, seed: u64) {
    let mut machine = Setup::raw().start();
    machine.boot();
    let bytes = noise(seed);
    machine.send(format!("{command}\r"));
    machine.expect(&format!("send {ECHOED} bytes\n"));
    machine.send(&bytes);
    let said = machine.expect("overruns\n");
    let expected = format!("crc {:08x} of {ECHOED} bytes, 0 ", crc_32(&bytes));
    // Behind what it says once a second.
    assert_eq!(said.lines().last(), Some(&*expected));
    // Nothing is left over: the next line is a command as it was typed.
    let output = machine.command("uptime");
    machine.must_say(&output, &["since the first instruction"]);
}

#[test]
fn no_byte_is_lost_while_the_other_cores_are_idle() {
    all_bytes_arrive(&format!("echo-test {ECHOED}"), 0x5717_0000_0000_0001);
}

#[test]
fn no_byte_is_lost_while_all_cores_are_busy() {
    all_bytes_arrive(&format!("echo-test {ECHOED} busy"), 0x5717_0000_0000_0002);
}

/// Cores 1 to 3 do not get the UART's interrupt: each waits for the first byte of a part by itself, polling,
/// while core 0 takes the interrupts.
#[test]
fn every_core_reads_the_console_as_a_stream() {
    const BYTES: usize = 4 << 10;
    let mut machine = Setup::raw().start();
    machine.boot();
    for core in 1..=3 {
        let bytes = &noise(0x5717_0000_0000_0010 + core)[..BYTES];
        machine.send(format!("echo-test {BYTES} {core}\r"));
        machine.expect(&format!("send {BYTES} bytes\n"));
        // A part that is less than a read asks for, and a second without a byte.
        let (first, rest) = bytes.split_at(3);
        machine.send(first);
        machine.expect(&format!("echo-test: 3 of {BYTES} bytes\n"));
        machine.send(rest);
        let said = machine.expect("overruns\n");
        let expected = format!("crc {:08x} of {BYTES} bytes, 0 ", crc_32(bytes));
        assert_eq!(said.lines().last(), Some(&*expected), "core {core}");
    }
    let output = machine.command("uptime");
    machine.must_say(&output, &["since the first instruction"]);
}

/// After how many microseconds the alarm rang, of `delay_ms` milliseconds.
#[track_caller]
fn ring(machine: &mut Machine, delay_ms: u64) -> u64 {
    let output = machine.command(&format!("alarm {delay_ms}"));
    let words = output
        .lines()
        .find_map(|line| line.strip_prefix("rang after "));
    let after_us = words.and_then(|words| words.strip_suffix(" us")?.parse().ok());
    after_us.unwrap_or_else(|| machine.fail("the alarm does not ring"))
}

#[test]
fn a_driver_takes_an_interrupt_and_gives_it_up_while_the_kernel_runs() {
    const ALARM: IrqNumber = IrqNumber::SYSTEM_TIMER_1;
    let mut machine = counted().start();
    machine.boot();
    let before = machine.command("irq");
    assert!(
        !before.contains(ALARM.name()),
        "nobody has it yet: {before}"
    );
    for rung in 1..=3 {
        let after_us = ring(&mut machine, 20);
        // The timer counts whole microseconds: the one that had begun counts too.
        assert!((19_999..30_000).contains(&after_us), "after {after_us} us");
        let counts = Table::read(&mut machine).of(ALARM, "-");
        assert_eq!(
            counts,
            [rung, 0, 0, 0],
            "core 0 took each, and nobody has it now"
        );
    }
    machine.send("alarm 600000\r");
    machine.expect("alarm: ");
    machine.send("\x03");
    machine.expect("stilt> ");
    let counts = Table::read(&mut machine).of(ALARM, "-");
    assert_eq!(counts, [3, 0, 0, 0], "who is interrupted gives it up too");
    let _ = ring(&mut machine, 1);
    let table = Table::read(&mut machine);
    assert_eq!(
        table.counts("unhandled"),
        [0; 4],
        "none came that nobody had"
    );
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}
