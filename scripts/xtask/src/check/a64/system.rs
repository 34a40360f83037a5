//! Barriers, system registers and maintenance: DDI 0487 C4.1 "Barriers", "Hints", "System register move",
//! "System instructions".

#![forbid(unsafe_code)]

use super::Instruction;

/// A system register by its fields op0, op1, CRn, CRm, op2, as they stand in bits 19:5 of MRS and MSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) struct SystemRegister(u32);

impl SystemRegister {
    /// A register; `op0` is 2 or 3.
    pub(in crate::check) const fn new(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> Self {
        Self((op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
    }
}

/// What an instruction does to the order of things, as far as rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum System {
    /// ISB.
    Isb,
    /// DSB, of whatever domain and kind.
    Dsb,
    /// DMB, of whatever domain and kind.
    Dmb,
    /// SEV.
    Sev,
    /// TLBI that reaches this core only, at any level.
    TlbiLocal,
    /// TLBI that is broadcast (the forms that end in IS).
    TlbiBroadcast,
    /// IC IALLU: of this core.
    IcLocal,
    /// IC IALLUIS, IC IVAU.
    IcBroadcast,
    /// DC IVAC.
    DcInvalidate,
    /// DC CIVAC.
    DcCleanInvalidate,
    /// DC CVAC, CVAU.
    DcClean,
    /// MSR to a register.
    Write(SystemRegister),
    /// MRS.
    Read(SystemRegister),
}

impl Instruction {
    /// What it does, if it is one of these.
    pub(in crate::check) const fn system(self) -> Option<System> {
        if self.is_isb() {
            return Some(System::Isb);
        }
        if self.is_dsb() {
            return Some(System::Dsb);
        }
        // "Barriers", op2 101.
        if self.matches(0xffff_f0ff, 0xd503_30bf) {
            return Some(System::Dmb);
        }
        if self.0 == 0xd503_209f {
            return Some(System::Sev);
        }
        let register = SystemRegister(self.field(19, 5));
        match self.0 & 0xfff0_0000 {
            0xd510_0000 => Some(System::Write(register)),
            0xd530_0000 => Some(System::Read(register)),
            0xd500_0000 => self.maintenance(),
            _ => None,
        }
    }

    /// SYS: op0 is 1. CRn 8 is TLBI, whose CRm has bit 2 clear in the broadcast forms (0 to 3) and set in the
    /// local ones (4 to 7); CRn 7 is IC and DC.
    const fn maintenance(self) -> Option<System> {
        if !self.matches(0xfff8_0000, 0xd508_0000) {
            return None;
        }
        if self.field(15, 12) == 8 {
            return Some(match self.field(10, 10) {
                0 => System::TlbiBroadcast,
                _ => System::TlbiLocal,
            });
        }
        match self.0 & 0xffff_ffe0 {
            0xd508_7500 => Some(System::IcLocal),
            0xd508_7100 | 0xd50b_7520 => Some(System::IcBroadcast),
            0xd508_7620 => Some(System::DcInvalidate),
            0xd50b_7e20 => Some(System::DcCleanInvalidate),
            0xd50b_7a20 | 0xd50b_7b20 => Some(System::DcClean),
            _ => None,
        }
    }

    /// BL: a call of a fixed target.
    pub(in crate::check) const fn is_call(self) -> bool {
        self.matches(0xfc00_0000, 0x9400_0000)
    }

    /// RET.
    pub(in crate::check) const fn is_return(self) -> bool {
        self.matches(0xffff_fc1f, 0xd65f_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::{System, SystemRegister};
    use crate::check::a64::Instruction;

    #[test]
    fn barriers_and_maintenance_are_told_apart() {
        let words = [
            (0xd503_3fdf, Some(System::Isb), "isb"),
            (0xd503_3f9f, Some(System::Dsb), "dsb sy"),
            (0xd503_379f, Some(System::Dsb), "dsb nsh"),
            (0xd503_3fbf, Some(System::Dmb), "dmb sy"),
            (0xd503_3abf, Some(System::Dmb), "dmb ishst"),
            (0xd503_209f, Some(System::Sev), "sev"),
            (0xd503_205f, None, "wfe"),
            (0xd508_871f, Some(System::TlbiLocal), "tlbi vmalle1"),
            (0xd50c_871f, Some(System::TlbiLocal), "tlbi alle2"),
            (0xd50e_871f, Some(System::TlbiLocal), "tlbi alle3"),
            (0xd508_831f, Some(System::TlbiBroadcast), "tlbi vmalle1is"),
            (0xd508_8360, Some(System::TlbiBroadcast), "tlbi vaae1is, x0"),
            (0xd508_8760, Some(System::TlbiLocal), "tlbi vaae1, x0"),
            (0xd508_751f, Some(System::IcLocal), "ic iallu"),
            (0xd508_711f, Some(System::IcBroadcast), "ic ialluis"),
            (0xd508_7620, Some(System::DcInvalidate), "dc ivac, x0"),
            (
                0xd50b_7e2a,
                Some(System::DcCleanInvalidate),
                "dc civac, x10",
            ),
            (0xd50b_7a20, Some(System::DcClean), "dc cvac, x0"),
            (0xd50b_7b20, Some(System::DcClean), "dc cvau, x0"),
            (0xd50b_7420, None, "dc zva, x0"),
            (0xd503_42df, None, "msr daifset, #2"),
            (0xd503_201f, None, "nop"),
            (0x9400_0002, None, "bl .+8"),
        ];
        for (word, expected, text) in words {
            // IC IALLU has 31 in Rt.
            assert_eq!(Instruction(word).system(), expected, "{text}");
        }
    }

    #[test]
    fn system_registers_are_known_by_their_fields() {
        let ttbr0_el1 = SystemRegister::new(3, 0, 2, 0, 0);
        let mdscr_el1 = SystemRegister::new(2, 0, 0, 2, 2);
        let cpuectlr_el1 = SystemRegister::new(3, 1, 15, 2, 1);
        let system = |word| Instruction(word).system();
        assert_eq!(system(0xd518_2003), Some(System::Write(ttbr0_el1)));
        assert_eq!(system(0xd538_2003), Some(System::Read(ttbr0_el1)));
        assert_eq!(system(0xd510_025f), Some(System::Write(mdscr_el1)));
        assert_eq!(system(0xd519_f221), Some(System::Write(cpuectlr_el1)));
    }

    #[test]
    fn calls_and_returns_are_known() {
        assert!(Instruction(0x9400_0002).is_call() && !Instruction(0x1400_0002).is_call());
        assert!(Instruction(0xd65f_03c0).is_return(), "ret");
        assert!(Instruction(0xd65f_0320).is_return(), "ret x25");
        assert!(!Instruction(0xd69f_03e0).is_return(), "eret");
        assert!(!Instruction(0xd61f_0060).is_return(), "br x3");
    }
}
