//! What is said of an address, of a descriptor and of memory: `explain`, `dump`, `fill`, `map
//! --picture`, and the figure of a fault report.

use stilt::mm::layout::USER_STACK;

use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Ending, Gdb, Machine, Setup, tables};

fn booted() -> Machine {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine
}

/// What a command says, whose rows have at most 80 columns and these words.
#[track_caller]
fn says(machine: &mut Machine, line: &str, words: &[&str]) -> String {
    let output = machine.command(line);
    for row in output.lines() {
        assert!(row.chars().count() <= 80, "{row:?} passes 80 columns");
    }
    machine.must_say(&output, words);
    output
}

#[track_caller]
fn halt(mut machine: Machine) {
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

/// The indices of an address, from level 0 on.
fn indices(va: u64) -> [u64; 4] {
    [39, 30, 21, 12].map(|low| va >> low & 0x1ff)
}

#[test]
fn an_address_of_the_kernel_is_explained_bit_by_bit() {
    let mut machine = booted();
    let va = Symbols::read().address("__text_start") + 0x123;
    let [_, _, l2, l3] = indices(va);
    let output = says(
        &mut machine,
        &format!("explain {va:#x}"),
        &[
            "  63:48 0xffff         the high half, TTBR1_EL1: the kernel's",
            &format!("  29:21 {l2:#011b}    index {l2} at level 2, of 2 MiB each"),
            &format!("  20:12 {l3:#011b}    index {l3} at level 3, of 4 KiB each"),
            "  11:0  0b000100100011 byte 291 of the page",
            "(TTBR1_EL1)",
            "  EL1 reads     yes  L3: AF, bit 10, is 1",
            "  EL1 writes    no   L3: AP[2], bit 7, is 1",
            "  EL1 executes  yes  L3: PXN, bit 53, is 0",
            "  EL0 reads     no   L3: AP[1], bit 6, is 0",
            "  EL0 executes  no   L3: UXN, bit 54, is 1",
            "0xff in MAIR_EL1: Normal write-back",
            "inner shareable",
            "global: of every ASID",
            "on its own",
            &format!("leaf    {:#018x} to {:#018x}", va & !0xfff, va | 0xfff),
            &format!("this address is {:#018x}", va - HIGH_HALF),
            "  L3: AP[2:1], bits 7:6, are 01",
            "above 2^48 all pages are its own",
        ],
    );
    // The descriptors are those of `pt`.
    let walk = machine.command(&format!("pt {va:#x}"));
    let descriptors = walk.lines().filter(|line| line.starts_with('L'));
    for line in descriptors {
        let descriptor = line.get(..26).unwrap_or_default();
        assert!(output.contains(descriptor), "{descriptor}: {output}");
    }
    // A block, and memory that is no page: the UART's registers, and behind the last RAM.
    says(
        &mut machine,
        "explain 0xffff00003f201000",
        &[
            "block of 2 MiB at 0x000000003f200000",
            "0x04 in MAIR_EL1: Device-nGnRE",
            "leaf    0xffff00003f200000 to 0xffff00003f3fffff",
            "  EL1 executes  no   L2: PXN, bit 53, is 1",
        ],
    );
    says(
        &mut machine,
        "explain 0xffff400000000000",
        &[
            "  EL1 reads     no   L0: valid, bit 0, is 0",
            "  L0: a table, and below it a block or page with AP[2:1] 01, AF 1",
        ],
    );
    halt(machine);
}

#[test]
fn an_address_of_a_space_is_explained_wherever_the_core_is() {
    let mut machine = booted();
    says(
        &mut machine,
        "explain 0x400000",
        &["walk    none: TCR_EL1.EPD0, bit 7, is 1", "the low half"],
    );
    for line in ["as new one", "as use one", "as map 0x400000 8K rw"] {
        machine.command(line);
    }
    let here = says(
        &mut machine,
        "explain 0x401008",
        &[
            "(TTBR0_EL1)",
            "  EL0 writes    yes  L3: AP[2:1], bits 7:6, are 01",
            "  EL0 executes  no   L3: UXN, bit 54, is 1",
            "non-global: of one ASID",
        ],
    );
    assert!(here.trim_end().ends_with("\nEL0 may write here"), "{here}");
    machine.command("as protect 0x401000 4K r");
    says(
        &mut machine,
        "explain 0x401008",
        &[
            "  EL0 reads     yes  L3: AP[1], bit 6, is 1",
            "  EL0 writes    no   L3: AP[2], bit 7, is 1",
            "  L3: AP[2:1], bits 7:6, are 01",
            "`as protect 0x0000000000401000 4K rw`",
        ],
    );
    says(
        &mut machine,
        "explain 0x600000",
        &[
            "L2: a table, or a block",
            "`as map 0x0000000000600000 4K rw`",
        ],
    );
    machine.command("as protect 0x401000 4K rw");
    for line in ["as new two", "as use two"] {
        machine.command(line);
    }
    let there = says(&mut machine, "explain 0x401008 as one", &[", space one"]);
    let rights = |output: &str| {
        let lines = output.lines().skip_while(|line| *line != "rights");
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rights(&here), rights(&there));
    says(
        &mut machine,
        "explain 0x401008",
        &["L0: valid, bit 0, is 0", "L0: a table, and below it"],
    );
    machine.command("as drop one");
    says(
        &mut machine,
        "explain 0x401008 as one",
        &["explain: no space has that name"],
    );
    halt(machine);
}

/// Words of a space that are looked at: more than it has.
const SPACE_WORDS: u64 = 48;

/// The words of the space at the virtual address `space`, with their physical addresses.
fn words(gdb: &mut Gdb, space: u64) -> Vec<(u64, u64)> {
    let places = (0..SPACE_WORDS).map(|word| space + 8 * word);
    let mut found = Vec::new();
    for place in places {
        let frame = tables::find(gdb, place).descriptor & 0x0000_ffff_ffff_f000;
        let address = frame | place & 0xfff;
        found.push((address, gdb.read(address)));
    }
    found
}

/// The mark that a space is being changed, as its physical address and the bit: set while `explain`
/// looks at the space, and clear when the prompt is back.
fn mark_of_change(machine: &mut Machine, explain: &str) -> (u64, u64) {
    let root = Symbols::read().item(&["UserSpace", "root"]).start;
    let mut gdb = machine.debugger();
    gdb.run_some_core_to(root, || machine.send(format!("{explain}\r")));
    let space = gdb.x(0);
    let held = words(&mut gdb, space);
    gdb.detach();
    machine.expect("stilt> ");
    let mut gdb = machine.debugger();
    let free = words(&mut gdb, space);
    gdb.detach();
    let mut cleared = held
        .iter()
        .zip(&free)
        .filter_map(|((at, held), (_, free))| {
            let bit = held.checked_sub(*free)?;
            (bit != 0 && bit.trailing_zeros() % 8 == 0 && bit.is_power_of_two())
                .then_some((*at, bit))
        });
    let mark = cleared.next().expect("a mark");
    assert_eq!(cleared.next(), None);
    mark
}

/// Another core in the middle of a change is a debugger that holds the space's mark.
#[test]
fn a_space_that_another_core_changes_is_told_and_left_alone() {
    let mut machine = Setup::raw().stopped().start();
    machine.debugger().detach();
    machine.boot();
    for line in ["as new one", "as use one", "as map 0x400000 8K rw"] {
        machine.command(line);
    }
    let explain = "explain 0x401008 as one";
    let (at, bit) = mark_of_change(&mut machine, explain);
    let before = machine.command(explain);
    let shown = machine.command("as show");
    assert!(before.contains(", space one"), "{before}");
    let flip = |machine: &Machine| {
        let mut gdb = machine.debugger();
        let word = gdb.read(at);
        gdb.write(at, word ^ bit);
        gdb.detach();
    };
    flip(&machine);
    for line in [
        explain,
        "as map 0x500000 4K r",
        "as unmap 0x400000 4K",
        "as protect 0x400000 4K r",
        "as remap 0x400000 4K 0x500000",
        "as compact",
        "as clone one two",
    ] {
        let said = machine.command(line);
        let name = line.split(' ').next().unwrap_or_default();
        assert_eq!(said.trim(), format!("{name}: the space is being changed"));
    }
    flip(&machine);
    assert_eq!(machine.command(explain), before);
    assert_eq!(machine.command("as show"), shown);
    says(&mut machine, "audit", &["1 address spaces with 4 pages"]);
    halt(machine);
}

#[test]
fn descriptors_of_all_formats_are_explained() {
    let mut machine = booted();
    for (line, words) in [
        (
            "explain desc 0x0060000080000713",
            &[
                "aarch64, level 3: page of 4 KiB at 0x0000000080000000",
                "  54     UXN             1              EL0 must not execute",
                "  9:8    SH              0x3            inner shareable",
                "  4:2    AttrIndx        0x4            0xff in MAIR_EL1: Normal write-back",
                "rights of this leaf: kernel rw-, user ---",
            ][..],
        ),
        (
            "explain desc 0x80000713",
            &["kernel rwx, user --x", "but SCTLR_EL1.WXN is 1"],
        ),
        (
            "explain desc 0x0060000080000711 2",
            &["aarch64, level 2: block of 2 MiB at 0x0000000080000000"],
        ),
        (
            "explain desc 0x6000000000001003 1",
            &[
                "aarch64, level 1: table at 0x0000000000001000",
                "no writes below, nothing for EL0",
            ],
        ),
        (
            "explain desc 0x1 0",
            &["aarch64, level 0: reserved", "reserved at this level"],
        ),
        ("explain desc 0x2", &["aarch64, level 3: invalid"]),
        (
            "explain desc 0x80000000000000e7 2 --format x86_64",
            &[
                "x86_64, level 2: block of 2 MiB",
                "kernel rw-, user rw-",
                "must not be executed",
            ],
        ),
        (
            "explain desc 0x200000df --format sv39",
            &[
                "sv39, level 2: page of 4 KiB at 0x0000000080000000",
                "  53:10  PPN             0x80000000",
            ],
        ),
        (
            "explain desc 0x20000001 0 --format sv48",
            &["sv48, level 0: table at 0x0000000080000000"],
        ),
        (
            "explain desc 0x4000000080000191 --format loongarch",
            &["loongarch, level 3: page of 4 KiB", "CC: cached, coherent"],
        ),
    ] {
        says(&mut machine, line, words);
    }
    halt(machine);
}

#[test]
fn bad_input_is_refused_in_one_line_that_says_what_was_expected() {
    let mut machine = booted();
    for (line, words) in [
        ("explain", "wrong number of arguments"),
        ("explain desc", "wrong number of arguments"),
        ("explain zero", "explain: "),
        ("explain 0 at", "explain: "),
        ("explain 0 in lab", "`in` is not one of as NAME"),
        ("explain 0 as nothing", "no space has that name"),
        ("explain desc 0 4", "4 is not from 0 to 3"),
        ("explain desc 0 3 --format sv39", "3 is not from 0 to 2"),
        ("explain desc 0 --format arm", "aarch64, x86_64, sv39, sv48"),
        ("explain desc 0 0 format", "is not one of --format FORMAT"),
        ("explain desc 0 0 --format", "is not one of --format FORMAT"),
        ("dump 0", "wrong number of arguments"),
        ("dump 0 16", "in the low half, which is off"),
        ("dump 0xffff000000001000 0", "from 1 to 1048576"),
        ("dump 0xffff000000001000 1G", "from 1 to 1048576"),
        ("dump 0xfffffffffffffff0 17", "pass the last address"),
        ("fill 0x400000 1", "in the low half, which is off"),
        ("fill 0x400000 1 0", "1 byte or more"),
        ("fill 0x400001 0x1234 8", "0x400001 is not a multiple of 2"),
        ("fill 0x400000 0x12345 6", "0x6 is not a multiple of 4"),
        ("fill 0xffff000000100000 0", "`poke` writes the kernel's"),
        ("map --ascii", "`--ascii` is not one of"),
        ("map --picture --colour", "`--colour` is not one of"),
    ] {
        let output = says(&mut machine, line, &[words]);
        let rows = output.lines().filter(|row| !row.contains("stilt>"));
        let rows = rows.filter(|row| !row.starts_with("usage: ") && !row.trim().is_empty());
        assert_eq!(rows.count(), 1, "{line}: {output}");
    }
    says(
        &mut machine,
        "explain 0x1000000000000",
        &["neither half", "a translation fault of level 0"],
    );
    halt(machine);
}

#[test]
fn what_is_filled_is_what_is_dumped() {
    let mut machine = booted();
    for line in ["as new lab", "as use lab", "as map 0x400000 8K rw"] {
        machine.command(line);
    }
    says(
        &mut machine,
        "fill 0x400010 0x44434241",
        &["0x0000000000400000 to 0x0000000000400fff filled"],
    );
    says(
        &mut machine,
        "dump 0x400ff0 32",
        &[
            "0x0000000000400ff0  41424344 41424344 41424344 41424344  |ABCDABCDABCDABCD|",
            "0x0000000000401000  00000000 00000000 00000000 00000000  |................|",
        ],
    );
    says(&mut machine, "touch r 0x400fff user", &[": 0x44"]);
    // From the byte that was asked for to the last.
    says(
        &mut machine,
        "fill 0x401002 0x5a 3",
        &["0x0000000000401002 to 0x0000000000401004 filled"],
    );
    says(
        &mut machine,
        "dump 0x401001 4",
        &["0x0000000000401000    005a5a 5a                          | .ZZZ           |"],
    );
    // All or nothing.
    says(&mut machine, "fill 0x401000 1 8K", &["not mapped"]);
    machine.command("as protect 0x400000 4K r");
    says(
        &mut machine,
        "fill 0x400000 1",
        &["mapped, but not writable"],
    );
    let output = says(
        &mut machine,
        "dump 0x400ff0 16K",
        &[
            "0x0000000000400ff0  41424344",
            "0x0000000000401000  00005a5a 5a000000",
            "0x0000000000402000  not mapped, to 0x0000000000404fef",
        ],
    );
    assert!(output.lines().count() > 257, "{output}");
    machine.command("as protect 0x400000 4K none");
    says(
        &mut machine,
        "dump 0x400000 1",
        &["not mapped, to 0x0000000000400000"],
    );
    // The kernel's half: its stack's guard, and what is no memory.
    says(
        &mut machine,
        "dump 0xffff800000000ff0 32",
        &["0xffff800000000ff0  not mapped, to 0xffff800000000fff"],
    );
    says(
        &mut machine,
        "dump 0xffff00003f201000 64",
        &["device registers, not read"],
    );
    says(
        &mut machine,
        &format!("dump {:#x} 16", USER_STACK.as_usize()),
        &["00000000 00000000"],
    );
    halt(machine);
}

/// Ctrl-C ends what takes long, behind a whole line.
#[test]
fn a_dump_can_be_interrupted() {
    let mut machine = booted();
    machine.send("dump 0xffff000000100000 1M\r");
    machine.expect("0xffff000000100100");
    machine.send("\x03");
    machine.expect("dump: interrupted");
    says(&mut machine, "uptime", &["s"]);
    halt(machine);
}

#[test]
fn the_picture_fits_a_terminal_and_has_each_part_of_the_map() {
    let mut machine = booted();
    for line in ["as new lab", "as use lab", "as map 0x400000 64K rw"] {
        machine.command(line);
    }
    let map = machine.command("map");
    let blocks = says(
        &mut machine,
        "map --picture",
        &[
            "high half, TTBR1_EL1",
            "low half, TTBR0_EL1: the space in use",
            "0x0000000000400000     64 KiB rw-u wb     \u{2592}\u{2592}\u{2592}\u{2592}\u{2592}\n",
            "  ... 4 MiB\n",
            "  ... over 255 TiB\n",
            "  ... 48 MiB\n",
            "  ... over 127 TiB\n",
            "\u{2588}",
            " heap",
            "exception stack 3",
            "One cell is 4 KiB; each further cell doubles it.",
        ],
    );
    for name in ["text", "rodata", "data", "peripherals", "stack of core 2"] {
        let row = format!(" {name}\n");
        assert!(
            map.contains(&row) && blocks.contains(&row),
            "{name}: {blocks}"
        );
    }
    let ascii = says(&mut machine, "map --picture --ascii", &["# code"]);
    assert!(ascii.is_ascii(), "{ascii}");
    assert_eq!(ascii.lines().count(), blocks.lines().count());
    machine.command("as use none");
    says(&mut machine, "map --picture", &["off, no space is in use"]);
    halt(machine);
}

/// The report of a fault draws the fields of its address above the walk.
#[test]
fn a_fault_report_shows_where_each_index_comes_from() {
    let mut machine = booted();
    let output = machine.command("fault write-rodata");
    let far = output.lines().find(|line| line.contains("(FAR)"));
    let far = far.and_then(|line| line.split_whitespace().nth(1));
    let far = far.and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    let far = far.unwrap_or_else(|| machine.fail("no FAR"));
    let [l0, l1, l2, l3] = indices(far);
    let figure = format!(
        "  bits    63:48  47:39  38:30  29:21  20:12   11:0\n  \
           index  0xffff {l0:>6} {l1:>6} {l2:>6} {l3:>6}  {:#05x}\n  walk   ",
        far & 0xfff
    );
    let output = output.replace('\r', "");
    assert!(output.contains(&figure), "{figure}\nis not in\n{output}");
    halt(machine);
}
