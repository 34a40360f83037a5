//! `make ptmap`, which reads the live tables without the kernel, finds what the kernel says of them
//! itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::checkout;
use crate::harness::symbols::Symbols;
use crate::harness::{Ending, Machine, Setup, tables};

/// A part of a map: first and last address, frame, rights, memory type, size of the leaves.
type Part = (u64, u64, u64, String, String, String);

/// The parts in lines `FIRST-LAST FRAME RIGHTS TYPE LEAF NAME`, those that differ in the name alone
/// put together; guards are no parts.
fn parts(lines: &str) -> Vec<Part> {
    let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let part = |line: &str| {
        let mut words = line.split_whitespace();
        let (first, last) = words.next()?.split_once('-')?;
        let frame = hex(words.next()?)?;
        let mut word = || words.next().map(str::to_owned);
        Some((hex(first)?, hex(last)?, frame, word()?, word()?, word()?))
    };
    let mut parts: Vec<Part> = Vec::new();
    for next in lines.lines().filter_map(part) {
        let continues = |last: &Part| {
            last.1 + 1 == next.0
                && last.2 + (next.0 - last.0) == next.2
                && (&last.3, &last.4, &last.5) == (&next.3, &next.4, &next.5)
        };
        match parts.last_mut() {
            Some(last) if continues(last) => last.1 = next.1,
            _ => parts.push(next),
        }
    }
    parts
}

/// The map as the verb prints it, of a machine that runs.
fn listed(machine: &Machine) -> String {
    let mut verb = checkout::xtask("ptmap");
    verb.arg("--list").env("ATTACH", machine.gdb_socket());
    checkout::text(&checkout::run(&mut verb).stdout)
}

#[test]
fn the_map_from_outside_is_the_kernels_own_and_the_kernel_goes_on() {
    let mut machine = Setup::elf().stopped().start();
    machine.debugger().detach();
    machine.boot();
    let said = machine.command("map");
    let listed = listed(&machine);
    let expected = parts(&said);
    assert!(expected.len() > 20, "{said}");
    assert_eq!(parts(&listed), expected);
    assert!(
        !listed.contains('!'),
        "a sound map has no findings: {listed}"
    );
    // Names, too, but for what was boot code.
    assert!(listed.contains(" 4K text\n") && listed.contains(" 4K stack of core 3\n"));
    let output = machine.command("translate 0xffff000000084000");
    machine.must_say(&output, &["0x0000000000084000 r-x"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// GDB makes QEMU's stub name processes, to later clients as well.
#[test]
fn the_map_is_read_behind_a_session_of_gdb() {
    let mut machine = Setup::elf().stopped().start();
    machine.debugger().detach_as_gdb();
    machine.boot();
    let listed = listed(&machine);
    assert_eq!(parts(&listed), parts(&machine.command("map")));
}

/// A descriptor that a debugger changes behind the kernel's back is seen in the tables.
#[test]
fn a_fault_that_is_planted_in_the_tables_is_found_from_outside() {
    let mut machine = Setup::elf().stopped().start();
    machine.debugger().detach();
    machine.boot();
    let text = Symbols::read().address("__text_start");
    let mut gdb = machine.debugger();
    let slot = tables::find(&mut gdb, text);
    gdb.write(slot.address, slot.descriptor & !tables::READ_ONLY);
    gdb.detach();
    let listed = listed(&machine);
    let line = format!("! writable and executable {text:#018x}: rwx;");
    assert!(listed.contains(&line), "{listed}");
}

#[test]
fn the_verb_boots_and_writes_a_page_with_both_maps() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let mut verb = checkout::xtask("ptmap");
    verb.arg("--out").arg(&page).env_remove("ATTACH");
    let said = checkout::text(&checkout::run(&mut verb).stdout);
    assert!(
        said.contains("boot map: 2048 leaves in 8 tables, 0 findings"),
        "{said}"
    );
    assert!(said.contains("final map: "), "{said}");
    let bytes = fs::read(&page).expect("the page");
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    let text = checkout::text(&bytes);
    assert!(text.contains("<b>boot</b>") && text.contains("<b>final</b>"));
}

/// The file of a socket is there before QEMU listens on it.
#[test]
fn the_verb_waits_until_the_stub_lets_it_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = folder.path().join("slow-qemu");
    let script = "#!/bin/sh\nfor word; do case $word in unix:*) file=${word#unix:};; esac; done\n\
        [ -z \"$file\" ] || { : >\"${file%%,*}\"; sleep 0.5; }\nexec \"$REAL_QEMU\" \"$@\"\n";
    fs::write(&slow, script).expect("a script");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&slow, executable).expect("a script that can be run");
    let picture = folder.path().join("picture.svg");
    let mut verb = checkout::xtask("ptmap");
    verb.arg("--svg").arg(&picture).env_remove("ATTACH");
    verb.env("QEMU", &slow).env("REAL_QEMU", checkout::qemu());
    checkout::run(&mut verb);
    assert!(picture.exists());
}

/// The picture at the top of README is of the kernel that is here.
#[test]
fn readmes_picture_is_current() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("picture.svg");
    let mut verb = checkout::xtask("ptmap");
    verb.arg("--svg").arg(&picture).env_remove("ATTACH");
    checkout::run(&mut verb);
    let made = fs::read_to_string(&picture).expect("the picture");
    let kept = fs::read_to_string(checkout::root().join("docs/address-space.svg"));
    assert!(
        kept.is_ok_and(|kept| kept == made),
        "the map has changed: `make ptmap ARGS='--svg docs/address-space.svg'` draws it anew"
    );
}
