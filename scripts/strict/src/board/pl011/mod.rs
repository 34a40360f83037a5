//! The PL011: its registers, two queues of 16, interrupts, and a byte's time on the line.
//!
//! Arm PrimeCell UART (PL011), DDI 0183, chapter 3. BCM2835 ARM Peripherals 13.4 has the
//! differences: no DMA, no IrDA, no modem lines but CTS and RTS.
//!
//! On a board a byte takes ten bits of the divisor's time, and the divisor counts from the write to
//! UARTLCR_H that follows it (3.3.7). QEMU's bytes take no time, go out whatever UARTCR says, and
//! come in as soon as there is room; its UARTFR keeps what it said when the queues are emptied.

mod access;
mod queue;
mod registers;
#[cfg(test)]
mod tests;

use self::queue::{DEPTH, ReceiveQueue};
use self::registers::{
    CR_NOT_MODELLED, CR_RECEIVES, CR_SENDS, DR_FE, DR_OE, FR_BUSY, FR_RXFE, FR_RXFF, FR_TXFE,
    FR_TXFF, INT_FE, INT_OE, INT_RT, INT_RX, INT_TX, LCR_8N1, LCR_FEN, LCR_FORMAT, LEVELS,
    TIMEOUT_BITS,
};
use super::options::{Kind, Nanoseconds, Notice, Notices};
use super::peripheral::Refused;
use super::serial::{FRAME_BITS, Sent, Transmitter, baud_of, frame_of, speeds_agree};

#[derive(Clone, Debug)]
pub(super) struct Pl011 {
    kind: Kind,
    /// The time that the terminal takes for a byte.
    terminal_frame: Nanoseconds,
    /// UARTCLK, which the firmware sets.
    pub(super) clock_hz: u32,
    /// What has left since the last look.
    pub(super) sent: Vec<Sent>,
    receive: ReceiveQueue,
    transmit: Transmitter,
    /// A byte was lost, and none has come since.
    gap: bool,
    /// When the receive timeout comes.
    timeout_at: Option<Nanoseconds>,
    /// Since when the receiver has been as UARTCR says; before it was the opposite.
    receiver_since: Nanoseconds,
    /// IBRD and FBRD as the last write to LCR_H took them over, in 64ths.
    divisor: u32,
    /// QEMU's flags of the receive queue, which emptying it does not change.
    qemu_flags: u32,
    ibrd: u32,
    fbrd: u32,
    lcr_h: u32,
    cr: u32,
    ifls: u32,
    imsc: u32,
    ris: u32,
    rsr: u32,
    ilpr: u32,
    dmacr: u32,
}

impl Pl011 {
    /// The UART after reset (table 3-1).
    pub(super) fn new(kind: Kind, terminal_baud: u32, clock_hz: u32) -> Self {
        Self {
            kind,
            terminal_frame: frame_of(terminal_baud),
            clock_hz,
            sent: Vec::new(),
            receive: ReceiveQueue::default(),
            transmit: Transmitter::default(),
            gap: false,
            timeout_at: None,
            receiver_since: 0,
            divisor: 0,
            qemu_flags: FR_RXFE,
            ibrd: 0,
            fbrd: 0,
            lcr_h: 0,
            cr: 0x300,
            ifls: 0x12,
            imsc: 0,
            ris: 0,
            rsr: 0,
            ilpr: 0,
            dmacr: 0,
        }
    }

    /// The interrupt line: GPU interrupt 57.
    pub(super) fn interrupts(&self) -> bool {
        self.ris & self.imsc & 0x7ff != 0
    }

    /// When something changes by itself.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        [self.transmit.ends(), self.timeout_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        while let Some((byte, at)) = self.transmit.finish(now) {
            let garbled = self.misunderstood();
            self.sent.push(Sent { byte, garbled });
            self.start_sending(at);
        }
        if self.timeout_at.is_some_and(|at| at <= now) {
            self.timeout_at = None;
            self.ris |= INT_RT;
        }
    }

    /// Whether QEMU's line may deliver a byte.
    pub(super) fn has_room(&self) -> bool {
        self.receive.len() < self.depth()
    }

    /// QEMU's line delivers `byte`: there is room.
    pub(super) fn receive_from_qemu(&mut self, byte: u8) {
        self.receive.push(byte.into());
        self.qemu_flags &= !FR_RXFE;
        if self.receive.len() == self.depth() {
            self.qemu_flags |= FR_RXFF;
        }
        if self.receive.len() == 1 {
            self.ris |= INT_RX;
        }
    }

    /// A byte whose stop bit ends at `at` has come in on the pin.
    pub(super) fn receive(&mut self, byte: u8, at: Nanoseconds, notices: &mut Notices) {
        let is_on = self.cr & CR_RECEIVES == CR_RECEIVES;
        let began = at.saturating_sub(self.terminal_frame);
        // A receiver that is switched off ends the byte that it has begun (3.3.8).
        if is_on != (began >= self.receiver_since) {
            return;
        }
        let mut word = u16::from(byte);
        if let Some(baud) = self.misunderstood() {
            notices.add(Notice::Garbled { byte, baud });
            word = word ^ 0xff | DR_FE;
            self.ris |= INT_FE;
        }
        if !self.has_room() {
            self.ris |= INT_OE;
            self.gap = true;
            return;
        }
        if std::mem::take(&mut self.gap) {
            word |= DR_OE;
        }
        self.receive.push(word);
        if self.receive.len() == self.receive_level() {
            self.ris |= INT_RX;
        }
        let frame = self.frame().unwrap_or(self.terminal_frame);
        self.timeout_at = Some(at.saturating_add(frame * TIMEOUT_BITS / FRAME_BITS));
    }

    fn read_dr(&mut self, notices: &mut Notices) -> u32 {
        if self.kind == Kind::Board && self.receive.len() == 0 {
            notices.add(Notice::ReceiveEmpty);
        }
        let word = self.receive.read();
        self.qemu_flags &= !FR_RXFF;
        if self.receive.len() == 0 {
            self.qemu_flags |= FR_RXFE;
            self.timeout_at = None;
            self.ris &= !INT_RT;
        }
        if self.receive.len() < self.receive_level() {
            self.ris &= !INT_RX;
        }
        self.rsr = u32::from(word >> 8);
        word.into()
    }

    fn write_dr(&mut self, byte: u8, now: Nanoseconds, notices: &mut Notices) {
        if self.kind == Kind::Qemu {
            self.sent.push(Sent {
                byte,
                garbled: None,
            });
            self.ris |= INT_TX;
            return;
        }
        if self.divisor != self.written_divisor() {
            notices.add(Notice::NotTakenOver);
        }
        if self.transmit.queue.len() >= self.depth() {
            notices.add(Notice::TransmitFull { byte });
            return;
        }
        self.transmit.queue.push_back(byte);
        if self.transmit.queue.len() > self.transmit_level() {
            self.ris &= !INT_TX;
        }
        self.start_sending(now);
    }

    /// Takes the divisors over; switching the queues on or off empties them.
    fn write_lcr_h(&mut self, value: u32) {
        if (self.lcr_h ^ value) & LCR_FEN != 0 {
            self.receive.empty();
            self.transmit.queue.clear();
            self.timeout_at = None;
        }
        self.lcr_h = value;
        self.divisor = self.written_divisor();
    }

    /// IBRD and FBRD in 64ths, whether they were taken over or not.
    fn written_divisor(&self) -> u32 {
        (self.ibrd & 0xffff) << 6 | self.fbrd & 0x3f
    }

    fn write_cr(&mut self, value: u32, now: Nanoseconds) -> Result<(), Refused> {
        if self.kind == Kind::Board && value & CR_NOT_MODELLED != 0 {
            return Err(Refused::NotModelled("UARTCR with IrDA, loopback or CTS"));
        }
        let receives = |cr| cr & CR_RECEIVES == CR_RECEIVES;
        if receives(self.cr) != receives(value) {
            self.receiver_since = now;
        }
        self.cr = value;
        self.start_sending(now);
        Ok(())
    }

    /// Moves a byte from the queue onto the line, if this is free and the transmitter is on. The
    /// interrupt comes when the queue falls through its level, not when it is below (3.3.11).
    fn start_sending(&mut self, at: Nanoseconds) {
        if self.cr & CR_SENDS != CR_SENDS {
            return;
        }
        let Some(frame) = self.frame() else {
            return;
        };
        let started = self.transmit.start(at, frame);
        if started && self.transmit.queue.len() == self.transmit_level() {
            self.ris |= INT_TX;
        }
    }

    /// The time that a byte takes: 86 822 ns at 48 MHz with 26 3/64. A divisor below 1 is none
    /// (3.3.5), and a clock that stands sends nothing.
    fn frame(&self) -> Option<Nanoseconds> {
        if self.divisor < 64 || self.clock_hz == 0 {
            return None;
        }
        let bits_by_clock = FRAME_BITS * 16 * u64::from(self.divisor) * 1_000_000_000 / 64;
        Some(bits_by_clock / u64::from(self.clock_hz))
    }

    /// This UART's bits a second, unless the terminal understands it: that is set to 8N1.
    fn misunderstood(&self) -> Option<u32> {
        let frame = self.frame().unwrap_or(Nanoseconds::MAX);
        let agree = speeds_agree(frame, self.terminal_frame);
        (self.lcr_h & LCR_FORMAT != LCR_8N1 || !agree).then(|| baud_of(frame))
    }

    fn flags(&self) -> u32 {
        if self.kind == Kind::Qemu {
            return self.qemu_flags | FR_TXFE;
        }
        let (received, unsent) = (self.receive.len(), self.transmit.queue.len());
        let flag = |flag, is_set| if is_set { flag } else { 0 };
        flag(FR_RXFE, received == 0)
            | flag(FR_RXFF, received == self.depth())
            | flag(FR_TXFE, unsent == 0)
            | flag(FR_TXFF, unsent == self.depth())
            // From the first byte in the queue on, whether the transmitter is on or not (3.3.3).
            | flag(FR_BUSY, unsent > 0 || self.transmit.is_shifting())
    }

    /// Bytes that each queue holds: with the queues off, one.
    fn depth(&self) -> usize {
        if self.lcr_h & LCR_FEN != 0 { DEPTH } else { 1 }
    }

    fn receive_level(&self) -> usize {
        if self.kind == Kind::Qemu {
            return 1;
        }
        LEVELS[(self.ifls >> 3 & 7) as usize].min(self.depth())
    }

    fn transmit_level(&self) -> usize {
        if self.lcr_h & LCR_FEN == 0 {
            return 0;
        }
        LEVELS[(self.ifls & 7) as usize]
    }

    /// UARTPeriphID0 to UARTPCellID3 (3.3.15, 3.3.16). The board's revision is its device tree's.
    fn identification(&self) -> [u8; 8] {
        let revision = match self.kind {
            Kind::Qemu => 0x14,
            Kind::Board => 0x24,
        };
        [0x11, 0x10, revision, 0x00, 0x0d, 0xf0, 0x05, 0xb1]
    }
}
