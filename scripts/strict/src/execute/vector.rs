//! SIMD and floating-point registers: loads, stores and moves, no arithmetic.

use ::a64::memory::{Address, PairMode};
use ::a64::vector::{Vector, VectorRegister, VectorTransfer};
use ::a64::{Instruction, Width, decode_vector};

use crate::bus::Bus;
use crate::cpu::access::Manner;
use crate::cpu::{Core, Executed, Interruption};
use crate::translate::Purpose;

impl Core {
    /// Executes an instruction of SIMD and floating point, after its trap.
    pub(super) fn vector(&mut self, bus: &mut Bus, word: u32) -> Executed {
        self.check_floating_point()?;
        let Some(vector) = decode_vector(word) else {
            return Err(self.not_modelled(Instruction::Vector(word)));
        };
        match vector {
            Vector::Single {
                transfer,
                rt,
                address,
            } => return self.vector_single(bus, transfer, rt, address),
            Vector::Literal {
                transfer,
                rt,
                offset,
            } => {
                let address = self.at.wrapping_add_signed(offset);
                self.vectors[rt.index()] = self.load_vector(bus, address, transfer)?;
            }
            Vector::Pair {
                transfer,
                registers,
                rn,
                offset,
                mode,
            } => {
                let base = self.base(rn)?;
                let moved = base.wrapping_add_signed(i64::from(offset));
                let address = match mode {
                    PairMode::Post => base,
                    _ => moved,
                };
                self.vector_pair(bus, transfer, registers, address)?;
                if matches!(mode, PairMode::Post | PairMode::Pre) {
                    self.set_or_sp(rn, moved);
                }
            }
            Vector::Constant { rd, value } => self.vectors[rd.index()] = value,
            Vector::FromGeneral { rd, rn, width } => {
                self.vectors[rd.index()] = u128::from(self.get(rn) & width.mask());
            }
            Vector::ToGeneral { rd, rn, width } => {
                self.set(rd, self.vectors[rn.index()] as u64 & width.mask());
            }
            Vector::Duplicate {
                rd,
                rn,
                size,
                whole,
            } => {
                let bits = 8 << size;
                let element = u128::from(self.get(rn) & u64::MAX >> (64 - bits));
                let all = (0..128 / bits).fold(0, |all, _| all << bits | element);
                self.vectors[rd.index()] = lower(all, whole);
            }
            Vector::Or {
                rd,
                operands: [one, other],
                whole,
            } => {
                let value = self.vectors[one.index()] | self.vectors[other.index()];
                self.vectors[rd.index()] = lower(value, whole);
            }
        }
        Ok(())
    }

    fn vector_single(
        &mut self,
        bus: &mut Bus,
        transfer: VectorTransfer,
        rt: VectorRegister,
        Address { rn, offset }: Address,
    ) -> Executed {
        let base = self.base(rn)?;
        let (address, written) = self.offset_from(base, offset);
        match transfer.store {
            true => self.store_vector(bus, address, transfer, self.vectors[rt.index()])?,
            false => self.vectors[rt.index()] = self.load_vector(bus, address, transfer)?,
        }
        if let Some(written) = written {
            self.set_or_sp(rn, written);
        }
        Ok(())
    }

    fn vector_pair(
        &mut self,
        bus: &mut Bus,
        transfer: VectorTransfer,
        [first, second]: [VectorRegister; 2],
        address: u64,
    ) -> Executed {
        let behind = address.wrapping_add(u64::from(transfer.bytes()));
        if transfer.store {
            // Both are permitted before the first is stored.
            let size = transfer.bytes() as usize;
            self.place(bus, behind, size, Purpose::Store, Manner::Plain)?;
            self.store_vector(bus, address, transfer, self.vectors[first.index()])?;
            return self.store_vector(bus, behind, transfer, self.vectors[second.index()]);
        }
        let values = [
            self.load_vector(bus, address, transfer)?,
            self.load_vector(bus, behind, transfer)?,
        ];
        self.vectors[first.index()] = values[0];
        self.vectors[second.index()] = values[1];
        Ok(())
    }

    /// A load of 1 to 16 bytes, zeros above.
    fn load_vector(
        &mut self,
        bus: &mut Bus,
        address: u64,
        transfer: VectorTransfer,
    ) -> Result<u128, Interruption> {
        let size = transfer.bytes() as usize;
        if size <= 8 {
            return self.load(bus, address, size, Manner::Plain).map(u128::from);
        }
        // Its alignment is that of 16 bytes.
        self.place(bus, address, size, Purpose::Load, Manner::Plain)?;
        let low = self.load(bus, address, 8, Manner::Plain)?;
        let high = self.load(bus, address.wrapping_add(8), 8, Manner::Plain)?;
        Ok(u128::from(high) << 64 | u128::from(low))
    }

    fn store_vector(
        &mut self,
        bus: &mut Bus,
        address: u64,
        transfer: VectorTransfer,
        value: u128,
    ) -> Executed {
        let size = transfer.bytes() as usize;
        if size <= 8 {
            return self.store(bus, address, size, value as u64, Manner::Plain);
        }
        let purpose = Purpose::Store;
        let behind = address.wrapping_add(8);
        self.place(bus, address, size, purpose, Manner::Plain)?;
        self.place(bus, behind, 1, purpose, Manner::Plain)?;
        self.place(bus, address.wrapping_add(15), 1, purpose, Manner::Plain)?;
        self.store(bus, address, 8, value as u64, Manner::Plain)?;
        self.store(bus, behind, 8, (value >> 64) as u64, Manner::Plain)
    }
}

/// A result of 128 bits, or of the lower 64 with zeros above.
fn lower(value: u128, whole: bool) -> u128 {
    match whole {
        true => value,
        false => value & u128::from(Width::X.mask()),
    }
}
