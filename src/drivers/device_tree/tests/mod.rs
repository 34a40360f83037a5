//! Trees built by hand, trees that are odd, trees that are cut off or broken at every byte, and the
//! trees that cost most.
#![forbid(unsafe_code)]

mod cost;
mod damage;
mod odd;
mod usable;

use std::string::String;
use std::vec::Vec;

use super::read;
use super::writer::Writer;
use crate::drivers::facts::{Facts, Mapping, Oddity, Origin, Reservation};
use crate::drivers::range::range;

fn facts(tree: &[u8]) -> Facts {
    let mut facts = Facts::default();
    read(tree, &mut facts);
    facts
}

/// Reads a tree with the root's properties and nodes as given.
fn root(root: impl FnOnce(Writer) -> Writer) -> Facts {
    facts(&root(Writer::new()).finish())
}

/// A tree of one-cell numbers, with these places in `/reserved-memory`.
fn places(places: impl FnOnce(Writer) -> Writer) -> Facts {
    root(|root| {
        let root = one_cell_each(root);
        places(one_cell_each(root.node("reserved-memory"))).end()
    })
}

fn one_cell_each(writer: Writer) -> Writer {
    writer
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[1])
}

fn block(base: u64, size: u64) -> Reservation {
    Reservation {
        base,
        size,
        mapping: Mapping::Allowed,
        origin: Origin::Block,
    }
}

fn place(base: u64, size: u64) -> Reservation {
    Reservation {
        origin: Origin::Place,
        ..block(base, size)
    }
}

fn oddities(facts: &Facts) -> Vec<Oddity> {
    facts.oddities.iter().copied().collect()
}

/// A tree as the Pi 3's firmware leaves it, in small: one cell each.
fn firmware_tree() -> Vec<u8> {
    let root = Writer::new().reserve(0, 0x1000);
    let root = one_cell_each(root)
        .string_property("model", "Raspberry Pi 3 Model B Rev 1.2")
        .bytes("compatible", b"raspberrypi,3-model-b\0brcm,bcm2837\0")
        .nop()
        .node("chosen")
        .string_property("bootargs", "console=ttyAMA0,115200 root=/dev/mmcblk0p2")
        .cells("linux,initrd-start", &[0x0800_0000])
        .cells("linux,initrd-end", &[0x0812_3456])
        .end()
        .nop()
        .node("reserved-memory");
    let root = one_cell_each(root)
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
        .node("cpus")
        .cells("#address-cells", &[1])
        .cells("#size-cells", &[0])
        .node("cpu-map")
        .end();
    (0..4)
        .fold(root, |cpus, number| {
            let cpu = cpus.node("cpu@").cells("reg", &[number]);
            cpu.string_property("device_type", "cpu").end()
        })
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
        .node("reserved-memory")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .node("secure@10000000")
        .bytes("no-map", &[])
        .cells("reg", &[0, 0x1000_0000, 0, 0x80_0000])
        .end()
        .end()
        .node("chosen")
        .end()
        .finish()
}

/// One in which the disk comes last: in the structure, and by its names.
fn disk_tree() -> Vec<u8> {
    let root = one_cell_each(Writer::new()).node("memory");
    let root = root.cells("reg", &[0, 0x3b40_0000]).end();
    let root = one_cell_each(root.node("reserved-memory")).node("p");
    root.cells("reg", &[0x1000_0000, 0x80_0000])
        .end()
        .end()
        .node("chosen")
        .cells("linux,initrd-end", &[0x0900_0000])
        .cells("linux,initrd-start", &[0x0800_0000])
        .end()
        .finish()
}

#[test]
fn a_firmware_tree_gives_all_its_facts() {
    let facts = facts(&firmware_tree());
    assert_eq!(facts.model.as_str(), "Raspberry Pi 3 Model B Rev 1.2");
    assert_eq!(facts.compatible.as_str(), "raspberrypi,3-model-b");
    assert_eq!(*facts.memory, [range(0, 0x3b40_0000)]);
    let disk = Reservation {
        origin: Origin::Initrd,
        ..block(0x0800_0000, 0x12_3456)
    };
    assert_eq!(
        *facts.reservations,
        [block(0, 0x1000), disk, place(0x3b00_0000, 0x30_0000)]
    );
    assert_eq!(
        facts.bootargs.as_str(),
        "console=ttyAMA0,115200 root=/dev/mmcblk0p2"
    );
    assert_eq!(facts.cores, 4);
    // The one place without a place is worth a word, and nothing is wrong.
    assert!(oddities(&facts).iter().all(|oddity| !oddity.is_wrong()));
    assert_eq!(facts.doubt(), None);
}

#[test]
fn every_memory_node_counts_and_empty_places_do_not() {
    let facts = facts(&wide_tree());
    assert_eq!(
        *facts.memory,
        [range(0x2000_0000, 0x1000_0000), range(0, 0x1000_0000)]
    );
    assert_eq!(facts.memory_places, 2);
    let secure = Reservation {
        mapping: Mapping::Forbidden,
        ..place(0x1000_0000, 0x80_0000)
    };
    assert_eq!(*facts.reservations, [secure]);
}

#[test]
fn without_cells_an_address_has_two_and_a_size_one() {
    let facts = root(|root| root.node("memory").cells("reg", &[0, 0, 0x1000]).end());
    assert_eq!(*facts.memory, [range(0, 0x1000)]);
    assert_eq!(oddities(&facts), []);
}

#[test]
fn addresses_of_two_cells_have_their_high_word() {
    let facts = root(|root| {
        let root = root.cells("#size-cells", &[2]);
        let memory = root
            .node("memory")
            .cells("reg", &[1, 0x1000, 0, 0x2000])
            .end();
        let reserved = memory.node("reserved-memory").cells("#address-cells", &[2]);
        let reserved = reserved.cells("#size-cells", &[1]);
        reserved.node("p").cells("reg", &[2, 0x3000, 4]).end().end()
    });
    assert_eq!(*facts.memory, [range(0x1_0000_1000, 0x2000)]);
    assert_eq!(*facts.reservations, [place(0x2_0000_3000, 4)]);
}

#[test]
fn a_tree_without_memory_is_told_from_one_with_none() {
    let counts = |facts: Facts| (facts.memory_places, facts.memory.len());
    assert_eq!(counts(root(|root| root)), (0, 0));
    let nested = root(|root| root.node("soc").node("memory").end().end());
    assert_eq!(counts(nested), (0, 0));
    assert_eq!(counts(root(|root| root.node("memory").end())), (1, 0));
    let empty = root(|root| root.node("memory").cells("reg", &[0, 0, 0]).end());
    assert_eq!(counts(empty), (1, 0));
}

#[test]
fn a_place_that_may_not_be_mapped_says_so() {
    let facts = places(|reserved| {
        let secure = reserved.node("secure@8000000").bytes("no-map", &[]);
        secure
            .cells("reg", &[0x0800_0000, 0x1000, 0x0900_0000, 0x2000])
            .end()
            .node("ours@a000000")
            .cells("reg", &[0x0a00_0000, 0x1000])
            .end()
    });
    let forbidden = |base, size| Reservation {
        mapping: Mapping::Forbidden,
        ..place(base, size)
    };
    assert_eq!(
        *facts.reservations,
        [
            forbidden(0x0800_0000, 0x1000),
            forbidden(0x0900_0000, 0x2000),
            place(0x0a00_0000, 0x1000)
        ]
    );
}

#[test]
fn a_reservation_that_cannot_be_is_passed_on_with_the_others() {
    let max = u32::MAX;
    let facts = root(|root| {
        root.reserve(u64::MAX - 0xfff, 0x1000)
            .reserve(0x1000, 0)
            .reserve(0, 0x1000)
            .node("reserved-memory")
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2])
            .node("everything")
            .cells("reg", &[0, 0, max, max])
            .end()
            .node("empty")
            .cells("reg", &[0, 0x1000, 0, 0])
            .end()
            .node("good")
            .cells("reg", &[0, 0x2000, 0, 0x1000])
            .end()
            .end()
    });
    assert_eq!(
        *facts.reservations,
        [
            block(u64::MAX - 0xfff, 0x1000),
            block(0x1000, 0),
            block(0, 0x1000),
            place(0, u64::MAX),
            place(0x1000, 0),
            place(0x2000, 0x1000)
        ]
    );
    assert_eq!(facts.doubt(), None);
}

#[test]
fn long_boot_arguments_are_cut_and_say_so() {
    let long: String = core::iter::repeat_n('x', 1100).collect();
    let facts = root(|root| root.node("chosen").string_property("bootargs", &long).end());
    assert_eq!(facts.bootargs.as_str(), &long[..1024]);
    assert!(facts.bootargs.is_truncated());
}
