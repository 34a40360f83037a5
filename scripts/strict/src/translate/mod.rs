//! Translation of addresses: stage 1 of the three regimes, 4 KiB granule (DDI 0487 D5).
//!
//! | module | contents |
//! |---|---|
//! | `attributes` | [`MemoryType`], from a descriptor and MAIR |
//! | `walk` | the walk of a tree, from a root to a [`Leaf`] |
//! | `history` | translations that cores may still use |
//! | `micro` | the translations of ordinary RAM, ready for the next access |

mod attributes;
mod history;
mod micro;
mod walk;

pub(crate) use attributes::MemoryType;
pub(crate) use history::{Candidate, History, Root};
pub(crate) use micro::MicroTlb;
pub(crate) use walk::{Tables, WalkError, has_small_pages, resume, root_level, walk, walk_from};

use crate::registers::Reg;

/// A translation regime of DDI 0487 D5.1.2 without stage 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Regime {
    /// EL1 and EL0: two roots, and permissions for both levels.
    El1,
    /// EL2: one root.
    El2,
    /// EL3: one root.
    El3,
}

impl Regime {
    /// The regime of an exception level, 0 to 3.
    pub(crate) fn of(level: u8) -> Self {
        match level {
            3 => Self::El3,
            2 => Self::El2,
            _ => Self::El1,
        }
    }

    /// SCTLR_ELx, TCR_ELx and MAIR_ELx.
    pub(crate) fn controls(self) -> [Reg; 3] {
        match self {
            Self::El1 => [Reg::SCTLR_EL1, Reg::TCR_EL1, Reg::MAIR_EL1],
            Self::El2 => [Reg::SCTLR_EL2, Reg::TCR_EL2, Reg::MAIR_EL2],
            Self::El3 => [Reg::SCTLR_EL3, Reg::TCR_EL3, Reg::MAIR_EL3],
        }
    }
}

/// The purpose of an access, by which permissions are checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// A load.
    Load,
    /// A store.
    Store,
    /// An instruction fetch.
    Fetch,
}

/// A leaf as it applies to one 4 KiB page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Leaf {
    /// The physical address of the page.
    pub(crate) page: u64,
    /// The memory type, by the descriptor's AttrIndx and MAIR.
    pub(crate) memory: MemoryType,
    /// The byte of MAIR that the descriptor's AttrIndx names.
    pub(crate) attribute: u8,
    /// SH: 0 none, 2 outer, 3 inner shareable.
    pub(crate) shareability: u8,
    /// The level of the leaf, 1 to 3; 0 while the MMU is off.
    pub(crate) level: u8,
    /// Whether the descriptor is tagged with an ASID (nG).
    pub(crate) tagged: bool,
    /// May EL1 (or the regime's own level) store?
    pub(crate) writable: bool,
    /// May EL0 load, and store if `writable`?
    pub(crate) user: bool,
    /// May EL1 (or the regime's own level) execute?
    pub(crate) executable: bool,
    /// May EL0 execute?
    pub(crate) user_executable: bool,
}

impl Leaf {
    /// Whether an access at exception level `level` is permitted; `wxn` is SCTLR.WXN.
    pub(crate) fn permits(&self, purpose: Purpose, user: bool, wxn: bool) -> bool {
        let user_writable = self.user && self.writable;
        if self.level == 0 {
            return true;
        }
        match (purpose, user) {
            (Purpose::Load, false) => true,
            (Purpose::Load, true) => self.user,
            (Purpose::Store, false) => self.writable,
            (Purpose::Store, true) => user_writable,
            // What EL0 may write EL1 never executes (D5.4.5, "Preventing execution").
            (Purpose::Fetch, false) => self.executable && !user_writable && !(wxn && self.writable),
            (Purpose::Fetch, true) => self.user_executable && !(wxn && user_writable),
        }
    }
}

/// A fault of the translation or of the access, by its fault status code (DDI 0487 D24.2.40, DFSC).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The output address is too large; the number is the level.
    AddressSize(u8),
    /// No valid descriptor at this level.
    Translation(u8),
    /// The access flag of the leaf at this level is 0.
    AccessFlag(u8),
    /// The leaf at this level does not permit the access.
    Permission(u8),
    /// An external abort of the access itself.
    External,
    /// An external abort of a table's read, at this level.
    ExternalWalk(u8),
    /// The address is not aligned.
    Alignment,
    /// An exclusive access to memory that is not cached.
    UnsupportedExclusive,
}

impl Fault {
    /// The fault status code, bits 5:0 of the syndrome.
    pub(crate) fn status(self) -> u32 {
        match self {
            Self::AddressSize(level) => u32::from(level),
            Self::Translation(level) => 0b00_0100 | u32::from(level),
            Self::AccessFlag(level) => 0b00_1000 | u32::from(level),
            Self::Permission(level) => 0b00_1100 | u32::from(level),
            Self::External => 0b01_0000,
            Self::ExternalWalk(level) => 0b01_0100 | u32::from(level),
            Self::Alignment => 0b10_0001,
            Self::UnsupportedExclusive => 0b11_0101,
        }
    }
}

/// The translation of an address while the regime's MMU is off (DDI 0487 D5.2.9): the address
/// itself, data as Device-nGnRnE, instructions as Normal.
pub(crate) fn flat(address: u64, purpose: Purpose) -> Result<Leaf, Fault> {
    const PHYSICAL_BITS: u32 = 40;
    if address >> PHYSICAL_BITS != 0 {
        return Err(Fault::AddressSize(0));
    }
    let memory = match purpose {
        Purpose::Fetch => MemoryType::WriteBack,
        Purpose::Load | Purpose::Store => MemoryType::DEVICE_STRONG,
    };
    Ok(Leaf {
        page: address & !0xfff,
        memory,
        attribute: 0,
        shareability: 2,
        level: 0,
        tagged: false,
        writable: true,
        user: true,
        executable: true,
        user_executable: true,
    })
}

/// The ASID that tags non-global translations: TCR_EL1.A1 names the root register that holds it, and
/// TCR_EL1.AS its size.
pub(crate) fn asid(tcr: u64, ttbr0: u64, ttbr1: u64) -> u16 {
    let root = match tcr >> 22 & 1 {
        0 => ttbr0,
        _ => ttbr1,
    };
    let asid = (root >> 48) as u16;
    match tcr >> 36 & 1 {
        0 => asid & 0xff,
        _ => asid,
    }
}
