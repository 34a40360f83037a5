//! The reach of a TLB invalidation: DDI 0487 D5.10.2, C5.5.

use a64::system::Operation;

use super::old::{CoreSet, Old};

/// The addresses and tags that one TLBI covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// The whole EL1&0 regime.
    Whole,
    /// What is tagged with an ASID.
    Asid(u16),
    /// One page.
    Page {
        /// The page's number: bits 55:12 of the address.
        page: u64,
        /// The tag; none for every ASID. Global translations are covered with any.
        asid: Option<u16>,
        /// Leaves alone, not the tables that lead to them.
        last_level: bool,
    },
}

/// A TLB invalidation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Scope {
    /// The cores whose TLBs it reaches.
    pub(super) cores: CoreSet,
    pub(super) reach: Reach,
}

/// The bits of the operand that have the page's number.
const PAGE: u64 = (1 << 44) - 1;

impl Scope {
    /// The scope of an operation of `core` with its operand; none if it is of another regime.
    pub(super) fn of(core: usize, operation: Operation, operand: u64) -> Option<Self> {
        let [op1, _, crm, op2] = operation.fields();
        let cores = match crm {
            3 => CoreSet::ALL,
            7 => CoreSet::only(core),
            _ => return None,
        };
        let asid = (operand >> 48) as u16;
        let page = |asid, last_level| Reach::Page {
            page: operand & PAGE,
            asid,
            last_level,
        };
        let reach = match (op1, op2) {
            (0, 0) | (4, 4 | 6) => Reach::Whole,
            (0, 1) => page(Some(asid), false),
            (0, 2) => Reach::Asid(asid),
            (0, 3) => page(None, false),
            (0, 5) => page(Some(asid), true),
            (0, 7) => page(None, true),
            _ => return None,
        };
        Some(Self { cores, reach })
    }

    /// Whether the operation stays within one core.
    pub(super) fn is_local(&self) -> bool {
        self.cores != CoreSet::ALL
    }

    /// Whether the invalidation removes an old translation from the TLBs that it reaches.
    pub(super) fn covers(&self, old: &Old) -> bool {
        match self.reach {
            Reach::Whole => true,
            Reach::Asid(asid) => old.asid == Some(asid),
            Reach::Page {
                page,
                asid,
                last_level,
            } => {
                let first = old.first >> 12 & PAGE;
                let last = old.last >> 12 & PAGE;
                let tagged = match (old.asid, asid) {
                    (Some(old), Some(asid)) => old == asid,
                    _ => true,
                };
                (first..=last).contains(&page) && tagged && (old.is_leaf() || !last_level)
            }
        }
    }

    /// Whether the invalidation removes what a core may have translated from a former root.
    pub(super) fn covers_root(&self, asid: u16) -> bool {
        match self.reach {
            Reach::Whole => true,
            Reach::Asid(own) => own == asid,
            Reach::Page { .. } => false,
        }
    }
}
