//! ESR_EL1 in the manual's words. Source: DDI 0487 D24.2.40 (ESR_EL1).
#![forbid(unsafe_code)]

use core::fmt;

/// The value of ESR_EL1 at an exception. 0x9600_0045, for example, is a store of the kernel's (EC
/// 0x25, WnR) that met a translation fault at level 1 (DFSC 0x05). Later exceptions overwrite the
/// register: the value is the trap frame's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Syndrome(u64);

/// ESR_EL1.EC, as far as a kernel at EL1 on Armv8.0 can see one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExceptionClass {
    /// 0x00: nothing else fits; an undefined instruction.
    Unknown,
    /// 0x01: a trapped WFI or WFE.
    WaitTrap,
    /// 0x07: floating point or SIMD while they are off.
    FloatingPoint,
    /// 0x0e: PSTATE.IL was set.
    IllegalState,
    /// 0x15: SVC in AArch64.
    Svc,
    /// 0x18: a trapped system register access.
    SystemRegister,
    /// 0x20 and 0x21: a fetch that failed, from a lower level or from here.
    InstructionAbort,
    /// 0x22: the program counter is not a multiple of 4.
    PcAlignment,
    /// 0x24 and 0x25: a load or store that failed, from a lower level or from here.
    DataAbort,
    /// 0x26: the stack pointer is not a multiple of 16.
    SpAlignment,
    /// 0x2f: an error that the memory system reports late (SError).
    SError,
    /// 0x30 to 0x35: breakpoint, step, watchpoint.
    Debug,
    /// 0x3c: BRK in AArch64.
    Brk,
    /// Any other value of EC.
    Other(u8),
}

/// ISS.DFSC or IFSC: why an access failed. The level is the one whose descriptor decided, 0 for the
/// root to 3 for a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The output or table address is too large, at this level.
    AddressSize(u8),
    /// No valid descriptor, at this level.
    Translation(u8),
    /// The access flag is clear, at this level.
    AccessFlag(u8),
    /// The descriptor forbids it, at this level.
    Permission(u8),
    /// The memory system refused it.
    External,
    /// The memory system refused a table walk, at this level.
    ExternalOnWalk(u8),
    /// Alignment fault: by the memory type or SCTLR_EL1.A.
    Alignment,
    /// Conflicting entries in the TLB.
    TlbConflict,
    /// Exclusive or atomic access to memory that has none.
    UnsupportedExclusive,
    /// Any other fault status code.
    Other(u8),
}

impl Syndrome {
    /// Wraps a value of ESR_EL1. No value is refused: a class that is not known here is
    /// [`ExceptionClass::Other`].
    #[must_use]
    pub const fn new(esr: u64) -> Self {
        Self(esr)
    }

    /// The value of ESR_EL1 as it was wrapped, for a report that prints it beside the words.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The exception class: EC, bits 31:26. 0x9600_0045 has 0x25, [`ExceptionClass::DataAbort`];
    /// 0x24, which is that of EL0, is as well.
    #[must_use]
    pub const fn class(self) -> ExceptionClass {
        match ((self.0 >> 26) & 0x3f) as u8 {
            0x00 => ExceptionClass::Unknown,
            0x01 => ExceptionClass::WaitTrap,
            0x07 => ExceptionClass::FloatingPoint,
            0x0e => ExceptionClass::IllegalState,
            0x15 => ExceptionClass::Svc,
            0x18 => ExceptionClass::SystemRegister,
            0x20 | 0x21 => ExceptionClass::InstructionAbort,
            0x22 => ExceptionClass::PcAlignment,
            0x24 | 0x25 => ExceptionClass::DataAbort,
            0x26 => ExceptionClass::SpAlignment,
            0x2f => ExceptionClass::SError,
            0x30..=0x35 => ExceptionClass::Debug,
            0x3c => ExceptionClass::Brk,
            other => ExceptionClass::Other(other),
        }
    }

    /// Why an aborted access failed (ISS bits 5:0); `None` for other classes, whose ISS has another
    /// meaning: an SError has no status that is decoded here.
    #[must_use]
    pub const fn fault(self) -> Option<Fault> {
        if !matches!(
            self.class(),
            ExceptionClass::InstructionAbort | ExceptionClass::DataAbort
        ) {
            return None;
        }
        Some(Fault::from_status((self.0 & 0x3f) as u8))
    }

    /// Whether the access of a data abort was a store (ISS.WnR); cache maintenance counts as one.
    #[must_use]
    pub const fn is_write(self) -> bool {
        matches!(self.class(), ExceptionClass::DataAbort) && self.0 & (1 << 6) != 0
    }

    /// Whether the map refused an access that the kernel itself made: a translation, access flag or
    /// permission fault, taken from this level.
    #[inline]
    #[must_use]
    pub const fn is_refused_by_map(self) -> bool {
        let status = self.0 & 0x3f;
        matches!((self.0 >> 26) & 0x3f, 0x21 | 0x25) && matches!(status >> 2, 0b01..=0b11)
    }

    /// Whether the access of a data abort was cache maintenance or address translation (ISS.CM).
    #[must_use]
    pub const fn is_cache_maintenance(self) -> bool {
        matches!(self.class(), ExceptionClass::DataAbort) && self.0 & (1 << 8) != 0
    }

    /// Whether FAR_EL1 holds the address (ISS.FnV is clear in aborts; alignment of the PC too).
    #[must_use]
    pub const fn has_address(self) -> bool {
        match self.class() {
            ExceptionClass::InstructionAbort | ExceptionClass::DataAbort => self.0 & (1 << 10) == 0,
            ExceptionClass::PcAlignment => true,
            _ => false,
        }
    }

    /// The immediate of BRK or SVC, ISS bits 15:0. The caller has looked at the class: in any other
    /// these bits mean something else.
    #[must_use]
    pub const fn immediate(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

impl Syndrome {
    /// Every word that [`kind`](Self::kind) returns.
    pub const KINDS: [&'static str; 18] = [
        "translation",
        "permission",
        "access-flag",
        "alignment",
        "address-size",
        "external",
        "tlb-conflict",
        "exclusive",
        "undefined",
        "brk",
        "svc",
        "pc-alignment",
        "sp-alignment",
        "illegal-state",
        "floating-point",
        "trap",
        "debug",
        "other",
    ];

    /// The kind of exception in one word: of an abort why the access failed, of another exception
    /// its class. 0x9600_0045, a store that met a translation fault, is `translation`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        if let Some(fault) = self.fault() {
            return fault.kind();
        }
        match self.class() {
            ExceptionClass::Unknown => "undefined",
            ExceptionClass::Brk => "brk",
            ExceptionClass::Svc => "svc",
            ExceptionClass::PcAlignment => "pc-alignment",
            ExceptionClass::SpAlignment => "sp-alignment",
            ExceptionClass::IllegalState => "illegal-state",
            ExceptionClass::FloatingPoint => "floating-point",
            ExceptionClass::WaitTrap | ExceptionClass::SystemRegister => "trap",
            ExceptionClass::Debug => "debug",
            ExceptionClass::InstructionAbort
            | ExceptionClass::DataAbort
            | ExceptionClass::SError
            | ExceptionClass::Other(_) => "other",
        }
    }
}

impl Fault {
    /// Its kind in one word, a [`Syndrome::KINDS`].
    const fn kind(self) -> &'static str {
        match self {
            Self::Translation(_) => "translation",
            Self::Permission(_) => "permission",
            Self::AccessFlag(_) => "access-flag",
            Self::Alignment => "alignment",
            Self::AddressSize(_) => "address-size",
            Self::External | Self::ExternalOnWalk(_) => "external",
            Self::TlbConflict => "tlb-conflict",
            Self::UnsupportedExclusive => "exclusive",
            Self::Other(_) => "other",
        }
    }

    /// The level whose descriptor decided, 0 to 3; `None` where the fault status has none.
    #[must_use]
    pub const fn level(self) -> Option<u8> {
        match self {
            Self::AddressSize(level)
            | Self::Translation(level)
            | Self::AccessFlag(level)
            | Self::Permission(level)
            | Self::ExternalOnWalk(level) => Some(level),
            Self::External
            | Self::Alignment
            | Self::TlbConflict
            | Self::UnsupportedExclusive
            | Self::Other(_) => None,
        }
    }

    /// Decodes the six bits of DFSC, IFSC or PAR_EL1.FST: 0x07 is a translation fault at level 3. A
    /// value of more than six bits is [`Fault::Other`].
    #[must_use]
    pub const fn from_status(status: u8) -> Self {
        let level = status & 0b11;
        match status {
            0b00_0000..=0b00_0011 => Self::AddressSize(level),
            0b00_0100..=0b00_0111 => Self::Translation(level),
            0b00_1001..=0b00_1011 => Self::AccessFlag(level),
            0b00_1101..=0b00_1111 => Self::Permission(level),
            0b01_0000 => Self::External,
            0b01_0100..=0b01_0111 => Self::ExternalOnWalk(level),
            0b10_0001 => Self::Alignment,
            0b11_0000 => Self::TlbConflict,
            0b11_0101 => Self::UnsupportedExclusive,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressSize(level) => write!(f, "address size fault, level {level}"),
            Self::Translation(level) => write!(f, "translation fault, level {level}"),
            Self::AccessFlag(level) => write!(f, "access flag fault, level {level}"),
            Self::Permission(level) => write!(f, "permission fault, level {level}"),
            Self::External => f.write_str("synchronous external abort"),
            Self::ExternalOnWalk(level) => {
                write!(f, "synchronous external abort on table walk, level {level}")
            }
            Self::Alignment => f.write_str("alignment fault"),
            Self::TlbConflict => f.write_str("TLB conflict abort"),
            Self::UnsupportedExclusive => f.write_str("unsupported exclusive access"),
            Self::Other(status) => write!(f, "fault status {status:#04x}"),
        }
    }
}

impl fmt::Display for Syndrome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            ExceptionClass::Unknown => f.write_str("undefined instruction"),
            ExceptionClass::WaitTrap => f.write_str("trapped WFI or WFE"),
            ExceptionClass::FloatingPoint => f.write_str("floating point or SIMD while off"),
            ExceptionClass::IllegalState => f.write_str("illegal execution state"),
            ExceptionClass::Svc => write!(f, "SVC #{:#x}", self.immediate()),
            ExceptionClass::SystemRegister => f.write_str("trapped system register access"),
            ExceptionClass::InstructionAbort => f.write_str("instruction abort"),
            ExceptionClass::PcAlignment => f.write_str("PC alignment fault"),
            ExceptionClass::DataAbort => f.write_str(if self.is_write() {
                "data abort on a write"
            } else {
                "data abort on a read"
            }),
            ExceptionClass::SpAlignment => f.write_str("SP alignment fault"),
            ExceptionClass::SError => f.write_str("SError"),
            ExceptionClass::Debug => f.write_str("debug exception"),
            ExceptionClass::Brk => write!(f, "BRK #{:#x}", self.immediate()),
            ExceptionClass::Other(class) => write!(f, "exception class {class:#04x}"),
        }?;
        match self.fault() {
            Some(fault) => write!(f, ": {fault}"),
            None => Ok(()),
        }
    }
}

/// Values worked out from the manual's tables: EC << 26 | IL (bit 25) | ISS.
#[cfg(test)]
mod tests {
    use super::{ExceptionClass, Fault, Syndrome};
    use std::string::ToString;

    #[test]
    fn what_the_map_refuses_is_told_from_all_other_exceptions() {
        for class in 0..64_u64 {
            for iss in 0..1 << 7 {
                let syndrome = Syndrome::new(class << 26 | 1 << 25 | iss);
                let own = class == 0x21 || class == 0x25;
                // Level 0 of the last two is reserved: no core of this architecture version says
                // it.
                let refused = match syndrome.fault() {
                    Some(Fault::Translation(_) | Fault::AccessFlag(_) | Fault::Permission(_)) => {
                        own
                    }
                    _ => own && matches!(iss & 0x3f, 0b00_1000 | 0b00_1100),
                };
                assert_eq!(syndrome.is_refused_by_map(), refused, "{class:#x} {iss:#x}");
            }
        }
    }

    #[test]
    fn cache_maintenance_is_told_from_stores() {
        let store = Syndrome::new(0x25 << 26 | 1 << 25 | 1 << 6 | 0b00_0111);
        let maintenance = Syndrome::new(store.value() | 1 << 8);
        assert!(store.is_write() && !store.is_cache_maintenance());
        assert!(maintenance.is_write() && maintenance.is_cache_maintenance());
        assert!(!Syndrome::new(0x21 << 26 | 1 << 8).is_cache_maintenance());
    }

    #[test]
    fn a_store_to_text_is_a_permission_fault_at_level_3() {
        let syndrome = Syndrome::new(0x9600_004f);
        assert_eq!(syndrome.class(), ExceptionClass::DataAbort);
        assert_eq!(syndrome.fault(), Some(Fault::Permission(3)));
        assert!(syndrome.is_write() && syndrome.has_address());
        assert_eq!(
            syndrome.to_string(),
            "data abort on a write: permission fault, level 3"
        );
    }

    #[test]
    fn a_null_read_without_a_low_half_is_a_translation_fault_at_level_0() {
        assert_eq!(
            Syndrome::new(0x9600_0004).to_string(),
            "data abort on a read: translation fault, level 0"
        );
    }

    #[test]
    fn a_fetch_from_data_is_an_instruction_abort() {
        let syndrome = Syndrome::new(0x8600_000f);
        assert_eq!(
            syndrome.to_string(),
            "instruction abort: permission fault, level 3"
        );
        assert!(!syndrome.is_write());
    }

    #[test]
    fn each_fault_status_has_its_own_words() {
        let status = |dfsc: u64| Syndrome::new(0x9600_0000 | dfsc).fault().unwrap();
        assert_eq!(status(0x00), Fault::AddressSize(0));
        assert_eq!(status(0x07), Fault::Translation(3));
        assert_eq!(status(0x08), Fault::Other(0x08));
        assert_eq!(status(0x0b), Fault::AccessFlag(3));
        assert_eq!(status(0x0c), Fault::Other(0x0c));
        assert_eq!(status(0x0d), Fault::Permission(1));
        assert_eq!(status(0x10), Fault::External);
        assert_eq!(status(0x15), Fault::ExternalOnWalk(1));
        assert_eq!(status(0x21), Fault::Alignment);
        assert_eq!(status(0x30), Fault::TlbConflict);
        assert_eq!(status(0x35), Fault::UnsupportedExclusive);
    }

    #[test]
    fn every_syndrome_has_one_of_the_kinds_and_every_kind_is_that_of_one() {
        let mut found = std::collections::BTreeSet::new();
        for class in 0..64_u64 {
            for iss in 0..64 {
                found.insert(Syndrome::new(class << 26 | 1 << 25 | iss).kind());
            }
        }
        let kinds = std::collections::BTreeSet::from(Syndrome::KINDS);
        assert_eq!(found, kinds);
        let kind = |esr: u64| Syndrome::new(esr).kind();
        assert_eq!(kind(0x9600_004f), "permission");
        assert_eq!(kind(0x8200_0006), "translation");
        assert_eq!(kind(0x9200_004b), "access-flag");
        assert_eq!(kind(0x9600_0021), "alignment");
        assert_eq!(kind(0x5600_0057), "svc");
        let level = |esr: u64| Syndrome::new(esr).fault().and_then(Fault::level);
        assert_eq!((level(0x9600_004f), level(0x9600_0021)), (Some(3), None));
        assert_eq!(level(0x5600_0057), None);
    }

    #[test]
    fn classes_without_an_address_do_not_claim_one() {
        assert!(!Syndrome::new(0).has_address());
        assert!(!Syndrome::new(0x9600_0410).has_address());
        assert_eq!(Syndrome::new(0).to_string(), "undefined instruction");
        assert_eq!(Syndrome::new(0xf200_0001).to_string(), "BRK #0x1");
        assert_eq!(Syndrome::new(0x5600_0007).to_string(), "SVC #0x7");
        assert_eq!(
            Syndrome::new(0xfe00_0000).class(),
            ExceptionClass::Other(0x3f)
        );
    }
}
