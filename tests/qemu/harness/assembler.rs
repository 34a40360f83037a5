//! A64 instructions for guest programs of a few lines, all of them straight lines or loops of their
//! own.
//!
//! Encodings: Arm DDI 0487, C6.2 (each instruction's page).

/// A system register or system instruction: op0, op1, CRn, CRm, op2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sys(u32, u32, u32, u32, u32);

impl Sys {
    pub(crate) const SCTLR_EL1: Self = Self(3, 0, 1, 0, 0);
    pub(crate) const TTBR0_EL1: Self = Self(3, 0, 2, 0, 0);
    pub(crate) const TCR_EL1: Self = Self(3, 0, 2, 0, 2);
    pub(crate) const MAIR_EL1: Self = Self(3, 0, 10, 2, 0);
    pub(crate) const SCTLR_EL2: Self = Self(3, 4, 1, 0, 0);
    pub(crate) const HCR_EL2: Self = Self(3, 4, 1, 1, 0);
    pub(crate) const TTBR0_EL2: Self = Self(3, 4, 2, 0, 0);
    pub(crate) const TCR_EL2: Self = Self(3, 4, 2, 0, 2);
    pub(crate) const VTTBR_EL2: Self = Self(3, 4, 2, 1, 0);
    pub(crate) const VTCR_EL2: Self = Self(3, 4, 2, 1, 2);
    pub(crate) const MAIR_EL2: Self = Self(3, 4, 10, 2, 0);
    pub(crate) const CNTFRQ_EL0: Self = Self(3, 3, 14, 0, 0);
    pub(crate) const CNTVOFF_EL2: Self = Self(3, 4, 14, 0, 3);
    pub(crate) const CNTHCTL_EL2: Self = Self(3, 4, 14, 1, 0);
    pub(crate) const SCTLR_EL3: Self = Self(3, 6, 1, 0, 0);
    pub(crate) const SCR_EL3: Self = Self(3, 6, 1, 1, 0);
    pub(crate) const SPSR_EL3: Self = Self(3, 6, 4, 0, 0);
    pub(crate) const ELR_EL3: Self = Self(3, 6, 4, 0, 1);

    /// A debug register by its fields; op0 is 2.
    pub(crate) const fn debug(op1: u32, crn: u32, crm: u32, op2: u32) -> Self {
        Self(2, op1, crn, crm, op2)
    }

    /// A register by its fields; op0 is 3.
    pub(crate) const fn new(op1: u32, crn: u32, crm: u32, op2: u32) -> Self {
        Self(3, op1, crn, crm, op2)
    }

    /// The fields in an instruction, which has no room for op0's upper bit: 2 and 3 are registers.
    const fn bits(self) -> u32 {
        (self.0 & 1) << 19 | self.1 << 16 | self.2 << 12 | self.3 << 8 | self.4 << 5
    }
}

/// What a register is loaded through.
const SCRATCH: u32 = 30;
/// What memory is addressed by.
const ADDRESS: u32 = 29;

/// Instructions, in order.
#[derive(Debug, Default)]
pub(crate) struct Code(Vec<u32>);

impl Code {
    /// No instruction yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `mov xN, value`, as MOVZ and three MOVK.
    pub(crate) fn set(mut self, register: u32, value: u64) -> Self {
        for (part, opcode) in [0xd280_0000, 0xf280_0000, 0xf280_0000, 0xf280_0000]
            .into_iter()
            .enumerate()
        {
            let half = (value >> (16 * part)) as u32 & 0xffff;
            self.0
                .push(opcode | (part as u32) << 21 | half << 5 | register);
        }
        self
    }

    /// `msr register, value`, through x30.
    pub(crate) fn write(self, register: Sys, value: u64) -> Self {
        self.set(SCRATCH, value)
            .word(0xd510_0000 | register.bits() | SCRATCH)
    }

    /// Stores 32 bits, through x29 and x30.
    pub(crate) fn store(self, address: u64, value: u32) -> Self {
        self.set(ADDRESS, address)
            .set(SCRATCH, value.into())
            .word(0xb900_0000 | ADDRESS << 5 | SCRATCH)
    }

    /// `isb`.
    pub(crate) fn isb(self) -> Self {
        self.word(0xd503_3fdf)
    }

    /// `eret`.
    pub(crate) fn eret(self) -> Self {
        self.word(0xd69f_03e0)
    }

    /// `br target`, through x30.
    pub(crate) fn jump(self, target: u64) -> Self {
        self.set(SCRATCH, target).word(0xd61f_0000 | SCRATCH << 5)
    }

    /// Waits for ever, without a step: `wfi`, `b . - 4`.
    pub(crate) fn wait(self) -> Self {
        self.word(0xd503_207f).word(0x17ff_ffff)
    }

    /// `b .`
    pub(crate) fn spin(self) -> Self {
        self.word(0x1400_0000)
    }

    /// Semihosting's SYS_EXIT_EXTENDED with `block`, the address of a reason and a code.
    pub(crate) fn exit(self, block: u64) -> Self {
        self.set(0, 0x20).set(1, block).word(0xd45e_0000)
    }

    /// The bytes in memory.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn word(mut self, word: u32) -> Self {
        self.0.push(word);
        self
    }
}

/// Words as GNU as assembles them.
#[test]
fn instructions_are_encoded_as_an_assembler_does() {
    let words = |code: Code| code.0;
    assert_eq!(
        words(Code::new().set(0, 0x1234_5678_9abc_def0)),
        [0xd29b_de00, 0xf2b3_5780, 0xf2ca_cf00, 0xf2e2_4680]
    );
    assert_eq!(words(Code::new().write(Sys::ELR_EL3, 0))[4], 0xd51e_403e);
    assert_eq!(words(Code::new().write(Sys::SCTLR_EL1, 0))[4], 0xd518_101e);
    assert_eq!(words(Code::new().write(Sys::VTCR_EL2, 0))[4], 0xd51c_215e);
    assert_eq!(words(Code::new().jump(0))[4], 0xd61f_03c0);
    assert_eq!(words(Code::new().store(0, 0))[8], 0xb900_03be);
    assert_eq!(words(Code::new().wait()), [0xd503_207f, 0x17ff_ffff]);
    assert_eq!(words(Code::new().exit(0))[8], 0xd45e_0000);
}
