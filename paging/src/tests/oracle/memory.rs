//! Table memory as walkers may see it, and where they meet it.
//!
//! A table that no walk reaches needs only two facts a word: what was stored last, and whether a
//! walker that comes by a link stored *now* could still read something older there. In a table
//! that walks reach, a word has every value that no `dsb` has made old yet.

use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::vec::Vec;

use super::descriptor::{Descriptor, ENTRIES, decode, level_bytes};

/// Bytes of a table.
const TABLE_BYTES: usize = ENTRIES * WORD_BYTES;
const WORD_BYTES: usize = size_of::<u64>();

/// The address from which a table translates, and its level: where walks meet it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) va: usize,
    pub(super) level: usize,
}

impl Place {
    /// The first address that entry `index` translates.
    pub(super) const fn slot(self, index: usize) -> usize {
        self.va + index * level_bytes(self.level)
    }
}

/// A word of table memory.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Word {
    pub(super) table: usize,
    pub(super) index: usize,
}

impl Word {
    pub(super) const fn address(self) -> usize {
        self.table + self.index * WORD_BYTES
    }
}

/// A set of the words of one table.
#[derive(Clone)]
struct WordSet([u64; ENTRIES / 64]);

impl WordSet {
    const NONE: Self = Self([0; ENTRIES / 64]);
    const ALL: Self = Self([u64::MAX; ENTRIES / 64]);

    const fn insert(&mut self, index: usize) {
        self.0[index / 64] |= 1 << (index % 64);
    }

    /// Takes `index` out; whether it was in.
    const fn remove(&mut self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        let was_in = self.0[index / 64] & bit != 0;
        self.0[index / 64] &= !bit;
        was_in
    }

    fn first(&self) -> Option<usize> {
        let part = self.0.iter().position(|part| *part != 0)?;
        Some(part * 64 + self.0[part].trailing_zeros() as usize)
    }
}

/// A frame that is or was a table.
#[derive(Clone)]
struct Table {
    owned: bool,
    words: Box<[u64; ENTRIES]>,
    /// Words that nobody has stored to since the frame was allocated.
    unknown: WordSet,
    /// Words in which a walker may find garbage or an older valid descriptor, because no barrier
    /// has followed the store. Empty while walks reach the table.
    unordered: WordSet,
    /// Where walks meet the table, and for each place, how many links and cached pointers lead
    /// there.
    places: Vec<(Place, usize)>,
}

/// Why a walk must not come to a table.
pub(super) enum Unfit {
    /// It is not a frame of the tree.
    Foreign,
    /// Nothing was stored to this word.
    Unknown(usize),
    /// What was stored to this word is not ordered before what follows.
    Unordered(usize),
}

/// Whose stores a barrier waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whose {
    /// Those of the core that executes it.
    Own,
    /// Those of the writers before it, too.
    All,
}

/// All tables.
#[derive(Clone, Default)]
pub(super) struct ObservedMemory {
    tables: HashMap<usize, Table>,
    /// For words of tables that walks reach: the values before the last, oldest first, that a
    /// walker may still see.
    older: BTreeMap<Word, Vec<u64>>,
    /// Older values of words that earlier writers stored: this writer's barriers do not order them.
    inherited: BTreeMap<Word, Vec<u64>>,
    /// Tables with unordered words.
    unordered: Vec<usize>,
}

impl ObservedMemory {
    /// Takes the frame at `frame`, with unknown contents. Whether it was free.
    pub(super) fn allocate(&mut self, frame: usize) -> bool {
        let table = self.tables.entry(frame).or_insert_with(|| Table {
            owned: false,
            words: Box::new([0; ENTRIES]),
            unknown: WordSet::ALL,
            unordered: WordSet::NONE,
            places: Vec::new(),
        });
        table.unknown = WordSet::ALL;
        table.unordered = WordSet::NONE;
        !core::mem::replace(&mut table.owned, true)
    }

    /// Takes the frame at `frame`, all zero, as the root at `place`.
    pub(super) fn install_root(&mut self, frame: usize, place: Place) {
        self.allocate(frame);
        let table = self.table_mut(frame);
        table.unknown = WordSet::NONE;
        table.places.push((place, 1));
    }

    /// Gives an owned frame back.
    pub(super) fn free(&mut self, frame: usize) {
        self.table_mut(frame).owned = false;
    }

    /// Whether `frame` is allocated.
    pub(super) fn is_owned(&self, frame: usize) -> bool {
        self.tables.get(&frame).is_some_and(|table| table.owned)
    }

    /// The word at `address`, if it is in an allocated frame.
    pub(super) fn locate(&self, address: usize) -> Option<Word> {
        let word = Word {
            table: address & !(TABLE_BYTES - 1),
            index: address % TABLE_BYTES / WORD_BYTES,
        };
        (self.is_owned(word.table) && word.address() == address).then_some(word)
    }

    fn table(&self, frame: usize) -> &Table {
        &self.tables[&frame]
    }

    fn table_mut(&mut self, frame: usize) -> &mut Table {
        let table = self.tables.get_mut(&frame);
        table.expect("a frame that was looked up before")
    }

    /// Where walks meet the table in `frame`.
    pub(super) fn places(&self, frame: usize) -> Vec<Place> {
        let table = self.tables.get(&frame);
        let places = table.into_iter().flat_map(|table| &table.places);
        places.map(|(place, _)| *place).collect()
    }

    /// The tables, but for the root, that walks meet at a place that is `wanted`.
    pub(super) fn tables_at(&self, wanted: impl Fn(&Place) -> bool) -> BTreeSet<usize> {
        let meets = |place: &Place| place.level > 0 && wanted(place);
        let tables = self.tables.iter();
        let met = tables.filter(|(_, table)| table.places.iter().any(|(place, _)| meets(place)));
        met.map(|(frame, _)| *frame).collect()
    }

    /// All words of a table as they were stored last.
    pub(super) fn words(&self, frame: usize) -> [u64; ENTRIES] {
        *self.table(frame).words
    }

    /// What was last stored to `word`, as a walk at `level` takes it.
    pub(super) fn latest(&self, word: Word, level: usize) -> Descriptor {
        decode(self.table(word.table).words[word.index], level)
    }

    /// Every valid descriptor that a walk at `level` may find in `word`, each once.
    pub(super) fn visible(&self, word: Word, level: usize) -> Vec<Descriptor> {
        let latest = self.table(word.table).words[word.index];
        let values = [&self.inherited, &self.older];
        let older = values.into_iter().filter_map(|older| older.get(&word));
        let older = older.flatten();
        let mut seen = Vec::new();
        for bits in older.chain([&latest]) {
            let descriptor = decode(*bits, level);
            if descriptor.is_valid() && !seen.contains(&descriptor) {
                seen.push(descriptor);
            }
        }
        seen
    }

    /// Words with values that a walker may still see although others were stored since.
    pub(super) fn older(&self) -> impl Iterator<Item = (&Word, &Vec<u64>)> {
        self.inherited.iter().chain(&self.older)
    }

    /// Whether a walker may still see something else in `word` than what was stored last.
    pub(super) fn is_older_seen(&self, word: Word) -> bool {
        self.inherited.contains_key(&word) || self.older.contains_key(&word)
    }

    /// Another core is the writer from now on.
    pub(super) fn hand_over(&mut self) {
        for (word, values) in core::mem::take(&mut self.older) {
            self.inherited.entry(word).or_default().extend(values);
        }
    }

    /// Stores to a word of a table that no walk reaches.
    pub(super) fn fill(&mut self, word: Word, bits: u64) {
        let table = self.table_mut(word.table);
        let old = core::mem::replace(&mut table.words[word.index], bits);
        let was_unknown = table.unknown.remove(word.index);
        if was_unknown || old & 1 != 0 && old != bits {
            if table.unordered.first().is_none() {
                self.unordered.push(word.table);
            }
            self.table_mut(word.table).unordered.insert(word.index);
        }
    }

    /// Stores to a word of a table that walks reach: what was there stays visible for now.
    pub(super) fn put(&mut self, word: Word, bits: u64) {
        let latest = &mut self.table_mut(word.table).words[word.index];
        let old = core::mem::replace(latest, bits);
        self.older.entry(word).or_default().push(old);
    }

    /// Stores bits that mean to a walker what was there before.
    pub(super) fn replace(&mut self, word: Word, bits: u64) {
        self.table_mut(word.table).words[word.index] = bits;
    }

    /// Orders all stores so far before all that follow: a walker that comes to a table by a link
    /// that is stored from now on sees the last value of each of its words.
    pub(super) fn order(&mut self) {
        for frame in core::mem::take(&mut self.unordered) {
            self.table_mut(frame).unordered = WordSet::NONE;
        }
    }

    /// Makes stores so far visible: no walker sees what was there before. Returns that.
    pub(super) fn publish(&mut self, whose: Whose) -> BTreeMap<Word, Vec<u64>> {
        self.order();
        let mut gone = core::mem::take(&mut self.older);
        let overwritten = |word: &Word| whose == Whose::All || gone.contains_key(word);
        let inherited = core::mem::take(&mut self.inherited).into_iter();
        let (old, left): (Vec<_>, Vec<_>) = inherited.partition(|(word, _)| overwritten(word));
        self.inherited = left.into_iter().collect();
        for (word, values) in old {
            gone.entry(word).or_default().extend(values);
        }
        gone
    }

    /// Adds a link or a cached pointer that leads to `frame` at `place`. Whether it is the first.
    pub(super) fn refer(&mut self, frame: usize, place: Place) -> Result<bool, Unfit> {
        let owned = self.tables.get_mut(&frame).filter(|table| table.owned);
        let table = owned.ok_or(Unfit::Foreign)?;
        if let Some((_, count)) = table.places.iter_mut().find(|(at, _)| *at == place) {
            *count += 1;
            return Ok(false);
        }
        if let Some(index) = table.unknown.first() {
            return Err(Unfit::Unknown(index));
        }
        if let Some(index) = table.unordered.first() {
            return Err(Unfit::Unordered(index));
        }
        table.places.push((place, 1));
        Ok(true)
    }

    /// Takes one of them away. Whether it was the last.
    pub(super) fn release(&mut self, frame: usize, place: Place) -> bool {
        let places = &mut self.table_mut(frame).places;
        let at = places.iter().position(|(at, _)| *at == place);
        let at = at.expect("a pointer leads to a place");
        places[at].1 -= 1;
        let last = places[at].1 == 0;
        if last {
            places.swap_remove(at);
        }
        last
    }
}
