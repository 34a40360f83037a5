//! The devices together: an interrupt's way to a core, a byte's way through the pins, and random
//! accesses.

use std::collections::BTreeMap;

use super::{
    Board, BoardError, Ending, GpuMemory, Kind, Lines, Notice, Options, Peripheral, TimerLines,
};

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
    assert_eq!(bench.board.take_notices(), [Notice::Garbled { byte: 0x41 }]);
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

/// Marsaglia, "Xorshift RNGs".
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// An address: a register more often than not, and any other.
    fn address(&mut self) -> u64 {
        const BASES: [u64; 9] = [
            0x3f00_3000,
            0x3f00_b200,
            0x3f00_b880,
            0x3f10_0000,
            0x3f10_4000,
            0x3f20_0000,
            0x3f20_1000,
            0x3f21_5000,
            0x4000_0000,
        ];
        let base = BASES[self.next() as usize % BASES.len()];
        match self.next() % 16 {
            0 => self.next(),
            1 => 0x3f00_0000 + self.next() % 0x0104_0000,
            _ => base + (self.next() % 0x40) * 4,
        }
    }

    /// A number of any size, and now and then all ones.
    fn value(&mut self) -> u64 {
        let shift = self.next() % 64;
        match self.next() % 8 {
            0 => 0x5a00_0000 | self.next() & 0xff_ffff,
            1 => u64::MAX,
            _ => self.next() >> shift,
        }
    }
}

/// What a run of random accesses answers, summed up.
fn random_run(kind: Kind, seed: u64) -> (u64, u64) {
    let options = Options {
        kind,
        ..Options::BOARD
    };
    let mut bench = Bench::new(&options);
    let mut numbers = Numbers(seed);
    let (mut sum, mut answered) = (0u64, 0);
    for _ in 0..100_000 {
        let (address, value) = (numbers.address(), numbers.value());
        bench.now = bench.now.saturating_add(numbers.value() >> 30);
        let size = if numbers.next().is_multiple_of(16) {
            8
        } else {
            4
        };
        let (board, memory) = (&mut bench.board, &mut bench.memory);
        let result = match numbers.next() % 2 {
            0 => board.read(address, size, bench.now, memory),
            _ => board
                .write(address, size, value, bench.now, memory)
                .map(|()| 0),
        };
        if let Err(BoardError::Gap { address }) = result {
            assert_eq!(Board::device_at(address), None);
        }
        answered += u64::from(result.is_ok());
        sum = sum.rotate_left(1) ^ result.unwrap_or(0);
        let core = numbers.next() as usize % 5;
        let lines = board.lines(core, TimerLines(value as u8), bench.now);
        sum ^= u64::from(lines.irq) | u64::from(lines.fiq) << 1;
        let next = board.next_event(bench.now);
        assert!(next.is_none_or(|next| next > bench.now || bench.now == u64::MAX));
        if numbers.next().is_multiple_of(64) {
            board.type_bytes(&value.to_le_bytes(), bench.now);
        }
        let heard = board
            .take_output()
            .iter()
            .map(|byte| u64::from(*byte))
            .sum::<u64>();
        sum ^= heard;
        let request = 0x8_0000 + numbers.next() as u32 % 0x40 * 4;
        memory.insert(request, numbers.value() as u32);
        if memory.len() > 10_000 {
            memory.clear();
        }
        sum ^= u64::from(board.watchdog_ended(bench.now).is_some());
    }
    (sum, answered)
}

#[test]
fn random_accesses_never_panic_and_are_the_same_in_every_run() {
    for kind in [Kind::Board, Kind::Qemu] {
        let (sum, answered) = random_run(kind, 0x2545_f491_4f6c_dd1d);
        assert_eq!((sum, answered), random_run(kind, 0x2545_f491_4f6c_dd1d));
        assert!(answered > 15_000, "{answered}");
    }
}
