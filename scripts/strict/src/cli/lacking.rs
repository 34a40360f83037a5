//! Lines that the console lacks: a run may hang where nobody waits for it.
//!
//! 1. a core that was called by SEV without a DSB sleeps on, and core 0 polls the serial port;
//! 2. the console is quiet, as that of a kernel which has said everything;
//! 3. each run without liberties prints a line more.
//!
//! # Decisions
//! - Numbers differ between two good runs, so they do not count. Cores that print at once mix their
//!   lines, but lose no byte: a console that lacks a line is shorter, too.
//! - A line counts if runs with several seeds have it.

use std::collections::BTreeSet;

/// The lines of a console, each once, with numbers as `#`.
fn lines(console: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(console);
    let lines = text.lines().map(|line| {
        let words = line.split(|c: char| !c.is_ascii_alphanumeric());
        let masked = words.filter(|word| !word.is_empty()).map(|word| {
            let is_number = word.contains(|c: char| c.is_ascii_digit())
                || word.chars().all(|c| c.is_ascii_hexdigit());
            if is_number { "#" } else { word }
        });
        masked.collect::<Vec<_>>().join(" ")
    });
    lines.collect()
}

/// The longest line that all `others` have and `console` lacks, if `console` is shorter than each of
/// them by as much.
pub(super) fn lacking(console: &[u8], others: &[Vec<u8>]) -> Option<String> {
    let shortest = others.iter().map(Vec::len).min()?;
    let mut certain = others.iter().map(|other| lines(other));
    let first = certain.next()?;
    let certain = certain.fold(first, |all, lines| &all & &lines);
    let has = lines(console);
    let longest = certain.difference(&has).max_by_key(|line| line.len())?;
    (console.len() + longest.len() <= shortest).then(|| longest.clone())
}

#[cfg(test)]
mod tests {
    use super::lacking;

    fn lacks(console: &str, others: &[&str]) -> Option<String> {
        let others: Vec<Vec<u8>> = others.iter().map(|text| text.as_bytes().to_vec()).collect();
        lacking(console.as_bytes(), &others)
    }

    #[test]
    fn a_line_that_every_good_run_has_is_missed() {
        let good = [
            "core 0\ncore 1 runs after 12 us\n",
            "core 1 runs after 9 us\ncore 0\n",
        ];
        assert_eq!(
            lacks("core 0\n", &good),
            Some("core # runs after # us".to_owned())
        );
        assert_eq!(lacks(good[0], &good), None);
    }

    #[test]
    fn what_differs_between_good_runs_is_not_missed() {
        // A line of one of them; a number; lines that two cores have mixed.
        assert_eq!(lacks("a\n", &["a\nrandom\n", "a\nother!\n"]), None);
        assert_eq!(lacks("0xdeadbeef\n", &["0x12345678\n"]), None);
        assert_eq!(lacks("hehello\nllo\n", &["hello\nhello\n"]), None);
    }
}
