//! GDB across the switch of the MMU: breakpoints by name hold on both sides, tables and registers
//! can be shown.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::symbols::{HIGH_HALF, Symbols};
use crate::harness::{Setup, checkout};

/// Three stops: two where the MMU is off, one in the high half, all set before the first
/// instruction.
const SESSION: &str = "\
set pagination off
set confirm off
tbreak *START
tbreak init_kernel_pt
tbreak kernel_main
define here
  set language c
  printf \"STOP %016lx\\n\", (unsigned long)$pc
  set language auto
end
continue
here
continue
here
sysregs
continue
here
sysregs
walk $pc
walk 0x80000
walk 0xffff000000000000
cores
";

/// The addresses of the stops, in order.
fn stops(output: &str) -> Vec<u64> {
    let lines = output.lines().filter_map(|line| line.strip_prefix("STOP "));
    lines
        .filter_map(|word| u64::from_str_radix(word, 16).ok())
        .collect()
}

#[test]
fn breakpoints_set_before_the_mmu_is_on_are_hit_on_both_sides() {
    let symbols = Symbols::read();
    let machine = Setup::raw().stopped().start();
    let script = machine.gdb_socket().with_file_name("session.gdb");
    let start = symbols.address("_start") - HIGH_HALF;
    fs::write(&script, SESSION.replace("START", &format!("{start:#x}"))).expect("a script");
    let elf = checkout::elf();
    let output = checkout::run(
        Command::new(checkout::tool("gdb"))
            .args(["-q", "-nx", "-batch", "-x"])
            .arg(checkout::root().join("scripts/stilt.gdb"))
            .arg("-ex")
            .arg(format!("stilt-symbols \"{}\"", elf.display()))
            .arg("-ex")
            .arg(format!("target remote {}", machine.gdb_socket().display()))
            .arg("-x")
            .arg(&script),
    );
    let output = checkout::text(&output.stdout);
    let init = symbols.address("init_kernel_pt") - HIGH_HALF;
    let main = symbols.address("kernel_main");
    let [first, second, third] = stops(&output)[..] else {
        panic!("{output}");
    };
    assert_eq!(first, start, "{output}");
    // GDB may stop behind what a function does first for its frame.
    assert!((init..init + 64).contains(&second), "{second:#x}: {output}");
    assert!((main..main + 64).contains(&third), "{third:#x}: {output}");
    shows_both_sides(&output);
}

fn shows_both_sides(output: &str) {
    let mut sysregs = output.split("CurrentEL").skip(1);
    let (before, after) = (sysregs.next(), sysregs.next());
    let before = before.unwrap_or_default();
    assert!(before.contains("M=0") && before.contains("EL1"), "{output}");
    let after = after.unwrap_or_default();
    let expected = [
        "SCTLR_EL1  0x0000000030d8181f  M=1",
        "WXN=1",
        "TCR_EL1    0x00000012b5103510",
        "MAIR_EL1   0x000000ff44000400",
        // The kernel's text by TTBR1: four levels down to a page, executable.
        "by TTBR1_EL1",
        "level 3",
        "AP=2 RO/-- SH=3 AF=1 nG=0",
        "PXN=0 UXN=1",
        // The image's first page by TTBR0, where it is not global.
        "by TTBR0_EL1",
        "nG=1",
        "core 0 (thread 1)",
    ];
    for words in expected {
        assert!(after.contains(words), "{words:?} is not in {output}");
    }
}

#[test]
fn the_verb_runs_a_script_and_leaves_no_emulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("session.gdb");
    let session = "set confirm off\ntbreak kernel_main\ncontinue\nset language c\n\
                   printf \"STOP %016lx\\n\", (unsigned long)$pc\n";
    fs::write(&script, session).expect("a script");
    // The folder in which QEMU's sockets are is made in this one, and removed.
    let output = checkout::run(
        checkout::xtask("debug")
            .env("TMPDIR", folder.path())
            .arg("--batch")
            .arg(&script),
    );
    let output = checkout::text(&output.stdout);
    let main = Symbols::read().address("kernel_main");
    let [stop] = stops(&output)[..] else {
        panic!("{output}");
    };
    assert!((main..main + 64).contains(&stop), "{stop:#x}: {output}");
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// What stands in a line of the assembly files, without blanks and comments.
fn source(file: &str, line: usize) -> String {
    let text = fs::read_to_string(checkout::root().join(file)).expect("a source file");
    let line = text.lines().nth(line - 1).unwrap_or_default();
    line.split("//")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The first instructions of all, and those with which the other cores come: no compiler made lines
/// for them.
#[test]
fn assembly_is_stepped_and_listed_by_its_source_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("session.gdb");
    let session = "set pagination off\nset confirm off\nhbreak *0x80000\ncontinue\nnext\nnext\nnext\n\
                   list _start\nlist secondary_start\ninfo line leave_to_el1\n\
                   info line *&__vectors\n";
    fs::write(&script, session).expect("a script");
    let output = checkout::run(checkout::xtask("debug").arg("--batch").arg(&script));
    let output = checkout::text(&output.stdout);
    // `b entry`, then one line after the other: as GDB shows a stop, number and line.
    let stops: Vec<(usize, &str)> = output
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(number, text)| Some((number.parse().ok()?, text)))
        .take(4)
        .collect();
    let [(first, branch), (second, _), (third, _), (fourth, _)] = stops[..] else {
        panic!("{output}");
    };
    assert!(branch.trim_start().starts_with("b       entry"), "{output}");
    assert!(
        first < second && second < third && third < fourth,
        "{stops:?}: {output}"
    );
    for (number, text) in stops {
        let text = text.split("//").next().unwrap_or_default().trim();
        assert_eq!(source("boot/start.S", number), text, "{output}");
    }
    for words in [
        "_start () at boot/start.S:",
        "secondary_start:",
        "of \"boot/start.S\" starts at address",
        "of \"src/arch/exception.S\" starts at address",
    ] {
        assert!(output.contains(words), "{words:?} is not in {output}");
    }
}

/// The commands of README.md for plain GDB, without this project's script: from the line on that
/// begins with `start`.
fn readme_command(start: &str) -> String {
    let readme = fs::read_to_string(checkout::root().join("README.md")).expect("README.md");
    let line = readme.lines().find(|line| line.starts_with(start));
    line.unwrap_or_else(|| panic!("README.md has no {start}"))
        .to_owned()
}

/// Runs README.md's command, with another socket than the port that it names, and `then` behind it.
/// Returns where that stopped.
#[track_caller]
fn plain_gdb(start: &str, then: &[&str]) -> u64 {
    let machine = Setup::raw().stopped().start();
    let socket = machine.gdb_socket();
    let tool = checkout::tool("gdb");
    let command = readme_command(start)
        .replacen(
            "gdb-multiarch",
            &format!("{} -nx -batch", tool.display()),
            1,
        )
        .replace(":1234", &socket.display().to_string());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{command} \"$@\"")).arg("sh");
    shell.current_dir(checkout::root());
    for line in then {
        shell.args(["-ex", line]);
    }
    shell.args(["-ex", r#"printf "STOP %016lx\n", (unsigned long)$pc"#]);
    let output = checkout::text(&checkout::run(&mut shell).stdout);
    match stops(&output)[..] {
        [stop] => stop,
        _ => panic!("{command}: {output}"),
    }
}

#[test]
fn plain_gdb_stops_at_the_first_instruction_by_readmes_command() {
    let start = plain_gdb(
        "gdb-multiarch kernel8.elf -ex 'target remote",
        &["continue", "set language c"],
    );
    assert_eq!(start, Symbols::read().address("_start") - HIGH_HALF);
}

#[test]
fn plain_gdb_knows_both_addresses_by_readmes_command() {
    let stop = plain_gdb(
        "gdb-multiarch kernel8.elf -ex 'set confirm off'",
        &["break init_kernel_pt", "continue", "set language c"],
    );
    let init = Symbols::read().address("init_kernel_pt") - HIGH_HALF;
    assert!((init..init + 64).contains(&stop), "{stop:#x}");
}

/// The commands of each block `gdb` in a document: its lines that begin with GDB's prompt.
fn sessions(text: &str) -> Vec<String> {
    let blocks = text.split("```gdb\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once("```"));
    let commands = |(block, _): (&str, &str)| {
        let lines = block.lines().filter_map(|line| line.strip_prefix("(gdb) "));
        lines.map(|line| format!("{line}\n")).collect()
    };
    blocks.map(commands).collect()
}

/// GDB ends with an error at the first command that it cannot do.
#[test]
fn the_sessions_of_the_book_run() {
    let mut count = 0;
    for document in checkout::documents() {
        let text = fs::read_to_string(&document).expect("a page");
        for session in sessions(&text) {
            let folder = tempfile::tempdir().expect("a folder");
            let script = folder.path().join("session.gdb");
            let begin = "set pagination off\nset confirm off\nset breakpoint pending off\n";
            fs::write(&script, format!("{begin}{session}")).expect("a script");
            checkout::run(checkout::xtask("debug").arg("--batch").arg(&script));
            count += 1;
        }
    }
    assert!(count > 1, "{count} sessions");
}

/// A tool of our own, so that no other has to be there: what is typed while a debugger is attached.
#[test]
fn the_console_of_a_debugged_kernel_can_be_typed_into() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = folder.path().join("session.gdb");
    // The kernel runs while this waits, and GDB ends it.
    fs::write(
        &session,
        "set confirm off\nhbreak *0x80000\ncontinue\nshell touch $TMPDIR/ready\ncontinue\n",
    )
    .expect("a script");
    let (sender, ended) = mpsc::channel();
    let mut debug = checkout::xtask("debug");
    debug
        .env("TMPDIR", folder.path())
        .arg("--batch")
        .arg(&session);
    let debugger = thread::spawn(move || {
        // Not with success: for GDB the kernel's end is a lost connection.
        let output = debug.output().expect("the verb");
        sender.send(()).expect("the test waits");
        checkout::text(&output.stdout)
    });
    let ready = folder.path().join("ready");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !ready.exists() {
        assert!(
            Instant::now() < deadline && ended.try_recv().is_err(),
            "the kernel did not start"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let mut keyboard = checkout::xtask("console")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the verb");
    // Once the prompt is there, whenever that is: the line ends the kernel, and with it GDB.
    let mut keys = keyboard.stdin.take().expect("a pipe");
    let mut output = None;
    while output.is_none() && Instant::now() < deadline {
        // Fails when the kernel has ended between the two.
        drop(keys.write_all(b"\rhalt\r"));
        output = ended.recv_timeout(Duration::from_secs(1)).ok();
    }
    assert!(output.is_some(), "what was typed did not reach the kernel");
    drop(keys);
    assert!(keyboard.wait().expect("an end").success());
    let output = debugger.join().expect("GDB's output");
    assert!(output.contains("halted"), "{output}");
}
