//! The harness itself: a halt, a hang, a panic and a wrong exit code are told apart, and nothing is
//! left running.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::harness::loader::LOAD_ADDRESS;
use crate::harness::symbols::Symbols;
use crate::harness::{Code, Ending, Setup};

/// Where the reason and the code of a semihosting exit are.
const BLOCK: u64 = 0x9_0000;
/// Application exit.
const REASON: u64 = 0x2_0026;
/// Long enough for any guest that ends by itself.
const SHORT: Duration = Duration::from_secs(2);

/// A guest that only exits.
fn guest_that_exits(code: u64) -> Setup {
    let block = [REASON, code].map(u64::to_le_bytes);
    let program = Code::new().exit(BLOCK).spin().bytes();
    Setup::bare()
        .memory("block", BLOCK, block.as_flattened())
        .memory("program", LOAD_ADDRESS, &program)
        .arg("-device")
        .arg(format!("loader,addr={LOAD_ADDRESS:#x},cpu-num=0"))
}

#[test]
fn a_halt_is_an_exit_with_code_0() {
    let mut machine = Setup::raw().start();
    machine.boot();
    machine.send("halt\r");
    machine.must_end(Ending::Exit(0));
}

#[test]
fn another_exit_code_is_told() {
    assert_eq!(guest_that_exits(7).start().wait_exit(), Ending::Exit(7));
}

#[test]
fn the_code_of_a_panic_without_its_report_is_no_panic() {
    assert_eq!(guest_that_exits(101).start().wait_exit(), Ending::Exit(101));
}

#[test]
fn a_guest_that_loops_is_a_hang() {
    let mut machine = Setup::bare()
        .memory("program", LOAD_ADDRESS, &Code::new().spin().bytes())
        .arg("-device")
        .arg(format!("loader,addr={LOAD_ADDRESS:#x},cpu-num=0"))
        .limit(SHORT)
        .start();
    assert_eq!(machine.wait_exit(), Ending::Hang);
}

#[test]
fn a_kernel_that_does_not_go_on_is_a_hang() {
    let mut machine = Setup::raw().stopped().limit(SHORT).start();
    assert_eq!(machine.wait_exit(), Ending::Hang);
}

/// The frame allocator is given no memory, by a debugger.
#[test]
fn a_kernel_without_memory_ends_and_says_so() {
    let mut machine = Setup::raw().stopped().start();
    let mut gdb = machine.debugger();
    let add = Symbols::read().item(&["FrameAllocator", "add"]);
    gdb.run_to(add.start);
    gdb.return_at_once();
    gdb.resume();
    machine.must_end(Ending::NoRoom);
    machine.must_say(
        &machine.transcript(),
        &["page tables: 0 frames are free", "\nstilt: stopped\n"],
    );
}

#[test]
fn a_signal_is_no_exit_code() {
    const SIGKILL: i32 = 9;
    let status = ExitStatus::from_raw(SIGKILL);
    assert_eq!(Ending::classify(Some(status), ""), Ending::Signal(SIGKILL));
}

#[test]
fn a_failure_shows_what_was_printed() {
    let mut machine = Setup::raw().limit(SHORT).start();
    machine.boot();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        machine.expect("what no kernel prints");
    }));
    let message = failed.expect_err("the wait fails");
    let message = message.downcast_ref::<String>().expect("a message");
    for part in ["what no kernel prints", "Hang", "-kernel", "stilt> "] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn a_dropped_machine_leaves_no_emulator() {
    let machine = Setup::raw().stopped().start();
    // Connected, so QEMU runs.
    drop(machine.debugger());
    let mut connection = UnixStream::connect(machine.gdb_socket()).expect("QEMU listens");
    let limited = connection.set_read_timeout(Some(SHORT));
    limited.expect("a socket can have a time limit");
    drop(machine);
    let end = connection.read(&mut [0]);
    let closed = matches!(&end, Ok(0))
        || matches!(&end, Err(error) if error.kind() == ErrorKind::ConnectionReset);
    assert!(closed, "{end:?}");
}
