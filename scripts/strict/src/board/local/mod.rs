//! The BCM2836's local block: interrupts of each core, mailboxes between cores, the local timer and
//! the clock of the cores' timers.
//!
//! "QA7", chapter 4; registers of the cores stand four in a row. Source bits 3:0 are the core's
//! timers, 7:4 its mailboxes, 8 the GPU, 11 the local timer. The counter of AXI transactions and
//! the routing of performance counters are kept, and never interrupt.

mod counter;
#[cfg(test)]
mod tests;
mod timer;

use self::counter::Counter;
use self::timer::LocalTimer;
use super::options::{Kind, Lines, Nanoseconds, TimerLines};
use super::peripheral::Refused;

const CONTROL: u32 = 0x00;
const PRESCALER: u32 = 0x08;
const GPU_ROUTING: u32 = 0x0c;
const PMU_ROUTING_SET: u32 = 0x10;
const PMU_ROUTING_CLEAR: u32 = 0x14;
const CORE_TIMER_LOW: u32 = 0x1c;
const CORE_TIMER_HIGH: u32 = 0x20;
const LOCAL_ROUTING: u32 = 0x24;
const AXI_COUNTERS: u32 = 0x2c;
const AXI_IRQ: u32 = 0x30;
const LOCAL_TIMER: u32 = 0x34;
const LOCAL_TIMER_FLAGS: u32 = 0x38;
const TIMER_CONTROL: u32 = 0x40;
const MAILBOX_CONTROL: u32 = 0x50;
const IRQ_SOURCE: u32 = 0x60;
const FIQ_SOURCE: u32 = 0x70;
const MAILBOX_SET: u32 = 0x80;
const MAILBOX_CLEAR: u32 = 0xc0;
const END: u32 = 0x100;

/// Control bit 8: the counter runs by the APB's clock and not by the crystal (4.2).
const CONTROL_APB: u32 = 1 << 8;
/// 4.9: the interrupt of the counter of outstanding transactions.
const AXI_IRQ_ENABLE: u32 = 1 << 20;

const SOURCE_MAILBOXES: u32 = 4;
const SOURCE_GPU: u32 = 1 << 8;
const SOURCE_LOCAL_TIMER: u32 = 1 << 11;

#[derive(Clone, Debug)]
pub(super) struct Local {
    kind: Kind,
    counter: Counter,
    /// The high word as it was when the low one was read (4.3).
    counter_high: u32,
    gpu_routing: u32,
    pmu_routing: u32,
    local_routing: u32,
    axi_irq: u32,
    local_timer: LocalTimer,
    timer_control: [u32; 4],
    mailbox_control: [u32; 4],
    mailboxes: [[u32; 4]; 4],
    timers: [TimerLines; 4],
}

/// A core's source registers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Sources {
    irq: u32,
    fiq: u32,
}

impl Local {
    pub(super) fn new(kind: Kind, prescaler: u32) -> Self {
        Self {
            kind,
            counter: Counter::new(kind, prescaler),
            counter_high: 0,
            gpu_routing: 0,
            pmu_routing: 0,
            local_routing: 0,
            axi_irq: 0,
            local_timer: LocalTimer::new(kind),
            timer_control: [0; 4],
            mailbox_control: [0; 4],
            mailboxes: [[0; 4]; 4],
            timers: [TimerLines::default(); 4],
        }
    }

    pub(super) fn counter(&self, now: Nanoseconds) -> u64 {
        self.counter.count(now)
    }

    pub(super) fn time_of_counter(&self, count: u64) -> Option<Nanoseconds> {
        self.counter.time_of(count)
    }

    pub(super) fn set_timers(&mut self, core: usize, timers: TimerLines) {
        if let Some(held) = self.timers.get_mut(core) {
            *held = timers;
        }
    }

    /// The lines into `core`; none of a core that is not there.
    pub(super) fn lines(&self, core: usize, gpu: Lines) -> Lines {
        let sources = self.sources(core, gpu);
        Lines {
            irq: sources.irq != 0,
            fiq: sources.fiq != 0,
        }
    }

    /// When something changes by itself.
    pub(super) fn next_event(&self) -> Option<Nanoseconds> {
        self.local_timer.next_event()
    }

    /// Lets time pass until `now`.
    pub(super) fn advance(&mut self, now: Nanoseconds) {
        self.local_timer.advance(now);
    }

    pub(super) fn read(
        &mut self,
        offset: u32,
        now: Nanoseconds,
        gpu: Lines,
    ) -> Result<u32, Refused> {
        let core = (offset as usize / 4) % 4;
        let board = |value| if self.kind == Kind::Board { value } else { 0 };
        Ok(match offset {
            CONTROL => board(self.counter.control),
            PRESCALER => board(self.counter.prescaler),
            GPU_ROUTING => self.gpu_routing,
            PMU_ROUTING_SET => board(self.pmu_routing),
            CORE_TIMER_LOW => {
                let count = board_count(self.kind, self.counter.count(now));
                self.counter_high = (count >> 32) as u32;
                count as u32
            }
            CORE_TIMER_HIGH => self.counter_high,
            LOCAL_ROUTING => self.local_routing,
            AXI_IRQ => board(self.axi_irq),
            LOCAL_TIMER => self.local_timer.control(),
            // Write-only, or a count of what is never outstanding.
            PMU_ROUTING_CLEAR | AXI_COUNTERS | LOCAL_TIMER_FLAGS => 0,
            TIMER_CONTROL..MAILBOX_CONTROL => self.timer_control[core],
            MAILBOX_CONTROL..IRQ_SOURCE => self.mailbox_control[core],
            IRQ_SOURCE..FIQ_SOURCE => self.sources(core, gpu).irq,
            FIQ_SOURCE..MAILBOX_SET => self.sources(core, gpu).fiq,
            MAILBOX_SET..MAILBOX_CLEAR => 0,
            MAILBOX_CLEAR..END => {
                let (of_core, mailbox) = place(offset - MAILBOX_CLEAR);
                self.mailboxes[of_core][mailbox]
            }
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
    ) -> Result<(), Refused> {
        let core = (offset as usize / 4) % 4;
        match offset {
            CONTROL | PRESCALER | AXI_IRQ | CORE_TIMER_LOW | CORE_TIMER_HIGH
                if self.kind == Kind::Qemu => {}
            CONTROL if value & CONTROL_APB != 0 => {
                return Err(Refused::NotModelled("control by the APB's clock"));
            }
            CONTROL => self.counter.set(value & 0x300, self.counter.prescaler, now),
            PRESCALER => self.counter.set(self.counter.control, value, now),
            GPU_ROUTING => self.gpu_routing = value & 0xf,
            PMU_ROUTING_SET => self.pmu_routing |= value & 0xff,
            PMU_ROUTING_CLEAR => self.pmu_routing &= !value,
            CORE_TIMER_LOW | CORE_TIMER_HIGH => {
                return Err(Refused::NotModelled("write to the core timer"));
            }
            LOCAL_ROUTING => self.local_routing = value & 7,
            AXI_IRQ if value & AXI_IRQ_ENABLE != 0 => {
                return Err(Refused::NotModelled("AXI interrupt"));
            }
            AXI_IRQ => self.axi_irq = value,
            LOCAL_TIMER => self.local_timer.set(value, now)?,
            LOCAL_TIMER_FLAGS => self.local_timer.write_flags(value, now),
            TIMER_CONTROL..MAILBOX_CONTROL => self.timer_control[core] = value & 0xff,
            MAILBOX_CONTROL..IRQ_SOURCE => self.mailbox_control[core] = value & 0xff,
            // Read-only.
            AXI_COUNTERS | IRQ_SOURCE..MAILBOX_SET => {}
            MAILBOX_SET..MAILBOX_CLEAR => {
                let (of_core, mailbox) = place(offset - MAILBOX_SET);
                self.mailboxes[of_core][mailbox] |= value;
            }
            MAILBOX_CLEAR..END => {
                let (of_core, mailbox) = place(offset - MAILBOX_CLEAR);
                self.mailboxes[of_core][mailbox] &= !value;
            }
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    fn sources(&self, core: usize, gpu: Lines) -> Sources {
        let mut sources = Sources::default();
        let (Some(timers), Some(mailboxes)) = (self.timers.get(core), self.mailboxes.get(core))
        else {
            return sources;
        };
        let full = (0..4).fold(0, |full, mailbox| {
            full | u32::from(mailboxes[mailbox] != 0) << mailbox
        });
        let timers = u32::from(timers.0 & 0xf);
        for (raised, control, shift) in [
            (timers, self.timer_control[core], 0),
            (full, self.mailbox_control[core], SOURCE_MAILBOXES),
        ] {
            // A FIQ enable overrides the IRQ enable of the source (4.6, 4.7).
            let fiq = control >> 4;
            sources.irq |= (raised & control & !fiq & 0xf) << shift;
            sources.fiq |= (raised & fiq) << shift;
        }
        let at = |routing: u32| routing as usize == core;
        if gpu.irq && at(self.gpu_routing & 3) {
            sources.irq |= SOURCE_GPU;
        }
        if gpu.fiq && at(self.gpu_routing >> 2) {
            sources.fiq |= SOURCE_GPU;
        }
        if self.local_timer.interrupts() && at(self.local_routing & 3) {
            match self.local_routing & 4 {
                0 => sources.irq |= SOURCE_LOCAL_TIMER,
                _ => sources.fiq |= SOURCE_LOCAL_TIMER,
            }
        }
        sources
    }
}

/// The count as the block shows it: QEMU does not.
fn board_count(kind: Kind, count: u64) -> u64 {
    match kind {
        Kind::Qemu => 0,
        Kind::Board => count,
    }
}

/// The core and its mailbox at an offset from the first mailbox's register.
fn place(offset: u32) -> (usize, usize) {
    let index = offset as usize / 4;
    (index / 4 % 4, index % 4)
}
