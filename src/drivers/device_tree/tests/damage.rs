//! Trees that are cut off and broken: whatever happens to a byte, what was reserved before it stays
//! reserved, and what may be missing leaves doubt.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{disk_tree, facts, firmware_tree, wide_tree};
use crate::addr::PhysAddr;
use crate::drivers::facts::{Facts, Reservation};
use crate::drivers::ram::{Certain, MailboxClaims, Needed, Reserved, Voice, ram_from};
use crate::drivers::range::{PhysRange, range};

/// The offset of a block, from its word in the header.
fn offset(tree: &[u8], word: usize) -> usize {
    let bytes = tree[4 * word..].first_chunk().expect("a header");
    u32::from_be_bytes(*bytes) as usize
}

/// All that a tree reserves is reserved, or the facts say that it may not be.
#[track_caller]
fn all_or_doubt(whole: &Facts, facts: &Facts, what: core::fmt::Arguments<'_>) {
    let covers = |wanted: &Reservation| {
        let is_it = |known: &Reservation| (known.base, known.size) == (wanted.base, wanted.size);
        facts.reservations.iter().any(is_it)
    };
    let missing = whole.reservations.iter().any(|wanted| !covers(wanted));
    assert!(!missing || facts.doubt().is_some(), "{what}: {facts:?}");
}

/// Where each reservation's bytes end, in the block and in the structure: found by looking for its
/// numbers.
fn ends(tree: &[u8], whole: &Facts, cells: usize) -> Vec<(Reservation, usize)> {
    let written = |number: u64, bytes: usize| number.to_be_bytes()[8 - bytes..].to_vec();
    let places = whole.reservations.iter().filter_map(|reservation| {
        let bytes = 4 * cells;
        let pair = [
            written(reservation.base, bytes),
            written(reservation.size, bytes),
        ]
        .concat();
        let at = tree
            .windows(pair.len())
            .rposition(|window| window == pair)?;
        // The node's end is behind it.
        Some((*reservation, at + pair.len() + 4))
    });
    places.collect()
}

#[test]
fn a_tree_that_is_cut_off_reserves_all_or_leaves_doubt_wherever_it_is_cut() {
    for tree in [firmware_tree(), wide_tree(), disk_tree()] {
        let whole = facts(&tree);
        let block_end = offset(&tree, 2);
        for len in 0..tree.len() {
            // With nothing behind it, with what memory holds after a reset, and with something
            // else.
            let mut zeros = tree[..len].to_vec();
            zeros.resize(tree.len(), 0);
            let mut noise = tree[..len].to_vec();
            noise.resize(tree.len(), 0xa5);
            for blob in [&tree[..len], &zeros, &noise] {
                let facts = facts(blob);
                all_or_doubt(&whole, &facts, format_args!("{len}"));
                // An intact reservation block is read, whatever is behind.
                if len >= block_end {
                    let listed = whole.reservations.iter().filter(|known| known.base == 0);
                    for known in listed {
                        assert!(facts.reservations.contains(known), "{len}");
                    }
                }
                // Where both that can reserve are behind the cut, there is doubt.
                let seen = len >= offset(&tree, 3);
                assert!(seen || facts.doubt().is_some(), "{len}");
            }
        }
    }
}

#[test]
fn a_tree_with_any_byte_changed_reserves_what_stands_before_it() {
    for (tree, cells) in [(firmware_tree(), 1), (wide_tree(), 2), (disk_tree(), 1)] {
        let whole = facts(&tree);
        let (structure, strings) = (offset(&tree, 2), offset(&tree, 3));
        let ends = ends(&tree, &whole, cells);
        assert!(!ends.is_empty());
        for at in 0..tree.len() {
            for change in [0x01, 0x10, 0x80, tree[at], !tree[at]] {
                if change == 0 {
                    continue;
                }
                let mut broken = tree.clone();
                broken[at] ^= change;
                let facts = facts(&broken);
                if at >= strings {
                    all_or_doubt(&whole, &facts, format_args!("{at} ^ {change:#x}"));
                } else if at >= structure {
                    for (wanted, end) in ends.iter().filter(|(_, end)| *end <= at) {
                        let is_kept = facts.reservations.contains(wanted);
                        assert!(is_kept, "{wanted} ends at {end}, {at} ^ {change:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_structure_that_breaks_off_at_any_token_reserves_all_or_leaves_doubt() {
    for tree in [firmware_tree(), wide_tree(), disk_tree()] {
        let whole = facts(&tree);
        for at in (offset(&tree, 2)..offset(&tree, 3)).step_by(4) {
            let word = u32::from_be_bytes(*tree[at..].first_chunk().expect("a word"));
            // Begins a node, ends one, is a property: or a number that looks like it.
            if matches!(word, 1..=3) {
                for bad in [0, 5, 9, u32::MAX] {
                    let mut broken = tree.clone();
                    broken[at..at + 4].copy_from_slice(&u32::to_be_bytes(bad));
                    all_or_doubt(&whole, &facts(&broken), format_args!("{bad:#x} at {at}"));
                }
            }
        }
    }
}

const IMAGE: PhysRange = match PhysRange::new(PhysAddr::new(0x8_0000), 0x8_0000) {
    Some(image) => image,
    None => panic!("a range"),
};

/// Whether a kernel that was handed this hands out or uses a frame of `place`.
fn gives_away(facts: &Facts, place: PhysRange) -> bool {
    let certain = Certain {
        ram_limit: PhysAddr::new(0x3f00_0000),
        chip_end: PhysAddr::new(0x4000_0000),
        kernel: IMAGE,
    };
    let claims = MailboxClaims {
        arm: Some((0, 0x3c00_0000)),
        videocore: Some((0x3c00_0000, 0x0400_0000)),
    };
    let ram = ram_from(Some((Voice::DeviceTree, facts)), claims, &certain).ram;
    let needed = Needed {
        image: IMAGE,
        firmware_page: range(0, 0x1000),
        tree: None,
    };
    let mut reserved = Reserved::new(&facts.reservations, &ram, needed);
    reserved.judge(&ram);
    let mut free = reserved.mapped;
    reserved
        .in_use()
        .for_each(|range| free.remove(range).expect("room"));
    free.iter().any(|free| free.intersection(place).is_some())
}

#[test]
fn wherever_a_tree_is_cut_off_nothing_that_it_reserves_is_given_away() {
    for tree in [firmware_tree(), wide_tree(), disk_tree()] {
        let whole = facts(&tree);
        assert!(!whole.reservations.is_empty() && whole.doubt().is_none());
        for len in 0..=tree.len() {
            for filler in [None, Some(0), Some(0xa5), Some(0xff)] {
                let mut cut = tree[..len].to_vec();
                if let Some(filler) = filler {
                    cut.resize(tree.len(), filler);
                }
                let facts = facts(&cut);
                for place in whole.reservations.iter().filter_map(|known| known.range()) {
                    assert!(!gives_away(&facts, place), "{place} of {len}, {filler:?}");
                }
            }
        }
    }
}

/// Numbers that look random, and are the same in every run (Marsaglia, "Xorshift RNGs").
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Words that mean something somewhere in a tree.
const WORDS: [u32; 16] = [
    0,
    1,
    2,
    3,
    4,
    8,
    9,
    17,
    40,
    0x7f,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xd00d_feed,
    0xffff_fff0,
    u32::MAX,
];

fn mutate(tree: &mut Vec<u8>, random: &mut Xorshift) {
    for _ in 0..=random.below(4) {
        let at = random.below(tree.len());
        match random.below(5) {
            0 => tree[at] ^= 1 << random.below(8),
            1 => tree[at] = random.below(256) as u8,
            2 | 3 => {
                let word = WORDS[random.below(WORDS.len())].to_be_bytes();
                let places = tree.iter_mut().skip(at & !3);
                places.zip(word).for_each(|(old, new)| *old = new);
            }
            _ => tree.truncate(at.max(1)),
        }
    }
}

#[test]
fn no_mutation_of_a_tree_panics_or_gives_false_facts() {
    let originals = [firmware_tree(), wide_tree(), disk_tree()];
    let mut random = Xorshift(0x5717_1157_2026_0001);
    let (mut doubted, mut sure, mut odd) = (0, 0, 0);
    for case in 0..100_000 {
        let mut tree = originals[case % originals.len()].clone();
        mutate(&mut tree, &mut random);
        let facts = facts(&tree);
        match facts.doubt() {
            Some(_) => doubted += 1,
            None if facts.oddities.iter().next().is_none() => sure += 1,
            None => odd += 1,
        }
        for text in [facts.model.as_str(), facts.bootargs.as_str()] {
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
    }
    // The test is worth its time only if the mutations get everywhere.
    assert!(
        doubted > 1000 && sure > 1000 && odd > 1000,
        "{doubted} {sure} {odd}"
    );
}
