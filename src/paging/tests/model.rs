//! The model: leaves by page number, and nothing else. Counts in pages, knows no descriptor.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::paging::MappingFlags;

/// Pages of a leaf of each size, the largest first; the number of tables above it is the index
/// plus one.
pub(super) const SIZES: [usize; 3] = [1 << 18, 1 << 9, 1];

/// A leaf: `pages` from some page on are mapped to the frames from `frame` on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ModelLeaf {
    pub(super) pages: usize,
    pub(super) frame: usize,
    pub(super) flags: MappingFlags,
}

/// What an operation does to the model.
#[derive(Debug, Default)]
pub(super) struct Plan {
    remove: Vec<usize>,
    insert: Vec<(usize, ModelLeaf)>,
    /// Tables that must be allocated.
    pub(super) tables: usize,
    /// Pages concerned.
    pub(super) pages: usize,
}

#[derive(Default)]
pub(super) struct Model {
    leaves: BTreeMap<usize, ModelLeaf>,
    /// For each table but the root, by level and place, the leaves below it.
    tables: BTreeMap<(usize, usize), usize>,
}

/// The tables below the root on the way to a leaf of `pages` at `page`: level and place.
fn tables_above(page: usize, pages: usize) -> impl Iterator<Item = (usize, usize)> {
    let shifts = [27, 18, 9];
    let count = SIZES.iter().take_while(|size| **size >= pages).count();
    (0..count).map(move |table| (table + 1, page >> shifts[table]))
}

impl Model {
    /// All leaves in order.
    pub(super) fn leaves(&self) -> impl Iterator<Item = (usize, &ModelLeaf)> {
        self.leaves.iter().map(|(page, leaf)| (*page, leaf))
    }

    /// Tables of the tree, the root included.
    pub(super) fn count_tables(&self) -> usize {
        1 + self.tables.len()
    }

    /// The leaf that covers `page`, and where it starts.
    pub(super) fn covering(&self, page: usize) -> Option<(usize, ModelLeaf)> {
        let (start, leaf) = self.leaves.range(..=page).next_back()?;
        (page < start + leaf.pages).then_some((*start, *leaf))
    }

    /// The first page of `start..end` that is mapped.
    pub(super) fn first_mapped(&self, start: usize, end: usize) -> Option<usize> {
        if self.covering(start).is_some() {
            return Some(start);
        }
        self.next_leaf(start).filter(|page| *page < end)
    }

    /// Where the first leaf at `page` or later starts.
    pub(super) fn next_leaf(&self, page: usize) -> Option<usize> {
        self.leaves.range(page..).next().map(|(page, _)| *page)
    }

    /// Maps `pages` from `page` on in leaves of at most `largest` pages.
    pub(super) fn plan_map(&self, page: usize, leaf: ModelLeaf, largest: usize) -> Plan {
        let mut plan = Plan {
            pages: leaf.pages,
            ..Plan::default()
        };
        let mut new_tables = BTreeSet::new();
        let mut done = 0;
        while done < leaf.pages {
            let (at, frame) = (page + done, leaf.frame + done);
            let fits = |size: &&usize| {
                **size <= largest
                    && at % **size == 0
                    && frame % **size == 0
                    && done + **size <= leaf.pages
            };
            let pages = SIZES.iter().find(fits).copied().unwrap_or(1);
            plan.insert.push((
                at,
                ModelLeaf {
                    pages,
                    frame,
                    ..leaf
                },
            ));
            new_tables
                .extend(tables_above(at, pages).filter(|table| !self.tables.contains_key(table)));
            done += pages;
        }
        plan.tables = new_tables.len();
        plan
    }

    /// Puts `new` where the leaf that starts at `page` is, or nothing.
    pub(super) fn plan_replace(page: usize, new: Option<ModelLeaf>) -> Plan {
        Plan {
            remove: Vec::from([page]),
            insert: new.map(|leaf| (page, leaf)).into_iter().collect(),
            ..Plan::default()
        }
    }

    /// Gives what is mapped in `start..end` these flags, or unmaps it.
    pub(super) fn plan_change(
        &self,
        start: usize,
        end: usize,
        flags: Option<MappingFlags>,
    ) -> Plan {
        let mut plan = Plan::default();
        if start == end {
            return plan;
        }
        let first = self.covering(start).map_or(start, |(page, _)| page);
        for (&page, &leaf) in self.leaves.range(first..end) {
            plan.pages += end.min(page + leaf.pages) - start.max(page);
            if flags != Some(leaf.flags) {
                plan.remove.push(page);
                change_leaf(page, leaf, (start, end, flags), &mut plan);
            }
        }
        plan
    }

    pub(super) fn apply(&mut self, plan: Plan) {
        for page in plan.remove {
            let leaf = self.leaves.remove(&page).unwrap();
            for table in tables_above(page, leaf.pages) {
                let below = self.tables.get_mut(&table).unwrap();
                *below -= 1;
                if *below == 0 {
                    self.tables.remove(&table);
                }
            }
        }
        for (page, leaf) in plan.insert {
            for table in tables_above(page, leaf.pages) {
                *self.tables.entry(table).or_default() += 1;
            }
            assert!(self.leaves.insert(page, leaf).is_none());
        }
    }
}

/// Splits `leaf` as far as the edges of the range ask for; changes what lies inside.
fn change_leaf(
    page: usize,
    leaf: ModelLeaf,
    change: (usize, usize, Option<MappingFlags>),
    plan: &mut Plan,
) {
    let (start, end, flags) = change;
    if page + leaf.pages <= start || end <= page {
        plan.insert.push((page, leaf));
    } else if start <= page && page + leaf.pages <= end {
        let changed = flags.map(|flags| (page, ModelLeaf { flags, ..leaf }));
        plan.insert.extend(changed);
    } else {
        plan.tables += 1;
        let pages = leaf.pages / 512;
        for part in 0..512 {
            let frame = leaf.frame + part * pages;
            let part = (
                page + part * pages,
                ModelLeaf {
                    pages,
                    frame,
                    ..leaf
                },
            );
            change_leaf(part.0, part.1, change, plan);
        }
    }
}
