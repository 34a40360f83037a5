//! The prompt: reads lines, finds the command of each and runs it.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::answers;
use super::commands::{self, Command, Role, Synopsis, Syntax, find};
use super::cores;
use super::error::CommandError;
use super::expect;
use super::input::read_byte;
use super::progress::Interruptible;
use crate::kernel::console::{self, LAST_OUTPUT, Out};
use crate::kernel::report;
use crate::text::{Event, LINE_CAPACITY, LineEditor, script};

/// The prompt, with which every line begins.
const PROMPT: &str = "stilt> ";

/// More words than this behind its name are too many for every command.
const MAX_WORDS: usize = 8;

/// Reads lines and runs them, for ever.
pub(in crate::kernel) fn run() -> ! {
    let mut editor = LineEditor::new();
    // Before the first prompt: what waits for it on the line finds nothing behind it.
    ask_for_width(&mut editor);
    editor.start(PROMPT, &mut Out);
    loop {
        let byte = read_byte();
        match editor.feed(byte, &commands::words_behind, &mut Out) {
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

/// Asks the terminal how wide it is, unless input waits: a command that was piped in ahead may be
/// one that takes the answer for its own, and no terminal may be there to give one.
fn ask_for_width(editor: &mut LineEditor) {
    if !console::has_received() {
        editor.ask_for_width(&mut Out);
    }
}

/// Bytes of a line with its answers.
const EXPANDED: usize = 2 * LINE_CAPACITY;

/// Runs one line without its comment; a refusal is printed.
fn execute(line: &str) {
    let line = script::without_comment(line).trim_ascii();
    let name = line.split_ascii_whitespace().next().unwrap_or_default();
    if name.is_empty() {
        return;
    }
    let mut room = [0; EXPANDED];
    let command = find(name);
    let is_subject = command.is_none_or(|command| command.role == Role::Subject);
    if is_subject {
        report::forget_fault();
        LAST_OUTPUT.begin();
    }
    match (command, answers::expand(line, &mut room)) {
        (None, _) => {
            let _ = writeln!(Out, "{name}: no such command; `help` lists them");
        }
        (Some(command), Ok(line)) => run_command(command, line),
        (Some(_), Err(error)) => {
            let _ = writeln!(Out, "{name}: {error}");
            if name == expect::NAME {
                expect::count_failure();
            }
        }
    }
    if is_subject {
        LAST_OUTPUT.end();
    }
}

/// Runs `command`, the first word of `line`, with the rest of it.
fn run_command(command: &'static Command, line: &str) {
    let rest = line.get(command.name.len()..).unwrap_or_default();
    let rest = rest.trim_ascii();
    let mut words = [""; MAX_WORDS];
    let mut count = 0;
    match command.syntax {
        Syntax::Text if rest.is_empty() => {}
        Syntax::Text => {
            words[0] = rest;
            count = 1;
        }
        Syntax::Words => {
            for word in rest.split_ascii_whitespace() {
                if let Some(slot) = words.get_mut(count) {
                    *slot = word;
                }
                count += 1;
            }
        }
    }
    let mut out = Interruptible::new();
    let result = match words.get(..count) {
        Some(arguments) => (command.run)(arguments, &mut out),
        None => Err(CommandError::wrong_count()),
    };
    if let Err(error) = result.map_err(|error| out.cause(error)) {
        let _ = writeln!(Out, "{}: {error}", command.name);
        if error.is_of_usage() {
            let _ = writeln!(Out, "usage: {}", Synopsis(command));
        }
    }
}
