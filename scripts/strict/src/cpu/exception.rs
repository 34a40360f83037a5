//! Exceptions: their syndromes, their entry and their return (DDI 0487 D1.10 to D1.14).

use super::core::{Core, Executed, Pstate};
use super::syndrome::{Exception, class};
use crate::board::Lines;
use crate::bus::Bus;
use crate::registers::Reg;
use crate::translate::{Fault, Purpose};
use crate::watch::Event;

/// The offset in a quarter of the vector table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Synchronous = 0,
    Irq = 0x80,
    Fiq = 0x100,
}

/// IL: the instruction has 32 bits.
const IL: u64 = 1 << 25;

impl Core {
    /// The level that takes a synchronous exception of the current level.
    fn own_target(&self) -> u8 {
        self.state.level.max(1)
    }

    /// A synchronous exception to the level that runs (EL1 for EL0), which returns to the
    /// instruction itself.
    pub(crate) fn exception(&self, class: u64, iss: u64) -> Exception {
        Exception {
            syndrome: class << 26 | IL | iss,
            address: None,
            return_to: self.at,
            target: self.own_target(),
        }
    }

    /// An instruction that is UNDEFINED at this level.
    pub(crate) fn undefined(&self) -> Exception {
        self.exception(class::UNKNOWN, 0)
    }

    /// An exception-generating instruction, which returns behind itself.
    pub(crate) fn call(&self, class: u64, immediate: u16, target: u8) -> Exception {
        Exception {
            return_to: self.pc,
            target,
            ..self.exception(class, u64::from(immediate))
        }
    }

    pub(super) fn pc_alignment(&self) -> Exception {
        Exception {
            address: Some(self.at),
            ..self.exception(class::PC_ALIGNMENT, 0)
        }
    }

    pub(crate) fn sp_alignment(&self) -> Exception {
        self.exception(class::SP_ALIGNMENT, 0)
    }

    pub(super) fn illegal_state(&self) -> Exception {
        self.exception(class::ILLEGAL_STATE, 0)
    }

    /// A class of aborts has a second number for those of the same level.
    fn abort(&self, class: u64, address: u64, iss: u64) -> Exception {
        let same_level = u64::from(self.state.level != 0);
        Exception {
            address: Some(address),
            ..self.exception(class + same_level, iss)
        }
    }

    /// An abort of an instruction fetch.
    pub(crate) fn instruction_abort(&self, address: u64, fault: Fault) -> Exception {
        self.abort(class::INSTRUCTION_ABORT, address, u64::from(fault.status()))
    }

    /// An abort of a data access; `extra` has further bits of the ISS (CM).
    pub(crate) fn data_abort(
        &self,
        address: u64,
        fault: Fault,
        purpose: Purpose,
        extra: u64,
    ) -> Exception {
        let write = u64::from(purpose == Purpose::Store) << 6;
        let iss = u64::from(fault.status()) | write | extra;
        self.abort(class::DATA_ABORT, address, iss)
    }

    /// The process state as SPSR_ELx has it.
    fn saved_state(&self) -> u64 {
        let Pstate {
            nzcv,
            daif,
            level,
            own_stack,
            illegal,
        } = self.state;
        u64::from(nzcv) << 28
            | u64::from(illegal) << 20
            | u64::from(daif) << 6
            | u64::from(level) << 2
            | u64::from(own_stack)
    }

    /// Takes a synchronous exception.
    pub(super) fn take(&mut self, exception: Exception) {
        self.enter(exception, Kind::Synchronous);
    }

    fn enter(&mut self, exception: Exception, kind: Kind) {
        let Exception {
            syndrome,
            address,
            return_to,
            target,
        } = exception;
        let [spsr, elr, esr, far] = banked(target);
        let quarter = match (target == self.state.level, self.state.own_stack) {
            (true, false) => 0x000,
            (true, true) => 0x200,
            (false, _) => 0x400,
        };
        self.system.set(spsr, self.saved_state());
        self.system.set(elr, return_to);
        if kind == Kind::Synchronous {
            self.system.set(esr, syndrome);
        }
        if let Some(address) = address {
            self.system.set(far, address);
        }
        self.synchronize_context();
        self.change_level(Pstate {
            nzcv: self.state.nzcv,
            daif: 0b1111,
            level: target,
            own_stack: true,
            illegal: false,
        });
        self.pc = self.vectors(target) + quarter + kind as u64;
    }

    fn change_level(&mut self, state: Pstate) {
        if state.level != self.state.level || state.illegal {
            self.forget_translations();
        }
        self.state = state;
    }

    /// The interrupt lines of the core now.
    pub(crate) fn interrupt_lines(&self, bus: &mut Bus) -> Lines {
        let timers = self.timer_lines(bus);
        let now = bus.now();
        bus.board.lines(self.number, timers, now)
    }

    /// Whether an interrupt is pending, masked or not.
    pub(crate) fn has_interrupt(&self, bus: &mut Bus) -> bool {
        let lines = self.interrupt_lines(bus);
        lines.irq || lines.fiq
    }

    /// Takes an interrupt that was pending at the beginning of the slice and still is, unless it is
    /// masked.
    pub(crate) fn take_interrupt(&mut self, bus: &mut Bus) {
        if self.lines == Lines::default() {
            return;
        }
        // The handler of another core, or this one's own, may have answered since.
        self.lines = self.interrupt_lines(bus);
        let Lines { irq, fiq } = self.lines;
        if fiq && self.takes(2, 4, 0b0001) {
            self.interrupt(bus, Kind::Fiq, self.target(2, 3));
        } else if irq && self.takes(1, 4, 0b0010) {
            self.interrupt(bus, Kind::Irq, self.target(1, 4));
        }
    }

    /// The level that takes an interrupt: SCR_EL3.IRQ or FIQ, then HCR_EL2.IMO or FMO.
    fn target(&self, scr_bit: u32, hcr_bit: u32) -> u8 {
        let set = |register, bit: u32| self.system.effective(register) >> bit & 1 != 0;
        if set(Reg::SCR_EL3, scr_bit) {
            3
        } else if set(Reg::HCR_EL2, hcr_bit) {
            2
        } else {
            1
        }
    }

    /// Whether an interrupt is taken: PSTATE masks it at the level that takes it, not below.
    fn takes(&self, scr_bit: u32, hcr_bit: u32, mask: u8) -> bool {
        let target = self.target(scr_bit, hcr_bit);
        target > self.state.level || (target == self.state.level && self.state.daif & mask == 0)
    }

    fn interrupt(&mut self, bus: &mut Bus, kind: Kind, target: u8) {
        let exception = Exception {
            syndrome: 0,
            address: None,
            return_to: self.pc,
            target,
        };
        self.enter(exception, kind);
        self.tell_exception(bus, None);
    }

    /// ERET: the process state from SPSR_ELx, the address from ELR_ELx.
    pub(crate) fn exception_return(&mut self, bus: &mut Bus) -> Executed {
        let level = self.state.level;
        if level == 0 {
            return Err(self.undefined().into());
        }
        let [spsr, elr, ..] = banked(level);
        let saved = self.system.written(spsr);
        let to = self.system.written(elr);
        let mode = (saved & 0b1_1111) as u8;
        let new_level = mode >> 2;
        // D1.11.3: AArch32, a higher level, a reserved bit, or SP_ELx at EL0.
        let illegal = mode & 0b1_0010 != 0 || new_level > level || mode == 1;
        let (level, own_stack) = match illegal {
            true => (level, self.state.own_stack),
            false => (new_level, mode & 1 != 0),
        };
        self.synchronize_context();
        self.note_synchronization(bus);
        if level < self.state.level {
            let from = self.state.level;
            let event = Event::LevelLeft { from, to: level };
            bus.watch.event(self.number, self.at, event);
        }
        bus.monitors.clear(self.number);
        bus.events[self.number] = true;
        self.change_level(Pstate {
            nzcv: (saved >> 28 & 0xf) as u8,
            daif: (saved >> 6 & 0xf) as u8,
            level,
            own_stack,
            illegal: illegal || saved >> 20 & 1 != 0,
        });
        self.pc = to;
        if self.state.level <= 1 {
            self.tell_roots(bus);
        }
        self.take_interrupt(bus);
        Ok(())
    }
}

/// SPSR, ELR, ESR and FAR of an exception level.
fn banked(level: u8) -> [Reg; 4] {
    match level {
        3 => [Reg::SPSR_EL3, Reg::ELR_EL3, Reg::ESR_EL3, Reg::FAR_EL3],
        2 => [Reg::SPSR_EL2, Reg::ELR_EL2, Reg::ESR_EL2, Reg::FAR_EL2],
        _ => [Reg::SPSR_EL1, Reg::ELR_EL1, Reg::ESR_EL1, Reg::FAR_EL1],
    }
}
