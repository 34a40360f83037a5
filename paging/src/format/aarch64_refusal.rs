//! Why the MMU refuses an access: what in a descriptor stops a walk, in the manual's terms.
//!
//! Written for whoever explains a fault: it judges one descriptor at a time, the way the hardware
//! does on its walk from the root, for accesses from EL1 and EL0 with SCTLR_EL1.WXN set.
//! Source: DDI 0487 D8.3 (descriptors), D8.4 (permissions), D8.15.3 (priority of faults).
#![forbid(unsafe_code)]

use core::fmt;

use super::aarch64::A64PTE;
use crate::GenericPTE;

/// An access, the kind of which decides what in a descriptor can refuse it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// A load from the address.
    Read,
    /// A store to the address.
    Write,
    /// An instruction fetch from the address.
    Execute,
}

/// The exception level of an access. One page has rights for each: `AP[2:1]` and PXN decide for the
/// kernel, `AP[2:1]` and UXN for user code (DDI 0487 D8.4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// The kernel.
    El1,
    /// User code.
    El0,
}

/// The field of a descriptor that refuses an access; of several, the one whose fault has priority
/// (DDI 0487 D8.15.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Bit 0 is clear: a translation fault at this level.
    Invalid,
    /// Bits 1:0 have a value that is reserved at this level, a block at level 0 or 3: a translation
    /// fault.
    Reserved,
    /// The output address has bits that the core does not have (from bit 40 on with a Cortex-A53):
    /// an address size fault.
    AddressSize,
    /// AF, bit 10, is clear, and the core does not set it: an access flag fault.
    AccessFlag,
    /// AP\[1\], bit 6, is clear: a load or store at EL0 is a permission fault.
    NotUser,
    /// AP\[2\], bit 7, is set: a store is a permission fault.
    ReadOnly,
    /// PXN, bit 53, is set, or UXN, bit 54, at EL0: a fetch is a permission fault.
    ExecuteNever,
    /// EL1 may write it, and what is writable is not executable with SCTLR_EL1.WXN: a permission
    /// fault.
    Writable,
    /// EL0 may write it, and that EL1 never executes, whatever WXN says (DDI 0487 D8.4.1): a
    /// permission fault.
    UserWritable,
    /// Of a table: APTable\[0\] takes every right to load and store at EL0 from everything below.
    TableNotUser,
    /// Of a table: APTable\[1\] takes the right to write from everything below.
    TableReadOnly,
    /// Of a table: PXNTable, or UXNTable for EL0, takes the right to execute from everything below.
    TableExecuteNever,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::Reserved => "a reserved encoding",
            Self::AddressSize => "the address is too large",
            Self::AccessFlag => "access flag clear",
            Self::NotUser => "not for EL0",
            Self::ReadOnly => "read-only",
            Self::ExecuteNever => "execute-never",
            Self::Writable => "writable, and so execute-never",
            Self::UserWritable => "writable from EL0, and so execute-never",
            Self::TableNotUser => "not for EL0 by its table",
            Self::TableReadOnly => "read-only by its table",
            Self::TableExecuteNever => "execute-never by its table",
        })
    }
}

const AP_EL0: u64 = 1 << 6;
const AP_READ_ONLY: u64 = 1 << 7;
const ACCESS_FLAG: u64 = 1 << 10;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
pub(super) const PXN_TABLE: u64 = 1 << 59;
pub(super) const UXN_TABLE: u64 = 1 << 60;
pub(super) const AP_TABLE_NO_EL0: u64 = 1 << 61;
pub(super) const AP_TABLE_READ_ONLY: u64 = 1 << 62;

/// The reason for which `entry`, found at `level` (0 to 3) by a core with `pa_bits` of physical
/// address, refuses `attempt` by `privilege`; `None`: the walk goes on, or the leaf allows it.
#[must_use]
pub fn refusal(
    entry: A64PTE,
    level: usize,
    attempt: Attempt,
    privilege: Privilege,
    pa_bits: usize,
) -> Option<Refusal> {
    let bits = entry.bits();
    let is_table = match (level, bits & 0b11) {
        (_, 0b00 | 0b10) => return Some(Refusal::Invalid),
        (0..=2, 0b11) => true,
        (1 | 2, 0b01) | (3, 0b11) => false,
        _ => return Some(Refusal::Reserved),
    };
    if entry.paddr().as_usize() >> pa_bits != 0 {
        return Some(Refusal::AddressSize);
    }
    if is_table {
        table_refusal(bits, attempt, privilege)
    } else {
        leaf_refusal(bits, attempt, privilege)
    }
}

/// The reason for which a table refuses `attempt` to everything below (DDI 0487 D8.4.2,
/// hierarchical control).
fn table_refusal(bits: u64, attempt: Attempt, privilege: Privilege) -> Option<Refusal> {
    let set = |bit: u64| bits & bit != 0;
    let never = match privilege {
        Privilege::El1 => PXN_TABLE,
        Privilege::El0 => UXN_TABLE,
    };
    match attempt {
        Attempt::Execute => set(never).then_some(Refusal::TableExecuteNever),
        Attempt::Read | Attempt::Write if privilege == Privilege::El0 && set(AP_TABLE_NO_EL0) => {
            Some(Refusal::TableNotUser)
        }
        Attempt::Write => set(AP_TABLE_READ_ONLY).then_some(Refusal::TableReadOnly),
        Attempt::Read => None,
    }
}

/// The reason for which a leaf itself refuses `attempt`.
fn leaf_refusal(bits: u64, attempt: Attempt, privilege: Privilege) -> Option<Refusal> {
    let set = |bit: u64| bits & bit != 0;
    if !set(ACCESS_FLAG) {
        return Some(Refusal::AccessFlag);
    }
    match (attempt, privilege) {
        (Attempt::Read | Attempt::Write, Privilege::El0) if !set(AP_EL0) => Some(Refusal::NotUser),
        (Attempt::Read, _) => None,
        (Attempt::Write, _) => set(AP_READ_ONLY).then_some(Refusal::ReadOnly),
        (Attempt::Execute, Privilege::El1) if set(PXN) => Some(Refusal::ExecuteNever),
        (Attempt::Execute, Privilege::El0) if set(UXN) => Some(Refusal::ExecuteNever),
        (Attempt::Execute, _) if set(AP_READ_ONLY) => None,
        (Attempt::Execute, Privilege::El1) if set(AP_EL0) => Some(Refusal::UserWritable),
        // EL0 fetches from what it can neither load nor store: execute-only.
        (Attempt::Execute, Privilege::El0) if !set(AP_EL0) => None,
        (Attempt::Execute, _) => Some(Refusal::Writable),
    }
}

/// Values worked out from the manual's tables.
#[cfg(test)]
mod tests {
    use super::{Attempt, Privilege, Refusal, refusal};
    use crate::GenericPTE;
    use crate::format::aarch64::A64PTE;
    use std::string::ToString;

    /// A valid page: AF, inner shareable, AttrIndx 4.
    const PAGE: u64 = 0x713;

    fn judge(bits: u64, level: usize, attempt: Attempt) -> Option<Refusal> {
        judge_for(Privilege::El1, bits, level, attempt)
    }

    fn judge_for(
        privilege: Privilege,
        bits: u64,
        level: usize,
        attempt: Attempt,
    ) -> Option<Refusal> {
        refusal(A64PTE::from_bits(bits), level, attempt, privilege, 40)
    }

    /// DDI 0487 D8.4.1: the rows of the table of data access permissions, and of execution.
    #[test]
    fn user_code_has_rights_of_its_own() {
        use Attempt::{Execute, Read, Write};
        const UXN: u64 = 1 << 54;
        const USER: u64 = 1 << 6;
        const READ_ONLY: u64 = 1 << 7;
        for (bits, attempt, expected) in [
            (PAGE, Read, Some(Refusal::NotUser)),
            (PAGE, Write, Some(Refusal::NotUser)),
            (PAGE, Execute, None),
            (PAGE | UXN, Execute, Some(Refusal::ExecuteNever)),
            (PAGE | USER, Read, None),
            (PAGE | USER, Write, None),
            (PAGE | USER, Execute, Some(Refusal::Writable)),
            (PAGE | USER | READ_ONLY, Read, None),
            (PAGE | USER | READ_ONLY, Write, Some(Refusal::ReadOnly)),
            (PAGE | USER | READ_ONLY, Execute, None),
            (
                PAGE | USER | READ_ONLY | UXN,
                Execute,
                Some(Refusal::ExecuteNever),
            ),
            (PAGE | READ_ONLY, Write, Some(Refusal::NotUser)),
            (PAGE & !0x400, Read, Some(Refusal::AccessFlag)),
        ] {
            let judged = judge_for(Privilege::El0, bits, 3, attempt);
            assert_eq!(judged, expected, "{bits:#x} {attempt:?}");
        }
        for (bits, attempt, expected) in [
            (1 << 61, Read, Some(Refusal::TableNotUser)),
            (1 << 61, Write, Some(Refusal::TableNotUser)),
            (1 << 61, Execute, None),
            (1 << 60, Execute, Some(Refusal::TableExecuteNever)),
            (1 << 60, Read, None),
            (1 << 59, Execute, None),
            (1 << 62, Write, Some(Refusal::TableReadOnly)),
        ] {
            let table = bits | 0x1003;
            assert_eq!(judge_for(Privilege::El0, table, 1, attempt), expected);
        }
        // The controls of EL0 alone do not concern the kernel.
        assert_eq!(judge(1 << 61 | 1 << 60 | 0x1003, 1, Attempt::Execute), None);
        assert_eq!(judge(PAGE | UXN, 3, Attempt::Write), None);
    }

    #[test]
    fn what_stops_a_walk_is_named() {
        for level in 0..4 {
            assert_eq!(judge(0, level, Attempt::Read), Some(Refusal::Invalid));
            assert_eq!(judge(0b10, level, Attempt::Read), Some(Refusal::Invalid));
        }
        for level in [0, 3] {
            assert_eq!(judge(0b01, level, Attempt::Read), Some(Refusal::Reserved));
        }
        for level in 0..3 {
            assert_eq!(judge(0x1003, level, Attempt::Write), None);
        }
        let far = 1 << 40 | PAGE;
        assert_eq!(judge(far, 3, Attempt::Read), Some(Refusal::AddressSize));
        assert_eq!(judge(far, 1, Attempt::Read), Some(Refusal::AddressSize));
    }

    #[test]
    fn what_a_leaf_refuses_is_named() {
        use Attempt::{Execute, Read, Write};
        const PXN: u64 = 1 << 53;
        for (bits, attempt, expected) in [
            (PAGE, Read, None),
            (PAGE, Write, None),
            (PAGE, Execute, Some(Refusal::Writable)),
            (PAGE | PXN, Execute, Some(Refusal::ExecuteNever)),
            (PAGE | 1 << 7, Execute, None),
            (PAGE | 1 << 7, Write, Some(Refusal::ReadOnly)),
            (PAGE | 1 << 7 | PXN, Execute, Some(Refusal::ExecuteNever)),
            (PAGE | 1 << 6, Execute, Some(Refusal::UserWritable)),
            (PAGE & !0x400, Read, Some(Refusal::AccessFlag)),
            // The access flag comes before the permissions.
            (PAGE & !0x400 | 1 << 7, Write, Some(Refusal::AccessFlag)),
        ] {
            assert_eq!(judge(bits, 3, attempt), expected, "{bits:#x} {attempt:?}");
            let block = bits & !0b10;
            assert_eq!(judge(block, 2, attempt), expected, "{block:#x} {attempt:?}");
        }
    }

    #[test]
    fn a_table_can_take_rights_from_what_is_below() {
        let read_only = 1 << 62 | 0x1003;
        let never = 1 << 59 | 0x1003;
        assert_eq!(judge(read_only, 1, Attempt::Read), None);
        let refused = judge(read_only, 1, Attempt::Write);
        assert_eq!(refused, Some(Refusal::TableReadOnly));
        let refused = judge(never, 2, Attempt::Execute);
        assert_eq!(refused, Some(Refusal::TableExecuteNever));
        assert_eq!(judge(never, 2, Attempt::Write), None);
        // In a leaf those bits mean nothing.
        assert_eq!(judge(1 << 62 | PAGE, 3, Attempt::Write), None);
    }

    #[test]
    fn reasons_are_words() {
        assert_eq!(Refusal::AccessFlag.to_string(), "access flag clear");
        assert_eq!(Refusal::ReadOnly.to_string(), "read-only");
    }
}
