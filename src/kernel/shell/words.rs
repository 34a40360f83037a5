//! The words that Tab completes, by what stands before them.
#![forbid(unsafe_code)]

use super::{COMMANDS, find};

/// More words before the one that is completed than any command takes.
const BEFORE_MAX: usize = 4;

/// Shows `each` the words that may stand behind `before`: commands first, then what the command
/// takes.
pub(super) fn behind(before: &str, each: &mut dyn FnMut(&'static str)) {
    let mut words = before.split_ascii_whitespace();
    let Some(name) = words.next() else {
        return commands(&[], each);
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

/// The commands.
pub(super) fn commands(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        COMMANDS.iter().for_each(|command| each(command.name));
    }
}

/// The widths of an access, behind an address.
pub(super) fn width_behind_one(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.len() == 1 {
        ["8", "16", "32", "64"].into_iter().for_each(each);
    }
}

/// The widths of an access, behind an address and a value.
pub(super) fn width_behind_two(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if let [_, rest @ ..] = before {
        width_behind_one(rest, each);
    }
}

/// `call`, and the cores that may be called.
pub(super) fn call(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => each("call"),
        ["call"] => ["1", "2", "3"].into_iter().for_each(each),
        _ => {}
    }
}

pub(super) fn release(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        each("release");
    }
}

pub(super) fn busy(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.len() == 1 {
        each("busy");
    }
}

pub(super) fn off(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        each("off");
    }
}
