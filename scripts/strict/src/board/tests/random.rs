//! Random accesses to all addresses.

use super::Bench;
use crate::board::{Board, BoardError, Kind, Options, TimerLines};

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
