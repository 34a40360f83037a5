//! Instruction words of the code that surrounds the random instructions: the forms that it uses,
//! from DDI 0487 C6.2. X registers, unless a name says `_w`; register 31 is SP in `add`, and the
//! base register of loads and stores, else XZR.

use a64::system::{Operation, SystemRegister};

/// XZR, or SP where the instruction has it.
pub(crate) const ZERO: u32 = 31;
/// The link register.
pub(crate) const LINK: u32 = 30;

/// ERET.
pub(crate) const ERET: u32 = 0xd69f_03e0;
/// ISB.
pub(crate) const ISB: u32 = 0xd503_3fdf;
/// DSB SY.
pub(crate) const DSB: u32 = 0xd503_3f9f;
/// DMB SY.
pub(crate) const DMB: u32 = 0xd503_3fbf;
/// SEV.
pub(crate) const SEV: u32 = 0xd503_209f;
/// SEVL.
pub(crate) const SEVL: u32 = 0xd503_20bf;
/// WFE.
pub(crate) const WFE: u32 = 0xd503_205f;
/// WFI.
pub(crate) const WFI: u32 = 0xd503_207f;

/// The condition EQ of `b_if`.
pub(crate) const EQ: u32 = 0;
/// The condition NE.
pub(crate) const NE: u32 = 1;
/// The condition LO: lower, unsigned.
pub(crate) const LO: u32 = 3;
/// The condition LS: lower or the same, unsigned.
pub(crate) const LS: u32 = 9;

/// A signed distance in units of `1 << scale` bytes, as a field of `bits` bits.
fn field(distance: i64, scale: u32, bits: u32) -> u32 {
    let units = distance >> scale;
    assert_eq!(units << scale, distance, "{distance} is no multiple");
    let limit = 1_i64 << (bits - 1);
    assert!((-limit..limit).contains(&units), "{distance} is too far");
    units as u32 & (u32::MAX >> (32 - bits))
}

/// MOVZ, with the bits at `position` (0 to 3) times 16.
pub(crate) fn movz(rd: u32, bits: u16, position: u32) -> u32 {
    0xd280_0000 | position << 21 | u32::from(bits) << 5 | rd
}

/// MOVN, with the bits that are inverted at `position` (0 to 3) times 16.
pub(crate) fn movn(rd: u32, bits: u16, position: u32) -> u32 {
    0x9280_0000 | position << 21 | u32::from(bits) << 5 | rd
}

/// MOVK, with the bits at `position` (0 to 3) times 16.
pub(crate) fn movk(rd: u32, bits: u16, position: u32) -> u32 {
    0xf280_0000 | position << 21 | u32::from(bits) << 5 | rd
}

/// MOV between registers, as ORR.
pub(crate) fn mov(rd: u32, rm: u32) -> u32 {
    0xaa00_03e0 | rm << 16 | rd
}

/// ADR.
pub(crate) fn adr(rd: u32, distance: i64) -> u32 {
    let distance = field(distance, 0, 21);
    0x1000_0000 | (distance & 3) << 29 | (distance >> 2) << 5 | rd
}

/// ADD of an immediate, 0 to 4095.
pub(crate) fn add(rd: u32, rn: u32, immediate: u32) -> u32 {
    0x9100_0000 | immediate << 10 | rn << 5 | rd
}

/// ADD of an immediate times 4096.
pub(crate) fn add_pages(rd: u32, rn: u32, pages: u32) -> u32 {
    0x9140_0000 | pages << 10 | rn << 5 | rd
}

/// SUB of an immediate, 0 to 4095.
pub(crate) fn sub(rd: u32, rn: u32, immediate: u32) -> u32 {
    0xd100_0000 | immediate << 10 | rn << 5 | rd
}

/// ADD of a register that is shifted left.
pub(crate) fn add_shifted(rd: u32, rn: u32, rm: u32, shift: u32) -> u32 {
    0x8b00_0000 | rm << 16 | shift << 10 | rn << 5 | rd
}

/// SUB of a register.
pub(crate) fn sub_register(rd: u32, rn: u32, rm: u32) -> u32 {
    0xcb00_0000 | rm << 16 | rn << 5 | rd
}

/// CMP with an immediate, 0 to 4095.
pub(crate) fn cmp(rn: u32, immediate: u32) -> u32 {
    0xf100_001f | immediate << 10 | rn << 5
}

/// CMP with a register.
pub(crate) fn cmp_register(rn: u32, rm: u32) -> u32 {
    0xeb00_001f | rm << 16 | rn << 5
}

/// AND with a run of `length` ones from bit `low` up, which may go round. `rd` 31 is SP.
pub(crate) fn and_run(rd: u32, rn: u32, low: u32, length: u32) -> u32 {
    0x9240_0000 | ((64 - low) & 63) << 16 | (length - 1) << 10 | rn << 5 | rd
}

/// EOR with a register.
pub(crate) fn eor(rd: u32, rn: u32, rm: u32) -> u32 {
    0xca00_0000 | rm << 16 | rn << 5 | rd
}

/// EOR with a register that is shifted right.
pub(crate) fn eor_lsr(rd: u32, rn: u32, rm: u32, shift: u32) -> u32 {
    0xca40_0000 | rm << 16 | shift << 10 | rn << 5 | rd
}

/// EOR with a register that is rotated right.
pub(crate) fn eor_ror(rd: u32, rn: u32, rm: u32, shift: u32) -> u32 {
    0xcac0_0000 | rm << 16 | shift << 10 | rn << 5 | rd
}

/// MADD: `ra` + `rn` times `rm`.
pub(crate) fn madd(rd: u32, rn: u32, rm: u32, ra: u32) -> u32 {
    0x9b00_0000 | rm << 16 | ra << 10 | rn << 5 | rd
}

/// LSR by an immediate, as UBFM.
pub(crate) fn lsr(rd: u32, rn: u32, shift: u32) -> u32 {
    0xd340_fc00 | shift << 16 | rn << 5 | rd
}

/// ROR by an immediate, as EXTR.
pub(crate) fn ror(rd: u32, rn: u32, shift: u32) -> u32 {
    0x93c0_0000 | rn << 16 | shift << 10 | rn << 5 | rd
}

/// SBFX from bit 0: the low `length` bits with their sign.
pub(crate) fn signed_low(rd: u32, rn: u32, length: u32) -> u32 {
    0x9340_0000 | (length - 1) << 10 | rn << 5 | rd
}

/// LDR of eight bytes, at a multiple of eight from the base.
pub(crate) fn ldr(rt: u32, rn: u32, offset: u64) -> u32 {
    0xf940_0000 | (offset as u32 / 8) << 10 | rn << 5 | rt
}

/// STR of eight bytes, at a multiple of eight from the base.
pub(crate) fn str(rt: u32, rn: u32, offset: u64) -> u32 {
    0xf900_0000 | (offset as u32 / 8) << 10 | rn << 5 | rt
}

/// LDR of four bytes, at a multiple of four from the base.
pub(crate) fn ldr_w(rt: u32, rn: u32, offset: u64) -> u32 {
    0xb940_0000 | (offset as u32 / 4) << 10 | rn << 5 | rt
}

/// STR of four bytes, at a multiple of four from the base.
pub(crate) fn str_w(rt: u32, rn: u32, offset: u64) -> u32 {
    0xb900_0000 | (offset as u32 / 4) << 10 | rn << 5 | rt
}

/// LDP of X registers, at an offset from the base.
pub(crate) fn ldp(rt: u32, rt2: u32, rn: u32, offset: i64) -> u32 {
    0xa940_0000 | field(offset, 3, 7) << 15 | rt2 << 10 | rn << 5 | rt
}

/// LDP of X registers, at the base, which then moves on by `step` bytes.
pub(crate) fn ldp_post(rt: u32, rt2: u32, rn: u32, step: i64) -> u32 {
    0xa8c0_0000 | field(step, 3, 7) << 15 | rt2 << 10 | rn << 5 | rt
}

/// STP of X registers, at an offset from the base.
pub(crate) fn stp(rt: u32, rt2: u32, rn: u32, offset: i64) -> u32 {
    0xa900_0000 | field(offset, 3, 7) << 15 | rt2 << 10 | rn << 5 | rt
}

/// B.
pub(crate) fn b(distance: i64) -> u32 {
    0x1400_0000 | field(distance, 2, 26)
}

/// BL.
pub(crate) fn bl(distance: i64) -> u32 {
    0x9400_0000 | field(distance, 2, 26)
}

/// B.cond.
pub(crate) fn b_if(condition: u32, distance: i64) -> u32 {
    0x5400_0000 | field(distance, 2, 19) << 5 | condition
}

/// CBZ.
pub(crate) fn cbz(rt: u32, distance: i64) -> u32 {
    0xb400_0000 | field(distance, 2, 19) << 5 | rt
}

/// CBNZ.
pub(crate) fn cbnz(rt: u32, distance: i64) -> u32 {
    cbz(rt, distance) | 1 << 24
}

/// TBZ.
pub(crate) fn tbz(rt: u32, bit: u32, distance: i64) -> u32 {
    0x3600_0000 | (bit >> 5) << 31 | (bit & 31) << 19 | field(distance, 2, 14) << 5 | rt
}

/// TBNZ.
pub(crate) fn tbnz(rt: u32, bit: u32, distance: i64) -> u32 {
    tbz(rt, bit, distance) | 1 << 24
}

/// RET.
pub(crate) fn ret() -> u32 {
    0xd65f_0000 | LINK << 5
}

/// SVC.
pub(crate) fn svc(number: u16) -> u32 {
    0xd400_0001 | u32::from(number) << 5
}

fn fields([op0, op1, crn, crm, op2]: [u16; 5]) -> u32 {
    let field = |bits: u16, low: u32| u32::from(bits) << low;
    field(op0, 19) | field(op1, 16) | field(crn, 12) | field(crm, 8) | field(op2, 5)
}

fn named(name: &str) -> [u16; 5] {
    let register = SystemRegister::named(name);
    register.unwrap_or_else(|| panic!("{name}")).fields()
}

/// MRS of the register with this name.
pub(crate) fn mrs(rt: u32, name: &str) -> u32 {
    mrs_of(rt, named(name))
}

/// MRS of the register with these fields: op0, op1, CRn, CRm, op2.
pub(crate) fn mrs_of(rt: u32, register: [u16; 5]) -> u32 {
    0xd520_0000 | fields(register) | rt
}

/// MSR of the register with this name.
pub(crate) fn msr(name: &str, rt: u32) -> u32 {
    msr_of(named(name), rt)
}

/// MSR of the register with these fields: op0, op1, CRn, CRm, op2.
pub(crate) fn msr_of(register: [u16; 5], rt: u32) -> u32 {
    0xd500_0000 | fields(register) | rt
}

/// SYS: the operation with this name, as `dc zva`.
pub(crate) fn sys(name: &str, rt: u32) -> u32 {
    let mut all = Operation::all();
    let operation = all.find(|operation| operation.name() == Some(name));
    let [op1, crn, crm, op2] = operation.unwrap_or_else(|| panic!("{name}")).fields();
    0xd500_0000 | fields([1, op1, crn, crm, op2]) | rt
}
