//! Firmware that lies, is silent, or loads the image elsewhere: a message, and the safest way on.

use crate::harness::loader::{Level, Loader};
use crate::harness::report;
use crate::harness::{Ending, Machine, Setup, tree};

/// Where device trees are put.
const TREE: u64 = 0x0800_0000;

/// The kernel reaches its prompt and says this of the topic.
#[track_caller]
fn goes_on(setup: Setup, said: &[(&str, &[&str])]) -> Machine {
    let mut machine = setup.start();
    let log = report::log(&machine.boot());
    for (topic, words) in said {
        machine.must_say(&report::topic(&log, topic).join("\n"), words);
    }
    let output = machine.command("mem");
    machine.must_say(&output, &["frames"]);
    machine
}

/// Whatever x0 is, without a tree the mailbox tells about RAM.
#[track_caller]
fn no_tree(setup: Setup, reason: &[&str]) {
    let tree = [&["no device tree"], reason].concat();
    let ram = ["0x0..0x3c000000", "(mailbox)"];
    goes_on(setup, &[("tree", &tree), ("ram", &ram)]);
}

fn x0(x0: u64) -> Loader {
    Loader::at(Level::El2).with_x0(x0)
}

fn with_tree(tree: &[u8]) -> Setup {
    x0(TREE).setup().memory("tree", TREE, tree)
}

/// A good tree with other bytes in its header.
fn with_header(offset: usize, word: u32) -> Vec<u8> {
    let mut tree = tree::board();
    tree[offset..offset + 4].copy_from_slice(&word.to_be_bytes());
    tree
}

const TOTAL_SIZE: usize = 4;

#[test]
fn an_x0_that_is_not_aligned_is_refused() {
    no_tree(
        x0(TREE + 1).setup(),
        &["x0 = 0x8000001 is not a multiple of 8"],
    );
}

#[test]
fn an_x0_past_ram_is_refused() {
    for address in [0x3f00_0000, 0x4000_0000, 0xffff_ffff_ffff_fff8] {
        let reason = format!("x0 = {address:#x} are not in RAM");
        no_tree(x0(address).setup(), &[&reason]);
    }
}

#[test]
fn an_x0_past_ram_is_refused_with_the_mmu_on() {
    let loader = x0(0xffff_ffff_ffff_fff8).with_mmu();
    no_tree(loader.setup(), &["are not in RAM"]);
}

#[test]
fn an_x0_that_points_to_something_else_is_refused() {
    let setup = x0(TREE).setup().memory("garbage", TREE, &[0x5a; 64]);
    no_tree(setup, &["magic 0x5a5a5a5a instead of 0xd00dfeed"]);
}

#[test]
fn atags_are_recognised_and_not_taken_for_a_tree() {
    let ram: &[&str] = &["0x0..0x3c000000", "(ATAGs and mailbox)"];
    let tree: &[&str] = &["no device tree: ATAGs instead"];
    goes_on(Setup::raw(), &[("tree", tree), ("ram", ram)]);
}

/// What the tree says is used, and this is told about it.
#[track_caller]
fn is_read(setup: Setup, warning: &str) {
    let tree = ["device tree at 0x", "warning: ", warning];
    let ram = ["0x0..0x3b400000", "(device tree and mailbox)"];
    let model = [tree::MODEL];
    goes_on(setup, &[("tree", &tree), ("ram", &ram), ("model", &model)]);
}

#[test]
fn a_tree_that_claims_to_be_too_large_is_read_as_far_as_one_can_be() {
    for size in [0x40_0000, u32::MAX] {
        let tree = with_header(TOTAL_SIZE, size);
        let warning = format!("a size of {size:#x}: 0x200000 bytes are looked at");
        is_read(with_tree(&tree), &warning);
    }
}

#[test]
fn a_tree_at_an_odd_address_is_read() {
    for address in [TREE + 1, TREE + 4] {
        let setup = x0(address).setup();
        let setup = setup.memory("tree", address, &tree::board());
        is_read(setup, &format!("x0 = {address:#x} is not a multiple of 8"));
    }
    let setup = x0(TREE + 2).with_mmu().setup();
    let setup = setup.memory("tree", TREE + 2, &tree::board());
    is_read(setup, "is not a multiple of 8");
}

#[test]
fn a_tree_that_claims_to_be_too_large_is_read_with_the_mmu_on() {
    let tree = with_header(TOTAL_SIZE, u32::MAX);
    let setup = x0(TREE).with_mmu().setup();
    is_read(setup.memory("tree", TREE, &tree), "a size of 0xffffffff");
}

#[test]
fn a_tree_that_claims_to_reach_past_ram_is_read_up_to_there() {
    const LAST_PAGE: u64 = 0x3eff_f000;
    let tree = with_header(TOTAL_SIZE, 0x2000);
    let setup = x0(LAST_PAGE).setup().memory("tree", LAST_PAGE, &tree);
    is_read(setup, "a size of 0x2000: 0x1000 bytes are looked at");
}

#[test]
fn a_tree_without_memory_leaves_the_mailbox_to_tell() {
    let tree = tree::compile("", "");
    let ram: &[&str] = &["0x0..0x3c000000", "(mailbox)"];
    let said: &[&str] = &["its memory is not believed: it has none"];
    let said = [("model", &[tree::MODEL][..]), ("ram", ram), ("tree", said)];
    goes_on(with_tree(&tree), &said);
}

/// The second as in the trees that come with Linux, which firmware corrects and other loaders do
/// not.
#[test]
fn memory_that_covers_the_devices_is_not_believed_and_the_reservations_are() {
    for size in ["0x80000000", "0x40000000"] {
        let memory = format!("memory@0 {{ device_type = \"memory\"; reg = <0x0 {size}>; }};");
        let tree = tree::compile(&memory, "/memreserve/ 0x10000000 0x1000;");
        let ram: &[&str] = &["0x0..0x3c000000", "(mailbox)"];
        let past = format!("memory 0x0..{size} past the end of RAM: not used");
        let said: &[&str] = &[
            &past,
            "its memory is not believed: ",
            "its reservations are kept",
        ];
        let reserve: &[&str] = &["0x10000000..0x10001000 left alone"];
        let model: &[&str] = &[tree::MODEL];
        let said = [
            ("model", model),
            ("ram", ram),
            ("tree", said),
            ("reserve", reserve),
        ];
        goes_on(with_tree(&tree), &said);
    }
}

#[test]
fn a_tree_with_other_memory_than_the_mailbox_is_met_in_the_middle() {
    let ram: &[&str] = &["0x0..0x3b400000", "warning"];
    goes_on(with_tree(&tree::board()), &[("ram", ram)]);
}

#[test]
fn a_mailbox_that_never_answers_is_given_up() {
    let setup = Loader::at(Level::El1).with_silent_mailbox().setup();
    let mailbox: &[&str] = &["no answer"];
    let ram: &[&str] = &["0x0..0x4000000 64 MiB", "(assumed)"];
    let said = [
        ("mailbox", mailbox),
        ("model", &["unknown"]),
        ("ram", ram),
        ("uart", &["48 MHz"]),
    ];
    let mut machine = goes_on(setup, &said);
    let output = machine.command("info");
    machine.must_say(&output, &["no answer from the mailbox"]);
}

#[test]
fn without_a_mailbox_the_device_tree_tells_about_ram() {
    let loader = Loader::at(Level::El1).with_silent_mailbox().with_x0(TREE);
    let setup = loader.setup().memory("tree", TREE, &tree::board());
    let ram: &[&str] = &["0x0..0x3b400000 948 MiB (device tree)"];
    goes_on(setup, &[("model", &[tree::MODEL]), ("ram", ram)]);
}

#[test]
fn an_image_at_another_address_says_so_and_stops() {
    for (level, address) in [
        (Level::El2, 0x20_0000),
        (Level::El3, 0x0),
        (Level::El1, 0x10_0000),
        // In the right page, but not at its start.
        (Level::El2, 0x8_0040),
    ] {
        let mut machine = Loader::at(level).with_image_at(address).setup().start();
        machine.must_end(Ending::Early);
        let output = machine.transcript();
        let place = format!("loaded at {address:016x} but made for 0000000000080000");
        machine.must_say(&output, &[&place, "kernel_address"]);
    }
}
