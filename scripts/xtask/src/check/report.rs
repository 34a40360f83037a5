//! The result of a check: one line with the number of things that it checked, and a line for every
//! violation.

#![forbid(unsafe_code)]

use std::fmt;

/// The outcome of one check.
#[derive(Debug)]
pub(super) struct Report {
    /// The check's name, as it stands at the start of its line.
    pub(super) name: &'static str,
    /// The things that were checked, for example `63 files, 210 imports`.
    pub(super) counted: String,
    /// The violations, in the order of their places.
    pub(super) violations: Vec<Violation>,
}

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// `file:line` or `symbol+offset (address)`.
    pub(super) place: String,
    /// The violation, and the rule that it breaks.
    pub(super) rule: String,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.violations.len();
        let noun = if count == 1 {
            "violation"
        } else {
            "violations"
        };
        write!(formatter, "{}: {}, {count} {noun}", self.name, self.counted)?;
        for Violation { place, rule } in &self.violations {
            write!(formatter, "\n  {place}: {rule}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, Violation};

    #[test]
    fn a_report_is_one_line_and_one_for_each_violation() {
        let violation = Violation {
            place: "src/addr.rs:3".into(),
            rule: "imports `mm`".into(),
        };
        let mut report = Report {
            name: "edges",
            counted: "2 files".into(),
            violations: vec![violation],
        };
        assert_eq!(
            report.to_string(),
            "edges: 2 files, 1 violation\n  src/addr.rs:3: imports `mm`"
        );
        report.violations.clear();
        assert_eq!(report.to_string(), "edges: 2 files, 0 violations");
    }
}
