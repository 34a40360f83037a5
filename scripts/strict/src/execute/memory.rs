//! Loads and stores: DDI 0487 C4.1 "Loads and Stores".

use ::a64::memory::{Access, Address, Kind, Offset, Order, PairMode, Transfer};
use ::a64::{Register, Width};

use super::alu;
use crate::bus::Bus;
use crate::cpu::access::{Manner, granule};
use crate::cpu::{Core, Executed, Interruption};
use crate::liberty::Liberty;
use crate::memory::{LINE, View};
use crate::registers::Reg;
use crate::translate::{Fault, Leaf, Purpose};
use crate::watch::Event;

/// CPUECTLR_EL1.SMPEN: the core is coherent with the others.
const SMPEN: u64 = 1 << 6;

impl Core {
    /// Executes a load, a store or a prefetch.
    #[inline]
    pub(super) fn access(&mut self, bus: &mut Bus, access: &Access) -> Executed {
        match *access {
            Access::Single {
                transfer,
                rt,
                address,
            } => self.single(bus, transfer, rt, address),
            Access::Pair {
                transfer,
                rt,
                rt2,
                rn,
                offset,
                mode,
            } => self.pair(bus, transfer, [rt, rt2], rn, (offset, mode)),
            Access::Literal {
                transfer,
                rt,
                offset,
            } => {
                let address = self.at.wrapping_add_signed(offset);
                self.transfer(bus, transfer, rt, address, Manner::Plain)
            }
            Access::Ordered { transfer, rt, rn } => {
                let address = self.base(rn)?;
                // Release: older stores first. Acquire: after an earlier release.
                self.drain_all(bus);
                self.transfer(bus, transfer, rt, address, Manner::Aligned)
            }
            Access::Exclusive {
                transfer,
                rs,
                rt,
                rt2,
                rn,
                order,
            } => {
                if order == Order::Ordered {
                    self.drain_all(bus);
                }
                self.exclusive(bus, transfer, rs, (rt, rt2), rn)
            }
            Access::Prefetch { .. } | Access::PrefetchLiteral { .. } => Ok(()),
        }
    }

    /// The value of a base register, after the check of a stack pointer's alignment.
    #[inline]
    pub(super) fn base(&self, rn: Register) -> Result<u64, Interruption> {
        if rn == Register::ZERO {
            self.check_stack()?;
        }
        Ok(self.get_or_sp(rn))
    }

    #[inline]
    fn single(
        &mut self,
        bus: &mut Bus,
        transfer: Transfer,
        rt: Register,
        Address { rn, offset }: Address,
    ) -> Executed {
        let base = self.base(rn)?;
        let manner = match offset {
            Offset::Unprivileged(_) => Manner::Unprivileged,
            _ => Manner::Plain,
        };
        let (address, written) = self.offset_from(base, offset);
        self.transfer(bus, transfer, rt, address, manner)?;
        if let Some(written) = written {
            self.set_or_sp(rn, written);
        }
        Ok(())
    }

    /// The address of an access, and what is written back to its base.
    #[inline]
    pub(super) fn offset_from(&self, base: u64, offset: Offset) -> (u64, Option<u64>) {
        let at = |bytes: i16| base.wrapping_add_signed(i64::from(bytes));
        match offset {
            Offset::Scaled(bytes) => (base.wrapping_add(u64::from(bytes)), None),
            Offset::Unscaled(bytes) | Offset::Unprivileged(bytes) => (at(bytes), None),
            Offset::Post(bytes) => (base, Some(at(bytes))),
            Offset::Pre(bytes) => (at(bytes), Some(at(bytes))),
            Offset::Register {
                rm, extend, shift, ..
            } => {
                let index = alu::extended(self.get(rm), extend, u32::from(shift));
                (base.wrapping_add(index), None)
            }
        }
    }

    /// One register and its memory.
    #[inline]
    fn transfer(
        &mut self,
        bus: &mut Bus,
        transfer: Transfer,
        rt: Register,
        address: u64,
        manner: Manner,
    ) -> Executed {
        let size = transfer.bytes() as usize;
        if transfer.is_store() {
            return self.store(bus, address, size, self.get(rt), manner);
        }
        let value = self.load(bus, address, size, manner)?;
        self.set(rt, loaded(transfer, value));
        Ok(())
    }

    #[inline]
    fn pair(
        &mut self,
        bus: &mut Bus,
        transfer: Transfer,
        [rt, rt2]: [Register; 2],
        rn: Register,
        (offset, mode): (i16, PairMode),
    ) -> Executed {
        let base = self.base(rn)?;
        let moved = base.wrapping_add_signed(i64::from(offset));
        let address = match mode {
            PairMode::Post => base,
            _ => moved,
        };
        let size = transfer.bytes() as usize;
        let second = address.wrapping_add(size as u64);
        if transfer.is_store() {
            // Both halves are permitted before the first is stored, as far as a page's end matters.
            if address >> 12 != second >> 12 {
                self.place(bus, address, size, Purpose::Store, Manner::Plain)?;
                self.place(bus, second, size, Purpose::Store, Manner::Plain)?;
            }
            let values = [self.get(rt), self.get(rt2)];
            self.store(bus, address, size, values[0], Manner::Plain)?;
            self.store(bus, second, size, values[1], Manner::Plain)?;
        } else {
            let first_value = self.load(bus, address, size, Manner::Plain)?;
            let second_value = self.load(bus, second, size, Manner::Plain)?;
            self.set(rt, loaded(transfer, first_value));
            self.set(rt2, loaded(transfer, second_value));
        }
        if matches!(mode, PairMode::Post | PairMode::Pre) {
            self.set_or_sp(rn, moved);
        }
        Ok(())
    }

    fn exclusive(
        &mut self,
        bus: &mut Bus,
        transfer: Transfer,
        rs: Register,
        (rt, rt2): (Register, Option<Register>),
        rn: Register,
    ) -> Executed {
        let address = self.base(rn)?;
        let size = transfer.bytes() as usize;
        let whole = size * (1 + usize::from(rt2.is_some()));
        let purpose = match transfer.is_store() {
            true => Purpose::Store,
            false => Purpose::Load,
        };
        let leaf = self.place_exclusive(bus, address, whole, purpose)?;
        self.check_exclusive(bus, address, &leaf, purpose)?;
        let physical = leaf.page | address & 0xfff;
        self.drain_line(bus, physical);
        let granule = match bus.memory.holds(physical) {
            true => {
                let slot = bus.memory.slot(physical);
                granule(slot, physical)
            }
            false => 1 << 63 | physical >> 6,
        };
        let second = address.wrapping_add(size as u64);
        if !transfer.is_store() {
            let value = self.load(bus, address, size, Manner::Aligned)?;
            let other = match rt2 {
                Some(_) => self.load(bus, second, size, Manner::Aligned)?,
                None => 0,
            };
            bus.monitors.mark(self.number, granule);
            self.set(rt, value);
            if let Some(rt2) = rt2 {
                self.set(rt2, other);
            }
            return Ok(());
        }
        let fails = bus.liberties.has(Liberty::Exclusive) && bus.chance.happens(16);
        let marked = bus.monitors.take(self.number, granule);
        if marked && fails {
            bus.took(Liberty::Exclusive, (self.number, self.at), address);
        }
        let holds = marked && !fails;
        if holds {
            let values = [self.get(rt), rt2.map_or(0, |rt2| self.get(rt2))];
            self.store(bus, address, size, values[0], Manner::Aligned)?;
            if rt2.is_some() {
                self.store(bus, second, size, values[1], Manner::Aligned)?;
            }
            self.drain_line(bus, physical);
        }
        self.set(rs, u64::from(!holds));
        Ok(())
    }

    /// Exclusives of memory that is not cached abort (DDI 0487 B2.9.2).
    fn check_exclusive(
        &self,
        bus: &mut Bus,
        address: u64,
        leaf: &Leaf,
        purpose: Purpose,
    ) -> Executed {
        let cached = self.view(leaf) == View::Cached;
        let coherent = self.system.written(Reg::CPUECTLR_EL1) & SMPEN != 0;
        let event = Event::Exclusive {
            cached,
            coherent,
            shared: leaf.shareability & 0b10 != 0,
        };
        bus.watch.event(self.number, self.at, event);
        if !cached && bus.liberties.has(Liberty::Device) {
            let fault = Fault::UnsupportedExclusive;
            return Err(self.data_abort(address, fault, purpose, 0).into());
        }
        Ok(())
    }

    /// DC ZVA: zeros in the 64 bytes around an address.
    pub(super) fn zero_line(&mut self, bus: &mut Bus, address: u64) -> Executed {
        let first = address & !(LINE as u64 - 1);
        if self.store_zero_line(bus, first) {
            return Ok(());
        }
        let leaf = self.place(bus, address, 1, Purpose::Store, Manner::Plain)?;
        if leaf.memory.is_device() && bus.liberties.has(Liberty::Device) {
            self.tell_device_abort(bus);
            let fault = Fault::Alignment;
            return Err(self.data_abort(address, fault, Purpose::Store, 0).into());
        }
        for offset in (0..LINE as u64).step_by(8) {
            self.store(bus, first + offset, 8, 0, Manner::Plain)?;
        }
        Ok(())
    }
}

/// The value that a load puts into its register.
#[inline]
fn loaded(transfer: Transfer, value: u64) -> u64 {
    let Kind::LoadSigned(width) = transfer.kind else {
        return value;
    };
    let above = 64 - 8 * transfer.bytes();
    let value = ((value << above).cast_signed() >> above).cast_unsigned();
    match width {
        Width::X => value,
        Width::W => value & Width::W.mask(),
    }
}
