//! TLBI, IC, DC and AT: DDI 0487 C5.3 to C5.5.

use ::a64::Register;
use ::a64::system::Operation;

use super::registers::Direction;
use crate::bus::Bus;
use crate::cpu::access::Manner;
use crate::cpu::{Core, Executed};
use crate::liberty::Liberty;
use crate::memory::LineOperation;
use crate::registers::Reg;
use crate::registers::sctlr;
use crate::translate::{Purpose, Regime};
use crate::watch::Event;

/// CM of a data abort: the access was cache maintenance.
const CACHE_MAINTENANCE: u64 = 1 << 8;

impl Core {
    /// Executes SYS.
    pub(super) fn maintain(
        &mut self,
        bus: &mut Bus,
        operation: Operation,
        rt: Register,
    ) -> Executed {
        let [op1, crn, crm, op2] = operation.fields();
        let needed = match op1 {
            3 => 0,
            4 => 2,
            6 => 3,
            _ => 1,
        };
        if needed > self.state.level {
            return Err(self.undefined().into());
        }
        let value = self.get(rt);
        let fields = [1, op1, crn, crm, op2];
        match (op1, crn, crm, op2) {
            (_, 8, ..) if operation.name().is_some() => {
                let whole = match (op1, op2) {
                    // VMALLE1, ALLE1, VMALLS12E1.
                    (0, 0) | (4, 4 | 6) => Some(1),
                    (4, 0) => Some(2),
                    (6, 0) => Some(3),
                    _ => None,
                };
                self.tell(bus, Event::TlbMaintenance { whole });
                let pending = self.system.unsynchronized();
                // Those of EL2 and EL3 do not depend on EL1's registers.
                if op1 == 0 && (pending.low || pending.high) {
                    self.tell(bus, Event::DependsOnPending);
                }
                if bus.liberties.has(Liberty::Translations) {
                    let moment = (self.at, bus.now());
                    let events = bus
                        .history
                        .invalidate(self.number, operation, value, moment);
                    for event in events {
                        self.tell(bus, event);
                    }
                }
                self.forget_everywhere(bus);
                Ok(())
            }
            (0, 7, 1 | 5, 0) | (3, 7, 5, 1) => {
                self.check_user(sctlr::UCI, fields, rt)?;
                self.tell(bus, Event::InstructionCache { whole: op1 == 0 });
                bus.memory.invalidate_code();
                Ok(())
            }
            (0, 7, 6, 1) => self.line(bus, value, LineOperation::Invalidate),
            (3, 7, 10 | 11 | 14, 1) => {
                self.check_user(sctlr::UCI, fields, rt)?;
                let operation = match crm {
                    14 => LineOperation::CleanInvalidate,
                    _ => LineOperation::Clean,
                };
                self.line(bus, value, operation)
            }
            (3, 7, 4, 1) => {
                self.check_user(sctlr::DZE, fields, rt)?;
                self.zero_line(bus, value)
            }
            (0, 7, 6 | 10 | 14, 2) => {
                self.tell(bus, Event::SetWay);
                self.sweep(bus, value, crm != 10);
                Ok(())
            }
            (_, 7, 8, _) if operation.name().is_some() => {
                // Without stage 2, AT S12E* is AT S1E*.
                let regime = match (op1, op2) {
                    (4, 0 | 1) => Regime::El2,
                    (6, _) => Regime::El3,
                    _ => Regime::El1,
                };
                let purpose = match op2 & 1 {
                    0 => Purpose::Load,
                    _ => Purpose::Store,
                };
                self.translate_for_par(bus, regime, value, purpose, op2 & 2 != 0)
            }
            _ if operation.name().is_none() => Err(self.undefined().into()),
            _ => Err(self.register_not_modelled(format!("the system instruction {operation}"))),
        }
    }

    /// EL0 needs a bit of SCTLR_EL1 for maintenance; without it EL1 traps the instruction.
    fn check_user(&self, bit: u64, fields: [u16; 5], rt: Register) -> Executed {
        if self.state.level == 0 && self.system.effective(Reg::SCTLR_EL1) & bit == 0 {
            return Err(self.trapped(fields, rt, Direction::Write).into());
        }
        Ok(())
    }

    /// Cache maintenance by address; a translation fault is taken with CM set.
    fn line(&mut self, bus: &mut Bus, address: u64, operation: LineOperation) -> Executed {
        let purpose = match operation {
            LineOperation::Invalidate => Purpose::Store,
            LineOperation::Clean | LineOperation::CleanInvalidate => Purpose::Load,
        };
        let leaf = self
            .place(bus, address, 1, purpose, Manner::Plain)
            .map_err(|interruption| interruption.with_syndrome(CACHE_MAINTENANCE | 1 << 6))?;
        let clean_only = operation == LineOperation::Clean && !self.has_work_around();
        let cleans = operation != LineOperation::Invalidate;
        self.tell(bus, Event::CacheMaintenance { cleans, clean_only });
        let physical = leaf.page | address & 0xfff;
        self.drain_line(bus, physical);
        if bus.memory.holds(physical) {
            match bus.liberties.has(Liberty::Caches) && bus.chance.happens(192) {
                true => {
                    self.forget_translations();
                    self.maintenance.push((physical, operation));
                }
                false => bus.memory.maintain(physical, operation, self.caching()),
            }
            bus.judge_notes(self.number, self.at);
        }
        Ok(())
    }

    /// Maintenance of one set and way. No line's way is known, so nothing happens before as many of the
    /// second level's were named as it has. The first level's lines go to the second at most.
    fn sweep(&mut self, bus: &mut Bus, operand: u64, invalidates: bool) {
        const LINES: u32 = 512 * 16;
        if operand >> 1 & 7 != 1 {
            return;
        }
        self.swept += 1;
        if self.swept == LINES {
            self.swept = 0;
            bus.memory.empty_caches(invalidates);
            bus.judge_notes(self.number, self.at);
        }
    }

    /// DC CVAC cleans and invalidates: CPUACTLR_EL1.ENDCCASCI.
    fn has_work_around(&self) -> bool {
        self.system.written(Reg::CPUACTLR_EL1) >> 44 & 1 != 0
    }

    /// A DSB for loads and stores: maintenance that was issued before it is complete.
    pub(super) fn complete_maintenance(&mut self, bus: &mut Bus, option: u8) {
        let now = bus.now();
        if bus.history.synchronize(self.number, option, now) {
            self.forget_everywhere(bus);
        }
        if option & 0b11 != 0b11 {
            return;
        }
        for (physical, operation) in std::mem::take(&mut self.maintenance) {
            bus.memory.maintain(physical, operation, self.caching());
        }
        bus.judge_notes(self.number, self.at);
    }
}
