//! The memory that a crashed kernel leaves to the next one, as `/chosen` names it.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::{facts, oddities, one_cell_each, place};
use crate::drivers::device_tree::writer::Writer;
use crate::drivers::facts::{Facts, MEMORY_RANGES, Oddity, PropertyOwner};
use crate::drivers::range::{PhysRange, range};

const USABLE: &str = "linux,usable-memory-range";
const HEADER: &str = "linux,elfcorehdr";

fn chosen(root: Writer, name: &str, value: &[u8]) -> Facts {
    let root = root.node("memory").cells("reg", &[]).end();
    let chosen = root.node("chosen");
    facts(&chosen.bytes(name, value).end().finish())
}

/// A tree with cells of these widths, and numbers written so.
fn written(address: usize, size: usize, pairs: &[(u64, u64)]) -> (Writer, Vec<u8>) {
    let cells = |number: u64, count: usize| number.to_be_bytes()[8 - 4 * count..].to_vec();
    let root = Writer::new();
    let root = root.cells("#address-cells", &[address as u32]);
    let root = root.cells("#size-cells", &[size as u32]);
    let pairs = pairs.iter();
    let value =
        pairs.flat_map(|&(base, bytes)| [cells(base, address), cells(bytes, size)].concat());
    (root, value.collect())
}

#[track_caller]
fn is_restricted_to(facts: &Facts, ranges: &[PhysRange], doubt: Option<Oddity>) {
    let usable = facts.usable.as_deref();
    assert_eq!(usable, (!ranges.is_empty()).then_some(ranges));
    assert_eq!(facts.doubt(), doubt);
}

#[test]
fn it_is_read_in_every_width_of_cells_sorted_and_merged() {
    let pairs = [
        (0x2000_0000, 0x1000_0000),
        (0x800_0000, 0x100_0000),
        (0x880_0000, 0x100_0000),
    ];
    let merged = [
        range(0x800_0000, 0x180_0000),
        range(0x2000_0000, 0x1000_0000),
    ];
    for address in [1, 2] {
        for size in [1, 2] {
            let (root, value) = written(address, size, &pairs);
            let facts = chosen(root, USABLE, &value);
            is_restricted_to(&facts, &merged, None);
            assert_eq!(oddities(&facts), []);
        }
    }
    let (root, value) = written(2, 2, &[(0x1_0000_0000, 0x1_0000_0000)]);
    let facts = chosen(root, USABLE, &value);
    is_restricted_to(&facts, &[range(0x1_0000_0000, 0x1_0000_0000)], None);
}

#[test]
fn without_it_nothing_is_restricted() {
    let facts = chosen(one_cell_each(Writer::new()), "linux,usable-memory", &[0; 8]);
    is_restricted_to(&facts, &[], None);
    assert_eq!(oddities(&facts), []);
}

#[test]
fn what_can_be_read_of_a_malformed_one_restricts_and_the_rest_is_told() {
    let good = [(0x800_0000, 0x100_0000)];
    let usable = [range(0x800_0000, 0x100_0000)];
    let (root, mut value) = written(1, 1, &good);
    value.extend([0, 1, 2, 3, 4]);
    let facts = chosen(root, USABLE, &value);
    is_restricted_to(&facts, &usable, None);
    assert_eq!(oddities(&facts), [Oddity::UsableLength { bytes: 13 }]);
    // Empty, and past the last address.
    for odd in [(0x900_0000, 0), (u64::MAX, 2)] {
        let (root, value) = written(2, 2, &[odd, good[0]]);
        let facts = chosen(root, USABLE, &value);
        is_restricted_to(&facts, &usable, None);
        let (base, size) = odd;
        assert_eq!(oddities(&facts), [Oddity::UsableLeftOut { base, size }]);
    }
    // More than are kept.
    let many: Vec<_> = (0..=MEMORY_RANGES as u64)
        .map(|index| (index << 24, 0x1000))
        .collect();
    let (root, value) = written(1, 1, &many);
    let facts = chosen(root, USABLE, &value);
    assert_eq!(facts.usable.map(|usable| usable.len()), Some(MEMORY_RANGES));
    let (base, size) = many[MEMORY_RANGES];
    assert_eq!(oddities(&facts), [Oddity::UsableLeftOut { base, size }]);
}

#[test]
fn one_that_names_nothing_leaves_only_what_is_certain() {
    let unread = Some(Oddity::UsableUnread);
    for value in [&[][..], &[1, 2, 3], &[0; 8]] {
        let facts = chosen(one_cell_each(Writer::new()), USABLE, value);
        is_restricted_to(&facts, &[], unread);
    }
    // Cells that may be one or two: nothing is certain.
    let root = Writer::new().cells("#address-cells", &[3]);
    let facts = chosen(root, USABLE, &[0; 16]);
    is_restricted_to(&facts, &[], unread);
}

#[test]
fn what_a_crashed_kernel_says_of_itself_is_reserved() {
    let (root, value) = written(2, 2, &[(0x87f_0000, 0x400)]);
    let found = chosen(root, HEADER, &value);
    assert_eq!(*found.reservations, [place(0x87f_0000, 0x400)]);
    assert_eq!((found.doubt(), &*oddities(&found)), (None, &[][..]));
    let (root, _) = written(2, 2, &[]);
    let found = chosen(root, HEADER, &value[..9]);
    let owner = PropertyOwner::Chosen;
    assert_eq!(found.doubt(), Some(Oddity::RegLength { owner, bytes: 9 }));
}
