//! The words that Tab completes behind a command, by those that stand between.
#![forbid(unsafe_code)]

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

pub(super) fn busy_or_reader(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.len() == 1 {
        ["busy", "1", "2", "3"].into_iter().for_each(each);
    }
}

/// `boot`, or `--picture` and the way that it is drawn.
pub(super) fn map(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    match before {
        [] => ["boot", "--picture"].into_iter().for_each(each),
        ["--picture"] => each("--ascii"),
        _ => {}
    }
}

pub(super) fn off(before: &[&str], each: &mut dyn FnMut(&'static str)) {
    if before.is_empty() {
        each("off");
    }
}
