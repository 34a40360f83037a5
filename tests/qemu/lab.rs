//! Address spaces of the low half at the prompt: `as`, and `touch` from EL1 and EL0.

use stilt::mm::layout::{USER_CODE, USER_STACK};

use crate::harness::symbols::HIGH_HALF;
use crate::harness::{Ending, Machine, Setup};

/// A page that the tests map.
const PAGE: u64 = 0x40_0000;
/// `ret` and `b .`, little-endian.
const RETURN: u32 = 0xd65f_03c0;
const LOOP: u32 = 0x1400_0000;

/// A machine whose core 0 is in a new space.
#[track_caller]
fn in_a_space() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    quiet(&mut machine, "as new lab");
    quiet(&mut machine, "as use lab");
    machine
}

/// A command that has nothing to say.
#[track_caller]
fn quiet(machine: &mut Machine, line: &str) {
    let output = machine.command(line);
    let said = output.lines().filter(|said| !said.contains(line));
    let said: Vec<_> = said.filter(|said| !said.trim().is_empty()).collect();
    assert!(said.iter().all(|said| said.contains("stilt>")), "{output}");
}

#[track_caller]
fn says(machine: &mut Machine, line: &str, words: &[&str]) -> String {
    let output = machine.command(line);
    machine.must_say(&output, words);
    output
}

/// The number before `unit` on the line of `mem` that begins with `name`.
fn memory(machine: &mut Machine) -> (String, String) {
    let output = machine.command("mem");
    let field = |name: &str| {
        let line = output.lines().find(|line| line.starts_with(name));
        line.unwrap_or_default().to_owned()
    };
    let frames = field("frames");
    let heap = field("heap");
    assert!(
        frames.contains("free of") && heap.contains("used of"),
        "{output}"
    );
    (frames, heap)
}

/// The frame of [`PAGE`], where the linear map has it.
fn linear(machine: &mut Machine) -> u64 {
    let output = machine.command(&format!("as query {PAGE:#x}"));
    let line = output.lines().find(|line| line.starts_with("0x"));
    let word = line
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    HIGH_HALF + u64::from_str_radix(word.trim_start_matches("0x"), 16).expect(&output)
}

#[test]
fn every_core_sees_at_both_levels_what_was_stored() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 16K rw");
    says(
        &mut machine,
        "touch w 0x400010 0x5a user",
        &["0x0000000000400010: done"],
    );
    for who in ["", "user", "core 1", "user core 2", "user core 3"] {
        let line = format!("touch r 0x400010 {who}");
        says(&mut machine, &line, &["0x0000000000400010: 0x5a"]);
    }
    says(&mut machine, "touch w 0x403fff 7 user core 3", &["done"]);
    says(&mut machine, "touch r 0x403fff", &[": 0x07"]);
    // The page after it is another space's to have.
    says(
        &mut machine,
        "touch r 0x404000 user core 3",
        &[
            "synchronous exception from EL0 on core 3",
            "translation fault, level 3",
            "refused at level 3: invalid",
        ],
    );
    // The other commands about memory know the space that the core is in.
    says(
        &mut machine,
        "translate 0x400010",
        &["walk       0x", "rw- u wb", "AT S1E0R   0x"],
    );
    says(
        &mut machine,
        "peek 0x400010 8",
        &["0x0000000000400010: 0x5a"],
    );
    says(&mut machine, "poke 0x400011 0x11 8", &["written"]);
    says(&mut machine, "touch r 0x400011 user core 2", &[": 0x11"]);
    says(&mut machine, "peek 0x404000", &["not mapped"]);
    quiet(&mut machine, "as new other");
    quiet(&mut machine, "as use other");
    says(
        &mut machine,
        "touch r 0x400010 user",
        &["translation fault, level 0"],
    );
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn what_the_map_refuses_is_reported_with_the_walk_and_the_prompt_comes_back() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 4K rw");
    let from = "synchronous exception from EL0 on core 0";
    let output = says(
        &mut machine,
        "touch x 0x400000 user",
        &[
            from,
            "instruction abort: permission fault, level 3",
            "(TTBR0_EL1)",
            "AP=01 SH=3 AF=1 nG=1 PXN=1 UXN=1",
            "refused at level 3: execute-never",
            "EL0t",
            "stilt: continues",
        ],
    );
    // EL0 had no register of the kernel's: the address, and where the call would have come back to.
    let registers = output.lines().filter_map(|line| line.strip_prefix("  x"));
    let words: Vec<_> = registers.flat_map(str::split_whitespace).collect();
    let values: Vec<_> = words.iter().filter(|word| word.len() == 16).collect();
    assert_eq!(values.len(), 31, "{output}");
    let page = format!("{PAGE:016x}");
    let back = |word: &str| {
        u64::from_str_radix(word, 16).is_ok_and(|x| x >> 12 == USER_CODE.as_usize() as u64 >> 12)
    };
    for (number, value) in values.iter().enumerate() {
        match number {
            1 => assert_eq!(**value, page, "{output}"),
            30 => assert!(back(value), "{output}"),
            _ => assert_eq!(**value, "0000000000000000", "x{number}: {output}"),
        }
    }
    quiet(&mut machine, "as protect 0x400000 4K r");
    says(
        &mut machine,
        "touch w 0x400000 user",
        &[from, "refused at level 3: read-only"],
    );
    says(
        &mut machine,
        "touch w 0x400000",
        &[
            "synchronous exception from the kernel on core 0",
            "refused at level 3: read-only",
            "stilt: continues",
        ],
    );
    says(
        &mut machine,
        "touch x 0x400000",
        &["refused at level 3: execute-never"],
    );
    quiet(&mut machine, "as protect 0x400000 4K none");
    says(
        &mut machine,
        "touch r 0x400000 user",
        &[from, "refused at level 3"],
    );
    // The kernel's own memory.
    let text = format!("touch r {:#x} user", HIGH_HALF + 0x8_8000);
    says(
        &mut machine,
        &text,
        &[from, "(TTBR1_EL1)", "refused at level 3: not for EL0"],
    );
    says(&mut machine, "touch r 0 user", &[from, "translation fault"]);
    let below = format!("touch w {:#x} user", USER_STACK.as_usize() - 1);
    says(&mut machine, &below, &[from, "translation fault"]);
    says(
        &mut machine,
        "touch r 0x1000000000000 user",
        &[from, "neither all 0 nor all 1"],
    );
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn code_at_el0_returns_or_is_left_when_it_loops() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 4K rw");
    let code = linear(&mut machine);
    for (offset, instruction) in [(0, RETURN), (4, LOOP)] {
        let line = format!("poke {:#x} {instruction:#x} 32", code + offset);
        says(&mut machine, &line, &["written"]);
    }
    quiet(&mut machine, "as protect 0x400000 4K rx");
    for core in 0..4 {
        let line = format!("touch x 0x400000 user core {core}");
        says(&mut machine, &line, &["0x0000000000400000: done"]);
        let line = format!("touch x 0x400004 user core {core}");
        says(
            &mut machine,
            &line,
            &["did not come back", "was at 0x400004"],
        );
    }
    // What is no instruction was fetched and executed all the same.
    says(
        &mut machine,
        "touch x 0x400008 user",
        &["undefined instruction", "0x0000000000400008"],
    );
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn every_frame_and_the_heap_come_back() {
    let mut machine = Setup::raw().start();
    machine.boot();
    // The first run of everything: what the kernel keeps for itself is there afterwards.
    let round = |machine: &mut Machine| {
        for line in [
            "as new a",
            "as new b",
            "as use a",
            "as map 0x400000 1M rw",
            "as use b",
            "as map 0x7fc000000000 20K r",
            "as use a",
            "as protect 0x410000 64K r",
        ] {
            quiet(machine, line);
        }
        says(machine, "touch w 0x400000 1 user core 1", &["done"]);
        says(machine, "as unmap 0x440000 8K", &["2 pages unmapped"]);
        says(machine, "as list", &["* a", "  b"]);
        says(machine, "audit", &["2 address spaces with"]);
        quiet(machine, "as use none");
        quiet(machine, "as drop a");
        quiet(machine, "as drop b");
        let refusal = ["no space has that name"];
        says(machine, "as clone nobody new", &refusal);
        memory(machine)
    };
    let (_, heap) = memory(&mut machine);
    let first = round(&mut machine);
    assert_eq!(first.1, heap, "no list keeps its memory");
    for _ in 0..3 {
        assert_eq!(round(&mut machine), first);
    }
    says(&mut machine, "check", &["frames ", "heap "]);
    says(&mut machine, "audit", &["low half empty"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// Clearing 900 MiB takes seconds in an emulator.
#[test]
fn ctrl_c_ends_a_large_mapping_and_nothing_is_left_of_it() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 4K rw");
    let before = memory(&mut machine);
    machine.send("as map 0x800000 900M rw\r");
    machine.expect("as map 0x800000 900M rw");
    machine.send("\x03");
    let output = machine.expect("stilt> ");
    machine.must_say(&output, &["as: interrupted after", "pages"]);
    let after = memory(&mut machine);
    assert_eq!(after.0, before.0);
    says(&mut machine, "as query 0x800000", &["not mapped"]);
    quiet(&mut machine, "as map 0x800000 4K rw");
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn two_hundred_spaces_are_there_at_once() {
    let mut machine = Setup::raw().start();
    machine.boot();
    // The frame with the programs for EL0 is there from the first space on, for good.
    quiet(&mut machine, "as new first");
    quiet(&mut machine, "as drop first");
    let before = memory(&mut machine).0;
    for number in 0..200 {
        quiet(&mut machine, &format!("as new s{number}"));
        quiet(&mut machine, &format!("as use s{number}"));
        quiet(&mut machine, "as map 0x400000 4K rw");
        says(
            &mut machine,
            &format!("touch w 0x400000 {} user", number % 256),
            &["done"],
        );
    }
    for number in [0, 1, 99, 199] {
        quiet(&mut machine, &format!("as use s{number}"));
        says(
            &mut machine,
            "touch r 0x400000 user",
            &[&format!(": {:#04x}", number % 256)],
        );
    }
    says(
        &mut machine,
        "audit",
        &["200 address spaces with 600 pages"],
    );
    quiet(&mut machine, "as use none");
    for number in 0..200 {
        quiet(&mut machine, &format!("as drop s{number}"));
    }
    assert_eq!(memory(&mut machine).0, before);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn a_line_that_is_wrong_says_what_was_expected_and_changes_nothing() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 16K rw");
    let before = memory(&mut machine);
    let shown = machine.command("as show");
    for (line, words) in [
        ("as", &["usage: as"][..]),
        ("as fly", &["not one of new, list, use"]),
        ("as new", &["`as new NAME` was expected"]),
        ("as new lab", &["there is a space of that name"]),
        ("as new none", &["a name has 1 to 15"]),
        ("as new a/b", &["a name has 1 to 15"]),
        ("as new aaaaaaaaaaaaaaaaaaaa", &["a name has 1 to 15"]),
        ("as use nobody", &["no space has that name"]),
        ("as drop nobody", &["no space has that name"]),
        ("as drop lab", &["in use"]),
        (
            "as map 0x402000 16K r",
            &["0x0000000000402000 is mapped already"],
        ),
        (
            "as map 0x3ff000 1M r",
            &["0x0000000000400000 is mapped already"],
        ),
        (
            "as map 0x500001 4K r",
            &["0x500001 is not a multiple of 4K"],
        ),
        ("as map 0x500000 5 r", &["0x5 is not a multiple of 4K"]),
        (
            "as map 0x500000 0 r",
            &["a size of 4K or more was expected"],
        ),
        ("as map 0 4K r", &["are not in 0x1000..0xffffffff0000"]),
        ("as map 0xffffffff0000 4K r", &["are not in"]),
        ("as map 0x1000000000000 4K r", &["are not in"]),
        ("as map 0xffff000000000000 4K r", &["are not in"]),
        ("as map 0xfffffffffffff000 8K r", &["are not in"]),
        (
            "as map 0x500000 16G r",
            &["no memory for 0x400000000 bytes"],
        ),
        (
            "as map 0x500000 99999999999G r",
            &["`99999999999G` is no number of bytes"],
        ),
        (
            "as map 0x500000 4X r",
            &["`4X` is no number of bytes, such as 4096, 64K"],
        ),
        (
            "as map 0x500000 K r",
            &["`K` is no number of bytes, such as 4096, 64K"],
        ),
        ("as map 0x500000 4K w", &["not one of r, rw, rx, none"]),
        ("as map 0x500000 4K rwx", &["not one of r, rw, rx, none"]),
        ("as unmap 0x500000 4K", &["is not mapped"]),
        ("as protect 0x500000 4K r", &["is not mapped"]),
        ("as query 0x500000", &["not mapped"]),
        ("touch", &["usage: touch"]),
        ("touch r", &["usage: touch"]),
        ("touch q 0x400000", &["not one of r, w, x"]),
        ("touch w 0x400000 256", &["256 is not from 0 to 255"]),
        ("touch r 0x400000 core 4", &["4 is not from 0 to 3"]),
        ("touch r 0x400000 core", &["not one of user, core N"]),
        ("touch r 0x400000 root", &["not one of user, core N"]),
        ("touch w 0xffff000000200000", &["the kernel's to write"]),
        ("touch x 0xffff000000088000", &["the kernel's code"]),
    ] {
        says(&mut machine, line, words);
    }
    assert_eq!(memory(&mut machine), before);
    assert_eq!(machine.command("as show"), shown);
    says(&mut machine, "audit", &["1 address spaces with 6 pages"]);
    quiet(&mut machine, "as use none");
    says(
        &mut machine,
        "touch r 0x400000 user",
        &["no space is in use"],
    );
    says(&mut machine, "as show", &["no space is in use"]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// What somebody wrote over in the tables of a space, found while the space is in use.
#[test]
fn the_audit_names_a_bad_leaf_of_a_space() {
    let mut machine = in_a_space();
    quiet(&mut machine, "as map 0x400000 8K rw");
    let output = machine.command("pt 0x400000");
    let hex = |line: &str, index: usize| {
        let words: Vec<_> = line
            .split_whitespace()
            .filter(|w| w.starts_with("0x"))
            .collect();
        u64::from_str_radix(words[index].trim_start_matches("0x"), 16).expect(line)
    };
    let line = |level: &str| {
        output
            .lines()
            .find(|line| line.starts_with(level))
            .expect(&output)
    };
    let slot = HIGH_HALF + hex(line("L2"), 1);
    let leaf = hex(line("L3"), 0);
    const NOT_GLOBAL: u64 = 1 << 11;
    const PRIVILEGED_NEVER: u64 = 1 << 53;
    const NEVER: u64 = 1 << 54;
    const READ_ONLY: u64 = 1 << 7;
    let text = leaf & 0xfff0_0000_0000_0fff | READ_ONLY | 0x8_8000;
    for (planted, words) in [
        (leaf ^ NOT_GLOBAL, "not EL0's, or not one space's own"),
        (leaf ^ NEVER, "is writable and executable"),
        (
            (leaf | READ_ONLY) ^ PRIVILEGED_NEVER,
            "not EL0's, or not one space's own",
        ),
        (text, "which its space has not mapped there"),
        (0, "has 1 entries, not 2"),
    ] {
        says(
            &mut machine,
            &format!("poke {slot:#x} {planted:#x}"),
            &["written"],
        );
        let output = machine.command("audit");
        assert!(
            output.contains("0x0000000000400000") && output.contains(words),
            "{output}"
        );
        says(
            &mut machine,
            &format!("poke {slot:#x} {leaf:#x}"),
            &["written"],
        );
        says(&mut machine, "audit", &["1 address spaces with 4 pages"]);
    }
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}
