//! Every barrier, invalidation and register write of the image dropped in turn: which of them would
//! nobody miss?
//!
//! A list of faults shows what its author thought of. This one comes from the image: each word of
//! these kinds that a run executes becomes a NOP. What is missed is a redundant instruction, one
//! whose lack the manuals allow, or a blind spot of the model.

use super::code::Code;
use super::plant::{Plant, Verdict};
use super::trial::{Bench, Way};
use crate::entry::Entry;

/// The beginnings of the instructions that are dropped.
const KINDS: [&str; 10] = [
    "dsb ", "dmb ", "isb", "tlbi ", "ic ", "dc ", "msr ", "hint #4", "at ", "hint #5",
];
/// But for these: masks of interrupts, and the select of a stack.
const OTHERS: [&str; 3] = ["msr daif", "msr spsel", "msr nzcv"];
const NOP: u32 = 0xd503_201f;

/// A word that is dropped.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Its physical address.
    pub(super) address: u64,
    /// The function and the instruction.
    pub(super) name: String,
}

/// The words of the kinds whose functions have `only` in their names.
pub(super) fn sites(code: &Code, only: &str) -> Vec<Site> {
    let meant = |text: &str| {
        KINDS.iter().any(|kind| text.starts_with(kind))
            && !OTHERS.iter().any(|other| text.starts_with(other))
    };
    let sites = code
        .words()
        .filter(|(function, _, text)| meant(text) && function.contains(only));
    let sites = sites.map(|(function, address, text)| Site {
        address,
        name: format!("{address:#x} {function}: {text}"),
    });
    sites.collect()
}

/// The ways in and the input that execute each site, as a fault without a cut; sites that no run
/// executes are left out.
pub(super) fn executed(
    sites: Vec<Site>,
    bench: &Bench<'_>,
    input: &'static [&'static str],
) -> Vec<(Site, Plant)> {
    const WAYS: [(Entry, &[Entry]); 4] = [
        (Entry::Firmware, &[Entry::Firmware]),
        (Entry::El3, &[Entry::El3]),
        (Entry::UBoot, &[Entry::UBoot]),
        (Entry::El1, &[Entry::El1]),
    ];
    let mut left = sites;
    let mut executed = Vec::new();
    for input in [&[], input] {
        for (entry, ways) in WAYS {
            let places: Vec<u64> = left.iter().map(|site| site.address).collect();
            let reached = bench.reached(Way::new(entry, 0), input, &places);
            let (now, later): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|site| reached.contains(&site.address));
            let plant = match input {
                [] => Plant::new("", &[]),
                _ => Plant::new("", &[]).by(ways).typed(input),
            };
            executed.extend(now.into_iter().map(|site| (site, plant)));
            left = later;
        }
    }
    executed
}

/// Drops one word. What nobody misses in the boot may be missed behind it, where the tables are live:
/// `input` is typed then.
pub(super) fn drop_one(
    site: &Site,
    plant: &Plant,
    bench: &Bench<'_>,
    seeds: u64,
    input: &'static [&'static str],
) -> Verdict {
    let dropped = [(site.address, NOP)];
    match plant.try_words(&dropped, bench, seeds) {
        Verdict::Missed if plant.input.is_empty() => {
            plant.typed(input).try_words(&dropped, bench, seeds)
        }
        verdict => verdict,
    }
}
