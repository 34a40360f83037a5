//! What the kernel finds out about its machine: firmware, reserved memory, the watchdog.
//!
//! # Decisions
//! QEMU 7.2 has the watchdog's registers and no countdown: asked for a full reset it resets at
//! once, whatever time was set. So that it is armed is seen with RAM in the place of its registers
//! ([`Loader::with_tame_watchdog`]), and that an armed one resets is seen by the reset that comes
//! too early.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::loader::{Level, Loader};
use crate::harness::report::{self, Run};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Machine, Setup, tree};

/// Where device trees are put.
const TREE: u64 = 0x0800_0000;
/// PM_RSTC and PM_WDOG, in the linear map.
const RESET_CONTROL: u64 = HIGH_HALF + 0x3f10_001c;
const WATCHDOG_TIME: u64 = HIGH_HALF + 0x3f10_0024;

/// The text behind `label` in the output of `info`.
#[track_caller]
fn line<'a>(machine: &Machine, output: &'a str, label: &str) -> &'a str {
    let line = output
        .lines()
        .find(|line| line.split(' ').next() == Some(label));
    match line.and_then(|line| line.strip_prefix(label)) {
        Some(text) => text.trim_start(),
        None => machine.fail(&format!("info does not tell {label}")),
    }
}

/// Whether `text` is a number of more than nothing, and a unit that ends in `unit`.
fn is_quantity(text: &str, unit: &str) -> bool {
    text.split_once(' ').is_some_and(|(number, its_unit)| {
        number.parse::<f64>().is_ok_and(|number| number > 0.0) && its_unit.ends_with(unit)
    })
}

/// Whether `text` says why there is no reading. Which tags an emulator's firmware answers changes
/// with its version.
fn is_reason(text: &str) -> bool {
    ["mailbox tag ", "not answered"]
        .iter()
        .any(|words| text.contains(words))
}

/// The text behind `label`, with the lines that go on with it.
#[track_caller]
fn lines(machine: &Machine, output: &str, label: &str) -> String {
    let first = line(machine, output, label);
    let (_, rest) = output.split_once(first).unwrap_or_default();
    let more = rest.lines().skip(1);
    let more = more.take_while(|line| line.starts_with(' '));
    let parts = std::iter::once(first).chain(more.map(str::trim));
    parts.collect::<Vec<_>>().join(" ")
}

/// The entries of a list, each a name and what it has.
fn entries(text: &str) -> Vec<(&str, &str)> {
    let entries = text.split(", ");
    entries
        .map(|entry| entry.split_once(' ').unwrap_or((entry, "")))
        .collect()
}

/// Asserts what holds of every emulator's firmware, not what one version answers: order and units
/// of the topics.
#[test]
fn info_shows_each_topic_in_its_units() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("info");
    let line = |label| line(&machine, &output, label);
    let is_hex = |text: &str| {
        text.strip_prefix("0x")
            .is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok())
    };
    machine.must_say(line("board"), &["Raspberry Pi 3 Model B", "(0xa02082)"]);
    assert!(is_hex(line("serial")) && line("serial").len() == 18);
    let mac: Vec<_> = line("mac").split(':').collect();
    let is_byte = |digits: &&str| digits.len() == 2 && u8::from_str_radix(digits, 16).is_ok();
    assert!(mac.len() == 6 && mac.iter().all(is_byte), "{mac:?}");
    assert!(is_hex(line("firmware")), "{output}");
    assert_eq!(line("ram"), "960 MiB (ATAGs and mailbox)");
    assert_eq!(line("videocore"), "0x3c000000..0x40000000 64 MiB");
    for label in ["clocks", "maximum"] {
        let clocks = lines(&machine, &output, label);
        let clocks = entries(&clocks);
        let names: Vec<_> = clocks.iter().map(|(name, _)| *name).collect();
        let expected = [
            "EMMC", "UART", "ARM", "core", "V3D", "H264", "ISP", "SDRAM", "pixel", "PWM",
        ];
        assert_eq!(names, expected, "{output}");
        for (name, rate) in clocks {
            assert!(is_quantity(rate, "Hz"), "{name}: {output}");
        }
    }
    let (heat, limit) = line("heat").split_once(" of at most ").unwrap_or_default();
    assert!(
        is_quantity(heat, "C") && is_quantity(limit, "C"),
        "{output}"
    );
}

/// Each of the three either has a reading or says why not: 7.2 answers none of them, 10.0 the last
/// one.
#[test]
fn a_tag_that_fails_is_told_with_its_reason_and_hides_no_other() {
    let mut machine = Setup::raw().start();
    machine.boot();
    let output = machine.command("info");
    let line = |label| line(&machine, &output, label);
    let all_in = |unit: &'static str| {
        move |text: &str| entries(text).iter().all(|(_, v)| is_quantity(v, unit))
    };
    type Is<'a> = &'a dyn Fn(&str) -> bool;
    let readings: [(&str, Is); 3] = [
        ("measured", &all_in("Hz")),
        ("voltage", &all_in("V")),
        ("throttled", &|text| {
            ["never", "now: ", "not now; "]
                .iter()
                .any(|begin| text.starts_with(begin))
        }),
    ];
    for (label, is_reading) in readings {
        let text = line(label);
        assert!(is_reason(text) != is_reading(text), "{label}: {output}");
    }
    // What stands before, between and after them.
    for label in ["maximum", "heat", "clocks"] {
        let text = line(label);
        assert!(!is_reason(text), "{text}");
    }
}

#[test]
fn a_firmware_that_was_silent_is_asked_no_more_and_every_line_says_so() {
    let mut machine = Loader::at(Level::El1).with_silent_mailbox().setup().start();
    let log = report::log(&machine.boot());
    let silent = "no answer from the mailbox in ";
    let about = report::topic(&log, "mailbox");
    assert_eq!(about.len(), 2, "{about:?}");
    machine.must_say(about[1], &["the VideoCore's memory", silent]);
    // Each question would cost a second.
    let asked = Instant::now();
    let output = machine.command("info");
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    for label in [
        "board",
        "serial",
        "mac",
        "firmware",
        "clocks",
        "maximum",
        "measured",
        "heat",
        "voltage",
        "throttled",
    ] {
        let reason = format!("unknown: {silent}");
        assert!(
            line(&machine, &output, label).starts_with(&reason),
            "{output}"
        );
    }
    assert_eq!(line(&machine, &output, "ram"), "64 MiB (assumed)");
    assert_eq!(line(&machine, &output, "videocore"), "unknown");
}

/// A machine whose tree has the board's memory, these nodes and these reservations.
fn with_tree(nodes: &str, reservations: &str) -> Setup {
    let nodes = format!("{} {nodes}", tree::BOARD_MEMORY);
    let tree = tree::compile(&nodes, reservations);
    let loader = Loader::at(Level::El1).with_x0(TREE);
    loader.setup().memory("tree", TREE, &tree)
}

/// `/reserved-memory` with these places.
fn places(places: &str) -> String {
    format!("reserved-memory {{ #address-cells = <1>; #size-cells = <1>; ranges; {places} }};")
}

/// Boots; gives what the log says of reservations, the usable frames, and the map.
#[track_caller]
fn boots(setup: Setup) -> (Machine, Vec<String>, u64, Vec<Run>) {
    let mut machine = setup.start();
    let log = report::log(&machine.boot());
    let reserved = report::topic(&log, "reserve");
    let reserved = reserved.into_iter().map(str::to_owned).collect();
    let output = machine.command("mem");
    let of = output.split(" of ").nth(1).unwrap_or_default();
    let Some(Ok(usable)) = of.split(' ').next().map(str::parse) else {
        machine.fail("mem does not count frames");
    };
    let output = machine.command("map");
    let runs = report::map(&output);
    (machine, reserved, usable, runs)
}

/// What becomes of these trees differs from what becomes of one without reservations by `frames`.
#[track_caller]
fn takes(nodes: &str, reservations: &str, frames: u64, said: &[&str]) -> (Machine, Vec<Run>) {
    let (_, none, all, _) = boots(with_tree("", ""));
    assert_eq!(none, [""; 0]);
    let (machine, reserved, usable, runs) = boots(with_tree(nodes, reservations));
    assert_eq!(reserved, said);
    assert_eq!(all - usable, frames, "frames");
    (machine, runs)
}

#[test]
fn a_reservation_in_ram_takes_its_frames_and_no_other() {
    let (_, runs) = takes(
        &places("buffer@20000800 { reg = <0x20000800 0x2000>; };"),
        "/memreserve/ 0x10000000 0x100000;",
        0x100 + 3,
        &[
            "0x10000000..0x10100000 left alone",
            "0x20000800..0x20002800 left alone",
        ],
    );
    assert!(runs.iter().any(|run| run.contains(HIGH_HALF + 0x1000_0000)));
}

#[test]
fn a_place_that_may_not_be_mapped_is_not() {
    let (mut machine, runs) = takes(
        &places("secure@20001000 { no-map; reg = <0x20001000 0x3000>; };"),
        "",
        3,
        &["0x20001000..0x20004000 (no-map) left alone"],
    );
    let mapped = |pa: u64| runs.iter().any(|run| run.contains(HIGH_HALF + pa));
    for (pa, expected) in [
        (0x2000_0fff, true),
        (0x2000_1000, false),
        (0x2000_3fff, false),
        (0x2000_4000, true),
    ] {
        assert_eq!(mapped(pa), expected, "{pa:#x}");
    }
    let output = machine.command("peek 0xffff000020001000");
    machine.must_say(&output, &["is not mapped"]);
}

#[test]
fn absurd_reservations_are_reported_and_take_nothing() {
    takes(
        &places(
            "empty@9000000 { reg = <0x9000000 0x0>; }; \
             devices@3f000000 { no-map; reg = <0x3f000000 0x1000000>; };",
        ),
        "/memreserve/ 0xfffffffffffff000 0x2000;",
        0,
        &[
            "warning: 0x2000 bytes at 0xfffffffffffff000 reaches past the last address: ignored",
            "warning: 0x0 bytes at 0x9000000 no memory: ignored",
            "0x3f000000..0x40000000 (no-map) not in RAM",
        ],
    );
}

/// With these reservations, the kernel ends its boot and says so.
#[track_caller]
fn finds_no_room(reservations: &str, reason: &str) {
    let mut machine = with_tree("", reservations).start();
    machine.must_end(Ending::NoRoom);
    let said = machine.transcript();
    machine.must_say(&said, &["stilt: no room for the kernel on core 0", reason]);
    assert!(!said.contains("panic"), "{said}");
}

/// Where RAM of [`tree::BOARD_MEMORY`] ends, and the bytes of metadata for its frames.
const RAM_END: u64 = 0x3b40_0000;
const METADATA: u64 = RAM_END / 0x1000 * 8;

/// Takes all RAM but for `bytes` behind the image.
fn all_but(bytes: u64) -> String {
    let image_end = Symbols::read().address("__image_end") - HIGH_HALF;
    let start = image_end + bytes;
    let rest = RAM_END - start;
    format!("/memreserve/ 0x1000 0x7f000; /memreserve/ {start:#x} {rest:#x};")
}

#[test]
fn reservations_that_take_all_memory_end_the_boot_with_the_reason() {
    let reason = |largest: u64| {
        format!(
            "no room outside of what is reserved for {METADATA:#x} bytes in one piece for frame \
             metadata: the largest has {largest:#x}\n"
        )
    };
    for (reservations, largest) in [
        ("/memreserve/ 0x0 0xffffffffffffffff;", 0),
        ("/memreserve/ 0x0 0x3b400000;", 0),
        ("/memreserve/ 0x1000 0xffffffffffffffff;", 0),
        (&all_but(METADATA - 0x1000), METADATA - 0x1000),
    ] {
        finds_no_room(reservations, &reason(largest));
    }
    let reason = "bytes of stacks and heap, and page tables: 64 frames are free\n";
    finds_no_room(&all_but(METADATA + 0x4_0000), reason);
}

#[test]
fn a_kernel_with_little_more_room_than_it_needs_boots() {
    let (_, reserved, usable, _) = boots(with_tree("", &all_but(4 << 20)));
    let kept = |line: &String| line.ends_with("left alone");
    assert!(
        reserved.len() == 2 && reserved.iter().all(kept),
        "{reserved:?}"
    );
    let frames = ((4 << 20) - METADATA) / 0x1000;
    assert!((frames..frames + 0x100).contains(&usable), "{usable}");
}

#[test]
fn reservations_over_the_image_each_other_and_the_end_of_ram_have_their_answers() {
    let symbols = Symbols::read();
    let image = symbols.address("__park_start") - HIGH_HALF;
    let end = symbols.address("__image_end") - HIGH_HALF;
    let over_end = format!("{:#x}..{:#x}", end - 0x1000, end + 0x1000);
    let reservations = format!(
        "/memreserve/ {:#x} 0x2000; /memreserve/ 0x10000000 0x3000; \
         /memreserve/ 0x10002000 0x2000; /memreserve/ 0x3b3ff000 0x200000;",
        end - 0x1000
    );
    let image = format!(
        "warning: {over_end} overlaps the kernel at {image:#x}..{end:#x}: the rest is left alone"
    );
    let (mut machine, _) = takes(
        "",
        &reservations,
        1 + 4 + 1,
        &[
            &image,
            "0x10000000..0x10003000 left alone",
            "warning: 0x10002000..0x10004000 overlaps 0x10000000..0x10003000: both are left alone",
            "warning: 0x3b3ff000..0x3b5ff000 reaches past RAM: 0x3b3ff000..0x3b400000 is left alone",
        ],
    );
    let output = machine.command("info");
    machine.must_say(&output, &[&format!("reserved  warning: {over_end}")]);
}

#[test]
fn a_reservation_over_the_tree_itself_is_no_conflict() {
    let length = tree::compile(tree::BOARD_MEMORY, "/memreserve/ 0x8000000 0x1000;").len();
    assert!(length <= 0x1000, "{length:#x}");
    takes(
        "",
        "/memreserve/ 0x8000000 0x1000;",
        0,
        &["0x8000000..0x8001000 left alone"],
    );
}

#[test]
fn bad_times_for_the_watchdog_are_refused_and_arm_nothing() {
    let mut machine = Setup::raw().start();
    machine.boot();
    for (line, words) in [
        ("watchdog 0", "0 is not from 1 to 15"),
        ("watchdog 16", "16 is not from 1 to 15"),
        ("watchdog 4294967297", "4294967297 is not from 1 to 15"),
        ("watchdog on", "expected a decimal digit"),
        ("watchdog 1 2", "usage: watchdog"),
    ] {
        let output = machine.command(line);
        machine.must_say(&output, &[words]);
    }
    assert_eq!(machine.command("watchdog").trim(), "off");
    let output = machine.command(&format!("peek {WATCHDOG_TIME:#x} 32"));
    machine.must_say(&output, &[": 0x00000000"]);
}

#[test]
fn an_armed_watchdog_resets_the_board() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send("watchdog 15\r");
    machine.expect("armed: 15 s");
    // At once, in QEMU: see above.
    machine.expect("a kernel that lives in the high half");
    machine.boot();
    assert_eq!(machine.command("watchdog").trim(), "off");
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// What is in a register of the tame watchdog: what was written last.
#[track_caller]
fn written(machine: &mut Machine, va: u64, value: &str) {
    let output = machine.command(&format!("peek {va:#x} 32"));
    machine.must_say(&output, &[&format!(": {value}")]);
}

#[test]
fn the_watchdog_is_armed_with_its_time_and_disarmed_as_after_a_reset() {
    let mut machine = Loader::at(Level::El1).with_tame_watchdog().setup().start();
    machine.boot();
    machine.command("watchdog 10");
    written(&mut machine, WATCHDOG_TIME, "0x5a0a0000");
    written(&mut machine, RESET_CONTROL, "0x5a000020");
    let output = machine.command("watchdog");
    machine.must_say(&output, &["armed, 10.00 s from each feed on, 10.00 s left"]);
    machine.command("watchdog off");
    written(&mut machine, RESET_CONTROL, "0x5a000102");
    assert_eq!(machine.command("watchdog").trim(), "off");
}

#[test]
fn the_shell_feeds_the_watchdog_while_it_is_armed_and_not_longer() {
    let mut machine = Loader::at(Level::El1).with_tame_watchdog().setup().start();
    machine.boot();
    let forget = format!("poke {WATCHDOG_TIME:#x} 1 32");
    machine.command("watchdog 3");
    machine.command(&forget);
    thread::sleep(Duration::from_secs(2));
    written(&mut machine, WATCHDOG_TIME, "0x5a030000");
    machine.command("watchdog off");
    machine.command(&forget);
    thread::sleep(Duration::from_secs(2));
    written(&mut machine, WATCHDOG_TIME, "0x00000001");
    written(&mut machine, RESET_CONTROL, "0x5a000102");
}
