//! Device trees with one oddity each, as public ones have them: the kernel boots on all cores, reads the rest,
//! and neither maps nor hands out what is reserved.
//!
//! Each comes in three ways: in x0 as it is, and by QEMU's `-dtb` with the flat image and with the ELF file, where
//! QEMU fills in the memory.

use std::sync::OnceLock;

use crate::harness::loader::{Level, Loader};
use crate::harness::report::{self, Line, Run};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Machine, Setup, tree};

/// Where the loader puts the device tree.
const TREE: u64 = 0x0800_0000;
const FRAME: u64 = 0x1000;
/// What is used if reservations may be missing.
const UNRESERVED: u64 = 32 << 20;

/// How the tree comes to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    X0,
    Flat,
    Elf,
}

const WAYS: [Way; 3] = [Way::X0, Way::Flat, Way::Elf];

impl Way {
    fn setup(self, tree: &[u8]) -> Setup {
        let dtb = |setup: Setup| {
            let path = setup.path("board.dtb");
            std::fs::write(&path, tree).expect("the tree can be written");
            setup.arg("-dtb").arg(path)
        };
        match self {
            Self::X0 => {
                let loader = Loader::at(Level::El2).on_all_cores().with_x0(TREE);
                loader.setup().memory("tree", TREE, tree)
            }
            Self::Flat => dtb(Setup::raw()),
            Self::Elf => dtb(Setup::elf()),
        }
    }

    /// RAM as a tree with [`tree::BOARD_MEMORY`] has it in the end.
    const fn ram(self) -> &'static [(u64, u64)] {
        match self {
            Self::X0 => &[(0, 0x3b40_0000)],
            Self::Flat | Self::Elf => &[(0, 0x3c00_0000)],
        }
    }

    /// How many frames of RAM are not usable even if nothing is reserved, but for the metadata, page 0 and the
    /// tree.
    fn overhead(self) -> u64 {
        static OVERHEAD: [OnceLock<u64>; 3] = [const { OnceLock::new() }; 3];
        *OVERHEAD[self as usize].get_or_init(|| {
            let booted = Booted::new(self.setup(&tree::board()));
            frames_of(self.ram()) - booted.usable - booted.tree_frames()
        })
    }
}

/// Frames of this RAM, less those of the metadata and page 0.
fn frames_of(ram: &[(u64, u64)]) -> u64 {
    let frames: u64 = ram.iter().map(|(start, end)| (end - start) / FRAME).sum();
    let end = ram.last().map_or(0, |(_, end)| end / FRAME);
    frames - (end * 8).div_ceil(FRAME) - u64::from(ram[0].0 == 0)
}

/// A kernel at its prompt, on four cores, and what it says of its memory.
struct Booted {
    machine: Machine,
    log: Vec<Line>,
    usable: u64,
    runs: Vec<Run>,
}

impl Booted {
    #[track_caller]
    fn new(setup: Setup) -> Self {
        let mut machine = setup.start();
        let log = report::log(&machine.boot());
        machine.must_say(&report::topic(&log, "cores").join("\n"), &["4 of 4 online"]);
        let output = machine.command("mem");
        let of = output.split(" of ").nth(1).unwrap_or_default();
        let Some(Ok(usable)) = of.split(' ').next().map(str::parse) else {
            machine.fail("mem does not count frames");
        };
        let runs = report::map(&machine.command("map"));
        Self {
            machine,
            log,
            usable,
            runs,
        }
    }

    /// Frames in which the tree lies.
    #[track_caller]
    fn tree_frames(&self) -> u64 {
        let said = self.said("tree");
        let place = said.strip_prefix("device tree at 0x").unwrap_or_default();
        let place = place.split([',', '\n']).next().unwrap_or_default();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let ends = place.split_once("..0x");
        let ends = ends.and_then(|(start, end)| Some((number(start)?, number(end)?)));
        let Some((start, end)) = ends else {
            self.machine
                .fail("the log does not say where the tree lies");
        };
        // Page 0 is the board's anyway.
        end.div_ceil(FRAME) - start.max(FRAME) / FRAME
    }

    fn said(&self, topic: &str) -> String {
        report::topic(&self.log, topic).join("\n")
    }

    #[track_caller]
    fn must_say(&self, topic: &str, words: &[&str]) {
        self.machine.must_say(&self.said(topic), words);
    }

    /// Whether the linear map, or anything else, maps the frame.
    fn maps(&self, pa: u64) -> bool {
        self.runs.iter().any(|run| {
            let bytes = run.addresses.end - run.addresses.start;
            (run.frame..run.frame + bytes).contains(&pa)
        })
    }

    /// No frame from `start` to `end` is mapped, and those beside them are.
    #[track_caller]
    fn must_not_map(&self, start: u64, end: u64) {
        for pa in [start, (start + end) / 2, end - 1] {
            assert!(!self.maps(pa), "{pa:#x} is mapped: {:#x?}", self.runs);
        }
        for pa in [start - 1, end] {
            assert!(self.maps(pa), "{pa:#x} is not mapped: {:#x?}", self.runs);
        }
    }
}

/// What was reserved in a tree with the board's memory, and these nodes and reservations.
struct Case<'a> {
    nodes: &'a str,
    reservations: &'a str,
    /// Frames that it takes from the kernel.
    frames: u64,
    /// What is not mapped of them.
    unmapped: Option<(u64, u64)>,
    /// What is said about the tree.
    tree: &'a [&'a str],
}

impl Case<'_> {
    /// In every way: all is as it must be.
    #[track_caller]
    fn holds(&self) {
        let nodes = format!("{} {}", tree::BOARD_MEMORY, self.nodes);
        let tree = tree::compile(&nodes, self.reservations);
        for way in WAYS {
            self.holds_for(way, &tree);
        }
    }

    #[track_caller]
    fn holds_for(&self, way: Way, tree: &[u8]) -> Booted {
        let booted = Booted::new(way.setup(tree));
        booted.must_say("model", &[tree::MODEL]);
        booted.must_say("bootargs", &["from the device tree"]);
        booted.must_say("tree", self.tree);
        let others = way.overhead() + booted.tree_frames();
        let expected = frames_of(way.ram()) - others - self.frames;
        assert_eq!(
            booted.usable,
            expected,
            "{way:?}: {}",
            booted.machine.transcript()
        );
        if let Some((start, end)) = self.unmapped {
            booted.must_not_map(start, end);
        }
        booted
    }
}

/// `/reserved-memory` with these properties and places.
fn reserved(inside: &str) -> String {
    format!("reserved-memory {{ {inside} }};")
}

const CELLS: &str = "#address-cells = <1>; #size-cells = <1>; ranges;";
const PLACE: &str = "fb@10000000 { reg = <0x10000000 0x800000>; no-map; };";
/// What [`PLACE`] is.
const UNMAPPED: (u64, u64) = (0x1000_0000, 0x1080_0000);
const PLACE_FRAMES: u64 = 0x800;

#[test]
fn names_of_more_than_31_characters_take_no_reservation_with_them() {
    for odd in [
        "sound { simple-audio-card,bitclock-master; };",
        "__symbols__ { a_label_that_is_just_thirty_eight_long = \"/sound\"; };",
        "a-node-with-a-name-of-more-than-thirty-one-letters { };",
    ] {
        let case = Case {
            nodes: &format!("{} {odd}", reserved(&format!("{CELLS} {PLACE}"))),
            reservations: "/memreserve/ 0x0 0x1000;",
            frames: PLACE_FRAMES,
            unmapped: Some(UNMAPPED),
            tree: &["device tree at 0x"],
        };
        case.holds();
    }
}

#[test]
fn places_without_numbers_of_cells_are_left_alone() {
    let case = Case {
        nodes: &reserved(&format!("ranges; {PLACE}")),
        reservations: "/memreserve/ 0x0 0x1000; /memreserve/ 0x20000000 0x2000;",
        frames: PLACE_FRAMES + 2,
        unmapped: Some(UNMAPPED),
        tree: &["warning: /reserved-memory: no cells, the root's are taken"],
    };
    case.holds();
}

#[test]
fn a_tree_of_version_16_is_read() {
    let case = Case {
        nodes: "",
        reservations: "",
        frames: PLACE_FRAMES,
        unmapped: Some(UNMAPPED),
        tree: &["device tree at 0x"],
    };
    let nodes = reserved(&format!("{CELLS} {PLACE}"));
    let nodes = format!("{} {nodes}", tree::BOARD_MEMORY);
    let source = tree::Source {
        nodes: &nodes,
        chosen: "",
        reservations: "",
        version: 16,
    };
    case.holds_for(Way::X0, &source.compile());
}

#[test]
fn many_places_are_all_left_alone() {
    for (count, tree) in [
        (18, "device tree at 0x"),
        (70, "warning: over 64 reservations"),
    ] {
        let place = |number: u64| {
            let base = 0x1000_0000 + number * 0x2000;
            format!("p@{base:x} {{ reg = <{base:#x} 0x2000>; no-map; }};")
        };
        let places: String = (0..count).map(place).collect();
        let case = Case {
            nodes: &reserved(&format!("{CELLS} {places}")),
            reservations: "",
            frames: 2 * count,
            unmapped: Some((0x1000_0000, 0x1000_0000 + count * 0x2000)),
            tree: &[tree],
        };
        case.holds();
    }
}

#[test]
fn a_place_over_what_follows_the_image_leaves_room_elsewhere() {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let case = Case {
        nodes: &reserved(&format!(
            "{CELLS} r@b0000 {{ reg = <0xb0000 0x200000>; no-map; }};"
        )),
        reservations: "",
        frames: (0x2b_0000 - image_end) / FRAME,
        unmapped: Some((image_end, 0x2b_0000)),
        tree: &["device tree at 0x"],
    };
    case.holds();
}

#[test]
fn a_place_that_is_switched_off_says_why_it_is_left_alone() {
    let place = "off@10000000 { reg = <0x10000000 0x1000>; status = \"disabled\"; };";
    let case = Case {
        nodes: &reserved(&format!("{CELLS} {place}")),
        reservations: "",
        frames: 1,
        unmapped: None,
        tree: &["device tree at 0x"],
    };
    let tree = tree::compile(&format!("{} {}", tree::BOARD_MEMORY, case.nodes), "");
    let booted = case.holds_for(Way::X0, &tree);
    let said = "0x10000000..0x10001000 left alone; disabled, but perhaps in use";
    booted.must_say("reserve", &[said]);
}

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

/// Wherever reservations may be missing, only what nobody reserves is used, and what was read is kept.
#[track_caller]
fn in_doubt(tree: &[u8], why: &str) {
    let mut booted = Booted::new(Way::X0.setup(tree));
    booted.must_say(
        "ram",
        &[
            "warning: reservations may be missing",
            why,
            "only 0x0..0x2000000 is used",
        ],
    );
    booted.must_say("reserve", &["0x1800000..0x1900000 left alone"]);
    let least = frames_of(&[(0, UNRESERVED)]) - 0x100 - 0x200;
    let most = frames_of(&[(0, UNRESERVED)]) - 0x100;
    assert!((least..most).contains(&booted.usable), "{}", booted.usable);
    for pa in [UNRESERVED, UNMAPPED.0, TREE, 0x3b00_0000] {
        assert!(!booted.maps(pa), "{pa:#x}");
    }
    // It is enough to work with.
    booted.machine.command("soak 1");
    booted.machine.command("mem");
}

#[test]
fn a_tree_that_was_cut_off_is_used_with_caution() {
    let nodes = reserved(&format!("{CELLS} {PLACE}"));
    let nodes = format!("{} {nodes}", tree::BOARD_MEMORY);
    let tree = tree::compile(&nodes, "/memreserve/ 0x1800000 0x100000;");
    for part in [1, 2, 3] {
        in_doubt(&tree[..tree.len() * part / 4], "");
    }
}

#[test]
fn places_of_which_nothing_says_where_are_met_with_caution() {
    for (place, why) in [
        (
            "fb@10000000 { no-map; };",
            "fb@10000000: reserved, and nothing says where",
        ),
        (
            "fb { reg = <0x10000000>; };",
            "fb: reg of 4 bytes, no whole pairs",
        ),
    ] {
        let nodes = format!(
            "{} {}",
            tree::BOARD_MEMORY,
            reserved(&format!("{CELLS} {place}"))
        );
        in_doubt(
            &tree::compile(&nodes, "/memreserve/ 0x1800000 0x100000;"),
            why,
        );
    }
}
