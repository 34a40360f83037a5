//! RISC-V Sv39 and Sv48: the privileged ISA, "Supervisor-Level ISA" (format of an entry, address
//! translation) with the extensions Svnapot (N) and Svpbmt (PBMT). Rights with sstatus.SUM = 1 and
//! sstatus.MXR = 0.
#![forbid(unsafe_code)]

use super::{Field, Kind, Layout, Meaning, Runs, bit, field, text};
use crate::{MappingFlags, Rights};

/// RISC-V Sv39: levels 0 to 2. Its rights are those with sstatus.SUM set and MXR clear.
pub static SV39: Layout = Layout {
    name: "sv39",
    levels: 3,
    kind: |bits, level| kind(bits, 2 - level),
    runs: |kind, _| runs(kind),
    rights,
};

/// RISC-V Sv48: levels 0 to 3. Its rights are those with sstatus.SUM set and MXR clear.
pub static SV48: Layout = Layout {
    name: "sv48",
    levels: 4,
    kind: |bits, level| kind(bits, 3 - level),
    runs: |kind, _| runs(kind),
    rights,
};

const VALID: u64 = 1 << 0;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 2;
const EXECUTE: u64 = 1 << 3;
const USER: u64 = 1 << 4;
const FRAME_SHIFT: u32 = 10;

/// Of `bits` in a table that is `above` levels above the last.
const fn kind(bits: u64, above: usize) -> Kind {
    if bits & VALID == 0 {
        return Kind::Invalid;
    }
    let misaligned = (1 << (9 * above)) - 1;
    match (bits & (READ | WRITE | EXECUTE), above) {
        (0, 0) => Kind::Reserved,
        (0, _) => Kind::Table,
        (rights, _) if rights & (READ | WRITE) == WRITE => Kind::Reserved,
        (_, 0) => Kind::Page,
        _ if bits >> FRAME_SHIFT & misaligned != 0 => Kind::Reserved,
        _ => Kind::Block,
    }
}

fn rights(bits: u64) -> Rights {
    let set = |bit: u64| bits & bit != 0;
    let all = |execute| super::rights(set(READ), set(WRITE), execute);
    let user = set(USER);
    Rights {
        kernel: all(set(EXECUTE) && !user),
        user: if user {
            all(set(EXECUTE))
        } else {
            MappingFlags::empty()
        },
    }
}

fn runs(kind: Kind) -> Runs {
    match kind {
        Kind::Invalid => &[&INVALID],
        Kind::Table => &[&TABLE],
        Kind::Reserved | Kind::Block | Kind::Page => &[&LEAF],
    }
}

const V: Field = bit(0, "V|invalid: an access faults|valid");
const INVALID: [Field; 2] = [
    text(63, 1, "ignored|for software; ignored by the hardware"),
    V,
];
const RESERVED: Field = text(60, 54, "reserved|reserved, zero");
const RSW: Field = text(9, 8, "RSW|for software; ignored by the hardware");

const LEAF: [Field; 13] = [
    bit(63, "N|on its own|one of 16 (Svnapot), else reserved"),
    field(
        62,
        61,
        Meaning::Values,
        "PBMT|the platform's type (PMA)|NC: non-cacheable, weakly ordered|IO: non-cacheable, strongly ordered|reserved",
    ),
    RESERVED,
    field(53, 10, Meaning::FrameNumber, "PPN"),
    RSW,
    bit(7, "D|not written|written"),
    bit(6, "A|not used|used"),
    bit(5, "G|of one ASID|global"),
    bit(4, "U|not for U-mode|U-mode; S-mode with sstatus.SUM"),
    bit(3, "X|must not be executed|may be executed"),
    bit(2, "W|must not be written|may be written"),
    bit(1, "R|must not be read|may be read"),
    V,
];

const TABLE: [Field; 9] = [
    text(63, 61, "N, PBMT|reserved, zero"),
    RESERVED,
    field(53, 10, Meaning::FrameNumber, "PPN"),
    RSW,
    text(7, 6, "D, A|reserved, zero"),
    bit(5, "G|leaves say it|all below is global"),
    text(4, 4, "U|reserved, zero"),
    text(3, 1, "X, W, R|all 0: names a table"),
    V,
];
