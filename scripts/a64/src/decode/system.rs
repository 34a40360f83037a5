//! Decoding of system instructions.

use super::word::Word;
use crate::instruction::Instruction;
use crate::system::{Operation, Pstate, System, SystemRegister};

/// "System instructions" and "System register move", by L (21) and op0 (20:19).
pub(crate) const fn decode(word: Word) -> Option<Instruction> {
    let rt = word.register(0);
    let register = SystemRegister(word.field(19, 5) as u16);
    let operation = Operation(word.field(18, 5) as u16);
    let system = match (word.bit(21), word.field(20, 19)) {
        (false, 0b00) => match without_register(word) {
            Some(system) => system,
            None => return None,
        },
        (false, 0b01) => System::Maintain { operation, rt },
        (true, 0b01) => System::MaintainAndRead { operation, rt },
        (false, 0b10 | 0b11) => System::Write { register, rt },
        (true, 0b10 | 0b11) => System::Read { register, rt },
        _ => return None,
    };
    Some(Instruction::System(system))
}

/// "Hints" (CRn 2), "Barriers" (CRn 3) and "PSTATE" (CRn 4); Rt is 11111.
const fn without_register(word: Word) -> Option<System> {
    let (op1, crm, op2) = (
        word.field(18, 16),
        word.field(11, 8) as u8,
        word.field(7, 5),
    );
    if word.field(4, 0) != 31 {
        return None;
    }
    let system = match (word.field(15, 12), op1, op2) {
        (2, 3, _) => System::Hint(crm << 3 | op2 as u8),
        (3, 3, 0b010) => System::ClearExclusive(crm),
        (3, 3, 0b100) => System::DataSynchronization(crm),
        (3, 3, 0b101) => System::DataMemory(crm),
        (3, 3, 0b110) => System::InstructionSynchronization(crm),
        (4, _, _) => {
            let field = match (op1, op2) {
                (0, 0b101) => Pstate::StackPointer,
                (3, 0b110) => Pstate::Mask,
                (3, 0b111) => Pstate::Unmask,
                _ => return None,
            };
            System::WritePstate {
                field,
                immediate: crm,
            }
        }
        _ => return None,
    };
    Some(system)
}
