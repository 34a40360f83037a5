//! Small images with one fault each: a word of a correct sequence is dropped or replaced.

use super::check;
use crate::check::image::sample::{INIT, RET, Sample, TEXT};

const NOP: u32 = 0xd503_201f;
const ISB: u32 = 0xd503_3fdf;
const DSB_SY: u32 = 0xd503_3f9f;
const DSB_NSH: u32 = 0xd503_379f;
const DSB_ISHST: u32 = 0xd503_3a9f;
const DSB_ISH: u32 = 0xd503_3b9f;
const SEV: u32 = 0xd503_209f;
const MSR_SCTLR_EL1: u32 = 0xd518_1001;
const MSR_TTBR0_EL1: u32 = 0xd518_2000;
const MSR_TCR_EL1: u32 = 0xd518_2042;
const TLBI_VMALLE1: u32 = 0xd508_871f;
const TLBI_VMALLE1IS: u32 = 0xd508_831f;
const TLBI_VAAE1IS: u32 = 0xd508_8360;
const IC_IALLU: u32 = 0xd508_751f;
const DC_IVAC: u32 = 0xd508_7620;
const DC_CIVAC: u32 = 0xd50b_7e20;
const DC_CVAC: u32 = 0xd50b_7a20;
const MRS_CNTVCT: u32 = 0xd53b_e040;

/// The number of rules that the words break as a function of this name in `.init`, and as one of
/// Rust.
fn broken(name: &str, words: &[u32]) -> (usize, usize) {
    let count = |section: &str, address| {
        let sample = Sample::default().section(section, address, words).symbol(
            name,
            address,
            words.len() as u64,
        );
        check(&sample.build()).violations.len()
    };
    (count(".init", INIT), count(".text", TEXT))
}

/// Asserts that the sequence breaks no rule, and that it does without any of the words at `needed`.
#[track_caller]
fn each_is_missed(name: &str, words: &[u32], needed: &[usize]) {
    assert_eq!(broken(name, words), (0, 0), "as it should be");
    for index in needed {
        let mut words = words.to_vec();
        words[*index] = NOP;
        let (assembly, _) = broken(name, &words);
        assert!(assembly > 0, "word {index} of {name} is not missed");
    }
}

#[test]
fn turning_the_mmu_on_waits_for_everything() {
    let words = [
        MSR_TCR_EL1,
        MSR_TTBR0_EL1,
        ISB,
        TLBI_VMALLE1,
        IC_IALLU,
        DSB_NSH,
        ISB,
        MSR_SCTLR_EL1,
        ISB,
        RET,
    ];
    each_is_missed("secondary_start", &words, &[2, 5, 8]);
}

#[test]
fn nothing_but_preparation_stands_between_sctlr_and_its_isb() {
    // msr vbar_el1, x1; ldr x0, [x1]; b .+4; eret
    for (word, expected) in [
        (0xd518_c001, 0),
        (0xf940_0020, 1),
        (0x1400_0001, 1),
        (0xd69f_03e0, 1),
    ] {
        let (assembly, rust) = broken("anything", &[MSR_SCTLR_EL1, word, ISB, RET]);
        assert_eq!((assembly, rust), (expected, expected), "{word:#x}");
    }
}

#[test]
fn giving_up_the_low_half_is_synchronised_and_waited_for() {
    let words = [
        MSR_TTBR0_EL1,
        MSR_TCR_EL1,
        ISB,
        TLBI_VMALLE1,
        DSB_NSH,
        ISB,
        RET,
    ];
    each_is_missed("give_up_low_half", &words, &[2, 4]);
}

#[test]
fn maintenance_for_all_follows_the_stores_and_is_waited_for() {
    let words = [DSB_ISHST, TLBI_VAAE1IS, DSB_ISH, ISB, RET];
    each_is_missed("anything", &words, &[0, 2]);
    // A loop over pages, begun once.
    let words = [DSB_ISHST, TLBI_VAAE1IS, 0xb5ff_ffe1, DSB_ISH, ISB, RET];
    each_is_missed("anything", &words, &[0, 3]);
}

#[test]
fn a_function_of_rust_may_leave_the_wait_to_its_caller() {
    assert_eq!(
        broken("anything", &[DSB_ISHST, TLBI_VMALLE1IS, RET]),
        (1, 0)
    );
    // A caller without a DSB after the call breaks the rule.
    let words = [0x9400_0003, ISB, RET, DSB_ISHST, TLBI_VMALLE1IS, RET];
    let sample = Sample::default()
        .section(".text", TEXT, &words)
        .symbol("caller", TEXT, 3)
        .symbol("callee", TEXT + 12, 3);
    assert_eq!(check(&sample.build()).violations.len(), 1);
}

#[test]
fn what_all_cores_hold_is_not_invalidated_for_one() {
    let words = [DSB_ISHST, TLBI_VMALLE1, DSB_NSH, ISB, RET];
    assert_eq!(broken("anything", &words), (1, 1));
    assert_eq!(
        broken("stilt::kernel::cores::smp::kernel_secondary", &words),
        (0, 0)
    );
}

#[test]
fn cache_maintenance_is_waited_for_through_its_callers() {
    each_is_missed("anything", &[DC_CIVAC, DSB_SY, RET], &[1]);
    each_is_missed("anything", &[DC_IVAC, DSB_SY, RET], &[1]);
    // bl .+12; dsb sy; ret; dc civac, x0; ret
    let caller = |dsb| {
        let words = [0x9400_0003, dsb, RET, DC_CIVAC, RET];
        let sample = Sample::default()
            .section(".init", INIT, &words)
            .symbol("leave_caches", INIT, 3)
            .symbol("clean_invalidate", INIT + 12, 2);
        check(&sample.build()).violations.len()
    };
    assert_eq!((caller(DSB_SY), caller(NOP)), (0, 1));
}

#[test]
fn cleaning_that_keeps_the_line_is_refused() {
    assert_eq!(broken("anything", &[DC_CVAC, DSB_SY, RET]), (1, 1));
}

#[test]
fn an_event_comes_after_what_it_announces() {
    each_is_missed("anything", &[DSB_SY, SEV, RET], &[0]);
}

#[test]
fn a_counter_is_not_read_early() {
    each_is_missed("anything", &[ISB, MRS_CNTVCT, RET], &[0]);
}
