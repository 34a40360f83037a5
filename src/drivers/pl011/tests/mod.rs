//! The polled driver, on registers that are an array.
#![forbid(unsafe_code)]

mod order;
mod queues;

use super::{
    Divisor, LineErrors, Pl011, QueueLevel, ReceiveError, Serial, Transmit, UartInterrupts,
};
use crate::drivers::mmio::fake::FakeRegisters;

const DR: usize = 0x00;
const FR: usize = 0x18;
const BUSY: u32 = 1 << 3;
const RXFE: u32 = 1 << 4;
const TXFF: u32 = 1 << 5;

fn uart() -> (&'static FakeRegisters<19>, Pl011) {
    let memory = FakeRegisters::leak();
    (memory, Pl011::new(memory.view()))
}

#[test]
fn init_leaves_the_documented_values_whatever_was_there() {
    let (memory, uart) = uart();
    for offset in (0x04..0x4c).step_by(4).filter(|offset| *offset != FR) {
        memory.set(offset, 0xffff_ffff);
    }
    memory.set(FR, RXFE);
    Serial::<_, 16, 16>::new(uart).init(Divisor::for_baud(48_000_000, 115_200).expect("a divisor"));
    assert_eq!(memory.get(0x24), 26, "IBRD");
    assert_eq!(memory.get(0x28), 3, "FBRD");
    assert_eq!(memory.get(0x2c), 0b111 << 4, "LCRH: FEN, WLEN = 8 bits");
    assert_eq!(memory.get(0x30), 0x301, "CR: RXE, TXE, UARTEN");
    assert_eq!(memory.get(0x38), 0, "IMSC");
    assert_eq!(memory.get(0x44), 0x7ff, "ICR");
}

#[test]
fn a_transmitter_that_never_drains_does_not_stop_the_kernel() {
    let (memory, uart) = uart();
    memory.set(FR, BUSY | TXFF | RXFE);
    Serial::<_, 16, 16>::new(uart).init(Divisor::for_baud(48_000_000, 115_200).expect("a divisor"));
    assert_eq!(memory.get(0x30), 0x301);
    assert_eq!(uart.write_blocking(b'x'), Transmit::Full);
    assert_eq!(memory.get(DR), 0);
    assert!(!uart.is_idle());
}

#[test]
fn a_byte_is_written_only_where_there_is_room() {
    let (memory, uart) = uart();
    assert_eq!(uart.try_write(b'a'), Transmit::Queued);
    assert_eq!(memory.get(DR), u32::from(b'a'));
    memory.set(FR, TXFF);
    assert_eq!(uart.try_write(b'b'), Transmit::Full);
    assert_eq!(memory.get(DR), u32::from(b'a'));
}

#[test]
fn a_byte_with_errors_is_never_taken_for_a_good_one() {
    let (memory, uart) = uart();
    memory.set(DR, 0x041);
    assert_eq!(uart.try_read(), Some(Ok(b'A')));
    for (bit, errors) in [
        (8, LineErrors::FRAMING),
        (9, LineErrors::PARITY),
        (10, LineErrors::BREAK),
        (11, LineErrors::OVERRUN),
    ] {
        memory.set(DR, 0x041 | 1 << bit);
        let error = ReceiveError { byte: b'A', errors };
        assert_eq!(uart.try_read(), Some(Err(error)));
    }
    memory.set(FR, RXFE);
    assert_eq!(uart.try_read(), None);
}

#[test]
fn interrupt_registers_get_the_values_of_the_manual() {
    let (memory, uart) = uart();
    // DDI 0183 table 3-11: TXIFLSEL in bits 2:0, RXIFLSEL in bits 5:3.
    uart.set_levels(QueueLevel::Half, QueueLevel::Eighth);
    assert_eq!(memory.get(0x34), 0b010_000);
    uart.set_levels(QueueLevel::Eighth, QueueLevel::SevenEighths);
    assert_eq!(memory.get(0x34), 0b000_100);
    // Table 3-12: RXIM bit 4, TXIM 5, RTIM 6, FEIM 7, PEIM 8, BEIM 9, OEIM 10.
    uart.set_unmasked(
        UartInterrupts::RECEIVE | UartInterrupts::RECEIVE_TIMEOUT | UartInterrupts::OVERRUN,
    );
    assert_eq!(memory.get(0x38), 0x450);
    uart.set_unmasked(UartInterrupts::all());
    assert_eq!(memory.get(0x38), 0x7f0);
    memory.set(0x3c, 0xffff_ffff);
    memory.set(0x40, 0x020);
    assert_eq!(uart.pending(), UartInterrupts::TRANSMIT, "MIS, not RIS");
    uart.acknowledge(UartInterrupts::FRAMING | UartInterrupts::PARITY | UartInterrupts::BREAK);
    assert_eq!(memory.get(0x44), 0x380);
}

#[test]
fn levels_are_eighths_of_the_queue() {
    let bytes = [
        QueueLevel::Eighth,
        QueueLevel::Quarter,
        QueueLevel::Half,
        QueueLevel::ThreeQuarters,
        QueueLevel::SevenEighths,
    ]
    .map(QueueLevel::bytes);
    assert_eq!(bytes, [2, 4, 8, 12, 14]);
}

#[test]
fn starting_by_interrupts_leaves_the_documented_values() {
    let (memory, uart) = uart();
    memory.set(FR, RXFE);
    let mut serial = Serial::<_, 16, 16>::new(uart);
    serial.start();
    assert_eq!(memory.get(0x34), 0x10, "IFLS: receive 1/2, transmit 1/8");
    assert_eq!(memory.get(0x38), 0x450, "IMSC: OEIM, RTIM, RXIM");
    assert_eq!(memory.get(0x44), 0x7f0, "ICR");
}
