//! The trace oracle: an adversarial machine that says whether a sequence of stores, barriers and
//! TLB invalidations is safe on AArch64. It knows the architecture and nothing of the room that
//! it judges: Arm DDI 0487 D8.3 (descriptors), D8.16 (TLB maintenance), D8.17 (break-before-make),
//! B2.3 (ordering of walks), C5.5 (operands); Cortex-A53 TRM DDI 0500, 5.2 (what its TLB holds).
//!
//! # The machine
//! Any number of cores, one of which, the writer, executes the trace. Every core's walker may
//! walk any address at any moment, and may keep every leaf and every table descriptor that it
//! read until an invalidation that covers it has completed; kept table descriptors are used for
//! walks again. A store becomes visible to the other walkers when it likes, but not after the
//! `dsb` that follows it has ended; whoever has seen a store after a `dmb` sees those before it.
//! An invalidation takes effect when it likes between its issue and the end of the next
//! `dsb ish`, in no order with other invalidations, and on each core at another time.
//!
//! # The abstraction
//! Exploring these interleavings is replaced by three sets, each a superset of what can be:
//!
//! * *Visible*: for each word of a table that walks reach, its last value and the older ones that
//!   no `dsb` has made old. A walk may find any combination of them.
//! * *Stale*: leaves and table descriptors that were visible once and are no longer, until an
//!   invalidation that was issued after they became so, and that covers them, has completed.
//! * *Reach*: where walks can meet a table, with the number of visible links and stale pointers
//!   that lead there. A table behind a stale pointer is visible as if it were linked.
//!
//! Whatever is visible is taken as cached at every moment: an invalidation cannot help against
//! what the next walk brings back, so nothing needs to be noted until the value stops being
//! visible, and then it is stale from that event on. That is why an invalidation before the
//! `dsb ishst` that publishes the store has no effect here, and why one that was issued but not
//! waited for has none.
//!
//! Why one set of caches is enough for all cores: entries enter a core's caches by walks alone
//! and leave them by invalidations alone. The core with the worst luck keeps everything, so its
//! caches include those of every other. It is early and late at once: it walked through each
//! store the moment it was made, and it walks through each older value up to the `dsb`; two
//! observers, one early and one late, add nothing that this one has not. The writer holds less
//! than that, because its own invalidations reach it at least; so a core-local invalidation
//! changes nothing for the worst core and has no effect here. Only what the writer must do for
//! itself is tracked apart: an `isb` after the last `dsb`, as the architecture without FEAT_ETS
//! demands before a completed invalidation holds for its own later instructions.
//!
//! Where the sets are larger than what can be: a `dmb` between two stores to tables that walks
//! reach is ignored, and only a `dsb` counts. Nothing in the protocols of this room leans on
//! that. Between the filling of a table and its link a `dmb` is honoured exactly: a table that
//! nothing visible leads to can only be reached by a link that is stored later, so whoever comes
//! sees all that was ordered before.
//!
//! # Invalidations and pointers
//! A stale pointer goes with any invalidation of its range that is not of the leaf form. While
//! it is there, walks find the leaves behind it and may cache them anew after their own
//! invalidation: invalidations between two `dsb` are not ordered. So a leaf that is still valid
//! in an unlinked table is gone only if one and the same invalidation reaches it and every
//! pointer on the way. Leaf forms for such leaves and one full form for their table are not
//! enough; they are if the leaves were made invalid before.
//!
//! # Several writers
//! [`Event::HandOver`] says that another core writes from now on. A `dsb ishst` waits for the
//! stores of the core that executes it alone: those of the one before stay as they were until a
//! `dsb ish`, which completes loads too, and so what the core that it was handed the tables by has
//! stored before. A core's own later store to the same word makes older ones old with it.
//!
//! # Machines that cache invalid entries
//! On RISC-V and LoongArch, a walker may keep what an invalid entry said.
//! [`Machine::caching_absence`] is an A64 machine with that habit: the rest of what it knows serves
//! for it unchanged. Once an entry became valid, and that is visible, what was kept of its absence
//! is stale. If a leaf took its place, an invalidation of any of the leaf's addresses removes it;
//! if a table did, one in the table's range that reaches pointers, and besides one for each valid
//! leaf in it, because the absence may have been kept for each address on its own.
//!
//! # Decisions
//! * By the manual, VAE1 and VALE1 reach global leaves, whatever the ASID. Here they do not:
//!   global leaves need a form for all ASIDs, so that nothing leans on an accident of encoding.
//! * A pointer that a walk to a global leaf may have cached may be global itself: see `globals`.
//! * A tree that has no ASID is walked under every ASID: no form with an ASID reaches it.
//! * An entry for a contiguous group is gone when each of its 16 addresses was invalidated, an
//!   entry for a 1 GiB block when each half was, and until then it covers all of its range.
//! * The access flag is as good as valid: a leaf without it is never cached.
//! * Where tables are shared with other trees, all that is held of them may be held under any ASID:
//!   no form with an ASID reaches it. Readers that walk by software are in `readers`.
//! * Not modelled: instruction and data caches, memory types of
//!   aliases, what the writer stands on. [`Event::BeginBreak`] and [`Event::EndBreak`] change
//!   nothing, as observers here do not hold still.
//!
//! The cost of an event is that of the words it touches; of a link or the loss of a table, that
//! of the table's 512 words.
#![forbid(unsafe_code)]

mod audit;
mod descriptor;
mod globals;
mod invalidate;
mod memory;
mod publish;
mod readers;
mod schedules;
mod tlb;
mod traces;
mod violation;

use core::ops::Range;
use std::collections::BTreeSet;
use std::vec::Vec;

use globals::Globals;
use memory::{ObservedMemory, Place, Whose};
use readers::Reader;
use tlb::{Time, Tlb};
pub(super) use violation::Violation;

/// Whether an event is forgiven.
type Checked = Result<(), Violation>;

/// What the writer does. Addresses are physical but for the range of a break.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// One 64-bit store to the word at `address`.
    Store {
        address: usize,
        bits: u64,
    },
    DmbIshst,
    DsbIshst,
    DsbIsh,
    DsbNsh,
    Isb,
    Tlbi {
        form: TlbiForm,
        operand: u64,
    },
    /// A frame for a table comes from the allocator, with unknown contents.
    Alloc {
        frame: usize,
    },
    /// It goes back.
    Free {
        frame: usize,
    },
    /// A frame that was mapped is handed to the caller as free.
    Released {
        frame: usize,
        bytes: usize,
    },
    /// Somebody begins to walk shared tables by software: a walk of this number.
    BeginWalk(usize),
    EndWalk(usize),
    /// Another core is the writer from now on: it was handed the tables, and so knows of all that
    /// was stored.
    HandOver,
    /// The receipts of all operations so far have issued what was pending.
    Done,
    /// Others are kept off these virtual addresses.
    BeginBreak {
        start: usize,
        bytes: usize,
    },
    EndBreak,
}

/// A TLBI instruction, by its name; without `is`, it reaches the writer alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TlbiForm {
    Vaae1is,
    Vaale1is,
    Vae1is,
    Vale1is,
    Aside1is,
    Vmalle1is,
    Vaae1,
    Vaale1,
    Vae1,
    Vale1,
    Aside1,
    Vmalle1,
}

/// What a form takes and reaches.
#[derive(Clone, Copy)]
struct Reach {
    core_local: bool,
    by_address: bool,
    leaves_only: bool,
    one_space: bool,
}

impl TlbiForm {
    const fn reach(self) -> Reach {
        use TlbiForm::{
            Aside1, Aside1is, Vaae1, Vaale1, Vaale1is, Vae1, Vae1is, Vale1, Vale1is, Vmalle1,
            Vmalle1is,
        };
        Reach {
            core_local: matches!(self, Vaae1 | Vaale1 | Vae1 | Vale1 | Aside1 | Vmalle1),
            by_address: !matches!(self, Aside1 | Aside1is | Vmalle1 | Vmalle1is),
            leaves_only: matches!(self, Vaale1 | Vaale1is | Vale1 | Vale1is),
            one_space: matches!(self, Vae1 | Vae1is | Vale1 | Vale1is | Aside1 | Aside1is),
        }
    }
}

/// The machine. After a violation its state means nothing.
#[derive(Clone)]
pub(super) struct Machine {
    root: usize,
    asid: Option<u16>,
    memory: ObservedMemory,
    tlb: Tlb,
    /// The number of the event that happens now.
    now: Time,
    /// The contiguous groups that were touched in this operation: table and number.
    groups: BTreeSet<(usize, usize)>,
    /// Whether a barrier has changed what holds since the last `isb`.
    unsynchronised: bool,
    /// What the last barriers made unreachable since the last `isb`: frames, and their bytes.
    lost: Vec<(usize, usize)>,
    globals: Globals,
    /// Addresses that other spaces translate by the same tables.
    lent: Range<usize>,
    readers: Vec<Reader>,
    /// Whether walkers may keep what they read in an invalid entry.
    caches_absence: bool,
}

impl Machine {
    /// A machine whose walkers begin at the table in frame `root`, all of it zero, which
    /// translates from `base` on for the address space `asid`; for all if it is `None`.
    pub(super) fn new(root: usize, base: usize, asid: Option<u16>) -> Self {
        let mut memory = ObservedMemory::default();
        memory.install_root(root, Place { va: base, level: 0 });
        Self {
            root,
            asid,
            memory,
            tlb: Tlb::default(),
            now: 0,
            groups: BTreeSet::new(),
            unsynchronised: false,
            lost: Vec::new(),
            globals: Globals::default(),
            lent: 0..0,
            readers: Vec::new(),
            caches_absence: false,
        }
    }

    /// Lets the walkers of this machine keep invalid entries, too.
    pub(super) fn caching_absence(mut self) -> Self {
        self.caches_absence = true;
        self
    }

    /// The writer goes one step on.
    ///
    /// # Errors
    /// What is wrong with it, or with what it comes too early or too late for.
    pub(super) fn feed(&mut self, event: &Event) -> Result<(), Violation> {
        self.now += 1;
        match *event {
            Event::Store { address, bits } => self.store(address, bits)?,
            Event::DmbIshst => self.memory.order(),
            Event::DsbIshst => self.publish(Whose::Own),
            Event::DsbIsh => {
                self.complete();
                self.publish(Whose::All);
            }
            Event::HandOver => self.memory.hand_over(),
            Event::Isb => {
                self.unsynchronised = false;
                self.lost.clear();
            }
            Event::Tlbi { form, operand } => self.invalidate(form, operand)?,
            Event::Alloc { frame } => {
                if !self.memory.allocate(frame) {
                    return Err(Violation::Foreign { address: frame });
                }
            }
            Event::Free { frame } => self.free(frame)?,
            Event::Released { frame, bytes } => self.release(frame, bytes)?,
            Event::BeginWalk(reader) => self.begin_walk(reader),
            Event::EndWalk(reader) => self.end_walk(reader),
            Event::Done => self.finish()?,
            // `dsb nsh` completes things for the writer alone.
            Event::DsbNsh | Event::BeginBreak { .. } | Event::EndBreak => {}
        }
        Ok(())
    }
}
