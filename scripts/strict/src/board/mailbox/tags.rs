//! The firmware's answers to property tags: the machine, its memory, clocks, temperature and power.
//!
//! Raspberry Pi firmware wiki, "Mailbox property interface". A board's values are those of a 3B (3A+
//! with 512 MiB) with `enable_uart=1` and `init_uart_clock=48000000`; QEMU's are its own, and it
//! answers what it does not know with no bytes.

use super::answer::Answer;
use super::framebuffer::Framebuffer;
use crate::board::options::{Kind, Options};

const MHZ: u32 = 1_000_000;
const UART: usize = 2;

/// A clock's rate, and the lowest and highest that it can be set to, in Hz.
#[derive(Clone, Copy, Debug)]
struct Clock {
    rate: u32,
    lowest: u32,
    highest: u32,
}

const fn clock(rate: u32, lowest: u32, highest: u32) -> Clock {
    Clock {
        rate: rate * MHZ,
        lowest: lowest * MHZ,
        highest: highest * MHZ,
    }
}

/// By the interface's numbers: EMMC, UART, ARM, core, V3D, H264, ISP, SDRAM, pixel, PWM; 0 is none.
const BOARD_CLOCKS: [Clock; 11] = [
    clock(0, 0, 0),
    clock(200, 200, 200),
    clock(48, 0, 1000),
    clock(600, 600, 1200),
    clock(250, 250, 400),
    clock(250, 250, 300),
    clock(250, 250, 300),
    clock(250, 250, 300),
    clock(450, 400, 450),
    clock(25, 25, 400),
    clock(0, 0, 500),
];

#[derive(Clone, Debug)]
pub(super) struct Tags {
    kind: Kind,
    ram_mib: u32,
    arm_memory: u32,
    gpu_memory: u32,
    clocks: [Clock; 11],
    /// The levels of the GPIO expander's pins, 128 to 135.
    expander: [u32; 8],
    framebuffer: Framebuffer,
}

impl Tags {
    pub(super) fn new(options: &Options) -> Self {
        let arm_memory = options.arm_memory();
        Self {
            kind: options.kind,
            ram_mib: options.ram_mib,
            arm_memory,
            gpu_memory: options.gpu_memory_mib << 20,
            clocks: BOARD_CLOCKS,
            expander: [0; 8],
            framebuffer: Framebuffer::new(options.kind, arm_memory),
        }
    }

    /// The PL011's clock.
    pub(super) fn uart_clock_hz(&self) -> u32 {
        match self.kind {
            Kind::Qemu => qemu_rate(UART as u32),
            Kind::Board => self.clocks[UART].rate,
        }
    }

    /// The answer to `tag` whose value begins with the words `value`; `None` if it is not known.
    pub(super) fn answer(&mut self, tag: u32, value: [u32; 5]) -> Option<Answer> {
        if let Some(answer) = self.framebuffer.answer(tag, value) {
            return Some(answer);
        }
        let [first, second, ..] = value;
        match tag {
            0x0001_0005 => Some(Answer::words(&[0, self.arm_memory])),
            0x0001_0006 => Some(Answer::words(&[self.arm_memory, self.gpu_memory])),
            // Command line: empty.
            0x0005_0001 => Some(Answer::words(&[])),
            // Power state: off, on, or (bit 1 of the answer) no such device.
            0x0002_8001 => Some(Answer::words(&[first, second & 1])),
            // Clock state: on.
            0x0003_0001 => Some(Answer::words(&[first, 1])),
            0x0003_8001 => Some(Answer::words(&[first, second])),
            _ if self.kind == Kind::Qemu => qemu_answer(tag, first, second),
            _ => self.board_answer(tag, first, second),
        }
    }

    fn board_answer(&mut self, tag: u32, first: u32, second: u32) -> Option<Answer> {
        let clock = *self.clocks.get(first as usize).unwrap_or(&BOARD_CLOCKS[0]);
        let words: &[u32] = match tag {
            // Firmware: 2023-05-05.
            0x0000_0001 => &[0x6455_0000],
            0x0001_0001 => &[0],
            0x0001_0002 if self.ram_mib > 512 => &[0xa0_2082],
            0x0001_0002 => &[0x90_20e0],
            // b8:27:eb:12:34:56; the serial number ends with it.
            0x0001_0003 => {
                let words = vec![0x12eb_27b8, second & 0xffff_0000 | 0x5634];
                return Some(Answer { words, bytes: 6 });
            }
            0x0001_0004 => &[0xde12_3456, 0],
            0x0002_0001 => &[first, 1],
            0x0002_0002 => &[first, 0],
            0x0003_0002 | 0x0003_0047 => &[first, clock.rate],
            0x0003_0004 => &[first, clock.highest],
            0x0003_0007 => &[first, clock.lowest],
            0x0003_8002 => &[first, self.set_clock(first, second)],
            // Voltage: 1.2 V for supplies 1 to 4.
            0x0003_0003 if (1..=4).contains(&first) => &[first, 1_200_000],
            0x0003_0003 => &[first, 0x8000_0000],
            0x0003_0006 => &[first, 47_236],
            0x0003_000a => &[first, 85_000],
            0x0003_0009 | 0x0003_8009 => &[first, 0],
            0x0003_0046 => &[0],
            0x0003_0030 => &[first, 1],
            0x0003_8030 => &[first, second],
            // GPIO expander: the state, and that there was no error.
            0x0003_0041 => &[0, self.expander[first as usize % 8]],
            0x0003_8041 => {
                self.expander[first as usize % 8] = second & 1;
                &[0, second]
            }
            0x0003_0043 => &[0, 1, 0, 0, 0],
            0x0003_8043 => &[0],
            // DMA channels that are free.
            0x0006_0001 => &[0x7f35],
            _ => return None,
        };
        Some(Answer::words(words))
    }

    /// Sets a clock to the nearest possible rate, which is returned: 0 if there is no such clock.
    fn set_clock(&mut self, number: u32, rate: u32) -> u32 {
        let Some(clock) = self.clocks.get_mut(number as usize) else {
            return 0;
        };
        clock.rate = rate.clamp(clock.lowest, clock.highest);
        clock.rate
    }
}

/// As QEMU 7.2's raspi3b does: seen there. Where it answers without writing, the request's words
/// stand.
fn qemu_answer(tag: u32, first: u32, second: u32) -> Option<Answer> {
    let words: &[u32] = match tag {
        0x0000_0001 => &[0x5_48e1],
        0x0001_0001 => &[first],
        0x0001_0002 => &[0xa0_2082],
        // 52:54:00:12:34:57.
        0x0001_0003 => {
            let words = vec![0x1200_5452, second & 0xffff_0000 | 0x5734];
            return Some(Answer { words, bytes: 6 });
        }
        0x0001_0004 => &[first, second],
        0x0003_0002 | 0x0003_0004 | 0x0003_0007 => &[first, qemu_rate(first)],
        0x0003_8002 | 0x0003_8004 | 0x0003_8007 => &[first, second],
        0x0003_0006 => &[first, 25_000],
        0x0003_000a => &[first, 99_000],
        0x0006_0001 => &[0x3c],
        _ => return None,
    };
    Some(Answer::words(words))
}

fn qemu_rate(clock: u32) -> u32 {
    match clock {
        1 => 50 * MHZ,
        2 => 3 * MHZ,
        _ => 700 * MHZ,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Tags};
    use crate::board::options::Options;

    fn words(tags: &mut Tags, tag: u32, first: u32, second: u32) -> Vec<u32> {
        let answer = tags.answer(tag, [first, second, 0, 0, 0]);
        answer.expect("a known tag").words
    }

    #[test]
    fn memory_is_shared_as_gpu_mem_says() {
        for (ram_mib, gpu_memory_mib, arm, code) in [
            (1024, 64, 0x3c00_0000, 0xa0_2082),
            (1024, 76, 0x3b40_0000, 0xa0_2082),
            (512, 64, 0x1c00_0000, 0x90_20e0),
        ] {
            let mut tags = Tags::new(&Options {
                ram_mib,
                gpu_memory_mib,
                ..Options::BOARD
            });
            assert_eq!(words(&mut tags, 0x1_0005, 0, 0), [0, arm]);
            assert_eq!(
                words(&mut tags, 0x1_0006, 0, 0),
                [arm, gpu_memory_mib << 20]
            );
            assert_eq!(words(&mut tags, 0x1_0002, 0, 0), [code]);
        }
    }

    #[test]
    fn a_clock_is_set_within_its_limits() {
        let mut tags = Tags::new(&Options::BOARD);
        assert_eq!(words(&mut tags, 0x3_0002, 2, 0), [2, 48_000_000]);
        assert_eq!(words(&mut tags, 0x3_8002, 2, 3_000_000), [2, 3_000_000]);
        assert_eq!(tags.uart_clock_hz(), 3_000_000);
        assert_eq!(words(&mut tags, 0x3_8002, 3, u32::MAX), [3, 1_200_000_000]);
        assert_eq!(words(&mut tags, 0x3_0002, 99, 0), [99, 0]);
        assert_eq!(words(&mut tags, 0x3_8002, 99, 5), [99, 0]);
    }

    #[test]
    fn an_address_is_six_bytes() {
        let mut tags = Tags::new(&Options::BOARD);
        let answer = Answer {
            words: vec![0x12eb_27b8, 0xdddd_5634],
            bytes: 6,
        };
        assert_eq!(tags.answer(0x1_0003, [0xdddd_dddd; 5]), Some(answer));
        assert_eq!(tags.answer(0x9_9999, [0; 5]), None);
    }
}
