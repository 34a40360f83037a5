//! Where control goes and which addresses an instruction forms: DDI 0487 C4.1 "Branches, Exception
//! Generating and System instructions", "PC-rel. addressing", "Load register (literal)".

#![forbid(unsafe_code)]

use super::Instruction;
use super::memory::sign_extend;

/// What a branch does when it is taken, or when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Flow {
    /// Goes on with the next instruction: no branch at all, or a call that comes back.
    Next,
    /// Goes to the target or on: B.cond, CBZ, CBNZ, TBZ, TBNZ.
    Either(u64),
    /// Goes to the target: B.
    Jump(u64),
    /// Leaves for somewhere the word does not tell: BR, RET, ERET.
    Leave,
}

impl Instruction {
    /// The target of a direct branch at `address`, calls included: "Unconditional branch
    /// (immediate)", "Conditional branch (immediate)", "Compare and branch", "Test and branch".
    pub(in crate::check) fn branch_target(self, address: u64) -> Option<u64> {
        let words = if self.matches(0x7c00_0000, 0x1400_0000) {
            sign_extend(self.field(25, 0), 26)
        } else if self.is_conditional() || self.matches(0x7e00_0000, 0x3400_0000) {
            sign_extend(self.field(23, 5), 19)
        } else if self.matches(0x7e00_0000, 0x3600_0000) {
            sign_extend(self.field(18, 5), 14)
        } else {
            return None;
        };
        Some(address.wrapping_add_signed(i64::from(words) * 4))
    }

    /// B.cond (and BC.cond): bits 31:24 = 0101_0100.
    const fn is_conditional(self) -> bool {
        self.matches(0xff00_0000, 0x5400_0000)
    }

    /// "Unconditional branch (register)": bits 31:25 = 1101_011.
    const fn is_register_branch_class(self) -> bool {
        self.matches(0xfe00_0000, 0xd600_0000)
    }

    /// BR or BLR (and their pointer-authenticating forms): opc (24:21) is x000 or x001. RET and
    /// ERET are not among them.
    pub(in crate::check) const fn is_branch_to_register(self) -> bool {
        self.is_register_branch_class() && matches!(self.field(23, 21), 0b000 | 0b001)
    }

    /// Whether the instruction may change the flow, calls included; exceptions do not count.
    pub(in crate::check) fn is_branch(self) -> bool {
        self.is_register_branch_class() || self.branch_target(0).is_some()
    }

    /// Where control can go from `address` within the same function; calls come back.
    pub(in crate::check) fn flow(self, address: u64) -> Flow {
        match self.branch_target(address) {
            Some(_) if self.matches(0xfc00_0000, 0x9400_0000) => Flow::Next,
            Some(target) if self.matches(0xfc00_0000, 0x1400_0000) => Flow::Jump(target),
            Some(target) => Flow::Either(target),
            None if self.is_register_branch_class() && !self.is_call_to_register() => Flow::Leave,
            None => Flow::Next,
        }
    }

    /// BLR: opc (24:21) is x001.
    const fn is_call_to_register(self) -> bool {
        self.is_register_branch_class() && self.field(23, 21) == 0b001
    }

    /// "PC-rel. addressing", ADR: the address it forms.
    pub(in crate::check) fn adr_target(self, address: u64) -> Option<u64> {
        let offset = sign_extend(self.field(23, 5) << 2 | self.field(30, 29), 21);
        self.matches(0x9f00_0000, 0x1000_0000)
            .then(|| address.wrapping_add_signed(i64::from(offset)))
    }

    /// "PC-rel. addressing", ADRP.
    pub(in crate::check) const fn is_adrp(self) -> bool {
        self.matches(0x9f00_0000, 0x9000_0000)
    }

    /// "Load register (literal)": the address it loads from.
    pub(in crate::check) fn literal_target(self, address: u64) -> Option<u64> {
        let words = i64::from(sign_extend(self.field(23, 5), 19));
        self.is_literal_load()
            .then(|| address.wrapping_add_signed(words * 4))
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Instruction};

    const HERE: u64 = 0xffff_0000_0008_0000;

    #[test]
    fn direct_branches_lead_to_their_target() {
        let target = |word| Instruction(word).branch_target(HERE);
        assert_eq!(target(0x1400_0002), Some(HERE + 8), "b .+8");
        assert_eq!(target(0x97ff_ffff), Some(HERE - 4), "bl .-4");
        assert_eq!(target(0x5400_0081), Some(HERE + 16), "b.ne .+16");
        assert_eq!(target(0xb4ff_ffc0), Some(HERE - 8), "cbz x0, .-8");
        assert_eq!(target(0xb740_0060), Some(HERE + 12), "tbnz x0, #40, .+12");
        assert_eq!(target(0xd65f_03c0), None, "ret");
        assert_eq!(target(0x9100_4000), None, "add x0, x0, #16");
    }

    #[test]
    fn flow_follows_jumps_and_comes_back_from_calls() {
        let flow = |word| Instruction(word).flow(HERE);
        assert_eq!(flow(0x1400_0002), Flow::Jump(HERE + 8), "b .+8");
        assert_eq!(flow(0x97ff_ffff), Flow::Next, "bl .-4");
        assert_eq!(flow(0x5400_0081), Flow::Either(HERE + 16), "b.ne .+16");
        assert_eq!(flow(0xd63f_0060), Flow::Next, "blr x3");
        assert_eq!(flow(0xd61f_0060), Flow::Leave, "br x3");
        assert_eq!(flow(0xd65f_03c0), Flow::Leave, "ret");
        assert_eq!(flow(0xd69f_03e0), Flow::Leave, "eret");
        assert_eq!(flow(0xd503_201f), Flow::Next, "nop");
    }

    #[test]
    fn branches_to_a_register_are_not_returns() {
        assert!(Instruction(0xd61f_0060).is_branch_to_register(), "br x3");
        assert!(Instruction(0xd63f_0060).is_branch_to_register(), "blr x3");
        assert!(!Instruction(0xd65f_03c0).is_branch_to_register(), "ret");
        assert!(!Instruction(0xd69f_03e0).is_branch_to_register(), "eret");
        assert!(!Instruction(0x1400_0002).is_branch_to_register(), "b .+8");
        assert!(Instruction(0xd65f_03c0).is_branch(), "ret");
        assert!(!Instruction(0xd503_201f).is_branch(), "nop");
    }

    #[test]
    fn pc_relative_addresses_are_formed_from_both_immediates() {
        assert_eq!(
            Instruction(0x1000_00a0).adr_target(HERE),
            Some(HERE + 20),
            "adr x0, .+20"
        );
        assert_eq!(
            Instruction(0x70ff_ffe0).adr_target(HERE),
            Some(HERE - 1),
            "adr x0, .-1"
        );
        assert_eq!(
            Instruction(0xb000_0000).adr_target(HERE),
            None,
            "adrp x0, .+4096"
        );
        assert!(Instruction(0xb000_0000).is_adrp(), "adrp x0, .+4096");
        assert_eq!(
            Instruction(0x5800_0040).literal_target(HERE),
            Some(HERE + 8),
            "ldr x0, .+8"
        );
        assert_eq!(
            Instruction(0xf940_0420).literal_target(HERE),
            None,
            "ldr x0, [x1, #8]"
        );
    }
}
