//! The state of a core, and the loop that executes.

use ::a64::flow::Branch;
use ::a64::system::System;
use ::a64::{Instruction, Register};

use super::code_page::{DevicePage, Fetch, FetchPages};
use super::syndrome::Exception;
use crate::bus::{Broadcast, Bus};
use crate::chance::Chance;
use crate::liberty::Liberty;
use crate::memory::{Codes, LineOperation};
use crate::order::{Path, StoreBuffer};
use crate::registers::Registers;
use crate::stop::Stop;
use crate::translate::{Leaf, MicroTlb};
use crate::watch::Event;

/// PSTATE (DDI 0487 D1.3), the fields of AArch64 in Armv8.0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pstate {
    /// N, Z, C, V in bits 3 to 0.
    pub(crate) nzcv: u8,
    /// D, A, I, F in bits 3 to 0.
    pub(crate) daif: u8,
    /// The exception level, 0 to 3.
    pub(crate) level: u8,
    /// SPSel: SP_ELx is the stack pointer, not SP_EL0.
    pub(crate) own_stack: bool,
    /// IL: the next instruction takes an Illegal Execution state exception.
    pub(crate) illegal: bool,
}

/// The reason for which a core executes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Waiting {
    /// It executes.
    No,
    /// WFE: until an event or an interrupt.
    Event,
    /// WFI: until an interrupt.
    Interrupt,
}

/// The end of an instruction that is not followed by the next one.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// An exception is taken. It is seldom: a pointer keeps every other result small.
    Exception(Box<Exception>),
    /// The machine cannot go on.
    Stop(Box<Stop>),
}

impl From<Exception> for Interruption {
    fn from(exception: Exception) -> Self {
        Self::Exception(Box::new(exception))
    }
}

impl From<Stop> for Interruption {
    fn from(stop: Stop) -> Self {
        Self::Stop(Box::new(stop))
    }
}

impl Interruption {
    /// The same interruption with further bits in the syndrome of an exception.
    pub(crate) fn with_syndrome(self, bits: u64) -> Self {
        match self {
            Self::Exception(mut exception) => {
                exception.syndrome |= bits;
                Self::Exception(exception)
            }
            Self::Stop(_) => self,
        }
    }
}

/// The result of one instruction.
pub(crate) type Executed = Result<(), Interruption>;

/// One core.
pub(crate) struct Core {
    /// The core's number, 0 to 3 (MPIDR_EL1.Aff0).
    pub(crate) number: usize,
    /// X0 to X30, and the zero register as number 31.
    pub(crate) x: [u64; 32],
    /// V0 to V31.
    pub(crate) vectors: [u128; 32],
    /// SP_EL0 to SP_EL3.
    pub(crate) stacks: [u64; 4],
    /// The address of the next instruction.
    pub(crate) pc: u64,
    /// The address of the instruction that is executed.
    pub(crate) at: u64,
    /// The process state.
    pub(crate) state: Pstate,
    /// The system registers.
    pub(crate) system: Registers,
    /// Whether the core waits.
    pub(crate) waiting: Waiting,
    /// Whether each instruction is printed before it is executed.
    pub(crate) traced: bool,
    /// The number of instructions that were executed.
    pub(crate) executed: u64,
    /// The virtual time of the last ISB, exception or return, in parts of a nanosecond.
    pub(crate) synchronized_at: u64,
    /// The number of instructions executed at that time.
    pub(crate) synchronized_count: Option<u64>,
    /// Stores that others do not see yet.
    pub(crate) buffer: StoreBuffer,
    /// The instructions that loads may be performed ahead of.
    pub(super) path: Path,
    /// Cache maintenance that was issued and that no DSB has completed.
    pub(crate) maintenance: Vec<(u64, LineOperation)>,
    /// Sets and ways of the second level that were maintained.
    pub(crate) swept: u32,
    pub(super) fetch: Fetch,
    pub(super) fetches: FetchPages,
    pub(super) loads: MicroTlb,
    pub(super) stores: MicroTlb,
    /// The last pages of devices that were read and written.
    pub(super) devices: [Option<DevicePage>; 2],
    /// The last pages of an exclusive load and store, with their leaves.
    pub(super) exclusives: [Option<(u64, Leaf)>; 2],
    /// The interrupt lines as they were at the beginning of the slice.
    pub(super) lines: crate::board::Lines,
}

impl Core {
    /// A core that begins at `pc` with these registers, all others 0.
    pub(crate) fn new(number: usize, system: Registers, state: Pstate, pc: u64) -> Self {
        Self {
            number,
            x: [0; 32],
            vectors: [0; 32],
            stacks: [0; 4],
            pc,
            at: pc,
            state,
            system,
            waiting: Waiting::No,
            traced: false,
            executed: 0,
            synchronized_at: 0,
            synchronized_count: None,
            buffer: StoreBuffer::default(),
            path: Path::new(),
            maintenance: Vec::new(),
            swept: 0,
            fetch: Fetch::none(),
            fetches: FetchPages::new(),
            loads: MicroTlb::new(),
            stores: MicroTlb::new(),
            devices: [None; 2],
            exclusives: [None; 2],
            lines: crate::board::Lines::default(),
        }
    }

    /// Fills the general registers and stack pointers with noise, as after power-on.
    pub(crate) fn fill_with_noise(&mut self, seed: u64) {
        let mut chance = Chance::new(seed, 0x200 + self.number as u64);
        for value in self.x[..31].iter_mut().chain(&mut self.stacks) {
            *value = chance.next();
        }
        for value in &mut self.vectors {
            *value = u128::from(chance.next()) << 64 | u128::from(chance.next());
        }
    }

    /// Whether interrupts are masked at the core's level.
    pub(crate) fn masks_interrupts(&self) -> bool {
        const I: u8 = 0b0010;
        self.state.daif & I != 0
    }

    /// Whether the core goes round in branches and hints, and looks at nothing.
    pub(crate) fn is_parked(&mut self, bus: &mut Bus, codes: &mut Codes) -> bool {
        /// Longer loops that do nothing are not looked for.
        const MOST: usize = 8;
        let kept = self.at;
        let mut next = self.pc;
        let mut parked = false;
        for _ in 0..MOST {
            self.at = next;
            next = match self.fetch(bus, codes) {
                Ok(Instruction::Branch(Branch::Jump { offset })) => {
                    next.wrapping_add_signed(*offset)
                }
                Ok(Instruction::System(System::Hint(_))) => next.wrapping_add(4),
                _ => break,
            };
            if next == self.pc {
                parked = true;
                break;
            }
        }
        self.at = kept;
        parked
    }

    /// The value of a general register; number 31 is zero.
    #[inline]
    pub(crate) fn get(&self, register: Register) -> u64 {
        self.x[register.index() & 31]
    }

    /// Sets a general register; number 31 stays zero.
    #[inline]
    pub(crate) fn set(&mut self, register: Register, value: u64) {
        self.x[register.index() & 31] = value;
        self.x[31] = 0;
    }

    fn stack(&self) -> usize {
        match self.state.own_stack {
            true => usize::from(self.state.level & 3),
            false => 0,
        }
    }

    /// The value of a general register; number 31 is the stack pointer.
    #[inline]
    pub(crate) fn get_or_sp(&self, register: Register) -> u64 {
        match register.index() {
            31 => self.stacks[self.stack()],
            index => self.x[index & 31],
        }
    }

    /// Sets a general register; number 31 is the stack pointer.
    #[inline]
    pub(crate) fn set_or_sp(&mut self, register: Register, value: u64) {
        match register.index() {
            31 => {
                let stack = self.stack();
                self.stacks[stack] = value;
            }
            index => self.x[index & 31] = value,
        }
    }

    /// Forgets what was kept ready for the next access and fetch.
    pub(crate) fn forget_translations(&mut self) {
        self.loads.clear();
        self.stores.clear();
        self.devices = [None; 2];
        self.exclusives = [None; 2];
        self.fetch = Fetch::none();
        self.fetches = FetchPages::new();
    }

    /// If a frame has come to be watched: no core may store to it in the short way any more.
    pub(crate) fn heed_watched(&mut self, bus: &mut Bus) {
        if bus.memory.take_newly_watched() {
            self.stores.clear();
            bus.broadcast(self.number, Broadcast::Forget);
        }
    }

    /// Tells every other core to forget what it keeps ready, and forgets it.
    pub(crate) fn forget_everywhere(&mut self, bus: &mut Bus) {
        self.forget_translations();
        bus.broadcast(self.number, Broadcast::Forget);
    }

    /// A context synchronisation event: ISB, taking an exception, returning from one.
    pub(crate) fn synchronize_context(&mut self) {
        if self.system.synchronize() {
            self.forget_translations();
        }
    }

    /// Executes up to `budget` instructions, fewer if the core begins to wait.
    pub(crate) fn run(
        &mut self,
        bus: &mut Bus,
        codes: &mut Codes,
        budget: u32,
    ) -> Result<(), Stop> {
        self.receive(bus);
        self.lines = self.interrupt_lines(bus);
        if self.waiting != Waiting::No && !self.wakes(bus) {
            self.drain_one(bus);
            return Ok(());
        }
        self.take_interrupt(bus);
        for _ in 0..budget {
            match self.step(bus, codes) {
                Ok(()) => {}
                Err(Interruption::Exception(exception)) => self.take_or_stop(bus, *exception)?,
                Err(Interruption::Stop(stop)) => return Err(*stop),
            }
            if self.waiting != Waiting::No {
                break;
            }
        }
        Ok(())
    }

    /// Takes an exception; stops if its vector is the address that could not be executed, so that
    /// the core would take it for ever.
    fn take_or_stop(&mut self, bus: &mut Bus, exception: Exception) -> Result<(), Stop> {
        self.take(exception);
        self.tell_exception(bus, Some(exception.syndrome));
        if self.pc == self.at {
            return Err(Stop::Vector {
                core: self.number,
                at: self.at,
                syndrome: exception.syndrome,
            });
        }
        Ok(())
    }

    /// A context synchronisation event is behind the current instruction.
    pub(crate) fn note_synchronization(&mut self, bus: &mut Bus) {
        self.synchronized_at = bus.time;
        self.synchronized_count = Some(self.executed);
        bus.history.synchronize_context(self.number);
        self.path.clear();
    }

    /// Tells the rules that an exception was taken to the current level.
    pub(super) fn tell_exception(&mut self, bus: &mut Bus, syndrome: Option<u64>) {
        let level = self.state.level;
        self.note_synchronization(bus);
        let event = Event::Exception { level, syndrome };
        bus.watch.event(self.number, self.at, event);
    }

    /// Executes one instruction.
    #[inline(always)]
    fn step(&mut self, bus: &mut Bus, codes: &mut Codes) -> Executed {
        if !self.buffer.is_empty() && bus.chance.happens(48) {
            self.drain_one(bus);
        }
        self.executed += 1;
        bus.time += bus.step;
        self.at = self.pc;
        let instruction = self.fetch(bus, codes)?;
        self.pc = self.at.wrapping_add(4);
        if bus.liberties.has(Liberty::Loads) {
            self.path.add(*instruction, bus.overwritten.stores());
        }
        if self.traced {
            let level = self.state.level;
            println!(
                "core {} EL{level} {:#x}: {instruction}",
                self.number, self.at
            );
        }
        self.execute(bus, instruction)
    }

    /// Whether a waiting core goes on: by an event, or by an interrupt, masked or not (DDI 0487
    /// D1.6).
    fn wakes(&mut self, bus: &mut Bus) -> bool {
        let interrupt = self.lines.irq || self.lines.fiq;
        let event = self.waiting == Waiting::Event && std::mem::take(&mut bus.events[self.number]);
        let wakes = interrupt || event;
        if wakes {
            self.waiting = Waiting::No;
        }
        wakes
    }

    /// Takes note of the other cores' broadcasts since the last slice.
    fn receive(&mut self, bus: &mut Bus) {
        if std::mem::take(&mut bus.unheard[self.number]).is_some_and(|Broadcast::Forget| true) {
            self.forget_translations();
            self.path.clear();
        }
    }
}
