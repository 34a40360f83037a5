//! The prompt: reads lines, finds the command of each and runs it.
#![forbid(unsafe_code)]

use core::fmt::Write;

use super::commands::{self, Synopsis, find};
use super::cores;
use super::error::CommandError;
use super::input::read_byte;
use super::progress::Interruptible;
use crate::kernel::console::{self, Out};
use crate::text::{Event, LineEditor};

/// The prompt, with which every line begins.
const PROMPT: &str = "stilt> ";

/// More words than this on a line are too many for every command.
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
        Err(CommandError::wrong_count())
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
