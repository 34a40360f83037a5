//! The program for the machine that builds: every subject, timed or under callgrind.
//!
//! Prints `row SUBJECT WORKLOAD UNITS NANOSECONDS ZEROED FRAMES` a measurement, the shortest of
//! several runs. With the argument `once` it runs everything once and prints what a single run
//! took: callgrind then writes a dump of its own after each call of [`measured`], in the order of
//! the rows.

use std::alloc::{Layout, alloc_zeroed};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use stilt_peers::aarch64_paging::Aarch64Paging;
use stilt_peers::floor::Floor;
use stilt_peers::frames;
use stilt_peers::generic::Generic;
use stilt_peers::multiarch::Multiarch;
use stilt_peers::stilt::{A64, Stilt, X64};
use stilt_peers::workloads::{Bench, Row, run, run_ours};
use stilt_peers::x86::X86;

const RUNS: usize = 5;

fn main() {
    let layout = Layout::from_size_align(frames::LAST - frames::FIRST, 1 << 21);
    let layout = layout.expect("a power of two");
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    assert!(!memory.is_null(), "no memory for the frames");
    // SAFETY: the memory is never freed and nobody else's.
    unsafe { frames::provide(memory.expose_provenance()) };
    let once = std::env::args().nth(1).is_some_and(|word| word == "once");
    let mut times = Times::default();
    for _ in 0..if once { 1 } else { RUNS } {
        run::<Stilt<A64>>(&mut times);
        run::<Stilt<X64>>(&mut times);
        run_ours::<Stilt<A64>>(&mut times);
        run_ours::<Stilt<X64>>(&mut times);
        run::<Multiarch>(&mut times);
        run::<Aarch64Paging>(&mut times);
        run::<Generic>(&mut times);
        run::<X86>(&mut times);
        run::<Floor>(&mut times);
    }
    times.print();
}

/// What callgrind counts: this call and all below it.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn measured(work: &mut &mut dyn FnMut()) {
    work();
}

/// The shortest times.
#[derive(Default)]
struct Times {
    last: Duration,
    rows: Vec<(Row, Duration)>,
    places: HashMap<(&'static str, &'static str), usize>,
}

impl Times {
    fn print(&self) {
        for (row, time) in &self.rows {
            let Row {
                subject,
                workload,
                units,
                zeroed,
                frames,
            } = row;
            let time = time.as_nanos();
            println!("row {subject} {workload} {units} {time} {zeroed} {frames}");
        }
    }
}

impl Bench for Times {
    fn measure(&mut self, mut work: &mut dyn FnMut()) {
        let start = Instant::now();
        measured(&mut work);
        self.last = start.elapsed();
    }

    fn report(&mut self, row: &Row) {
        let place = *self
            .places
            .entry((row.subject, row.workload))
            .or_insert(self.rows.len());
        match self.rows.get_mut(place) {
            Some((_, shortest)) => *shortest = self.last.min(*shortest),
            None => self.rows.push((*row, self.last)),
        }
    }
}
