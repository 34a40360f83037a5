//! A table whose every store, barrier and invalidation the machine sees.
#![forbid(unsafe_code)]

use crate::tests::spaces::set_asid;
use core::any::Any;
use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use std::vec::Vec;

use super::apply::{Frames, Tree, batch, one};
use super::beside::Readers;
use super::steps::{Owner, Receipt, Step};
use crate::format::aarch64_tlb::{Barrier, Tlbi};
use crate::tests::formats::Format;
use crate::tests::memory::{self, begin_operation, live_frames, record_all};
use crate::tests::oracle::{Event, Machine, TlbiForm, Violation};
use crate::{
    AddressSpace, Asid, Maintenance as _, PagingError, PagingMetaData, PrivateTop, Sharing, Unsound,
};

/// What was found to be wrong, and by whom.
#[derive(Debug)]
pub(super) enum Fault {
    /// The machine.
    Oracle(Violation),
    /// The memory, which is strict, or the table itself.
    Panic(String),
    /// The check of a tree's invariants.
    Unsound(Unsound),
    /// The count of frames.
    Lost(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oracle(violation) => write!(f, "oracle: {violation}"),
            Self::Panic(message) => write!(f, "panic: {message}"),
            Self::Unsound(unsound) => write!(f, "check: {unsound}"),
            Self::Lost(frames) => write!(f, "{frames} frames are in use and no table"),
        }
    }
}

/// How often what happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: usize,
    pub(super) refused: usize,
    pub(super) no_memory: usize,
    pub(super) leaked: usize,
    pub(super) handed_over: usize,
    pub(super) batches: usize,
    pub(super) merged: usize,
    pub(super) broken: usize,
    pub(super) tables_freed: usize,
    pub(super) by_address: usize,
    pub(super) everything: usize,
    pub(super) contiguous: usize,
    pub(super) inaccessible: usize,
    /// Of readers, beside the writer.
    pub(super) walks: usize,
}

pub(super) struct Watched<F: Format, S: Sharing<F::M, F::PTE, memory::Frames> = PrivateTop> {
    table: Tree<F, S>,
    machine: Machine,
    /// Whether a receipt was leaked since the last flush.
    leaked: bool,
    /// Who reads what the tree shares.
    readers: Option<Readers<F>>,
    /// How many frames are in use that the tree's own check does not count.
    others: fn(&mut Tree<F, S>) -> usize,
    pub(super) tally: Tally,
}

impl<F: Format> Watched<F> {
    pub(super) fn new(owner: &Owner) -> Self {
        let mut table = F::table();
        set_asid(&mut table, owner.asid.map(Asid::new));
        let root = table.root_paddr().as_usize();
        Self {
            table,
            machine: if F::M::CACHES_INVALID {
                Machine::new(root, owner.base, owner.asid).caching_absence()
            } else {
                Machine::new(root, owner.base, owner.asid)
            },
            leaked: false,
            readers: None,
            others: |_| 0,
            tally: Tally::default(),
        }
    }
}

impl<F: Format, S: Sharing<F::M, F::PTE, memory::Frames>> Watched<F, S> {
    /// A tree that `readers` share, with a machine that knows of it.
    pub(super) fn shared(
        table: Tree<F, S>,
        machine: Machine,
        readers: Readers<F>,
        others: fn(&mut Tree<F, S>) -> usize,
    ) -> Self {
        Self {
            table,
            machine,
            leaked: false,
            readers: Some(readers),
            others,
            tally: Tally::default(),
        }
    }

    /// Takes a step and shows the machine what was done.
    pub(super) fn take(&mut self, step: &Step) -> Result<(), Fault> {
        if let Some(readers) = &mut self.readers
            && let Some(event) = readers.stir()
        {
            self.tally.walks += usize::from(matches!(event, Event::BeginWalk(_)));
            self.feed(event)?;
        }
        let (outcome, events) =
            record_all(|| catch_unwind(AssertUnwindSafe(|| self.carry_out(step))));
        for event in events {
            self.show(event).map_err(Fault::Oracle)?;
        }
        let released = outcome.map_err(|panic| Fault::Panic(message(panic)))?;
        for (frame, bytes) in released {
            self.feed(Event::Released { frame, bytes })?;
        }
        if !self.leaked {
            self.feed(Event::Done)?;
        }
        Ok(())
    }

    fn feed(&mut self, event: Event) -> Result<(), Fault> {
        self.machine.feed(&event).map_err(Fault::Oracle)
    }

    /// Shows the machine what happened.
    fn show(&mut self, event: memory::Event) -> Result<(), Violation> {
        let event = match event {
            memory::Event::Store { table, index, bits } => Event::Store {
                address: table + index * size_of::<u64>(),
                bits,
            },
            memory::Event::Zero(frame) => {
                let words = (frame..frame + crate::addr::PAGE_SIZE).step_by(size_of::<u64>());
                return words
                    .into_iter()
                    .try_for_each(|address| self.machine.feed(&Event::Store { address, bits: 0 }));
            }
            memory::Event::Alloc(frame) => Event::Alloc { frame },
            memory::Event::Free(frame) => {
                self.tally.tables_freed += 1;
                Event::Free { frame }
            }
            memory::Event::Barrier(barrier) => self::barrier(barrier),
            memory::Event::Tlbi(form, operand) => self.tlbi(form, operand),
            memory::Event::BeginBreak { start, bytes } => {
                self.tally.broken += 1;
                Event::BeginBreak { start, bytes }
            }
            memory::Event::EndBreak => Event::EndBreak,
            memory::Event::HandOver => {
                self.tally.handed_over += 1;
                Event::HandOver
            }
            memory::Event::Released(frame, bytes) => Event::Released { frame, bytes },
            other => panic!("{other:?} is not what A64 executes"),
        };
        self.machine.feed(&event)
    }

    fn tlbi(&mut self, form: Tlbi, operand: u64) -> Event {
        let (form, count) = match form {
            Tlbi::Vaae1is => (TlbiForm::Vaae1is, &mut self.tally.by_address),
            Tlbi::Vaale1is => (TlbiForm::Vaale1is, &mut self.tally.by_address),
            Tlbi::Vae1is => (TlbiForm::Vae1is, &mut self.tally.by_address),
            Tlbi::Vale1is => (TlbiForm::Vale1is, &mut self.tally.by_address),
            Tlbi::Aside1is => (TlbiForm::Aside1is, &mut self.tally.everything),
            Tlbi::Vmalle1is => (TlbiForm::Vmalle1is, &mut self.tally.everything),
            Tlbi::Vmalle1 => (TlbiForm::Vmalle1, &mut self.tally.everything),
        };
        *count += 1;
        Event::Tlbi { form, operand }
    }

    /// Takes a step. Returns the frames that the caller has back.
    fn carry_out(&mut self, step: &Step) -> Vec<Frames> {
        match step {
            Step::SetAsid(asid) => {
                set_asid(&mut self.table, asid.map(Asid::new));
                if asid.is_some() {
                    invalidate_all::<F>();
                }
                self.leaked = false;
                Vec::new()
            }
            Step::Batch(operations) => {
                self.tally.batches += 1;
                self.leaked = false;
                let (done, released) = batch::<F, S>(&mut self.table, operations);
                self.tally.done += done;
                self.tally.refused += operations.len() - done;
                released
            }
            Step::One(operation, receipt, frames) => {
                begin_operation(*frames);
                match one::<F, S>(&mut self.table, *operation, *receipt) {
                    Ok(outcome) => {
                        self.tally.done += 1;
                        self.tally.merged += usize::from(outcome.merged);
                        self.leaked = *receipt == Receipt::Forget;
                        self.tally.leaked += usize::from(self.leaked);
                        if self.leaked {
                            Vec::new()
                        } else {
                            outcome.released
                        }
                    }
                    Err(error) => {
                        self.tally.refused += 1;
                        self.tally.no_memory += usize::from(error == PagingError::NoMemory);
                        Vec::new()
                    }
                }
            }
        }
    }

    /// Checks the tree, and that no frame is lost.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        let summary = self.table.check().map_err(Fault::Unsound)?;
        self.tally.contiguous = self.tally.contiguous.max(summary.contiguous);
        self.tally.inaccessible = self.tally.inaccessible.max(summary.inaccessible);
        let (others, events) = record_all(|| (self.others)(&mut self.table));
        for event in events {
            self.show(event).map_err(Fault::Oracle)?;
        }
        match live_frames().saturating_sub(summary.tables + others) {
            lost if lost > 0 && !self.leaked => Err(Fault::Lost(lost)),
            _ => Ok(()),
        }
    }
}

/// What is the caller's when a tree that was used without an ASID gets one.
fn invalidate_all<F: Format>() {
    type Maintenance<F> = <<F as Format>::M as PagingMetaData>::Maintenance;
    Maintenance::<F>::begin_invalidation();
    Maintenance::<F>::invalidate_all(AddressSpace::All);
    Maintenance::<F>::end_invalidation();
}

const fn barrier(barrier: Barrier) -> Event {
    match barrier {
        Barrier::DmbIshst => Event::DmbIshst,
        Barrier::DsbIshst => Event::DsbIshst,
        Barrier::DsbIsh => Event::DsbIsh,
        Barrier::DsbNsh => Event::DsbNsh,
        Barrier::Isb => Event::Isb,
    }
}

fn message(panic: std::boxed::Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().unwrap_or(&"?").to_string(),
    }
}
