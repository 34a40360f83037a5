//! `cargo xtask bench`: what booting costs, in instructions.
//!
//! Counted from the emulator's own trace, one line an instruction, of core 0 alone: the same number on every
//! machine and at every load. Under `-icount shift=0` the guest's time is a function of that number, so waiting
//! loops do not blur it either.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use lexopt::{Arg, Parser};
use object::{Object, ObjectSymbol};

use crate::checkout;
use crate::error::Error;
use crate::image;
use crate::qemu;

/// From the first instruction to the kernel in the high half.
const TO_KERNEL_LIMIT: usize = 10_000;
/// From the first instruction to the wait for the first key.
const TO_PROMPT_LIMIT: usize = 2_000_000;
/// Bytes of kernel8.img.
const IMAGE_LIMIT: usize = 256 << 10;
/// A kernel that is not at its prompt by then never will be.
const GIVE_UP: usize = 50_000_000;

/// Where the counting begins and where it passes; virtual addresses of the ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Milestones {
    start: u64,
    kernel: u64,
    prompt: u64,
}

/// Instructions from the first one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    to_kernel: usize,
    to_prompt: usize,
}

/// The verb. Fails if a limit is passed.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Error> {
    let mut program = qemu::default_program();
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("qemu") => program = args.value()?,
            other => return Err(other.unexpected().into()),
        }
    }
    image::build_release()?;
    let elf = checkout::read(&checkout::elf())?;
    let bytes = checkout::read(&checkout::image())?.len();
    let milestones = Milestones::find(&elf).ok_or(Error::NoMilestones)?;
    let counts = trace(&program, milestones)?;

    let rows = [
        (
            "_start to kernel_main",
            counts.to_kernel,
            TO_KERNEL_LIMIT,
            "instructions",
        ),
        (
            "_start to the prompt",
            counts.to_prompt,
            TO_PROMPT_LIMIT,
            "instructions",
        ),
        ("kernel8.img", bytes, IMAGE_LIMIT, "bytes"),
    ];
    let mut code = ExitCode::SUCCESS;
    for (what, number, limit, unit) in rows {
        println!("{what:<24}{number:>10} {unit} (at most {limit})");
        if number > limit {
            eprintln!("error: {what} is past its limit");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

impl Milestones {
    fn find(elf: &[u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        let address = |wanted: &str| {
            let mut symbols = file.symbols();
            let symbol = symbols.find(|symbol| {
                symbol
                    .name()
                    .is_ok_and(|name| format!("{:#}", rustc_demangle::demangle(name)) == wanted)
            });
            symbol.map(|symbol| symbol.address())
        };
        Some(Self {
            start: address("__entry_physical")?,
            kernel: address("kernel_main")?,
            prompt: address("stilt::kernel::console::read_byte")?,
        })
    }
}

/// Boots the image under a trace and counts until the prompt.
fn trace(program: &OsString, milestones: Milestones) -> Result<Counts, Error> {
    let mut command = qemu::machine(program, &checkout::image());
    command.args(["-serial", "null", "-monitor", "none"]);
    command.args(["-icount", "shift=0,sleep=off", "-d", "exec,nochain"]);
    command.args(one_instruction_a_block(program)?);
    let source = |source| Error::Run {
        program: program.into(),
        source,
    };
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut machine = Running(command.spawn().map_err(source)?);
    let stderr = machine.0.stderr.take().ok_or(Error::NoTrace)?;
    count(BufReader::with_capacity(1 << 20, stderr), milestones)
}

/// QEMU, ended when it is not needed any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The option that makes a line of the trace one instruction: it changed its name with QEMU 8.1.
fn one_instruction_a_block(program: &OsString) -> Result<Vec<&'static str>, Error> {
    let version = Command::new(program).arg("--version").output();
    let version = version.map_err(|source| Error::Run {
        program: program.into(),
        source,
    })?;
    let text = String::from_utf8_lossy(&version.stdout).into_owned();
    Ok(if is_newer(&text) {
        vec!["-accel", "tcg,one-insn-per-tb=on"]
    } else {
        vec!["-singlestep"]
    })
}

/// Whether `QEMU emulator version 8.1...` or later.
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

/// Counts the lines of core 0 between the milestones.
fn count(trace: impl BufRead, milestones: Milestones) -> Result<Counts, Error> {
    let mut executed: Option<usize> = None;
    let mut to_kernel = None;
    for line in trace.split(b'\n') {
        let line = line.map_err(Error::Trace)?;
        let Some(pc) = program_counter(&line) else {
            continue;
        };
        match &mut executed {
            None if pc == milestones.start => executed = Some(0),
            None => continue,
            Some(number) => *number += 1,
        }
        let Some(number) = executed else { continue };
        if pc == milestones.kernel && to_kernel.is_none() {
            to_kernel = Some(number);
        }
        if pc == milestones.prompt {
            let to_kernel = to_kernel.ok_or(Error::NoTrace)?;
            return Ok(Counts {
                to_kernel,
                to_prompt: number,
            });
        }
        if number > GIVE_UP {
            break;
        }
    }
    Err(Error::NoTrace)
}

/// The address in a line `Trace 0: 0x7f.. [cs_base/pc/flags/cflags] symbol` of core 0.
fn program_counter(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"Trace 0: ")?;
    let open = rest.iter().position(|byte| *byte == b'[')?;
    let field = rest.get(open + 1..)?.split(|byte| *byte == b'/').nth(1)?;
    u64::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::{Counts, Milestones, count, is_newer};

    const TRACE: &str = "\
Trace 0: 0x7fcb80000100 [0000000000000000/0000000000000000/00000061/ff020201]
Trace 0: 0x7fcb80000900 [0000000000000000/0000000000080000/00000061/ff020201] _start
Trace 1: 0x7fcb80000900 [0000000000000000/0000000000000300/00000061/ff020201]
Trace 0: 0x7fcb80000a00 [0000000000000000/0000000000080040/00000061/ff020201]
some other line
Trace 0: 0x7fcb80000b00 [0000000000004000/ffff000000090000/00000061/ff020201]
Trace 0: 0x7fcb80000c00 [0000000000004000/ffff000000090004/00000061/ff020201]
Trace 0: 0x7fcb80000d00 [0000000000004000/ffff0000000a0000/00000061/ff020201]
";
    const MILESTONES: Milestones = Milestones {
        start: 0x8_0000,
        kernel: 0xffff_0000_0009_0000,
        prompt: 0xffff_0000_000a_0000,
    };

    #[test]
    fn only_core_0_between_the_milestones_is_counted() {
        let counts = count(TRACE.as_bytes(), MILESTONES).expect("both are reached");
        assert_eq!(
            counts,
            Counts {
                to_kernel: 2,
                to_prompt: 4
            }
        );
    }

    #[test]
    fn a_trace_that_ends_early_is_an_error() {
        let cut = &TRACE[..TRACE.len() - 90];
        assert!(count(cut.as_bytes(), MILESTONES).is_err());
    }

    #[test]
    fn the_option_changed_with_8_1() {
        assert!(!is_newer("QEMU emulator version 7.2.22 (Debian 1:7.2)"));
        assert!(!is_newer("QEMU emulator version 8.0.5"));
        assert!(is_newer("QEMU emulator version 8.1.0"));
        assert!(is_newer("QEMU emulator version 10.0.2 (Debian)"));
    }
}
