//! `audit` and `check` at the prompt: a descriptor, a frame's state or a link that a debugger
//! changes under the running kernel is found by its address, the kernel goes on, and once it is put
//! back both are content again.

use crate::harness::loader::{Level, Loader};
use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::tables::Slot;
use crate::harness::{Ending, Gdb, Machine, Setup, tables};

/// A block of 2 MiB in the middle of RAM, free and used by nobody.
const FREE_BLOCK: u64 = HIGH_HALF + 0x2000_0000;
/// An entry of the root that no address of the kernel's needs.
const UNUSED_ROOT_ENTRY: u64 = 300;
const UNUSED_ADDRESS: u64 = HIGH_HALF + (UNUSED_ROOT_ENTRY << 39);

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const TABLE: u64 = 0b11;
const NON_GLOBAL: u64 = 1 << 11;
const CONTIGUOUS: u64 = 1 << 52;

fn name(va: u64) -> String {
    format!("{va:#018x}")
}

/// A kernel at its prompt that a debugger can stop.
fn at_prompt() -> Machine {
    let mut machine = Setup::raw().stopped().start();
    machine.debugger().detach();
    machine.boot();
    machine
}

/// Stops the machine for a look.
fn look<R>(machine: &Machine, look: impl FnOnce(&mut Gdb) -> R) -> R {
    let mut gdb = machine.debugger();
    let result = look(&mut gdb);
    gdb.detach();
    result
}

/// Changes 8 bytes, has `command` say all of `words`, puts them back, and has it say so.
#[track_caller]
fn found(machine: &mut Machine, command: &str, (at, value): (u64, u64), words: &[&str]) {
    let old = look(machine, |gdb| {
        let old = gdb.read(at);
        gdb.write(at, value);
        old
    });
    let said = machine.command(command);
    look(machine, |gdb| gdb.write(at, old));
    machine.must_say(&said, words);
    content(machine, command);
}

#[track_caller]
fn content(machine: &mut Machine, command: &str) {
    let said = machine.command(command);
    let words = match command {
        "audit" => ["leaves in", " guards unmapped, low half empty"],
        _ => [" free and ", " bytes free, holes "],
    };
    machine.must_say(&said, &words);
    for words in ["unsound", "wrong", "usage"] {
        assert!(!said.contains(words), "{said}");
    }
}

#[track_caller]
fn halts(mut machine: Machine) {
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn both_are_content_with_a_sound_kernel_whatever_it_has_done() {
    let mut machine = Setup::elf().start();
    machine.boot();
    for work in [
        "uptime",
        "shootdown 10",
        "numbers 10",
        "soak 1",
        "fault brk all",
    ] {
        machine.command(work);
        content(&mut machine, "audit");
        content(&mut machine, "check");
    }
    for line in ["audit 1", "check x"] {
        let said = machine.command(line);
        machine.must_say(&said, &["arguments"]);
    }
    halts(machine);
}

#[test]
fn a_changed_descriptor_is_found_by_its_address() {
    let mut machine = at_prompt();
    let symbols = Symbols::read();
    let constants = symbols.address("__rodata_start") + 0x1000;
    let code = symbols.address("__text_start") + 0x3000;
    let (rodata, text, block, root) = look(&machine, |gdb| {
        let root = gdb.system_register("TTBR1_EL1") & ADDRESS;
        let mut find = |va| tables::find(gdb, va);
        (find(constants), find(code), find(FREE_BLOCK), root)
    });
    assert_eq!((rodata.level, text.level, block.level), (3, 3, 2));
    let free = name(FREE_BLOCK);
    let changes: [(Slot, u64, [&str; 2]); 12] = [
        // Rights of constants.
        (
            rodata,
            rodata.descriptor & !tables::READ_ONLY,
            [&*name(constants), "rw-"],
        ),
        // Of code in a way that does not keep the kernel from running it.
        (text, text.descriptor | NON_GLOBAL, [&*name(code), "text"]),
        (
            rodata,
            rodata.descriptor & !tables::PRIVILEGED_EXECUTE_NEVER,
            [&*name(constants), "r-x"],
        ),
        // A mapping that is gone, or leads elsewhere.
        (block, 0, [&*free, "not mapped: RAM"]),
        (block, block.descriptor & !1, [&*free, "not mapped: RAM"]),
        (
            block,
            block.descriptor ^ 0x0800_0000,
            [&*free, "0x0000000028000000"],
        ),
        // Bits that this kernel does not set.
        (
            block,
            block.descriptor | CONTIGUOUS,
            [&*free, "none of this kernel's"],
        ),
        (block, block.descriptor ^ 7 << 2, [&*free, "0x"]),
        // Tables that are none: a device, a free frame, nothing at all.
        (
            block,
            0x3f20_1000 | TABLE,
            [&*free, "0x000000003f201000 is no frame of a table"],
        ),
        (
            block,
            0x2000_0000 | TABLE,
            [&*free, "0x0000000020000000 is no frame of a table"],
        ),
        (
            block,
            0xff_dead_b000 | TABLE,
            [&*free, "0x000000ffdeadb000 is no frame of a table"],
        ),
        // A loop: the root in the place of a table.
        (
            block,
            root | TABLE,
            [&*free, "is no frame of a table, or is another's"],
        ),
    ];
    for (slot, value, words) in changes {
        found(&mut machine, "audit", (slot.address, value), &words);
    }
    let unused = root + 8 * UNUSED_ROOT_ENTRY;
    let words = [&*name(UNUSED_ADDRESS), "is no frame of a table"];
    found(&mut machine, "audit", (unused, 0x3f00_b000 | TABLE), &words);
    halts(machine);
}

/// A number behind `words` in what `check` prints.
#[track_caller]
fn address_behind(machine: &mut Machine, words: &str) -> u64 {
    let said = machine.command("check");
    let text = said.split_once(words).map(|(_, rest)| rest);
    let digits = text.and_then(|text| text.split_whitespace().next()?.strip_prefix("0x"));
    match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        Some(address) => address,
        None => panic!("no address behind {words:?} in {said}"),
    }
}

/// Bits of a frame's state (`src/mm/frames/state.rs`), of blocks of any order.
const KIND: u64 = 0x30;
const FREE_FRAME: u64 = 0x10;
const ALLOCATED_FRAME: u64 = 0x20;
const NEXT_SHIFT: u64 = 8;
const NEXT: u64 = 0xff_ffff << NEXT_SHIFT;

#[test]
fn a_changed_state_or_link_of_a_frame_is_found_by_the_frames_address() {
    let mut machine = at_prompt();
    let states = address_behind(&mut machine, "frames at ") - HIGH_HALF;
    let (allocated, free) = look(&machine, |gdb| {
        let mut find = |kind| {
            let mut all = (0..0x4000).map(|frame| (frame, gdb.read(states + 8 * frame)));
            all.find(|(_, state)| state & KIND == kind)
                .expect("a frame")
        };
        (find(ALLOCATED_FRAME), find(FREE_FRAME))
    });
    let at = |(frame, _): (u64, u64)| states + 8 * frame;
    let pa = |(frame, _): (u64, u64)| name(frame << 12);
    for (frame, value, words) in [
        (allocated, allocated.1 | 0xf, "has no valid state"),
        (allocated, allocated.1 | 1 << 6, "has no valid state"),
        (
            free,
            free.1 & !KIND | ALLOCATED_FRAME | NEXT,
            "has no valid state",
        ),
        (
            free,
            free.1 & !NEXT | 0x1_2345 << NEXT_SHIFT,
            "to 0x0000000012345000",
        ),
        (
            free,
            free.1 & !NEXT | 0xab_cdef << NEXT_SHIFT,
            "to 0x0000000abcdef000",
        ),
    ] {
        let words = [&*pa(frame), words, "check: frames unsound"];
        found(&mut machine, "check", (at(frame), value), &words);
    }
    let words = [&*pa(allocated), "the frames are unsound"];
    found(
        &mut machine,
        "audit",
        (at(allocated), allocated.1 | 0xf),
        &words,
    );
    halts(machine);
}

#[test]
fn a_changed_link_or_size_in_the_heap_is_found_by_its_address() {
    let mut machine = at_prompt();
    let hole = address_behind(&mut machine, "the first at ");
    let link = hole + 8;
    let (frame, size) = look(&machine, |gdb| {
        let frame = tables::find(gdb, hole).descriptor & ADDRESS;
        (frame, gdb.read(frame | hole & 0xfff))
    });
    let (size_at, link_at) = (frame | hole & 0xfff, frame | link & 0xfff);
    for (at, value, first, then) in [
        (
            link_at,
            0x1234_5678,
            name(link),
            "leads to 0x0000000012345678",
        ),
        (link_at, hole, name(link), "leads back to"),
        (link_at, hole + size + 4, name(link), "leads to"),
        (link_at, u64::MAX, name(link), "leads to 0xffffffffffffffff"),
        (size_at, size + 0x1000_0000, name(hole), "cannot have"),
        (size_at, 3, name(hole), "cannot have 0x3 bytes"),
        (
            size_at,
            size - 16,
            "the holes have".to_owned(),
            "bytes are free",
        ),
    ] {
        let words = [&*first, then, "check: heap unsound"];
        found(&mut machine, "check", (at, value), &words);
    }
    // The audit makes its lists in the heap: it must not follow such a link.
    let words = [&*name(link), "the heap is unsound"];
    found(&mut machine, "audit", (link_at, 0x1234_5678), &words);
    halts(machine);
}

#[test]
fn an_entry_in_the_empty_table_is_found() {
    let mut machine = at_prompt();
    let table = Symbols::read().address("EMPTY_TABLE") & !HIGH_HALF;
    for (entry, value) in [(0, 0x703), (511, 1)] {
        let words = [
            format!("entry {entry} of the empty table at {}", name(table)),
            format!("is {value:#x}"),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        found(&mut machine, "audit", (table + 8 * entry, value), &words);
    }
    halts(machine);
}

/// Page 0 is the board's, EL2 and EL3 have their vectors in the image, and a core that did not come
/// may still stand in the first pages of it: the allocator must not have these frames.
#[test]
fn a_kept_frame_that_could_be_given_out_is_found() {
    let alone = Loader::at(Level::El2).setup().stopped().start();
    alone.debugger().detach();
    let symbols = Symbols::read();
    let frame = |name: &str| (symbols.address(name) & !HIGH_HALF) >> 12;
    let of_the_board = (0, "page 0 is the board's");
    let of_el2 = (frame("__stop_vectors"), "EL2 and EL3 have their vectors");
    let parking = (frame("park"), "a core may still come to the parking pages");
    for (mut machine, kept) in [
        (at_prompt(), vec![of_the_board, of_el2]),
        (alone, vec![of_the_board, of_el2, parking]),
    ] {
        if kept.contains(&parking) {
            machine.boot();
        }
        let states = address_behind(&mut machine, "frames at ") - HIGH_HALF;
        for (frame, why) in kept {
            let state = FREE_FRAME | NEXT | NEXT << 32;
            let words = [&*name(frame << 12), "can be given out", why];
            found(&mut machine, "audit", (states + 8 * frame, state), &words);
        }
        halts(machine);
    }
}

/// A core that comes on the low tree and never leaves it: its TTBR0 is looked at on the core
/// itself.
#[test]
fn a_core_that_keeps_its_low_half_is_found_at_boot() {
    const NOP: u64 = 0xd503_201f;
    const MSR_TTBR0_EL1: u64 = 0xd518_2000;
    let entry = Symbols::read().item(&["smp", "kernel_secondary"]);
    let mut machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    gdb.run_to(Symbols::read().address("kernel_main"));
    let place = (entry.start..entry.end).step_by(4).find(|place| {
        let word = gdb.read(place & !HIGH_HALF) & 0xffff_ffff;
        word & !0x1f == MSR_TTBR0_EL1
    });
    let place = place.expect("TTBR0_EL1 is written") & !HIGH_HALF;
    let words = gdb.read(place);
    gdb.write(place, words & !0xffff_ffff | NOP);
    gdb.resume();
    machine.must_end(Ending::Audit);
    let report = machine.transcript();
    machine.must_say(&report, &["TTBR0_EL1 of core 1 is", "instead of"]);
}
