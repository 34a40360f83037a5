//! The shell: a prompt, a table of commands, and what they share.
//!
//! To add a command: write a function of type [`Run`] in one of the files here, and add a line to
//! [`COMMANDS`]. `help`, completion and the check of the number of arguments follow from it.

use core::fmt::{self, Write};

use super::console::{self, Out};
use super::cross::CallError;
use super::smp::ComeError;
use super::timers::TimerError;
use crate::addr::VirtAddr;
use crate::console::{Event, LineEditor, NumberError, parse_u64};
use crate::drivers::watchdog::BadTime;
use crate::paging::PagingError;

mod cores;
mod fault;
mod memory;
mod numbers;
mod shootdown;
mod soak;
mod system;

/// What every line begins with.
const PROMPT: &str = "stilt> ";

/// More words than this on a line are too many for every command.
const MAX_WORDS: usize = 8;

/// What a command does: arguments in, text out.
type Run = fn(&[&str], &mut dyn Write) -> Result<(), CommandError>;

/// A command of the shell.
struct Command {
    name: &'static str,
    /// Its arguments, as `help` shows them.
    arguments: &'static str,
    /// One line: what it does.
    help: &'static str,
    run: Run,
}

/// Why a command was refused or failed.
enum CommandError {
    /// The arguments do not fit; the usage is shown.
    Usage,
    /// An argument is not a number.
    Number(NumberError),
    /// An argument is none of these words.
    Choice {
        given: ChoiceText,
        expected: &'static str,
    },
    /// The watchdog cannot count that.
    Time(BadTime),
    /// The page tables refuse.
    Paging(PagingError),
    /// An address is not a multiple of the access's width.
    Unaligned { va: VirtAddr, bytes: usize },
    /// A value does not fit the access's width.
    TooWide { value: u64, bits: usize },
    /// The page is mapped without the right that is needed.
    Forbidden { va: VirtAddr, right: &'static str },
    /// The access was tried, and the memory system refused it.
    Aborted { va: VirtAddr, syndrome: u64 },
    /// A number is larger than the command takes.
    TooLarge { value: u64, limit: u64 },
    /// All timers are armed.
    Timer(TimerError),
    /// Another core was asked in vain.
    Call(CallError),
    /// A core that did not come at boot cannot be called.
    Come(ComeError),
    /// What had to fail did not.
    NoFault,
    /// A step that was measured did not do what it is for.
    Step { name: &'static str },
    /// The console failed.
    Output,
}

/// The first bytes of a word that was typed.
#[derive(Clone, Copy)]
struct ChoiceText {
    bytes: [u8; 16],
    len: usize,
}

impl ChoiceText {
    fn new(word: &str) -> Self {
        let mut text = Self {
            bytes: [0; 16],
            len: 0,
        };
        for (slot, byte) in text.bytes.iter_mut().zip(word.bytes()) {
            *slot = byte;
            text.len += 1;
        }
        text
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl From<fmt::Error> for CommandError {
    fn from(_: fmt::Error) -> Self {
        Self::Output
    }
}

impl From<NumberError> for CommandError {
    fn from(error: NumberError) -> Self {
        Self::Number(error)
    }
}

impl From<BadTime> for CommandError {
    fn from(error: BadTime) -> Self {
        Self::Time(error)
    }
}

impl From<TimerError> for CommandError {
    fn from(error: TimerError) -> Self {
        Self::Timer(error)
    }
}

impl From<CallError> for CommandError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<ComeError> for CommandError {
    fn from(error: ComeError) -> Self {
        Self::Come(error)
    }
}

impl From<PagingError> for CommandError {
    fn from(error: PagingError) -> Self {
        Self::Paging(error)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => f.write_str("wrong number of arguments"),
            Self::Number(error) => error.fmt(f),
            Self::Choice { given, expected } => {
                write!(f, "`{}` is not one of {expected}", given.as_str())
            }
            Self::Time(error) => error.fmt(f),
            Self::Paging(error) => error.fmt(f),
            Self::Unaligned { va, bytes } => write!(f, "{va} is not a multiple of {bytes}"),
            Self::TooWide { value, bits } => write!(f, "{value:#x} does not fit {bits} bits"),
            Self::Forbidden { va, right } => write!(f, "{va} is mapped, but not {right}"),
            Self::Aborted { va, syndrome } => {
                let syndrome = crate::exception::syndrome::Syndrome::new(*syndrome);
                write!(f, "{va}: {syndrome}")
            }
            Self::TooLarge { value, limit } => write!(f, "{value} is more than {limit}"),
            Self::Timer(error) => error.fmt(f),
            Self::Call(error) => error.fmt(f),
            Self::Come(error) => error.fmt(f),
            Self::NoFault => f.write_str("nothing was caught"),
            Self::Step { name } => write!(f, "{name}: not what it should do"),
            Self::Output => f.write_str("the console failed"),
        }
    }
}

/// All commands, as `help` lists them.
static COMMANDS: &[Command] = &[
    Command {
        name: "help",
        arguments: "[COMMAND]",
        help: "list the commands, or show one",
        run: help,
    },
    Command {
        name: "info",
        arguments: "",
        help: "the machine, the entry, the memory",
        run: system::info,
    },
    Command {
        name: "mem",
        arguments: "",
        help: "frames and heap: how much is free",
        run: memory::mem,
    },
    Command {
        name: "map",
        arguments: "",
        help: "the live address space, in runs of equal pages",
        run: memory::map,
    },
    Command {
        name: "pt",
        arguments: "ADDRESS",
        help: "walk the page tables, level by level",
        run: memory::pt,
    },
    Command {
        name: "translate",
        arguments: "ADDRESS",
        help: "translate by walk and by the AT instruction",
        run: memory::translate,
    },
    Command {
        name: "peek",
        arguments: "ADDRESS [8|16|32|64]",
        help: "read memory or a device register (default 64 bits)",
        run: memory::peek,
    },
    Command {
        name: "poke",
        arguments: "ADDRESS VALUE [8|16|32|64]",
        help: "write memory or a device register: can bring the kernel down",
        run: memory::poke,
    },
    Command {
        name: "cpus",
        arguments: "[call CORE]",
        help: "each core: state, idle share, interrupts; call a core that did not come",
        run: cores::cpus,
    },
    Command {
        name: "irq",
        arguments: "[release NUMBER]",
        help: "interrupts, their owners, and how often on each core",
        run: cores::irq,
    },
    Command {
        name: "uptime",
        arguments: "",
        help: "the time since the first instruction",
        run: cores::uptime,
    },
    Command {
        name: "sleep",
        arguments: "MILLISECONDS",
        help: "wait, with the core idle",
        run: cores::sleep,
    },
    Command {
        name: "echo-test",
        arguments: "COUNT [busy]",
        help: "take so many bytes, whatever they are; show their CRC-32; `busy`: cores 1 to 3 loop",
        run: cores::echo_test,
    },
    Command {
        name: "shootdown",
        arguments: "[ROUNDS]",
        help: "cores 1 to 3 use a page while core 0 changes it (10000)",
        run: shootdown::run,
    },
    Command {
        name: "soak",
        arguments: "SECONDS",
        help: "all cores use everything at once; nothing may be lost",
        run: soak::run,
    },
    Command {
        name: "numbers",
        arguments: "[ROUNDS]",
        help: "what exceptions, calls and frames cost (1000)",
        run: numbers::run,
    },
    Command {
        name: "fault",
        arguments: fault::ARGUMENTS,
        help: "provoke a fault and see it explained",
        run: fault::run,
    },
    Command {
        name: "log",
        arguments: "",
        help: "show the boot log again",
        run: system::log,
    },
    Command {
        name: "watchdog",
        arguments: "[SECONDS|off]",
        help: "reset the board when the shell hangs for 1 to 15 s",
        run: system::watchdog,
    },
    Command {
        name: "reboot",
        arguments: "",
        help: "reset the board",
        run: system::reboot,
    },
    Command {
        name: "halt",
        arguments: "",
        help: "stop the board; ends the emulator",
        run: system::halt,
    },
];

/// Reads lines and runs them, for ever.
pub(super) fn run() -> ! {
    let words = |before: &str, each: &mut dyn FnMut(&'static str)| {
        if before.trim_ascii().is_empty() {
            COMMANDS.iter().for_each(|command| each(command.name));
        }
    };
    let mut editor = LineEditor::new();
    editor.ask_for_width(&mut Out);
    editor.start(PROMPT, &mut Out);
    loop {
        let byte = console::read_byte();
        match editor.feed(byte, &words, &mut Out) {
            Event::Pending => continue,
            Event::Line => {
                execute(editor.line());
                cores::tell_of_silence();
            }
            Event::Interrupt => {}
        }
        editor.start(PROMPT, &mut Out);
    }
}

/// Runs one line; a refusal is printed.
fn execute(line: &str) {
    let mut words = [""; MAX_WORDS];
    let mut count = 0;
    for word in line.split_ascii_whitespace() {
        if let Some(slot) = words.get_mut(count) {
            *slot = word;
        }
        count += 1;
    }
    let Some((name, arguments)) = words
        .get(..count.min(MAX_WORDS))
        .and_then(<[_]>::split_first)
    else {
        return;
    };
    let Some(command) = find(name) else {
        let _ = writeln!(Out, "{name}: no such command; `help` lists them");
        return;
    };
    let result = if count > MAX_WORDS {
        Err(CommandError::Usage)
    } else {
        (command.run)(arguments, &mut Out)
    };
    if let Err(error) = result {
        let _ = writeln!(Out, "{name}: {error}");
        let _ = writeln!(Out, "usage: {} {}", command.name, command.arguments);
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn help(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {
            for command in COMMANDS {
                let synopsis = Synopsis(command);
                writeln!(out, "  {synopsis:<39}  {}", command.help)?;
            }
            Ok(())
        }
        [name] => match find(name) {
            Some(command) => {
                writeln!(out, "usage: {} {}", command.name, command.arguments)?;
                writeln!(out, "  {}", command.help)?;
                Ok(())
            }
            None => Err(CommandError::Choice {
                given: ChoiceText::new(name),
                expected: "the commands that `help` lists",
            }),
        },
        _ => Err(CommandError::Usage),
    }
}

/// A command with its arguments, padded as a whole.
struct Synopsis(&'static Command);

impl fmt::Display for Synopsis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command {
            name, arguments, ..
        } = self.0;
        write!(f, "{name} {arguments}")?;
        let used = name.len() + 1 + arguments.len();
        for _ in used..f.width().unwrap_or(0) {
            f.write_char(' ')?;
        }
        Ok(())
    }
}

/// For commands that take nothing.
fn no_arguments(arguments: &[&str]) -> Result<(), CommandError> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(CommandError::Usage)
}

/// A virtual address that was typed.
fn address(word: &str) -> Result<VirtAddr, CommandError> {
    let number = parse_u64(word)?;
    Ok(VirtAddr::new(number as usize))
}
