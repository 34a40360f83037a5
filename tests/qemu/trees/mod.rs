//! Device trees with one oddity each, as public ones have them: the kernel boots on all cores,
//! reads the rest, and neither maps nor hands out what is reserved.
//!
//! Each comes in three ways: in x0 as it is, and by QEMU's `-dtb` with the flat image and with the
//! ELF file, where QEMU fills in the memory.

mod disk;
mod memory;
mod places;

use std::sync::OnceLock;

use crate::harness::loader::{Level, Loader};
use crate::harness::report::{self, Line, Run};
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

    /// How many frames of RAM are not usable even if nothing is reserved, but for the metadata,
    /// page 0 and the tree.
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
