//! The lines entered before, and the way back to the one being typed.

#![forbid(unsafe_code)]

use super::line_text::LineText;

/// Lines that the arrow keys lead back to; the next one puts the oldest out. A blank line is not
/// kept, nor one that is the newest already.
pub const HISTORY_LINES: usize = 16;

/// A ring of lines, and a place in it.
pub(super) struct History {
    lines: [LineText; HISTORY_LINES],
    /// Where the next line goes.
    next: usize,
    /// How many of `lines` are in use.
    len: usize,
    /// How many lines back the user is looking; 0 is the line being typed.
    back: usize,
    /// The unfinished line, while the user looks at older ones.
    draft: LineText,
}

impl History {
    pub(super) const EMPTY: Self = Self {
        lines: [LineText::EMPTY; HISTORY_LINES],
        next: 0,
        len: 0,
        back: 0,
        draft: LineText::EMPTY,
    };

    /// Remembers a line, unless it is blank or the newest already.
    pub(super) fn push(&mut self, line: &LineText) {
        let blank = line.as_str().trim_ascii().is_empty();
        let repeated = self.len > 0 && self.line(1).as_str() == line.as_str();
        if blank || repeated {
            return;
        }
        self.lines[self.next] = *line;
        self.next = (self.next + 1) % HISTORY_LINES;
        self.len = (self.len + 1).min(HISTORY_LINES);
    }

    /// Stops looking back, for a new line.
    pub(super) fn leave(&mut self) {
        self.back = 0;
    }

    /// The line before the one that is shown. `shown` is kept if it is the unfinished line; changes
    /// to an older line are not.
    pub(super) fn older(&mut self, shown: &LineText) -> Option<LineText> {
        if self.back == self.len {
            return None;
        }
        if self.back == 0 {
            self.draft = *shown;
        }
        self.back += 1;
        Some(self.line(self.back))
    }

    /// The line after the one that is shown; behind the newest comes the unfinished one.
    pub(super) fn newer(&mut self) -> Option<LineText> {
        self.back = self.back.checked_sub(1)?;
        Some(if self.back == 0 {
            self.draft
        } else {
            self.line(self.back)
        })
    }

    /// The line `back` lines ago, from 1 for the newest to `len`.
    fn line(&self, back: usize) -> LineText {
        self.lines[(self.next + HISTORY_LINES - back) % HISTORY_LINES]
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY_LINES, History, LineText};
    use std::{format, string::String, vec::Vec};

    fn text(content: &str) -> LineText {
        let mut text = LineText::EMPTY;
        text.insert(0, content).expect("short");
        text
    }

    fn newest_first(history: &mut History) -> Vec<String> {
        history.leave();
        core::iter::from_fn(|| history.older(&LineText::EMPTY))
            .map(|line| String::from(line.as_str()))
            .collect()
    }

    #[test]
    fn blank_and_repeated_lines_are_not_kept() {
        let mut history = History::EMPTY;
        for line in ["", "mem", "mem", "   ", "map", "mem"] {
            history.push(&text(line));
        }
        assert_eq!(newest_first(&mut history), ["mem", "map", "mem"]);
    }

    #[test]
    fn the_oldest_line_makes_room_for_the_newest() {
        let mut history = History::EMPTY;
        for number in 0..HISTORY_LINES + 3 {
            history.push(&text(&format!("line {number}")));
        }
        let kept: Vec<String> = (3..HISTORY_LINES + 3)
            .rev()
            .map(|number| format!("line {number}"))
            .collect();
        assert_eq!(newest_first(&mut history), kept);
    }

    #[test]
    fn the_way_forward_ends_at_the_unfinished_line() {
        let mut history = History::EMPTY;
        history.push(&text("mem"));
        history.push(&text("map"));
        let shown = |line: Option<LineText>| line.map(|line| String::from(line.as_str()));
        assert_eq!(shown(history.newer()), None);
        assert_eq!(shown(history.older(&text("pt 0x"))).as_deref(), Some("map"));
        assert_eq!(
            shown(history.older(&text("map changed"))).as_deref(),
            Some("mem")
        );
        assert_eq!(shown(history.older(&text("mem"))), None);
        assert_eq!(shown(history.newer()).as_deref(), Some("map"));
        assert_eq!(shown(history.newer()).as_deref(), Some("pt 0x"));
        assert_eq!(shown(history.newer()), None);
    }
}
