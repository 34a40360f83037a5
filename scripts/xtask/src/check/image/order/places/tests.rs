//! An image in which every rule holds, and one fault in it at a time.

use super::check;
use crate::check::image::sample::{INIT, RET, Sample, TEXT};

const NOP: u32 = 0xd503_201f;
const ISB: u32 = 0xd503_3fdf;
const DSB: u32 = 0xd503_379f;
const DMB: u32 = 0xd503_3fbf;
const MSR_SCTLR_EL1: u32 = 0xd518_1001;
const TLBI_VMALLE1: u32 = 0xd508_871f;
const TLBI_ALLE3: u32 = 0xd50e_871f;
const IC_IALLU: u32 = 0xd508_751f;
const DC_CIVAC: u32 = 0xd50b_7e20;
const DC_IVAC: u32 = 0xd508_7620;
const MSR_CPUECTLR_EL1: u32 = 0xd519_f221;

/// MSR of each register that is written on the way to EL1, but CPUECTLR_EL1.
const MSRS: [u32; 28] = [
    0xd51e_c000, // VBAR_EL3
    0xd51e_1000, // SCTLR_EL3
    0xd51e_1100, // SCR_EL3
    0xd51e_1320, // MDCR_EL3
    0xd51e_1140, // CPTR_EL3
    0xd51e_1020, // ACTLR_EL3
    0xd51e_4000, // SPSR_EL3
    0xd51e_4020, // ELR_EL3
    0xd519_b040, // L2CTLR_EL1
    0xd51b_e000, // CNTFRQ_EL0
    0xd51c_1020, // ACTLR_EL2
    0xd51c_c000, // VBAR_EL2
    0xd51c_1000, // SCTLR_EL2
    0xd51c_1100, // HCR_EL2
    0xd51c_e100, // CNTHCTL_EL2
    0xd51c_e060, // CNTVOFF_EL2
    0xd51c_1140, // CPTR_EL2
    0xd51c_1160, // HSTR_EL2
    0xd51c_2100, // VTTBR_EL2
    0xd51c_0000, // VPIDR_EL2
    0xd51c_00a0, // VMPIDR_EL2
    0xd51c_1120, // MDCR_EL2
    0xd518_1000, // SCTLR_EL1
    0xd518_c000, // VBAR_EL1
    0xd518_1040, // CPACR_EL1
    0xd510_0240, // MDSCR_EL1
    0xd518_e100, // CNTKCTL_EL1
    0xd518_2000, // TTBR0_EL1
];

/// The sequence that turns the MMU on.
const ENABLE: [u32; 8] = [
    ISB,
    TLBI_VMALLE1,
    IC_IALLU,
    DSB,
    ISB,
    MSR_SCTLR_EL1,
    ISB,
    0xd61f_0060, // br x3
];

/// The parts of the image, one after the other in `.init`.
#[derive(Clone)]
struct Image {
    el3: Vec<u32>,
    enable: Vec<u32>,
    secondary: Vec<u32>,
    leave_caches: Vec<u32>,
    clean: Vec<u32>,
    tables: Vec<u32>,
    save_frame: Vec<u32>,
}

impl Image {
    fn right() -> Self {
        let el3 = [
            &[MSR_CPUECTLR_EL1, ISB, TLBI_ALLE3, DSB, ISB],
            &MSRS[..],
            &[RET],
        ]
        .concat();
        Self {
            el3,
            enable: ENABLE.to_vec(),
            secondary: ENABLE.to_vec(),
            // bl .+24: the part after it.
            leave_caches: vec![0x9400_0006, DSB, IC_IALLU, DSB, ISB, RET],
            clean: vec![DC_CIVAC, RET],
            tables: vec![DC_IVAC, DSB, RET],
            // bl .+8: the handler, which follows.
            save_frame: vec![DMB, 0x9400_0002, 0xd69f_03e0],
        }
    }

    /// The rules that the image breaks.
    fn broken(&self) -> Vec<String> {
        let parts = [
            ("leave_to_el1", &self.el3),
            ("enable_mmu_and_enter_kernel", &self.enable),
            ("secondary_start", &self.secondary),
            ("leave_caches", &self.leave_caches),
            ("clean_invalidate", &self.clean),
            ("init_kernel_pt", &self.tables),
            ("save_frame", &self.save_frame),
        ];
        let mut words = Vec::new();
        let mut sample = Sample::default();
        for (name, part) in parts {
            let start = INIT + 4 * words.len() as u64;
            sample = sample.symbol(name, start, part.len() as u64);
            let last = start + 4 * (part.len() as u64 - 1);
            sample = match name {
                "leave_to_el1" => sample.symbol("at_el3", start, 0),
                "enable_mmu_and_enter_kernel" => sample.symbol("enter_high_half", last, 0),
                "secondary_start" => sample.symbol("secondary_enters_high_half", last, 0),
                _ => sample,
            };
            words.extend_from_slice(part);
        }
        let handler = INIT + 4 * words.len() as u64;
        words.push(RET);
        let sample = sample
            .symbol("kernel_exception", handler, 1)
            .section(".init", INIT, &words)
            .section(".text", TEXT, &[RET]);
        let violations = check(&sample.build()).violations;
        violations
            .into_iter()
            .map(|found| format!("{}: {}", found.place, found.rule))
            .collect()
    }
}

/// Asserts that exactly one rule is broken, whose text contains `says`.
#[track_caller]
fn one(image: Image, says: &str) {
    let broken = image.broken();
    assert_eq!(broken.len(), 1, "{broken:#?}");
    assert!(broken[0].contains(says), "{broken:#?}");
}

#[test]
fn the_right_image_passes() {
    assert_eq!(Image::right().broken(), [""; 0]);
}

#[test]
fn an_image_without_the_places_is_refused() {
    let empty = Sample::default().section(".init", INIT, &[RET]).build();
    assert_eq!(check(&empty).violations.len(), 7);
}

#[test]
fn each_step_before_the_mmu_is_missed_on_every_core() {
    for (index, says) in [
        (0, "isb, tlbi vmalle1"),
        (1, "isb, tlbi vmalle1"),
        (2, "ic iallu"),
        (3, "dsb"),
        (4, "isb"),
    ] {
        let mut image = Image::right();
        image.enable[index] = NOP;
        let broken = image.broken();
        assert!(
            !broken.is_empty() && broken[0].contains(says),
            "{broken:#?}"
        );
        assert!(broken[0].starts_with("enter_high_half"), "{broken:#?}");
        let mut image = Image::right();
        image.secondary[index] = NOP;
        let broken = image.broken();
        assert!(
            broken[0].starts_with("secondary_enters_high_half"),
            "{broken:#?}"
        );
    }
}

#[test]
fn maintenance_before_smpen_is_refused() {
    let mut image = Image::right();
    image.el3.swap(0, 2);
    one(image, "SMPEN");
    // bl .-8, to the cleaning, as the first instruction: calls are followed.
    let mut image = Image::right();
    let words_between =
        image.el3.len() + image.enable.len() + image.secondary.len() + image.leave_caches.len();
    image
        .el3
        .insert(0, 0x9400_0000 | (words_between as u32 + 1));
    one(image, "SMPEN");
}

#[test]
fn each_register_that_is_not_written_is_named() {
    for index in 0..MSRS.len() {
        let mut image = Image::right();
        image.el3[5 + index] = NOP;
        one(image, "is not written");
    }
}

#[test]
fn a_register_that_is_read_and_modified_is_refused() {
    let mut image = Image::right();
    // mrs x0, hcr_el2
    image.el3.insert(5, 0xd53c_1100);
    one(image, "HCR_EL2 is read");
}

#[test]
fn a_loaders_caches_are_written_back_and_its_instructions_dropped() {
    for index in 1..5 {
        let mut image = Image::right();
        image.leave_caches[index] = NOP;
        one(image, "dsb, ic iallu, dsb, isb");
    }
    let mut image = Image::right();
    image.clean[0] = NOP;
    one(image, "dc civac");
    let mut image = Image::right();
    image.leave_caches[0] = NOP;
    one(image, "dc civac");
}

#[test]
fn fresh_tables_are_not_written_over() {
    let mut image = Image::right();
    image.tables[0] = DC_CIVAC;
    let broken = image.broken();
    assert_eq!(broken.len(), 2, "{broken:#?}");
}

#[test]
fn the_barrier_before_the_handler_is_missed() {
    let mut image = Image::right();
    image.save_frame[0] = NOP;
    one(image, "no barrier");
    let mut image = Image::right();
    image.save_frame[1] = NOP;
    one(image, "does not call kernel_exception");
}
