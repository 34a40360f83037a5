//! The audit of the live tables, at boot and whenever the shell is asked: what the hardware walks
//! now.
//!
//! The tree is read back from the registers' roots by a walk that believes no descriptor
//! ([`live_walk`](crate::mm::live_walk)), then judged by what must hold of every leaf
//! ([`audit`](crate::mm::audit)) and compared with what must be mapped
//! ([`expected`](crate::mm::expected)). A descriptor that was written over is a message here, and
//! no fault.
//!
//! # Decisions
//! - The map's lock is held during the walk alone, and nothing is allocated meanwhile: the heap's
//!   lock comes first.
//! - A violation counts if it is there again at a second look: the frames and the heap are compared
//!   without the map's lock, and another core may change all of them between two lines.
#![expect(unsafe_code, reason = "reads the live tables; called by symbol")]

use alloc::vec::Vec;
use core::fmt;

use super::Report;
use super::core_audit;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::mmu;
use crate::arch::nofault::{self, AccessWidth};
use crate::board::raspi3::{CORES, KERNEL_VA_OFFSET};
use crate::kernel::exit::ExitCode;
use crate::log;
use crate::mm::audit::{AuditCounts, MapViolation, check};
use crate::mm::current_space;
use crate::mm::expected::{is_in_place, is_mapped};
use crate::mm::kernel_space::{self, LowView, READ_WRITE};
use crate::mm::layout::Pages;
use crate::mm::layout::phys_to_virt;
use crate::mm::live_walk::{MapWalkSummary, Tables, walk};
use crate::mm::space_error::SpaceError;
use crate::mm::{frames, heap, holes, layout, live_checks};
use crate::paging::Run;

/// Why an audit has no counts.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum AuditError {
    /// The tables break a rule.
    Map(MapViolation),
    /// A core breaks a rule.
    Core(core_audit::CoreViolation),
    /// The heap, which the audit needs, is not what it should be.
    Heap(holes::HeapViolation),
    /// The frames, with which the heap grows, are not what they should be.
    Frames(frames::FrameViolation),
    /// The heap has no room for the list of what is mapped.
    NoMemory,
    /// There is no live map of the kernel's yet.
    NoMap,
    /// An address space cannot be looked at.
    Space(SpaceError),
}

impl From<MapViolation> for AuditError {
    fn from(violation: MapViolation) -> Self {
        Self::Map(violation)
    }
}

impl From<core_audit::CoreViolation> for AuditError {
    fn from(violation: core_audit::CoreViolation) -> Self {
        Self::Core(violation)
    }
}

/// As [`Display`](fmt::Display) has it: what a derive makes of all violations is a kilobyte of the
/// image.
impl fmt::Debug for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map(violation) => violation.fmt(f),
            Self::Core(violation) => violation.fmt(f),
            Self::Heap(violation) => write!(f, "not done, the heap is unsound: {violation}"),
            Self::Frames(violation) => write!(f, "not done, the frames are unsound: {violation}"),
            Self::NoMemory => f.write_str("no heap left to audit the live tables"),
            Self::NoMap => f.write_str("there is no live map yet"),
            Self::Space(error) => write!(f, "not done: {error}"),
        }
    }
}

impl core::error::Error for AuditError {}

/// The audit at boot. Logs what was counted, or stops and names the address.
///
/// A symbol of its own, so that a debugger can plant a fault before it runs.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn audit_live_tables() {
    match audit() {
        Ok(counts) => {
            let [leaves, rest] = counts.lines();
            log!("audit", "{leaves}");
            log!("audit", "{rest}");
        }
        Err(error @ (AuditError::Map(_) | AuditError::Core(_))) => refuse(&error),
        Err(error) => panic!("{error}"),
    }
}

/// Audits both halves.
///
/// # Errors
/// The first [`MapViolation`] that two looks agree on, or that there is no room to look.
pub(crate) fn audit() -> Result<AuditCounts, AuditError> {
    audit_once().or_else(|_| audit_once())
}

fn audit_once() -> Result<AuditCounts, AuditError> {
    if let Some(va) = low_half_mapping() {
        return Err(MapViolation::LowHalfMapped { va }.into());
    }
    core_audit::check()?;
    let before = window(heap::pages());
    let (mut runs, walked) = live_runs()?;
    let counts = check(&mut runs, &layout::guards())?;
    or_told(walked.foreign)?;
    runs.sort_unstable_by_key(|run| run.va);
    for pages in before.into_iter().take(MAPPED_PARTS) {
        is_mapped(&runs, pages, READ_WRITE)?;
    }
    live_checks::each_linear(|pages, flags| is_mapped(&runs, pages, flags))?;
    is_in_place(&runs, &window(heap::pages()))?;
    or_told(walked.miscounted)?;
    Ok(counts)
}

/// The oddity that a walk noted, as an error.
fn or_told(noted: Option<MapViolation>) -> Result<(), MapViolation> {
    noted.map_or(Ok(()), Err)
}

/// The first address that the low half maps, if walks from TTBR0 are on, and this core is in no
/// address space.
fn low_half_mapping() -> Option<VirtAddr> {
    if current_space::active().is_some() {
        return None;
    }
    let root = mmu::low_root()?;
    // SAFETY: TTBR0 points to a tree while walks from it are on; the linear map has its tables.
    let view = unsafe { LowView::new(root) };
    view.iter(..).next().map(|run| run.va)
}

/// Parts of the kernel window that are always mapped: each core's stacks and the heap.
const MAPPED_PARTS: usize = STACKS * CORES + 1;
const STACKS: usize = 3;

/// The areas of the kernel window by address; last the page that a command maps for a moment.
fn window(heap: Pages) -> [Pages; MAPPED_PARTS + 1] {
    core::array::from_fn(|index| {
        let stacks = (0..CORES).flat_map(layout::stacks);
        let mut parts = stacks.chain([heap]);
        parts.nth(index).unwrap_or(layout::scratch())
    })
}

/// Tables of the kernel's map, at most: 1 GiB in pages takes 512, and so does all that the heap can
/// be.
pub(super) const TABLES: usize = 1100;
/// Runs that are made room for at first.
const RUNS: usize = 64;
/// How often more room is made, because the map has more runs than at the look before.
const ATTEMPTS: usize = 8;
/// Where the high half begins.
const HIGH_HALF: VirtAddr = VirtAddr::new(KERNEL_VA_OFFSET);

/// All runs of the live high half.
fn live_runs() -> Result<(Vec<Run>, MapWalkSummary), AuditError> {
    let mut room = RUNS;
    for _ in 0..ATTEMPTS {
        let mut tables = LiveTables::new(with_room(TABLES)?, TableOwner::Kernel);
        let mut runs = RunList::new(with_room(room)?);
        let walked = kernel_space::with_table(|_| {
            let root = mmu::high_root();
            walk(root, HIGH_HALF, &mut tables, &mut |run| runs.add(run))
        });
        let walked = walked.ok_or(AuditError::NoMap)??;
        if runs.count == runs.runs.len() {
            return Ok((runs.runs, walked));
        }
        room = 2 * runs.count;
    }
    Err(AuditError::NoMemory)
}

pub(super) fn with_room<T>(count: usize) -> Result<Vec<T>, AuditError> {
    let mut list = Vec::new();
    let made = list.try_reserve_exact(count);
    made.map(|()| list).map_err(|_| AuditError::NoMemory)
}

/// Runs, as far as there is room: with the map's lock held nothing can be allocated.
pub(super) struct RunList {
    runs: Vec<Run>,
    count: usize,
}

impl RunList {
    /// None, with room for as many as `runs` has.
    pub(super) const fn new(runs: Vec<Run>) -> Self {
        Self { runs, count: 0 }
    }

    /// Those that there was room for.
    pub(super) fn as_slice(&self) -> &[Run] {
        &self.runs
    }

    /// Adds a leaf, to the last run if it continues that.
    pub(super) fn add(&mut self, leaf: Run) {
        match self.runs.last_mut() {
            Some(last) if last.is_continued_by(&leaf) => last.bytes += leaf.bytes,
            _ => {
                self.count += 1;
                if self.runs.len() < self.runs.capacity() {
                    self.runs.push(leaf);
                }
            }
        }
    }
}

/// The tables that were visited.
pub(super) struct LiveTables {
    visited: Vec<PhysAddr>,
    /// Whose leaves may have the contiguous hint.
    owner: TableOwner,
}

/// Whose tables are walked.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum TableOwner {
    /// The kernel's map.
    Kernel,
    /// An address space of the low half.
    Space,
}

impl LiveTables {
    /// None, with room for as many as `tables` has.
    pub(super) const fn new(tables: Vec<PhysAddr>, owner: TableOwner) -> Self {
        Self {
            visited: tables,
            owner,
        }
    }
}

impl Tables for LiveTables {
    /// A single frame in use is RAM, which the linear map has, and nobody's registers.
    fn may_read_table(&mut self, pa: PhysAddr) -> bool {
        let visited = &mut self.visited;
        let is_new = !visited.contains(&pa) && visited.len() < visited.capacity();
        if is_new {
            visited.push(pa);
        }
        is_new && pa.is_aligned(PAGE_SIZE) && live_checks::is_single_frame(pa)
    }

    fn may_have_groups(&self) -> bool {
        self.owner == TableOwner::Space
    }

    fn descriptor(&mut self, pa: PhysAddr) -> Option<u64> {
        // SAFETY: RAM, as `may_read_table` says.
        unsafe { nofault::read(phys_to_virt(pa), AccessWidth::Double) }.ok()
    }
}

fn refuse(violation: &dyn core::error::Error) -> ! {
    let title = "unsound live page tables";
    Report::begin(ExitCode::Audit, title, violation).end()
}
