//! The table of all commands, and what follows from it: `help`, and the words that Tab completes.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::arguments::no_choice;
use super::error::CommandError;
use super::lab::{self, maintenance, touch};
use super::{
    alarm, answers, bytes, check, cores, echo_test, expect, explain, fault, map, memory, numbers,
    shootdown, soak, system, words,
};

/// More words before the one that is completed than any command takes.
const BEFORE_MAX: usize = 7;

/// The words that a command's function gets: those typed behind its name.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Syntax {
    /// Words.
    Words,
    /// All of it as one argument, without the blanks around it; none if there is nothing.
    Text,
}

/// Whether a command is one whose output the lines behind it look at.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Role {
    /// It is: its output and its fault take the place of those of the command before.
    Subject,
    /// It looks, or has nothing to do with it: what is kept stays.
    Observer,
}

/// The function of a command: it reads arguments and writes text.
pub(super) type CommandFunction = fn(&[&str], &mut dyn Write) -> Result<(), CommandError>;

/// A command of the shell.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// Its arguments, as `help` shows them.
    arguments: &'static str,
    /// Its line in `help`.
    help: &'static str,
    pub(super) run: CommandFunction,
    pub(super) syntax: Syntax,
    pub(super) role: Role,
    /// The words that may stand behind the arguments before, which are the first: for Tab.
    words: fn(&[&str], &mut dyn FnMut(&'static str)),
    /// Prints what `help COMMAND` shows below the usage.
    details: fn(&mut dyn Write) -> fmt::Result,
}

/// A command that takes no words and has no more to say.
const PLAIN: Command = Command {
    name: "",
    arguments: "",
    help: "",
    run: no_command,
    syntax: Syntax::Words,
    role: Role::Subject,
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
        words: names,
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
        arguments: "[boot|--picture ...]",
        help: "the kernel's live map, with names",
        run: map::run,
        words: words::map,
        details: map::legend,
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
        name: "explain",
        arguments: "ADDRESS|desc BITS ...",
        help: "an address or a descriptor, bit by bit",
        run: explain::run,
        words: explain::words,
        details: explain::details,
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
        name: "as",
        arguments: "VERB ...",
        help: "address spaces below 2^48: help as",
        run: lab::run,
        words: lab::words,
        details: lab::details,
        ..PLAIN
    },
    Command {
        name: "touch",
        arguments: "r|w|x ADDRESS [user] ...",
        help: "load, store or call, for real",
        run: touch::run,
        words: touch::words,
        details: touch::details,
        ..PLAIN
    },
    Command {
        name: "tlb",
        arguments: "[skip|heal]",
        help: "TLBIs of the last changes of a space",
        run: maintenance::run,
        words: maintenance::words,
        details: maintenance::details,
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
        ..PLAIN
    },
    Command {
        name: "poke",
        arguments: "ADDRESS VALUE [8|16|32|64]",
        help: "write: can bring the kernel down",
        run: memory::poke,
        words: words::width_behind_two,
        details: |out| writeln!(out, "  Without a width 64 bits are written."),
        ..PLAIN
    },
    Command {
        name: "dump",
        arguments: "ADDRESS SIZE",
        help: "show memory as bytes and as text",
        run: bytes::dump,
        details: bytes::dump_details,
        ..PLAIN
    },
    Command {
        name: "fill",
        arguments: "ADDRESS PATTERN [SIZE]",
        help: "write a pattern to pages of the space",
        run: bytes::fill,
        details: bytes::fill_details,
        ..PLAIN
    },
    Command {
        name: "cpus",
        arguments: "[call CORE]",
        help: "each core: state, idle share, interrupts",
        run: cores::cpus,
        words: words::call,
        details: cores::cpus_details,
        ..PLAIN
    },
    Command {
        name: "irq",
        arguments: "[release NUMBER]",
        help: "interrupts: owners, counts on each core",
        run: cores::irq,
        words: words::release,
        details: cores::irq_details,
        ..PLAIN
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
        arguments: "COUNT [busy|CORE]",
        help: "take bytes, show their CRC-32",
        run: echo_test::run,
        words: words::busy_or_reader,
        details: echo_test::details,
        ..PLAIN
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
        ..PLAIN
    },
    Command {
        name: expect::NAME,
        arguments: "TEXT|fault KIND [LEVEL]",
        help: "whether the last command said that",
        run: expect::expect,
        syntax: Syntax::Text,
        role: Role::Observer,
        words: expect::words,
        details: expect::details,
    },
    Command {
        name: "grade",
        help: "how many expects passed; count anew",
        run: expect::grade,
        role: Role::Observer,
        ..PLAIN
    },
    Command {
        name: "answer",
        arguments: "[NAME VALUE]",
        help: "let $NAME stand for VALUE",
        run: answers::run,
        role: Role::Observer,
        details: answers::details,
        ..PLAIN
    },
    Command {
        name: "echo",
        arguments: "[TEXT]",
        help: "print it",
        run: expect::echo,
        syntax: Syntax::Text,
        role: Role::Observer,
        ..PLAIN
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
        ..PLAIN
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

/// The command of that name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Shows `each` the words that may stand behind `before`: commands first, then what the command
/// takes.
pub(super) fn words_behind(before: &str, each: &mut dyn FnMut(&'static str)) {
    let mut words = before.split_ascii_whitespace();
    let Some(name) = words.next() else {
        return names(&[], each);
    };
    let mut arguments = [""; BEFORE_MAX];
    let mut count = 0;
    for word in words {
        let Some(slot) = arguments.get_mut(count) else {
            return;
        };
        *slot = word;
        count += 1;
    }
    if let (Some(command), Some(arguments)) = (find(name), arguments.get(..count)) {
        (command.words)(arguments, each);
    }
}

/// The names of all commands.
fn names(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        COMMANDS.iter().for_each(|command| each(command.name));
    }
}

fn help(arguments: &[&str], out: &mut dyn Write) -> Result<(), CommandError> {
    match arguments {
        [] => {
            for command in COMMANDS {
                let synopsis = Synopsis(command);
                writeln!(out, "  {synopsis:<32} {}", command.help)?;
            }
            writeln!(
                out,
                "Tab completes words; Ctrl-C ends what takes long; `#` begins a comment."
            )?;
            Ok(())
        }
        [name] => match find(name) {
            Some(command) => {
                writeln!(out, "usage: {}", Synopsis(command))?;
                writeln!(out, "  {}", command.help)?;
                (command.details)(out)?;
                Ok(())
            }
            None => Err(no_choice(name, &"the commands that `help` lists")),
        },
        _ => Err(CommandError::wrong_count()),
    }
}

/// A command with its arguments, padded as a whole.
pub(super) struct Synopsis(pub(super) &'static Command);

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
