//! The boards that are modelled, and what a run hears from them beside register values.

/// Nanoseconds of virtual time since power-on.
pub type Nanoseconds = u64;

/// The RAM as the VideoCore and other masters see it: by physical address, at the point of
/// coherency. A word whose address is not in RAM reads as 0, and is not written.
pub trait GpuMemory {
    /// The little-endian word at `address`, a multiple of 4.
    fn read(&mut self, address: u32) -> u32;
    /// Writes the little-endian word at `address`, a multiple of 4.
    fn write(&mut self, address: u32, value: u32);
}

/// The machine whose devices are modelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// QEMU 7.2's `raspi3b`: whatever it answers, and without any delay.
    Qemu,
    /// A board, as its manuals and its firmware have it.
    Board,
}

/// The UART at which QEMU's user sits: the first `-serial` is the PL011, the second the mini-UART.
/// On a board the pins decide ([`Kind::Board`]).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Console {
    /// The PL011.
    Pl011,
    /// The mini-UART.
    MiniUart,
}

/// A board's properties.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The machine.
    pub kind: Kind,
    /// Bytes of RAM in MiB: 1024 (3B), or 512 (3A+).
    pub ram_mib: u32,
    /// The VideoCore's share of RAM in MiB, at its upper end: `gpu_mem` of config.txt, 64 or 76.
    pub gpu_memory_mib: u32,
    /// QEMU's serial port that the user sits at.
    pub console: Console,
    /// The terminal's speed in bits a second, 8N1. QEMU's has none.
    pub baud: u32,
    /// Time from a mailbox request to its answer in memory, on [`Kind::Board`].
    pub mailbox_latency: Nanoseconds,
    /// The core timers' prescaler at power-on (QA7 4.3): 0x8000_0000 as armstub8 leaves it. With 0,
    /// as after reset, the counter stands.
    pub prescaler: u32,
}

impl Options {
    /// QEMU 7.2's `raspi3b`, the user at the PL011.
    pub const QEMU: Self = Self {
        kind: Kind::Qemu,
        ram_mib: 1024,
        gpu_memory_mib: 64,
        console: Console::Pl011,
        baud: 115_200,
        mailbox_latency: 0,
        prescaler: 0x8000_0000,
    };

    /// A Raspberry Pi 3B of 1 GiB with `gpu_mem=64`, as its firmware starts a kernel.
    pub const BOARD: Self = Self {
        kind: Kind::Board,
        mailbox_latency: 40_000,
        ..Self::QEMU
    };

    /// Bytes of RAM that the firmware leaves to the ARM: 0x3c00_0000 of 1 GiB with 64 MiB for the
    /// VideoCore, 0x3b40_0000 with 76.
    #[must_use]
    pub const fn arm_memory(&self) -> u32 {
        self.ram_mib.saturating_sub(self.gpu_memory_mib) << 20
    }
}

/// What ends the run: the watchdog, by the partition that PM_RSTS names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The board resets, and boots again.
    Reset,
    /// The firmware stays halted: partition 63.
    Halt,
}

/// The levels of a core's four timers: bit 0 CNTPS, 1 CNTPNS, 2 CNTHP, 3 CNTV, as in the core's
/// source registers (QA7 4.10). Higher bits are ignored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TimerLines(pub u8);

/// The lines into a core.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lines {
    /// IRQ is asserted.
    pub irq: bool,
    /// FIQ is asserted.
    pub fiq: bool,
}

/// An observation on [`Kind::Board`] that a register's value does not show, for rules to judge. The
/// access was executed as on the board.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A request's address is not in the alias 0xc000_0000, past the VideoCore's caches. It was
    /// answered all the same.
    MailboxAlias {
        /// The word that was written.
        word: u32,
    },
    /// A word was written to mailbox 1 while it was full: it is lost.
    MailboxFull {
        /// The word.
        word: u32,
    },
    /// Mailbox 0 was read while it was empty.
    MailboxEmpty,
    /// The model's firmware does not know a property tag, and left it unanswered.
    UnknownTag {
        /// The tag.
        tag: u32,
    },
    /// A write to power management without the password 0x5a in bits 31:24: it was ignored.
    NoPassword {
        /// The register's offset from 0x3f10_0000.
        offset: u32,
    },
    /// A byte was written to a UART whose queue is full: it is lost.
    TransmitFull {
        /// The byte.
        byte: u8,
    },
    /// The PL011's data register was read while its queue was empty.
    ReceiveEmpty,
    /// The PL011's divisors or line control were written while it was on (DDI 0183 3.3.7).
    ChangedWhileOn {
        /// The register's offset from 0x3f20_1000.
        offset: u32,
    },
    /// A byte was written to the PL011 while its divisors were not taken over by a write to the line
    /// control behind them (DDI 0183 3.3.7).
    NotTakenOver,
    /// A byte left the PL011 while GPIO14 was not connected to it: nobody hears it.
    NotHeard {
        /// The byte.
        byte: u8,
    },
    /// A byte left or arrived while the UART's speed or format was not the terminal's: it is
    /// garbled.
    Garbled {
        /// The byte before.
        byte: u8,
        /// The UART's bits a second; 0 if its divisor is none.
        baud: u32,
    },
    /// A pull resistor's control or clock stood for less than 150 cycles (GPPUDCLK, steps 2 and 4).
    PullTooShort {
        /// For how long it stood.
        stood: Nanoseconds,
    },
    /// A compare register of the system timer was written that the VideoCore uses: 0 or 2.
    VideoCoreTimer {
        /// The channel.
        channel: u8,
    },
}

/// Notices until the caller takes them.
#[derive(Clone, Debug, Default)]
pub(super) struct Notices(Vec<Notice>);

impl Notices {
    /// More are dropped: a kernel that prints to nowhere makes one a byte.
    const MOST: usize = 4096;

    pub(super) fn add(&mut self, notice: Notice) {
        if self.0.len() < Self::MOST {
            self.0.push(notice);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.0)
    }
}
