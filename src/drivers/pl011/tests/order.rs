//! The order in which the device is set up, on registers that remember every access.
#![forbid(unsafe_code)]

use core::cell::RefCell;
use std::vec::Vec;

use super::super::model::Model;
use super::super::{Divisor, Pl011, Port, Serial};

/// A write to one of the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Dr(u32),
    Ibrd(u32),
    Fbrd(u32),
    LcrH(u32),
    Cr(u32),
    Ifls(u32),
    Imsc(u32),
    Icr(u32),
}

/// An idle UART that remembers what was written, in order.
#[derive(Default)]
struct Recorder {
    writes: RefCell<Vec<Write>>,
    lcr_h: u32,
}

impl Recorder {
    fn record(&self, write: Write) {
        self.writes.borrow_mut().push(write);
    }
}

/// Idle, and nothing received.
const FR_IDLE: u32 = 1 << 7 | 1 << 4;

impl Port for &Recorder {
    fn read_dr(&self) -> u32 {
        panic!("read of an empty queue");
    }

    fn write_dr(&self, value: u32) {
        self.record(Write::Dr(value));
    }

    fn read_fr(&self) -> u32 {
        FR_IDLE
    }

    fn write_ibrd(&self, value: u32) {
        self.record(Write::Ibrd(value));
    }

    fn write_fbrd(&self, value: u32) {
        self.record(Write::Fbrd(value));
    }

    fn read_lcr_h(&self) -> u32 {
        self.lcr_h
    }

    fn write_lcr_h(&self, value: u32) {
        self.record(Write::LcrH(value));
    }

    fn write_cr(&self, value: u32) {
        self.record(Write::Cr(value));
    }

    fn write_ifls(&self, value: u32) {
        self.record(Write::Ifls(value));
    }

    fn write_imsc(&self, value: u32) {
        self.record(Write::Imsc(value));
    }

    fn read_ris(&self) -> u32 {
        0
    }

    fn read_mis(&self) -> u32 {
        0
    }

    fn write_icr(&self, value: u32) {
        self.record(Write::Icr(value));
    }
}

/// Serves interrupts and reads until the other side has nothing left.
fn read_until_done<const RECEIVE: usize>(
    model: &Model,
    serial: &mut Serial<&Model, RECEIVE, 16>,
) -> Vec<u8> {
    let mut kept = Vec::new();
    while !model.receiver_is_done() {
        model.tick(1);
        serial.service();
        kept.extend(core::iter::from_fn(|| serial.read()));
    }
    kept.extend(core::iter::from_fn(|| serial.read()));
    kept
}

fn divisor() -> Divisor {
    Divisor::for_baud(48_000_000, 115_200).expect("a divisor")
}

/// DDI 0183 3.3.6 and 3.3.7: the divisors take effect with a write to LCR_H; 3.3.8: CR is not
/// changed otherwise than with the UART off.
#[test]
fn the_uart_is_off_while_it_is_set_up_and_lcr_h_loads_the_divisors() {
    let recorder = Recorder::default();
    let mut serial = Serial::<_, 16, 16>::new(Pl011::new(&recorder));
    serial.init(divisor());
    let expected = [
        Write::Imsc(0),
        Write::Cr(0),
        Write::Icr(0x7ff),
        Write::Ibrd(26),
        Write::Fbrd(3),
        Write::LcrH(0x70),
        Write::Cr(0x301),
    ];
    assert_eq!(*recorder.writes.borrow(), expected);
}

#[test]
fn interrupts_are_forgotten_before_any_is_let_in() {
    let recorder = Recorder::default();
    let mut serial = Serial::<_, 16, 16>::new(Pl011::new(&recorder));
    serial.start();
    let expected = [Write::Ifls(0x10), Write::Icr(0x7f0), Write::Imsc(0x450)];
    assert_eq!(*recorder.writes.borrow(), expected);
}

#[test]
fn what_came_before_the_uart_is_set_up_is_kept() {
    for typed in [&b"u"[..], b"uptime\nhalt\n", b"0123456789abcdef"] {
        let model = Model::new(0);
        model.send_from_outside(typed);
        model.tick(200);
        let mut serial = Serial::<_, 256, 16>::new(Pl011::new(&model));
        serial.init(divisor());
        serial.start();
        let kept: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
        assert_eq!(kept, typed);
        assert_eq!(serial.counts().received, typed.len() as u64);
    }
}

/// An emulator's line does not know that the UART is off: it brings a byte when there has been room
/// for it for a while, whatever moment of the set-up that is.
#[test]
fn what_comes_while_the_uart_is_set_up_is_kept_where_the_line_is_never_off() {
    let typed: Vec<u8> = (0..200).collect();
    for length in [1, 2, 3, 12, 33, 200] {
        // From the first look to long after the last one: an access is a bit.
        for delay_bits in 0..60 {
            let model = Model::never_off(1, delay_bits);
            model.send_from_outside(&typed[..length]);
            let mut serial = Serial::<_, 64, 16>::new(Pl011::new(&model));
            serial.init(divisor());
            serial.start();
            let kept = read_until_done(&model, &mut serial);
            assert_eq!(kept, typed[..length], "after {delay_bits}");
        }
    }
}

/// The sender is interrupted for any time after its first bytes: the next one comes between any two
/// accesses of the set-up, also just when the queue would be switched.
#[test]
fn a_sender_that_pauses_while_the_uart_is_set_up_loses_nothing() {
    let typed = b"uptime\n";
    for (first, lcr_h) in (1..typed.len()).flat_map(|first| [(first, 0), (first, 0x70)]) {
        for pause_bits in 0..2_500 {
            let model = Model::never_off(1, 0);
            (&model).write_lcr_h(lcr_h);
            let mut pauses_bits = [0; 8];
            pauses_bits[first] = pause_bits;
            model.pause(&pauses_bits[..=first]);
            model.send_from_outside(typed);
            let mut serial = Serial::<_, 64, 16>::new(Pl011::new(&model));
            serial.init(divisor());
            serial.start();
            let kept = read_until_done(&model, &mut serial);
            assert_eq!(
                kept, typed,
                "{first} bytes, then {pause_bits} bit times, {lcr_h:#x}"
            );
        }
    }
}

/// As many as fit; what a full ring leaves behind does not stop the set-up.
#[test]
fn a_line_that_never_rests_does_not_stop_the_set_up() {
    let model = Model::never_off(0, 0);
    model.send_from_outside(&[b'y'; 1000]);
    let mut serial = Serial::<_, 16, 16>::new(Pl011::new(&model));
    serial.init(divisor());
    serial.start();
    let kept: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
    assert_eq!(kept, [b'y'; 1000]);
}

#[test]
fn a_byte_on_its_way_is_waited_for() {
    let model = Model::new(1);
    model.send_from_outside(b"ab");
    // One byte has come; the other one begins, and takes longer than the steps up to the change of
    // format.
    model.tick(10);
    let mut serial = Serial::<_, 64, 16>::new(Pl011::new(&model));
    serial.init(divisor());
    let kept: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
    assert_eq!(kept, b"ab");
    assert_eq!((&model).read_lcr_h(), 0x70);
}

/// Switching a queue empties it, so one that is on is left on, and one that was read is left off.
#[test]
fn the_queue_is_switched_on_only_where_it_was_off_and_nothing_came() {
    for (lcr_h, typed, expected) in [
        (0, &b""[..], 0x70),
        (0, b"u", 0x60),
        (0x70, b"", 0x70),
        (0x70, b"u", 0x70),
    ] {
        let model = Model::never_off(1, 0);
        (&model).write_lcr_h(lcr_h);
        model.send_from_outside(typed);
        Serial::<_, 64, 16>::new(Pl011::new(&model)).init(divisor());
        assert_eq!((&model).read_lcr_h(), expected, "{lcr_h:#x}, {typed:?}");
    }
}

#[test]
fn a_full_queue_is_read_out_and_left_on() {
    let model = Model::new(0);
    model.send_from_outside(b"0123456789abcdef");
    model.tick(200);
    let mut serial = Serial::<_, 64, 16>::new(Pl011::new(&model));
    serial.init(divisor());
    assert_eq!((&model).read_lcr_h(), 0x70);
    assert_eq!(serial.counts().received, 16);
}
