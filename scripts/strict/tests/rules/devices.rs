//! Programs for the rules about devices, the counter, and the firmware's own registers.

use strict::{Entry, Rule};

use super::Programs;
use super::parts::CACHED;

const UART: &[&str] = &["mov x2, #0x3f20_1018", "ldr w0, [x2]"];
const TIMER: &[&str] = &["mov x3, #0x3f00_3004", "ldr w0, [x3]"];
/// X4: a request of three words, its size, 0 for a request, no tag.
const REQUEST: &[&str] = &[
    "mov x4, #0x20_0000",
    "mov x0, #12",
    "str x0, [x4]",
    "str xzr, [x4, #8]",
];
const CLEAN: &[&str] = &["dc civac, x4", "dsb sy"];
const SEND: &[&str] = &["mov x3, #0x3f00_b8a0", "str w0, [x3]"];
/// By the fourth GiB, which is the first one as Device memory.
const MAP_DEVICES: &[&str] = &[
    "mov x0, #0x60_0000_0000_0f05",
    "str x0, [x1, #24]",
    "dsb ishst",
    "isb",
];
const SEND_MAPPED: &[&str] = &["mov x3, #0xff00_b8a0", "str w0, [x3]"];
const ALIASED: &[&str] = &["mov x0, #0xc020_0008"];
const PLAIN: &[&str] = &["mov x0, #0x20_0008"];
/// Three words of one line, dirty in the cache.
pub(crate) const UNCLEAN_REQUEST: &[&[&[&str]]] =
    &[CACHED, &[MAP_DEVICES, REQUEST, ALIASED, SEND_MAPPED]];
/// EL3's registers for EL2, all but SCTLR_EL3; then EL2 at the image's offset 0x600.
const LEAVE_EL3: &[&str] = &[
    "mov x0, #0x8_0800",
    "msr vbar_el3, x0",
    "msr vbar_el2, x0",
    "mov x0, #0x5b1",
    "msr scr_el3, x0",
    "msr cptr_el3, xzr",
    "msr mdcr_el3, xzr",
    "mov x0, #0x73",
    "msr actlr_el3, x0",
    "msr actlr_el2, x0",
    "mov x0, #0x22",
    "msr s3_1_c11_c0_2, x0",
    "mov x0, #0x30c5_0830",
    "msr sctlr_el2, x0",
    "msr hcr_el2, xzr",
    "mov x1, #0x3c9",
    "msr spsr_el3, x1",
    "mov x1, #0x8_0600",
    "msr elr_el3, x1",
];
const SCTLR_EL3: &[&str] = &["msr sctlr_el3, x0"];
const LEAVE: &[&str] = &["isb", "eret", ".org 0x600"];

/// GPIO14 and GPIO15 are the PL011's; X2: the PL011.
const PINS: &[&str] = &[
    "mov x2, #0x3f20_0004",
    "mov x0, #0x2_4000",
    "str w0, [x2]",
    "mov x2, #0x3f20_1000",
];
const DIVISORS: &[&str] = &[
    "mov x0, #26",
    "str w0, [x2, #0x24]",
    "mov x0, #3",
    "str w0, [x2, #0x28]",
];
const LINE: &[&str] = &["mov x0, #0x70", "str w0, [x2, #0x2c]"];
const ON: &[&str] = &["mov x0, #0x301", "str w0, [x2, #0x30]"];
const BYTE: &[&str] = &["mov x0, #0x41", "str w0, [x2]"];
/// The pins are the mini-UART's, as the firmware left them.
pub(crate) const UNHEARD_BYTE: &[&[&[&str]]] =
    &[&[&["mov x2, #0x3f20_1000"], DIVISORS, LINE, ON, BYTE]];
/// The third GiB is the local devices: Normal memory; Device memory, executable or not.
const AS_NORMAL: &[&str] = &["mov x0, #0x60_0000_4000_0f01"];
const EXECUTABLE: &[&str] = &["mov x0, #0x4000_0f05"];
const AS_DEVICE: &[&str] = &["mov x0, #0x60_0000_4000_0f05"];
const MAP_AND_USE: &[&str] = &[
    "str x0, [x1, #16]",
    "dsb ishst",
    "isb",
    "mov x7, #0x8000_0000",
    "ldr w8, [x7]",
];
/// Watchdog time without and with the password.
const POWER: &[&str] = &["mov x2, #0x3f10_0024"];
const NO_PASSWORD: &[&str] = &["mov x0, #0xf_ffff", "str w0, [x2]"];
const PASSWORD: &[&str] = &["mov x0, #0x5a0f_ffff", "str w0, [x2]"];

pub(crate) const PROGRAMS: &[Programs] = &[
    Programs::new(
        Rule::PeripheralOrder,
        Entry::El1,
        &[&[UART, TIMER]],
        &[&[UART, &["dmb sy"], TIMER]],
    ),
    Programs::new(
        Rule::MailboxRequest,
        Entry::El1,
        UNCLEAN_REQUEST,
        &[CACHED, &[MAP_DEVICES, REQUEST, CLEAN, ALIASED, SEND_MAPPED]],
    ),
    Programs::new(
        Rule::MailboxAlias,
        Entry::El1,
        &[&[REQUEST, &["dsb sy"], PLAIN, SEND]],
        &[&[REQUEST, &["dsb sy"], ALIASED, SEND]],
    ),
    Programs::new(
        Rule::SerialLine,
        Entry::El1,
        &[&[PINS, LINE, DIVISORS, ON, BYTE]],
        &[&[PINS, DIVISORS, LINE, ON, BYTE]],
    ),
    Programs::new(
        Rule::SerialLine,
        Entry::El1,
        &[&[PINS, ON, DIVISORS, LINE, BYTE]],
        &[&[PINS, DIVISORS, LINE, ON, BYTE, BYTE]],
    ),
    Programs::new(
        Rule::DeviceAsNormal,
        Entry::El1,
        &[CACHED, &[AS_NORMAL, MAP_AND_USE]],
        &[CACHED, &[AS_DEVICE, MAP_AND_USE]],
    ),
    Programs::new(
        Rule::DeviceExecutable,
        Entry::El1,
        &[CACHED, &[EXECUTABLE, MAP_AND_USE]],
        &[CACHED, &[AS_DEVICE, MAP_AND_USE]],
    ),
    Programs::new(
        Rule::DeviceMisuse,
        Entry::El1,
        &[&[POWER, NO_PASSWORD]],
        &[&[POWER, PASSWORD]],
    ),
    Programs::new(
        Rule::DeviceMisuse,
        Entry::El1,
        &[&[
            PINS, DIVISORS, LINE, ON, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE,
            BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE,
        ]],
        &[&[
            PINS, DIVISORS, LINE, ON, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE, BYTE,
            BYTE,
        ]],
    ),
    Programs::new(
        Rule::CounterEarly,
        Entry::El1,
        &[&[
            REQUEST,
            REQUEST,
            REQUEST,
            REQUEST,
            REQUEST,
            &["mrs x0, cntpct_el0"],
        ]],
        &[&[REQUEST, REQUEST, REQUEST, &["isb", "mrs x0, cntpct_el0"]]],
    ),
    Programs::new(
        Rule::Policy,
        Entry::El3,
        &[&[LEAVE_EL3, LEAVE]],
        &[&[LEAVE_EL3, SCTLR_EL3, LEAVE]],
    ),
];
