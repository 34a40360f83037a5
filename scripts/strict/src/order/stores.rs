//! The stores of one core that other observers do not see yet.
//!
//! A core's own loads see its stores at once; the other cores, table walkers and the GPU see each
//! when it drains. Stores drain late and out of order, as far as barriers let them:
//!
//! 1. `str x0, [data]`, then `str x1, [flag]`: both wait here. Either may drain first.
//! 2. `dmb ishst` between them: the second one belongs to a later group, and drains after the first.
//! 3. `dsb`: everything has drained when it is complete.
//!
//! Two stores to one line drain in their order (DDI 0487 B2.3.8, coherence).
//!
//! # Decisions
//! - A store-release lets all older stores drain first, as if a DMB stood before it.
//! - Stores to devices do not wait here: they may overtake the ones that do.

use crate::chance::Chance;
use crate::memory::{LINE, View};

/// A store that has not drained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Waiting {
    /// The physical address in RAM.
    pub(crate) address: u64,
    /// 1, 2, 4 or 8 bytes within one line, or a whole line.
    pub(crate) size: usize,
    /// The value, in its low bytes; those above 8 are 0.
    pub(crate) value: u64,
    /// The copy of RAM that it goes to.
    pub(crate) view: View,
    /// The virtual address of the instruction.
    pub(crate) at: u64,
    /// The number of store barriers before it.
    group: u32,
}

/// The stores of one core that have not drained, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct StoreBuffer {
    waiting: Vec<Waiting>,
    group: u32,
    /// The frames that were stored to since the last DMB or DSB, drained or not. A store-release
    /// orders what is older than itself alone.
    unordered: Unordered,
}

/// Frames, each once. More than these are stored to between two barriers where much is copied; then
/// the oldest is forgotten.
#[derive(Debug)]
struct Unordered {
    frames: [u64; FRAMES],
    next: usize,
    last: u64,
}

/// A table is cleared, accounted for and linked: half as many frames as this are stored to meanwhile.
const FRAMES: usize = 32;
/// No frame has this address.
const NO_FRAME: u64 = u64::MAX;

impl Unordered {
    const NONE: Self = Self {
        frames: [NO_FRAME; FRAMES],
        next: 0,
        last: NO_FRAME,
    };

    #[inline]
    fn add(&mut self, address: u64) {
        let frame = address & !0xfff;
        if self.last != frame {
            self.last = frame;
            self.add_other(frame);
        }
    }

    fn add_other(&mut self, frame: u64) {
        if !self.frames.contains(&frame) {
            self.frames[self.next % FRAMES] = frame;
            self.next += 1;
        }
    }
}

impl Default for Unordered {
    fn default() -> Self {
        Self::NONE
    }
}

/// The most stores that wait: the next one waits until an older one has drained.
const MOST: usize = 8;

impl StoreBuffer {
    /// Whether nothing waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the next store must wait for an older one to drain.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MOST
    }

    /// Adds the newest store.
    pub(crate) fn add(&mut self, (address, size): (u64, usize), value: u64, view: View, at: u64) {
        self.unordered.add(address);
        self.waiting.push(Waiting {
            address,
            size,
            value,
            view,
            at,
            group: self.group,
        });
    }

    /// Whether the frame at an address was stored to, and no barrier keeps that store from draining
    /// after the next one. It may have drained all the same.
    pub(crate) fn may_follow(&self, frame: u64) -> bool {
        self.unordered.frames.contains(&frame)
    }

    /// A barrier for stores: later ones drain after all that wait now.
    pub(crate) fn barrier(&mut self) {
        self.group = self.group.wrapping_add(1);
        self.unordered = Unordered::NONE;
    }

    /// The value of a load whose bytes in memory are `value`, with the core's own stores over it.
    pub(crate) fn over(&self, address: u64, size: usize, value: u64) -> u64 {
        let mut bytes = value.to_le_bytes();
        for store in &self.waiting {
            let (end, store_end) = (address + size as u64, store.address + store.size as u64);
            if store.address >= end || address >= store_end {
                continue;
            }
            for place in store.address.max(address)..store_end.min(end) {
                let above = 8 * (place - store.address) as u32;
                let byte = store.value.checked_shr(above).unwrap_or(0) as u8;
                bytes[(place - address) as usize] = byte;
            }
        }
        u64::from_le_bytes(bytes)
    }

    /// Takes the store that drains next, and whether it overtakes an older one: by chance one of the
    /// oldest group that no older store to its line precedes.
    pub(crate) fn drain(&mut self, chance: &mut Chance) -> Option<(Waiting, Overtakes)> {
        let group = self.waiting.first()?.group;
        let mut eligible = [0; MOST];
        let mut count = 0;
        for (index, store) in self.waiting.iter().enumerate().take(MOST) {
            let older = &self.waiting[..index];
            if store.group == group && older.iter().all(|other| line(other) != line(store)) {
                eligible[count] = index;
                count += 1;
            }
        }
        let index = eligible[chance.below(count as u64) as usize];
        let overtakes = match index {
            0 => Overtakes::No,
            _ => Overtakes::Yes,
        };
        Some((self.waiting.remove(index), overtakes))
    }

    /// Takes the oldest store to the line of an address; those before it in the line's order are
    /// taken first.
    pub(crate) fn drain_line(&mut self, address: u64) -> Option<Waiting> {
        let wanted = address / LINE as u64;
        let index = self
            .waiting
            .iter()
            .position(|store| line(store) == wanted)?;
        Some(self.waiting.remove(index))
    }

    /// Takes the oldest store.
    pub(crate) fn drain_oldest(&mut self) -> Option<Waiting> {
        match self.waiting.is_empty() {
            true => None,
            false => Some(self.waiting.remove(0)),
        }
    }
}

/// Whether a store drains before an older one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Overtakes {
    No,
    Yes,
}

fn line(store: &Waiting) -> u64 {
    store.address / LINE as u64
}

#[cfg(test)]
mod tests {
    use super::StoreBuffer;
    use crate::chance::Chance;
    use crate::memory::{LINE, View};

    const DATA: u64 = 0x1000;
    const FLAG: u64 = 0x2000;

    /// The addresses of two stores in the order in which they drain, for many seeds.
    fn orders(between: impl Fn(&mut StoreBuffer), second: u64) -> Vec<[u64; 2]> {
        let run = |seed| {
            let mut chance = Chance::new(seed, 0);
            let mut buffer = StoreBuffer::default();
            buffer.add((DATA, 8), 1, View::Cached, 0);
            between(&mut buffer);
            buffer.add((second, 8), 2, View::Cached, 4);
            [(); 2].map(|()| buffer.drain(&mut chance).expect("two wait").0.address)
        };
        let mut found: Vec<_> = (0..64).map(run).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn stores_overtake_each_other_unless_a_barrier_or_a_line_keeps_them() {
        assert_eq!(orders(|_| {}, FLAG), [[DATA, FLAG], [FLAG, DATA]]);
        assert_eq!(orders(StoreBuffer::barrier, FLAG), [[DATA, FLAG]]);
        assert_eq!(orders(|_| {}, DATA + 8), [[DATA, DATA + 8]]);
    }

    #[test]
    fn a_frame_is_unordered_until_a_barrier_even_if_it_has_drained() {
        let mut buffer = StoreBuffer::default();
        buffer.add((DATA, 8), 1, View::Cached, 0);
        buffer.add((FLAG, 8), 1, View::Cached, 4);
        assert!(buffer.drain_oldest().is_some());
        assert!(buffer.may_follow(DATA) && buffer.may_follow(FLAG));
        assert!(!buffer.may_follow(0x3000));
        buffer.barrier();
        assert!(!buffer.may_follow(DATA));
        // Stores that go to and fro between the stack and what is counted are two frames.
        buffer.add((DATA, LINE), 0, View::Cached, 0);
        for _ in 0..100 {
            buffer.add((FLAG, 8), 1, View::Cached, 4);
            buffer.add((FLAG + 0x1000, 8), 1, View::Cached, 8);
            while buffer.drain_oldest().is_some() {}
        }
        assert!(buffer.may_follow(DATA));
    }

    #[test]
    fn a_core_sees_its_own_stores() {
        let mut buffer = StoreBuffer::default();
        buffer.add((DATA, 4), 0x1122_3344, View::Cached, 0);
        buffer.add((DATA + 2, 1), 0xff, View::Cached, 0);
        assert_eq!(buffer.over(DATA, 8, u64::MAX), 0xffff_ffff_11ff_3344);
        assert_eq!(buffer.over(DATA + 3, 1, 0), 0x11);
        assert_eq!(buffer.over(DATA - 8, 8, 7), 7);
        buffer.add((DATA, LINE), 0, View::Cached, 0);
        assert_eq!(buffer.over(DATA + 56, 8, 7), 0);
        assert_eq!(buffer.over(DATA + 64, 8, 7), 7);
    }
}
