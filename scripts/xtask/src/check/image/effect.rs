//! Effects of an instruction on memory order, translation and caches, as far as rules are about
//! them: barriers, maintenance, system registers.

#![forbid(unsafe_code)]

use a64::Instruction;
use a64::system::{Operation, SEV, System, SystemRegister};

/// The effect of an instruction on memory order, translation or caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// ISB.
    Isb,
    /// DSB, of any domain and kind.
    Dsb,
    /// DMB, of any domain and kind.
    Dmb,
    /// SEV.
    Sev,
    /// TLBI that reaches the executing core only, at any exception level.
    TlbiLocal,
    /// TLBI that is broadcast in the Inner Shareable domain (the forms that end in IS).
    TlbiBroadcast,
    /// IC IALLU: the executing core's instruction cache.
    IcLocal,
    /// IC IALLUIS, IC IVAU: the instruction caches of the Inner Shareable domain.
    IcBroadcast,
    /// DC IVAC: invalidate by address.
    DcInvalidate,
    /// DC CIVAC: clean and invalidate by address.
    DcCleanInvalidate,
    /// DC CVAC, DC CVAU: clean by address.
    DcClean,
    /// MSR to this register.
    Write(SystemRegister),
    /// MRS of this register.
    Read(SystemRegister),
}

/// The effect of `word`, if it has one.
pub(super) fn effect(word: Instruction) -> Option<Effect> {
    let Instruction::System(system) = word else {
        return None;
    };
    match system {
        System::InstructionSynchronization(_) => Some(Effect::Isb),
        System::DataSynchronization(_) => Some(Effect::Dsb),
        System::DataMemory(_) => Some(Effect::Dmb),
        SEV => Some(Effect::Sev),
        System::Write { register, .. } => Some(Effect::Write(register)),
        System::Read { register, .. } => Some(Effect::Read(register)),
        System::Maintain { operation, .. } => maintenance(operation),
        _ => None,
    }
}

/// The effect of a SYS operation: CRn 8 is TLBI, whose CRm is 0 to 3 in the broadcast forms and 4
/// to 7 in the local ones; CRn 7 is IC and DC.
fn maintenance(operation: Operation) -> Option<Effect> {
    if let [_, 8, crm, _] = operation.fields() {
        return Some(match crm & 4 {
            0 => Effect::TlbiBroadcast,
            _ => Effect::TlbiLocal,
        });
    }
    match operation.name()? {
        "ic iallu" => Some(Effect::IcLocal),
        "ic ialluis" | "ic ivau" => Some(Effect::IcBroadcast),
        "dc ivac" => Some(Effect::DcInvalidate),
        "dc civac" => Some(Effect::DcCleanInvalidate),
        "dc cvac" | "dc cvau" => Some(Effect::DcClean),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use a64::decode;
    use a64::system::SystemRegister;

    use super::{Effect, effect};

    #[test]
    fn barriers_and_maintenance_are_told_apart() {
        let words = [
            (0xd503_3fdf, Some(Effect::Isb), "isb"),
            (0xd503_3f9f, Some(Effect::Dsb), "dsb sy"),
            (0xd503_379f, Some(Effect::Dsb), "dsb nsh"),
            (0xd503_3fbf, Some(Effect::Dmb), "dmb sy"),
            (0xd503_3abf, Some(Effect::Dmb), "dmb ishst"),
            (0xd503_209f, Some(Effect::Sev), "sev"),
            (0xd503_205f, None, "wfe"),
            (0xd508_871f, Some(Effect::TlbiLocal), "tlbi vmalle1"),
            (0xd50c_871f, Some(Effect::TlbiLocal), "tlbi alle2"),
            (0xd50e_871f, Some(Effect::TlbiLocal), "tlbi alle3"),
            (0xd508_831f, Some(Effect::TlbiBroadcast), "tlbi vmalle1is"),
            (0xd508_8360, Some(Effect::TlbiBroadcast), "tlbi vaae1is, x0"),
            (0xd508_8760, Some(Effect::TlbiLocal), "tlbi vaae1, x0"),
            (0xd508_751f, Some(Effect::IcLocal), "ic iallu"),
            (0xd508_711f, Some(Effect::IcBroadcast), "ic ialluis"),
            (0xd508_7620, Some(Effect::DcInvalidate), "dc ivac, x0"),
            (
                0xd50b_7e2a,
                Some(Effect::DcCleanInvalidate),
                "dc civac, x10",
            ),
            (0xd50b_7a20, Some(Effect::DcClean), "dc cvac, x0"),
            (0xd50b_7b20, Some(Effect::DcClean), "dc cvau, x0"),
            (0xd50b_7420, None, "dc zva, x0"),
            (0xd503_42df, None, "msr daifset, #2"),
            (0xd503_201f, None, "nop"),
            (0x9400_0002, None, "bl .+8"),
        ];
        for (word, expected, text) in words {
            assert_eq!(effect(decode(word)), expected, "{text}");
        }
    }

    #[test]
    fn system_registers_are_known_by_their_fields() {
        let ttbr0_el1 = SystemRegister::new(3, 0, 2, 0, 0);
        let mdscr_el1 = SystemRegister::new(2, 0, 0, 2, 2);
        let cpuectlr_el1 = SystemRegister::new(3, 1, 15, 2, 1);
        let effect_of = |word| effect(decode(word));
        assert_eq!(effect_of(0xd518_2003), Some(Effect::Write(ttbr0_el1)));
        assert_eq!(effect_of(0xd538_2003), Some(Effect::Read(ttbr0_el1)));
        assert_eq!(effect_of(0xd510_025f), Some(Effect::Write(mdscr_el1)));
        assert_eq!(effect_of(0xd519_f221), Some(Effect::Write(cpuectlr_el1)));
    }
}
