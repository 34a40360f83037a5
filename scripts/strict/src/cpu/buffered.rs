//! Stores that wait, and drain; loads that are performed early.

use super::access::{Manner, granule};
use super::core::Core;
use crate::bus::Bus;
use crate::liberty::{Liberty, Taken};
use crate::memory::{FRAME, View};
use crate::order::{Overtakes, Waiting};
use crate::watch::Event;

impl Core {
    /// Stores to RAM, within one line: at once, or when it drains.
    pub(super) fn store_to_ram(
        &mut self,
        bus: &mut Bus,
        (address, size): (u64, usize),
        value: u64,
        view: View,
    ) {
        if !bus.liberties.has(Liberty::Stores) {
            let at = self.at;
            return self.perform(bus, at, (address, size), value, view);
        }
        self.judge_link(bus, (address, size), value);
        if self.buffer.is_full() {
            self.drain_one(bus);
        }
        self.buffer.add((address, size), value, view, self.at);
    }

    /// A store of a descriptor that leads to a frame, while stores into that frame may drain
    /// later.
    fn judge_link(&mut self, bus: &mut Bus, (address, size): (u64, usize), value: u64) {
        const TABLE: u64 = 0b11;
        if size != 8 || value & TABLE != TABLE {
            return;
        }
        let slot = bus.memory.slot(address);
        if !bus.memory.is_watched(slot) {
            return;
        }
        /// The bits by which a walker follows a descriptor to a table.
        const LINK: u64 = 0x0000_ffff_ffff_f003;
        let before = bus.memory.descriptor(address);
        if before & LINK == value & LINK {
            return;
        }
        let frame = value & 0x0000_ffff_ffff_f000;
        let linked =
            self.buffer.may_follow(frame) && bus.history.is_table(address, &mut bus.memory);
        if linked {
            let event = Event::LinkedEarly(frame);
            bus.watch.event(self.number, self.at, event);
        }
    }

    /// A store of the instruction at `at` reaches memory.
    fn perform(
        &mut self,
        bus: &mut Bus,
        at: u64,
        (address, size): (u64, usize),
        value: u64,
        view: View,
    ) {
        let slot = bus.memory.slot(address);
        let watched = bus.memory.is_watched(slot);
        if watched && size > 8 {
            for word in words(address, size) {
                self.perform(bus, at, (word, 8), value, view);
            }
            return;
        }
        if view == View::Cached && bus.liberties.has(Liberty::Loads) {
            self.note_overwritten(bus, at, slot, (address, size));
        }
        let granule = granule(slot, address);
        bus.monitors.stored(self.number, granule, &mut bus.events);
        if view == View::Cached && !watched && !bus.memory.is_written_uncached(slot) {
            let offset = address as usize % FRAME;
            return bus.memory.store(slot, offset, size, value);
        }
        if watched && bus.liberties.has(Liberty::Translations) {
            self.store_watched(bus, at, (address, size), value, view);
        } else {
            bus.memory.write(address, size, value, view);
        }
        match view {
            View::Memory => bus.memory.was_written_uncached(address, self.number),
            View::Cached => bus.memory.is_used_cached(address, self.number),
        }
        bus.judge_notes(self.number, at);
    }

    /// A cached store is about to be performed.
    fn note_overwritten(&self, bus: &mut Bus, at: u64, slot: u32, (address, size): (u64, usize)) {
        for word in words(address, size) {
            let value = bus.memory.load(slot, word as usize % FRAME, 8);
            bus.overwritten.add(self.number, at, word, value);
        }
    }

    /// The value of a load of RAM by the caches, `value` if it is performed now: by chance it was
    /// performed early. Acquires and exclusives never are.
    pub(super) fn early(
        &mut self,
        bus: &mut Bus,
        (address, size): (u64, usize),
        value: u64,
        manner: Manner,
    ) -> u64 {
        if (address & 7) as usize + size > 8 {
            for word in words(address, size) {
                bus.overwritten.see(self.number, word);
            }
            return value;
        }
        let Some(former) = bus.overwritten.former(self.number, address) else {
            return value;
        };
        let may = manner != Manner::Aligned && self.path.earliest(former.stores) <= former.stores;
        if !may || !bus.chance.happens(128) {
            bus.overwritten.see(self.number, address);
            return value;
        }
        let bytes = former.value >> (8 * (address & 7)) & (u64::MAX >> (64 - 8 * size));
        if bytes != value {
            bus.log.add(Taken {
                liberty: Liberty::Loads,
                core: self.number,
                at: self.at,
                address,
                because: Some(former.at),
            });
        }
        bytes
    }

    fn drained(&mut self, bus: &mut Bus, store: &Waiting) {
        let place = (store.address, store.size);
        self.perform(bus, store.at, place, store.value, store.view);
    }

    /// One store drains, if any waits.
    pub(super) fn drain_one(&mut self, bus: &mut Bus) {
        let Some((store, overtakes)) = self.buffer.drain(&mut bus.chance) else {
            return;
        };
        if overtakes == Overtakes::Yes {
            bus.log.add(Taken {
                liberty: Liberty::Stores,
                core: self.number,
                at: store.at,
                address: store.address,
                because: None,
            });
        }
        self.drained(bus, &store);
    }

    /// Every store drains: a DSB, or a store-release that comes next.
    pub(crate) fn drain_all(&mut self, bus: &mut Bus) {
        while let Some(store) = self.buffer.drain_oldest() {
            self.drained(bus, &store);
        }
    }

    /// The stores to the line of an address drain, in their order.
    pub(crate) fn drain_line(&mut self, bus: &mut Bus, address: u64) {
        while let Some(store) = self.buffer.drain_line(address) {
            self.drained(bus, &store);
        }
    }
}

/// The addresses of the words of eight bytes that an access touches.
fn words(address: u64, size: usize) -> impl Iterator<Item = u64> {
    let last = (address + size as u64 - 1) & !7;
    (address & !7..=last).step_by(8)
}
