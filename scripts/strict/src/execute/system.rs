//! Hints, barriers, PSTATE and moves of system registers: DDI 0487 C4.1.65.

use ::a64::Register;
use ::a64::system::{Pstate, System};

use super::registers::Direction;
use crate::bus::Bus;
use crate::cpu::syndrome::class;
use crate::cpu::{Core, Executed, Waiting};
use crate::liberty::Liberty;
use crate::registers::Reg;
use crate::registers::sctlr;
use crate::watch::{Barrier, Event};

/// Hints by CRm:op2 (C6.2.114).
const WFE: u8 = 2;
const WFI: u8 = 3;
const SEV: u8 = 4;
const SEVL: u8 = 5;

impl Core {
    /// Executes a system instruction.
    pub(super) fn system_instruction(&mut self, bus: &mut Bus, system: System) -> Executed {
        match system {
            System::Hint(number) => self.hint(bus, number),
            System::ClearExclusive(_) => {
                bus.monitors.clear(self.number);
                Ok(())
            }
            System::DataSynchronization(option) => {
                self.tell(bus, Event::Barrier(Barrier::Synchronization(option)));
                if option & 0b10 != 0 {
                    self.drain_all(bus);
                    self.buffer.barrier();
                }
                self.complete_maintenance(bus, option);
                Ok(())
            }
            System::DataMemory(option) => {
                self.tell(bus, Event::Barrier(Barrier::Memory(option)));
                if option & 0b10 != 0 {
                    self.buffer.barrier();
                }
                Ok(())
            }
            System::InstructionSynchronization(_) => {
                self.tell(bus, Event::Barrier(Barrier::Instruction));
                self.synchronize_context();
                self.note_synchronization(bus);
                Ok(())
            }
            System::WritePstate { field, immediate } => self.write_pstate(bus, field, immediate),
            System::Maintain { operation, rt } => self.maintain(bus, operation, rt),
            System::MaintainAndRead { .. } => Err(self.undefined().into()),
            System::Write { register, rt } => self.write_register(bus, register, rt),
            System::Read { register, rt } => {
                let value = self.read_register(bus, register, rt)?;
                self.set(rt, value);
                Ok(())
            }
        }
    }

    /// Tells the rules what the current instruction does.
    pub(super) fn tell(&self, bus: &mut Bus, event: Event) {
        bus.watch.event(self.number, self.at, event);
    }

    fn hint(&mut self, bus: &mut Bus, number: u8) -> Executed {
        match number {
            WFE => {
                self.check_wait(1, sctlr::NTWE)?;
                let early = bus.liberties.has(Liberty::Wake) && bus.chance.happens(32);
                match std::mem::take(&mut bus.events[self.number]) {
                    true => {}
                    false if early => bus.took(Liberty::Wake, (self.number, self.at), 0),
                    false => self.waiting = Waiting::Event,
                }
            }
            WFI => {
                self.check_wait(0, sctlr::NTWI)?;
                self.waiting = Waiting::Interrupt;
            }
            SEV => {
                self.tell(bus, Event::Sev);
                bus.send_event();
            }
            SEVL => bus.events[self.number] = true,
            _ => {}
        }
        Ok(())
    }

    /// WFE and WFI at EL0 trap to EL1 unless SCTLR_EL1 lets them.
    fn check_wait(&self, kind: u64, bit: u64) -> Executed {
        if self.state.level == 0 && self.system.effective(Reg::SCTLR_EL1) & bit == 0 {
            // CV = 1, COND = 1110, TI: 0 for WFI, 1 for WFE.
            return Err(self.exception(class::WAIT, 0x1e0_0000 | kind).into());
        }
        Ok(())
    }

    fn write_pstate(&mut self, bus: &mut Bus, field: Pstate, immediate: u8) -> Executed {
        let user = self.state.level == 0;
        let masks_allowed = self.system.effective(Reg::SCTLR_EL1) & sctlr::UMA != 0;
        match field {
            Pstate::StackPointer if user => return Err(self.undefined().into()),
            Pstate::StackPointer => self.state.own_stack = immediate & 1 != 0,
            Pstate::Mask | Pstate::Unmask if user && !masks_allowed => {
                let op2 = if field == Pstate::Mask { 0b110 } else { 0b111 };
                let fields = [0, 3, 4, u16::from(immediate), op2];
                return Err(self
                    .trapped(fields, Register::ZERO, Direction::Write)
                    .into());
            }
            Pstate::Mask => self.state.daif |= immediate,
            Pstate::Unmask => {
                self.state.daif &= !immediate;
                self.take_interrupt(bus);
            }
        }
        Ok(())
    }
}
