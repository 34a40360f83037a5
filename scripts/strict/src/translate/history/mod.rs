//! Translations that a core may still use though the tables say otherwise.
//!
//! A TLB keeps what it has translated until an invalidation that covers it is complete. The life of
//! a changed entry:
//!
//! 1. Core 0 stores 0 over the descriptor of 0xffff_8000_4000_1000. From here on every core that
//!    walks the tree may translate by the old descriptor, as long as it likes ([`Old`]); the
//!    walkers may not even see the store yet ([`History::seen`]).
//! 2. DSB ISHST: every walker sees the 0.
//! 3. TLBI VAALE1IS: covers the old translation in every core. Until it is complete they may use it.
//! 4. DSB ISH: complete. The old translation is gone.
//! 5. A new descriptor may be stored. Stored before 4 it would stand beside the old one.
//!
//! # Decisions
//! - What is remembered is the descriptor, a leaf or a pointer to a table: a kept pointer leads into
//!   the table's frame whatever lies there today.
//! - Any core that uses the tree may have translated any address of it, by speculation.
//! - Descriptors are compared by what they mean: software bits do not count.

mod descriptor;
mod old;
mod scope;
mod tables;
mod trees;
mod unfinished;

use a64::system::Operation;

use super::walk::{ADDRESS, TABLE_OR_PAGE, VALID, shift};
use crate::board::Nanoseconds;
use crate::chance::Chance;
use crate::memory::Memory;
use crate::watch::Event;
use descriptor::{conflicts, differs, is_kept, is_table, same_half, takes_away};
pub(crate) use old::Root;
use old::{CoreSet, Old};
use scope::Scope;
use tables::{Place, Tables};
use trees::Reach;
use unfinished::{Pending, Unseen};

/// A former root of some cores.
#[derive(Clone, Copy, Debug)]
struct FormerRoot {
    cores: CoreSet,
    root: Root,
    number: u64,
    /// The address of the instruction that replaced it, and its virtual time.
    at: u64,
    since: Nanoseconds,
    /// Its translations apply without its ASID, or the new root has the same one.
    must_go: bool,
}

/// What a core may use in place of today's translation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Candidate {
    /// A descriptor of a level.
    Descriptor {
        /// The level, 0 to 3.
        level: u8,
        /// The descriptor.
        descriptor: u64,
        /// The address of the store that replaced it.
        store_at: u64,
    },
    /// A root; what is found from it counts only if it is global, or tagged with the core's ASID.
    Root(Root),
}

/// The history of one machine.
pub(crate) struct History {
    current: [[Option<Root>; 2]; crate::board::CORES],
    former: Vec<FormerRoot>,
    old: Vec<Old>,
    unseen: Vec<Unseen>,
    pending: Vec<Pending>,
    tables: Tables,
    number: u64,
    level: u8,
    chance: Chance,
}

/// A root that was replaced is expected to be gone after 100 us of virtual time, 5,000 instructions
/// of 20 ns, and an entry after 20 ms: a kernel may tear a whole tree down before its TLBI.
const PATIENCE_WITH_ROOTS: Nanoseconds = 100_000;
const PATIENCE_WITH_ENTRIES: Nanoseconds = 20_000_000;

/// More old translations than this are forgotten, the oldest first: a kernel that never invalidates.
const MOST: usize = 2048;

impl History {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            current: [[None; 2]; crate::board::CORES],
            former: Vec::new(),
            old: Vec::new(),
            unseen: Vec::new(),
            pending: Vec::new(),
            tables: Tables::default(),
            number: 0,
            level: 0,
            chance: Chance::new(seed, 4),
        }
    }

    /// Whether today's tables are all that a walk may use.
    pub(crate) fn is_plain(&self) -> bool {
        self.old.is_empty() && self.former.is_empty() && self.unseen.is_empty()
    }

    /// A core walks from these roots now (TTBR0's and TTBR1's); `level` is that of a root.
    pub(crate) fn use_roots(
        &mut self,
        core: usize,
        (roots, asid): ([Option<Root>; 2], u16),
        level: u8,
        (at, now): (u64, Nanoseconds),
        memory: &mut Memory,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        if self.current[core] == roots {
            return events;
        }
        let before = std::mem::replace(&mut self.current[core], roots);
        self.level = level;
        self.number += 1;
        for root in roots.into_iter().flatten() {
            self.tables.add_root(root, level, memory);
        }
        for (before, new) in before.into_iter().zip(roots) {
            // Another ASID alone: the tree is walked on.
            let stays = |root: Root| new.is_some_and(|new| new.address == root.address);
            if let Some(root) = before
                && !stays(root)
            {
                let reach = match root.asid == asid {
                    true => Reach::Tagged,
                    false => Reach::Global,
                };
                let must_go = trees::has_leaf(memory, root.address, level, reach);
                self.retire(core, root, (at, now), must_go);
            }
        }
        for new in roots.into_iter().flatten() {
            let clashes = |former: &&FormerRoot| {
                let other = former.root;
                former.cores.has(core)
                    && (other.high, other.asid) == (new.high, new.asid)
                    && trees::clash(memory, [other.address, new.address], level)
            };
            if self.former.iter().find(clashes).is_some() {
                events.push(Event::TwoTranslations(new.address));
            }
        }
        events
    }

    /// A core walks from a root no more.
    fn retire(&mut self, core: usize, root: Root, (at, since): (u64, Nanoseconds), must_go: bool) {
        let cores = CoreSet::only(core);
        self.former
            .retain(|former| (former.root, former.cores) != (root, cores));
        self.former.push(FormerRoot {
            cores,
            root,
            number: self.number,
            at,
            since,
            must_go,
        });
    }

    /// What has stayed usable for long though it was replaced: each is told once.
    pub(crate) fn overdue(&mut self, now: Nanoseconds) -> Vec<(usize, Event)> {
        let mut overdue = Vec::new();
        if self.is_plain() {
            return overdue;
        }
        unfinished::stores(&mut self.unseen, now, &mut overdue);
        unfinished::invalidations(&mut self.pending, now, &mut overdue);
        for former in &mut self.former {
            if former.must_go && now - former.since > PATIENCE_WITH_ROOTS {
                former.must_go = false;
                let event = Event::Overdue {
                    address: former.root.address,
                    because: former.at,
                    root: true,
                };
                overdue.push((former.cores.first(), event));
            }
        }
        for old in &mut self.old {
            if old.takes_away && !old.cores.is_empty() && now - old.since > PATIENCE_WITH_ENTRIES {
                old.takes_away = false;
                let event = Event::Overdue {
                    address: old.first,
                    because: old.store_at,
                    root: false,
                };
                overdue.push((old.storer, event));
            }
        }
        overdue
    }

    /// A context synchronisation event of a core: what it has invalidated itself is gone for it, too.
    pub(crate) fn synchronize_context(&mut self, core: usize) {
        self.unseen
            .retain(|unseen| !(unseen.settling && unseen.storer == core));
        if self.old.is_empty() {
            return;
        }
        let own = CoreSet::only(core);
        for old in &mut self.old {
            old.lingering = old.lingering.without(own);
        }
        self.old
            .retain(|old| !(old.cores.is_empty() && old.lingering.is_empty()));
    }

    /// The cores that use a root, or may still use it.
    fn users(&self, root: Root) -> CoreSet {
        let mut cores = CoreSet::default();
        for (core, roots) in self.current.iter().enumerate() {
            if roots.contains(&Some(root)) {
                cores = cores.with(CoreSet::only(core));
            }
        }
        let former = self.former.iter().filter(|former| former.root == root);
        former.fold(cores, |cores, former| cores.with(former.cores))
    }

    /// A core has stored over eight bytes of a watched frame, which were `before` and are `now`.
    /// Gives what rules judge.
    pub(crate) fn stored(
        &mut self,
        (core, at, time): (usize, u64, Nanoseconds),
        place: u64,
        (before, now): (u64, u64),
        memory: &mut Memory,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        self.judge_reuse(place, now, &mut events);
        let current = self.current.iter().flatten().flatten().copied();
        let former = self.former.iter().map(|former| former.root);
        let roots: Vec<Root> = current.chain(former).collect();
        self.tables.refresh(&roots, self.level, memory);
        let places = self.tables.places(place).to_vec();
        if places.is_empty() || before == now {
            return events;
        }
        self.number += 1;
        let (mut global, mut translates) = (false, 0);
        for table in places {
            let cores = self.users(table.root);
            let span = 1_u64 << shift(u32::from(table.level));
            let index = (place & 0xfff) / 8;
            let first = table.first | (index * span);
            let last = first + (span - 1);
            let leaf = table.level == 3 || before & TABLE_OR_PAGE == 0;
            // A pointer is kept under an ASID, whatever leaves it leads to (DDI 0487 C5.5, TLBI
            // ASIDE1). Those of the high half are used under all of them.
            let is_tagged = match leaf {
                true => before >> 11 & 1 != 0,
                false => !table.root.high,
            };
            let is_leaf = !is_table(table.level, before) && !is_table(table.level, now);
            global |= unfinished::is_global(first, is_leaf, (before, now));
            translates = first;
            let changed = Old {
                cores,
                lingering: CoreSet::default(),
                since: time,
                takes_away: takes_away(table.level, before, now),
                first,
                last,
                asid: is_tagged.then_some(table.root.asid),
                level: table.level,
                descriptor: before,
                place,
                storer: core,
                store_at: at,
                number: self.number,
            };
            self.judge_make(&changed, table.root.asid, now, &mut events);
            if is_kept(table.level, before) && differs(table.level, before, now) {
                self.remember(changed);
            }
            if is_table(table.level, before) {
                self.tables.outdate();
            }
            if is_table(table.level, now) {
                let below = Place {
                    level: table.level + 1,
                    first,
                    ..table
                };
                self.tables.add(now & ADDRESS, below, memory);
            }
        }
        if self.unseen.len() >= MOST {
            self.unseen.remove(0);
        }
        self.unseen.push(Unseen {
            place,
            before,
            storer: core,
            cores: CoreSet::ALL,
            settling: false,
            first: translates,
            at,
            since: time,
            global,
        });
        if now & VALID == 0 {
            self.forget_emptied(place, memory);
        }
        events
    }

    /// A former root whose last entry was taken away has nothing to give any more: the entries are
    /// remembered one by one, and its frame may become anything.
    fn forget_emptied(&mut self, place: u64, memory: &mut Memory) {
        let is_here = |former: &FormerRoot| (former.root.address ^ place) & ADDRESS == 0;
        if self.former.iter().any(is_here) && trees::is_empty(memory, place) {
            self.former.retain(|former| !is_here(former));
            self.tables.outdate();
        }
    }

    /// Whether a walker reads descriptors at an address, and not at level 3.
    pub(crate) fn is_table(&mut self, place: u64, memory: &mut Memory) -> bool {
        let current = self.current.iter().flatten().flatten().copied();
        let former = self.former.iter().map(|former| former.root);
        let roots: Vec<Root> = current.chain(former).collect();
        self.tables.refresh(&roots, self.level, memory);
        let places = self.tables.places(place);
        places.iter().any(|place| place.level < 3)
    }

    fn remember(&mut self, old: Old) {
        if old.cores.is_empty() {
            return;
        }
        if self.old.len() >= MOST {
            self.old.remove(0);
        }
        self.old.push(old);
    }

    /// A valid descriptor is made while a core may still use another one for the same address.
    /// Under another ASID it is no matter.
    fn judge_make(&self, changed: &Old, asid: u16, now: u64, events: &mut Vec<Event>) {
        if now & VALID == 0 {
            return;
        }
        let direct = is_kept(changed.level, changed.descriptor)
            && conflicts(
                (changed.level, changed.descriptor, changed.first),
                (changed.level, now, changed.first),
            );
        let covered = |old: &&Old| {
            let overlaps = old.first <= changed.last && changed.first <= old.last;
            overlaps
                && !old.cores.is_empty()
                && old.asid.is_none_or(|tag| tag == asid)
                && same_half(old.first, changed.first)
                && conflicts(
                    (old.level, old.descriptor, old.first),
                    (changed.level, now, changed.first),
                )
        };
        let kept = self.old.iter().find(covered);
        if direct {
            events.push(Event::MadeOverOld {
                address: changed.first,
                store_at: changed.store_at,
            });
        } else if let Some(old) = kept {
            events.push(Event::MadeOverOld {
                address: changed.first,
                store_at: old.store_at,
            });
        }
    }

    /// A store into a frame to which a kept pointer leads. An invalid descriptor is none: a library
    /// may chain the frames that it has unlinked by words whose bit 0 is 0.
    fn judge_reuse(&self, place: u64, now: u64, events: &mut Vec<Event>) {
        if now & VALID == 0 {
            return;
        }
        let frame = place & !0xfff;
        let kept = self.old.iter().find(|old| {
            let leads = !old.is_leaf() && old.descriptor & ADDRESS == frame;
            leads && !old.cores.is_empty()
        });
        if let Some(old) = kept {
            events.push(Event::ReusedTable {
                frame,
                store_at: old.store_at,
            });
        }
    }

    /// The descriptor that a core's walker sees at `place`, where memory has `now`.
    pub(crate) fn seen(&mut self, core: usize, place: u64, now: u64) -> u64 {
        let unseen = self
            .unseen
            .iter()
            .find(|unseen| unseen.place == place && unseen.concerns(core));
        match unseen {
            Some(unseen) if self.chance.happens(192) => unseen.before,
            _ => now,
        }
    }

    /// What a core may use for an address beside today's translation.
    pub(crate) fn candidates(&self, core: usize, address: u64, asid: u16) -> Vec<Candidate> {
        let old = self.old.iter().filter(|old| {
            let tagged = old.asid.is_none_or(|tag| tag == asid);
            let usable = old.cores.has(core) || old.lingering.has(core);
            usable && (old.first..=old.last).contains(&address) && tagged
        });
        let old = old.map(|old| Candidate::Descriptor {
            level: old.level,
            descriptor: old.descriptor,
            store_at: old.store_at,
        });
        let high = address >> 55 & 1 != 0;
        let former = self
            .former
            .iter()
            .filter(|former| former.cores.has(core) && former.root.high == high)
            .map(|former| Candidate::Root(former.root));
        old.chain(former).collect()
    }

    /// The number of one of `count` candidates that is used, or none for today's translation.
    pub(crate) fn choose(&mut self, count: usize) -> Option<usize> {
        match count {
            0 => None,
            _ if self.chance.happens(64) => None,
            _ => Some(self.chance.below(count as u64) as usize),
        }
    }

    /// A core executes a TLBI. Gives what rules judge.
    pub(crate) fn invalidate(
        &mut self,
        core: usize,
        operation: Operation,
        operand: u64,
        (at, since): (u64, Nanoseconds),
    ) -> Vec<Event> {
        let Some(scope) = Scope::of(core, operation, operand) else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for old in self
            .old
            .iter()
            .filter(|old| old.storer == core && scope.covers(old))
        {
            let unseen = |unseen: &&Unseen| {
                unseen.storer == core && unseen.place == old.place && !unseen.settling
            };
            if self.unseen.iter().any(|store| unseen(&store)) {
                events.push(Event::TlbiBeforeDsb(old.first));
            }
            if scope.is_local() && !old.cores.without(scope.cores).is_empty() {
                events.push(Event::TlbiLocal(old.first));
            }
        }
        self.number += 1;
        self.pending.push(Pending {
            issuer: core,
            scope,
            number: self.number,
            at,
            since,
            told: false,
        });
        events
    }

    /// A core executes a DSB; true if a translation may be gone by it.
    pub(crate) fn synchronize(&mut self, core: usize, option: u8, now: Nanoseconds) -> bool {
        let inner = option >> 2 != 0b01;
        let reached = if inner {
            CoreSet::ALL
        } else {
            CoreSet::only(core)
        };
        if option & 0b10 != 0 {
            for unseen in self
                .unseen
                .iter_mut()
                .filter(|unseen| unseen.storer == core)
            {
                unseen.cores = unseen.cores.without(reached);
                if unseen.cores.is_empty() && !unseen.settling {
                    unseen.settling = true;
                    unseen.since = now;
                }
            }
        }
        if option & 0b11 != 0b11 {
            return false;
        }
        let (done, left): (Vec<_>, Vec<_>) = self
            .pending
            .iter()
            .partition(|pending| pending.issuer == core && (inner || pending.scope.is_local()));
        self.pending = left;
        for pending in &done {
            self.complete(pending);
        }
        !done.is_empty()
    }

    fn complete(&mut self, pending: &Pending) {
        let Pending {
            scope,
            number,
            issuer,
            ..
        } = pending;
        let unseen = &self.unseen;
        for old in &mut self.old {
            let refetched = unseen
                .iter()
                .any(|unseen| unseen.place == old.place && !unseen.settling);
            if old.number < *number && scope.covers(old) && !refetched {
                let own = CoreSet::only(*issuer);
                if old.cores.has(*issuer) {
                    old.lingering = old.lingering.with(own);
                }
                old.cores = old.cores.without(scope.cores);
            }
        }
        self.old
            .retain(|old| !(old.cores.is_empty() && old.lingering.is_empty()));
        for former in &mut self.former {
            if former.number < *number && scope.covers_root(former.root.asid) {
                former.cores = former.cores.without(scope.cores);
            }
        }
        let before = self.former.len();
        self.former.retain(|former| !former.cores.is_empty());
        if self.former.len() != before {
            self.tables.outdate();
        }
    }
}
