//! Both UARTs, the pins that choose between them, and the terminal behind these.

use super::aux::Aux;
use super::gpio::{Gpio, Route};
use super::options::{Console, Kind, Nanoseconds, Notice, Notices, Options};
use super::pl011::Pl011;
use super::serial::{Sent, Terminal};

/// A byte that the terminal did not understand.
const GARBAGE: u8 = 0xff;

#[derive(Clone, Debug)]
pub(super) struct Wiring {
    kind: Kind,
    console: Console,
    pub(super) gpio: Gpio,
    pub(super) pl011: Pl011,
    pub(super) aux: Aux,
    terminal: Terminal,
    output: Vec<u8>,
}

impl Wiring {
    pub(super) fn new(options: &Options, uart_clock_hz: u32) -> Self {
        let kind = options.kind;
        Self {
            kind,
            console: options.console,
            gpio: Gpio::new(kind),
            pl011: Pl011::new(kind, options.baud, uart_clock_hz),
            aux: Aux::new(kind, options.baud),
            terminal: Terminal::new(options.baud),
            output: Vec::new(),
        }
    }

    /// When something changes by itself. QEMU's line delivers at accesses only.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        let arrival = self.terminal.next().filter(|_| self.kind == Kind::Board);
        let events = [arrival, self.pl011.next_event(), self.aux.next_event()];
        events.into_iter().flatten().min()
    }

    /// Lets time pass until `now`: bytes that have arrived by then go to the UART that GPIO15
    /// belongs to.
    pub(super) fn advance(&mut self, now: Nanoseconds, notices: &mut Notices) {
        while self.kind == Kind::Board
            && let Some((byte, at)) = self.terminal.arrived(now)
        {
            self.pl011.advance(at);
            self.aux.advance(at);
            match self.gpio.receiver() {
                Route::Pl011 => self.pl011.receive(byte, at, notices),
                Route::MiniUart => self.aux.receive(byte, notices),
                Route::None => {}
            }
        }
        self.pl011.advance(now);
        self.aux.advance(now);
        self.collect_output(notices);
    }

    pub(super) fn type_bytes(&mut self, bytes: &[u8], now: Nanoseconds, notices: &mut Notices) {
        self.terminal.send(bytes, now);
        self.fill_qemus_queue(notices);
    }

    pub(super) fn take_output(&mut self, notices: &mut Notices) -> Vec<u8> {
        self.collect_output(notices);
        std::mem::take(&mut self.output)
    }

    /// QEMU's line delivers as long as there is room.
    pub(super) fn fill_qemus_queue(&mut self, notices: &mut Notices) {
        while self.kind == Kind::Qemu && self.has_room() {
            let Some(byte) = self.terminal.take() else {
                return;
            };
            match self.console {
                Console::Pl011 => self.pl011.receive_from_qemu(byte),
                Console::MiniUart => self.aux.receive(byte, notices),
            }
        }
    }

    fn has_room(&self) -> bool {
        match self.console {
            Console::Pl011 => self.pl011.has_room(),
            Console::MiniUart => self.aux.has_room(),
        }
    }

    /// What has left is heard if it left the UART that GPIO14 belongs to, or QEMU's user sits at.
    fn collect_output(&mut self, notices: &mut Notices) {
        let heard = match (self.kind, self.console) {
            (Kind::Board, _) => self.gpio.sender(),
            (Kind::Qemu, Console::Pl011) => Route::Pl011,
            (Kind::Qemu, Console::MiniUart) => Route::MiniUart,
        };
        for sent in std::mem::take(&mut self.pl011.sent) {
            if heard == Route::Pl011 {
                self.hear(sent, notices);
            } else if self.kind == Kind::Board {
                notices.add(Notice::NotHeard { byte: sent.byte });
            }
        }
        for sent in std::mem::take(&mut self.aux.sent) {
            if heard == Route::MiniUart {
                self.hear(sent, notices);
            }
        }
    }

    fn hear(&mut self, sent: Sent, notices: &mut Notices) {
        let Some(baud) = sent.garbled else {
            return self.output.push(sent.byte);
        };
        self.output.push(GARBAGE);
        let byte = sent.byte;
        notices.add(Notice::Garbled { byte, baud });
    }
}
