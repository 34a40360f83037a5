//! The machine: four cores in turns on one bus.
//!
//! One thread executes all cores, a slice of instructions each, in an order and with lengths that
//! the seed gives. A round gives every core one slice; virtual time advances by the longest one.

use crate::board::CORES;
use crate::board::{Board, Ending, Nanoseconds};
use crate::bus::{Bus, PARTS};
use crate::chance::Chance;
use crate::cpu::{Core, Waiting};
use crate::entry::{self, Entry};
use crate::image::Image;
use crate::liberty::{Liberties, Liberty, Log, Taken};
use crate::memory::{Caches, Codes, Memory};
use crate::order::Overwritten;
use crate::registers::{Registers, Synchronization};
use crate::stop::Stop;
use crate::translate::History;
use crate::watch::{Event, Finding, Lint, SteeringWrite, Watch};

/// The properties of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The way in.
    pub entry: Entry,
    /// The liberties that are taken.
    pub liberties: Liberties,
    /// Whether matters of policy are judged too.
    pub lint: Lint,
    /// The seed of all chance.
    pub seed: u64,
    /// The seed of RAM's and registers' noise.
    pub noise_seed: u64,
    /// The virtual time of one instruction, in nanoseconds.
    pub ns_per_instruction: u64,
    /// The board.
    pub board: crate::board::Options,
}

impl Options {
    /// A run with a seed. Stores drain late and loads are early with every second one, as all take
    /// longer then.
    #[must_use]
    pub fn seeded(entry: Entry, seed: u64) -> Self {
        let mut options = Self::new(entry);
        options.seed = seed;
        options.noise_seed = seed;
        if seed.is_multiple_of(2) {
            options.liberties = options.liberties.in_order();
        }
        options
    }

    /// A board that is entered in this way and takes every liberty; QEMU takes none.
    #[must_use]
    pub fn new(entry: Entry) -> Self {
        use crate::board::Options as Board;
        let (liberties, board) = match entry {
            Entry::Qemu => (Liberties::NONE, Board::QEMU),
            // Nobody has set the counter's prescaler (QA7 4.3).
            Entry::El3 => (
                Liberties::ALL,
                Board {
                    prescaler: 0,
                    ..Board::BOARD
                },
            ),
            Entry::Firmware | Entry::El1 | Entry::UBoot => (Liberties::ALL, Board::BOARD),
        };
        Self {
            entry,
            liberties,
            lint: Lint::No,
            seed: 0,
            noise_seed: 0,
            ns_per_instruction: 20,
            board,
        }
    }
}

/// The ends of a run that a caller sets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The run ends when the console has printed this, behind what it had printed before.
    pub until: Option<Vec<u8>>,
    /// Virtual nanoseconds without a byte of output, after which the run ends.
    pub quiet: u64,
    /// The most instructions of all cores.
    pub instructions: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            until: None,
            quiet: 5_000_000_000,
            instructions: 2_000_000_000,
        }
    }
}

/// The end of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The console printed the awaited text.
    Matched,
    /// The image reset or halted the board.
    Ended(Ending),
    /// Nothing was printed for long.
    Quiet,
    /// Every core waits, and nothing can wake one.
    Asleep,
    /// The limit of instructions was reached.
    Exhausted,
    /// The machine cannot go on.
    Stopped(Stop),
}

/// The machine.
pub struct Machine {
    cores: Vec<Core>,
    bus: Bus,
    codes: Codes,
    chance: Chance,
    ns_per_instruction: u64,
    console: Vec<u8>,
    /// The length of `console` up to which `until` was looked for.
    seen: usize,
    /// The virtual time of the last byte of output.
    printed_at: u64,
}

/// Where every core waits for good, what was left undone stays so: for this long and longer.
const LONG: Nanoseconds = 1_000_000_000;

/// The upper end of RAM that is no device.
const PERIPHERALS: u64 = 0x3f00_0000;

impl Machine {
    /// A machine with an image in RAM, each core before its first instruction.
    #[must_use]
    pub fn new(image: &Image, options: &Options) -> Self {
        let Options {
            entry,
            liberties,
            seed,
            noise_seed,
            ..
        } = *options;
        let noise = |liberty| liberties.has(liberty).then_some(noise_seed);
        let caches = match liberties.has(Liberty::Caches) {
            true => Caches::Acting,
            false => Caches::Transparent,
        };
        let synchronization = match liberties.has(Liberty::Context) {
            true => Synchronization::ByChance,
            false => Synchronization::AtOnce,
        };
        let ram = (u64::from(options.board.ram_mib) << 20).min(PERIPHERALS);
        let mut memory = Memory::new(ram, caches, noise(Liberty::Noise), seed);
        let placed = entry::image_placed((entry, options.lint));
        memory.leave(placed);
        entry::prepare_memory(entry, &mut memory, options.board.arm_memory());
        for (address, bytes) in &image.parts {
            memory.place(*address, bytes, placed);
        }
        let mut watch = Watch::new(entry != Entry::Qemu, options.lint);
        let cores = (0..CORES).map(|number| {
            let unknown = noise(Liberty::Unknown);
            let mut registers = Registers::new(number as u64, synchronization, unknown, seed);
            let start = entry::start((entry, options.lint), number, image.entry, &mut registers);
            watch.entered(number, start.boot);
            let mut core = Core::new(number, registers, start.state, start.pc);
            if let Some(seed) = unknown {
                core.fill_with_noise(seed);
            }
            core.x[0] = start.x0;
            core
        });
        let cores = cores.collect();
        Self {
            cores,
            bus: Bus {
                memory,
                board: Board::new(&options.board),
                time: 0,
                step: 0,
                liberties,
                log: Log::default(),
                chance: Chance::new(seed, 3),
                history: History::new(seed),
                watch,
                mailbox_writer: (0, 0),
                serial_writer: (0, 0),
                overwritten: Overwritten::new(),
                events: [false; CORES],
                monitors: crate::bus::Monitors::default(),
                unheard: [None; CORES],
            },
            codes: Codes::default(),
            chance: Chance::new(seed, 0),
            ns_per_instruction: options.ns_per_instruction,
            console: Vec::new(),
            seen: 0,
            printed_at: 0,
        }
    }

    /// Everything that the console has printed.
    #[must_use]
    pub fn console(&self) -> &[u8] {
        &self.console
    }

    /// Types bytes at the console.
    pub fn type_bytes(&mut self, bytes: &[u8]) {
        let now = self.bus.now();
        self.bus.board.type_bytes(bytes, now);
    }

    /// Virtual time since power-on, in nanoseconds.
    pub(crate) fn now(&self) -> u64 {
        self.bus.now()
    }

    /// The number of instructions that all cores have executed.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.cores.iter().map(|core| core.executed).sum()
    }

    /// Prints each instruction from here on before it is executed.
    pub fn trace(&mut self) {
        for core in &mut self.cores {
            core.traced = true;
        }
    }

    /// The rules that were broken so far.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.bus.watch.findings()
    }

    /// The first writes of registers that steer a level.
    pub(crate) fn steering(&self) -> &[SteeringWrite] {
        self.bus.watch.steering()
    }

    /// The last liberties that changed a value, by kind, the oldest of each first.
    pub fn taken(&self) -> impl Iterator<Item = &Taken> {
        self.bus.log.last()
    }

    /// The number of liberties that changed a value.
    #[must_use]
    pub fn taken_count(&self) -> u64 {
        self.bus.log.count()
    }

    /// Notes from here on which of these words of RAM, by physical address, a core executes.
    pub(crate) fn mark(&mut self, words: &[u64]) {
        self.bus.memory.mark(words);
    }

    /// The marked words that a core has executed, each once.
    pub(crate) fn reached(&self) -> &[u64] {
        self.bus.memory.reached()
    }

    /// The address of each core's next instruction.
    #[must_use]
    pub fn places(&self) -> Vec<u64> {
        self.cores.iter().map(|core| core.pc).collect()
    }

    /// Whether core 0 has ended on purpose: it goes round in branches and hints, without a look at
    /// memory or a register, and no interrupt will call it away.
    pub(crate) fn is_halted(&mut self, outcome: &Outcome) -> bool {
        let [first, ..] = &mut *self.cores else {
            return false;
        };
        let alone = match outcome {
            Outcome::Asleep => true,
            Outcome::Quiet => first.masks_interrupts(),
            _ => false,
        };
        alone && first.is_parked(&mut self.bus, &mut self.codes)
    }

    /// Runs to a limit or to the image's own end. The console counts as quiet from here on.
    pub fn run(&mut self, limits: &Limits) -> Outcome {
        self.printed_at = self.bus.now();
        self.go_on(limits)
    }

    /// Runs on as [`Self::run`] does, and takes the time for which the console has been quiet along.
    pub fn go_on(&mut self, limits: &Limits) -> Outcome {
        let last = self.executed().saturating_add(limits.instructions);
        loop {
            if let Some(end) = self.advance(limits, last) {
                return end;
            }
        }
    }

    /// Runs to a limit or to the image's own end, or until a rule is broken: then gives none.
    pub(crate) fn run_to_finding(&mut self, limits: &Limits) -> Option<Outcome> {
        self.printed_at = self.bus.now();
        let last = self.executed().saturating_add(limits.instructions);
        while self.findings().is_empty() {
            if let Some(end) = self.advance(limits, last) {
                return Some(end);
            }
        }
        None
    }

    /// A round, and the end if it is reached.
    fn advance(&mut self, limits: &Limits, last: u64) -> Option<Outcome> {
        if let Err(stop) = self.round() {
            self.collect_output();
            return Some(Outcome::Stopped(stop));
        }
        self.collect_output();
        let end = self.end(limits, last);
        if end.is_none() && !self.skip_waiting() {
            self.judge_overdue(self.bus.now().saturating_add(LONG));
            return Some(Outcome::Asleep);
        }
        end
    }

    /// A slice of every core. Time is shared: with four cores that run an instruction advances it by
    /// a quarter of its own time.
    fn round(&mut self) -> Result<(), Stop> {
        let running = self.cores.iter().filter(|core| core.waiting == Waiting::No);
        let running = running.count().max(1) as u64;
        self.bus.step = self.ns_per_instruction * PARTS / running;
        let now = self.bus.now();
        self.bus.board.advance(now, &mut self.bus.memory);
        self.judge_overdue(now);
        self.bus.judge_late_notes();
        let first = self.chance.below(CORES as u64) as usize;
        for turn in 0..CORES {
            let length = 1 + self.chance.below(250) as u32;
            self.cores[(first + turn) % CORES].run(&mut self.bus, &mut self.codes, length)?;
        }
        Ok(())
    }

    /// Tells the rules what has not been invalidated or completed by `now`.
    fn judge_overdue(&mut self, now: Nanoseconds) {
        for (core, event) in self.bus.history.overdue(now) {
            if let Event::Overdue { because, .. } | Event::Unfinished { because, .. } = event {
                self.bus.watch.event(core, because, event);
            }
        }
    }

    fn collect_output(&mut self) {
        let output = self.bus.board.take_output();
        if !output.is_empty() {
            self.printed_at = self.bus.now();
            self.console.extend(output);
        }
    }

    fn end(&mut self, limits: &Limits, last: u64) -> Option<Outcome> {
        if let Some(until) = &limits.until {
            let from = self.seen.saturating_sub(until.len().saturating_sub(1));
            let new = &self.console[from..];
            if let Some(place) = new.windows(until.len()).position(|bytes| bytes == *until) {
                self.seen = from + place + until.len();
                return Some(Outcome::Matched);
            }
            self.seen = self.console.len();
        }
        if let Some(ending) = self.bus.board.watchdog_ended(self.bus.now()) {
            return Some(Outcome::Ended(ending));
        }
        if self.bus.now().saturating_sub(self.printed_at) > limits.quiet {
            return Some(Outcome::Quiet);
        }
        (self.executed() >= last).then_some(Outcome::Exhausted)
    }

    /// Moves time to the next event if every core waits; false if none will come.
    fn skip_waiting(&mut self) -> bool {
        let waits = |core: &Core| {
            core.waiting != Waiting::No
                && !(core.waiting == Waiting::Event && self.bus.events[core.number])
        };
        if !self.cores.iter().all(waits) {
            return true;
        }
        let timers = self
            .cores
            .iter()
            .filter_map(|core| core.next_timer(&self.bus));
        let board = self.bus.board.next_event(self.bus.now());
        // A compare value that nobody has written may be due in some centuries: that is never.
        let times = timers.chain(board).filter_map(|at| at.checked_mul(PARTS));
        match times.min() {
            Some(time) => {
                self.bus.time = self.bus.time.max(time);
                true
            }
            // A line may already be up that the slice has not looked at.
            None => self
                .cores
                .iter_mut()
                .any(|core| core.has_interrupt(&mut self.bus)),
        }
    }
}
