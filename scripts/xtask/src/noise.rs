//! Suppression of one compiler warning that every build prints and no user can act on.
//!
//! rustc does not know the name of the LLVM feature that works around erratum 835769
//! (`.cargo/config.toml`), warns, and passes it on. No lint and no flag turns the warning off, and
//! cargo repeats it when nothing is rebuilt.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::process::{Command, ExitStatus, Stdio};

/// The beginning of the warning.
const WARNING: &str = "warning: unknown and unstable feature specified for `-Ctarget-feature`: \
                       `fix-cortex-a53-835769`";

/// Runs cargo and passes on its messages on standard error, without that warning.
///
/// # Errors
/// Those of starting the command and of reading its messages.
pub(crate) fn run_without(command: &mut Command) -> io::Result<ExitStatus> {
    if io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    if let Some(messages) = child.stderr.take() {
        pass_on(messages)?;
    }
    child.wait()
}

fn pass_on(messages: impl Read) -> io::Result<()> {
    let mut filter = Filter::default();
    for line in BufReader::new(messages).lines() {
        let line = line?;
        if filter.keeps(&line) {
            eprintln!("{line}");
        }
    }
    Ok(())
}

/// The state of the filter in the messages.
#[derive(Default)]
struct Filter {
    /// Whether the last line was part of the warning, which ends with an empty line.
    inside: bool,
}

impl Filter {
    /// Whether to show the line.
    fn keeps(&mut self, line: &str) -> bool {
        let text = without_colours(line);
        if self.inside {
            self.inside = !text.is_empty();
            return false;
        }
        self.inside = text.starts_with(WARNING);
        !self.inside && !is_its_count(&text)
    }
}

/// Whether this is cargo's summary for `stilt` or `stilt-paging` with one warning, which is always
/// this one; with others the summary says two.
fn is_its_count(text: &str) -> bool {
    text.starts_with("warning: `stilt")
        && (text.ends_with(") generated 1 warning")
            || text.ends_with(") generated 1 warning (1 duplicate)"))
}

/// The text without `ESC [ ... m`.
fn without_colours(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::{Filter, without_colours};

    fn kept(lines: &[&'static str]) -> Vec<&'static str> {
        let mut filter = Filter::default();
        let mut kept = lines.to_vec();
        kept.retain(|line| filter.keeps(line));
        kept
    }

    #[test]
    fn the_one_warning_goes_and_everything_else_stays() {
        let lines = [
            "   Compiling stilt v0.1.0",
            "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unknown and unstable feature specified for \
             `-Ctarget-feature`: `fix-cortex-a53-835769`\x1b[0m",
            "  |",
            "  = note: it is still passed through to the codegen backend",
            "",
            "warning: unused variable: `x`",
            " --> src/lib.rs:1:1",
            "",
            "warning: `stilt` (lib) generated 2 warnings",
            "warning: `stilt` (bin \"kernel8\") generated 1 warning (1 duplicate)",
            "warning: `stilt-paging` (lib) generated 1 warning",
            "    Finished `release` profile",
        ];
        assert_eq!(
            kept(&lines),
            [lines[0], lines[5], lines[6], lines[7], lines[8], lines[11]]
        );
    }

    #[test]
    fn another_unknown_feature_is_shown() {
        let other = "warning: unknown and unstable feature specified for `-Ctarget-feature`: `x`";
        assert_eq!(kept(&[other]), [other]);
    }

    #[test]
    fn colours_do_not_hide_the_text() {
        assert_eq!(without_colours("\x1b[1m\x1b[33ma\x1b[0mb"), "ab");
        assert_eq!(without_colours("a\x1b[1"), "a");
    }
}
