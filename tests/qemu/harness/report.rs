//! What the kernel prints, taken apart: the boot log and the map.

use std::ops::Range;

/// A line of the boot log: `[    0.001185] topic   text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Time since `_start`.
    pub(crate) microseconds: u64,
    /// What it is about.
    pub(crate) topic: String,
    /// The rest.
    pub(crate) text: String,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let (seconds, fraction) = time.trim().split_once('.')?;
        let microseconds = fraction
            .parse::<u64>()
            .ok()
            .filter(|_| fraction.len() == 6)?;
        let (topic, text) = rest.split_once(' ').unwrap_or((rest, ""));
        Some(Self {
            microseconds: seconds.parse::<u64>().ok()? * 1_000_000 + microseconds,
            topic: topic.to_owned(),
            text: text.trim_start().to_owned(),
        })
    }
}

/// The lines of a boot log; anything else that was printed is left out.
pub(crate) fn log(output: &str) -> Vec<Line> {
    output.lines().filter_map(Line::parse).collect()
}

/// `output` with each line of a report in one row, as the kernel has wrapped none.
pub(crate) fn unwrapped(output: &str) -> String {
    output.replace(&format!("\n{GOES_ON}"), " ")
}

/// How a row begins in which a line goes on.
const GOES_ON: &str = "           ";

/// The texts of one topic.
pub(crate) fn topic<'a>(log: &'a [Line], topic: &str) -> Vec<&'a str> {
    let lines = log.iter().filter(|line| line.topic == topic);
    lines.map(|line| line.text.as_str()).collect()
}

/// A run of equal leaves with one use: `FIRST-LAST FRAME RIGHTS TYPE LEAF NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The addresses; the end is one past the last.
    pub(crate) addresses: Range<u64>,
    /// The first frame.
    pub(crate) frame: u64,
    /// `rw-`, `r-x` and so on.
    pub(crate) rights: String,
    /// Memory type and leaf size.
    pub(crate) attributes: Vec<String>,
    /// What it is for.
    pub(crate) name: String,
}

impl Run {
    /// A line of `map`; nothing if it is a guard's, which is not mapped.
    fn parse(text: &str) -> Option<Option<Self>> {
        let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let words: Vec<&str> = text.split_whitespace().collect();
        let (first, last) = words.first()?.split_once('-')?;
        let addresses = number(first)?..number(last)? + 1;
        match words[1..] {
            ["-", "---", "guard"] => Some(None),
            [frame, rights, memory, leaf, ref name @ ..] => Some(Some(Self {
                addresses,
                frame: number(frame)?,
                rights: rights.to_owned(),
                attributes: [memory, leaf].map(str::to_owned).into(),
                name: name.join(" "),
            })),
            _ => None,
        }
    }

    /// Whether `va` is in it.
    pub(crate) fn contains(&self, va: u64) -> bool {
        self.addresses.contains(&va)
    }
}

/// The runs in the output of `map`.
#[track_caller]
pub(crate) fn map(output: &str) -> Vec<Run> {
    let lines = output.lines();
    let run = |line: &str| Run::parse(line).unwrap_or_else(|| panic!("not a run: {line:?}"));
    lines.filter_map(run).collect()
}

/// Runs side by side with the same rights and attributes, as one: frames do not matter.
pub(crate) fn joined(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    for run in runs {
        match all.last_mut() {
            Some(last)
                if last.addresses.end == run.addresses.start
                    && last.rights == run.rights
                    && last.attributes == run.attributes =>
            {
                last.addresses.end = run.addresses.end;
            }
            _ => all.push(run),
        }
    }
    all
}

#[test]
fn lines_of_the_log_are_told_from_the_rest() {
    let lines = log("[    1.000042] ram     0x0..0x1000 4 KiB\nstilt> mem\n");
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!((line.microseconds, line.topic.as_str()), (1_000_042, "ram"));
    assert_eq!(topic(&lines, "ram"), ["0x0..0x1000 4 KiB"]);
}
