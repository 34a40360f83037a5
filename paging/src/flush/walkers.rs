//! [`Walkers`]: the readers that walk shared tables by software, and the unlinked tables that they
//! may still stand in. A reclamation scheme like RCU's, with two phases for grace periods.
//!
//! A reader's walk takes no lock, and the one writer waits for nobody. So a table that the writer
//! has unlinked, and that no TLB leads to any more, may still be read by a walk in progress: on
//! another core, or in code that the writer interrupted, or that called the writer.
//!
//! 1. A reader counts itself in one of two *phases*, and only then reads the first entry. When it
//!    is done, it takes itself out.
//! 2. The writer unlinks tables and invalidates. Then it looks at the counts. If nobody walks,
//!    the tables go back at once, as they always do in a tree of its own.
//! 3. Otherwise they are emptied, so that whoever stands there finds nothing, and wait: in a list
//!    of *newer* tables, which becomes the list of *older* ones when that is empty.
//! 4. A table may go when each of the two counts has been seen at zero, once, after the table was
//!    unlinked: whoever could know it was counted in one of them then, and has left.
//! 5. Readers that come are sent to the phase that has been seen at zero already. So the other one
//!    runs empty, however many readers follow each other: no walk waits for ever for a table, and
//!    no table for more than the walks that had begun.
//!
//! # Example
//! Readers A and B, and a writer that unlinks the tables at 0x8000_5000 and 0x8000_6000. The counts
//! are those of the phases 0 and 1:
//!
//! | what happens | counts | older | newer | new readers go to |
//! |---|---|---|---|---|
//! | A begins | 1, 0 | – | – | phase 0 |
//! | 0x8000_5000 is unlinked | 1, 0 | 0x8000_5000, phase 1 was seen at zero | – | phase 1 |
//! | B begins | 1, 1 | 0x8000_5000 | – | phase 1 |
//! | 0x8000_6000 is unlinked | 1, 1 | 0x8000_5000 | 0x8000_6000 | phase 1 |
//! | A ends, and the writer looks | 0, 1 | 0x8000_6000, phase 0 was seen | – (0x8000_5000 is free) | phase 0 |
//! | B ends, and the writer looks | 0, 0 | – (0x8000_6000 is free) | – | phase 0 |
//!
//! # Why a reader that is not seen does not see
//! A reader adds to a count, then reads links; the writer stores links, then reads the counts. Each
//! has a fence between (`dmb ish`), without which both might read what was before: stores wait in
//! the buffers of their cores. With them, either the writer finds the reader counted, or the reader
//! finds the link gone. It does not matter in which phase a reader counts itself that was slow to
//! do so, because the writer looks at both. What a reader has read, it has read before it takes
//! itself out (release), and the writer goes on after it has seen that (acquire).
//!
//! Both races were run through herd7 with Arm's model of memory order (`aarch64.cat`, ArmARM
//! rules), in the instructions that rustc makes of them for a Cortex-A53. The reader enters while
//! the writer unlinks its table and writes something else (2) to it:
//!
//! ```text
//! { link=1; count=0; table=1; 0:X0=link; 0:X1=count; 0:X2=table; 1:X0=link; 1:X1=count; 1:X2=table; }
//!  P0: enter, then follow the link | P1: unlink, retire, reuse ;
//!  LDXR W3,[X1]                    | MOV W3,#0                 ;
//!  ADD W3,W3,#1                    | STR W3,[X0]               ;
//!  STXR W4,W3,[X1]                 | DMB ISH                   ;
//!  CBNZ W4,L9                      | LDAR W5,[X1]              ;
//!  DMB ISH                         | CBNZ W5,L8                ;
//!  LDR W6,[X0]                     | MOV W6,#2                 ;
//!  CBZ W6,L9                       | STR W6,[X2]               ;
//!  EOR W9,W6,W6                    | L8:                       ;
//!  LDR W7,[X2,W9,SXTW]             |                           ;
//!  L9:                             |                           ;
//! exists (0:X4=0 /\ 0:X6=1 /\ 0:X7=2)
//! ```
//!
//! And it leaves while the writer looks: `LDR W7,[X2]`, then the count less one by `LDXR` and
//! `STLXR`, beside `LDAR W5,[X1]`, `CBNZ W5,L8` and the store of 2.
//!
//! | as it is, or with one instruction weaker | the reader reads what was written to the freed table |
//! |---|---|
//! | both as they are | never |
//! | no `DMB ISH`, or `DMB ISHLD`, in the reader | sometimes: it reads the link before it is counted |
//! | no `DMB ISH`, or `DMB ISHST`, in the writer | sometimes: it reads the count before the link is gone |
//! | `STXR` in place of `STLXR` in the reader | sometimes: it is gone before it has read |
//! | `LDR` in place of `LDAR` in the writer | never: its stores depend on the count; it is there for Rust's model |
//!
//! # Invariants
//! The lists belong to whoever holds the writer's right, or the tables alone: nobody else touches
//! them. They are atomics because the tables' owner is shared between threads.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use crate::node::frame_chain::FrameChain;
use crate::node::geometry::entries;
use crate::node::memory::Table;
use crate::{GenericPTE, PagingHandler, PagingMetaData};

/// A set of the two phases, a bit for each.
type Phases = usize;

const BOTH: Phases = 0b11;

/// The readers that walk, and the tables that wait for them.
pub(crate) struct Walkers {
    /// How many walks began in each phase, and go on.
    walking: [AtomicUsize; 2],
    /// In which phase walks begin.
    phase: AtomicUsize,
    /// The phases that were seen at zero after the last of the older tables was unlinked.
    seen: AtomicUsize,
    older: AtomicU64,
    newer: AtomicU64,
}

/// A walk: no table that it can come to is freed before this is dropped.
///
/// If it is leaked, tables that are unlinked later stay allocated as long as those that they were
/// shared with.
#[must_use = "the walk ends when this is dropped"]
pub struct WalkGuard<'walkers> {
    count: &'walkers AtomicUsize,
}

impl Drop for WalkGuard<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Release);
    }
}

impl Walkers {
    pub(crate) const fn new() -> Self {
        Self {
            walking: [AtomicUsize::new(0), AtomicUsize::new(0)],
            phase: AtomicUsize::new(0),
            seen: AtomicUsize::new(0),
            older: AtomicU64::new(0),
            newer: AtomicU64::new(0),
        }
    }

    /// A reader begins to walk.
    pub(crate) fn enter(&self) -> WalkGuard<'_> {
        let [first, second] = &self.walking;
        let count = match self.phase.load(Ordering::Relaxed) {
            0 => first,
            _ => second,
        };
        count.fetch_add(1, Ordering::Relaxed);
        // Before the first link is read: see the head of this file.
        fence(Ordering::SeqCst);
        WalkGuard { count }
    }

    /// The phases in which nobody walks.
    fn empty_phases(&self) -> Phases {
        let [first, second] = &self.walking;
        let is_empty = |count: &AtomicUsize| usize::from(count.load(Ordering::Acquire) == 0);
        is_empty(first) | is_empty(second) << 1
    }

    /// Takes the tables in `freed` over, which neither links nor TLBs lead to, and gives back what
    /// no reader can stand in.
    pub(crate) fn retire<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
        &self,
        freed: &mut FrameChain<M, PTE, H>,
    ) {
        // After the last link was stored: see the head of this file.
        fence(Ordering::SeqCst);
        let empty = self.empty_phases();
        if empty == BOTH {
            freed.release();
            self.release_all::<M, PTE, H>();
            return;
        }
        let mut newer = take::<M, PTE, H>(&self.newer);
        while let Some(pa) = freed.pop() {
            make_empty(Table::<M, PTE, H>::at(pa));
            newer.push(pa);
        }
        let mut seen = self.seen.load(Ordering::Relaxed) | empty;
        if seen == BOTH {
            take::<M, PTE, H>(&self.older).release();
        }
        if self.older.load(Ordering::Relaxed) == 0 {
            // They were unlinked before the counts were read.
            self.older.store(newer.into_bits(), Ordering::Relaxed);
            seen = empty;
        } else {
            self.newer.store(newer.into_bits(), Ordering::Relaxed);
        }
        self.seen.store(seen, Ordering::Relaxed);
        // New walks enter the phase that nobody waits for, so that the other one drains.
        let phase = usize::from(seen & 1 == 0);
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// Gives all tables back: nobody walks.
    pub(crate) fn release_all<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(&self) {
        for list in [&self.older, &self.newer] {
            take::<M, PTE, H>(list).release();
        }
        self.seen.store(0, Ordering::Relaxed);
    }

    /// How many tables wait.
    pub(crate) fn waiting<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(&self) -> usize {
        let lists = [&self.older, &self.newer];
        let chains =
            lists.map(|list| FrameChain::<M, PTE, H>::from_bits(list.load(Ordering::Relaxed)));
        chains.iter().map(FrameChain::len).sum()
    }
}

/// Takes the frames out of `list`.
fn take<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    list: &AtomicU64,
) -> FrameChain<M, PTE, H> {
    let bits = list.load(Ordering::Relaxed);
    list.store(0, Ordering::Relaxed);
    FrameChain::from_bits(bits)
}

/// Empties a table for those that still stand in it. Its first entry is the list's.
fn make_empty<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(table: Table<M, PTE, H>) {
    for index in 1..entries::<M>() {
        table.store(index, PTE::from_bits(0));
    }
}
