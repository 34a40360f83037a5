//! Loads and stores by virtual address.
//!
//! The short way: the page is ordinary RAM, permitted, and ready in a micro-TLB; the access is
//! aligned. Everything else takes the long way: translation, permissions, alignment, devices.

use super::code_page::DevicePage;
use super::core::{Core, Interruption};
use crate::board::{Board, Peripheral};
use crate::bus::Bus;
use crate::liberty::{Liberty, Taken};
use crate::memory::{Caching, LINE, View};
use crate::registers::Reg;
use crate::registers::sctlr;
use crate::stop::Stop;
use crate::translate::{
    Candidate, Fault, Leaf, MemoryType, Purpose, Regime, Root, Tables, WalkError, asid,
    has_small_pages, resume, root_level, walk, walk_from,
};

use crate::watch::{self, Event};

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

/// Walks read RAM as TCR says; a store to a table may not be seen yet.
struct WalkMemory<'a> {
    bus: &'a mut Bus,
    core: usize,
    caches_on: bool,
}

impl Tables for WalkMemory<'_> {
    fn descriptor(&mut self, address: u64, cacheable: bool) -> Option<u64> {
        let view = match cacheable && self.caches_on {
            true => View::Cached,
            false => View::Memory,
        };
        let memory = &mut self.bus.memory;
        if !memory.holds(address) {
            return None;
        }
        if view == View::Cached {
            memory.is_used_cached(address, self.core);
        }
        let now = memory.read(address, 8, view);
        Some(self.bus.history.seen(self.core, address, now))
    }
}

impl Core {
    fn control(&self) -> u64 {
        let [control, ..] = Regime::of(self.state.level).controls();
        self.system.effective(control)
    }

    /// Translates without a check of permissions.
    pub(crate) fn walk(
        &mut self,
        bus: &mut Bus,
        regime: Regime,
        address: u64,
        purpose: Purpose,
    ) -> Result<Leaf, WalkError> {
        let [control, ..] = regime.controls();
        let caches_on = self.system.effective(control) & sctlr::C != 0;
        let core = self.number;
        let mut tables = WalkMemory {
            bus,
            core,
            caches_on,
        };
        let fresh = walk(&self.system, regime, address, purpose, &mut tables);
        let on = self.system.effective(control) & sctlr::M != 0;
        if regime != Regime::El1 || !on || tables.bus.history.is_plain() {
            return fresh;
        }
        self.former_translation(&mut tables, address, fresh)
    }

    /// Today's translation, or one that the core may still use.
    fn former_translation(
        &self,
        tables: &mut WalkMemory<'_>,
        address: u64,
        fresh: Result<Leaf, WalkError>,
    ) -> Result<Leaf, WalkError> {
        let register = |register| self.system.effective(register);
        let asid = asid(
            register(Reg::TCR_EL1),
            register(Reg::TTBR0_EL1),
            register(Reg::TTBR1_EL1),
        );
        let mut usable = Vec::new();
        for candidate in tables.bus.history.candidates(self.number, address, asid) {
            let leaf = match candidate {
                Candidate::Descriptor {
                    level, descriptor, ..
                } => resume(&self.system, address, level, descriptor, tables),
                Candidate::Root(root) => walk_from(&self.system, address, root.address, tables)
                    .and_then(|leaf| match leaf.tagged && root.asid != asid {
                        true => Err(Fault::Translation(0).into()),
                        false => Ok(leaf),
                    }),
            };
            let Ok(leaf) = leaf else { continue };
            if Ok(leaf) == fresh {
                continue;
            }
            let clash = matches!(fresh, Ok(fresh) if fresh.page != leaf.page);
            if clash && matches!(candidate, Candidate::Root(_)) {
                let event = Event::TwoTranslations(address);
                tables.bus.watch.event(self.number, self.at, event);
            }
            let because = match candidate {
                Candidate::Descriptor { store_at, .. } => Some(store_at),
                Candidate::Root(_) => None,
            };
            usable.push((leaf, because));
        }
        let Some(number) = tables.bus.history.choose(usable.len()) else {
            return fresh;
        };
        let (leaf, because) = usable[number];
        tables.bus.log.add(Taken {
            liberty: Liberty::Translations,
            core: self.number,
            at: self.at,
            address,
            because,
        });
        Ok(leaf)
    }

    /// Tells the history which roots the core walks from, as the registers were written.
    pub(crate) fn tell_roots(&mut self, bus: &mut Bus) {
        if !bus.liberties.has(Liberty::Translations) {
            return;
        }
        let register = |register| self.system.written(register);
        let tcr = register(Reg::TCR_EL1);
        let tables = [Reg::TTBR0_EL1, Reg::TTBR1_EL1].map(register);
        let asid = asid(tcr, tables[0], tables[1]);
        // A higher level may prepare the registers; they are used from its return on.
        let on = register(Reg::SCTLR_EL1) & sctlr::M != 0 && self.state.level <= 1;
        let root = |high: bool, disabled: u32| {
            let address = tables[usize::from(high)] & 0x0000_ffff_ffff_fffe;
            // The history knows tables of one frame.
            let used = on && tcr >> disabled & 1 == 0 && has_small_pages(tcr, high);
            used.then_some(Root {
                address,
                asid,
                high,
            })
        };
        let roots = [root(false, 7), root(true, 23)];
        let level = root_level(&self.system, true);
        let moment = (self.at, bus.now());
        let events =
            bus.history
                .use_roots(self.number, (roots, asid), level, moment, &mut bus.memory);
        for event in events {
            bus.watch.event(self.number, self.at, event);
        }
        self.heed_watched(bus);
    }

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

    /// Translates for an access of this level, or of EL0, and checks its permission.
    pub(super) fn translate(
        &mut self,
        bus: &mut Bus,
        address: u64,
        purpose: Purpose,
        user: bool,
    ) -> Result<Leaf, Interruption> {
        let regime = Regime::of(self.state.level);
        let leaf = match self.walk(bus, regime, address, purpose) {
            Ok(leaf) => leaf,
            Err(WalkError::Granule(tcr)) => {
                return Err(Stop::Granule {
                    core: self.number,
                    at: self.at,
                    tcr,
                }
                .into());
            }
            Err(WalkError::Fault(fault)) => return Err(self.fault(address, fault, purpose)),
        };
        let wxn = self.control() & sctlr::WXN != 0;
        if !leaf.permits(purpose, user, wxn) {
            return Err(self.fault(address, Fault::Permission(leaf.level), purpose));
        }
        Ok(leaf)
    }

    fn fault(&self, address: u64, fault: Fault, purpose: Purpose) -> Interruption {
        match purpose {
            Purpose::Fetch => self.instruction_abort(address, fault).into(),
            Purpose::Load | Purpose::Store => self.data_abort(address, fault, purpose, 0).into(),
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

    /// Whether stores to the page of an address go to ordinary RAM, and are permitted.
    pub(crate) fn stores_plainly(&self, address: u64) -> bool {
        self.stores.find(address).is_some()
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

    fn load_device(
        &mut self,
        bus: &mut Bus,
        physical: u64,
        size: usize,
    ) -> Result<u64, Interruption> {
        if let Some(peripheral) = watch::peripheral(physical) {
            if peripheral == Peripheral::Local {
                self.tell_timers(bus);
            }
            let event = Event::DeviceRead(peripheral);
            bus.watch.event(self.number, self.at, event);
        }
        let now = bus.now();
        bus.board
            .read(physical, size as u32, now, &mut bus.memory)
            .map_err(|source| self.device(source))
    }

    /// The physical address of an aligned access to the page of devices that the last one went to.
    fn last_device(
        &self,
        address: u64,
        size: usize,
        purpose: Purpose,
        manner: Manner,
    ) -> Option<u64> {
        let last = self.devices[usize::from(purpose == Purpose::Store)]?;
        let plain = manner == Manner::Plain && address & (size as u64 - 1) == 0;
        (plain && last.page == address & !0xfff).then_some(last.physical | address & 0xfff)
    }

    fn note_device(&mut self, address: u64, physical: u64, purpose: Purpose, manner: Manner) {
        if manner == Manner::Plain {
            self.devices[usize::from(purpose == Purpose::Store)] = Some(DevicePage {
                page: address & !0xfff,
                physical: physical & !0xfff,
            });
        }
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

    fn store_device(
        &mut self,
        bus: &mut Bus,
        physical: u64,
        size: usize,
        value: u64,
    ) -> Result<(), Interruption> {
        // With the MMU off both are Device-nGnRnE. The architecture keeps the order of one peripheral
        // alone (DDI 0487 B2.7.2); whether the core lets go of RAM's is not known, so it is kept.
        if self.control() & sctlr::M == 0 {
            self.drain_all(bus);
        }
        if let Some(peripheral) = watch::peripheral(physical) {
            let event = Event::DeviceWrite(peripheral);
            bus.watch.event(self.number, self.at, event);
            if peripheral == Peripheral::Mailbox {
                bus.mailbox_writer = (self.number, self.at);
            }
        }
        let now = bus.now();
        let written = bus
            .board
            .write(physical, size as u32, value, now, &mut bus.memory);
        bus.judge_notes(self.number, self.at);
        written.map_err(|source| self.device(source))
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

    fn device(&self, source: crate::board::BoardError) -> Interruption {
        Stop::Device {
            core: self.number,
            at: self.at,
            source,
        }
        .into()
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

    /// A device is accessed by a mapping; while the MMU is off there is none.
    fn tell_device(&self, bus: &mut Bus, leaf: &Leaf, address: u64) {
        if leaf.level == 0 {
            return;
        }
        if !leaf.memory.is_device() {
            let event = Event::DeviceAsNormal(address);
            bus.watch.event(self.number, self.at, event);
        }
        if leaf.executable || leaf.user_executable {
            let event = Event::DeviceExecutable(address);
            bus.watch.event(self.number, self.at, event);
        }
    }

    /// A data access of a half whose registers are not synchronised, while the MMU is on.
    fn tell_pending(&self, bus: &mut Bus, address: u64) {
        let pending = self.system.unsynchronized();
        let depends = match address >> 55 & 1 {
            0 => pending.low,
            _ => pending.high,
        };
        let on = self.state.level <= 1 && self.control() & sctlr::M != 0;
        if depends && on {
            bus.watch
                .event(self.number, self.at, Event::DependsOnPending);
        }
    }

    /// An abort by the type of the memory is a broken rule while the MMU is off; with it on the type
    /// is the kernel's own choice, and the abort is told to the kernel alone.
    pub(crate) fn tell_device_abort(&self, bus: &mut Bus) {
        if self.control() & sctlr::M == 0 {
            bus.watch.event(self.number, self.at, Event::DeviceAbort);
        }
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

    /// AT: the address in PAR_EL1, or the fault.
    pub(crate) fn translate_for_par(
        &mut self,
        bus: &mut Bus,
        regime: Regime,
        address: u64,
        purpose: Purpose,
        user: bool,
    ) -> Result<(), Interruption> {
        let par = match self.walk(bus, regime, address, purpose) {
            Err(WalkError::Granule(tcr)) => {
                return Err(Stop::Granule {
                    core: self.number,
                    at: self.at,
                    tcr,
                }
                .into());
            }
            Err(WalkError::Fault(fault)) => par_of_fault(fault),
            Ok(leaf) => {
                let [control, ..] = regime.controls();
                let wxn = self.system.effective(control) & sctlr::WXN != 0;
                match leaf.permits(purpose, user, wxn) {
                    true => par_of_leaf(&leaf),
                    false => par_of_fault(Fault::Permission(leaf.level)),
                }
            }
        };
        self.system.set(Reg::PAR_EL1, par);
        Ok(())
    }
}

/// PAR_EL1.F and FST; bit 11 is RES1.
fn par_of_fault(fault: Fault) -> u64 {
    1 << 11 | u64::from(fault.status()) << 1 | 1
}

/// PAR_EL1 of a translation: the page, the attributes in MAIR's form, and the shareability.
fn par_of_leaf(leaf: &Leaf) -> u64 {
    const NON_SECURE: u64 = 1 << 9;
    leaf.page
        | 1 << 11
        | NON_SECURE
        | u64::from(leaf.attribute) << 56
        | u64::from(leaf.shareability) << 7
}

/// The number of the exclusive monitors' granule at an address in a page.
pub(crate) fn granule(slot: u32, address: u64) -> u64 {
    u64::from(slot) << 6 | address >> 6 & 0x3f
}

fn crosses_line(address: u64, size: usize) -> bool {
    address as usize % LINE + size > LINE
}
