//! Branches, and the exceptions that instructions ask for: DDI 0487 C4.1.65.

use ::a64::Register;
use ::a64::flow::{Bit, Branch, Exception};

use super::alu;
use crate::bus::Bus;
use crate::cpu::syndrome::class;
use crate::cpu::{Core, Executed};
use crate::registers::Reg;

impl Core {
    /// Executes a branch.
    #[inline]
    pub(super) fn branch(&mut self, bus: &mut Bus, branch: &Branch) -> Executed {
        let next = self.pc;
        match *branch {
            Branch::Jump { offset } => self.jump(offset),
            Branch::Call { offset } => {
                self.jump(offset);
                self.set(Register(30), next);
            }
            Branch::Conditional { condition, offset } => {
                if alu::holds(condition.0, self.state.nzcv) {
                    self.jump(offset);
                }
            }
            Branch::Compare {
                width,
                on,
                rt,
                offset,
            } => {
                if (self.get(rt) & width.mask() != 0) == (on == Bit::Set) {
                    self.jump(offset);
                }
            }
            Branch::Test {
                bit,
                on,
                rt,
                offset,
            } => {
                if (self.get(rt) >> bit & 1 != 0) == (on == Bit::Set) {
                    self.jump(offset);
                }
            }
            Branch::JumpTo { rn } | Branch::Return { rn } => self.pc = self.get(rn),
            Branch::CallTo { rn } => {
                self.pc = self.get(rn);
                self.set(Register(30), next);
            }
            Branch::ExceptionReturn => return self.exception_return(bus),
            // Outside Debug state.
            Branch::DebugReturn => return Err(self.undefined().into()),
        }
        Ok(())
    }

    fn jump(&mut self, offset: i64) {
        self.pc = self.at.wrapping_add_signed(offset);
    }

    /// Executes an instruction that takes an exception.
    pub(super) fn generate(&mut self, exception: Exception) -> Executed {
        let level = self.state.level;
        let register = |register| self.system.effective(register);
        let taken = match exception {
            Exception::Supervisor(number) => self.call(class::SUPERVISOR, number, level.max(1)),
            Exception::Hypervisor(number) => {
                // SCR_EL3.HCE enables it.
                if level == 0 || register(Reg::SCR_EL3) >> 8 & 1 == 0 {
                    self.undefined()
                } else {
                    self.call(class::HYPERVISOR, number, level.max(2))
                }
            }
            Exception::SecureMonitor(number) => {
                // HCR_EL2.TSC traps it from EL1; SCR_EL3.SMD disables it.
                if level == 1 && register(Reg::HCR_EL2) >> 19 & 1 != 0 {
                    crate::cpu::syndrome::Exception {
                        target: 2,
                        ..self.exception(class::SECURE_MONITOR, u64::from(number))
                    }
                } else if level == 0 || register(Reg::SCR_EL3) >> 7 & 1 != 0 {
                    self.undefined()
                } else {
                    self.call(class::SECURE_MONITOR, number, 3)
                }
            }
            Exception::Breakpoint(number) => self.exception(class::BREAKPOINT, u64::from(number)),
            // Without an external debugger both are UNDEFINED.
            Exception::Halt(_) | Exception::DebugSwitch { .. } => self.undefined(),
        };
        Err(taken.into())
    }
}
