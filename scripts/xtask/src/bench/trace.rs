//! The emulator's trace of a boot, one line an instruction, and the counting of it.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use object::{Object, ObjectSymbol};
use thiserror::Error;

use crate::checkout;
use crate::failure::EndsVerb;
use crate::program::{RunError, cannot_run};
use crate::qemu;

/// The longest trace, in instructions: a guest that executes more will never end.
const GIVE_UP: u64 = 50_000_000;
/// Cores of the machine.
const CORES: usize = 4;
/// The commands for the kernel, each typed at a prompt: keys typed earlier would interrupt the
/// measurement.
const MEASURE: &[u8] = b"numbers 200\r";
const END: &[u8] = b"halt\r";
/// The steps that the kernel executes between marks, in this order.
const STEPS: [&str; 8] = [
    "exception",
    "call",
    "pair",
    "switch",
    "touch",
    "map",
    "split",
    "merge",
];
/// The marks of all steps, three for each: two with nothing between, and one behind the step.
const MARKS: usize = 3 * STEPS.len();
/// The vector of an interrupt in the kernel (DDI 0487 D1.3.1: current EL with SP_ELx, IRQ).
const IRQ_VECTOR: u64 = 0x280;
/// Reasons why there are no figures.
#[derive(Debug, Error)]
pub(super) enum BenchError {
    #[error("kernel8.elf lacks a symbol that the benchmark counts to")]
    NoMilestones,
    #[error("QEMU's trace ended before the kernel's prompt")]
    NoTrace,
    #[error("cannot read QEMU's trace: {0}")]
    Trace(#[from] io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl EndsVerb for BenchError {}

/// The functions and labels at which counting begins, and those that it looks for; virtual
/// addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Milestones {
    start: u64,
    kernel: u64,
    prompt: u64,
    mark: u64,
    breakpoint: u64,
    exception_return: u64,
    irq: u64,
    timer: u64,
    mailbox: u64,
}

/// Numbers of instructions between two milestones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) to_kernel: u64,
    pub(super) to_prompt: u64,
    /// From a BRK to the ERET by which its handler returns, the BRK not included; the largest
    /// number.
    pub(super) exception: u64,
    /// From the vector to the first instruction of the interrupt's handler; the largest number.
    pub(super) timer: u64,
    pub(super) mailbox: u64,
    /// Between the marks of each step: on core 0, and for a call on all cores.
    pub(super) steps: [u64; STEPS.len()],
}

impl Milestones {
    /// The milestones by their symbols in the ELF file; none if a symbol is missing.
    pub(super) fn find(elf: &[u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        let symbol = |wanted: &str| {
            file.symbols().find(|symbol| {
                symbol
                    .name()
                    .is_ok_and(|name| format!("{:#}", rustc_demangle::demangle(name)) == wanted)
            })
        };
        let address = |wanted: &str| symbol(wanted).map(|symbol| symbol.address());
        let way_back = symbol("save_frame")?;
        Some(Self {
            start: address("__entry_physical")?,
            kernel: address("kernel_main")?,
            prompt: address("stilt::kernel::shell::input::read_byte")?,
            mark: address("stilt::kernel::shell::numbers::mark")?,
            breakpoint: address("__nofault_brk")?,
            // The last instruction of the way back is the ERET.
            exception_return: (way_back.address() + way_back.size()).checked_sub(4)?,
            irq: address("__vectors")? + IRQ_VECTOR,
            timer: address("stilt::kernel::time::deadlines::interrupt")?,
            mailbox: address("stilt::kernel::cores::ipi::interrupt")?,
        })
    }
}

/// Boots the image under a trace and counts until it has measured and halted. Returns the counts
/// and the console's output.
pub(super) fn trace(
    program: &OsString,
    milestones: Milestones,
) -> Result<(Counts, String), BenchError> {
    let mut command = qemu::machine(program, &checkout::image());
    command.args(["-serial", "stdio", "-monitor", "none"]);
    command.args(["-icount", "shift=0,sleep=off", "-d", "exec,nochain"]);
    command.args(one_instruction_a_block(program)?);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let mut machine = Running(command.spawn().map_err(cannot_run(program))?);
    let pipes = (
        machine.0.stdin.take(),
        machine.0.stdout.take(),
        machine.0.stderr.take(),
    );
    let (Some(keys), Some(mut stdout), Some(stderr)) = pipes else {
        return Err(BenchError::NoTrace);
    };
    let console = thread::spawn(move || {
        let mut text = Vec::new();
        let read = stdout.read_to_end(&mut text);
        read.map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let counts = count(BufReader::with_capacity(1 << 20, stderr), milestones, keys)?;
    drop(machine);
    let console = console.join().map_err(|_| BenchError::NoTrace)?;
    Ok((counts, console?))
}

/// A running QEMU, which is killed when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The option by which a line of the trace is one instruction: QEMU 8.1 gave it another name.
fn one_instruction_a_block(program: &OsString) -> Result<Vec<&'static str>, RunError> {
    let version = Command::new(program).arg("--version").output();
    let version = version.map_err(cannot_run(program))?;
    let text = String::from_utf8_lossy(&version.stdout).into_owned();
    Ok(if is_newer(&text) {
        vec!["-accel", "tcg,one-insn-per-tb=on"]
    } else {
        vec!["-singlestep"]
    })
}

/// Whether `version` is `QEMU emulator version 8.1...` or later.
fn is_newer(version: &str) -> bool {
    let mut numbers = version
        .split(' ')
        .nth(3)
        .unwrap_or_default()
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (major, minor) >= (8, 1)
}

/// The state of the counting, after the lines of the trace so far.
struct Counter {
    milestones: Milestones,
    counts: Counts,
    /// The number of instructions that each core has executed.
    executed: [u64; CORES],
    /// For each core, its number of instructions at the last breakpoint and at the last interrupt's
    /// vector.
    breakpoint: [Option<u64>; CORES],
    irq: [Option<u64>; CORES],
    /// For each mark, the number of instructions that each core had executed.
    marks: Vec<[u64; CORES]>,
}

impl Counter {
    /// Counts one instruction of `core`, at `pc`.
    fn step(&mut self, core: usize, pc: u64) {
        let Milestones {
            breakpoint,
            exception_return,
            irq,
            ..
        } = self.milestones;
        let now = self.executed[core];
        self.executed[core] += 1;
        if core == 0 && pc == self.milestones.kernel && self.counts.to_kernel == 0 {
            self.counts.to_kernel = now;
        }
        if pc == breakpoint {
            self.breakpoint[core] = Some(now);
        } else if pc == exception_return {
            // The BRK is not executed but taken as an exception; the ERET is executed.
            if let Some(then) = self.breakpoint[core].take() {
                self.counts.exception = self.counts.exception.max(now - then);
            }
        } else if pc == irq {
            self.irq[core] = Some(now);
        } else if pc == self.milestones.timer {
            let cost = self.irq[core].take().map_or(0, |then| now - then);
            self.counts.timer = self.counts.timer.max(cost);
        } else if pc == self.milestones.mailbox {
            let cost = self.irq[core].take().map_or(0, |then| now - then);
            self.counts.mailbox = self.counts.mailbox.max(cost);
        } else if pc == self.milestones.mark {
            self.marks.push(self.executed);
        }
    }

    /// The counts. A step costs the instructions between its second and third mark, less those
    /// between the first two, which are the marks' own.
    fn finish(mut self) -> Result<Counts, BenchError> {
        if self.marks.len() != MARKS || self.counts.to_prompt == 0 {
            return Err(BenchError::NoTrace);
        }
        let steps = self.counts.steps.iter_mut().zip(STEPS);
        for ((step, name), marks) in steps.zip(self.marks.as_chunks().0) {
            let [before, empty, whole] = marks.each_ref().map(|mark| executed_for(name, mark));
            *step = (whole - empty).saturating_sub(empty - before);
        }
        Ok(self.counts)
    }
}

/// The number of instructions that counts for a step, out of each core's: a call is executed by two
/// cores, every other step by core 0, while timers may interrupt the other cores.
fn executed_for(step: &str, executed: &[u64; CORES]) -> u64 {
    match step {
        "call" => executed.iter().sum(),
        _ => executed[0],
    }
}

/// Counts the lines of the trace from the first milestone on, and types the next command at each
/// prompt.
fn count(
    trace: impl BufRead,
    milestones: Milestones,
    mut keys: impl Write,
) -> Result<Counts, BenchError> {
    let mut counter = Counter {
        milestones,
        counts: Counts::default(),
        executed: [0; CORES],
        breakpoint: [None; CORES],
        irq: [None; CORES],
        marks: Vec::new(),
    };
    let mut has_begun = false;
    let mut has_ended = false;
    for line in trace.split(b'\n') {
        let line = line?;
        let Some((core, pc)) = program_counter(&line) else {
            continue;
        };
        has_begun |= core == 0 && pc == milestones.start;
        if !has_begun {
            continue;
        }
        counter.step(core, pc);
        if counter.executed[0] > GIVE_UP {
            break;
        }
        if core != 0 || pc != milestones.prompt {
            continue;
        }
        if counter.counts.to_prompt == 0 {
            // The instruction at `_start` has the number 0.
            counter.counts.to_prompt = counter.executed[0] - 1;
            keys.write_all(MEASURE)?;
            keys.flush()?;
        } else if counter.marks.len() == MARKS && !has_ended {
            has_ended = true;
            keys.write_all(END)?;
            keys.flush()?;
        }
    }
    counter.finish()
}

/// The core and the address in a line `Trace 0: 0x7f.. [cs_base/pc/flags/cflags] symbol`.
fn program_counter(line: &[u8]) -> Option<(usize, u64)> {
    let rest = line.strip_prefix(b"Trace ")?;
    let core = usize::from(rest.first()?.checked_sub(b'0')?);
    let open = rest.iter().position(|byte| *byte == b'[')?;
    let field = rest.get(open + 1..)?.split(|byte| *byte == b'/').nth(1)?;
    let pc = u64::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok()?;
    (core < CORES).then_some((core, pc))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::{Counts, Milestones, count, is_newer};

    const MILESTONES: Milestones = Milestones {
        start: 0x100,
        kernel: 0x200,
        prompt: 0x300,
        mark: 0x400,
        breakpoint: 0x500,
        exception_return: 0x600,
        irq: 0x700,
        timer: 0x800,
        mailbox: 0x900,
    };

    /// An instruction that is at no milestone.
    const STEP: (usize, u64) = (0, 0x44);

    fn text(steps: &[(usize, u64)]) -> String {
        let mut text = String::from("some other line\n");
        for (core, pc) in steps {
            writeln!(
                text,
                "Trace {core}: 0x7f00 [0000000000004000/{pc:016x}/00000061/ff020201] name"
            )
            .expect("a string takes all");
        }
        text
    }

    /// The trace of a boot, an exception, two interrupts, and eight marked steps of 1, 2, 3, 4, 5,
    /// 6, 7 and 8 instructions, executed by cores 0 to 3 in turn: of the second step, a call, all of
    /// them count, of the others those of core 0.
    fn run() -> Vec<(usize, u64)> {
        let mut steps = vec![
            STEP,
            (0, 0x100),
            STEP,
            (0, 0x200),
            (1, 0x44),
            STEP,
            (0, 0x300),
        ];
        steps.extend([
            (1, 0x700),
            (1, 0x44),
            (0, 0x700),
            STEP,
            STEP,
            (0, 0x800),
            (1, 0x900),
        ]);
        steps.extend([(0, 0x500), STEP, STEP, (0, 0x600), (0, 0x600)]);
        for length in 1..=8 {
            steps.extend([(0, 0x400), STEP, (0, 0x400), STEP]);
            steps.extend((0..length).map(|number| (number % 4, 0x44)));
            steps.push((0, 0x400));
        }
        steps.push((0, 0x300));
        steps
    }

    #[test]
    fn each_count_is_from_its_first_place_to_its_second() {
        let mut keys = Vec::new();
        let counts = count(text(&run()).as_bytes(), MILESTONES, &mut keys).expect("all is there");
        let expected = Counts {
            to_kernel: 2,
            to_prompt: 4,
            exception: 3,
            timer: 3,
            mailbox: 2,
            steps: [1, 2, 1, 1, 2, 2, 2, 2],
        };
        assert_eq!(counts, expected);
        assert_eq!(keys, b"numbers 200\rhalt\r");
    }

    #[test]
    fn a_trace_that_ends_early_is_an_error() {
        let run = run();
        for cut in [4, 10, run.len() - 2] {
            let trace = text(&run[..cut]);
            assert!(count(trace.as_bytes(), MILESTONES, Vec::new()).is_err());
        }
    }

    #[test]
    fn the_option_changed_with_8_1() {
        assert!(!is_newer("QEMU emulator version 7.2.22 (Debian 1:7.2)"));
        assert!(!is_newer("QEMU emulator version 8.0.5"));
        assert!(is_newer("QEMU emulator version 8.1.0"));
        assert!(is_newer("QEMU emulator version 10.0.2 (Debian)"));
    }
}
