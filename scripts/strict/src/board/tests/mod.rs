//! The devices together: an interrupt's way to a core, a byte's way through the pins.

mod random;

use std::collections::BTreeMap;

use super::{Board, Ending, GpuMemory, Lines, Notice, Options, Peripheral, TimerLines};

type Memory = BTreeMap<u32, u32>;

const IRQ: Lines = Lines {
    irq: true,
    fiq: false,
};

struct Bench {
    board: Board,
    memory: Memory,
    now: u64,
}

impl Bench {
    fn new(options: &Options) -> Self {
        Self {
            board: Board::new(options),
            memory: Memory::new(),
            now: 0,
        }
    }

    fn write(&mut self, address: u64, value: u64) {
        self.board
            .write(address, 4, value, self.now, &mut self.memory)
            .expect("a register");
    }

    fn read(&mut self, address: u64) -> u64 {
        self.board
            .read(address, 4, self.now, &mut self.memory)
            .expect("a register")
    }

    fn lines(&mut self, core: usize) -> Lines {
        self.board.lines(core, TimerLines::default(), self.now)
    }

    /// The pins at the PL011, 115200 8N1 at 48 MHz, queues and both directions on.
    fn set_up_uart(&mut self) {
        for (address, value) in [
            (0x3f20_1030, 0),
            (0x3f20_0004, 0x2_4000),
            (0x3f20_1024, 26),
            (0x3f20_1028, 3),
            (0x3f20_102c, 0x70),
            (0x3f20_1030, 0x301),
        ] {
            self.write(address, value);
        }
    }

    fn run(&mut self, time: u64) {
        self.now += time;
        self.board.advance(self.now, &mut self.memory);
    }
}

#[test]
fn the_system_timers_interrupt_reaches_the_core_that_the_routing_names() {
    for options in [Options::BOARD, Options::QEMU] {
        let mut bench = Bench::new(&options);
        let count = bench.read(0x3f00_3004);
        bench.write(0x3f00_3010, count + 50);
        bench.write(0x3f00_b210, 1 << 1);
        bench.write(0x4000_000c, 2);
        assert_eq!(bench.board.next_event(0), Some(50_000));
        assert_eq!(bench.lines(2), Lines::default());
        bench.now = 50_000;
        assert_eq!((bench.lines(2), bench.lines(0)), (IRQ, Lines::default()));
        assert_eq!(bench.read(0x4000_0068), 1 << 8);
        assert_eq!(bench.read(0x3f00_b200), 1 << 8);
        assert_eq!(bench.read(0x3f00_b204), 1 << 1);
        bench.write(0x3f00_3000, 1 << 1);
        assert_eq!(bench.lines(2), Lines::default());
    }
}

#[test]
fn a_byte_is_heard_only_through_the_pins_that_belong_to_its_uart() {
    let mut bench = Bench::new(&Options::BOARD);
    bench.set_up_uart();
    bench.write(0x3f20_1000, 0x41);
    bench.run(100_000);
    assert_eq!(bench.board.take_output(), b"A");
    bench.write(0x3f20_0004, 0x1_2000);
    bench.write(0x3f20_1000, 0x42);
    bench.write(0x3f21_5040, 0x43);
    bench.run(100_000);
    assert_eq!(bench.board.take_output(), b"C", "the mini-UART's");
    assert_eq!(
        bench.board.take_notices(),
        [Notice::NotHeard { byte: 0x42 }]
    );
}

#[test]
fn typed_bytes_arrive_at_the_lines_speed_and_interrupt() {
    let mut bench = Bench::new(&Options::BOARD);
    bench.set_up_uart();
    bench.write(0x3f20_1034, 0);
    bench.write(0x3f20_1038, 0x10);
    bench.write(0x3f00_b214, 1 << 25);
    bench.board.type_bytes(b"hi", 0);
    assert_eq!(bench.board.next_event(0), Some(86_805));
    bench.now = 86_805;
    assert_eq!(bench.lines(0), Lines::default());
    bench.now = 2 * 86_805;
    assert_eq!(bench.lines(0), IRQ);
    assert_eq!([0, 1].map(|_| bench.read(0x3f20_1000)), [0x68, 0x69]);
    assert_eq!(bench.lines(0), Lines::default());
}

#[test]
fn a_clock_that_the_firmware_was_asked_to_set_changes_the_speed() {
    let mut bench = Bench::new(&Options::BOARD);
    bench.set_up_uart();
    let request = [36, 0, 0x3_8002, 12, 0, 2, 3_000_000, 0, 0];
    for (address, word) in (0x9_0000..).step_by(4).zip(request) {
        GpuMemory::write(&mut bench.memory, address, word);
    }
    bench.write(0x3f00_b8a0, 0xc009_0008);
    bench.run(40_000);
    assert_eq!(bench.memory[&0x9_0004], 0x8000_0000);
    assert_eq!(bench.memory[&0x9_0018], 3_000_000);
    bench.write(0x3f20_1000, 0x41);
    bench.run(1_389_166);
    assert_eq!(bench.board.take_output(), [0xff]);
    assert_eq!(
        bench.board.take_notices(),
        [Notice::Garbled {
            byte: 0x41,
            baud: 7_198
        }]
    );
}

#[test]
fn the_watchdog_is_an_event_and_ends_the_run() {
    let mut bench = Bench::new(&Options::BOARD);
    bench.write(0x3f10_0024, 0x5a00_8000);
    bench.write(0x3f10_001c, 0x5a00_0020);
    assert_eq!(bench.board.next_event(0), Some(500_000_000));
    assert_eq!(bench.board.watchdog_ended(499_999_999), None);
    assert_eq!(bench.board.watchdog_ended(500_000_000), Some(Ending::Reset));
}

#[test]
fn qemus_bytes_take_no_time_and_wait_for_room() {
    let mut bench = Bench::new(&Options::QEMU);
    let typed: Vec<u8> = (0..40).collect();
    bench.board.type_bytes(&typed, 0);
    assert_eq!(bench.read(0x3f20_1018), 0xc0);
    let read: Vec<u64> = (0..40).map(|_| bench.read(0x3f20_1000)).collect();
    assert_eq!(read, (0..40).collect::<Vec<u64>>());
    assert_eq!(bench.read(0x3f20_1018), 0x90);
    bench.write(0x3f20_1000, 0x41);
    bench.write(0x3f21_5040, 0x42);
    assert_eq!(
        bench.board.take_output(),
        b"A",
        "the mini-UART is another port"
    );
    assert_eq!(bench.board.next_event(0), None);
}

#[test]
fn what_is_not_modelled_stops_by_name() {
    let mut bench = Bench::new(&Options::BOARD);
    let mut message = |address, size| {
        let read = bench.board.read(address, size, 0, &mut bench.memory);
        read.expect_err("not modelled").to_string()
    };
    for (address, size, text) in [
        (0x3f98_0000, 4, "USB at 0x3f980000 is not modelled"),
        (0x3f00_0000, 4, "no peripheral is at 0x3f000000"),
        (0x3f20_1008, 4, "PL011 has no register at 0x3f201008"),
        (
            0x3f20_1080,
            4,
            "PL011: test register at 0x3f201080 is not modelled",
        ),
        (
            0x3f20_1000,
            1,
            "an access of 1 bytes to a device at 0x3f201000: registers have 32 bits",
        ),
    ] {
        assert_eq!(message(address, size), text);
    }
    assert_eq!(Board::device_at(0x3f20_1008), Some(Peripheral::Pl011));
    assert_eq!(
        [0x3eff_ffff, 0x3f00_0000, 0x4003_ffff, 0x4004_0000].map(Board::covers),
        [false, true, true, false]
    );
}
