//! Words that are UNDEFINED on a Cortex-A53, and SIMD and floating point, which are trapped.

use a64::{Instruction, Later, decode};

use super::block::Writer;

/// Instructions of SIMD and floating point, all allocated: `fmov d0, d1`, `add v0.4s, v1.4s,
/// v2.4s`, `ldr q3, [x4]`, `stp d5, d6, [sp]`, `scvtf s0, w1`.
const VECTOR: [u32; 5] = [
    0x1e60_4020,
    0x4ea2_8420,
    0x3dc0_0083,
    0x6d00_1be5,
    0x1e22_0020,
];

/// Words of classes that came after Armv8.0: LDADD, CAS, LDLAR, LDAPR, BRAA, RETAA.
const LATER: [u32; 6] = [
    0xf821_0041,
    0xc8a1_7c41,
    0xc8df_7c41,
    0xb8bf_c041,
    0xd71f_0841,
    0xd65f_0bff,
];

/// Groups and classes with gaps: a mask of the bits that tell the group, and their value.
const GROUPS: [(u32, u32); 12] = [
    (0, 0),                     // all
    (0x1c00_0000, 0x1000_0000), // data processing, immediate
    (0x0e00_0000, 0x0a00_0000), // data processing, register
    (0x1fe0_0000, 0x1a00_0000), // with carry
    (0x1fe0_0000, 0x1a40_0000), // conditional compare
    (0x5fe0_0000, 0x1ac0_0000), // two sources
    (0x5fff_0000, 0x5ac0_0000), // one source
    (0x1f00_0000, 0x1b00_0000), // three sources
    (0xff00_0000, 0xd400_0000), // exceptions
    (0xffc0_0000, 0xd500_0000), // system
    (0xfe00_0000, 0xd600_0000), // branches to a register
    (0x0a00_0000, 0x0800_0000), // loads and stores
];

impl Writer {
    /// An instruction that is not executed.
    pub(crate) fn undefined(&mut self) {
        let word = match self.random.below(8) {
            0 => self.random.bits() & 0xffff,
            1 => self.random.pick(&VECTOR),
            2 => {
                let word = self.random.pick(&LATER);
                assert!(matches!(
                    decode(word),
                    Instruction::Later(Later::Atomic(_) | Later::Access(_) | Later::Branch(_))
                ));
                word
            }
            _ => self.unallocated(),
        };
        self.code.emit(word);
    }

    /// A word that is not allocated in Armv8.0: of the groups of integer instructions, or any.
    fn unallocated(&mut self) -> u32 {
        let (mask, value) = self.random.pick(&GROUPS);
        loop {
            let word = self.random.bits() & !mask | value;
            if matches!(decode(word), Instruction::Unallocated(_)) {
                return word;
            }
        }
    }
}
