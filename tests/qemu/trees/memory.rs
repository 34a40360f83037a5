//! Memory nodes: where RAM begins, what is missing in it, and what is too much.

use super::{
    Booted, CELLS, FRAME, PLACE, PLACE_FRAMES, UNMAPPED, UNRESERVED, Way, frames_of, reserved,
};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::tree;

/// Boots with this memory node's `reg` in x0; what is usable must fit `ram`.
#[track_caller]
fn with_memory(reg: &str, nodes: &str, ram: &[(u64, u64)]) -> Booted {
    let memory = format!("memory@0 {{ device_type = \"memory\"; reg = {reg}; }}; {nodes}");
    let booted = Booted::new(Way::X0.setup(&tree::compile(&memory, "")));
    let expected = frames_of(ram) - Way::X0.overhead() - booted.tree_frames();
    assert_eq!(booted.usable, expected, "{}", booted.machine.transcript());
    booted
}

#[test]
fn ram_need_not_begin_at_0() {
    for (reg, start, end) in [
        ("<0x1000 0x3b000000>", 0x1000, 0x3b00_1000),
        ("<0x123 0x3b3ffff1>", 0x1000, 0x3b40_0000),
        ("<0x80000 0x3b000000>", 0x8_0000, 0x3b08_0000),
    ] {
        let booted = with_memory(reg, "", &[(start, end)]);
        let ram = format!("{start:#x}..{end:#x}");
        booted.must_say("ram", &[&ram]);
        assert!(!booted.maps(0) && !booted.maps(start - 1) && booted.maps(start));
        assert!(booted.maps(end - 1) && !booted.maps(end));
    }
}

/// As in the tree that QEMU makes of each.
#[test]
fn trees_whose_memory_is_odd_boot_in_every_way() {
    for reg in ["<0x1000 0x3b000000>", "<0x123 0x3b3ffff1>", "<0x0 0x0>"] {
        let memory = format!("memory@0 {{ device_type = \"memory\"; reg = {reg}; }};");
        let tree = tree::compile(&memory, "");
        for way in [Way::Flat, Way::Elf] {
            let booted = Booted::new(way.setup(&tree));
            let others = way.overhead() + booted.tree_frames();
            assert_eq!(booted.usable, frames_of(way.ram()) - others);
        }
    }
}

#[test]
fn ram_may_have_a_hole_just_above_the_image() {
    let ram = [(0, 0x20_0000), (0x100_0000, 0x3b00_0000)];
    let booted = with_memory("<0x0 0x200000 0x1000000 0x3a000000>", "", &ram);
    booted.must_not_map(0x20_0000, 0x100_0000);
    // In the first 2 MiB, too.
    let ram = [(0, 0x18_0000), (0x100_0000, 0x3b00_0000)];
    let booted = with_memory("<0x0 0x180000 0x1000000 0x3a000000>", "", &ram);
    booted.must_not_map(0x18_0000, 0x100_0000);
}

#[test]
fn too_little_ram_to_run_is_not_believed() {
    const KERNEL_END: u64 = 0x20_0000;
    let memory = "memory@0 { device_type = \"memory\"; reg = <0x0 0x200000>; };";
    // Without reservations; and with two that take all of it but the kernel.
    let all_beside = "/memreserve/ 0x1000 0x7f000; /memreserve/ 0x100000 0x100000;";
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let taken = (0x7f000 + KERNEL_END - image_end) / FRAME;
    for (reservations, taken) in [("", 0), (all_beside, taken)] {
        let booted = Booted::new(Way::X0.setup(&tree::compile(memory, reservations)));
        booted.must_say(
            "ram",
            &["bytes in one piece are too little", "64 MiB (assumed)"],
        );
        // The tree lies outside.
        let expected = frames_of(&[(0, 0x400_0000)]) - Way::X0.overhead() - taken;
        assert_eq!(booted.usable, expected);
    }
}

#[test]
fn ram_that_leaves_out_the_kernel_is_all_that_is_used_beside_it() {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let ram = [(0x8_0000, image_end), (0x20_0000, 0x3b40_0000)];
    let booted = with_memory("<0x200000 0x3b200000>", "", &ram);
    booted.must_not_map(image_end, 0x20_0000);
    booted.must_say("tree", &["warning: its memory leaves out the kernel"]);
}

#[test]
fn a_range_past_1_gib_is_told_and_the_rest_is_used() {
    let ram = [(0, 0x3b40_0000)];
    let booted = with_memory("<0x0 0x3b400000 0x40000000 0x40000000>", "", &ram);
    let said = "warning: memory 0x40000000..0x80000000 past the end of RAM: not used";
    booted.must_say("tree", &[said]);
    booted.must_say(
        "ram",
        &["0x0..0x3b400000 948 MiB (device tree and mailbox)"],
    );
}

#[test]
fn memory_that_is_not_filled_in_leaves_the_mailbox_to_tell_and_the_reservations() {
    let nodes = reserved(&format!("{CELLS} {PLACE}"));
    let memory = format!("memory@0 {{ device_type = \"memory\"; reg = <0 0>; }}; {nodes}");
    let tree = tree::compile(&memory, "/memreserve/ 0x20000000 0x1000;");
    let booted = Booted::new(Way::X0.setup(&tree));
    booted.must_say(
        "tree",
        &[
            "device tree at 0x8000000",
            "warning: its memory is not believed: it is not filled in",
            "its reservations are kept",
        ],
    );
    booted.must_say("ram", &["0x0..0x3c000000 960 MiB (mailbox)"]);
    booted.must_not_map(UNMAPPED.0, UNMAPPED.1);
    let others = Way::X0.overhead() + booted.tree_frames() + PLACE_FRAMES + 1;
    assert_eq!(booted.usable, frames_of(&[(0, 0x3c00_0000)]) - others);
}

/// A tree with the board's memory, of which this much is usable.
fn with_usable(usable: &str) -> Booted {
    let source = tree::Source {
        nodes: tree::BOARD_MEMORY,
        chosen: &format!("linux,usable-memory-range = {usable};"),
        reservations: "",
        version: 17,
    };
    Booted::new(Way::X0.setup(&source.compile()))
}

/// As kexec leaves it to a kernel that is started after a crash: all else is the crashed kernel's.
#[test]
fn a_kernel_after_a_crash_uses_what_is_left_to_it_alone() {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    for (range, ram) in [
        ("<0x0 0x4000000>", &[(0, 0x400_0000)][..]),
        (
            "<0x20000000 0x1000000 0x0 0x1000000 0x800000 0x1000000>",
            &[(0, 0x180_0000), (0x2000_0000, 0x2100_0000)],
        ),
        // Without the kernel.
        (
            "<0x10000000 0x4000000>",
            &[(0x8_0000, image_end), (0x1000_0000, 0x1400_0000)],
        ),
    ] {
        let booted = with_usable(range);
        // The tree lies outside of all of them.
        assert_eq!(booted.usable, frames_of(ram) - Way::X0.overhead());
        let end = ram.last().expect("a range").1;
        assert!(booted.maps(end - 1) && !booted.maps(end));
        booted.must_say("tree", &[&format!("..{end:#x} "), "may be used"]);
    }
}

#[test]
fn a_list_of_usable_memory_that_cannot_be_read_leaves_what_is_certain() {
    let booted = with_usable("[01 02 03]");
    booted.must_say("tree", &["warning: usable memory: none that can be read"]);
    booted.must_say("ram", &["0x0..0x2000000 32 MiB"]);
    assert!(!booted.maps(UNRESERVED));
}
