//! Trees built by hand, trees broken at random, and the trees that cost most.

use std::string::String;
use std::vec::Vec;

use super::writer::Writer;
use super::{
    Facts, MAX_TREE_BYTES, MEMORY_RANGES, Mapping, RESERVED_RANGES, RangeKind, Reservation,
    TreeError,
};
use crate::addr::PhysAddr;
use crate::drivers::range::{Full, range};

const LIMIT: usize = 0x4000_0000;

fn read(tree: &[u8]) -> Result<Facts, TreeError> {
    Facts::read(tree, PhysAddr::new(LIMIT))
}

/// Reads a tree with the root's properties and nodes as given.
fn read_root(root: impl FnOnce(Writer) -> Writer) -> Result<Facts, TreeError> {
    read(&root(Writer::new()).finish())
}

fn allowed(base: u64, size: u64) -> Reservation {
    let mapping = Mapping::Allowed;
    Reservation {
        base,
        size,
        mapping,
    }
}

/// A tree as the Pi 3's firmware leaves it, in small: one cell each.
fn firmware_tree() -> Vec<u8> {
    Writer::new()
        .reserve(0, 0x1000)
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .string_property("model", "Raspberry Pi 3 Model B Rev 1.2")
        .bytes("compatible", b"raspberrypi,3-model-b\0brcm,bcm2837\0")
        .nop()
        .node("chosen")
        .string_property("bootargs", "console=ttyAMA0,115200 root=/dev/mmcblk0p2")
        .end()
        .nop()
        .node("reserved-memory")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
        .bytes("ranges", &[])
        .node("linux,cma")
        .cells("size", &[0x0400_0000])
        .end()
        .node("framebuffer@3b000000")
        .cells("reg", &[0x3b00_0000, 0x0030_0000])
        .end()
        .end()
        .node("memory@0")
        .string_property("device_type", "memory")
        .cells("reg", &[0, 0x3b40_0000])
        .end()
        .finish()
}

/// Two cells each, several memory nodes, one of them by its type only.
fn wide_tree() -> Vec<u8> {
    Writer::new()
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .node("ram")
        .string_property("device_type", "memory")
        .cells(
            "reg",
            &[0, 0x2000_0000, 0, 0x1000_0000, 0, 0x3800_0000, 0, 0],
        )
        .end()
        .node("memory@0")
        .cells("reg", &[0, 0, 0, 0x1000_0000])
        .end()
        .finish()
}

#[test]
fn a_firmware_tree_gives_all_its_facts() {
    let facts = read(&firmware_tree()).expect("facts");
    assert_eq!(facts.model.as_str(), "Raspberry Pi 3 Model B Rev 1.2");
    assert_eq!(facts.compatible.as_str(), "raspberrypi,3-model-b");
    assert_eq!(*facts.memory, [range(0, 0x3b40_0000)]);
    assert_eq!(
        *facts.reservations,
        [allowed(0, 0x1000), allowed(0x3b00_0000, 0x30_0000)]
    );
    assert_eq!(
        facts.bootargs.as_str(),
        "console=ttyAMA0,115200 root=/dev/mmcblk0p2"
    );
    assert!(!facts.bootargs.is_truncated());
}

#[test]
fn every_memory_node_counts_and_empty_places_do_not() {
    let facts = read(&wide_tree()).expect("facts");
    assert_eq!(
        *facts.memory,
        [range(0x2000_0000, 0x1000_0000), range(0, 0x1000_0000)]
    );
}

#[test]
fn without_cells_an_address_has_two_and_a_size_one() {
    let facts = read_root(|root| root.node("memory").cells("reg", &[0, 0, 0x1000]).end());
    assert_eq!(*facts.expect("facts").memory, [range(0, 0x1000)]);
}

#[test]
fn a_tree_without_memory_is_told_from_one_with_none() {
    assert_eq!(read_root(|root| root), Err(TreeError::NoMemoryNode));
    let nested = read_root(|root| root.node("soc").node("memory").end().end());
    assert_eq!(nested, Err(TreeError::NoMemoryNode));
    let without_reg = read_root(|root| root.node("memory").end());
    assert_eq!(without_reg, Err(TreeError::MemoryEmpty));
    let empty = read_root(|root| root.node("memory").cells("reg", &[0, 0, 0]).end());
    assert_eq!(empty, Err(TreeError::MemoryEmpty));
}

#[test]
fn memory_past_the_limit_is_refused_with_its_values() {
    let memory =
        |size| read_root(|root| root.node("memory").cells("reg", &[0, 0x1000, size]).end());
    assert!(memory(0x3fff_f000).is_ok());
    let past = TreeError::MemoryPastLimit {
        base: 0x1000,
        size: 0x3fff_f001,
    };
    assert_eq!(memory(0x3fff_f001), Err(past));
}

#[test]
fn memory_that_wraps_is_refused_with_its_values() {
    let memory = read_root(|root| {
        root.node("memory")
            .cells("reg", &[0xffff_ffff, 0xffff_f000, 0x1000])
            .end()
    });
    let (base, size) = (0xffff_ffff_ffff_f000, 0x1000);
    assert_eq!(memory, Err(TreeError::MemoryWraps { base, size }));
}

/// A tree with 4 KiB of memory, and these nodes in `/reserved-memory`.
fn read_reserved(places: impl FnOnce(Writer) -> Writer) -> Result<Facts, TreeError> {
    read_root(|root| {
        let memory = root.node("memory").cells("reg", &[0, 0, 0x1000]).end();
        let reserved = memory
            .node("reserved-memory")
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2]);
        places(reserved).end()
    })
}

#[test]
fn a_place_that_may_not_be_mapped_says_so() {
    let facts = read_reserved(|reserved| {
        reserved
            .node("secure@8000000")
            .bytes("no-map", &[])
            .cells(
                "reg",
                &[0, 0x0800_0000, 0, 0x1000, 0, 0x0900_0000, 0, 0x2000],
            )
            .end()
            .node("ours@a000000")
            .cells("reg", &[0, 0x0a00_0000, 0, 0x1000])
            .end()
    })
    .expect("facts");
    let forbidden = |base, size| Reservation {
        mapping: Mapping::Forbidden,
        ..allowed(base, size)
    };
    assert_eq!(
        *facts.reservations,
        [
            forbidden(0x0800_0000, 0x1000),
            forbidden(0x0900_0000, 0x2000),
            allowed(0x0a00_0000, 0x1000)
        ]
    );
}

#[test]
fn a_reservation_that_cannot_be_is_passed_on_with_the_others() {
    let max = u32::MAX;
    let facts = read_reserved(|reserved| {
        reserved
            .node("empty")
            .cells("reg", &[0, 0x1000, 0, 0])
            .end()
            .node("wraps")
            .cells("reg", &[max, 0xffff_f000, 0, 0x1000])
            .end()
            .node("everything")
            .cells("reg", &[0, 0, max, max])
            .end()
            .node("good")
            .cells("reg", &[0, 0x2000, 0, 0x1000])
            .end()
    })
    .expect("the tree is believed");
    assert_eq!(
        *facts.reservations,
        [
            allowed(0x1000, 0),
            allowed(0xffff_ffff_ffff_f000, 0x1000),
            allowed(0, u64::MAX),
            allowed(0x2000, 0x1000)
        ]
    );
}

#[test]
fn a_reg_that_is_cut_off_is_not_half_believed() {
    let cut = read_root(|root| root.node("memory").cells("reg", &[0, 0, 0x1000, 0]).end());
    assert_eq!(
        cut,
        Err(TreeError::RegLength {
            bytes: 16,
            pair_bytes: 12
        })
    );
}

#[test]
fn other_numbers_of_cells_than_one_and_two_are_refused() {
    for (address, size) in [(0, 1), (3, 1), (1, 0), (2, 3), (u32::MAX, u32::MAX)] {
        let result = read_root(|root| {
            root.cells("#address-cells", &[address])
                .cells("#size-cells", &[size])
                .node("memory")
                .cells("reg", &[0, 0x1000])
                .end()
        });
        assert_eq!(result, Err(TreeError::UnsupportedCells { address, size }));
    }
    let result = read_root(|root| root.bytes("#address-cells", &[1]).node("memory").end());
    assert!(matches!(result, Err(TreeError::BadCells(_))));
}

#[test]
fn as_many_ranges_as_promised_are_kept_and_one_more_is_an_error() {
    let memory = |count: usize| {
        let cells = [0, 0x1000, 0x1000].repeat(count);
        read_root(|root| root.node("memory").cells("reg", &cells).end())
    };
    assert_eq!(
        memory(MEMORY_RANGES).expect("facts").memory.len(),
        MEMORY_RANGES
    );
    let full = Full {
        capacity: MEMORY_RANGES,
    };
    let kind = RangeKind::Memory;
    assert_eq!(
        memory(MEMORY_RANGES + 1),
        Err(TreeError::TooManyRanges { kind, full })
    );

    let reserved = |count| {
        read_root(|root| {
            (0..count)
                .fold(root, |root, _| root.reserve(0x1000, 0x1000))
                .node("memory")
                .cells("reg", &[0, 0, 0x1000])
                .end()
        })
    };
    assert_eq!(
        reserved(RESERVED_RANGES).expect("facts").reservations.len(),
        RESERVED_RANGES
    );
    let full = Full {
        capacity: RESERVED_RANGES,
    };
    let kind = RangeKind::Reserved;
    assert_eq!(
        reserved(RESERVED_RANGES + 1),
        Err(TreeError::TooManyRanges { kind, full })
    );
}

#[test]
fn long_boot_arguments_are_cut_and_say_so() {
    let long: String = core::iter::repeat_n('x', 300).collect();
    let facts = read_root(|root| {
        root.node("chosen")
            .string_property("bootargs", &long)
            .end()
            .node("memory")
            .cells("reg", &[0, 0, 0x1000])
            .end()
    })
    .expect("facts");
    assert_eq!(facts.bootargs.as_str(), &long[..256]);
    assert!(facts.bootargs.is_truncated());
}

#[test]
fn a_tree_of_another_length_than_it_claims_is_malformed() {
    let mut tree = firmware_tree();
    tree.push(0);
    assert!(matches!(read(&tree), Err(TreeError::Malformed(_))));
    for len in 0..tree.len() - 1 {
        assert!(
            matches!(read(&tree[..len]), Err(TreeError::Malformed(_))),
            "{len}"
        );
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
                let aligned = at & !3;
                tree.iter_mut()
                    .skip(aligned)
                    .zip(word)
                    .for_each(|(old, new)| *old = new);
            }
            _ => tree.truncate(at.max(1)),
        }
    }
    // A wrong length is found at once; most cases shall get further than that.
    if random.below(8) != 0 && tree.len() >= 8 {
        let len = tree.len() as u32;
        tree[4..8].copy_from_slice(&len.to_be_bytes());
    }
}

#[test]
fn no_mutation_of_a_tree_panics_hangs_or_gives_false_facts() {
    let originals = [firmware_tree(), wide_tree()];
    let mut random = Xorshift(0x5717_1157_2026_0001);
    let (mut good, mut malformed, mut other) = (0, 0, 0);
    for case in 0..100_000 {
        let mut tree = originals[case % originals.len()].clone();
        mutate(&mut tree, &mut random);
        match read(&tree) {
            Ok(facts) => {
                good += 1;
                assert!(!facts.memory.is_empty());
                assert!(
                    facts
                        .memory
                        .iter()
                        .all(|range| range.end().as_usize() <= LIMIT)
                );
                for text in [facts.model.as_str(), facts.bootargs.as_str()] {
                    assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                }
            }
            Err(TreeError::Malformed(_)) => malformed += 1,
            Err(_) => other += 1,
        }
    }
    // The test is worth its time only if the mutations get everywhere.
    assert!(
        good > 1000 && malformed > 1000 && other > 1000,
        "{good} {malformed} {other}"
    );
}

#[test]
fn the_worst_trees_of_the_largest_size_are_read_in_linear_time() {
    // Each would take minutes if a step cost as much as the tree is large.
    let memory = |root: Writer| root.node("memory").cells("reg", &[0, 0, 0x1000]).end();
    let fill = |bytes: usize, part: fn(Writer) -> Writer| {
        (0..MAX_TREE_BYTES / bytes - 64).fold(memory(Writer::new()), |root, _| part(root))
    };
    let count = MAX_TREE_BYTES / 12 - 64;
    let deep = (0..count).fold(memory(Writer::new()), |root, _| root.node("a"));
    for (what, writer) in [
        ("no-operations", fill(4, Writer::nop)),
        ("children", fill(12, |root| root.node("a").end())),
        (
            "reserved places",
            fill(40, |root| {
                root.node("reserved-memory").node("a").end().end()
            }),
        ),
        ("depth", (0..count).fold(deep, |root, _| root.end())),
    ] {
        let tree = writer.finish();
        assert!(
            tree.len() > MAX_TREE_BYTES / 2 && tree.len() <= MAX_TREE_BYTES,
            "{what}"
        );
        assert!(read(&tree).is_ok(), "{what}");
    }
    let properties = (0..count).fold(Writer::new(), |root, _| root.bytes("p", &[]));
    assert!(read(&memory(properties).finish()).is_ok());
}
