//! The PL011 against values worked out by hand from DDI 0183.

use super::registers::{CR, DR, FBRD, FR, IBRD, ICR, IFLS, IMSC, LCR_H, MIS, RIS};
use super::{Pl011, Sent};
use crate::board::options::{Kind, Nanoseconds, Notice, Notices};
use crate::board::peripheral::Refused;

/// 48 MHz, 26 3/64: 10 * 16 * 1667/64 / 48 MHz.
const FRAME: Nanoseconds = 86_822;

struct Bench {
    uart: Pl011,
    notices: Notices,
    now: Nanoseconds,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        Self {
            uart: Pl011::new(kind, 115_200, 48_000_000),
            notices: Notices::default(),
            now: 0,
        }
    }

    /// 115200 8N1 with queues, on.
    fn set_up() -> Self {
        let mut bench = Self::new(Kind::Board);
        for (offset, value) in [(CR, 0), (IBRD, 26), (FBRD, 3), (LCR_H, 0x70), (CR, 0x301)] {
            bench.write(offset, value);
        }
        bench
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.uart.advance(self.now);
        self.uart
            .write(offset, value, self.now, &mut self.notices)
            .expect("a register");
    }

    fn read(&mut self, offset: u32) -> u32 {
        self.uart.advance(self.now);
        self.uart
            .read(offset, &mut self.notices)
            .expect("a register")
    }

    fn receive(&mut self, byte: u8) {
        self.now += FRAME;
        self.uart.advance(self.now);
        self.uart.receive(byte, self.now, &mut self.notices);
    }

    fn sent(&mut self) -> Vec<u8> {
        self.uart.advance(self.now);
        let sent = std::mem::take(&mut self.uart.sent);
        sent.into_iter().map(|sent| sent.byte).collect()
    }
}

#[test]
fn bytes_leave_in_order_a_frame_apart_and_busy_ends_with_the_last_stop_bit() {
    let mut bench = Bench::set_up();
    for byte in b'a'..=b'q' {
        bench.write(DR, byte.into());
    }
    assert_eq!(bench.read(FR), 0b0011_1000, "one is shifted, 16 wait");
    bench.now = FRAME * 3;
    assert_eq!(bench.sent(), b"abc");
    bench.now = FRAME * 17 - 1;
    assert_eq!(bench.read(FR), 0b1001_1000);
    bench.now += 1;
    assert_eq!(bench.read(FR), 0b1001_0000);
    assert_eq!(bench.sent(), b"defghijklmnopq");
    assert_eq!(bench.notices.take(), []);
}

#[test]
fn a_byte_too_many_is_lost_and_noticed() {
    let mut bench = Bench::set_up();
    for byte in 0..18 {
        bench.write(DR, byte);
    }
    assert_eq!(bench.notices.take(), [Notice::TransmitFull { byte: 17 }]);
}

#[test]
fn the_divisor_counts_only_once_lcr_h_is_written() {
    let mut bench = Bench::new(Kind::Board);
    for (offset, value) in [(CR, 0), (LCR_H, 0x70), (IBRD, 26), (FBRD, 3), (CR, 0x301)] {
        bench.write(offset, value);
    }
    bench.write(DR, 0x41);
    bench.now = 1_000_000_000;
    assert_eq!(bench.sent(), b"", "the divisor is 0 still");
    assert_eq!(bench.read(FR), 0x18, "and the byte waits");
    bench.write(LCR_H, 0x70);
    assert_eq!(
        bench.notices.take(),
        [
            Notice::NotTakenOver,
            Notice::ChangedWhileOn { offset: LCR_H }
        ]
    );
    bench.write(CR, 0x301);
    bench.now += FRAME;
    assert_eq!(bench.sent(), b"A");
}

#[test]
fn another_clock_garbles_both_ways() {
    let mut bench = Bench::set_up();
    bench.uart.clock_hz = 3_000_000;
    bench.write(DR, 0x41);
    bench.now = 2_000_000;
    bench.uart.advance(bench.now);
    let sent = Sent {
        byte: 0x41,
        garbled: Some(7_198),
    };
    assert_eq!(bench.uart.sent, [sent]);
    bench.receive(0x42);
    assert_eq!(bench.read(DR), 0x1bd, "inverted, with a framing error");
    assert_eq!(
        bench.notices.take(),
        [Notice::Garbled {
            byte: 0x42,
            baud: 7_198
        }]
    );
}

#[test]
fn a_transmitter_that_is_off_holds_its_bytes_and_is_busy() {
    let mut bench = Bench::set_up();
    bench.write(CR, 0);
    bench.write(DR, 0x41);
    bench.now = FRAME * 9;
    assert_eq!((bench.sent(), bench.read(FR)), (vec![], 0x18));
    bench.write(CR, 0x101);
    bench.now += FRAME;
    assert_eq!((bench.sent(), bench.read(FR)), (vec![0x41], 0x90));
}

#[test]
fn the_transmit_interrupt_comes_when_the_queue_falls_to_its_level() {
    let mut bench = Bench::set_up();
    bench.write(IFLS, 0);
    bench.write(IMSC, 0x20);
    for byte in 0..5 {
        bench.write(DR, byte);
    }
    assert_eq!(bench.read(RIS), 0, "four wait");
    bench.now = FRAME;
    assert_eq!(bench.read(RIS), 0, "three wait");
    bench.now = FRAME * 2;
    assert_eq!((bench.read(MIS), bench.uart.interrupts()), (0x20, true));
    bench.write(ICR, 0x20);
    bench.now = FRAME * 9;
    assert_eq!(bench.read(RIS), 0, "below the level nothing is passed");
    bench.write(IMSC, 0);
    assert!(!bench.uart.interrupts());
}

#[test]
fn the_receive_interrupt_comes_at_its_level_and_falls_below_it() {
    let mut bench = Bench::set_up();
    bench.write(IFLS, 0);
    bench.receive(b'x');
    assert_eq!((bench.read(RIS), bench.read(FR)), (0, 0x80));
    bench.receive(b'y');
    assert_eq!(bench.read(RIS), 0x10);
    assert_eq!(bench.read(DR), u32::from(b'x'));
    assert_eq!(bench.read(RIS), 0);
    let timeout = bench.now + FRAME * 32 / 10;
    assert_eq!(bench.uart.next_event(), Some(timeout));
    bench.now = timeout;
    assert_eq!(bench.read(RIS), 0x40, "32 bit times of silence");
    assert_eq!(bench.read(DR), u32::from(b'y'));
    assert_eq!(bench.read(RIS), 0, "an empty queue ends the timeout");
    bench.read(DR);
    assert_eq!(bench.notices.take(), [Notice::ReceiveEmpty]);
}

#[test]
fn what_comes_into_a_full_queue_is_lost_and_the_next_byte_says_so() {
    let mut bench = Bench::set_up();
    for byte in 0..18 {
        bench.receive(byte);
    }
    assert_eq!(bench.read(FR) & 0x40, 0x40);
    assert_eq!(bench.read(RIS) & 0x400, 0x400);
    assert_eq!(bench.read(DR), 0);
    bench.receive(18);
    let rest: Vec<u32> = (0..16).map(|_| bench.read(DR)).collect();
    assert_eq!(rest[..15], (1..16).collect::<Vec<u32>>());
    assert_eq!(rest[15], 0x800 | 18);
}

#[test]
fn a_receiver_ends_the_byte_it_has_begun_and_begins_no_other() {
    let mut bench = Bench::set_up();
    bench.now = FRAME / 2;
    bench.write(CR, 0);
    bench.now = 0;
    bench.receive(b'1');
    bench.receive(b'2');
    assert_eq!(bench.read(DR), u32::from(b'1'));
    assert_eq!(bench.read(FR) & 0x10, 0x10);
}

#[test]
fn switching_the_queues_empties_both() {
    let mut bench = Bench::set_up();
    bench.receive(b'x');
    bench.write(DR, 1);
    bench.write(DR, 2);
    bench.write(LCR_H, 0x60);
    assert_eq!(bench.read(FR), 0x98, "the byte on the line goes out");
    bench.write(DR, 3);
    assert_eq!(bench.read(FR), 0x38, "one byte fills it");
}

#[test]
fn loopback_and_registers_that_are_none_are_refused_by_name() {
    let mut uart = Pl011::new(Kind::Board, 115_200, 48_000_000);
    let mut notices = Notices::default();
    assert_eq!(
        uart.write(CR, 0x380, 0, &mut notices),
        Err(Refused::NotModelled("UARTCR with IrDA, loopback or CTS"))
    );
    assert_eq!(uart.read(0x08, &mut notices), Err(Refused::NoRegister));
}

/// As QEMU 7.2's raspi3b does: seen there, access by access.
#[test]
fn qemu_delivers_while_off_and_keeps_its_flags_when_the_queue_is_emptied() {
    let mut bench = Bench::new(Kind::Qemu);
    assert_eq!((bench.read(FR), bench.read(CR)), (0x90, 0x300));
    bench.uart.receive_from_qemu(b'A');
    assert_eq!((bench.read(FR), bench.read(RIS)), (0xc0, 0x10));
    assert!(!bench.uart.has_room());
    bench.write(LCR_H, 0x70);
    assert_eq!((bench.read(FR), bench.read(RIS)), (0xc0, 0x10));
    assert_eq!(bench.read(DR), 0x41);
    assert_eq!((bench.read(FR), bench.read(RIS)), (0x90, 0));
    bench.write(DR, 0x42);
    assert_eq!((bench.sent(), bench.read(RIS)), (vec![0x42], 0x20));
    bench.write(IMSC, u32::MAX);
    assert_eq!((bench.read(IMSC), bench.read(0xfe8)), (u32::MAX, 0x14));
}
