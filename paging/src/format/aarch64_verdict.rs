//! The verdict of a whole walk on an access: allowed or refused, and by which bit of which level.
//!
//! [`refusal`] judges one descriptor. Here the tables' hierarchical controls are put together with
//! the leaf (DDI 0487 D8.4.2): APTable 0b10 above a page with AP 0b01 leaves EL0 the right to read,
//! and it is the table, not the page, that refuses the store.
#![forbid(unsafe_code)]

use core::fmt;

use super::aarch64::A64PTE;
use super::aarch64_bits::{AP_EL0, AP_READ_ONLY, PXN, UXN};
use super::aarch64_refusal::{
    AP_TABLE_NO_EL0, AP_TABLE_READ_ONLY, Attempt, PXN_TABLE, Privilege, Refusal, UXN_TABLE, refusal,
};
use super::aarch64_registers::SCTLR_EL1_WXN;
use super::fields::{AARCH64, Kind};
use crate::GenericPTE;

/// The rights that the tables above a leaf take away from it (DDI 0487 D8.4.2, hierarchical
/// permissions). [`Default`] takes none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TableLimits {
    /// The bits of a leaf that count as 1: `AP[2]` (`APTable[1]`), UXN (UXNTable), PXN (PXNTable).
    set: u64,
    /// The bits of a leaf that count as 0: `AP[1]` (`APTable[0]`).
    clear: u64,
}

impl TableLimits {
    /// These limits and those of the table descriptor `table`, bits 62:59.
    #[must_use]
    pub fn below(self, table: A64PTE) -> Self {
        let when = |bit: u64, effect: u64| if table.bits() & bit != 0 { effect } else { 0 };
        Self {
            set: self.set
                | when(AP_TABLE_READ_ONLY, AP_READ_ONLY)
                | when(UXN_TABLE, UXN)
                | when(PXN_TABLE, PXN),
            clear: self.clear | when(AP_TABLE_NO_EL0, AP_EL0),
        }
    }

    /// `leaf` with these limits in its own bits: it grants by itself what it grants below the tables.
    #[must_use]
    pub fn applied_to(self, leaf: A64PTE) -> A64PTE {
        A64PTE::from_bits(leaf.bits() & !self.clear | self.set)
    }
}

impl fmt::Display for TableLimits {
    /// `APTable: no writes, PXNTable`; nothing where nothing is taken away.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (holds, words) in [
            (self.set & AP_READ_ONLY != 0, "APTable: no writes"),
            (self.clear & AP_EL0 != 0, "APTable: nothing for EL0"),
            (self.set & UXN != 0, "UXNTable"),
            (self.set & PXN != 0, "PXNTable"),
        ] {
            if holds {
                write!(f, "{separator}{words}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// Whether an access is allowed, and by what. Prints as `no   L3: AP[2], bit 7, is 1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// The level of the descriptor that decides.
    pub level: usize,
    /// Why the access faults; `None`: it is allowed.
    pub refusal: Option<Refusal>,
    attempt: Attempt,
    privilege: Privilege,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let el0 = self.privilege == Privilege::El0;
        let words = match self.refusal {
            Some(refusal) => refusing_bit(refusal, self.privilege),
            None => match self.attempt {
                Attempt::Read if el0 => "AP[1], bit 6, is 1",
                Attempt::Read => "AF, bit 10, is 1",
                Attempt::Write if el0 => "AP[2:1], bits 7:6, are 01",
                Attempt::Write => "AP[2], bit 7, is 0",
                Attempt::Execute if el0 => "UXN, bit 54, is 0",
                Attempt::Execute => "PXN, bit 53, is 0",
            },
        };
        let answer = if self.refusal.is_none() { "yes" } else { "no" };
        write!(f, "{answer:<3}  L{}: {words}", self.level)
    }
}

/// The bit for which an access by `privilege` is refused, and its value.
const fn refusing_bit(refusal: Refusal, privilege: Privilege) -> &'static str {
    match (refusal, privilege) {
        (Refusal::Invalid, _) => "valid, bit 0, is 0",
        (Refusal::Reserved, _) => "bits 1:0 are 01, reserved at this level",
        (Refusal::AddressSize, _) => "the address, bits 47:12, is larger than the core's",
        (Refusal::AccessFlag, _) => "AF, bit 10, is 0",
        (Refusal::NotUser, _) => "AP[1], bit 6, is 0",
        (Refusal::ReadOnly, _) => "AP[2], bit 7, is 1",
        (Refusal::ExecuteNever, Privilege::El1) => "PXN, bit 53, is 1",
        (Refusal::ExecuteNever, Privilege::El0) => "UXN, bit 54, is 1",
        (Refusal::Writable, _) => "AP[2], bit 7, is 0, and SCTLR_EL1.WXN is 1",
        (Refusal::UserWritable, _) => "AP[2:1], bits 7:6, are 01: EL0 may write",
        (Refusal::TableNotUser, _) => "APTable[0], bit 61, is 1",
        (Refusal::TableReadOnly, _) => "APTable[1], bit 62, is 1",
        (Refusal::TableExecuteNever, Privilege::El1) => "PXNTable, bit 59, is 1",
        (Refusal::TableExecuteNever, Privilege::El0) => "UXNTable, bit 60, is 1",
    }
}

/// The verdict of the descriptors of a walk, root first, on `attempt` by `privilege`; `None` for a
/// walk without descriptors.
///
/// `sctlr` is SCTLR_EL1, of which WXN counts; the core has `pa_bits` of physical address.
#[must_use]
pub fn verdict(
    walk: &[A64PTE],
    attempt: Attempt,
    privilege: Privilege,
    sctlr: u64,
    pa_bits: usize,
) -> Option<Verdict> {
    let of = |level, refusal| Verdict {
        level,
        refusal,
        attempt,
        privilege,
    };
    let judged = |entry, level| refusal(entry, level, attempt, privilege, pa_bits);
    let (last, tables) = walk.split_last()?;
    let level = tables.len();
    let limits = limits(tables);
    let refused = judged(limits.applied_to(*last), level);
    let refused = refused.filter(|by| *by != Refusal::Writable || sctlr & SCTLR_EL1_WXN != 0);
    let Some(refused) = refused else {
        return Some(of(level, None));
    };
    // What ends the walk, or has no rights at all, is not a matter of the tables above.
    let is_walk = matches!(
        refused,
        Refusal::Invalid | Refusal::Reserved | Refusal::AddressSize | Refusal::AccessFlag
    );
    let by_table = tables.iter().enumerate().find_map(|(level, table)| {
        let refused = judged(*table, level)?;
        Some(of(level, Some(refused)))
    });
    Some(match by_table {
        Some(by_table) if !is_walk => by_table,
        _ => of(level, Some(refused)),
    })
}

fn limits(tables: &[A64PTE]) -> TableLimits {
    let none = TableLimits::default();
    tables
        .iter()
        .fold(none, |limits, table| limits.below(*table))
}

/// A bit that would have to be another for EL0 to write, by the level of its descriptor. Prints as
/// `L3: AP[2:1], bits 7:6, are 01`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Needed {
    /// The level of the descriptor.
    pub level: usize,
    /// The value that its bits would have to have, in words.
    pub words: &'static str,
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}: {}", self.level, self.words)
    }
}

/// The bits of a walk, root first, that would have to be others so that EL0 may write: none if it
/// may. A leaf that could be written and executed is not proposed (W^X).
pub fn needed_for_user_write(walk: &[A64PTE]) -> impl Iterator<Item = Needed> {
    let each = walk.iter().enumerate();
    each.flat_map(|(level, entry)| {
        let bits = entry.bits();
        let table = |bit: u64, words| (bits & bit != 0).then_some(Needed { level, words });
        let leaf = |wrong: bool, words| wrong.then_some(Needed { level, words });
        let kind = AARCH64.kind(bits, level);
        let never = PXN | UXN;
        match kind {
            Kind::Invalid | Kind::Reserved => [
                Some(Needed {
                    level,
                    words: missing(level),
                }),
                None,
                None,
            ],
            Kind::Table => [
                table(AP_TABLE_READ_ONLY, "APTable[1], bit 62, is 0"),
                table(AP_TABLE_NO_EL0, "APTable[0], bit 61, is 0"),
                None,
            ],
            Kind::Block | Kind::Page => [
                leaf(
                    bits & (AP_EL0 | AP_READ_ONLY) != AP_EL0,
                    "AP[2:1], bits 7:6, are 01",
                ),
                leaf(
                    refusal(*entry, level, Attempt::Read, Privilege::El1, 48).is_some(),
                    "AF, bit 10, is 1",
                ),
                leaf(
                    bits & never != never,
                    "UXN and PXN, bits 54:53, are 11 (W^X)",
                ),
            ],
        }
    })
    .flatten()
}

/// The descriptor that is missing where an entry at `level` leads nowhere.
const fn missing(level: usize) -> &'static str {
    match level {
        0 => "a table, and below it a block or page with AP[2:1] 01, AF 1",
        1 | 2 => "a table, or a block with AP[2:1] 01, AF 1, UXN 1, PXN 1",
        _ => "a page, bits 1:0 are 11, with AP[2:1] 01, AF 1, UXN 1, PXN 1",
    }
}

#[cfg(test)]
mod tests {
    use super::{TableLimits, needed_for_user_write, verdict};
    use crate::GenericPTE;
    use crate::format::aarch64::A64PTE;
    use crate::format::aarch64_refusal::{Attempt, Privilege};
    use std::string::{String, ToString};
    use std::vec::Vec;

    const WXN: u64 = 1 << 19;
    const TABLE: u64 = 0x1003;
    /// Read and write at EL1 and EL0: AF, inner shareable, AP 01, nG, UXN, PXN.
    const USER: u64 = 0x0060_0000_8000_0f53;
    const TEXT: u64 = 0x0040_0000_0008_4793;

    fn walk(bits: &[u64]) -> Vec<A64PTE> {
        bits.iter().map(|bits| A64PTE::from_bits(*bits)).collect()
    }

    fn said(bits: &[u64], attempt: Attempt, privilege: Privilege, sctlr: u64) -> String {
        let verdict = verdict(&walk(bits), attempt, privilege, sctlr, 40);
        verdict
            .map(|verdict| verdict.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn the_bit_that_decides_is_named() {
        use Attempt::{Execute, Read, Write};
        use Privilege::{El0, El1};
        let page = |bits| [TABLE, TABLE, TABLE, bits];
        for (bits, attempt, privilege, words) in [
            (USER, Read, El1, "yes  L3: AF, bit 10, is 1"),
            (USER, Write, El0, "yes  L3: AP[2:1], bits 7:6, are 01"),
            (USER, Execute, El0, "no   L3: UXN, bit 54, is 1"),
            (TEXT, Execute, El1, "yes  L3: PXN, bit 53, is 0"),
            (TEXT, Write, El1, "no   L3: AP[2], bit 7, is 1"),
            (TEXT, Write, El0, "no   L3: AP[1], bit 6, is 0"),
            (TEXT & !1, Write, El0, "no   L3: valid, bit 0, is 0"),
            (USER & !0x400, Read, El1, "no   L3: AF, bit 10, is 0"),
        ] {
            assert_eq!(said(&page(bits), attempt, privilege, WXN), words);
        }
        assert_eq!(said(&[0], Read, El1, WXN), "no   L0: valid, bit 0, is 0");
        assert_eq!(verdict(&[], Read, El1, WXN, 40), None);
    }

    #[test]
    fn what_is_writable_executes_without_wxn_alone() {
        let writable = [TABLE, TABLE, TABLE, 0x8000_0713];
        let words = |sctlr| said(&writable, Attempt::Execute, Privilege::El1, sctlr);
        assert_eq!(
            words(WXN),
            "no   L3: AP[2], bit 7, is 0, and SCTLR_EL1.WXN is 1"
        );
        assert_eq!(words(0), "yes  L3: PXN, bit 53, is 0");
        // A table that takes the right to write leaves the one to execute.
        let below = [TABLE, TABLE | 1 << 62, TABLE, 0x8000_0713];
        let words = |attempt| said(&below, attempt, Privilege::El1, WXN);
        assert_eq!(words(Attempt::Execute), "yes  L3: PXN, bit 53, is 0");
        assert_eq!(words(Attempt::Write), "no   L1: APTable[1], bit 62, is 1");
    }

    #[test]
    fn tables_take_rights_away_and_add_up() {
        let none = TableLimits::default();
        let below = |limits: TableLimits, bits| limits.below(A64PTE::from_bits(bits));
        let all = below(below(none, 0b0011 << 59), 0b1100 << 59);
        assert_eq!(
            all.to_string(),
            "APTable: no writes, APTable: nothing for EL0, UXNTable, PXNTable"
        );
        assert_eq!(none.to_string(), "");
        assert_eq!(below(none, TABLE), none);
        let left = below(none, 1 << 62).applied_to(A64PTE::from_bits(USER));
        assert_eq!(left.rights().to_string(), "kernel r--, user r--");
    }

    #[test]
    fn what_el0_lacks_to_write_is_listed() {
        let lacks = |bits: &[u64]| -> Vec<String> {
            let walk = walk(bits);
            needed_for_user_write(&walk)
                .map(|needed| needed.to_string())
                .collect()
        };
        assert_eq!(lacks(&[TABLE, TABLE, TABLE, USER]), [""; 0]);
        assert_eq!(
            lacks(&[TABLE, TABLE | 1 << 61, TABLE, TEXT & !0x400]),
            [
                "L1: APTable[0], bit 61, is 0",
                "L3: AP[2:1], bits 7:6, are 01",
                "L3: AF, bit 10, is 1",
                "L3: UXN and PXN, bits 54:53, are 11 (W^X)",
            ]
        );
        assert_eq!(
            lacks(&[TABLE, TABLE, 0]),
            ["L2: a table, or a block with AP[2:1] 01, AF 1, UXN 1, PXN 1"]
        );
    }
}
