//! The workloads, the limits for this project's cost, and the format of figures.

#![forbid(unsafe_code)]

/// A workload, as the tables show it.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    /// The most instructions per unit that this project may take.
    pub(super) ask: f64,
    /// The maintenance that this project may issue.
    pub(super) maintenance: Maintenance,
}

/// The barriers and TLB invalidations that a workload may issue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Maintenance {
    /// No invalidation: no valid entry changes.
    NoInvalidation,
    /// One invalidation, of everything.
    OneOfEverything,
    /// Barriers for one batch per operation, with any number of invalidations between them.
    OneBatchEach,
    /// No limit.
    Any,
}

pub(super) const WORKLOADS: [Workload; 17] = [
    Workload {
        name: "W1",
        what: "map_region 1 GiB, 4 KiB pages",
        unit: "page",
        ask: 3.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W2",
        what: "map_region 1 GiB, 2 MiB blocks",
        unit: "block",
        ask: 6.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W3",
        what: "query, random addresses",
        unit: "query",
        ask: 56.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W4",
        what: "map, random pages in 256 GiB",
        unit: "page",
        ask: 95.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W5",
        what: "unmap_region of W1",
        unit: "page",
        ask: 0.1,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W6",
        what: "protect_region of W1",
        unit: "page",
        ask: 6.5,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W7",
        what: "the kernel's map from nothing",
        unit: "map",
        ask: 8000.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W8",
        what: "visit every leaf of W1",
        unit: "leaf",
        ask: 4.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W9",
        what: "drop the table of W1",
        unit: "table",
        ask: 32.0,
        maintenance: Maintenance::Any,
    },
    Workload {
        name: "W10",
        what: "map and unmap one page",
        unit: "pair",
        ask: 118.0,
        maintenance: Maintenance::Any,
    },
    Workload {
        name: "W11",
        what: "random regions come and go",
        unit: "region",
        ask: 1250.0,
        maintenance: Maintenance::OneBatchEach,
    },
    Workload {
        name: "W12",
        what: "protect_region_with of W1, mixed",
        unit: "page",
        ask: 16.0,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W13",
        what: "unmap_region_with of W1",
        unit: "page",
        ask: 12.0,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W14",
        what: "map_frames, 512 a call",
        unit: "page",
        ask: 20.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W15",
        what: "update_region_with of W1, a software bit",
        unit: "page",
        ask: 15.0,
        maintenance: Maintenance::NoInvalidation,
    },
    Workload {
        name: "W16",
        what: "test_and_clear_accessed of W1",
        unit: "page",
        ask: 24.0,
        maintenance: Maintenance::OneOfEverything,
    },
    Workload {
        name: "W17",
        what: "swap a page out, and in again",
        unit: "pair",
        ask: 250.0,
        maintenance: Maintenance::Any,
    },
];

/// A figure with as many digits as are significant.
pub(super) fn digits(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 1000.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn small_figures_have_more_digits() {
        assert_eq!(digits(0.0531), "0.05");
        assert_eq!(digits(92.13), "92.1");
        assert_eq!(digits(19_025.4), "19025");
    }
}
