//! Loads and stores: DDI 0487 C4.1 "Loads and stores" (op0 x1x0) and the classes in its table.

#![forbid(unsafe_code)]

use super::{Instruction, Register};

/// How a "Load/store register" instruction with a nine-bit immediate treats its base register
/// (bits 11:10).
const POST_INDEXED: u32 = 0b01;
/// See [`POST_INDEXED`].
const PRE_INDEXED: u32 = 0b11;

impl Instruction {
    /// Whether the word is in the group "Loads and stores": bits 28:25 are x1x0. Prefetches count.
    pub(in crate::check) const fn is_load_store(self) -> bool {
        self.matches(0x0a00_0000, 0x0800_0000)
    }

    /// A load or store of SIMD and floating-point registers: V (bit 26) is 1 in every class of the
    /// group.
    pub(super) const fn is_vector_access(self) -> bool {
        self.is_load_store() && self.field(26, 26) == 1
    }

    /// Exclusives, compare-and-swap and atomic read-modify-write: "Load/store exclusive register",
    /// "... exclusive pair", "Compare and swap" (bits 29:24 = 001000 but not "Load/store ordered",
    /// where o2 (23) is 1 and o1 (21) is 0), and "Atomic memory operations" (bits 29:27 = 111, V =
    /// 0, 25:24 = 00, bit 21 = 1, 11:10 = 00).
    pub(in crate::check) const fn is_exclusive_or_atomic(self) -> bool {
        let ordered = self.field(23, 23) == 1 && self.field(21, 21) == 0;
        (self.is_exclusive_class() && !ordered) || self.matches(0x3f20_0c00, 0x3820_0000)
    }

    /// Bits 29:24 = 001000: exclusives, ordered accesses, compare-and-swap.
    const fn is_exclusive_class(self) -> bool {
        self.matches(0x3f00_0000, 0x0800_0000)
    }

    /// "Load register (literal)": bits 29:27 = 011, 25:24 = 00.
    pub(in crate::check) const fn is_literal_load(self) -> bool {
        self.matches(0x3b00_0000, 0x1800_0000)
    }

    /// The four "Load/store register" classes with a nine-bit unscaled immediate (unscaled,
    /// post-indexed, unprivileged, pre-indexed): bits 29:27 = 111, 25:24 = 00, bit 21 = 0.
    const fn has_unscaled_immediate(self) -> bool {
        self.matches(0x3b20_0000, 0x3800_0000)
    }

    /// "Load/store register (unsigned immediate)": bits 29:27 = 111, 25:24 = 01.
    pub(in crate::check) const fn is_unsigned_immediate_access(self) -> bool {
        self.matches(0x3b00_0000, 0x3900_0000)
    }

    /// The load/store pair classes: bits 29:27 = 101; L is bit 22.
    const fn is_pair(self) -> bool {
        self.matches(0x3a00_0000, 0x2800_0000)
    }

    /// Any access to one register: bits 29:27 = 111.
    const fn is_single(self) -> bool {
        self.matches(0x3a00_0000, 0x3800_0000)
    }

    /// The immediate of an unscaled access when it is not a multiple of the access size, with that
    /// size in bytes. PRFUM (size 11, V 0, opc 10) accesses nothing.
    pub(in crate::check) fn misaligned_offset(self) -> Option<(i32, u32)> {
        let prefetch = self.field(31, 30) == 0b11 && self.field(23, 22) == 0b10;
        if !self.has_unscaled_immediate() || self.is_vector_access() || prefetch {
            return None;
        }
        let size = 1 << self.field(31, 30);
        let offset = sign_extend(self.field(20, 12), 9);
        (offset.rem_euclid(size) != 0).then_some((offset, size.unsigned_abs()))
    }

    /// Whether the word can stand second in the sequence of erratum 843419: a single-register
    /// access of any addressing form, an exclusive or ordered access, a literal load, STP or STNP.
    /// Pair loads are no part of it. ST1 of vectors would be; any SIMD instruction is reported by a
    /// check of its own.
    pub(in crate::check) const fn is_843419_second(self) -> bool {
        let pair_store = self.is_pair() && self.field(22, 22) == 0;
        self.is_single() || self.is_exclusive_class() || self.is_literal_load() || pair_store
    }

    /// Whether a load or store leaves a new value in general register `register`: as the
    /// destination of a load, as the status of an exclusive store, or as a base that is written
    /// back.
    pub(in crate::check) fn access_writes(self, register: Register) -> bool {
        self.loaded_registers().contains(&Some(register)) || self.written_base() == Some(register)
    }

    /// The general registers that a load fills (no SIMD ones), or the status of an exclusive store.
    pub(in crate::check) fn loaded_registers(self) -> [Option<Register>; 2] {
        if !self.is_load_store() || self.is_vector_access() {
            return [None, None];
        }
        let load = self.field(22, 22) == 1;
        if self.is_literal_load() || self.matches(0x3f20_0c00, 0x3820_0000) {
            return [Some(self.rd()), None];
        }
        if self.is_pair() {
            return if load {
                [Some(self.rd()), Some(self.ra())]
            } else {
                [None, None]
            };
        }
        if self.is_exclusive_class() {
            let pair = self.field(21, 21) == 1;
            let status = self.is_exclusive_or_atomic().then_some(self.rm());
            let second = pair.then_some(self.ra());
            return if load {
                [Some(self.rd()), second]
            } else {
                [status, None]
            };
        }
        // Single register, opc in 23:22: 00 stores, the rest loads, but 10 with size 11 prefetches.
        let opc = self.field(23, 22);
        let loads = opc != 0b00 && !(opc == 0b10 && self.field(31, 30) == 0b11);
        [(self.is_single() && loads).then_some(self.rd()), None]
    }

    /// The base register when pre- or post-indexing writes it back (pairs: bits 24:23 are 01 or
    /// 11).
    fn written_base(self) -> Option<Register> {
        let index = self.field(11, 10);
        let single =
            self.has_unscaled_immediate() && (index == POST_INDEXED || index == PRE_INDEXED);
        let pair = self.is_pair() && self.field(23, 23) == 1;
        (single || pair).then_some(self.rn())
    }
}

/// The low `bits` bits of `value` as a signed number.
pub(super) const fn sign_extend(value: u32, bits: u32) -> i32 {
    let shift = 32 - bits;
    (value << shift).cast_signed() >> shift
}

#[cfg(test)]
mod tests {
    use super::{Instruction, sign_extend};

    #[test]
    fn exclusives_and_atomics_are_seen_and_plain_ordered_accesses_are_not() {
        let yes = [
            (0xc85f_7c20, "ldxr x0, [x1]"),
            (0xc802_7c20, "stxr w2, x0, [x1]"),
            (0x885f_fc20, "ldaxr w0, [x1]"),
            (0x8802_fc20, "stlxr w2, w0, [x1]"),
            (0xc87f_0c20, "ldxp x0, x3, [x1]"),
            (0xc820_0861, "stxp w0, x1, x2, [x3]"),
            (0xc8a0_7c41, "cas x0, x1, [x2]"),
            (0x4820_7c82, "casp x0, x1, x2, x3, [x4]"),
            (0xf820_0041, "ldadd x0, x1, [x2]"),
            (0xb820_8041, "swp w0, w1, [x2]"),
        ];
        let no = [
            (0xc8df_fc20, "ldar x0, [x1]"),
            (0x889f_fc20, "stlr w0, [x1]"),
            (0xf940_0420, "ldr x0, [x1, #8]"),
            (0xb862_6820, "ldr w0, [x1, x2]"),
            (0xa941_07e0, "ldp x0, x1, [sp, #16]"),
            (0xa800_0440, "stnp x0, x1, [x2]"),
            (0xf85f_8020, "ldur x0, [x1, #-8]"),
            (0x5800_0040, "ldr x0, .+8"),
        ];
        for (word, text) in yes {
            assert!(Instruction(word).is_load_store(), "{text}");
            assert!(Instruction(word).is_exclusive_or_atomic(), "{text}");
        }
        for (word, text) in no {
            assert!(Instruction(word).is_load_store(), "{text}");
            assert!(!Instruction(word).is_exclusive_or_atomic(), "{text}");
        }
    }

    #[test]
    fn other_groups_are_no_loads_or_stores() {
        let words = [
            (0xd503_201f, "nop"),
            (0x9b02_0c20, "madd x0, x1, x2, x3"),
            (0x9100_4000, "add x0, x0, #16"),
            (0xd65f_03c0, "ret"),
            (0x9e67_0000, "fmov d0, x0"),
        ];
        for (word, text) in words {
            assert!(!Instruction(word).is_load_store(), "{text}");
        }
    }

    #[test]
    fn an_offset_that_splits_an_access_is_seen() {
        let offset = |word| Instruction(word).misaligned_offset();
        assert_eq!(offset(0xf85f_c020), Some((-4, 8)), "ldur x0, [x1, #-4]");
        assert_eq!(offset(0x7800_3020), Some((3, 2)), "sturh w0, [x1, #3]");
        assert_eq!(offset(0xf840_c420), Some((12, 8)), "ldr x0, [x1], #12");
        assert_eq!(offset(0xb81f_e020), Some((-2, 4)), "stur w0, [x1, #-2]");
        assert_eq!(offset(0xf85f_8020), None, "ldur x0, [x1, #-8]");
        assert_eq!(offset(0xf85f_0c20), None, "ldr x0, [x1, #-16]!");
        assert_eq!(offset(0x3800_3020), None, "sturb w0, [x1, #3]");
        assert_eq!(offset(0xf880_3020), None, "prfum pldl1keep, [x1, #3]");
        assert_eq!(offset(0xb862_6820), None, "ldr w0, [x1, x2]");
    }

    #[test]
    fn registers_written_by_an_access_are_known() {
        let writes = |word, register| Instruction(word).access_writes(register);
        assert!(writes(0xf940_0400, 0), "ldr x0, [x0, #8]");
        assert!(!writes(0xf940_0420, 1), "ldr x0, [x1, #8] keeps its base");
        assert!(
            writes(0xf85f_0c20, 1),
            "ldr x0, [x1, #-16]! writes its base"
        );
        assert!(!writes(0xf900_00a2, 2), "str x2, [x5] writes nothing");
        assert!(writes(0xa941_07e0, 1), "ldp x0, x1, [sp, #16]");
        assert!(!writes(0xa9bf_07e0, 1), "stp x0, x1, [sp, #-16]!");
        assert!(writes(0xa9bf_07e0, 31), "stp x0, x1, [sp, #-16]! moves sp");
        assert!(writes(0xc802_7c20, 2), "stxr w2, x0, [x1]");
        assert!(!writes(0x889f_fc20, 31), "stlr w0, [x1] has no status");
        assert!(writes(0xb980_00a0, 0), "ldrsw x0, [x5]");
        assert!(!writes(0xf980_0420, 0), "prfm pldl1keep, [x1, #8]");
    }

    #[test]
    fn pair_loads_are_no_part_of_erratum_843419() {
        let second = |word| Instruction(word).is_843419_second();
        assert!(second(0xf900_00a2), "str x2, [x5]");
        assert!(second(0xa9bf_07e0), "stp x0, x1, [sp, #-16]!");
        assert!(second(0xa800_0440), "stnp x0, x1, [x2]");
        assert!(second(0x5800_0040), "ldr x0, .+8");
        assert!(second(0xc85f_7c20), "ldxr x0, [x1]");
        assert!(!second(0xa941_07e0), "ldp x0, x1, [sp, #16]");
        assert!(!second(0x9100_4000), "add x0, x0, #16");
    }

    #[test]
    fn sign_extension_keeps_the_sign_bit() {
        assert_eq!(sign_extend(0x1ff, 9), -1);
        assert_eq!(sign_extend(0x0ff, 9), 255);
        assert_eq!(sign_extend(0x100, 9), -256);
    }
}
