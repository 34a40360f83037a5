//! Parsing of the programs' output.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::error::PeersError;

/// One measurement of a subject in a workload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) subject: String,
    pub(super) workload: String,
    pub(super) units: u64,
    /// The instructions or nanoseconds of all units together.
    pub(super) total: u64,
    /// The number of tables that were zeroed.
    pub(super) zeroed: u64,
    /// The number of frames in use afterwards.
    pub(super) frames: u64,
}

/// The barriers and TLB invalidations that a subject issued in a workload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Issued {
    pub(super) dmb: u64,
    pub(super) dsb: u64,
    pub(super) isb: u64,
    /// The number of TLBI by address.
    pub(super) by_address: u64,
    /// The number of TLBI of everything.
    pub(super) everything: u64,
}

/// The output of a program.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// The measurements, in the order of the output.
    pub(super) rows: Vec<Row>,
    issued: HashMap<(String, String), Issued>,
}

impl Figures {
    /// # Errors
    /// [`PeersError::Line`] for a line of another form; the line `done` ends a run without faults.
    pub(super) fn read(text: &str) -> Result<Self, PeersError> {
        let mut figures = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let wrong = || PeersError::Line {
                line: line.to_owned(),
            };
            let mut words = line.split(' ');
            match words.next() {
                Some("row") => figures.rows.push(row(words).ok_or_else(wrong)?),
                Some("maintenance") => {
                    let (key, issued) = issued(words).ok_or_else(wrong)?;
                    figures.issued.insert(key, issued);
                }
                Some("done") => {}
                _ => return Err(wrong()),
            }
        }
        Ok(figures)
    }

    pub(super) fn row(&self, subject: &str, workload: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.subject == subject && row.workload == workload)
    }

    /// The barriers and invalidations that `subject` issued in `workload`.
    pub(super) fn issued(&self, subject: &str, workload: &str) -> Option<Issued> {
        let key = (subject.to_owned(), workload.to_owned());
        self.issued.get(&key).copied()
    }

    /// The cost of zeroing one table by `subject`, in instructions or nanoseconds; 0 if not
    /// measured.
    pub(super) fn zeroing(&self, subject: &str) -> f64 {
        self.row(subject, "zero").map_or(0.0, Row::per_unit)
    }

    /// The cost of a unit of `workload` by `subject`, without zeroing.
    pub(super) fn cost(&self, subject: &str, workload: &str) -> Option<f64> {
        let row = self.row(subject, workload)?;
        Some(row.per_unit() - self.zeroing_per_unit(row))
    }

    /// The cost of zeroing in each unit of `row`.
    pub(super) fn zeroing_per_unit(&self, row: &Row) -> f64 {
        row.zeroed as f64 * self.zeroing(&row.subject) / row.units as f64
    }
}

impl Row {
    pub(super) fn per_unit(&self) -> f64 {
        self.total as f64 / self.units as f64
    }
}

fn row<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<Row> {
    let (subject, workload) = (words.next()?.to_owned(), words.next()?.to_owned());
    let [units, total, zeroed, frames] = numbers(words)?;
    Some(Row {
        subject,
        workload,
        units,
        total,
        zeroed,
        frames,
    })
}

fn issued<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<((String, String), Issued)> {
    let key = (words.next()?.to_owned(), words.next()?.to_owned());
    let [dmb, dsb, isb, by_address, everything] = numbers(words)?;
    let issued = Issued {
        dmb,
        dsb,
        isb,
        by_address,
        everything,
    };
    Some((key, issued))
}

/// The words as exactly `N` numbers; none if one is no number, or their count differs.
fn numbers<'a, const N: usize>(words: impl Iterator<Item = &'a str>) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Figures, Issued};

    const TEXT: &str = "\
row ptm zero 64 100160 0 64
row ptm W1 1000 93130 2 515
maintenance ptm W1 0 1 1 0 1
done
";

    #[test]
    fn zeroing_is_taken_out_and_can_be_put_back() {
        let figures = Figures::read(TEXT).expect("all lines are right");
        let row = figures.row("ptm", "W1").expect("it is there");
        assert_eq!(figures.zeroing("ptm"), 1565.0);
        assert_eq!(figures.cost("ptm", "W1"), Some(90.0));
        assert_eq!(figures.zeroing_per_unit(row), 3.13);
        assert_eq!(row.frames, 515);
    }

    #[test]
    fn maintenance_is_kept_by_subject_and_workload() {
        let figures = Figures::read(TEXT).expect("all lines are right");
        let one = Issued {
            dsb: 1,
            isb: 1,
            everything: 1,
            ..Issued::default()
        };
        assert_eq!(figures.issued("ptm", "W1"), Some(one));
        assert_eq!(figures.issued("ptm", "W2"), None);
    }

    #[test]
    fn a_line_that_is_not_whole_is_an_error() {
        for line in ["row ptm W1 1 2 3", "row ptm W1 1 2 3 x", "failed: panicked"] {
            assert!(Figures::read(line).is_err(), "{line}");
        }
    }
}
