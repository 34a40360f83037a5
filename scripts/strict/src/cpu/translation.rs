//! Translations of the core's own registers: today's, and those that it may still use.

use super::core::{Core, Interruption};
use crate::bus::Bus;
use crate::liberty::{Liberty, Taken};
use crate::memory::View;
use crate::registers::Reg;
use crate::registers::sctlr;
use crate::stop::Stop;
use crate::translate::{
    Candidate, Fault, Leaf, Purpose, Regime, Root, Tables, WalkError, asid, has_small_pages,
    resume, root_level, walk, walk_from,
};
use crate::watch::Event;

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
    pub(super) fn control(&self) -> u64 {
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
            Err(WalkError::Granule(tcr)) => return Err(self.lacks_granule(tcr)),
            Err(WalkError::Fault(fault)) => return Err(self.fault(address, fault, purpose)),
        };
        let wxn = self.control() & sctlr::WXN != 0;
        if !leaf.permits(purpose, user, wxn) {
            return Err(self.fault(address, Fault::Permission(leaf.level), purpose));
        }
        Ok(leaf)
    }

    fn lacks_granule(&self, tcr: u64) -> Interruption {
        Stop::Granule {
            core: self.number,
            at: self.at,
            tcr,
        }
        .into()
    }

    pub(super) fn fault(&self, address: u64, fault: Fault, purpose: Purpose) -> Interruption {
        match purpose {
            Purpose::Fetch => self.instruction_abort(address, fault).into(),
            Purpose::Load | Purpose::Store => self.data_abort(address, fault, purpose, 0).into(),
        }
    }

    /// A data access of a half whose registers are not synchronised, while the MMU is on.
    pub(super) fn tell_pending(&self, bus: &mut Bus, address: u64) {
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
            Err(WalkError::Granule(tcr)) => return Err(self.lacks_granule(tcr)),
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
