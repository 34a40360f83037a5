//! Data processing: DDI 0487 C4.1 "Data Processing -- Immediate" and "-- Register".

use ::a64::data::{
    Bitfield, Change, CompareOperand, Data, Flags, Logical, LogicalOperand, Move, Operand, Shifted,
};
use ::a64::{Register, Width};

use super::alu;
use crate::cpu::Core;

impl Core {
    /// Executes an instruction that works on general registers and flags alone.
    #[inline]
    pub(super) fn process(&mut self, data: &Data) {
        match *data {
            Data::Adr { rd, offset } => self.set(rd, self.at.wrapping_add_signed(offset)),
            Data::Adrp { rd, offset } => {
                self.set(rd, (self.at & !0xfff).wrapping_add_signed(offset));
            }
            Data::Arithmetic {
                sum,
                flags,
                width,
                rd,
                rn,
                operand,
            } => {
                let (x, y) = self.sum_operands(width, rn, operand);
                match (flags, operand) {
                    (Flags::Set, _) => {
                        let (result, nzcv) = alu::sum(sum, width, x, y);
                        self.state.nzcv = nzcv;
                        self.set(rd, result);
                    }
                    (Flags::Keep, Operand::Shifted(_)) => {
                        self.set(rd, alu::plain_sum(sum, width, x, y));
                    }
                    (Flags::Keep, _) => self.set_or_sp(rd, alu::plain_sum(sum, width, x, y)),
                }
            }
            Data::Logical {
                operation,
                width,
                rd,
                rn,
                operand,
            } => self.logical(operation, width, (rd, rn), operand),
            Data::Move {
                kind,
                width,
                rd,
                bits,
                shift,
            } => {
                let bits = u64::from(bits) << shift;
                let value = match kind {
                    Move::Zeros => bits,
                    Move::Inverted => !bits,
                    Move::Keep => self.get(rd) & !(0xffff << shift) | bits,
                };
                self.set(rd, value & width.mask());
            }
            Data::Bitfield {
                kind,
                width,
                rd,
                rn,
                rotate,
                last,
            } => self.bit_field(kind, width, (rd, rn), (rotate, last)),
            Data::Extract {
                width,
                rd,
                rn,
                rm,
                low,
            } => {
                let value = alu::extracted(width, self.get(rn), self.get(rm), u32::from(low));
                self.set(rd, value);
            }
            _ => self.process_registers(data),
        }
    }

    fn process_registers(&mut self, data: &Data) {
        match *data {
            Data::Carry {
                sum,
                flags,
                width,
                rd,
                rn,
                rm,
            } => {
                let y = match sum {
                    ::a64::data::Sum::Add => self.get(rm),
                    ::a64::data::Sum::Sub => !self.get(rm),
                };
                let carry = self.state.nzcv & 2 != 0;
                let (result, nzcv) = alu::add_with_carry(width, self.get(rn), y, carry);
                if flags == Flags::Set {
                    self.state.nzcv = nzcv;
                }
                self.set(rd, result);
            }
            Data::ConditionalCompare {
                sum,
                width,
                rn,
                operand,
                otherwise,
                condition,
            } => {
                let y = match operand {
                    CompareOperand::Immediate(number) => u64::from(number),
                    CompareOperand::Register(rm) => self.get(rm),
                };
                self.state.nzcv = match alu::holds(condition.0, self.state.nzcv) {
                    true => alu::sum(sum, width, self.get(rn), y).1,
                    false => otherwise,
                };
            }
            Data::ConditionalSelect {
                change,
                width,
                rd,
                rn,
                rm,
                condition,
            } => {
                let other = self.get(rm);
                let value = match (alu::holds(condition.0, self.state.nzcv), change) {
                    (true, _) => self.get(rn),
                    (false, Change::None) => other,
                    (false, Change::Increment) => other.wrapping_add(1),
                    (false, Change::Invert) => !other,
                    (false, Change::Negate) => other.wrapping_neg(),
                };
                self.set(rd, value & width.mask());
            }
            Data::One {
                operation,
                width,
                rd,
                rn,
            } => self.set(rd, alu::one(operation, width, self.get(rn))),
            Data::Two {
                operation,
                width,
                rd,
                rn,
                rm,
            } => {
                let value = alu::two(operation, width, self.get(rn), self.get(rm));
                self.set(rd, value);
            }
            Data::Three {
                operation,
                width,
                rd,
                rn,
                rm,
                ra,
            } => {
                let (x, y) = (self.get(rn), self.get(rm));
                self.set(rd, alu::three(operation, width, x, y, self.get(ra)));
            }
            // The other classes are in `process`.
            _ => {}
        }
    }

    #[inline]
    fn sum_operands(&self, width: Width, rn: Register, operand: Operand) -> (u64, u64) {
        match operand {
            Operand::Immediate { bits, shift } => (self.get_or_sp(rn), u64::from(bits) << shift),
            Operand::Shifted(shifted) => (self.get(rn), self.shifted(width, shifted)),
            Operand::Extended { rm, extend, shift } => {
                let y = alu::extended(self.get(rm), extend, u32::from(shift));
                (self.get_or_sp(rn), y)
            }
        }
    }

    #[inline]
    fn shifted(&self, width: Width, Shifted { rm, shift, amount }: Shifted) -> u64 {
        alu::shifted(width, self.get(rm), shift, u32::from(amount))
    }

    #[inline]
    fn logical(
        &mut self,
        operation: Logical,
        width: Width,
        (rd, rn): (Register, Register),
        operand: LogicalOperand,
    ) {
        let x = self.get(rn);
        let y = match operand {
            LogicalOperand::Immediate(value) => value,
            LogicalOperand::Plain(shifted) => self.shifted(width, shifted),
            LogicalOperand::Inverted(shifted) => !self.shifted(width, shifted),
        };
        let result = width.mask()
            & match operation {
                Logical::And | Logical::Ands => x & y,
                Logical::Orr => x | y,
                Logical::Eor => x ^ y,
            };
        match (operation, operand) {
            (Logical::Ands, _) => {
                self.state.nzcv = alu::sign_and_zero(width, result);
                self.set(rd, result);
            }
            (_, LogicalOperand::Immediate(_)) => self.set_or_sp(rd, result),
            _ => self.set(rd, result),
        }
    }

    fn bit_field(
        &mut self,
        kind: Bitfield,
        width: Width,
        (rd, rn): (Register, Register),
        (rotate, last): (u8, u8),
    ) {
        let fields = (u32::from(rotate), u32::from(last));
        let value = alu::bit_field(kind, width, self.get(rd), self.get(rn), fields);
        self.set(rd, value);
    }
}
