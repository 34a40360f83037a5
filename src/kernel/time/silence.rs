//! Silent cores: those that did not serve an IPI in time, and since when. `cpus` shows one as
//! `silent for 8.7 s`.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::arch::cpu;
use crate::board::raspi3::CORES;
use crate::kernel::clock::now_ns;

/// When the first IPI was sent that the core has not served, in nanoseconds; 0 if it served all. In
/// a cache line of its own.
#[repr(align(64))]
struct SilentSince(AtomicU64);

static SINCE: [SilentSince; CORES] = [const { SilentSince(AtomicU64::new(0)) }; CORES];

fn since(core: usize) -> &'static AtomicU64 {
    let SilentSince(since_ns) = &SINCE[core % CORES];
    since_ns
}

/// Notes that core `core` did not serve the IPI that was sent at `asked_ns` in time.
pub(crate) fn note(core: usize, asked_ns: u64) {
    let since_ns = asked_ns.max(1);
    // Only the first IPI that it did not serve counts.
    let _ = since(core).compare_exchange(0, since_ns, Ordering::Relaxed, Ordering::Relaxed);
}

/// Core `core` serves its IPIs: it is silent no longer.
pub(crate) fn end(core: usize) {
    let since_ns = since(core);
    // A store only where something changes: the line is looked at by others.
    if since_ns.load(Ordering::Relaxed) != 0 {
        since_ns.store(0, Ordering::Relaxed);
    }
}

/// The running core serves its IPIs: it is silent no longer.
pub(crate) fn end_here() {
    end(cpu::number());
}

/// How long core `core` has been silent, in nanoseconds; `None` if it is not.
pub(crate) fn lasts_ns(core: usize) -> Option<u64> {
    match since(core).load(Ordering::Relaxed) {
        0 => None,
        since_ns => Some(now_ns().saturating_sub(since_ns)),
    }
}

/// The silent cores, a bit each.
pub(crate) fn silent_cores() -> usize {
    let silent = (0..CORES).filter(|core| lasts_ns(*core).is_some());
    silent.fold(0, |cores, core| cores | 1 << core)
}
