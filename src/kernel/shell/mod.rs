//! The shell: a prompt, a table of commands, and what they share.
//!
//! To add a command: write a function of type [`Run`] in one of the files here, and add a line to
//! [`COMMANDS`]. `help` and completion follow from it. A command that can take over a second tells
//! how far it is and can be ended: [`progress`].

use core::fmt::{self, Write};

use super::console::{self, Out};
use super::machine::watchdog;
use crate::addr::VirtAddr;
use crate::text::{Event, LineEditor, parse_u64};

use error::{ChoiceText, CommandError, number_from};
use progress::Interruptible;

mod alarm;
mod begun_jobs;
mod check;
mod cores;
mod error;
mod fault;
mod memory;
mod numbers;
mod progress;
mod shootdown;
mod soak;
mod system;
mod ticks;
mod words;

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
    /// The words that may stand behind the arguments before, which are the first: for Tab.
    words: fn(&[&str], &mut dyn FnMut(&'static str)),
    /// What `help COMMAND` shows besides.
    details: fn(&mut dyn Write) -> fmt::Result,
}

/// A command that takes no words and has no more to say.
const PLAIN: Command = Command {
    name: "",
    arguments: "",
    help: "",
    run: no_command,
    words: |_, _| {},
    details: |_| Ok(()),
};

fn no_command(_: &[&str], _: &mut dyn Write) -> Result<(), CommandError> {
    Ok(())
}

/// All commands, as `help` lists them.
static COMMANDS: &[Command] = &[
    Command {
        name: "help",
        arguments: "[COMMAND]",
        help: "list the commands, or explain one",
        run: help,
        words: words::commands,
        ..PLAIN
    },
    Command {
        name: "info",
        help: "the machine, the entry, the memory",
        run: system::info,
        ..PLAIN
    },
    Command {
        name: "mem",
        help: "frames and heap: how much is free",
        run: memory::mem,
        ..PLAIN
    },
    Command {
        name: "map",
        help: "the live address space, with names",
        run: memory::map,
        details: memory::legend,
        ..PLAIN
    },
    Command {
        name: "pt",
        arguments: "ADDRESS",
        help: "walk the page tables, level by level",
        run: memory::pt,
        ..PLAIN
    },
    Command {
        name: "translate",
        arguments: "ADDRESS",
        help: "translate by walk and by AT instruction",
        run: memory::translate,
        ..PLAIN
    },
    Command {
        name: "audit",
        help: "the audit of the live tables, as at boot",
        run: check::audit,
        ..PLAIN
    },
    Command {
        name: "check",
        help: "every state and link of frames and heap",
        run: check::check,
        ..PLAIN
    },
    Command {
        name: "peek",
        arguments: "ADDRESS [8|16|32|64]",
        help: "read memory or a device register",
        run: memory::peek,
        words: words::width_behind_one,
        details: |out| writeln!(out, "  Without a width 64 bits are read."),
    },
    Command {
        name: "poke",
        arguments: "ADDRESS VALUE [8|16|32|64]",
        help: "write: can bring the kernel down",
        run: memory::poke,
        words: words::width_behind_two,
        details: |out| writeln!(out, "  Without a width 64 bits are written."),
    },
    Command {
        name: "cpus",
        arguments: "[call CORE]",
        help: "each core: state, idle share, interrupts",
        run: cores::cpus,
        words: words::call,
        details: cores::cpus_details,
    },
    Command {
        name: "irq",
        arguments: "[release NUMBER]",
        help: "interrupts: owners, counts on each core",
        run: cores::irq,
        words: words::release,
        details: cores::irq_details,
    },
    Command {
        name: "uptime",
        help: "the time since the first instruction",
        run: cores::uptime,
        ..PLAIN
    },
    Command {
        name: "sleep",
        arguments: "MILLISECONDS",
        help: "wait, with the core idle",
        run: cores::sleep,
        details: cores::sleep_details,
        ..PLAIN
    },
    Command {
        name: "alarm",
        arguments: "MILLISECONDS",
        help: "wait for the system timer's interrupt",
        run: alarm::run,
        details: alarm::details,
        ..PLAIN
    },
    Command {
        name: "echo-test",
        arguments: "COUNT [busy]",
        help: "take bytes, show their CRC-32",
        run: cores::echo_test,
        words: words::busy,
        details: cores::echo_details,
    },
    Command {
        name: "shootdown",
        arguments: "[ROUNDS]",
        help: "cores use a page while core 0 changes it",
        run: shootdown::run,
        details: shootdown::details,
        ..PLAIN
    },
    Command {
        name: "soak",
        arguments: "SECONDS",
        help: "all cores use everything at once",
        run: soak::run,
        details: soak::details,
        ..PLAIN
    },
    Command {
        name: "numbers",
        arguments: "[ROUNDS]",
        help: "what exceptions, calls and frames cost",
        run: numbers::run,
        details: numbers::details,
        ..PLAIN
    },
    Command {
        name: "fault",
        arguments: "KIND [CORE|all]",
        help: "provoke a fault and see it explained",
        run: fault::run,
        words: fault::words,
        details: fault::list,
    },
    Command {
        name: "log",
        help: "show the boot log again",
        run: system::log,
        ..PLAIN
    },
    Command {
        name: "watchdog",
        arguments: "[SECONDS|off]",
        help: "reset the board when the shell hangs",
        run: system::watchdog,
        words: words::off,
        details: system::watchdog_details,
    },
    Command {
        name: "reboot",
        help: "reset the board",
        run: system::reboot,
        ..PLAIN
    },
    Command {
        name: "halt",
        help: "stop the board; ends the emulator",
        run: system::halt,
        ..PLAIN
    },
];

/// Reads lines and runs them, for ever.
pub(super) fn run() -> ! {
    let mut editor = LineEditor::new();
    // Before the first prompt: what waits for it on the line finds nothing behind it.
    ask_for_width(&mut editor);
    editor.start(PROMPT, &mut Out);
    loop {
        let byte = read_byte();
        match editor.feed(byte, &words::behind, &mut Out) {
            Event::Pending => continue,
            Event::Line => {
                execute(editor.line());
                cores::after_command();
            }
            Event::Interrupt => {}
        }
        editor.start(PROMPT, &mut Out);
        ask_for_width(&mut editor);
    }
}

/// Waits for the next byte. A shell that waits does not hang: the watchdog is fed.
///
/// Never inlined: the benchmark sees by it that the prompt is reached.
#[inline(never)]
fn read_byte() -> u8 {
    loop {
        if let Some(byte) = console::try_read() {
            return byte;
        }
        watchdog::feed_if_armed();
        console::wait_for_input();
    }
}

/// Asks the terminal how wide it is, unless input waits: a command that was piped in ahead may be
/// one that takes the answer for its own, and no terminal may be there to give one.
fn ask_for_width(editor: &mut LineEditor) {
    if !console::has_received() {
        editor.ask_for_width(&mut Out);
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
    let mut out = Interruptible::new();
    let result = if count > MAX_WORDS {
        Err(CommandError::Usage)
    } else {
        (command.run)(arguments, &mut out)
    };
    if let Err(error) = result.map_err(|error| out.cause(error)) {
        let _ = writeln!(Out, "{name}: {error}");
        if error.is_of_usage() {
            let _ = writeln!(Out, "usage: {}", Synopsis(command));
        }
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
                writeln!(out, "  {synopsis:<32} {}", command.help)?;
            }
            writeln!(out, "Tab completes words; Ctrl-C ends what takes long.")?;
            Ok(())
        }
        [name] => match find(name) {
            Some(command) => {
                writeln!(out, "usage: {}", Synopsis(command))?;
                writeln!(out, "  {}", command.help)?;
                (command.details)(out)?;
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
        let mut used = name.len();
        f.write_str(name)?;
        if !arguments.is_empty() {
            write!(f, " {arguments}")?;
            used += 1 + arguments.len();
        }
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
