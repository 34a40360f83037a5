//! Each fault is planted in a sound map: the audit finds it, with its addresses, and nothing else.

use crate::finding::{Finding, FindingKind};
use crate::synthetic::{
    CONTIGUOUS, DEVICE, HIGH, Memory, NON_GLOBAL, NORMAL, NORMAL_BLOCK, NORMAL_PAGE, PXN, READ_ONLY,
};

const TEXT: u64 = NORMAL_PAGE & !PXN | READ_ONLY;
const AF: u64 = 1 << 10;
const AP_EL0: u64 = 1 << 6;

/// A sound map: two pages of the linear map.
fn sound() -> Memory {
    let mut memory = Memory::with_roots();
    memory.page(HIGH | 0x1000, 0x1000 | TEXT);
    memory.page(HIGH | 0x2000, 0x2000 | NORMAL_PAGE);
    memory
}

fn kinds(findings: &[Finding]) -> Vec<(FindingKind, u64, Option<u64>)> {
    let findings = findings.iter();
    findings
        .map(|found| (found.kind, found.va, found.other))
        .collect()
}

#[track_caller]
fn found(mut memory: Memory, expected: &[(FindingKind, u64, Option<u64>)]) {
    assert_eq!(kinds(&memory.map().findings), expected);
}

#[test]
fn a_sound_map_has_no_findings() {
    found(sound(), &[]);
}

#[test]
fn a_writable_executable_page_is_found() {
    let mut memory = sound();
    memory.page(HIGH | 0x2000, 0x2000 | NORMAL_PAGE & !PXN);
    found(
        memory.clone(),
        &[(FindingKind::WritableExecutable, HIGH | 0x2000, None)],
    );
    let what = &memory.map().findings[0].what;
    assert_eq!(what, "rwx; SCTLR_EL1.WXN takes the right to execute away");
}

#[test]
fn a_page_that_el1_writes_and_el0_executes_is_found() {
    let mut memory = sound();
    let page = 0x9000 | NORMAL_PAGE & !(1 << 54) | NON_GLOBAL;
    memory.page(0x5000, page);
    found(memory, &[(FindingKind::WritableExecutable, 0x5000, None)]);
}

#[test]
fn a_writable_alias_of_code_is_found_in_the_middle_of_a_block_and_in_the_other_half() {
    let mut memory = sound();
    memory.page(HIGH | 0x1000, 0x40_3000 | TEXT);
    memory.put(HIGH | 4 << 21, 2, 2 << 21 | NORMAL_BLOCK);
    let alias = HIGH | 4 << 21 | 0x3000;
    found(
        memory,
        &[(FindingKind::WritableAlias, HIGH | 0x1000, Some(alias))],
    );
    let mut memory = sound();
    memory.page(0x7000, 0x1000 | NORMAL_PAGE | NON_GLOBAL);
    found(
        memory,
        &[(FindingKind::WritableAlias, HIGH | 0x1000, Some(0x7000))],
    );
}

#[test]
fn a_read_only_alias_of_code_is_none() {
    let mut memory = sound();
    memory.page(0x7000, 0x1000 | NORMAL_PAGE | READ_ONLY | NON_GLOBAL);
    found(memory, &[]);
}

#[test]
fn two_memory_types_of_a_frame_are_found() {
    let mut memory = sound();
    memory.page(HIGH | 0x8000, 0x2000 | NORMAL_PAGE & !NORMAL | DEVICE);
    let at = (
        FindingKind::MixedMemoryTypes,
        HIGH | 0x2000,
        Some(HIGH | 0x8000),
    );
    found(memory, &[at]);
}

#[test]
fn an_executable_device_is_found() {
    let mut memory = sound();
    memory.page(HIGH | 0x8000, 0x8000 | TEXT & !NORMAL | DEVICE);
    found(
        memory,
        &[(FindingKind::ExecutableDevice, HIGH | 0x8000, None)],
    );
}

#[test]
fn odd_attributes_are_found() {
    let mut memory = sound();
    let mut put = |page: u64, bits: u64| memory.page(HIGH | page << 12, page << 12 | bits);
    put(0x10, NORMAL_PAGE & !AF);
    put(0x11, NORMAL_PAGE & !(1 << 9));
    // AttrIndx 7 and 6 have the byte 0 in MAIR_EL1, Device-nGnRnE: no reserved type.
    put(0x12, NORMAL_PAGE | AP_EL0);
    memory.page(HIGH | 0x1_3000, 0x100_0000_0000 | NORMAL_PAGE);
    memory.put(HIGH | 8 << 21, 2, 8 << 21 | 0x3000 | NORMAL_BLOCK);
    memory.page(0x1000, 0x5000 | NORMAL_PAGE);
    found(
        memory,
        &[
            (FindingKind::TooHigh, HIGH | 0x1_3000, None),
            (FindingKind::MisalignedBlock, HIGH | 8 << 21, None),
            (FindingKind::ReservedShareability, HIGH | 0x1_1000, None),
            (FindingKind::UserInHighHalf, HIGH | 0x1_2000, None),
            (FindingKind::GlobalInLowHalf, 0x1000, None),
            (FindingKind::NeverUsed, HIGH | 0x1_0000, None),
        ],
    );
}

#[test]
fn a_contiguous_group_is_whole_or_told() {
    let group = |missing: Option<u64>| {
        let mut memory = sound();
        for page in (0x20..0x30).filter(|page| Some(*page) != missing) {
            memory.page(HIGH | page << 12, page << 12 | NORMAL_PAGE | CONTIGUOUS);
        }
        memory
    };
    found(group(None), &[]);
    let broken = (FindingKind::BrokenGroup, HIGH | 0x2_0000, None);
    found(group(Some(0x27)), &[broken]);
    let mut memory = group(None);
    memory.page(HIGH | 0x2_5000, 0x2_5000 | NORMAL_PAGE);
    found(memory, &[broken]);
    let mut memory = group(None);
    for page in 0x20..0x30 {
        memory.page(
            HIGH | page << 12,
            (page + 1) << 12 | NORMAL_PAGE | CONTIGUOUS,
        );
    }
    found(memory, &[broken]);
}

#[test]
fn many_of_a_kind_are_counted() {
    let mut memory = sound();
    for page in (0x100..0x180).step_by(2) {
        memory.page(HIGH | page << 12, page << 12 | NORMAL_PAGE & !AF);
    }
    let map = memory.map();
    assert_eq!(map.findings.len(), 20);
    assert!(map.findings[19].what.ends_with("; 44 more of the kind"));
}
