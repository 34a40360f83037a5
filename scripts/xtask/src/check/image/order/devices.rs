//! A barrier between accesses to two devices: the BCM2835 may answer their reads out of order
//! (BCM2835 ARM Peripherals, 1.3).
//!
//! # Decisions
//!
//! Only straight lines of instructions are judged: accesses whose base the line builds itself, up
//! to the next branch or target of a branch. A device is a page of the peripherals.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ops::Range;

use a64::data::Constant;
use a64::memory::Access;
use a64::system::System;
use a64::{Instruction, Register};
use stilt::board::raspi3;

use crate::check::image::effect::{Effect, effect};
use crate::check::image::program::Program;
use crate::check::report::{Report, Violation};

/// The physical addresses of the peripherals and the local peripherals.
const DEVICES: Range<u64> = raspi3::PERIPHERALS.as_usize() as u64
    ..(raspi3::LOCAL_PERIPHERALS.as_usize() + raspi3::LOCAL_PERIPHERALS_SIZE) as u64;
/// The distance from a physical address to its address in the linear map.
const OFFSET: u64 = raspi3::KERNEL_VA_OFFSET as u64;
const PAGE: u64 = 0x1000;
const REGISTERS: usize = 32;

/// The state of a straight line after the instructions so far.
#[derive(Default)]
struct StraightLine {
    /// The constants in the registers, where they are known.
    values: [Option<u64>; REGISTERS],
    /// The device of the last access, if no barrier followed it.
    device: Option<u64>,
}

/// Checks every straight line of the image.
pub(in crate::check) fn check(program: &Program) -> Report {
    let targets = targets(program);
    let mut count = 0;
    let mut violations = Vec::new();
    for function in program.functions() {
        let mut line = StraightLine::default();
        for (address, word) in program.instructions(&function.range) {
            if targets.contains(&address) {
                line = StraightLine::default();
            }
            if let Some(device) = line.accessed(word) {
                count += 1;
                let before = line.device.replace(device);
                if let Some(other) = before.filter(|other| *other != device) {
                    violations.push(Violation {
                        place: program.describe(address),
                        rule: format!(
                            "{device:#x} after {other:#x} without a barrier between the devices"
                        ),
                    });
                }
            }
            line.go_on(program, address, word);
        }
    }
    Report {
        name: "devices",
        counted: format!("{count} accesses"),
        violations,
    }
}

/// The targets of all branches.
fn targets(program: &Program) -> BTreeSet<u64> {
    let sections = program.executable_sections();
    let words = sections.flat_map(|section| {
        let range = section.range();
        program.instructions(&range).collect::<Vec<_>>()
    });
    words
        .filter_map(|(address, word)| word.branch_target(address))
        .collect()
}

impl StraightLine {
    /// The device that `word` loads from or stores to, if its base is known.
    fn accessed(&self, word: Instruction) -> Option<u64> {
        let Instruction::Access(access) = word else {
            return None;
        };
        let physical = self.values[access.base()?.index()]? & !OFFSET;
        DEVICES
            .contains(&physical)
            .then_some(physical & !(PAGE - 1))
    }

    fn go_on(&mut self, program: &Program, address: u64, word: Instruction) {
        if word.is_branch() {
            *self = Self::default();
            return;
        }
        if matches!(effect(word), Some(Effect::Dmb | Effect::Dsb)) {
            self.device = None;
        }
        match word {
            Instruction::Data(data) => {
                let Some(register) = data.rd() else { return };
                let value = &mut self.values[register.index()];
                *value = match (data.constant(), *value) {
                    (Some(Constant::Set(bits)), _) => Some(bits),
                    (Some(Constant::Keep { bits, mask }), Some(before)) => {
                        Some(before & !mask | bits)
                    }
                    _ => None,
                };
            }
            Instruction::Access(Access::Literal {
                transfer,
                rt,
                offset,
            }) => {
                let bytes = program.bytes_at(address.wrapping_add_signed(offset));
                let mask = u64::MAX >> (64 - 8 * transfer.bytes());
                let value = bytes.map(|bytes| u64::from_le_bytes(bytes) & mask);
                self.values[rt.index()] = value;
            }
            Instruction::Access(access) => self.forget(|register| access.writes(register)),
            Instruction::System(System::Read { rt, .. } | System::MaintainAndRead { rt, .. }) => {
                self.values[rt.index()] = None;
            }
            Instruction::Vector(_) | Instruction::Later(_) => self.forget(|_| true),
            _ => {}
        }
    }

    /// Drops the constants of the registers that an instruction writes.
    fn forget(&mut self, is_written: impl Fn(Register) -> bool) {
        for (number, value) in (0..).zip(&mut self.values) {
            if is_written(Register(number)) {
                *value = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::check::image::parts::Content;
    use crate::check::image::sample::{RET, Sample, TEXT};

    const DMB: u32 = 0xd503_3fbf;
    /// mov x16, #0x3f200000
    const GPIO: u32 = 0xd2a7_e410;
    /// ldr w15, [x16, #4]; str w15, [x16, #4]
    const LOAD_GPIO: u32 = 0xb940_060f;
    const STORE_GPIO: u32 = 0xb900_060f;
    /// mov w14, #0x1000; movk w14, #0x3f20, lsl #16
    const UART: [u32; 2] = [0x5282_000e, 0x72a7_e40e];
    /// str wzr, [x14, #48]
    const STORE_UART: u32 = 0xb900_31df;

    fn broken(words: &[u32]) -> usize {
        let sample =
            Sample::default()
                .section(".text", TEXT, words)
                .symbol("f", TEXT, words.len() as u64);
        check(&sample.build()).violations.len()
    }

    #[test]
    fn going_from_one_device_to_another_needs_a_barrier() {
        let with = |between: &[u32]| {
            let first = [GPIO, LOAD_GPIO, STORE_GPIO];
            broken(&[&first[..], between, &UART, &[STORE_UART, RET]].concat())
        };
        assert_eq!(with(&[]), 1);
        assert_eq!(with(&[DMB]), 0);
    }

    #[test]
    fn one_device_needs_none_and_what_a_branch_leads_to_is_not_known() {
        assert_eq!(broken(&[GPIO, LOAD_GPIO, STORE_GPIO, LOAD_GPIO, RET]), 0);
        // cbz x0, .+4
        let branch = 0xb400_0020;
        let words = [GPIO, LOAD_GPIO, branch, UART[0], UART[1], STORE_UART, RET];
        assert_eq!(broken(&words), 0);
    }

    #[test]
    fn a_base_from_a_literal_pool_is_known() {
        // ldr w14, .+24: the pool behind the function
        let words = [
            GPIO,
            LOAD_GPIO,
            0x1800_008e,
            STORE_UART,
            RET,
            0,
            0x3f20_1000,
            0,
        ];
        let sample = Sample::default()
            .section(".text", TEXT, &words)
            .symbol("f", TEXT, 5)
            .content(TEXT, Content::Code)
            .content(TEXT + 20, Content::Data);
        assert_eq!(check(&sample.build()).violations.len(), 1);
    }
}
