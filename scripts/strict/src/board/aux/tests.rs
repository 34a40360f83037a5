//! The mini-UART against BCM2835 ARM Peripherals, chapter 2.

use super::{Aux, BAUD, ENABLES, IER, IIR, IO, LSR, STAT};
use crate::board::options::{Kind, Notices};

#[test]
fn a_byte_takes_ten_bits_of_eight_clocks_a_count() {
    let mut aux = Aux::new(Kind::Board, 115_200);
    let mut notices = Notices::default();
    aux.write(IO, 0x41, 0, &mut notices).expect("IO");
    // 10 * 8 * 271 / 250 MHz.
    assert_eq!(aux.next_event(), Some(86_720));
    assert_eq!(aux.read(LSR, &mut notices), Ok(0x20));
    aux.advance(86_720);
    assert_eq!((aux.sent[0].byte, aux.sent[0].garbled), (0x41, None));
    assert_eq!(aux.read(LSR, &mut notices), Ok(0x60));
    // The manual's formula at 500 MHz, as kernels have it that do not ask: too slow here.
    aux.write(BAUD, 541, 90_000, &mut notices).expect("BAUD");
    aux.write(IO, 0x42, 90_000, &mut notices).expect("IO");
    aux.advance(1_000_000);
    assert_eq!(aux.sent[1].garbled, Some(57_656));
}

#[test]
fn received_bytes_interrupt_and_come_out_in_order() {
    let mut aux = Aux::new(Kind::Board, 115_200);
    let mut notices = Notices::default();
    aux.write(IER, 1, 0, &mut notices).expect("IER");
    assert!(!aux.interrupts());
    (0..9).for_each(|byte| aux.receive(byte, &mut notices));
    assert!(aux.interrupts());
    assert_eq!(aux.read(IIR, &mut notices), Ok(0xc4));
    assert_eq!(aux.read(STAT, &mut notices), Ok(0x8_031f));
    assert_eq!(aux.read(LSR, &mut notices), Ok(0x63), "the ninth is lost");
    let bytes: Vec<u32> = (0..8).flat_map(|_| aux.read(IO, &mut notices)).collect();
    assert_eq!(bytes, (0..8).collect::<Vec<u32>>());
    assert!(!aux.interrupts());
}

#[test]
fn a_disabled_mini_uart_has_no_registers() {
    let mut aux = Aux::new(Kind::Board, 115_200);
    let mut notices = Notices::default();
    aux.write(ENABLES, 0, 0, &mut notices).expect("ENABLES");
    aux.write(IO, 0x41, 0, &mut notices).expect("ignored");
    assert_eq!(aux.read(LSR, &mut notices), Ok(0));
    assert_eq!(aux.next_event(), None);
}

/// As QEMU 7.2's raspi3b does: seen there, access by access.
#[test]
fn qemus_is_always_on() {
    let mut aux = Aux::new(Kind::Qemu, 115_200);
    let mut notices = Notices::default();
    let offsets = [0x04, 0x44, 0x48, 0x4c, 0x54, 0x58, 0x60, 0x64, 0x68];
    let read = offsets.map(|offset| aux.read(offset, &mut notices));
    let expected = [1, 0xc0, 0xc3, 0, 0x60, 0, 3, 0x30e, 0];
    assert_eq!(read, expected.map(Ok));
    aux.write(IER, 2, 0, &mut notices).expect("IER");
    assert_eq!(aux.read(IIR, &mut notices), Ok(0xc2));
    assert!(aux.interrupts(), "its queue is empty");
}
