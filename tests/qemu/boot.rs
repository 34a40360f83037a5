//! Every way into the image leads to the same kernel: same map, same memory, same devices.

use std::sync::OnceLock;

use crate::harness::loader::{Level, Loader};
use crate::harness::report::{self, Line};
use crate::harness::{Ending, Machine, Setup, tree};

/// Where the loader puts the device tree.
const TREE: u64 = 0x0800_0000;
/// As much memory as QEMU's mailbox reports.
const MEMORY: &str = "memory@0 { device_type = \"memory\"; reg = <0x0 0x3c000000>; };";

/// What must not depend on the way in.
#[derive(Debug, PartialEq)]
struct Banner {
    /// Lines in which nothing depends on it.
    lines: Vec<(String, String)>,
    ram: Vec<String>,
    /// Which frames are behind it may differ, and is not told.
    map: Vec<String>,
    audit: Vec<String>,
}

impl Banner {
    fn read(log: &[Line]) -> Self {
        let constant = ["stilt", "cpu", "uart", "boot", "tables", "heap"];
        let lines = log.iter().filter(|line| constant.contains(&&*line.topic));
        let ram = report::topic(log, "ram");
        let map = report::topic(log, "map");
        Self {
            lines: lines
                .map(|line| (line.topic.clone(), line.text.clone()))
                .collect(),
            ram: ram.iter().map(|text| before(text, '(')).collect(),
            map: map.into_iter().map(str::to_owned).collect(),
            audit: audit(log),
        }
    }
}

/// The audit's counts, but for those that depend on where frames are.
fn audit(log: &[Line]) -> Vec<String> {
    let texts = report::topic(log, "audit");
    let clauses = texts.iter().flat_map(|text| text.split(", "));
    let clauses = clauses.filter(|clause| !clause.contains("alias"));
    clauses
        .map(|clause| clause.split(" in ").next().unwrap_or(clause).to_owned())
        .collect()
}

fn before(text: &str, end: char) -> String {
    text.split(end).next().unwrap_or(text).trim_end().to_owned()
}

/// Boots to the prompt; returns the machine and its log.
#[track_caller]
fn boot(setup: Setup) -> (Machine, Vec<Line>) {
    let mut machine = setup.start();
    let log = report::log(&machine.boot());
    (machine, log)
}

/// The boot that others are compared with: the raw image, without a device tree.
fn usual() -> &'static Banner {
    static USUAL: OnceLock<Banner> = OnceLock::new();
    USUAL.get_or_init(|| Banner::read(&boot(Setup::raw()).1))
}

/// The boot that is compared where cores 1 to 3 do not come: their boot memory is not freed.
fn alone() -> &'static Banner {
    static ALONE: OnceLock<Banner> = OnceLock::new();
    ALONE.get_or_init(|| Banner::read(&boot(Loader::at(Level::El2).setup()).1))
}

/// How many cores run in the end.
fn online(log: &[Line]) -> String {
    let lines = report::topic(log, "cores");
    lines
        .first()
        .map(|line| before(line, 'a'))
        .unwrap_or_default()
}

/// The entry leads to the usual kernel, says how it was entered, and halts.
#[track_caller]
fn leads_to_the_same_kernel(setup: Setup, entry: &[&str], model: &str, tree: &str) {
    let (mut machine, log) = boot(setup);
    let usual = match online(&log).as_str() {
        "4 of 4 online" => usual(),
        "1 of 4 online" => alone(),
        other => machine.fail(&format!("{other} cores")),
    };
    let said = |topic| report::topic(&log, topic).join("\n");
    machine.must_say(&said("entry"), entry);
    machine.must_say(&said("model"), &[model]);
    machine.must_say(&said("tree"), &[tree]);
    let banner = Banner::read(&log);
    if banner != *usual {
        machine.fail(&format!(
            "another kernel: {banner:#?}\nthe usual one: {usual:#?}"
        ));
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// Without a device tree, the board's revision code tells the model.
const BY_REVISION: &str = "Raspberry Pi 3 Model B Rev 1.2 (0xa02082)";

#[track_caller]
fn without_tree(setup: Setup, entry: &[&str]) {
    leads_to_the_same_kernel(setup, entry, BY_REVISION, "no device tree");
}

#[track_caller]
fn with_tree(setup: Setup, entry: &[&str], place: &str) {
    let tree = format!("device tree at {place}");
    leads_to_the_same_kernel(setup, entry, tree::MODEL, &tree);
}

fn dtb(setup: Setup) -> Setup {
    let path = setup.path("board.dtb");
    std::fs::write(&path, tree::compile(MEMORY, "")).expect("the tree can be written");
    setup.arg("-dtb").arg(path)
}

fn loader_with_tree(loader: Loader) -> Setup {
    let tree = tree::compile(MEMORY, "");
    loader.with_x0(TREE).setup().memory("tree", TREE, &tree)
}

#[test]
fn the_usual_kernel_is_what_the_other_entries_are_compared_with() {
    let usual = usual();
    let topics: Vec<&str> = usual.lines.iter().map(|(topic, _)| &**topic).collect();
    assert_eq!(topics, ["stilt", "cpu", "uart", "boot", "tables", "heap"]);
    assert_eq!(usual.ram, ["0x0..0x3c000000 960 MiB"]);
    let (window, linear) =
        (usual.map.iter()).partition::<Vec<_>, _>(|line| line.starts_with("0xffff8"));
    assert!(linear.len() >= 6, "{linear:?}");
    // Three stacks a core, and the heap.
    assert_eq!(window.len(), 13, "{window:?}");
    assert_eq!(usual.audit.len(), 4, "{:?}", usual.audit);
}

#[test]
fn a_raw_image_enters_at_el2() {
    without_tree(Setup::raw(), &["EL2", "MMU off"]);
}

#[test]
fn a_raw_image_takes_a_device_tree() {
    with_tree(dtb(Setup::raw()), &["EL2", "MMU off"], "0x8000000");
}

#[test]
fn an_elf_file_enters_at_el3_with_four_cores() {
    without_tree(Setup::elf(), &["EL3", "MMU off"]);
}

#[test]
fn an_elf_file_takes_a_device_tree_at_address_0() {
    with_tree(dtb(Setup::elf()), &["EL3", "MMU off"], "0x0");
}

#[test]
fn a_loader_enters_at_el3_with_one_core() {
    without_tree(Loader::at(Level::El3).setup(), &["EL3", "MMU off"]);
}

#[test]
fn a_loader_enters_at_el2_with_four_cores() {
    let loader = Loader::at(Level::El2).on_all_cores();
    without_tree(loader.setup(), &["EL2", "MMU off"]);
}

#[test]
fn a_loader_enters_at_el1() {
    without_tree(Loader::at(Level::El1).setup(), &["EL1", "MMU off"]);
}

#[test]
fn a_loader_enters_at_el1_with_four_cores_and_a_device_tree() {
    let loader = Loader::at(Level::El1).on_all_cores();
    with_tree(loader_with_tree(loader), &["EL1", "MMU off"], "0x8000000");
}

#[test]
fn a_loader_enters_at_el2_with_mmu_and_caches_on() {
    let loader = Loader::at(Level::El2).with_mmu();
    without_tree(loader.setup(), &["EL2", "MMU on"]);
}

#[test]
fn a_loader_enters_at_el2_with_mmu_on_and_a_device_tree() {
    let loader = Loader::at(Level::El2).with_mmu();
    with_tree(loader_with_tree(loader), &["EL2", "MMU on"], "0x8000000");
}

#[test]
fn a_loader_enters_at_el1_with_mmu_and_caches_on() {
    let loader = Loader::at(Level::El1).with_mmu();
    without_tree(loader.setup(), &["EL1", "MMU on"]);
}

#[test]
fn a_loader_enters_with_mmu_on_and_four_cores() {
    let loader = Loader::at(Level::El1).with_mmu().on_all_cores();
    without_tree(loader.setup(), &["EL1", "MMU on"]);
}

#[test]
fn a_loader_leaves_everything_dirty_at_el3() {
    without_tree(Loader::at(Level::El3).dirty().setup(), &["EL3", "MMU off"]);
    let loader = Loader::at(Level::El3).dirty().on_all_cores();
    without_tree(loader.setup(), &["EL3", "MMU off"]);
}

#[test]
fn a_loader_leaves_everything_dirty_at_el2() {
    without_tree(Loader::at(Level::El2).dirty().setup(), &["EL2", "MMU off"]);
    let loader = Loader::at(Level::El2).dirty().on_all_cores();
    with_tree(loader_with_tree(loader), &["EL2", "MMU off"], "0x8000000");
}

#[test]
fn a_loader_leaves_everything_dirty_at_el1() {
    without_tree(Loader::at(Level::El1).dirty().setup(), &["EL1", "MMU off"]);
    let loader = Loader::at(Level::El1).dirty().on_all_cores();
    without_tree(loader.setup(), &["EL1", "MMU off"]);
}

/// Whatever core 1 to 3 waited in, and at whatever level.
#[test]
fn all_cores_run_if_the_loader_lets_them() {
    for setup in [
        Setup::raw(),
        Setup::elf(),
        Loader::at(Level::El3).on_all_cores().setup(),
        Loader::at(Level::El2).on_all_cores().setup(),
        Loader::at(Level::El1).on_all_cores().setup(),
        Loader::at(Level::El2).with_mmu().on_all_cores().setup(),
        Loader::at(Level::El1).with_mmu().on_all_cores().setup(),
    ] {
        let (mut machine, log) = boot(setup);
        if online(&log) != "4 of 4 online" {
            machine.fail("not all cores run");
        }
        let output = machine.command("info");
        machine.must_say(&output, &["0 runs 1 runs 2 runs 3 runs"]);
        // Nobody waits in the first page or in the image any more.
        let output = machine.command("pt 0xffff000000000000");
        machine.must_say(&output, &["L3[  0]", "invalid"]);
        let output = machine.command("pt 0xffff000000080000");
        machine.must_say(&output, &["L3[128]", "AP=00"]);
    }
}

#[test]
fn what_absent_cores_may_come_to_is_kept() {
    let (mut machine, log) = boot(Loader::at(Level::El2).setup());
    let lines = report::topic(&log, "cores");
    let absent = |core: usize| format!("core {core} does not come");
    assert_eq!(lines[1..], [absent(1), absent(2), absent(3)]);
    let output = machine.command("info");
    machine.must_say(&output, &["0 runs 1 absent 2 absent 3 absent"]);
    let output = machine.command("pt 0xffff000000000000");
    machine.must_say(&output, &["L3[  0]", "page 4K", "PXN=1"]);
    let output = machine.command("pt 0xffff000000080000");
    machine.must_say(&output, &["L3[128]", "AP=10", "PXN=1"]);
}
