//! Trees with one oddity each: what else they say is read.
#![forbid(unsafe_code)]

use std::string::String;

use super::{block, facts, firmware_tree, oddities, one_cell_each, place, places, root};
use crate::drivers::device_tree::writer::Writer;
use crate::drivers::facts::{
    Facts, MEMORY_RANGES, Oddity, Origin, PropertyOwner, RESERVED_RANGES, Reservation, Text,
};
use crate::drivers::range::range;

fn owner(name: &str) -> PropertyOwner {
    PropertyOwner::Place(Text::new(name.as_bytes()))
}

/// The root of a tree with one place in it, where `odd` is added before the places and `behind`
/// afterwards.
fn with(odd: impl FnOnce(Writer) -> Writer, behind: impl FnOnce(Writer) -> Writer) -> Facts {
    let tree = one_cell_each(Writer::new()).reserve(0, 0x1000);
    let tree = odd(tree.string_property("model", "Pi"));
    let tree = one_cell_each(tree.node("reserved-memory")).node("fb@10000000");
    let tree = tree.cells("reg", &[0x1000_0000, 0x80_0000]).end().end();
    let tree = tree.node("memory@0").cells("reg", &[0, 0x3b40_0000]).end();
    let tree = tree
        .node("chosen")
        .string_property("bootargs", "hello")
        .end();
    facts(&behind(tree).finish())
}

#[track_caller]
fn all_is_read(facts: &Facts) {
    assert_eq!(facts.model.as_str(), "Pi");
    assert_eq!(facts.bootargs.as_str(), "hello");
    assert_eq!(*facts.memory, [range(0, 0x3b40_0000)]);
    assert_eq!(
        *facts.reservations,
        [block(0, 0x1000), place(0x1000_0000, 0x80_0000)]
    );
    assert_eq!((facts.doubt(), &*oddities(facts)), (None, &[][..]));
}

#[test]
fn a_reservation_block_without_an_end_is_read_to_the_next_block_and_leaves_doubt() {
    let tree = Writer::new()
        .reserve(0x1000, 0x2000)
        .reserve(0x5000, 0x1000);
    let mut tree = tree.node("memory").end().finish();
    // The pair of zeros behind the two entries.
    tree[40 + 2 * 16..][..16].fill(0x11);
    let facts = facts(&tree);
    let listed = [block(0x1000, 0x2000), block(0x5000, 0x1000)];
    assert_eq!(facts.reservations[..2], listed);
    assert_eq!(facts.reservations.len(), 3);
    assert_eq!(facts.doubt(), Some(Oddity::ReservationBlock { at: 40 }));
    // One that begins behind the tree.
    tree[16..20].copy_from_slice(&0x1000_u32.to_be_bytes());
    let facts = super::facts(&tree);
    assert_eq!(facts.doubt(), Some(Oddity::ReservationBlock { at: 0x1000 }));
    assert_eq!(facts.memory_places, 1);
}

#[test]
fn names_of_any_length_are_read_over() {
    // Of properties: as in an audio overlay of the board, in its firmware, and far beyond.
    let long: String = core::iter::repeat_n('n', 300).collect();
    for name in [
        "simple-audio-card,bitclock-master",
        "brcm,a-property-of-35-letters-so-it",
        &long,
    ] {
        let odd = |root: Writer| root.bytes(name, &[]).node("sound").bytes(name, &[1]).end();
        all_is_read(&with(odd, |root| root));
        all_is_read(&with(|root| root, odd));
    }
    // Of nodes.
    for name in [
        "a-node-with-a-name-of-more-than-thirty-one-letters@1",
        &long,
    ] {
        let odd = |root: Writer| root.node(name).node(name).end().end();
        all_is_read(&with(odd, |root| root));
    }
    let odd = |root: Writer| {
        let symbols = root.node("__symbols__");
        symbols
            .string_property("a_label_that_is_just_thirty_eight_long", "/x")
            .end()
    };
    all_is_read(&with(odd, |root| root));
}

#[test]
fn names_that_only_begin_as_a_known_one_are_others() {
    let facts = places(|reserved| {
        let place = reserved.node("p").cells("reg", &[0x1000, 0x1000]);
        let place = place
            .cells("reg-names", &[1, 2, 3, 4])
            .bytes("no-mapping", &[]);
        place.string_property("status-of-old", "disabled").end()
    });
    assert_eq!(*facts.reservations, [place(0x1000, 0x1000)]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn both_versions_of_the_format_are_read() {
    for (version, last_compatible) in [(16, 16), (17, 16), (17, 17), (18, 17)] {
        all_is_read(&with(
            |root| root.version(version, last_compatible),
            |root| root,
        ));
    }
}

#[test]
fn another_version_is_read_as_far_as_it_goes_and_leaves_doubt() {
    for (version, last_compatible) in [(18, 18), (3, 2), (0, 0)] {
        let facts = with(|root| root.version(version, last_compatible), |root| root);
        assert!(matches!(facts.doubt(), Some(Oddity::Version { .. })));
        assert_eq!(facts.reservations.len(), 2);
        assert_eq!(facts.bootargs.as_str(), "hello");
    }
}

#[test]
fn memory_that_is_not_filled_in_takes_no_reservation_with_it() {
    let facts = root(|root| {
        let root = one_cell_each(root)
            .node("memory@0")
            .cells("reg", &[0, 0])
            .end();
        let reserved = one_cell_each(root.node("reserved-memory")).node("fb");
        reserved.cells("reg", &[0x1000_0000, 0x80_0000]).end().end()
    });
    assert_eq!((facts.memory_places, facts.memory.len()), (1, 0));
    assert_eq!(*facts.reservations, [place(0x1000_0000, 0x80_0000)]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn memory_that_wraps_or_is_switched_off_or_too_much_leaves_the_rest() {
    let facts = root(|root| {
        let root = root
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2]);
        let max = u32::MAX;
        root.node("memory@0")
            .cells("reg", &[max, max - 0xfff, 0, 0x1000, 0, 0, 0, 0x1000])
            .end()
            .node("memory@1")
            .string_property("status", "disabled")
            .cells("reg", &[0, 0x2000, 0, 0x1000])
            .end()
            .node("memory@2")
            .string_property("status", "okay")
            .cells("reg", &[0, 0x3000, 0, 0x1000])
            .end()
    });
    assert_eq!(*facts.memory, [range(0, 0x1000), range(0x3000, 0x1000)]);
    let (base, size) = (u64::MAX - 0xfff, 0x1000);
    let wraps = Oddity::MemoryWraps { base, size };
    assert_eq!(oddities(&facts), [wraps, Oddity::MemoryDisabled]);

    let cells = [0, 0x1000, 0x1000].repeat(MEMORY_RANGES + 1);
    let facts = root(|root| root.node("memory").cells("reg", &cells).end());
    assert_eq!(facts.memory.len(), MEMORY_RANGES);
    let (base, size) = (0x1000, 0x1000);
    assert_eq!(oddities(&facts), [Oddity::MemoryLeftOut { base, size }]);
}

#[test]
fn memory_that_the_loader_cuts_down_is_less() {
    let facts = root(|root| {
        let memory = one_cell_each(root).node("memory@0");
        let memory = memory.cells("reg", &[0, 0x3b40_0000]);
        memory.cells("linux,usable-memory", &[0, 0x1000_0000]).end()
    });
    assert_eq!(*facts.memory, [range(0, 0x1000_0000)]);
}

#[test]
fn a_reg_that_is_cut_off_is_no_memory() {
    let facts = root(|root| root.node("memory").cells("reg", &[0, 0, 0x1000, 0]).end());
    assert!(facts.memory.is_empty());
    let (owner, bytes) = (PropertyOwner::Memory, 16);
    assert_eq!(oddities(&facts), [Oddity::RegLength { owner, bytes }]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn a_reg_that_is_cut_off_loses_no_other_place_and_leaves_doubt() {
    for rest in [1, 4, 7] {
        let mut reg = [0x1000_0000_u32, 0x1000, 0x2000_0000, 0x1000]
            .map(u32::to_be_bytes)
            .concat();
        reg.truncate(8 + rest);
        let facts = places(|reserved| {
            let bad = reserved.node("bad@10000000").bytes("reg", &reg).end();
            bad.node("good").cells("reg", &[0x3000_0000, 0x1000]).end()
        });
        assert_eq!(
            *facts.reservations,
            [place(0x1000_0000, 0x1000), place(0x3000_0000, 0x1000)]
        );
        let (owner, bytes) = (owner("bad@10000000"), 8 + rest);
        assert_eq!(facts.doubt(), Some(Oddity::RegLength { owner, bytes }));
    }
}

#[test]
fn places_without_cells_are_read_as_the_root_says() {
    let facts = root(|root| {
        let reserved = one_cell_each(root).node("reserved-memory");
        reserved
            .node("fb")
            .cells("reg", &[0x1000_0000, 0x80_0000])
            .end()
            .end()
    });
    assert_eq!(*facts.reservations, [place(0x1000_0000, 0x80_0000)]);
    assert_eq!(
        oddities(&facts),
        [Oddity::NoCells(PropertyOwner::ReservedMemory)]
    );
    assert_eq!(facts.doubt(), None);
}

#[test]
fn places_without_cells_that_can_be_read_in_two_ways_are_read_in_both() {
    // Three pairs of one cell each, or two of two cells and one.
    let facts = root(|root| {
        let reserved = one_cell_each(root).node("reserved-memory").node("p");
        let reserved = reserved.cells("reg", &[0, 0x1000, 0x2000, 0, 0x3000, 0x4000]);
        reserved.end().end()
    });
    let one = [place(0, 0x1000), place(0x2000, 0), place(0x3000, 0x4000)];
    let two = [place(0x1000, 0x2000), place(0x3000, 0x4000)];
    for expected in one.iter().chain(&two) {
        assert!(facts.reservations.contains(expected), "{expected}");
    }
}

#[test]
fn cells_that_cannot_be_are_guessed_for_places_and_not_for_memory() {
    for bad in [0, 3, u32::MAX] {
        let facts = root(|root| {
            let root = root
                .cells("#address-cells", &[bad])
                .cells("#size-cells", &[1]);
            let memory = root.node("memory").cells("reg", &[0, 0x1000]).end();
            let reserved = memory
                .node("reserved-memory")
                .cells("#address-cells", &[bad]);
            let reserved = reserved.cells("#size-cells", &[1]);
            reserved
                .node("p")
                .cells("reg", &[0x5000, 0x1000])
                .end()
                .end()
        });
        assert!(facts.memory.is_empty());
        assert_eq!(*facts.reservations, [place(0x5000, 0x1000)]);
        let bad = [PropertyOwner::Root, PropertyOwner::ReservedMemory].map(Oddity::BadCells);
        assert_eq!(oddities(&facts), bad);
    }
    let facts = root(|root| root.bytes("#address-cells", &[1]));
    assert_eq!(oddities(&facts), [Oddity::BadCells(PropertyOwner::Root)]);
}

#[test]
fn properties_behind_children_count_as_those_before() {
    let facts = root(|root| {
        let reserved = root.node("reserved-memory").node("p").node("nested").end();
        let reserved = reserved.cells("reg", &[0x1000, 0x2000]).end();
        let memory = one_cell_each(reserved).end().node("memory").node("x").end();
        let memory = memory.nop().cells("reg", &[0, 0x10_0000]).nop().end();
        one_cell_each(memory).string_property("model", "last")
    });
    assert_eq!(facts.model.as_str(), "last");
    assert_eq!(*facts.memory, [range(0, 0x10_0000)]);
    assert_eq!(*facts.reservations, [place(0x1000, 0x2000)]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn a_place_that_is_switched_off_is_kept_and_says_so() {
    let facts = places(|reserved| {
        let off = reserved.node("off").string_property("status", "disabled");
        let off = off.cells("reg", &[0x1000, 0x1000]).end();
        let on = off
            .node("on")
            .string_property("status", "okay")
            .bytes("reusable", &[]);
        on.cells("reg", &[0x3000, 0x1000]).end()
    });
    let off = Reservation {
        origin: Origin::DisabledPlace,
        ..place(0x1000, 0x1000)
    };
    assert_eq!(*facts.reservations, [off, place(0x3000, 0x1000)]);
}

#[test]
fn a_place_that_the_kernel_may_choose_takes_nothing_and_is_told() {
    let facts = places(|reserved| {
        let cma = reserved.node("linux,cma").cells("size", &[0, 0x0400_0000]);
        cma.cells("alloc-ranges", &[0, 0x3000_0000]).end()
    });
    assert!(facts.reservations.is_empty());
    let (owner, size) = (owner("linux,cma"), 0x0400_0000);
    assert_eq!(oddities(&facts), [Oddity::Anywhere { owner, size }]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn a_place_of_which_nothing_says_where_leaves_doubt() {
    for value in [None, Some(&[][..])] {
        let facts = places(|reserved| {
            let fb = reserved.node("fb@10000000").bytes("no-map", &[]);
            let fb = value
                .into_iter()
                .fold(fb, |fb, value| fb.bytes("reg", value));
            fb.end().node("good").cells("reg", &[0x1000, 0x1000]).end()
        });
        assert!(facts.doubt().is_some(), "{facts:?}");
        assert_eq!(*facts.reservations, [place(0x1000, 0x1000)]);
    }
}

#[test]
fn groups_of_places_are_looked_into() {
    let grouped = |depth: usize| {
        places(|reserved| {
            let inner = (0..depth).fold(reserved, |outer, _| outer.node("group"));
            let inner = inner.node("p").cells("reg", &[0x1000, 0x2000]).end();
            (0..depth).fold(inner, |inner, _| inner.end())
        })
    };
    for depth in 0..=4 {
        let facts = grouped(depth);
        assert_eq!(*facts.reservations, [place(0x1000, 0x2000)], "{depth}");
        assert_eq!(facts.doubt(), None, "{depth}");
    }
    assert!(matches!(grouped(5).doubt(), Some(Oddity::Nested(_))));
}

#[test]
fn a_place_with_two_regs_has_both() {
    let facts = places(|reserved| {
        let place = reserved.node("p").cells("reg", &[0x1000, 0x1000]);
        place.cells("reg", &[0x5000, 0x1000]).end()
    });
    let both = [place(0x1000, 0x1000), place(0x5000, 0x1000)];
    assert_eq!(*facts.reservations, both);
}

#[test]
fn several_nodes_of_one_name_are_all_read() {
    let facts = root(|root| {
        let reserved = |root: Writer, base| {
            let reserved = one_cell_each(root.node("reserved-memory")).node("p");
            reserved.cells("reg", &[base, 0x1000]).end().end()
        };
        reserved(reserved(one_cell_each(root), 0x1000), 0x5000)
    });
    assert_eq!(
        *facts.reservations,
        [place(0x1000, 0x1000), place(0x5000, 0x1000)]
    );
}

#[test]
fn more_places_than_are_kept_apart_are_covered_all_the_same() {
    let count = 3 * RESERVED_RANGES as u32;
    let facts = places(|reserved| {
        (0..count).fold(reserved, |reserved, number| {
            let place = reserved.node("p").cells("reg", &[number << 20, 0x1000]);
            place.end()
        })
    });
    for number in 0..u64::from(count) {
        let covers = |known: &&Reservation| {
            known.base <= number << 20 && (number << 20) + 0x1000 <= known.base + known.size
        };
        assert!(
            facts.reservations.iter().any(|known| covers(&known)),
            "{number}"
        );
    }
    assert_eq!(oddities(&facts), [Oddity::ManyReservations]);
    assert_eq!(facts.doubt(), None);
}

#[test]
fn the_disk_is_found_in_both_sizes_of_cells() {
    let ends = |start: &[u32], end: &[u32]| {
        root(|root| {
            let chosen = root.node("chosen").cells("linux,initrd-start", start);
            chosen.cells("linux,initrd-end", end).end()
        })
    };
    let disk = |size| Reservation {
        origin: Origin::Initrd,
        ..block(0x0800_0000, size)
    };
    for (start, end) in [
        (&[0x0800_0000][..], &[0x0c00_0000][..]),
        (&[0, 0x0800_0000], &[0, 0x0c00_0000]),
        (&[0x0800_0000], &[0, 0x0c00_0000]),
    ] {
        assert_eq!(*ends(start, end).reservations, [disk(0x0400_0000)]);
    }
    let high = ends(&[0, 0x0800_0000], &[1, 0]);
    assert_eq!(*high.reservations, [disk((1 << 32) - 0x0800_0000)]);
}

#[test]
fn a_disk_that_cannot_be_is_told() {
    let chosen = |chosen: fn(Writer) -> Writer| {
        let facts = root(|root| chosen(root.node("chosen")).end());
        assert!(facts.reservations.is_empty());
        (oddities(&facts), facts.doubt().is_some())
    };
    let empty = |start, end| (std::vec![Oddity::InitrdEmpty { start, end }], false);
    let half = (std::vec![Oddity::InitrdHalf], true);
    const START: &str = "linux,initrd-start";
    const END: &str = "linux,initrd-end";
    assert_eq!(
        chosen(|c| c.cells(START, &[8]).cells(END, &[8])),
        empty(8, 8)
    );
    assert_eq!(
        chosen(|c| c.cells(END, &[4]).cells(START, &[8])),
        empty(8, 4)
    );
    assert_eq!(chosen(|c| c.cells(START, &[8])), half);
    assert_eq!(chosen(|c| c.cells(END, &[8])), half);
    assert_eq!(chosen(|c| c.cells(START, &[8]).bytes(END, &[1, 2])), half);
    assert_eq!(
        chosen(|c| c.cells(START, &[1, 2, 3]).cells(END, &[8])),
        half
    );
}

#[test]
fn a_name_outside_the_tree_leaves_doubt_where_it_matters() {
    // The offset of a property's name, behind its token and its length.
    let lost = |facts_of: &[u8], name: &str, nth: usize| {
        let mut tree = facts_of.to_vec();
        let strings = u32::from_be_bytes(*tree[12..].first_chunk().expect("a word")) as usize;
        let wanted = std::format!("{name}\0");
        let at = tree[strings..]
            .windows(wanted.len())
            .position(|w| w == wanted.as_bytes());
        let offset = (at.expect("the name") as u32).to_be_bytes();
        let places: std::vec::Vec<usize> = (48..strings)
            .step_by(4)
            .filter(|at| tree[*at..*at + 4] == offset && tree[*at - 8..*at - 4] == [0, 0, 0, 3])
            .collect();
        tree[places[nth]..][..4].copy_from_slice(&u32::MAX.to_be_bytes());
        facts(&tree)
    };
    let tree = firmware_tree();
    // Of the root, of /chosen, of /reserved-memory, of a place in it.
    for (name, nth) in [
        ("model", 0),
        ("linux,initrd-end", 0),
        ("ranges", 0),
        ("reg", 0),
    ] {
        assert!(lost(&tree, name, nth).doubt().is_some(), "{name}");
    }
    // Of a core.
    assert_eq!(lost(&tree, "reg", 2).doubt(), None);
}
