//! What cores may still have cached although no walk finds it any more, and the invalidations
//! that remove it.
//!
//! What a walk can find is cached on every core at every moment, so nobody has to note it; what
//! a walk can no longer find is *stale*, and is noted here until it is sure to be gone.

use core::ops::Range;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::descriptor::{Cached, Pointer, Translation, level_bytes};

/// The sizes of what one TLB entry can hold: leaves and groups of 16 at levels 3, 2 and 1.
const REACHES: [usize; 6] = [1 << 12, 1 << 16, 1 << 21, 1 << 25, 1 << 30, 1 << 34];

/// A point in time: the number of an event.
pub(super) type Time = u64;

/// A leaf that no walk finds.
#[derive(Clone)]
struct StaleLeaf {
    leaf: Translation,
    since: Time,
    /// The pieces that were not invalidated yet, a bit each.
    left: u32,
}

/// A pointer that no walk finds.
#[derive(Clone, Copy)]
pub(super) struct StalePointer {
    pub(super) pointer: Pointer,
    pub(super) since: Time,
    /// Whether it may be held as a global one.
    is_global: bool,
}

/// An invalidation by address.
#[derive(Clone)]
struct ByAddress {
    time: Time,
    /// Spares pointers to tables.
    leaves_only: bool,
    /// Spares what is global.
    one_space: bool,
}

/// What an invalidation is to reach.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) first: usize,
    pub(super) bytes: usize,
    /// When the last walk was possible that could have cached it.
    pub(super) since: Time,
    /// Whether an invalidation that spares pointers is enough.
    pub(super) is_leaf: bool,
    pub(super) is_global: bool,
}

/// Invalidations that were issued and not waited for, with their times.
#[derive(Clone, Default)]
struct Issued {
    everything: Time,
    /// All of the tree's own address space.
    space: Time,
    by_address: BTreeMap<usize, Vec<ByAddress>>,
    /// Addresses that other spaces translate by these tables, too: what is held for them no form
    /// for one ASID reaches.
    lent: Range<usize>,
}

impl Issued {
    fn reaches(&self, target: Target) -> bool {
        let is_everyones = target.is_global || self.lent.contains(&target.first);
        if self.everything > target.since || !is_everyones && self.space > target.since {
            return true;
        }
        let last = target.first + (target.bytes - 1);
        let inside = self.by_address.range(target.first..=last);
        inside.flat_map(|(_, issued)| issued).any(|issued| {
            issued.time > target.since
                && (target.is_leaf || !issued.leaves_only)
                && !(is_everyones && issued.one_space)
        })
    }

    /// The pieces of a leaf among `left` that this does not reach.
    fn spared(&self, leaf: Translation, left: u32, since: Time, is_leaf: bool) -> u32 {
        let mut spared = left;
        for piece in 0..leaf.pieces() {
            let target = Target {
                first: leaf.va + piece * leaf.piece_bytes(),
                bytes: leaf.piece_bytes(),
                since,
                is_leaf,
                is_global: leaf.is_global(),
            };
            if left >> piece & 1 != 0 && self.reaches(target) {
                spared &= !(1 << piece);
            }
        }
        spared
    }
}

const fn all_pieces(leaf: Translation) -> u32 {
    u32::MAX >> (u32::BITS as usize - leaf.pieces())
}

/// The caches of all cores, taken together.
#[derive(Clone, Default)]
pub(super) struct Tlb {
    /// By reach and first address.
    leaves: BTreeMap<(usize, usize), Vec<StaleLeaf>>,
    /// By level and first address.
    pointers: BTreeMap<(usize, usize), Vec<StalePointer>>,
    /// What was kept of entries that were invalid, and are not.
    absences: Vec<Target>,
    issued: Issued,
}

impl Tlb {
    /// An invalidation of everything.
    pub(super) const fn issue_everything(&mut self, time: Time) {
        self.issued.everything = time;
    }

    /// An invalidation of the tree's own address space.
    pub(super) const fn issue_space(&mut self, time: Time) {
        self.issued.space = time;
    }

    /// An invalidation at `va`, of leaves only or not, of the tree's own space only or not.
    pub(super) fn issue(&mut self, time: Time, va: usize, leaves_only: bool, one_space: bool) {
        let issued = self.issued.by_address.entry(va).or_default();
        issued.push(ByAddress {
            time,
            leaves_only,
            one_space,
        });
    }

    /// Whether an invalidation was issued that nobody has waited for.
    pub(super) fn is_busy(&self) -> bool {
        let Issued {
            everything,
            space,
            by_address,
            ..
        } = &self.issued;
        *everything > 0 || *space > 0 || !by_address.is_empty()
    }

    /// All invalidations have completed, and what they leave behind was swept.
    pub(super) fn finish(&mut self) {
        let lent = self.issued.lent.clone();
        self.issued = Issued {
            lent,
            ..Issued::default()
        };
    }

    /// Other spaces translate `lent` by these tables.
    pub(super) fn lend(&mut self, lent: Range<usize>) {
        self.issued.lent = lent;
    }

    /// Whether an invalidation for all ASIDs that reaches pointers was issued after `since`, for
    /// any of `bytes` from `first` on.
    pub(super) fn reaches_all(&self, first: usize, bytes: usize, since: Time) -> bool {
        self.issued.reaches(Target {
            first,
            bytes,
            since,
            is_leaf: false,
            is_global: true,
        })
    }

    /// Notes that no walk finds `leaf` since `since`.
    pub(super) fn keep_leaf(&mut self, leaf: Translation, since: Time) {
        self.insert(leaf, since, all_pieces(leaf));
    }

    /// Notes that no walk finds `leaf` since `since`, though the pointer on the way to it was
    /// removed by an invalidation: one that reaches both has removed the leaf, too. Returns whether
    /// anything of the leaf is left.
    pub(super) fn keep_leaf_behind(&mut self, leaf: Translation, since: Time) -> bool {
        let left = self.issued.spared(leaf, all_pieces(leaf), since, false);
        if left != 0 {
            self.insert(leaf, since, left);
        }
        left != 0
    }

    fn insert(&mut self, leaf: Translation, since: Time, left: u32) {
        let there = self.leaves.entry((leaf.bytes, leaf.va)).or_default();
        match there.iter_mut().find(|stale| stale.leaf == leaf) {
            Some(stale) => {
                stale.since = stale.since.max(since);
                stale.left |= left;
            }
            None => there.push(StaleLeaf { leaf, since, left }),
        }
    }

    /// Notes that no walk finds `pointer` since `since`, which one did until then: what walks
    /// find is never stale.
    /// It may be held as a global one if it `is_global`.
    pub(super) fn keep_pointer(&mut self, pointer: Pointer, since: Time, is_global: bool) {
        let there = self.pointers.entry((pointer.level, pointer.va));
        there.or_default().push(StalePointer {
            pointer,
            since,
            is_global,
        });
    }

    /// Notes that nothing is absent any more in what `absence` says.
    pub(super) fn keep_absence(&mut self, absence: Target) {
        self.absences.push(absence);
    }

    /// Removes the stale absences that the invalidations have reached.
    pub(super) fn sweep_absences(&mut self) {
        let issued = &self.issued;
        self.absences.retain(|absence| !issued.reaches(*absence));
    }

    /// The first address of one that is left.
    pub(super) fn stale_absence(&self) -> Option<usize> {
        self.absences.first().map(|absence| absence.first)
    }

    /// Something stale that must not meet `new`.
    pub(super) fn rival(&self, new: Cached) -> Option<Cached> {
        let (va, bytes) = match new {
            Cached::Leaf(leaf) => (leaf.va, leaf.bytes),
            Cached::Pointer(pointer) => (pointer.va, level_bytes(pointer.level)),
        };
        let last = va + (bytes - 1);
        let leaves = REACHES.iter().flat_map(|reach| {
            let first = va & !(reach - 1);
            self.leaves.range((*reach, first)..=(*reach, last))
        });
        let pointers = (0..3).flat_map(|level| {
            let first = va & !(level_bytes(level) - 1);
            self.pointers.range((level, first)..=(level, last))
        });
        let leaves = leaves.flat_map(|(_, stale)| stale);
        let pointers = pointers.flat_map(|(_, stale)| stale);
        leaves
            .map(|stale| Cached::Leaf(stale.leaf))
            .chain(pointers.map(|stale| Cached::Pointer(stale.pointer)))
            .find(|old| old.needs_break(new))
    }

    /// A walk finds `cached` again: it is not stale. Whether it was.
    pub(super) fn forget(&mut self, cached: Cached) -> bool {
        match cached {
            Cached::Leaf(leaf) => take(&mut self.leaves, (leaf.bytes, leaf.va), |stale| {
                stale.leaf == leaf
            }),
            Cached::Pointer(pointer) => {
                take(&mut self.pointers, (pointer.level, pointer.va), |stale| {
                    stale.pointer == pointer
                })
            }
        }
    }

    /// Removes the stale leaves that the invalidations have reached.
    pub(super) fn sweep_leaves(&mut self) -> Vec<Translation> {
        let mut gone = Vec::new();
        let issued = &self.issued;
        self.leaves.retain(|_, there| {
            there.retain_mut(|stale| {
                stale.left = issued.spared(stale.leaf, stale.left, stale.since, true);
                if stale.left == 0 {
                    gone.push(stale.leaf);
                }
                stale.left != 0
            });
            !there.is_empty()
        });
        gone
    }

    /// Removes the stale pointers of `level` that the invalidations have reached.
    pub(super) fn sweep_pointers(&mut self, level: usize) -> Vec<StalePointer> {
        let mut gone = Vec::new();
        let issued = &self.issued;
        self.pointers.retain(|(at, va), there| {
            there.retain(|stale| {
                let target = Target {
                    first: *va,
                    bytes: level_bytes(level),
                    since: stale.since,
                    is_leaf: false,
                    is_global: stale.is_global,
                };
                let reached = *at == level && issued.reaches(target);
                if reached {
                    gone.push(*stale);
                }
                !reached
            });
            !there.is_empty()
        });
        gone
    }

    /// The stale leaves, each with the first address that was not invalidated.
    pub(super) fn stale_leaves(&self) -> impl Iterator<Item = (usize, Translation)> {
        self.leaves.values().flatten().map(|stale| {
            let piece = stale.left.trailing_zeros() as usize;
            let va = stale.leaf.va + piece * stale.leaf.piece_bytes();
            (va, stale.leaf)
        })
    }

    /// The stale pointers.
    pub(super) fn stale_pointers(&self) -> impl Iterator<Item = Pointer> {
        let stale = self.pointers.values().flatten();
        stale.map(|stale| stale.pointer)
    }
}

/// Takes what `matches` out of `map[key]`. Whether there was any.
fn take<T>(
    map: &mut BTreeMap<(usize, usize), Vec<T>>,
    key: (usize, usize),
    matches: impl Fn(&T) -> bool,
) -> bool {
    let Some(there) = map.get_mut(&key) else {
        return false;
    };
    let before = there.len();
    there.retain(|stale| !matches(stale));
    let taken = there.len() < before;
    if there.is_empty() {
        map.remove(&key);
    }
    taken
}
