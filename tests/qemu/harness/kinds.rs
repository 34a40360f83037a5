//! The kinds of `fault`, as the kernel lists them: tests have no list of their own.

/// A kind of fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FaultKind {
    /// As it is typed.
    pub(crate) name: String,
    /// What is done, and what becomes of the kernel.
    pub(crate) what: String,
}

impl FaultKind {
    /// Whether the kernel goes on afterwards, in every image.
    pub(crate) fn goes_on(&self) -> bool {
        !["; ends the run", "; needs a debug image"]
            .iter()
            .any(|ending| self.what.contains(ending))
    }
}

/// The kinds in the output of `fault` or `help fault`: a name in 19 columns, then what is done.
#[track_caller]
pub(crate) fn fault_kinds(output: &str) -> Vec<FaultKind> {
    let entry = |line: &str| {
        let (name, what) = line.strip_prefix("  ")?.split_at_checked(NAME_COLUMNS)?;
        let name = name.trim_end();
        let is_name = !name.is_empty() && !name.contains(' ');
        let (name, what) = (name.to_owned(), what.trim().to_owned());
        is_name.then_some(FaultKind { name, what })
    };
    let kinds: Vec<_> = output.lines().filter_map(entry).collect();
    assert!(!kinds.is_empty(), "no kind of fault in {output}");
    kinds
}

/// Columns of a name.
const NAME_COLUMNS: usize = 19;
