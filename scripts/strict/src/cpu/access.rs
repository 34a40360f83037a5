//! Loads and stores by virtual address.
//!
//! The short way: the page is ordinary RAM, permitted, and ready in a micro-TLB; the access is
//! aligned. Everything else takes the long way: translation, permissions, alignment, devices.

use super::core::{Core, Interruption};
use crate::board::Board;
use crate::bus::Bus;
use crate::liberty::Liberty;
use crate::memory::{Caching, LINE, View};
use crate::registers::sctlr;
use crate::translate::{Fault, Leaf, MemoryType, Purpose, Regime};

/// A plain access of the level that runs, one of EL0 by LDTR or STTR, or one with more demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    /// A plain load or store.
    Plain,
    /// LDTR, STTR: with the permissions of EL0, at EL1.
    Unprivileged,
    /// An exclusive or ordered access: always aligned.
    Aligned,
}

impl Core {
    /// A store to RAM whose frame is watched: if it is a table, the history and the rules hear of it.
    pub(super) fn store_watched(
        &mut self,
        bus: &mut Bus,
        at: u64,
        (physical, size): (u64, usize),
        value: u64,
        view: View,
    ) {
        let place = physical & !7;
        let before = bus.memory.read(place, 8, view);
        bus.memory.write(physical, size, value, view);
        let now = bus.memory.read(place, 8, view);
        let by = (self.number, at, bus.now());
        let events = bus
            .history
            .stored(by, place, (before, now), &mut bus.memory);
        for event in events {
            bus.watch.event(self.number, at, event);
        }
        self.heed_watched(bus);
        if !bus.history.is_plain() {
            self.forget_everywhere(bus);
        }
    }

    /// A load of 1, 2, 4 or 8 bytes.
    #[inline]
    pub(crate) fn load(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        manner: Manner,
    ) -> Result<u64, Interruption> {
        if address & (size as u64 - 1) == 0
            && manner != Manner::Unprivileged
            && let Some(slot) = self.loads.find(address)
        {
            let mut value = bus.memory.load(slot, address as usize & 0xfff, size);
            if !bus.liberties.reorders() {
                return Ok(value);
            }
            let physical = bus.memory.address(slot) | address & 0xfff;
            if bus.liberties.has(Liberty::Loads) {
                value = self.early(bus, (physical, size), value, manner);
            }
            return Ok(self.buffer.over(physical, size, value));
        }
        self.load_slowly(bus, address, size, manner)
    }

    /// A store of the low 1, 2, 4 or 8 bytes of `value`.
    #[inline]
    pub(crate) fn store(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        value: u64,
        manner: Manner,
    ) -> Result<(), Interruption> {
        if address & (size as u64 - 1) == 0
            && manner != Manner::Unprivileged
            && let Some(slot) = self.stores.find(address)
        {
            if bus.liberties.reorders() {
                let physical = bus.memory.address(slot) | address & 0xfff;
                self.store_to_ram(bus, (physical, size), value, View::Cached);
                return Ok(());
            }
            let offset = address as usize & 0xfff;
            bus.memory.store(slot, offset, size, value);
            let granule = granule(slot, address);
            bus.monitors.stored(self.number, granule, &mut bus.events);
            return Ok(());
        }
        self.store_slowly(bus, address, size, value, manner)
    }

    /// Stores zeros to the line at an address, if stores to its page go to ordinary RAM and are
    /// permitted; else false.
    pub(crate) fn store_zero_line(&mut self, bus: &mut Bus, address: u64) -> bool {
        let Some(slot) = self.stores.find(address) else {
            return false;
        };
        let offset = address as usize & 0xfff;
        if bus.liberties.reorders() {
            let physical = bus.memory.address(slot) | offset as u64;
            self.store_to_ram(bus, (physical, LINE), 0, View::Cached);
        } else {
            bus.memory.store(slot, offset, LINE, 0);
            let granule = granule(slot, address);
            bus.monitors.stored(self.number, granule, &mut bus.events);
        }
        true
    }

    fn load_slowly(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        manner: Manner,
    ) -> Result<u64, Interruption> {
        let purpose = Purpose::Load;
        if let Some(physical) = self.last_device(address, size, purpose, manner) {
            return self.load_device(bus, physical, size);
        }
        let leaf = self.place(bus, address, size, purpose, manner)?;
        if crosses_line(address, size) {
            return self.load_bytes(bus, address, size, manner);
        }
        let physical = leaf.page | address & 0xfff;
        if bus.memory.holds(physical) {
            let view = self.view(&leaf);
            self.complete_line(bus, physical);
            if view == View::Cached {
                let slot = bus.memory.slot(physical);
                if manner != Manner::Unprivileged && self.is_plain(bus, slot) {
                    self.loads.insert(address, slot);
                }
                bus.memory.is_used_cached(physical, self.number);
            }
            let mut value = bus.memory.read(physical, size, view);
            bus.judge_notes(self.number, self.at);
            if view == View::Cached && bus.liberties.has(Liberty::Loads) {
                value = self.early(bus, (physical, size), value, manner);
            }
            return Ok(self.buffer.over(physical, size, value));
        }
        if !Board::covers(physical) {
            return Err(self.fault(address, Fault::External, purpose));
        }
        self.tell_device(bus, &leaf, address);
        self.note_device(address, physical, purpose, manner);
        self.load_device(bus, physical, size)
    }

    fn store_slowly(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        value: u64,
        manner: Manner,
    ) -> Result<(), Interruption> {
        let purpose = Purpose::Store;
        if let Some(physical) = self.last_device(address, size, purpose, manner) {
            return self.store_device(bus, physical, size, value);
        }
        let leaf = self.place(bus, address, size, purpose, manner)?;
        if crosses_line(address, size) {
            return self.store_bytes(bus, address, size, value, manner);
        }
        let physical = leaf.page | address & 0xfff;
        if bus.memory.holds(physical) {
            let view = self.view(&leaf);
            let slot = bus.memory.slot(physical);
            self.complete_line(bus, physical);
            let plain =
                view == View::Cached && !bus.memory.is_watched(slot) && self.is_plain(bus, slot);
            if plain && manner != Manner::Unprivileged {
                self.stores.insert(address, slot);
            }
            self.store_to_ram(bus, (physical, size), value, view);
            return Ok(());
        }
        if !Board::covers(physical) {
            return Err(self.fault(address, Fault::External, purpose));
        }
        self.tell_device(bus, &leaf, address);
        self.note_device(address, physical, purpose, manner);
        self.store_device(bus, physical, size, value)
    }

    /// Whether accesses to a cached page need not be looked at: no maintenance of the core's is under
    /// way, and nobody has written to the page past the caches.
    fn is_plain(&self, bus: &Bus, slot: u32) -> bool {
        self.maintenance.is_empty() && !bus.memory.is_written_uncached(slot)
    }

    /// Maintenance of the line of an address comes before an access to it that stands behind (DDI
    /// 0487 D7.5.9).
    fn complete_line(&mut self, bus: &mut Bus, physical: u64) {
        if self.maintenance.is_empty() {
            return;
        }
        let line = physical / LINE as u64;
        let issued = std::mem::take(&mut self.maintenance);
        for (address, operation) in issued {
            match address / LINE as u64 == line {
                true => bus.memory.maintain(address, operation, self.caching()),
                false => self.maintenance.push((address, operation)),
            }
        }
    }

    /// Whether the core's data cache is on.
    pub(crate) fn caching(&self) -> Caching {
        let [control, ..] = Regime::of(self.state.level).controls();
        match self.system.effective(control) & sctlr::C {
            0 => Caching::Off,
            _ => Caching::On,
        }
    }

    /// An access over the end of a line, byte by byte. Both ends have been found permitted when the
    /// first byte is stored.
    fn load_bytes(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        manner: Manner,
    ) -> Result<u64, Interruption> {
        let mut value = 0;
        for index in 0..size {
            let byte = self.load(bus, address.wrapping_add(index as u64), 1, manner)?;
            value |= byte << (8 * index);
        }
        Ok(value)
    }

    fn store_bytes(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        value: u64,
        manner: Manner,
    ) -> Result<(), Interruption> {
        let last = address.wrapping_add(size as u64 - 1);
        self.place(bus, last, 1, Purpose::Store, manner)?;
        for index in 0..size {
            let byte = value >> (8 * index) & 0xff;
            self.store(bus, address.wrapping_add(index as u64), 1, byte, manner)?;
        }
        Ok(())
    }

    /// The leaf of an access, after its alignment and its permission were checked.
    pub(crate) fn place(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        purpose: Purpose,
        manner: Manner,
    ) -> Result<Leaf, Interruption> {
        let unaligned = address & (size as u64 - 1) != 0;
        let checked = manner == Manner::Aligned || self.control() & sctlr::A != 0;
        if unaligned && checked {
            return Err(self.fault(address, Fault::Alignment, purpose));
        }
        self.tell_pending(bus, address);
        let user =
            self.state.level == 0 || (manner == Manner::Unprivileged && self.state.level == 1);
        let leaf = self.translate(bus, address, purpose, user)?;
        if unaligned && leaf.memory.is_device() && bus.liberties.has(Liberty::Device) {
            self.tell_device_abort(bus);
            return Err(self.fault(address, Fault::Alignment, purpose));
        }
        Ok(leaf)
    }

    /// The leaf of an exclusive access. A lock's page is that of the last one, mostly.
    pub(crate) fn place_exclusive(
        &mut self,
        bus: &mut Bus,
        address: u64,
        size: usize,
        purpose: Purpose,
    ) -> Result<Leaf, Interruption> {
        let last = &mut self.exclusives[usize::from(purpose == Purpose::Store)];
        if let Some((page, leaf)) = last
            && *page == address & !0xfff
            && address & (size as u64 - 1) == 0
        {
            return Ok(*leaf);
        }
        let leaf = self.place(bus, address, size, purpose, Manner::Aligned)?;
        self.exclusives[usize::from(purpose == Purpose::Store)] = Some((address & !0xfff, leaf));
        Ok(leaf)
    }

    /// The copy of RAM that a data access of the current level uses.
    pub(crate) fn view(&self, leaf: &Leaf) -> View {
        let cached = self.control() & sctlr::C != 0;
        match cached && leaf.memory == MemoryType::WriteBack {
            true => View::Cached,
            false => View::Memory,
        }
    }

    /// Loads and stores through a stack pointer that is no multiple of 16 fault if SCTLR.SA (at EL0
    /// SA0) is set.
    pub(crate) fn check_stack(&self) -> Result<(), Interruption> {
        let check = match self.state.level {
            0 => sctlr::SA0,
            _ => sctlr::SA,
        };
        if self.get_or_sp(::a64::Register::ZERO) & 0xf != 0 && self.control() & check != 0 {
            return Err(self.sp_alignment().into());
        }
        Ok(())
    }
}

/// The number of the exclusive monitors' granule at an address in a page.
pub(crate) fn granule(slot: u32, address: u64) -> u64 {
    u64::from(slot) << 6 | address >> 6 & 0x3f
}

fn crosses_line(address: u64, size: usize) -> bool {
    address as usize % LINE + size > LINE
}
