//! The parts that the cores share: RAM, devices, monitors, events, time.

use crate::board::{Board, CORES, Nanoseconds, Notice};
use crate::chance::Chance;
use crate::liberty::{Liberties, Liberty, Log, Taken};
use crate::memory::{Memory, Note};
use crate::order::Overwritten;
use crate::translate::History;
use crate::watch::{Event, Watch};

/// Parts of a nanosecond, so that one to four cores share an instruction's time without a rest.
pub(crate) const PARTS: u64 = 12;

/// An order to the other cores, which they follow before their next instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Broadcast {
    /// Nothing that was kept ready for an access is valid any more.
    Forget,
}

/// The shared parts of the machine.
pub(crate) struct Bus {
    /// RAM.
    pub(crate) memory: Memory,
    /// The devices.
    pub(crate) board: Board,
    /// Virtual time in parts of a nanosecond ([`PARTS`]), advanced by each instruction.
    pub(crate) time: u64,
    /// The virtual time of one instruction in parts, shared by the cores that run.
    pub(crate) step: u64,
    /// The liberties that are taken.
    pub(crate) liberties: Liberties,
    /// The last liberties that changed a value.
    pub(crate) log: Log,
    /// Decides about liberties that belong to no part.
    pub(crate) chance: Chance,
    /// Translations that cores may still use.
    pub(crate) history: History,
    /// The rules.
    pub(crate) watch: Watch,
    /// The core and the address of the last write to the mailbox.
    pub(crate) mailbox_writer: (usize, u64),
    /// The core and the address of the last write to a UART.
    pub(crate) serial_writer: (usize, u64),
    /// Values that loads may still see.
    pub(crate) overwritten: Overwritten,
    /// Each core's event register (DDI 0487 D1.6.1).
    pub(crate) events: [bool; CORES],
    /// Each core's exclusive monitor: the granule that it has marked.
    pub(crate) monitors: Monitors,
    /// Orders that a core has not followed yet.
    pub(crate) unheard: [Option<Broadcast>; CORES],
}

impl Bus {
    /// Virtual time in nanoseconds.
    pub(crate) fn now(&self) -> Nanoseconds {
        self.time / PARTS
    }

    /// The system counter, CNTPCT_EL0.
    pub(crate) fn counter(&self) -> u64 {
        self.board.counter(self.now())
    }

    /// Hands notes of memory and devices to the rules, as made by the instruction at `at`.
    pub(crate) fn judge_notes(&mut self, core: usize, at: u64) {
        self.judge_memory(core, at);
        for notice in self.board.take_notices() {
            self.watch.notice(core, at, notice);
        }
    }

    /// Hands over notes that time alone has made: a request that is answered, or a byte that leaves,
    /// is its writer's.
    pub(crate) fn judge_late_notes(&mut self) {
        let (core, at) = self.mailbox_writer;
        self.judge_memory(core, at);
        for notice in self.board.take_notices() {
            let (core, at) = match notice {
                Notice::Garbled { .. } | Notice::NotHeard { .. } => self.serial_writer,
                _ => self.mailbox_writer,
            };
            self.watch.notice(core, at, notice);
        }
    }

    fn judge_memory(&mut self, core: usize, at: u64) {
        for note in self.memory.take_notes() {
            let event = match note {
                Note::DirtyOverFresh(address) => Event::DirtyOverFresh(address),
                Note::UncleanRead(address) => Event::UncleanRequest(address),
                Note::CleanOverFresh(address) => Event::CleanOverFresh(address),
                Note::Fetched { line, unclean } => Event::FetchedUnclean { line, unclean },
                Note::MixedUse(address) => Event::MixedUse(address),
                Note::OldBytes(address) => {
                    self.took(Liberty::Caches, (core, at), address);
                    continue;
                }
            };
            self.watch.event(core, at, event);
        }
    }

    /// Notes a liberty of the instruction at `at` that changed a value.
    pub(crate) fn took(&mut self, liberty: Liberty, (core, at): (usize, u64), address: u64) {
        self.log.add(Taken {
            liberty,
            core,
            at,
            address,
            because: None,
        });
    }

    /// SEV: an event for every core.
    pub(crate) fn send_event(&mut self) {
        self.events = [true; CORES];
    }

    /// Tells every core but `sender` to forget what it keeps ready.
    pub(crate) fn broadcast(&mut self, sender: usize, order: Broadcast) {
        for (number, unheard) in self.unheard.iter_mut().enumerate() {
            if number != sender {
                *unheard = Some(order);
            }
        }
    }
}

/// The exclusive monitors (DDI 0487 B2.9). A granule is 64 bytes, a cache line.
#[derive(Default)]
pub(crate) struct Monitors {
    marked: [Option<u64>; CORES],
    armed: bool,
}

impl Monitors {
    /// A load-exclusive: marks the granule for the core.
    pub(crate) fn mark(&mut self, core: usize, granule: u64) {
        self.marked[core] = Some(granule);
        self.armed = true;
    }

    /// Whether the core's mark is on the granule; it is taken away.
    pub(crate) fn take(&mut self, core: usize, granule: u64) -> bool {
        self.marked[core].take() == Some(granule)
    }

    /// CLREX, and a return from an exception.
    pub(crate) fn clear(&mut self, core: usize) {
        self.marked[core] = None;
    }

    /// A store: other cores' marks on the granule are gone, and each such core gets an event.
    #[inline]
    pub(crate) fn stored(&mut self, core: usize, granule: u64, events: &mut [bool; CORES]) {
        if self.armed {
            self.clear_others(core, granule, events);
        }
    }

    fn clear_others(&mut self, core: usize, granule: u64, events: &mut [bool; CORES]) {
        self.armed = false;
        for (number, mark) in self.marked.iter_mut().enumerate() {
            if number != core && *mark == Some(granule) {
                *mark = None;
                events[number] = true;
            }
            self.armed |= mark.is_some();
        }
    }
}
