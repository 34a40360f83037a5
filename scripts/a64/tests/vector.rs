//! SIMD and floating-point words that compilers copy memory with, worked out by hand from DDI 0487
//! C4.1.
#![forbid(unsafe_code)]

use a64::memory::{Address, Offset, PairMode};
use a64::vector::{Vector, VectorRegister, VectorTransfer};
use a64::{Register, Width, decode_vector};

const fn transfer(store: bool, size: u8) -> VectorTransfer {
    VectorTransfer { store, size }
}

#[test]
fn loads_and_stores_have_their_size_and_offset() {
    let stored = Vector::Single {
        transfer: transfer(true, 4),
        rt: VectorRegister(0),
        address: Address {
            rn: Register(31),
            offset: Offset::Scaled(0x60),
        },
    };
    assert_eq!(
        decode_vector(0x3d80_1be0),
        Some(stored),
        "str q0, [sp, #96]"
    );
    let loaded = Vector::Single {
        transfer: transfer(false, 3),
        rt: VectorRegister(1),
        address: Address {
            rn: Register(2),
            offset: Offset::Post(8),
        },
    };
    assert_eq!(decode_vector(0xfc40_8441), Some(loaded), "ldr d1, [x2], #8");
    let pair = Vector::Pair {
        transfer: transfer(false, 4),
        registers: [VectorRegister(0), VectorRegister(1)],
        rn: Register(1),
        offset: 32,
        mode: PairMode::Offset,
    };
    assert_eq!(
        decode_vector(0xad41_0420),
        Some(pair),
        "ldp q0, q1, [x1, #32]"
    );
    assert_eq!(decode_vector(0x4c40_7000), None, "ld1 {{v0.16b}}, [x0]");
}

#[test]
fn constants_fill_the_register() {
    let value = |word| match decode_vector(word) {
        Some(Vector::Constant { value, .. }) => Some(value),
        _ => None,
    };
    assert_eq!(value(0x4f00_0400), Some(0), "movi v0.4s, #0");
    assert_eq!(value(0x2f00_e400), Some(0), "movi d0, #0");
    let ones = 0x0000_0001_0000_0001_0000_0001_0000_0001;
    assert_eq!(value(0x4f00_0420), Some(ones), "movi v0.4s, #1");
    assert_eq!(value(0x6f00_0420), Some(!ones), "mvni v0.4s, #1");
    let bytes = 0x0505_0505_0505_0505;
    assert_eq!(value(0x0f00_e4a0), Some(bytes), "movi v0.8b, #5");
    assert_eq!(value(0x4f03_f600), None, "fmov v0.4s, #1.0");
}

#[test]
fn moves_from_and_to_general_registers_have_one_width() {
    let to = Vector::FromGeneral {
        rd: VectorRegister(0),
        rn: Register(1),
        width: Width::X,
    };
    assert_eq!(decode_vector(0x9e67_0020), Some(to), "fmov d0, x1");
    let from = Vector::ToGeneral {
        rd: Register(0),
        rn: VectorRegister(1),
        width: Width::W,
    };
    assert_eq!(decode_vector(0x1e26_0020), Some(from), "fmov w0, s1");
    let duplicate = Vector::Duplicate {
        rd: VectorRegister(0),
        rn: Register(1),
        size: 0,
        whole: true,
    };
    assert_eq!(
        decode_vector(0x4e01_0c20),
        Some(duplicate),
        "dup v0.16b, w1"
    );
    assert_eq!(decode_vector(0x1e6e_1000), None, "fmov d0, #1.0");
}
