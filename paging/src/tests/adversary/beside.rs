//! A writer's tree with readers beside it: they share most of what the writer does, under other
//! ASIDs, and walk it by software for as long as they like.
#![forbid(unsafe_code)]

use crate::tests::spaces::set_asid;
use core::ops::Range;
use std::boxed::Box;
use std::vec::Vec;

use super::A64Low;
use super::steps::{Owner, ROOT};
use super::watch::Watched;
use crate::addr::PAGE_SIZE;
use crate::tests::formats::Format;
use crate::tests::memory::{Frames, word};
use crate::tests::model::operation::Random;
use crate::tests::oracle::{Event, Machine};
use crate::tests::unit::share::{Reader, Top, Writer};
use crate::{Asid, SharedView, SharedWriter, TableView};

/// The entries of the root that are shared: the first; what lies beside them is the writer's own.
const SHARED: Range<usize> = 0..1;
/// Walks at a time.
const WALKS: usize = 3;

/// What a walk keeps.
type View<F> = SharedView<'static, TableView<<F as Format>::M, <F as Format>::PTE, Frames>>;

/// The readers: their walks, each with its number.
pub(super) struct Readers<F: Format> {
    reader: &'static Reader<'static, F>,
    walks: Vec<(usize, View<F>)>,
    begun: usize,
    random: Random,
}

impl<F: Format> Readers<F> {
    fn new(top: &'static Top<F>, seed: u64) -> Self {
        let mut reader = Reader::<F>::copy_from(top.reader()).unwrap();
        set_asid(&mut reader, Some(Asid::new(0x77)));
        Self {
            reader: Box::leak(Box::new(reader)),
            walks: Vec::new(),
            begun: 0,
            random: Random::new(seed),
        }
    }

    /// Begins a walk, or ends one; half of the time nobody walks.
    pub(super) fn stir(&mut self) -> Option<Event> {
        match self.random.below(16) {
            0 if self.walks.len() < WALKS => {
                self.begun += 1;
                self.walks.push((self.begun, self.reader.view()));
                Some(Event::BeginWalk(self.begun))
            }
            1 | 2 if !self.walks.is_empty() => {
                let which = self.random.below(self.walks.len());
                let (number, view) = self.walks.swap_remove(which);
                // Whatever was done meanwhile, a walk comes to an end.
                let _ = view.iter(..).count();
                Some(Event::EndWalk(number))
            }
            _ => None,
        }
    }
}

/// What a machine sees before its writer begins: the shared tables, empty, below the writer's root.
fn before(top: &Top<A64Low>, root: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for table in top.tables() {
        let frame = table.as_usize();
        events.push(Event::Alloc { frame });
        let words = (frame..frame + PAGE_SIZE).step_by(size_of::<u64>());
        events.extend(words.map(|address| Event::Store { address, bits: 0 }));
    }
    events.push(Event::DmbIshst);
    events.extend(SHARED.map(|index| Event::Store {
        address: root + index * size_of::<u64>(),
        bits: word(root, index),
    }));
    events.extend([Event::DsbIshst, Event::Isb, Event::Done]);
    events
}

/// The writer of [`SHARED`], with readers beside it. What is shared stays for as long as the
/// thread.
pub(super) fn watched(
    owner: &Owner,
    seed: u64,
) -> Watched<A64Low, SharedWriter<'static, <A64Low as Format>::M, <A64Low as Format>::PTE, Frames>>
{
    let bytes = SHARED.len() * ROOT;
    let top = Top::<A64Low>::try_new(A64Low::va(SHARED.start * ROOT), bytes).unwrap();
    let top: &'static Top<A64Low> = Box::leak(Box::new(top));
    let mut table = Writer::<A64Low>::copy_from(top.writer().unwrap()).unwrap();
    set_asid(&mut table, owner.asid.map(Asid::new));
    let readers = Readers::new(top, seed);
    let root = table.root_paddr().as_usize();
    let lent = owner.base + SHARED.start * ROOT..owner.base + SHARED.end * ROOT;
    let mut machine = Machine::new(root, owner.base, owner.asid).lending(lent);
    for event in before(top, root) {
        machine.feed(&event).expect("what is there is right");
    }
    // The table of what is shared, which no walk meets, the reader's root, and what waits.
    Watched::shared(table, machine, readers, |table| 2 + table.reclaim())
}
