//! Words worked out by hand from the tables of the manual (DDI 0487 C4.1): their operands, and the
//! answers of [`Instruction`]'s functions.
#![forbid(unsafe_code)]

use a64::data::{Constant, Data, LogicalOperand};
use a64::flow::Flow;
use a64::{Instruction, Register, decode};

const HERE: u64 = 0xffff_0000_0008_0000;

#[test]
fn direct_branches_lead_to_their_target() {
    let target = |word| decode(word).branch_target(HERE);
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
    let flow = |word| decode(word).flow(HERE);
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
fn pc_relative_addresses_are_formed_from_both_immediates() {
    assert_eq!(
        decode(0x1000_00a0).adr_target(HERE),
        Some(HERE + 20),
        "adr x0, .+20"
    );
    assert_eq!(
        decode(0x70ff_ffe0).adr_target(HERE),
        Some(HERE - 1),
        "adr x0, .-1"
    );
    assert_eq!(
        decode(0xb000_0000).adr_target(HERE),
        None,
        "adrp x0, .+4096"
    );
    let page = Data::Adrp {
        rd: Register(0),
        offset: 4096,
    };
    assert_eq!(decode(0xb000_0000), Instruction::Data(page));
    assert_eq!(
        decode(0x5800_0040).literal_target(HERE),
        Some(HERE + 8),
        "ldr x0, .+8"
    );
    assert_eq!(
        decode(0xf940_0420).literal_target(HERE),
        None,
        "ldr x0, [x1, #8]"
    );
}

#[test]
fn calls_and_returns_are_known() {
    assert!(decode(0x9400_0002).is_call() && !decode(0x1400_0002).is_call());
    assert!(decode(0xd65f_03c0).is_return(), "ret");
    assert!(decode(0xd65f_0320).is_return(), "ret x25");
    assert!(!decode(0xd69f_03e0).is_return(), "eret");
    assert!(!decode(0xd61f_0060).is_return(), "br x3");
}

#[test]
fn move_wide_gives_the_value_it_builds() {
    let set = |word| decode(word).constant();
    assert_eq!(set(0xd2ff_ffe0), Some(Constant::Set(0xffff_0000_0000_0000)));
    assert_eq!(
        set(0x9280_0000),
        Some(Constant::Set(u64::MAX)),
        "movn x0, #0"
    );
    assert_eq!(
        set(0x1280_0000),
        Some(Constant::Set(0xffff_ffff)),
        "movn w0, #0"
    );
    assert_eq!(set(0x5280_00a0), Some(Constant::Set(5)), "movz w0, #5");
    let keep = Constant::Keep {
        bits: 0x8_0000,
        mask: 0xffff_0000,
    };
    assert_eq!(set(0xf2a0_0100), Some(keep), "movk x0, #8, lsl #16");
    assert_eq!(set(0x9100_4000), None, "add x0, x0, #16");
}

#[test]
fn barriers_are_told_apart() {
    assert!(decode(0xd503_3fdf).is_isb());
    assert!(decode(0xd503_3f9f).is_dsb());
    for (word, text) in [
        (0xd503_3bbf, "dmb ish"),
        (0xd503_3f5f, "clrex"),
        (0xd503_203f, "yield"),
    ] {
        assert!(!decode(word).is_isb() && !decode(word).is_dsb(), "{text}");
    }
}

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
        assert!(decode(word).is_load_store(), "{text}");
        assert!(decode(word).is_exclusive_or_atomic(), "{text}");
    }
    for (word, text) in no {
        assert!(decode(word).is_load_store(), "{text}");
        assert!(!decode(word).is_exclusive_or_atomic(), "{text}");
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
        assert!(!decode(word).is_load_store(), "{text}");
    }
}

#[test]
fn registers_written_by_an_access_are_known() {
    let writes = |word, register| matches!(decode(word), Instruction::Access(access) if access.writes(Register(register)));
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

/// The immediate of AND with the fields N, immr and imms; none if the encoding is not allocated.
fn mask(n: u32, immr: u32, imms: u32) -> Option<u64> {
    match decode(0x9200_0000 | n << 22 | immr << 16 | imms << 10) {
        Instruction::Data(Data::Logical {
            operand: LogicalOperand::Immediate(mask),
            ..
        }) => Some(mask),
        _ => None,
    }
}

#[test]
fn a_logical_immediate_is_a_run_of_ones_that_is_rotated_and_repeated() {
    assert_eq!(mask(1, 0, 0), Some(1));
    assert_eq!(mask(1, 1, 0), Some(1 << 63));
    assert_eq!(mask(1, 16, 27), Some(0xffff_0000_0000_0fff));
    assert_eq!(mask(0, 0, 0b11_1100), Some(0x5555_5555_5555_5555));
    assert_eq!(mask(0, 1, 0b11_1100), Some(0xaaaa_aaaa_aaaa_aaaa));
    assert_eq!(mask(0, 4, 0b10_0111), Some(0xf00f_f00f_f00f_f00f));
    assert_eq!(mask(1, 0, 63), None, "all ones");
    assert_eq!(mask(0, 0, 0b11_1101), None, "all ones of two bits");
    assert_eq!(mask(0, 0, 0b11_1111), None, "no element");
}

#[test]
fn what_came_later_and_what_is_not_allocated_are_told() {
    let is_later = |word| matches!(decode(word), Instruction::Later(_));
    assert!(is_later(0xf820_0020), "ldadd x0, x0, [x1]");
    assert!(is_later(0xc8a0_7c20), "cas x0, x0, [x1]");
    assert!(is_later(0xd71f_0861), "braa x3, x1");
    assert!(is_later(0xd65f_0bff), "retaa");
    for word in [
        0x0001_0000,
        0x1180_0000 | 1 << 24,
        0x5400_0010,
        0xd503_30ff,
        0x3200_0000 | 1 << 22,
    ] {
        let decoded = decode(word);
        let told = matches!(decoded, Instruction::Unallocated(_));
        assert!(told, "{word:#010x}: {decoded:?}");
    }
}
