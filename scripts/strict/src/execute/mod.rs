//! The execution of decoded instructions, a file for each group of encodings.
//!
//! | module | contents |
//! |---|---|
//! | `alu` | arithmetic: pure functions of operands |
//! | `data` | data processing |
//! | `flow` | branches, exceptions that instructions ask for |
//! | `memory` | loads and stores |
//! | `system` | barriers, hints, PSTATE, MRS and MSR |
//! | `registers` | system registers that are more than a value |
//! | `maintenance` | TLBI, IC, DC, AT |
//! | `vector` | loads, stores and moves of SIMD and floating-point registers |

mod alu;
mod data;
mod flow;
mod maintenance;
mod memory;
mod registers;
mod system;
mod vector;

use ::a64::Instruction;

use crate::bus::Bus;
use crate::cpu::syndrome::{Exception, class};
use crate::cpu::{Core, Executed, Interruption};
use crate::registers::Reg;
use crate::stop::Stop;

impl Core {
    /// Executes a decoded instruction; `pc` is already behind it.
    #[inline(always)]
    pub(crate) fn execute(&mut self, bus: &mut Bus, instruction: &Instruction) -> Executed {
        match instruction {
            Instruction::Data(data) => {
                self.process(data);
                Ok(())
            }
            Instruction::Access(access) => self.access(bus, access),
            Instruction::Branch(branch) => self.branch(bus, branch),
            Instruction::System(system) => self.system_instruction(bus, *system),
            Instruction::Exception(exception) => self.generate(*exception),
            Instruction::Undefined(_) | Instruction::Unallocated(_) | Instruction::Later(_) => {
                Err(self.undefined().into())
            }
            Instruction::Vector(word) => self.vector(bus, *word),
        }
    }

    /// The traps of SIMD and floating point, and of FPCR and FPSR: CPACR_EL1.FPEN at EL0 and EL1,
    /// then CPTR_EL2.TFP, then CPTR_EL3.TFP (DDI 0487 D1.15).
    pub(super) fn check_floating_point(&self) -> Executed {
        let level = self.state.level;
        let trapped = |register| self.system.effective(register) >> 10 & 1 != 0;
        let target = match (level, self.system.effective(Reg::CPACR_EL1) >> 20 & 3) {
            (0, 0..=2) | (1, 0 | 2) => 1,
            _ if level <= 2 && trapped(Reg::CPTR_EL2) => 2,
            _ if trapped(Reg::CPTR_EL3) => 3,
            _ => return Ok(()),
        };
        // CV = 1, COND = 1110.
        let exception = self.exception(class::FLOATING_POINT, 0x1e0_0000);
        Err(Exception {
            target,
            ..exception
        }
        .into())
    }

    pub(crate) fn not_modelled(&self, instruction: Instruction) -> Interruption {
        Stop::Instruction {
            core: self.number,
            at: self.at,
            text: instruction.to_string(),
        }
        .into()
    }

    /// A system register, or a use of it, that is not modelled.
    pub(crate) fn register_not_modelled(&self, register: String) -> Interruption {
        Stop::Register {
            core: self.number,
            at: self.at,
            register,
        }
        .into()
    }
}
