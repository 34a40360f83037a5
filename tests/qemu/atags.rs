//! What the user hands over without a device tree: QEMU puts it into ATAGs, and nothing of it
//! vanishes.

use crate::harness::loader::{Level, Loader};
use crate::harness::report;
use crate::harness::symbols::HIGH_HALF;
use crate::harness::{Machine, Setup};

/// Where lists are put.
const LIST: u64 = 0x0800_0000;
const CORE: u32 = 0x5441_0001;
const MEMORY: u32 = 0x5441_0002;
const COMMAND_LINE: u32 = 0x5441_0009;

/// Boots; gives usable frames, and what the log says of each topic.
#[track_caller]
fn boots(setup: Setup, said: &[(&str, &[&str])]) -> (Machine, u64) {
    let mut machine = setup.start();
    let log = report::log(&machine.boot());
    for (topic, words) in said {
        machine.must_say(&report::topic(&log, topic).join("\n"), words);
    }
    let output = machine.command("mem");
    let of = output.split(" of ").nth(1).unwrap_or_default();
    let Some(Ok(usable)) = of.split(' ').next().map(str::parse) else {
        machine.fail("mem does not count frames");
    };
    (machine, usable)
}

#[test]
fn command_line_and_disk_of_qemu_are_kept_and_shown() {
    let (_, all) = boots(Setup::raw(), &[]);
    let setup = Setup::raw();
    let path = setup.path("disk");
    let disk: Vec<u8> = (0..3_000_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    std::fs::write(&path, &disk).expect("the disk can be written");
    let setup = setup.arg("-initrd").arg(path);
    let setup = setup.arg("-append").arg("console=ttyAMA0 root=/dev/ram");
    let place = "0x8000000..0x82dc6c0 left alone, 3000000 B";
    let said: [(&str, &[&str]); 4] = [
        ("tree", &["no device tree: ATAGs instead"]),
        ("bootargs", &["console=ttyAMA0 root=/dev/ram"]),
        ("initrd", &[place]),
        ("ram", &["0x0..0x3c000000 960 MiB (ATAGs and mailbox)"]),
    ];
    let (mut machine, usable) = boots(setup, &said);
    assert_eq!(all - usable, disk.len().div_ceil(0x1000) as u64);
    let output = machine.command("info");
    let lines = [
        "bootargs  console=ttyAMA0 root=/dev/ram",
        &format!("initrd    {place}"),
    ];
    machine.must_say(&output, &lines);
    // The disk is as it was.
    for at in [0, 0x1000, 0x2d_c000] {
        let word = u64::from_le_bytes(*disk[at..].first_chunk().expect("eight bytes"));
        let output = machine.command(&format!("peek {:#x}", HIGH_HALF + LIST + at as u64));
        machine.must_say(&output, &[&format!("{word:#018x}")]);
    }
}

#[test]
fn a_command_line_longer_than_a_row_is_shown_whole() {
    let row = "abcdefghijklmnopqrstuvwxyz0123456789";
    let line = [row; 6].join(" ");
    let (mut machine, _) = boots(Setup::raw().arg("-append").arg(&line), &[]);
    let output = machine.command("info");
    machine.must_say(&output, &[&line]);
    let output = machine.command("log");
    let log = report::log(&output);
    assert_eq!(report::topic(&log, "bootargs").concat(), line);
}

fn list(tags: &[(u32, &[u32])]) -> Vec<u8> {
    let words = tags.iter().flat_map(|(tag, body)| {
        let length = body.len() as u32 + 2;
        [length, *tag].into_iter().chain(body.iter().copied())
    });
    words.flat_map(u32::to_le_bytes).collect()
}

fn with_list(list: &[u8]) -> Setup {
    let loader = Loader::at(Level::El2).with_x0(LIST);
    loader.setup().memory("list", LIST, list)
}

#[test]
fn memory_in_a_list_counts_as_a_trees_does() {
    let tags = list(&[
        (CORE, &[1, 0x1000, 0]),
        (MEMORY, &[0x1000_0000, 0]),
        (COMMAND_LINE, &[u32::from_le_bytes(*b"hi!\0")]),
        (0, &[]),
    ]);
    let said: [(&str, &[&str]); 2] = [
        ("ram", &["0x0..0x10000000 256 MiB (ATAGs and mailbox)"]),
        ("bootargs", &["hi!"]),
    ];
    boots(with_list(&[&tags[..], &[0; 8]].concat()), &said);
}

#[test]
fn a_list_that_is_broken_is_told_and_met_with_caution() {
    let good = list(&[(CORE, &[1, 0x1000, 0]), (MEMORY, &[0x3c00_0000, 0])]);
    let mut bad = good;
    bad.extend(list(&[(0x1234_5678, &[])]));
    let length = bad.len() - 8;
    bad[length..length + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let said: [(&str, &[&str]); 2] = [
        ("atags", &["warning: ATAG 0x12345678 at +0x24 does not fit"]),
        (
            "ram",
            &["reservations may be missing", "only 0x0..0x2000000 is used"],
        ),
    ];
    boots(with_list(&bad), &said);
}

/// Older firmware leaves a list where lists are, and nothing in x0.
#[test]
fn a_list_that_x0_does_not_name_is_found() {
    let tags = list(&[
        (CORE, &[1, 0x1000, 0]),
        (COMMAND_LINE, &[u32::from_le_bytes(*b"hi!\0")]),
    ]);
    let setup = Loader::at(Level::El2).setup();
    let setup = setup.memory("list", 0x100, &[&tags[..], &[0; 8]].concat());
    let said: [(&str, &[&str]); 3] = [
        ("atags", &["list at 0x100"]),
        ("bootargs", &["hi!"]),
        ("ram", &["(mailbox)"]),
    ];
    boots(setup, &said);
}
