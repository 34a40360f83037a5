//! What is typed wrong in the lab, verb by verb: each line gets one line that says what was expected,
//! and frames, heap, tables and spaces are as before.

use crate::harness::{Ending, Machine, Setup};

/// A space `lab` in use, with four writable pages, a page that may be read, one without rights and
/// a block; and a space `two`, that core 3 is in.
#[track_caller]
fn in_the_lab() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    for line in [
        "as new lab",
        "as use lab",
        "as map 0x400000 16K rw",
        "as map 0x404000 4K r",
        "as map 0x405000 4K none",
        "as map 0x800000 2M rw 2m",
        "as new two",
        "as use two core 3",
    ] {
        assert_eq!(machine.command(line), "", "{line}");
    }
    machine
}

/// Frames and heap in use.
#[track_caller]
fn memory(machine: &mut Machine) -> Vec<String> {
    let output = machine.command("mem");
    let lines = output
        .lines()
        .filter(|line| line.starts_with("frames") || line.starts_with("heap"));
    lines.map(str::to_owned).collect()
}

/// All that the lab can show: what is mapped, every table, every space, and the last change.
#[track_caller]
fn shown(machine: &mut Machine) -> Vec<String> {
    let lines = ["as show", "as tables", "as list", "as cost", "tlb", "audit"];
    lines.map(|line| machine.command(line)).into()
}

/// Types each line, and looks at its answer: one line with these words, `COMMAND: ` in front and the
/// usage behind at most.
#[track_caller]
fn each_is_refused(machine: &mut Machine, lines: &[(&str, &str)]) {
    let (memory_before, shown_before) = (memory(machine), shown(machine));
    for (line, words) in lines {
        let output = machine.command(line);
        let command = line.split(' ').next().unwrap_or_default();
        let rows: Vec<_> = output.lines().collect();
        let is_refusal = rows[0].starts_with(&format!("{command}: ")) && rows[0].contains(words);
        assert!(is_refusal, "{line}: {output}");
        match rows[1..] {
            [] => {}
            [usage] => assert!(usage.starts_with("usage: "), "{line}: {output}"),
            _ => panic!("{line}: {output}"),
        }
        // The usage of `as` would not tell what the verb takes.
        assert!(command != "as" || rows.len() == 1, "{line}: {output}");
        assert_eq!(memory(machine), memory_before, "{line}");
    }
    assert_eq!(shown(machine), shown_before);
}

#[track_caller]
fn halt(mut machine: Machine) {
    let output = machine.command("check");
    machine.must_say(&output, &["frames ", "heap "]);
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn a_verb_without_its_words_says_which_it_takes() {
    let mut machine = in_the_lab();
    const MAP: &str =
        "`as map ADDRESS SIZE RIGHTS [PA|fresh] [4k|2m|1g|auto] [contig]` was expected";
    each_is_refused(
        &mut machine,
        &[
            (
                "as fly",
                "`fly` is not one of new, list, use, drop, clone, map, unmap, protect, remap, \
                 compact, query, show, tables, cost",
            ),
            ("as new", "`as new NAME` was expected"),
            ("as new a b", "`as new NAME` was expected"),
            ("as list two", "`as list` was expected"),
            ("as use", "`as use NAME [core N]` was expected"),
            ("as use lab core", "`as use NAME [core N]` was expected"),
            ("as use lab on 2", "`as use NAME [core N]` was expected"),
            ("as use lab core 1 2", "`as use NAME [core N]` was expected"),
            ("as drop", "`as drop NAME` was expected"),
            ("as drop lab two", "`as drop NAME` was expected"),
            ("as clone lab", "`as clone NAME NEW` was expected"),
            ("as map", MAP),
            ("as map 0x500000 4K", MAP),
            ("as unmap 0x400000", "`as unmap ADDRESS SIZE` was expected"),
            (
                "as unmap 0x400000 4K now",
                "`as unmap ADDRESS SIZE` was expected",
            ),
            (
                "as protect 0x400000 4K",
                "`as protect ADDRESS SIZE RIGHTS` was expected",
            ),
            (
                "as protect 0x400000 4K r w",
                "`as protect ADDRESS SIZE RIGHTS` was expected",
            ),
            (
                "as remap 0x400000 4K",
                "`as remap ADDRESS SIZE NEW` was expected",
            ),
            ("as compact 0x400000", "`as compact` was expected"),
            ("as query", "`as query ADDRESS` was expected"),
            ("as query 0x400000 2", "`as query ADDRESS` was expected"),
            ("as show lab", "`as show` was expected"),
            ("as tables 3", "`as tables` was expected"),
            ("as cost 1", "`as cost` was expected"),
            ("touch r", "wrong number"),
            ("touch r 0x400000 core 1 2", "wrong number"),
            ("fill 0x400000", "wrong number"),
            ("fill 0x400000 1 8K 2", "wrong number"),
            ("dump 0x400000", "wrong number"),
            ("dump 0x400000 16 16", "wrong number"),
            ("explain", "wrong number"),
            ("explain 0x400000 as", "wrong number"),
            ("explain desc", "wrong number"),
            ("tlb skip next next", "wrong number"),
            ("tlb heal now", "wrong number"),
            ("map --picture --ascii x", "wrong number"),
            ("grade now", "wrong number"),
            ("answer a", "wrong number"),
            ("expect", "wrong number"),
            ("expect fault", "wrong number"),
            ("expect fault permission 1 2", "wrong number"),
        ],
    );
    halt(machine);
}

#[test]
fn a_word_that_is_none_of_those_expected_is_named_with_them() {
    let mut machine = in_the_lab();
    const SIZE: &str = "is no number of bytes, such as 4096, 64K, 2M or 1G";
    const DIGIT: &str = "expected a decimal digit, found ";
    const BITS: &str = "expected a number of 64 bits, at most 0xffffffffffffffff";
    const RIGHTS: &str = "is not one of r, rw, rx, none";
    const ONE_OF_EACH: &str =
        "one size of leaves, `contig` once, and `fresh` or one physical address";
    each_is_refused(
        &mut machine,
        &[
            ("as new none", "a name has 1 to 15 letters"),
            ("as new a/b", "a name has 1 to 15 letters"),
            ("as new a23456789012345x", "a name has 1 to 15 letters"),
            ("as clone lab a.b", "a name has 1 to 15 letters"),
            ("as use lab core 4", "4 is not from 0 to 3"),
            ("as use lab core x", DIGIT),
            ("as map x 4K r", DIGIT),
            ("as map -1 4K r", DIGIT),
            ("as map 0x10000000000000000 4K r", BITS),
            ("as map 0x500000 -4K r", SIZE),
            ("as map 0x500000 256T r", SIZE),
            ("as map 0x500000 4K rwx", RIGHTS),
            ("as map 0x500000 4K R", RIGHTS),
            ("as map 0x500000 4K r 1k", DIGIT),
            (
                "as map 0x500000 4K r big",
                "is not one of fresh, 4k, 2m, 1g, auto, contig, an address",
            ),
            ("as map 0x500000 4K r 4k auto", ONE_OF_EACH),
            ("as map 0x500000 4K r contig contig", ONE_OF_EACH),
            ("as map 0x500000 4K r 0x10000000 fresh", ONE_OF_EACH),
            ("as unmap x 4K", DIGIT),
            ("as unmap 0x400000 4X", SIZE),
            ("as protect 0x400000 4K w", RIGHTS),
            ("as protect 0x400000 K r", SIZE),
            ("as remap 0x400000 4K x", DIGIT),
            ("as query x", DIGIT),
            ("touch q 0x400000", "is not one of r, w, x"),
            ("touch r x", DIGIT),
            ("touch r 0x400000 5", "is not one of user, core N"),
            ("touch w 0x400000 -1", "is not one of user, core N"),
            ("touch w 0x400000 256", "256 is not from 0 to 255"),
            ("touch r 0x400000 core 4", "4 is not from 0 to 3"),
            ("touch r 0x400000 core x", DIGIT),
            ("fill x 1", DIGIT),
            ("fill 0x400000 x", DIGIT),
            ("fill 0x400000 0x10000000000000000", BITS),
            ("fill 0x400000 1 x", SIZE),
            ("dump x 1", DIGIT),
            ("dump 0x400000 x", SIZE),
            ("explain x", DIGIT),
            ("explain 0x400000 in lab", "is not one of as NAME"),
            ("explain desc x", DIGIT),
            ("explain desc 1 4", "4 is not from 0 to 3"),
            ("explain desc 1 3 --format sv39", "3 is not from 0 to 2"),
            (
                "explain desc 1 0 --format z80",
                "is not one of aarch64, x86_64, sv39, sv48, loongarch",
            ),
            ("tlb sometimes", "is not one of skip, heal"),
            ("map x", "is not one of boot, --picture [--ascii]"),
            ("map --picture x", "is not one of --ascii"),
            ("answer 9x! 1", "the names of 1 to 15 letters"),
            ("answer a 1,2", "the values of 1 to 24 letters"),
            ("expect fault x", "is not one of none, translation"),
            ("expect fault permission 4", "4 is not from 0 to 3"),
            ("echo $nobody", "there is no answer `nobody`"),
            ("as use $", "a name is missing behind `$`"),
        ],
    );
    halt(machine);
}

#[test]
fn an_address_or_a_size_that_cannot_be_says_why() {
    let mut machine = in_the_lab();
    const OUTSIDE: &str = "are not in 0x1000..0xffffffff0000";
    const MULTIPLE: &str = "is not a multiple of 4K";
    const NOTHING: &str = "a size of 4K or more was expected";
    each_is_refused(
        &mut machine,
        &[
            ("as map 0x500008 4K r", MULTIPLE),
            ("as map 0x500000 5 r", MULTIPLE),
            ("as map 0x500000 18446744073709551615 r", MULTIPLE),
            ("as map 0x500000 0 r", NOTHING),
            ("as map 0 4K r", OUTSIDE),
            ("as map 0x500000 17179869183G r", OUTSIDE),
            ("as map 0xffffffffe000 4K rw", OUTSIDE),
            ("as map 0x1000000000000 4K r", OUTSIDE),
            ("as map 0xffff000000080000 4K r", OUTSIDE),
            ("as map 0x40000000 16G r", "no memory for 0x400000000 bytes"),
            ("as map 0x3ff000 8K r", "0x0000000000400000 is mapped"),
            ("as map 0x405000 4K r", "0x0000000000405000 is mapped"),
            ("as map 0x600000 4M r 2m", "0x0000000000800000 is mapped"),
            ("as map 0x500000 2M r 2m", "is not a multiple of 0x200000"),
            ("as map 0x501000 64K r contig", "not a multiple of 0x10000"),
            (
                "as map 0x40000000 1G r 1g",
                "no 0x40000000 bytes of free frames in a row: smaller leaves need less",
            ),
            ("as unmap 0x400001 4K", MULTIPLE),
            ("as unmap 0x400000 5", MULTIPLE),
            ("as unmap 0x400000 0", NOTHING),
            ("as unmap 0x1000000000000 4K", OUTSIDE),
            ("as unmap 0xffff000000080000 4K", OUTSIDE),
            ("as unmap 0xffffffffe000 4K", OUTSIDE),
            ("as unmap 0x500000 4K", "is not mapped"),
            ("as protect 0x400001 4K r", MULTIPLE),
            ("as protect 0x400000 3 r", MULTIPLE),
            ("as protect 0x400000 0 r", NOTHING),
            ("as protect 0x8000000000000000 4K r", OUTSIDE),
            ("as protect 0xffff000000080000 4K r", OUTSIDE),
            ("as protect 0xffffffffe000 4K rw", OUTSIDE),
            ("as protect 0x500000 4K r", "is not mapped"),
            ("as remap 0x400001 4K 0x500000", MULTIPLE),
            ("as remap 0x400000 4K 0x500001", MULTIPLE),
            ("as remap 0x400000 0 0x500000", NOTHING),
            ("as remap 0xffff000000080000 4K 0x500000", OUTSIDE),
            ("as remap 0x400000 4K 0xffff000000080000", OUTSIDE),
            ("as remap 0x400000 4K 0x1000000000000", OUTSIDE),
            ("as remap 0xffffffffe000 4K 0x500000", OUTSIDE),
            ("as remap 0x500000 4K 0x600000", "is not mapped"),
            ("as remap 0x400000 8K 0x401000", "overlaps the old one"),
            (
                "as remap 0x400000 4K 0x800000",
                "0x0000000000800000 is mapped already",
            ),
            ("as query 0x500000", "is not mapped"),
            ("as query 0x1000000000000", "is outside this address space"),
            (
                "as query 0xffff000000080000",
                "is outside this address space",
            ),
            ("touch w 0xffff000000200000", "the kernel's to write"),
            ("touch w 0xffff00003f201000", "the kernel's to write"),
            ("touch x 0xffff000000088000", "the kernel's code"),
            ("fill 0x400000 1 0", "a size of 1 byte or more"),
            ("fill 0x400001 0x1234 2", "is not a multiple of 2"),
            ("fill 0x400000 0x1234 3", "is not a multiple of 2"),
            ("fill 0x404000 1", "is mapped, but not writable"),
            ("fill 0x403000 1 8K", "is mapped, but not writable"),
            ("fill 0x405000 1", "is not mapped"),
            ("fill 0x500000 1", "is not mapped"),
            ("fill 0xffffffffe000 1", "is mapped, but not writable"),
            ("fill 0x400000 1 17179869183G", "is not below 2^48"),
            ("fill 0x1000000000000 1", "is not below 2^48"),
            ("fill 0xffff00003f201000 1", "is not below 2^48"),
            ("dump 0x400000 0", "from 1 to 1048576 are shown"),
            ("dump 0x400000 2M", "from 1 to 1048576 are shown"),
            ("dump 0xffffffffffffffff 2", "pass the last address"),
        ],
    );
    halt(machine);
}

#[test]
fn a_space_that_is_not_there_or_in_use_says_so() {
    let mut machine = in_the_lab();
    const UNKNOWN: &str = "no space has that name; `as list` shows them";
    for line in ["as new gone", "as drop gone"] {
        assert_eq!(machine.command(line), "", "{line}");
    }
    each_is_refused(
        &mut machine,
        &[
            ("as new lab", "there is a space of that name"),
            ("as clone two lab", "there is a space of that name"),
            ("as clone lab lab", "there is a space of that name"),
            ("as clone gone new", UNKNOWN),
            ("as use gone", UNKNOWN),
            ("as use gone core 1", UNKNOWN),
            ("as drop gone", UNKNOWN),
            ("as drop none", UNKNOWN),
            ("explain 0x400000 as gone", UNKNOWN),
            ("as drop lab", "the space is in use: `as use none` first"),
            (
                "as drop two",
                "core 3 is in the space: `as use none core 3` first",
            ),
        ],
    );
    machine.command("as use none");
    const NONE: &str = "no space is in use: `as new NAME`, then `as use NAME`";
    const OFF: &str = "is in the low half, which is off";
    let before = memory(&mut machine);
    for (line, words) in [
        ("as map 0x500000 4K r", NONE),
        ("as unmap 0x400000 4K", NONE),
        ("as protect 0x400000 4K r", NONE),
        ("as remap 0x400000 4K 0x500000", NONE),
        ("as compact", NONE),
        ("as query 0x400000", NONE),
        ("as show", NONE),
        ("as tables", NONE),
        ("touch r 0x400000 user", NONE),
        ("touch x 0x400000 user core 2", NONE),
        ("fill 0x400000 1", OFF),
        ("dump 0x400000 16", OFF),
    ] {
        let output = machine.command(line);
        assert!(output.contains(words), "{line}: {output}");
        assert_eq!(output.lines().count(), 1, "{line}: {output}");
        assert_eq!(memory(&mut machine), before, "{line}");
    }
    halt(machine);
}

/// The physical address in the first row of `output` that begins with `start`: its last word.
#[track_caller]
fn last_word<'a>(output: &'a str, start: &str) -> &'a str {
    let row = output.lines().find(|row| row.starts_with(start));
    let word = row.and_then(|row| row.split_whitespace().last());
    word.filter(|word| word.starts_with("0x")).expect(output)
}

#[test]
fn a_frame_that_is_somebody_elses_says_whose() {
    let mut machine = in_the_lab();
    let tables = machine.command("as tables");
    let walk = machine.command("pt 0xffff000000084000");
    let code = machine.command("as query 0xffffffffe000");
    let code = code.split_whitespace().next().unwrap_or_default();
    let heap = machine.command("translate 0xffff800040001000");
    let heap = heap.split_whitespace().find(|word| word.starts_with("0x"));
    let given = [
        ("0x1001", "is not a multiple of 0x1000"),
        ("0x3f201000", "is a device"),
        ("0x40000000", "is a device"),
        ("0x90000", "is the kernel's image"),
        ("0x3e000000", "is no RAM of the kernel's"),
        ("0x80000000", "is no RAM of the kernel's"),
        ("0xfffffffffffff000", "is no RAM of the kernel's"),
        (last_word(&tables, "L0"), "is a page table"),
        (last_word(&tables, "L3"), "is a page table"),
        (last_word(&walk, "L0"), "is a page table"),
        (last_word(&walk, "L1"), "is a page table"),
        (code, "is in use by the kernel"),
        (heap.unwrap_or_default(), "is in use by the kernel"),
    ];
    let lines: Vec<_> = given
        .iter()
        .map(|(pa, words)| (format!("as map 0x500000 4K r {pa}"), *words))
        .collect();
    let mut lines: Vec<_> = lines
        .iter()
        .map(|(line, words)| (line.as_str(), *words))
        .collect();
    // The free frames in front of one that is not are given back.
    lines.push(("as map 0x10000000 4M r 0x3bc00000", "not a free frame"));
    lines.push((
        "as map 0x10000000 32M r 0x3a000000 2m contig",
        "not a free frame",
    ));
    each_is_refused(&mut machine, &lines);
    halt(machine);
}
