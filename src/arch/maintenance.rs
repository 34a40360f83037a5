//! The maintenance of page tables as it is counted, and left out where somebody wants to see what is
//! stale then. [`tlb`](super::tlb) executes it.
//!
//! 1. [`begin`] forgets this core's counts of the last change; [`Record::read`] has those of this
//!    one.
//! 2. Each barrier and each invalidation is counted by its form, and the last few invalidations
//!    are kept with their operands.
//! 3. Between [`leave_out`] and [`leave_nothing_out`] this core executes no invalidation of a low
//!    address, though it counts them. Whoever asks for that keeps every frame that is given up
//!    meanwhile until everything was invalidated (`mm::left_out`).
//!
//! # Decisions
//! * Break-before-make is never left out: two translations of one address may be cached then, and
//!   what an access finds is a mixture of both (DDI 0487 D8.17.1), so any frame at all.
//! * Barriers and invalidations are counted by loads and stores, inlined, and each sequence of
//!   barriers before it: no call may stand between an invalidation and its barriers, and nothing
//!   between a `dsb` and its `isb` (`cargo xtask check`: `order`, `isb`).
//! * Each core counts for itself: what another one changes meanwhile is not in the record. What this
//!   core's change needs of the kernel's own table, for a heap that grows, is.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::cpu;
use crate::paging::format::aarch64_tlb::Tlbi;

/// Cores of a Cortex-A53 cluster at most (DDI 0500 2.1).
const CORES: usize = 4;
/// Forms of [`Tlbi`].
const FORMS: usize = 7;
/// Kinds of [`Sequence`].
const SEQUENCES: usize = 5;
/// Invalidations that are kept with their operands.
pub const KEPT: usize = 4;

/// An invalidation.
#[derive(Clone, Copy, Debug)]
pub struct Issued {
    /// Its form, as a number in the order of [`Tlbi`].
    pub form: usize,
    /// Its operand: [`tlbi_operand`](crate::paging::format::aarch64_tlb::tlbi_operand).
    pub operand: u64,
    /// Whether it was not executed.
    pub is_left_out: bool,
}

/// The bits 47:44 of an operand, TTL, are 0: an invalidation is kept with its form in 46:44 and,
/// if it was left out, bit 47.
const FORM_SHIFT: u32 = 44;
const LEFT_OUT: u64 = 1 << 47;
const TTL: u64 = 0xf << FORM_SHIFT;

/// The maintenance of one change, by the core that made it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// Stores of 64 bits to tables, new ones included; zeroing a new table is none.
    pub stores: u64,
    /// Barriers: `dmb ishst`, `dsb ishst`, `dsb ish`, `isb`.
    pub barriers: [u32; 4],
    /// Invalidations by form, in the order of [`Tlbi`], with those left out.
    pub tlbis: [u32; FORMS],
    /// Invalidations that were not executed.
    pub left_out: u32,
    /// The last invalidations, the oldest first.
    pub last: [Option<Issued>; KEPT],
    /// Frames taken for tables.
    pub tables_taken: u32,
    /// Frames of tables given back.
    pub tables_freed: u32,
}

/// The counts of one core, which alone writes them, in cache lines of its own.
#[repr(align(64))]
struct Counters {
    stores: AtomicU64,
    sequences: [AtomicU32; SEQUENCES],
    tlbis: [AtomicU32; FORMS],
    not_executed: AtomicU32,
    taken: AtomicU32,
    freed: AtomicU32,
    /// The number of invalidations, and the last of them: number `n` in slot `n % KEPT`.
    issued: AtomicUsize,
    last: [AtomicU64; KEPT],
}

static COUNTERS: [Counters; CORES] = [const { Counters::new() }; CORES];

impl Counters {
    const fn new() -> Self {
        Self {
            stores: AtomicU64::new(0),
            sequences: [const { AtomicU32::new(0) }; SEQUENCES],
            tlbis: [const { AtomicU32::new(0) }; FORMS],
            not_executed: AtomicU32::new(0),
            taken: AtomicU32::new(0),
            freed: AtomicU32::new(0),
            issued: AtomicUsize::new(0),
            last: [const { AtomicU64::new(0) }; KEPT],
        }
    }

    /// Of this core.
    #[inline(always)]
    fn own() -> &'static Self {
        &COUNTERS[cpu::number() % CORES]
    }

    /// All that is counted by ones.
    fn each(&self) -> impl Iterator<Item = &AtomicU32> {
        let single = [&self.not_executed, &self.taken, &self.freed];
        self.sequences.iter().chain(&self.tlbis).chain(single)
    }
}

/// The core that leaves its invalidations out, plus 1; 0 if none does.
static LEAVES_OUT: AtomicUsize = AtomicUsize::new(0);

/// A change of this core begins: nothing is counted yet.
pub fn begin() {
    let own = Counters::own();
    own.stores.store(0, Ordering::Relaxed);
    own.issued.store(0, Ordering::Relaxed);
    own.each()
        .for_each(|counter| counter.store(0, Ordering::Relaxed));
}

impl Record {
    /// This core's counts since [`begin`].
    #[must_use]
    pub fn read() -> Self {
        let own = Counters::own();
        let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        let issued = own.issued.load(Ordering::Relaxed);
        let mut last = [None; KEPT];
        let first = issued.saturating_sub(KEPT);
        for (slot, number) in last.iter_mut().zip(first..issued) {
            let word = own.last[number % KEPT].load(Ordering::Relaxed);
            *slot = Some(Issued {
                form: (word >> FORM_SHIFT) as usize & 7,
                operand: word & !TTL,
                is_left_out: word & LEFT_OUT != 0,
            });
        }
        Self {
            stores: own.stores.load(Ordering::Relaxed),
            barriers: barriers(&own.sequences.each_ref().map(count)),
            tlbis: own.tlbis.each_ref().map(count),
            left_out: count(&own.not_executed),
            last,
            tables_taken: count(&own.taken),
            tables_freed: count(&own.freed),
        }
    }
}

/// Adds 1. Not one atomic addition: no other core writes here.
#[inline(always)]
fn count_one(counter: &AtomicU32) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(1),
        Ordering::Relaxed,
    );
}

/// From here on this core executes no invalidation of a low address, but for break-before-make.
pub fn leave_out() {
    LEAVES_OUT.store(cpu::number() + 1, Ordering::Relaxed);
}

/// Ends [`leave_out`].
pub fn leave_nothing_out() {
    LEAVES_OUT.store(0, Ordering::Relaxed);
}

/// Whether this core leaves its invalidations out.
#[must_use]
#[inline(always)]
pub fn leaves_out() -> bool {
    let core = LEAVES_OUT.load(Ordering::Relaxed);
    core != 0 && core == cpu::number() + 1
}

/// A frame became a table.
pub fn note_table_taken() {
    count_one(&Counters::own().taken);
}

/// A table is none any more.
pub fn note_table_freed() {
    count_one(&Counters::own().freed);
}

/// The barriers that so many sequences have
/// ([`A64Maintenance`](crate::paging::format::aarch64_tlb)).
fn barriers(counts: &[u32; SEQUENCES]) -> [u32; 4] {
    let of = |sequence: Sequence| counts[sequence as usize];
    let (publish, end) = (of(Sequence::Publish), of(Sequence::End));
    [
        of(Sequence::Order),
        publish + of(Sequence::Begin),
        end + of(Sequence::Complete),
        publish + end,
    ]
}

/// Barriers that are executed together.
#[derive(Clone, Copy)]
pub(super) enum Sequence {
    /// `dmb ishst`.
    Order,
    /// `dsb ishst; isb`.
    Publish,
    /// `dsb ishst`.
    Begin,
    /// `dsb ish; isb`.
    End,
    /// `dsb ish`.
    Complete,
}

/// Counts `sequence`, which follows.
#[inline(always)]
pub(super) fn note_barriers(sequence: Sequence) {
    count_one(&Counters::own().sequences[sequence as usize]);
}

/// Counts stores to tables.
// Not inline: a change of a table has dozens of them.
#[inline(never)]
pub(super) fn note_stores(count: usize) {
    let counter = &Counters::own().stores;
    let stores = counter.load(Ordering::Relaxed) + count as u64;
    counter.store(stores, Ordering::Relaxed);
}

/// Counts an invalidation. Returns whether its caller is to leave it out: not if it may be for the
/// kernel's own addresses, which have bit 55 set, 43 in an operand.
#[inline(always)]
pub(super) fn note_tlbi(form: Tlbi, operand: u64) -> bool {
    let may_be_kernels = matches!(form, Tlbi::Vmalle1is | Tlbi::Vmalle1) || operand & 1 << 43 != 0;
    let is_left_out = !may_be_kernels && leaves_out();
    let own = Counters::own();
    let number = own.issued.load(Ordering::Relaxed);
    own.issued.store(number.wrapping_add(1), Ordering::Relaxed);
    let mut word = operand | (form as u64) << FORM_SHIFT;
    if is_left_out {
        word |= LEFT_OUT;
        count_one(&own.not_executed);
    }
    own.last[number % KEPT].store(word, Ordering::Relaxed);
    count_one(&own.tlbis[form as usize]);
    is_left_out
}

/// Until this is dropped nothing is left out: a range is broken, and made anew.
pub(super) struct Complete {
    left_out: bool,
}

impl Complete {
    pub(super) fn begin() -> Self {
        let left_out = leaves_out();
        if left_out {
            leave_nothing_out();
        }
        Self { left_out }
    }
}

impl Drop for Complete {
    fn drop(&mut self) {
        if self.left_out {
            leave_out();
        }
    }
}
