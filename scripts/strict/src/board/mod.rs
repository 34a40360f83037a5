//! The devices of the BCM2837, one file a device.
//!
//! [`Board`] takes the accesses of the cores to 0x3f00_0000..0x4000_0000 and to the local block, and
//! gives each core's IRQ and FIQ line. Time is the caller's: each call says when it happens, and
//! never earlier than the one before. What changes by itself does so by [`Board::next_event`].
//!
//! A register that is not modelled stops the run by its name ([`BoardError`]). What a device lets
//! pass and a rule may not is a [`Notice`].
//!
//! # Decisions
//! - [`Kind::Qemu`] is QEMU 7.2's `raspi3b`, register by register, so that a console's transcript can
//!   be compared with the emulator's. Its gaps, which hold RAM there, stop the run here.
//! - A byte takes its time on the line, a request to the VideoCore its latency; register accesses
//!   take none.

mod arm_timer;
mod aux;
mod gpio;
mod gpu_interrupts;
mod local;
mod mailbox;
mod options;
mod peripheral;
mod pl011;
mod power;
mod random;
mod serial;
mod system_timer;
#[cfg(test)]
mod tests;
mod wiring;

use self::arm_timer::ArmTimer;
use self::gpu_interrupts::{GpuInterrupts, Inputs};
use self::local::Local;
use self::mailbox::Mailbox;
use self::options::Notices;
pub use self::options::{
    Console, Ending, GpuMemory, Kind, Lines, Nanoseconds, Notice, Options, TimerLines,
};
pub use self::peripheral::{BoardError, Peripheral};
use self::power::Power;
use self::random::Random;
use self::system_timer::SystemTimer;
use self::wiring::Wiring;

/// The number of cores of the BCM2837.
pub const CORES: usize = 4;

/// The GPU's peripherals, and the local block with the room that its manual gives it.
const PERIPHERALS: std::ops::Range<u64> = 0x3f00_0000..0x4000_0000;
const LOCAL: std::ops::Range<u64> = 0x4000_0000..0x4004_0000;

/// Interrupts by their numbers (BCM2835 ARM Peripherals, page 113, and its device tree).
const GPU_AUX: u32 = 29;
const GPU_UART: u32 = 57;
const BASIC_ARM_TIMER: u32 = 0;
const BASIC_MAILBOX: u32 = 1;

/// The devices of one board.
#[derive(Clone, Debug)]
pub struct Board {
    arm_timer: ArmTimer,
    gpu_interrupts: GpuInterrupts,
    local: Local,
    mailbox: Mailbox,
    power: Power,
    random: Random,
    system_timer: SystemTimer,
    wiring: Wiring,
    notices: Notices,
    /// Nothing changes by itself before this time: a core that polls need not look at each device.
    quiet_until: Nanoseconds,
}

impl Board {
    /// The devices as the firmware leaves them for a kernel; QEMU's as after reset.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let kind = options.kind;
        let mailbox = Mailbox::new(options);
        Self {
            arm_timer: ArmTimer::new(kind),
            gpu_interrupts: GpuInterrupts::new(kind),
            local: Local::new(kind, options.prescaler),
            wiring: Wiring::new(options, mailbox.uart_clock_hz()),
            mailbox,
            power: Power::new(kind),
            random: Random::new(kind),
            system_timer: SystemTimer::new(kind),
            notices: Notices::default(),
            quiet_until: 0,
        }
    }

    /// Whether an access to the physical `address` is the board's to answer, be it with an error.
    #[must_use]
    pub fn covers(address: u64) -> bool {
        PERIPHERALS.contains(&address) || LOCAL.contains(&address)
    }

    /// The peripheral that the physical `address` belongs to; `None` in a gap.
    #[must_use]
    pub fn device_at(address: u64) -> Option<Peripheral> {
        Peripheral::find(address).map(|(peripheral, _)| peripheral)
    }

    /// A load of `size` bytes from the physical `address` at `now`. The core's timers must have been
    /// told ([`Board::set_timers`]) where the address is that of a source register.
    ///
    /// # Errors
    ///
    /// [`BoardError`]: nothing was read, but time has passed.
    pub fn read(
        &mut self,
        address: u64,
        size: u32,
        now: Nanoseconds,
        memory: &mut dyn GpuMemory,
    ) -> Result<u64, BoardError> {
        let (peripheral, offset) = register(address, size)?;
        match peripheral {
            // Its counter is kept as of the last step in time.
            Peripheral::ArmTimer => self.pass(now, memory),
            _ => self.advance(now, memory),
        }
        let notices = &mut self.notices;
        let read = match peripheral {
            Peripheral::SystemTimer => self.system_timer.read(offset, now),
            Peripheral::GpuInterrupts => self.gpu_interrupts.read(offset, self.inputs()),
            Peripheral::ArmTimer => self.arm_timer.read(offset, now),
            Peripheral::Mailbox => self.mailbox.read(offset, notices),
            Peripheral::Power => self.power.read(offset, now),
            Peripheral::Random => self.random.read(offset),
            Peripheral::Gpio => self.wiring.gpio.read(offset),
            Peripheral::Pl011 => self.wiring.pl011.read(offset, notices),
            Peripheral::Aux => self.wiring.aux.read(offset, notices),
            Peripheral::Local => self.local.read(offset, now, self.gpu_lines()),
            Peripheral::Unmodelled(_) => {
                return Err(BoardError::Peripheral {
                    peripheral,
                    address,
                });
            }
        };
        let value = read.map_err(|refused| refused.at(peripheral, address))?;
        if peripheral == Peripheral::Mailbox {
            // A word that was read makes room for the next answer.
            self.quiet_until = 0;
        }
        self.wiring.fill_qemus_queue(&mut self.notices);
        Ok(value.into())
    }

    /// A store of `size` bytes to the physical `address` at `now`.
    ///
    /// # Errors
    ///
    /// [`BoardError`]: nothing was written, but time has passed.
    pub fn write(
        &mut self,
        address: u64,
        size: u32,
        value: u64,
        now: Nanoseconds,
        memory: &mut dyn GpuMemory,
    ) -> Result<(), BoardError> {
        let (peripheral, offset) = register(address, size)?;
        self.pass(now, memory);
        self.quiet_until = 0;
        let (value, notices) = (value as u32, &mut self.notices);
        let written = match peripheral {
            Peripheral::SystemTimer => self.system_timer.write(offset, value, now, notices),
            Peripheral::GpuInterrupts => self.gpu_interrupts.write(offset, value),
            Peripheral::ArmTimer => self.arm_timer.write(offset, value, now),
            Peripheral::Mailbox => self.mailbox.write(offset, value, now, memory, notices),
            Peripheral::Power => self.power.write(offset, value, now, notices),
            Peripheral::Random => self.random.write(offset, value),
            Peripheral::Gpio => self.wiring.gpio.write(offset, value, now, notices),
            Peripheral::Pl011 => self.wiring.pl011.write(offset, value, now, notices),
            Peripheral::Aux => self.wiring.aux.write(offset, value, now, notices),
            Peripheral::Local => self.local.write(offset, value, now),
            Peripheral::Unmodelled(_) => {
                return Err(BoardError::Peripheral {
                    peripheral,
                    address,
                });
            }
        };
        written.map_err(|refused| refused.at(peripheral, address))?;
        // A compare register can match at once.
        self.advance_devices(now);
        Ok(())
    }

    /// Lets time pass until `now`: what is due by then has happened, the VideoCore's answers in
    /// `memory` included. To be called when [`Board::next_event`] has come; accesses do it too.
    pub fn advance(&mut self, now: Nanoseconds, memory: &mut dyn GpuMemory) {
        if now >= self.quiet_until {
            self.pass(now, memory);
            self.quiet_until = self.next_event(now).unwrap_or(Nanoseconds::MAX);
        }
    }

    /// Lets time pass for every device.
    fn pass(&mut self, now: Nanoseconds, memory: &mut dyn GpuMemory) {
        self.mailbox.advance(now, memory);
        self.advance_devices(now);
    }

    /// Tells the levels of `core`'s timers, as its source registers and lines show them from here
    /// on.
    pub fn set_timers(&mut self, core: usize, timers: TimerLines) {
        self.local.set_timers(core, timers);
    }

    /// The lines into `core` at `now`, with the levels of its own timers. Answers of the VideoCore
    /// are due only by [`Board::advance`].
    pub fn lines(&mut self, core: usize, timers: TimerLines, now: Nanoseconds) -> Lines {
        self.set_timers(core, timers);
        if now >= self.quiet_until {
            self.advance_devices(now);
        }
        self.local.lines(core, self.gpu_lines())
    }

    /// The next time after `now` at which a register or a line may change by itself. Counters, which
    /// always run, do not count.
    #[must_use]
    pub fn next_event(&self, now: Nanoseconds) -> Option<Nanoseconds> {
        let events = [
            self.mailbox.next_event(),
            self.arm_timer.next_event(),
            self.wiring.next_event(),
            self.system_timer.next_event(),
            self.local.next_event(),
            self.power.end(),
        ];
        let next = events.into_iter().flatten().min()?;
        Some(next.max(now.saturating_add(1)))
    }

    /// The cores' counter at `now`: CNTPCT_EL0. On a board it counts as the local block's control
    /// and prescaler say, whatever CNTFRQ_EL0 says.
    #[must_use]
    pub fn counter(&self, now: Nanoseconds) -> u64 {
        self.local.counter(now)
    }

    /// The first time at which the cores' counter is `count` or more; `None` if that never comes.
    #[must_use]
    pub fn time_of_counter(&self, count: u64) -> Option<Nanoseconds> {
        self.local.time_of_counter(count)
    }

    /// The bytes that have left on the console's pins since the last call: those that a terminal
    /// of [`Options::baud`] 8N1 hears, 0xff in place of each that it does not understand.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.wiring.take_output(&mut self.notices)
    }

    /// The terminal sends `bytes`, one after another, from `now` on and behind what it is sending.
    /// QEMU's bytes wait until the UART has room.
    pub fn type_bytes(&mut self, bytes: &[u8], now: Nanoseconds) {
        self.quiet_until = 0;
        self.wiring.type_bytes(bytes, now, &mut self.notices);
    }

    /// How the watchdog has ended the run by `now`, if it has.
    #[must_use]
    pub fn watchdog_ended(&self, now: Nanoseconds) -> Option<Ending> {
        self.power.ended(now)
    }

    /// What was noticed since the last call, in order.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }

    fn advance_devices(&mut self, now: Nanoseconds) {
        self.wiring.pl011.clock_hz = self.mailbox.uart_clock_hz();
        self.wiring.advance(now, &mut self.notices);
        self.arm_timer.advance(now);
        self.system_timer.advance(now);
        self.local.advance(now);
    }

    fn inputs(&self) -> Inputs {
        let gpu =
            self.system_timer.interrupts() | u32::from(self.wiring.aux.interrupts()) << GPU_AUX;
        let uart = u64::from(self.wiring.pl011.interrupts()) << GPU_UART;
        Inputs {
            gpu: u64::from(gpu) | uart,
            basic: u32::from(self.arm_timer.interrupt()) << BASIC_ARM_TIMER
                | u32::from(self.mailbox.interrupts()) << BASIC_MAILBOX,
        }
    }

    fn gpu_lines(&self) -> Lines {
        self.gpu_interrupts.lines(self.inputs())
    }
}

/// The peripheral and the register's offset of an access.
fn register(address: u64, size: u32) -> Result<(Peripheral, u32), BoardError> {
    let (peripheral, offset) = Peripheral::find(address).ok_or(BoardError::Gap { address })?;
    if size != 4 || !offset.is_multiple_of(4) {
        return Err(BoardError::NotAWord { address, size });
    }
    Ok((peripheral, offset))
}
