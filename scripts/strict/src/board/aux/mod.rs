//! The auxiliary block: the mini-UART. Its two SPI masters are not modelled.
//!
//! BCM2835 ARM Peripherals, chapter 2, with its known errata: the receive interrupt is bit 0 of
//! AUX_MU_IER_REG and the transmit interrupt bit 1, and eight data bits are 0b11 in
//! AUX_MU_LCR_REG. A board's firmware has set it up for `enable_uart=1`: 115200 baud at a core clock
//! of 250 MHz. QEMU has it always on, and its bytes take no time.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::options::{Kind, Nanoseconds, Notice, Notices};
use super::peripheral::Refused;
use super::serial::{FRAME_BITS, Sent, Transmitter, baud_of, frame_of, speeds_agree};

const IRQ: u32 = 0x00;
const ENABLES: u32 = 0x04;
const IO: u32 = 0x40;
const IER: u32 = 0x44;
const IIR: u32 = 0x48;
const LCR: u32 = 0x4c;
const MCR: u32 = 0x50;
const LSR: u32 = 0x54;
const MSR: u32 = 0x58;
const SCRATCH: u32 = 0x5c;
const CNTL: u32 = 0x60;
const STAT: u32 = 0x64;
const BAUD: u32 = 0x68;
const SPI_FIRST: u32 = 0x80;
const SPI_LAST: u32 = 0xfc;

const DEPTH: usize = 8;
const CORE_CLOCK_HZ: u64 = 250_000_000;
/// 250 MHz / (8 * 271) are 115 313 baud.
const FIRMWARE_BAUD: u32 = 270;

const IER_RECEIVE: u32 = 1 << 0;
const IER_TRANSMIT: u32 = 1 << 1;
const LCR_DLAB: u32 = 1 << 7;
const LCR_EIGHT_BITS: u32 = 0b11;
const LSR_DATA: u32 = 1 << 0;
const LSR_OVERRUN: u32 = 1 << 1;
const LSR_ROOM: u32 = 1 << 5;
const LSR_IDLE: u32 = 1 << 6;
const CNTL_RECEIVES: u32 = 1 << 0;
const CNTL_SENDS: u32 = 1 << 1;

#[derive(Clone, Debug)]
pub(super) struct Aux {
    kind: Kind,
    /// The time that the terminal takes for a byte.
    terminal_frame: Nanoseconds,
    /// What has left since the last look.
    pub(super) sent: Vec<Sent>,
    receive: VecDeque<u8>,
    transmit: Transmitter,
    enabled: bool,
    overrun: bool,
    ier: u32,
    lcr: u32,
    mcr: u32,
    scratch: u32,
    cntl: u32,
    baud: u32,
}

impl Aux {
    pub(super) fn new(kind: Kind, terminal_baud: u32) -> Self {
        Self {
            kind,
            terminal_frame: frame_of(terminal_baud),
            sent: Vec::new(),
            receive: VecDeque::new(),
            transmit: Transmitter::default(),
            enabled: true,
            overrun: false,
            ier: 0,
            lcr: LCR_EIGHT_BITS,
            mcr: 0,
            scratch: 0,
            cntl: CNTL_RECEIVES | CNTL_SENDS,
            baud: FIRMWARE_BAUD,
        }
    }

    /// The interrupt line: GPU interrupt 29.
    pub(super) fn interrupts(&self) -> bool {
        let receives = self.ier & IER_RECEIVE != 0 && !self.receive.is_empty();
        let sends = self.ier & IER_TRANSMIT != 0 && self.transmit.queue.is_empty();
        self.enabled && (receives || sends)
    }

    /// When something changes by itself.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        self.transmit.ends()
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        while let Some((byte, at)) = self.transmit.finish(now) {
            let garbled = self.misunderstood();
            self.sent.push(Sent { byte, garbled });
            self.start_sending(at);
        }
    }

    /// Whether QEMU's line may deliver a byte.
    pub(super) fn has_room(&self) -> bool {
        self.receive.len() < DEPTH
    }

    /// A byte has come in on the pin.
    pub(super) fn receive(&mut self, byte: u8, notices: &mut Notices) {
        if !self.enabled || self.kind == Kind::Board && self.cntl & CNTL_RECEIVES == 0 {
            return;
        }
        if !self.has_room() {
            self.overrun = true;
            return;
        }
        let garbled = self.misunderstood().filter(|_| self.kind == Kind::Board);
        if let Some(baud) = garbled {
            notices.add(Notice::Garbled { byte, baud });
        }
        self.receive
            .push_back(if garbled.is_some() { !byte } else { byte });
    }

    pub(super) fn read(&mut self, offset: u32, notices: &mut Notices) -> Result<u32, Refused> {
        if offset >= IO && !self.enabled && offset <= BAUD {
            // 2.1.1: no access to the mini-UART's registers while it is disabled.
            return Ok(0);
        }
        let board = |value| if self.kind == Kind::Board { value } else { 0 };
        Ok(match offset {
            IRQ => self.interrupts().into(),
            ENABLES => self.enabled.into(),
            IO => {
                if self.kind == Kind::Board && self.receive.is_empty() {
                    notices.add(Notice::ReceiveEmpty);
                }
                self.receive.pop_front().unwrap_or(0).into()
            }
            IER => 0xc0 | self.ier,
            IIR => self.interrupt_cause(),
            LCR => board(self.lcr),
            MCR => board(self.mcr),
            LSR => self.line_status(),
            MSR => board(0x20),
            SCRATCH => board(self.scratch),
            CNTL => self.cntl,
            STAT => self.status(),
            BAUD => board(self.baud),
            SPI_FIRST..=SPI_LAST => return Err(Refused::NotModelled("SPI1 and SPI2")),
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        if offset >= IO && !self.enabled && offset <= BAUD {
            return Ok(());
        }
        match offset {
            ENABLES if value & 0b110 != 0 && self.kind == Kind::Board => {
                return Err(Refused::NotModelled("SPI1 and SPI2"));
            }
            ENABLES => self.enabled = self.kind == Kind::Qemu || value & 1 != 0,
            IO => self.send(value as u8, now, notices),
            IER => self.ier = value & (IER_RECEIVE | IER_TRANSMIT),
            IIR => self.clear_queues(value),
            // QEMU does not keep these.
            LCR | MCR | SCRATCH | CNTL | BAUD if self.kind == Kind::Qemu => {}
            LCR if value & LCR_DLAB != 0 => {
                return Err(Refused::NotModelled("AUX_MU_LCR_REG with DLAB"));
            }
            LCR => self.lcr = value & 0xff,
            MCR => self.mcr = value & 0b10,
            SCRATCH => self.scratch = value & 0xff,
            CNTL if value & 0b1100 != 0 => {
                return Err(Refused::NotModelled("AUX_MU_CNTL_REG with RTS or CTS"));
            }
            CNTL => {
                self.cntl = value & 0xff;
                self.start_sending(now);
            }
            BAUD => self.baud = value & 0xffff,
            // Read-only.
            IRQ | LSR | MSR | STAT => {}
            SPI_FIRST..=SPI_LAST => return Err(Refused::NotModelled("SPI1 and SPI2")),
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    fn send(&mut self, byte: u8, now: Nanoseconds, notices: &mut Notices) {
        if self.kind == Kind::Qemu {
            self.sent.push(Sent {
                byte,
                garbled: None,
            });
        } else if self.transmit.queue.len() >= DEPTH {
            notices.add(Notice::TransmitFull { byte });
        } else {
            self.transmit.queue.push_back(byte);
            self.start_sending(now);
        }
    }

    fn start_sending(&mut self, at: Nanoseconds) {
        if self.cntl & CNTL_SENDS != 0 {
            self.transmit.start(at, self.frame());
        }
    }

    /// The time that a byte takes: 8 clocks a count and bit (2.2.1).
    fn frame(&self) -> Nanoseconds {
        FRAME_BITS * 8 * (u64::from(self.baud) + 1) * 1_000_000_000 / CORE_CLOCK_HZ
    }

    /// This UART's bits a second, unless the terminal understands it.
    fn misunderstood(&self) -> Option<u32> {
        let frame = self.frame();
        let agree = speeds_agree(frame, self.terminal_frame);
        (self.lcr & LCR_EIGHT_BITS != LCR_EIGHT_BITS || !agree).then(|| baud_of(frame))
    }

    /// AUX_MU_IIR_REG: bit 0 is 0 while an interrupt is pending, bits 2:1 say which: the receiver's
    /// if a byte is there.
    fn interrupt_cause(&self) -> u32 {
        let cause = if self.receive.is_empty() {
            0b010
        } else {
            0b100
        };
        0xc0 | cause | u32::from(!self.interrupts())
    }

    /// AUX_MU_IIR_REG written: bit 1 empties the receive queue, bit 2 the other.
    fn clear_queues(&mut self, value: u32) {
        if value & 0b010 != 0 {
            self.receive.clear();
        }
        if value & 0b100 != 0 {
            self.transmit.queue.clear();
        }
    }

    /// AUX_MU_LSR_REG; reading it forgets an overrun.
    fn line_status(&mut self) -> u32 {
        let flag = |flag, is_set| if is_set { flag } else { 0 };
        let overrun = std::mem::take(&mut self.overrun);
        flag(LSR_DATA, !self.receive.is_empty())
            | flag(LSR_OVERRUN, overrun)
            | flag(LSR_ROOM, self.transmit.queue.len() < DEPTH)
            | flag(LSR_IDLE, self.is_idle())
    }

    /// AUX_MU_STAT_REG (2.2.2): levels in bits 27:24 and 19:16. QEMU's transmit queue is empty, and
    /// its bit 1 (room) and 2 (receiver idle) stand always.
    fn status(&self) -> u32 {
        let (received, unsent) = (self.receive.len() as u32, self.transmit.queue.len() as u32);
        let flag = |bit: u32, is_set| u32::from(is_set) << bit;
        flag(0, received > 0)
            | flag(1, unsent < DEPTH as u32)
            | flag(2, true)
            | flag(3, !self.transmit.is_shifting())
            | flag(4, self.overrun)
            | flag(5, unsent == DEPTH as u32)
            | flag(8, unsent == 0)
            | flag(9, self.is_idle())
            | received << 16
            | unsent << 24
    }

    fn is_idle(&self) -> bool {
        self.transmit.queue.is_empty() && !self.transmit.is_shifting()
    }
}
