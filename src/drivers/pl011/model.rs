//! A model of the PL011's two queues and of its line, in bit times, to serve with the driver.
//!
//! Written from DDI 0183 and apart from the driver: bits are numbers here. Unlike an emulator's
//! UART it has no back-pressure: a byte that finds the receive queue full is lost, as on the board.
//! With [`Model::never_off`] it is an emulator's.
#![forbid(unsafe_code)]

use core::cell::RefCell;
use std::collections::VecDeque;
use std::vec::Vec;

use super::Port;

/// Start bit, eight bits, stop bit.
pub(super) const FRAME_BITS: u32 = 10;
const DEPTH: usize = 16;
/// Bit times of silence after which the receive timeout comes.
const TIMEOUT_BITS: u32 = 32;

const RX: u32 = 1 << 4;
const TX: u32 = 1 << 5;
const RT: u32 = 1 << 6;
const OE: u32 = 1 << 10;

/// LCR_H's bit for the queues, and CR's for UART and receiver.
const FEN: u32 = 1 << 4;
const RECEIVES: u32 = 1 << 0 | 1 << 9;

/// Longer than any test takes: a wait of so long counts as endless.
const RUN_LIMIT_BITS: u32 = 2_000_000;

/// Bytes by the values of IFLS's fields.
const LEVELS: [usize; 5] = [2, 4, 8, 12, 14];

/// The UART, and both ends of its line.
#[derive(Debug)]
pub(super) struct Model {
    state: RefCell<State>,
    /// How long each access takes the CPU, in bit times.
    access_bits: u32,
}

#[derive(Debug, Default)]
struct State {
    now_bits: u32,
    /// The bytes that the other side sends: one byte after the other without a pause.
    incoming: VecDeque<u16>,
    incoming_bits: u32,
    receive: ReceiveQueue,
    silent_bits: u32,
    /// Whether the last byte that came in was lost.
    in_gap: bool,
    lost: usize,
    gaps: u64,
    transmit: VecDeque<u8>,
    shifting: Option<u8>,
    shifted_bits: u32,
    sent: Vec<u8>,
    cr: u32,
    lcr_h: u32,
    /// Whether the UART was stopped while a byte was coming in: it is received all the same.
    finishing: bool,
    ifls: u32,
    imsc: u32,
    ris: u32,
    /// If the other side waits for room, and asks neither the clock nor CR: for how long there must
    /// be.
    delay_bits: Option<u32>,
    /// Pauses of the other side before each of its next bytes, in place of that delay.
    pauses_bits: VecDeque<u32>,
}

/// A ring of slots whose reading position moves with each byte that is read, with the queue off
/// too, and goes back to slot 0 when the queue is switched. The reading position is what DR shows
/// when the queue is empty.
#[derive(Debug, Default)]
struct ReceiveQueue {
    slots: [u16; DEPTH],
    position: usize,
    len: usize,
}

impl ReceiveQueue {
    fn push(&mut self, word: u16) {
        self.slots[(self.position + self.len) % DEPTH] = word;
        self.len += 1;
    }

    fn read(&mut self) -> u16 {
        let word = self.slots[self.position];
        if self.len > 0 {
            self.len -= 1;
            self.position = (self.position + 1) % DEPTH;
        }
        word
    }

    fn switch(&mut self) {
        self.position = 0;
        self.len = 0;
    }
}

impl Model {
    /// A UART that was set up, with nothing in it.
    pub(super) fn new(access_bits: u32) -> Self {
        let state = State {
            cr: 0x301,
            lcr_h: 0x70,
            ..State::default()
        };
        Self {
            state: RefCell::new(state),
            access_bits,
        }
    }

    /// A UART that was not set up, and whose line is an emulator's: a byte comes as soon as there
    /// has been room for it for `delay_bits`, on or off.
    pub(super) fn never_off(access_bits: u32, delay_bits: u32) -> Self {
        let state = State {
            delay_bits: Some(delay_bits),
            ..State::default()
        };
        Self {
            state: RefCell::new(state),
            access_bits,
        }
    }

    /// Has the other side send `bytes`, after what it is already sending.
    pub(super) fn send_from_outside(&self, bytes: &[u8]) {
        let words = bytes.iter().copied().map(u16::from);
        let state = &mut *self.state.borrow_mut();
        state.incoming.extend(words);
        state.take_what_has_room();
    }

    /// Has an emulator's other side wait for `bits` in place of its usual delay: before the first
    /// of the bytes that come next, before the second, and so on.
    pub(super) fn pause(&self, bits: &[u32]) {
        self.state.borrow_mut().pauses_bits.extend(bits);
    }

    /// Receives one byte with bits 10:8 of DR (its errors) set to `errors`.
    pub(super) fn send_damaged(&self, byte: u8, errors: u16) {
        let word = u16::from(byte) | errors << 8;
        self.state.borrow_mut().incoming.push_back(word);
    }

    /// Lets time pass.
    pub(super) fn tick(&self, bits: u32) {
        let state = &mut *self.state.borrow_mut();
        for _ in 0..bits {
            state.now_bits += 1;
            assert!(state.now_bits < RUN_LIMIT_BITS, "an interrupt is missing");
            state.tick_receiver();
            state.tick_transmitter();
        }
    }

    /// The interrupt line.
    pub(super) fn interrupts(&self) -> bool {
        let state = self.state.borrow();
        state.ris & state.imsc != 0
    }

    /// IMSC: the interrupts that are let through.
    pub(super) fn imsc(&self) -> u32 {
        self.state.borrow().imsc
    }

    /// Whether the other side has sent everything, and nothing lies in the receive queue.
    pub(super) fn receiver_is_done(&self) -> bool {
        let state = self.state.borrow();
        state.incoming.is_empty() && state.receive.len == 0
    }

    /// Bytes lost, and how many gaps they leave in the stream.
    pub(super) fn losses(&self) -> (usize, u64) {
        let state = self.state.borrow();
        (state.lost, state.gaps)
    }

    /// The bytes that have arrived at the other side.
    pub(super) fn sent(&self) -> Vec<u8> {
        self.state.borrow().sent.clone()
    }

    fn access(&self) -> core::cell::RefMut<'_, State> {
        self.tick(self.access_bits);
        self.state.borrow_mut()
    }
}

impl State {
    /// How many bytes the receive queue holds.
    fn depth(&self) -> usize {
        if self.lcr_h & FEN != 0 { DEPTH } else { 1 }
    }

    /// How many bytes raise the receive interrupt. An emulator's comes with each, and has no
    /// timeout.
    fn receive_level(&self) -> usize {
        match self.delay_bits {
            Some(_) => 1,
            None => LEVELS[(self.ifls >> 3) as usize & 7].min(self.depth()),
        }
    }

    fn take_what_has_room(&mut self) {
        while self.has_waited()
            && self.receive.len < self.depth()
            && let Some(word) = self.incoming.pop_front()
        {
            self.silent_bits = 0;
            self.pauses_bits.pop_front();
            self.receive_word(word);
        }
    }

    /// Whether an emulator's other side has waited long enough for its next byte.
    fn has_waited(&self) -> bool {
        let delay_bits = self.pauses_bits.front().copied().or(self.delay_bits);
        self.delay_bits.is_some() && delay_bits.is_some_and(|delay| self.silent_bits >= delay)
    }

    fn tick_receiver(&mut self) {
        if self.delay_bits.is_some() {
            self.silent_bits += 1;
            self.take_what_has_room();
            return;
        }
        if self.incoming.is_empty() {
            self.silent_bits += 1;
            if self.silent_bits == TIMEOUT_BITS && self.receive.len > 0 {
                self.ris |= RT;
            }
            return;
        }
        self.silent_bits = 0;
        self.incoming_bits += 1;
        if self.incoming_bits == FRAME_BITS {
            self.incoming_bits = 0;
            let word = self.incoming.pop_front().expect("a byte is coming in");
            if self.cr & RECEIVES == RECEIVES || self.finishing {
                self.receive_word(word);
            }
            self.finishing = false;
        }
    }

    fn receive_word(&mut self, word: u16) {
        if self.receive.len == self.depth() {
            self.ris |= OE;
            self.lost += 1;
            self.gaps += u64::from(!self.in_gap);
            self.in_gap = true;
            return;
        }
        let overrun = u16::from(self.in_gap) << 11;
        self.in_gap = false;
        self.receive.push(word | overrun);
        if self.receive.len == self.receive_level() {
            self.ris |= RX;
        }
    }

    fn tick_transmitter(&mut self) {
        let Some(byte) = self.shifting else {
            return;
        };
        self.shifted_bits += 1;
        if self.shifted_bits == FRAME_BITS {
            self.shifted_bits = 0;
            self.sent.push(byte);
            self.shifting = None;
            self.shift_next();
        }
    }

    /// Moves a byte from the queue onto the line, if this is free.
    fn shift_next(&mut self) {
        if self.shifting.is_none()
            && let Some(byte) = self.transmit.pop_front()
        {
            self.shifting = Some(byte);
            if self.transmit.len() == self.transmit_level() {
                self.ris |= TX;
            }
        }
    }

    /// DDI 0183 3.3.7: the line is not changed while it is in use.
    fn must_be_off(&self) {
        assert_eq!(self.cr & 1, 0, "a running UART is set up");
    }

    fn transmit_level(&self) -> usize {
        LEVELS[self.ifls as usize & 7]
    }
}

impl Port for &Model {
    fn read_dr(&self) -> u32 {
        let state = &mut *self.access();
        let was_received = state.receive.len > 0 || state.ris & RX != 0;
        assert!(was_received, "read of an empty queue");
        let word = state.receive.read();
        if state.receive.len < state.receive_level() {
            state.ris &= !RX;
        }
        if state.receive.len == 0 {
            state.ris &= !RT;
        }
        if state.delay_bits.is_some() {
            state.silent_bits = 0;
        }
        state.take_what_has_room();
        word.into()
    }

    fn write_dr(&self, value: u32) {
        let state = &mut *self.access();
        assert!(state.transmit.len() < DEPTH, "write to a full queue");
        state.transmit.push_back(value as u8);
        if state.shifting.is_none() {
            // The way through an empty queue passes no level.
            state.shifting = state.transmit.pop_front();
        }
        if state.transmit.len() > state.transmit_level() {
            state.ris &= !TX;
        }
    }

    fn read_fr(&self) -> u32 {
        let state = self.access();
        let receive_empty = u32::from(state.receive.len == 0) << 4;
        let transmit_full = u32::from(state.transmit.len() == DEPTH) << 5;
        let busy = u32::from(state.shifting.is_some()) << 3;
        receive_empty | transmit_full | busy
    }

    fn write_ibrd(&self, _: u32) {
        self.access().must_be_off();
    }

    fn write_fbrd(&self, _: u32) {
        self.access().must_be_off();
    }

    fn read_lcr_h(&self) -> u32 {
        self.access().lcr_h
    }

    fn write_lcr_h(&self, value: u32) {
        let state = &mut *self.access();
        state.must_be_off();
        assert!(!state.finishing, "the format changes in a byte");
        if (state.lcr_h ^ value) & FEN != 0 {
            state.receive.switch();
            state.transmit.clear();
        }
        state.lcr_h = value;
    }

    fn write_cr(&self, value: u32) {
        let state = &mut *self.access();
        state.finishing = state.incoming_bits > 0;
        state.cr = value;
    }

    fn write_ifls(&self, value: u32) {
        self.access().ifls = value;
    }

    fn write_imsc(&self, value: u32) {
        self.access().imsc = value;
    }

    fn read_ris(&self) -> u32 {
        self.access().ris
    }

    fn read_mis(&self) -> u32 {
        let state = self.access();
        state.ris & state.imsc
    }

    fn write_icr(&self, value: u32) {
        self.access().ris &= !value;
    }
}
