//! Changes of address spaces at the prompt: leaves, given frames, clones, moves, what they cost, and
//! TLBIs that are left out.

use crate::harness::{Ending, Machine, Setup};

/// A machine whose core 0 is in a new space.
#[track_caller]
fn in_a_space() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    run(&mut machine, &["as new lab", "as use lab"]);
    machine
}

#[track_caller]
fn says(machine: &mut Machine, line: &str, words: &[&str]) -> String {
    let output = machine.command(line);
    machine.must_say(&output, words);
    output
}

/// Commands that nobody refuses; one that clears much may say how far it is.
#[track_caller]
fn run(machine: &mut Machine, lines: &[&str]) {
    for line in lines {
        let output = machine.command(line);
        let is_progress = |said: &str| said.contains(" of ") && said.ends_with(" pages");
        let mut said = output.lines().filter(|said| !is_progress(said));
        assert!(!said.any(|said| said.starts_with("as: ")), "{output}");
    }
}

/// The free frames, as `mem` has them.
#[track_caller]
fn free_frames(machine: &mut Machine) -> u64 {
    let output = machine.command("mem");
    number_before(&output, "frames", " free of")
}

/// The number between `name`, at the beginning of a line, and `unit`.
#[track_caller]
fn number_before(output: &str, name: &str, unit: &str) -> u64 {
    let number = output.lines().find_map(|line| {
        let (number, _) = line.trim_start().strip_prefix(name)?.split_once(unit)?;
        number.trim().parse().ok()
    });
    number.unwrap_or_else(|| panic!("no {name} in {output}"))
}

/// The stores that `as cost` says.
#[track_caller]
fn stores(cost: &str) -> u64 {
    let line = cost
        .lines()
        .find_map(|line| line.trim().strip_prefix("stores"));
    line.and_then(|number| number.trim().parse().ok())
        .expect(cost)
}

/// The frame that `va` leads to.
#[track_caller]
fn frame(machine: &mut Machine, va: &str) -> String {
    let output = machine.command(&format!("as query {va}"));
    let line = output.lines().find(|line| line.starts_with("0x"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.expect(&output).to_owned()
}

/// The blocks of 2 MiB that the space in use maps, as `as show` has them.
#[track_caller]
fn blocks(machine: &mut Machine) -> u64 {
    let output = machine.command("as show");
    let rows = output.lines().filter(|line| line.contains(" -a 2M "));
    let mebibytes = rows.map(|row| {
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!(words.get(2), Some(&"MiB"), "{output}");
        words[1].parse::<u64>().expect(row)
    });
    mebibytes.sum::<u64>() / 2
}

#[track_caller]
fn halt(mut machine: Machine) {
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// The space is used up and given back, and the frames are as many as before.
#[track_caller]
fn nothing_is_lost(mut machine: Machine, spaces: &[&str], before: u64) {
    run(&mut machine, &["as use none"]);
    for space in spaces {
        run(&mut machine, &[&format!("as drop {space}")]);
    }
    assert_eq!(free_frames(&mut machine), before);
    says(&mut machine, "check", &["frames ", "heap "]);
    says(&mut machine, "audit", &["low half empty"]);
    halt(machine);
}

/// A machine that has its frame of programs for EL0, and how many frames are free then.
#[track_caller]
fn at_prompt() -> (Machine, u64) {
    let mut machine = Setup::raw().start();
    machine.boot();
    run(&mut machine, &["as new first", "as drop first"]);
    let before = free_frames(&mut machine);
    run(&mut machine, &["as new lab", "as use lab"]);
    (machine, before)
}

#[test]
fn leaves_are_of_the_size_that_was_asked_for() {
    let (mut machine, before) = at_prompt();
    run(
        &mut machine,
        &[
            "as map 0x400000 2M rw 2m",
            "as map 0x7ff000 4100K r auto",
            "as map 0x10000 64K rw contig",
            "as map 0x1000000 2M rw",
        ],
    );
    says(
        &mut machine,
        "as show",
        &[
            "0x0000000000010000    64 KiB rw- u wb     -a 4K",
            "0x0000000000400000     2 MiB rw- u wb     -a 2M",
            "0x00000000007ff000     4 KiB r-- u wb     -a 4K",
            "0x0000000001000000     2 MiB rw- u wb     -a 4K",
        ],
    );
    assert_eq!(blocks(&mut machine), 3);
    // Bit 52 of the leaves of a group.
    let walk = machine.command("pt 0x1f000");
    let leaf = walk
        .lines()
        .find(|line| line.starts_with("L3"))
        .expect(&walk);
    let bits = leaf.split_whitespace().find(|word| word.starts_with("0x"));
    let bits = u64::from_str_radix(&bits.expect(leaf)[2..], 16).expect(leaf);
    assert_eq!(bits >> 52 & 1, 1, "{walk}");
    says(&mut machine, "touch w 0x1f000 9 user core 2", &["done"]);
    says(&mut machine, "touch w 0x5fffff 7 user", &["done"]);
    says(&mut machine, "as compact", &["pages became blocks"]);
    assert_eq!(blocks(&mut machine), 4);
    // A page out of a block and out of a group: the rest stays.
    says(&mut machine, "as unmap 0x500000 4K", &["1 pages unmapped"]);
    run(&mut machine, &["as protect 0x504000 8K r"]);
    says(&mut machine, "as unmap 0x14000 4K", &["1 pages unmapped"]);
    says(&mut machine, "touch r 0x5fffff user", &[": 0x07"]);
    says(&mut machine, "touch r 0x1f000 user", &[": 0x09"]);
    says(
        &mut machine,
        "touch r 0x500000 user",
        &["translation fault"],
    );
    says(&mut machine, "touch w 0x505000 user", &["read-only"]);
    says(&mut machine, "audit", &["1 address spaces with"]);
    says(
        &mut machine,
        "as tables",
        &["L0 ", "L3 ", " of 512 in 0x", "tables"],
    );
    nothing_is_lost(machine, &["lab"], before);
}

/// A group of blocks needs 32 MiB in a row, which the allocator has no block of.
#[test]
fn a_group_of_blocks_lies_in_one_row_of_free_frames() {
    let (mut machine, before) = at_prompt();
    run(
        &mut machine,
        &[
            "as map 0x10000000 64M rw 2m contig",
            "as map 0x4000000 4K rw",
        ],
    );
    says(
        &mut machine,
        "explain 0x12000000",
        &["Contiguous      1", "block of 2 MiB"],
    );
    for va in ["0x10000000", "0x12000000"] {
        let pa = frame(&mut machine, va);
        let pa = u64::from_str_radix(&pa[2..], 16).expect(&pa);
        assert_eq!(pa % (32 << 20), 0, "{pa:#x}");
    }
    says(&mut machine, "touch w 0x13ffffff 7 user", &["done"]);
    // One block out of a group: the others stay, without the hint.
    says(
        &mut machine,
        "as unmap 0x12200000 2M",
        &["512 pages unmapped"],
    );
    says(&mut machine, "explain 0x12000000", &["Contiguous      0"]);
    says(&mut machine, "touch r 0x13ffffff user", &[": 0x07"]);
    // All the rows but one are in use, then none is whole.
    let free = free_frames(&mut machine);
    let groups = machine.command("as map 0x100000000 1024M rw 2m contig");
    machine.must_say(&groups, &["no 0x2000000 bytes of free frames in a row"]);
    assert_eq!(free_frames(&mut machine), free);
    nothing_is_lost(machine, &["lab"], before);
}

#[test]
fn a_space_that_another_core_is_in_is_changed_and_not_dropped() {
    let (mut machine, before) = at_prompt();
    run(
        &mut machine,
        &[
            "as map 0x400000 16K rw",
            "as use lab core 2",
            "as use lab core 3",
        ],
    );
    says(
        &mut machine,
        "as list",
        &["* lab", "ASID 1, core 2 is in it, core 3 is in it"],
    );
    // Its translations on core 2 are invalidated by each change.
    says(&mut machine, "touch w 0x400000 9 user core 2", &["done"]);
    run(&mut machine, &["as protect 0x400000 4K r"]);
    says(&mut machine, "touch w 0x400000 user core 2", &["read-only"]);
    says(&mut machine, "as unmap 0x400000 4K", &["1 pages unmapped"]);
    says(
        &mut machine,
        "touch r 0x400000 core 2",
        &["translation fault"],
    );
    run(&mut machine, &["as map 0x400000 4K rw"]);
    says(&mut machine, "touch r 0x400000 core 2", &[": 0x00"]);
    // The prompt's own core has left it, and core 3 is in another.
    run(
        &mut machine,
        &["as use none", "as new two", "as use two core 3"],
    );
    let free = free_frames(&mut machine);
    says(
        &mut machine,
        "as drop lab",
        &["core 2 is in the space: `as use none core 2` first"],
    );
    says(&mut machine, "as drop two", &["core 3 is in the space"]);
    assert_eq!(free_frames(&mut machine), free);
    says(
        &mut machine,
        "as list",
        &["  lab", "core 2 is in it", "  two", "core 3 is in it"],
    );
    says(&mut machine, "audit", &["2 address spaces with"]);
    // An access in another space leaves core 2 where it was.
    run(&mut machine, &["as use two"]);
    says(
        &mut machine,
        "touch r 0x400000 user core 2",
        &["translation fault"],
    );
    says(&mut machine, "as drop lab", &["core 2 is in the space"]);
    run(&mut machine, &["as use none core 2", "as use none core 3"]);
    for (line, words) in [
        ("as use lab core 4", "4 is not from 0 to 3"),
        ("as use lab core", "`as use NAME [core N]` was expected"),
        ("as use lab at 2", "`as use NAME [core N]` was expected"),
        ("as use nobody core 1", "no space has that name"),
        ("as use none core x", "expected a decimal digit"),
    ] {
        says(&mut machine, line, &[words]);
    }
    nothing_is_lost(machine, &["lab", "two"], before);
}

#[test]
fn frames_at_an_address_are_free_ones_or_a_spaces() {
    let (mut machine, before) = at_prompt();
    run(&mut machine, &["as map 0x400000 16K rw"]);
    let shared = frame(&mut machine, "0x401000");
    says(&mut machine, "touch w 0x401000 0x33 user", &["done"]);
    run(
        &mut machine,
        &[
            "as new other",
            "as use other",
            &format!("as map 0x900000 8K rw {shared}"),
            // Free RAM, as blocks.
            "as map 0x10000000 4M rw 0x10000000 2m",
        ],
    );
    says(&mut machine, "touch r 0x900000 user", &[": 0x33"]);
    says(&mut machine, "touch r 0x10000000 user", &[": 0x00"]);
    says(&mut machine, "touch w 0x900001 0x44 user", &["done"]);
    says(&mut machine, "audit", &["2 address spaces with"]);
    assert_eq!(frame(&mut machine, "0x10200000"), "0x0000000010200000");
    // Whoever has a frame last gives it back.
    run(&mut machine, &["as use lab"]);
    says(&mut machine, "touch r 0x401001 user", &[": 0x44"]);
    let both = free_frames(&mut machine);
    says(&mut machine, "as unmap 0x401000 4K", &["1 pages"]);
    assert_eq!(free_frames(&mut machine), both);
    says(&mut machine, "audit", &["2 address spaces with"]);
    run(&mut machine, &["as use other"]);
    says(&mut machine, "touch r 0x900001 user", &[": 0x44"]);
    says(&mut machine, "as unmap 0x900000 4K", &["1 pages"]);
    assert_eq!(free_frames(&mut machine), both + 1);
    nothing_is_lost(machine, &["lab", "other"], before);
}

#[test]
fn a_clone_shares_all_frames_and_neither_may_write() {
    let (mut machine, before) = at_prompt();
    run(
        &mut machine,
        &[
            "as map 0x400000 16K rw",
            "as map 0x600000 2M rw 2m",
            "as map 0x20000 64K r contig",
            "as protect 0x402000 4K none",
        ],
    );
    says(&mut machine, "touch w 0x400000 0x5a user", &["done"]);
    says(&mut machine, "touch w 0x7fffff 0x5b user", &["done"]);
    let frames = free_frames(&mut machine);
    says(
        &mut machine,
        "as clone lab copy",
        &["532 pages shared, read-only"],
    );
    // Tables alone: 5 of the space itself with its stack, 4 of what it shares.
    assert!(frames - free_frames(&mut machine) < 16);
    for space in ["lab", "copy"] {
        run(&mut machine, &[&format!("as use {space}")]);
        says(&mut machine, "touch r 0x400000 user", &[": 0x5a"]);
        says(&mut machine, "touch r 0x7fffff user core 1", &[": 0x5b"]);
        says(&mut machine, "touch w 0x400000 user", &["read-only"]);
        says(&mut machine, "touch w 0x600000", &["read-only"]);
        says(&mut machine, "touch w 0xffffffffc000 user", &["done"]);
    }
    says(&mut machine, "audit", &["2 address spaces with 1066 pages"]);
    // Copy on write by hand: a page of its own.
    run(
        &mut machine,
        &["as unmap 0x400000 4K", "as map 0x400000 4K rw"],
    );
    says(&mut machine, "touch w 0x400000 1 user", &["done"]);
    run(&mut machine, &["as use lab"]);
    says(&mut machine, "touch r 0x400000 user", &[": 0x5a"]);
    run(&mut machine, &["as use copy", "as drop lab"]);
    says(&mut machine, "touch r 0x7fffff user", &[": 0x5b"]);
    says(&mut machine, "audit", &["1 address spaces with"]);
    nothing_is_lost(machine, &["copy"], before);
}

#[test]
fn pages_move_with_their_frames_rights_and_leaves() {
    let (mut machine, before) = at_prompt();
    run(
        &mut machine,
        &[
            "as map 0x400000 4M rw 2m",
            "as map 0x800000 8K rw",
            "as protect 0x801000 4K r",
        ],
    );
    says(&mut machine, "touch w 0x800000 0x11 user", &["done"]);
    says(&mut machine, "touch w 0x400000 0x22 user", &["done"]);
    let page = frame(&mut machine, "0x801000");
    says(
        &mut machine,
        "as remap 0x400000 6M 0x40000000",
        &["1026 pages moved"],
    );
    says(&mut machine, "touch r 0x40000000 user", &[": 0x22"]);
    says(&mut machine, "touch r 0x40400000 user", &[": 0x11"]);
    says(&mut machine, "touch w 0x40401000 user", &["read-only"]);
    says(
        &mut machine,
        "touch r 0x400000 user",
        &["translation fault"],
    );
    assert_eq!(frame(&mut machine, "0x40401000"), page);
    assert_eq!(blocks(&mut machine), 2);
    // A part of a block, to where it can be none.
    says(
        &mut machine,
        "as remap 0x40100000 1M 0x1000",
        &["256 pages moved"],
    );
    says(&mut machine, "audit", &["1 address spaces with 1028 pages"]);
    nothing_is_lost(machine, &["lab"], before);
}

#[test]
fn a_change_says_what_it_cost() {
    let mut machine = in_a_space();
    run(&mut machine, &["as map 0x400000 16K rw"]);
    says(
        &mut machine,
        "as cost",
        &["as map", "TLBIs     none", "3 taken, 0 given back"],
    );
    // The leaf, and what counts in the table above it; nothing to invalidate.
    run(&mut machine, &["as map 0x404000 4K rw"]);
    let cost = says(&mut machine, "as cost", &["dsb ishst", "0 taken, 0 given"]);
    assert_eq!(stores(&cost), 2);
    run(&mut machine, &["as protect 0x400000 8K r"]);
    says(
        &mut machine,
        "as cost",
        &["as protect", "2 vale1is", "1 dsb ish"],
    );
    run(&mut machine, &["as unmap 0x400000 20K"]);
    // The tables on the way go as well: pointers to them may be cached.
    says(&mut machine, "as cost", &["vae1is", "3 given back"]);
    says(
        &mut machine,
        "tlb",
        &["as protect", "tlbi vale1is 0x0000000000401000 ASID 1"],
    );
    // 64 MiB: too many addresses to name.
    run(&mut machine, &["as map 0x10000000 64M rw"]);
    let cost = says(&mut machine, "as cost", &["as map"]);
    let stores = stores(&cost);
    assert!((16384..16384 + 100).contains(&stores), "{cost}");
    run(&mut machine, &["as protect 0x10000000 64M r"]);
    says(&mut machine, "as cost", &["TLBIs     1 aside1is"]);
    // What is refused costs nothing, and leaves the last in its place.
    says(&mut machine, "as map 0x10000000 4K rw", &["mapped already"]);
    says(&mut machine, "as cost", &["as protect"]);
    halt(machine);
}

#[test]
fn a_tlbi_that_is_left_out_leaves_a_stale_translation_and_harms_nobody() {
    let (mut machine, before) = at_prompt();
    run(&mut machine, &["as map 0x400000 8K rw"]);
    says(&mut machine, "touch w 0x400000 0x77 user", &["done"]);
    says(&mut machine, "tlb", &["as map      none"]);
    let frames = free_frames(&mut machine);
    says(&mut machine, "tlb skip", &["leaves its TLBIs out"]);
    says(
        &mut machine,
        "as unmap 0x400000 4K",
        &[
            "1 TLBIs LEFT OUT on purpose",
            "tlbi vale1is 0x0000000000400000 ASID 1, LEFT OUT",
        ],
    );
    // The frame is kept: whoever has the translation may write to it.
    assert_eq!(free_frames(&mut machine), frames);
    says(&mut machine, "as query 0x400000", &["not mapped"]);
    says(
        &mut machine,
        "touch r 0x400000 user",
        &[
            ": 0x77",
            "stale: the map refuses 0x0000000000400000",
            "tlbi vale1is 0x0000000000400000 ASID 1, LEFT OUT",
        ],
    );
    says(&mut machine, "tlb", &["LEFT OUT", "stale: the next change"]);
    says(&mut machine, "audit", &["1 address spaces with 3 pages"]);
    says(&mut machine, "tlb heal", &["everything was invalidated"]);
    says(
        &mut machine,
        "touch r 0x400000 user",
        &["translation fault"],
    );
    assert_eq!(free_frames(&mut machine), frames + 1);
    says(&mut machine, "tlb heal", &["nothing is stale"]);
    // A right that is taken, and made up for by the next change.
    says(&mut machine, "touch w 0x401000 1 user", &["done"]);
    run(&mut machine, &["tlb skip", "as protect 0x401000 4K r"]);
    says(
        &mut machine,
        "touch w 0x401000 2 user",
        &["done", "stale: "],
    );
    run(&mut machine, &["as map 0x800000 4K rw"]);
    says(&mut machine, "touch w 0x401000 3 user", &["read-only"]);
    // Nothing to leave out, and what is never left out.
    run(&mut machine, &["as map 0xa00000 2M rw 2m", "tlb skip"]);
    says(
        &mut machine,
        "as map 0x900000 4K rw",
        &["no TLBI left out: none was due"],
    );
    run(&mut machine, &["tlb skip"]);
    says(
        &mut machine,
        "as unmap 0xa00000 4K",
        &["no TLBI left out: break-before-make is always whole"],
    );
    // Tables and frames of a whole space, given up without a TLBI.
    run(&mut machine, &["as use none", "tlb skip", "as drop lab"]);
    run(&mut machine, &["as new again", "as use again"]);
    nothing_is_lost(machine, &["again"], before);
}

#[test]
fn a_change_that_is_refused_says_what_was_expected_and_loses_nothing() {
    let (mut machine, _) = at_prompt();
    run(
        &mut machine,
        &[
            "as new two",
            "as map 0x400000 16K rw",
            "as map 0x800000 2M rw 2m",
        ],
    );
    let table = machine.command("as tables");
    let table = table
        .lines()
        .find(|line| line.starts_with("L3"))
        .expect(&table);
    let table = table.split_whitespace().last().expect(table).to_owned();
    let used = frame(&mut machine, "0xffffffffe000");
    let before = free_frames(&mut machine);
    let shown = machine.command("as show");
    for (line, words) in [
        ("as map 0x500000 4K rwx", "not one of r, rw, rx, none"),
        ("as map 0x500000 4K rw 3m", "expected a decimal digit"),
        (
            "as map 0x500000 4K rw big",
            "not one of fresh, 4k, 2m, 1g, auto",
        ),
        ("as map 0x500000 4K rw 4k 2m", "one size of leaves"),
        ("as map 0x500000 4K rw fresh 0x100000", "one size of leaves"),
        (
            "as map 0x500000 2M rw 2m",
            "0x500000 is not a multiple of 0x200000",
        ),
        (
            "as map 0x600000 3M rw 2m",
            "0x300000 is not a multiple of 0x200000",
        ),
        (
            "as map 0x40000000 1G rw 1g",
            "no 0x40000000 bytes of free frames in a row: smaller leaves need less",
        ),
        ("as map 0x40000000 1G rw 1g 0", "no RAM of the kernel's"),
        ("as map 0x501000 64K rw contig", "not a multiple of 0x10000"),
        (
            "as map 0x2000000 34M rw 2m contig",
            "0x2200000 is not a multiple of 0x2000000",
        ),
        (
            "as map 0x400000000 16G rw 1g contig",
            "no 0x400000000 bytes of free frames in a row",
        ),
        (
            "as map 0x500000 4K rw 0x1001",
            "0x1001 is not a multiple of 0x1000",
        ),
        ("as map 0x500000 4K rw 0x3f201000", "is a device"),
        ("as map 0x500000 4K rw 0x40000000", "is a device"),
        ("as map 0x500000 4K rw 0x90000", "is the kernel's image"),
        ("as map 0x500000 4K rw 0x3e000000", "no RAM of the kernel's"),
        (
            "as map 0x500000 4K rw 0xfffffffffffff000",
            "no RAM of the kernel's",
        ),
        // The free frames before the first that is not are given back.
        ("as map 0x10000000 4M rw 0x3bc00000", "not a free frame"),
        ("as map 0x10000000 960M rw", "no memory for"),
        (
            "as map 0x700000 2M rw",
            "0x0000000000800000 is mapped already",
        ),
        ("as remap 0x400000 16K 0x401000", "overlaps"),
        (
            "as remap 0x400000 16K 0x7fe000",
            "0x0000000000800000 is mapped already",
        ),
        ("as remap 0x500000 4K 0x600000", "is not mapped"),
        ("as remap 0x400000 16K 0xfffffffff000", "are not in"),
        ("as remap 0x400000 16K 0x600001", "is not a multiple of 4K"),
        ("as clone nobody new", "no space has that name"),
        ("as clone lab two", "there is a space of that name"),
        ("as clone lab none", "a name has 1 to 15"),
        ("as compact now", "`as compact` was expected"),
        ("tlb sometimes", "not one of skip, heal"),
    ] {
        says(&mut machine, line, &[words]);
    }
    says(
        &mut machine,
        &format!("as map 0x500000 4K rw {table}"),
        &["is a page table"],
    );
    says(
        &mut machine,
        &format!("as map 0x500000 4K rw {used}"),
        &["in use by the kernel"],
    );
    assert_eq!(free_frames(&mut machine), before);
    assert_eq!(machine.command("as show"), shown);
    says(&mut machine, "audit", &["2 address spaces with"]);
    says(&mut machine, "as drop two", &[]);
    says(&mut machine, "as use two", &["no space has that name"]);
    halt(machine);
}

/// Maps all that is free in a new space `full`, which is in use then: the last of it as pages behind
/// 0x4000_0000 and, of another table, two at 0x4020_0000.
#[track_caller]
fn use_all_frames(machine: &mut Machine) {
    run(
        machine,
        &[
            "as new full",
            "as use full",
            "as map 0x40000000 4K rw",
            "as map 0x40200000 4K rw",
        ],
    );
    let mut next = 0x1_0000_0000_u64;
    for size in [
        "512M", "256M", "128M", "64M", "32M", "16M", "8M", "4M", "2M", "2M",
    ] {
        machine.command(&format!("as map {next:#x} {size} rw auto"));
        next += 1 << 30;
    }
    let mut va = 0x4000_1000;
    for kib in [1024, 512, 256, 128, 64, 32, 16, 8, 4] {
        let output = machine.command(&format!("as map {va:#x} {kib}K rw"));
        if !output.contains("no memory") {
            va += kib << 10;
        }
    }
    machine.command("as map 0x40201000 4K rw");
    assert_eq!(free_frames(machine), 0);
}

/// No frame for a table in the middle of a change.
#[test]
fn a_change_without_frames_for_its_tables_is_none() {
    let mut machine = in_a_space();
    run(&mut machine, &["as map 0x800000 2M rw 2m"]);
    use_all_frames(&mut machine);
    run(&mut machine, &["as use lab"]);
    let (frames, shown) = (free_frames(&mut machine), machine.command("as show"));
    let shared = format!(
        "as map 0x7000000000 4K rw {}",
        frame(&mut machine, "0x800000")
    );
    for line in [
        "as new more",
        "as map 0x7000000000 1M rw",
        &shared,
        "as unmap 0x801000 4K",
        "as protect 0x801000 4K r",
        "as remap 0x801000 4K 0x7000000000",
        "as clone lab copy",
    ] {
        let output = machine.command(line);
        assert!(
            output.contains("no memory") || output.contains("no frame"),
            "{output}"
        );
        assert_eq!(free_frames(&mut machine), frames, "{line}");
    }
    assert_eq!(machine.command("as show"), shown);
    run(&mut machine, &["as drop full"]);
    says(&mut machine, "as unmap 0x801000 4K", &["1 pages unmapped"]);
    halt(machine);
}

/// Free memory in single frames: no two of them are neighbours.
#[test]
fn scattered_frames_are_mapped_together_or_not_at_all() {
    let (mut machine, before) = at_prompt();
    use_all_frames(&mut machine);
    for index in 0..70 {
        let line = format!("as unmap {:#x} 4K", 0x4000_0000_u64 + index * 0x2000);
        says(&mut machine, &line, &["1 pages unmapped"]);
    }
    assert_eq!(free_frames(&mut machine), 70);
    let shown = machine.command("as show");
    // 66 pages in a table that is there, then one is missing.
    says(&mut machine, "as map 0x403be000 280K rw", &["no memory"]);
    assert_eq!(free_frames(&mut machine), 70);
    assert_eq!(machine.command("as show"), shown);
    run(&mut machine, &["as map 0x403ba000 280K rw"]);
    assert_eq!(free_frames(&mut machine), 0);
    let cost = says(
        &mut machine,
        "as cost",
        &["as map", "0 taken", "1 dsb ishst"],
    );
    assert_eq!(
        stores(&cost),
        70 + 2,
        "leaves, and what counts them: once a call"
    );
    for (va, value) in [
        ("0x403ba000", 1),
        ("0x403f9000", 2),
        ("0x403fa000", 3),
        ("0x403fffff", 4),
    ] {
        says(
            &mut machine,
            &format!("touch w {va} {value} user"),
            &["done"],
        );
        says(
            &mut machine,
            &format!("touch r {va} user core 2"),
            &[&format!(": {value:#04x}")],
        );
    }
    says(
        &mut machine,
        "as unmap 0x403ba000 280K",
        &["70 pages unmapped"],
    );
    assert_eq!(free_frames(&mut machine), 70);
    nothing_is_lost(machine, &["lab", "full"], before);
}
