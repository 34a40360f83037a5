//! The initial RAM disk in a tree.

use super::{Booted, Case, WAYS, Way};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{report, tree};

/// A tree with the board's memory, and a disk between these ends.
fn with_disk(start: &str, end: &str) -> Vec<u8> {
    let source = tree::Source {
        nodes: tree::BOARD_MEMORY,
        chosen: &format!("linux,initrd-start = {start}; linux,initrd-end = {end};"),
        reservations: "",
        version: 17,
    };
    source.compile()
}

#[test]
fn the_initial_ram_disk_is_left_alone_and_shown() {
    for (start, end) in [
        ("<0x8100000>", "<0xc000000>"),
        ("<0x0 0x8100000>", "<0x0 0xc000000>"),
    ] {
        let case = Case {
            nodes: "",
            reservations: "",
            frames: 0x3f00,
            unmapped: None,
            tree: &["device tree at 0x"],
        };
        let tree = with_disk(start, end);
        for way in WAYS {
            let mut booted = case.holds_for(way, &tree);
            let said = "0x8100000..0xc000000 left alone, 63 MiB";
            booted.must_say("initrd", &[said]);
            assert!(booted.maps(0x0900_0000));
            let info = booted.machine.command("info");
            booted
                .machine
                .must_say(&info, &[&format!("initrd    {said}")]);
        }
    }
}

#[test]
fn an_initial_ram_disk_that_cannot_be_is_told() {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let overlap = format!("overlaps the kernel at 0x80000..{image_end:#x}: the rest is left alone");
    for (start, end, topic, said) in [
        (
            "<0x9000000>",
            "<0x9000000>",
            "tree",
            "initrd from 0x9000000 to 0x9000000: nothing",
        ),
        (
            "<0x9000000>",
            "<0x8000000>",
            "tree",
            "initrd from 0x9000000 to 0x8000000: nothing",
        ),
        (
            "<0x50000000>",
            "<0x51000000>",
            "initrd",
            "0x50000000..0x51000000 not in RAM",
        ),
        ("<0x90000>", "<0x400000>", "initrd", &overlap),
    ] {
        let booted = Booted::new(Way::X0.setup(&with_disk(start, end)));
        booted.must_say(topic, &[said]);
        assert_eq!(
            report::topic(&booted.log, "ram")[0],
            "0x0..0x3b400000 948 MiB (device tree and mailbox)"
        );
    }
}
