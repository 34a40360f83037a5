//! Arithmetic of the integer instructions: pure functions of their operands.
//!
//! Each is the pseudocode of DDI 0487 J1.3 ("shared/functions") for one operation. Operands and
//! results of 32 bits stand in the low half of a `u64`, with zeros above.

use ::a64::Width;
use ::a64::data::{Bitfield, Extend, One, Shift, Sum, Three, Two};

/// The condition flags N, Z, C and V in bits 3 to 0, as in an instruction's field nzcv.
pub(crate) type Nzcv = u8;

/// AddWithCarry: `x + y + carry`, with the flags of the sum.
#[inline]
pub(crate) fn add_with_carry(width: Width, x: u64, y: u64, carry: bool) -> (u64, Nzcv) {
    match width {
        Width::X => {
            let (sum, first) = x.overflowing_add(y);
            let (result, second) = sum.overflowing_add(u64::from(carry));
            let overflow = ((x ^ result) & (y ^ result)) >> 63 != 0;
            let flags = sign_and_zero(width, result) | carry_and_overflow(first | second, overflow);
            (result, flags)
        }
        Width::W => {
            let sum = (x & Width::W.mask()) + (y & Width::W.mask()) + u64::from(carry);
            let result = sum & Width::W.mask();
            let overflow = ((x ^ result) & (y ^ result)) >> 31 & 1 != 0;
            let flags = sign_and_zero(width, result) | carry_and_overflow(sum >> 32 != 0, overflow);
            (result, flags)
        }
    }
}

fn carry_and_overflow(carry: bool, overflow: bool) -> Nzcv {
    u8::from(carry) << 1 | u8::from(overflow)
}

/// N and Z of a result; C and V are 0, as a logical operation leaves them.
pub(crate) fn sign_and_zero(width: Width, result: u64) -> Nzcv {
    let negative = result >> (width.bits() - 1) & 1;
    (negative as u8) << 3 | u8::from(result == 0) << 2
}

/// `x + y` or `x - y`.
#[inline]
pub(crate) fn plain_sum(kind: Sum, width: Width, x: u64, y: u64) -> u64 {
    let sum = match kind {
        Sum::Add => x.wrapping_add(y),
        Sum::Sub => x.wrapping_sub(y),
    };
    sum & width.mask()
}

/// `x + y` or `x - y`, with the flags.
#[inline]
pub(crate) fn sum(kind: Sum, width: Width, x: u64, y: u64) -> (u64, Nzcv) {
    match kind {
        Sum::Add => add_with_carry(width, x, y, false),
        Sum::Sub => add_with_carry(width, x, !y, true),
    }
}

/// Whether a condition (0 EQ to 14 AL and 15) holds under flags: ConditionHolds.
#[inline]
pub(crate) fn holds(condition: u8, flags: Nzcv) -> bool {
    let [n, z, c, v] = [3, 2, 1, 0].map(|bit| flags >> bit & 1 != 0);
    let result = match condition >> 1 {
        0 => z,
        1 => c,
        2 => n,
        3 => v,
        4 => c && !z,
        5 => n == v,
        6 => n == v && !z,
        _ => return true,
    };
    result != (condition & 1 != 0)
}

/// ShiftReg: `value` shifted by less than the width.
#[inline]
pub(crate) fn shifted(width: Width, value: u64, shift: Shift, amount: u32) -> u64 {
    match width {
        Width::X => match shift {
            Shift::Lsl => value << amount,
            Shift::Lsr => value >> amount,
            Shift::Asr => (value.cast_signed() >> amount).cast_unsigned(),
            Shift::Ror => value.rotate_right(amount),
        },
        Width::W => {
            let value = value as u32;
            u64::from(match shift {
                Shift::Lsl => value << amount,
                Shift::Lsr => value >> amount,
                Shift::Asr => (value.cast_signed() >> amount).cast_unsigned(),
                Shift::Ror => value.rotate_right(amount),
            })
        }
    }
}

/// ExtendReg: a part of `value`, extended to 64 bits and shifted left.
#[inline]
pub(crate) fn extended(value: u64, extend: Extend, shift: u32) -> u64 {
    let value = match extend {
        Extend::Uxtb => value & 0xff,
        Extend::Uxth => value & 0xffff,
        Extend::Uxtw => value & 0xffff_ffff,
        Extend::Uxtx | Extend::Sxtx => value,
        Extend::Sxtb => i64::from(value as i8).cast_unsigned(),
        Extend::Sxth => i64::from(value as i16).cast_unsigned(),
        Extend::Sxtw => i64::from(value as i32).cast_unsigned(),
    };
    value << shift
}

/// SBFM, BFM, UBFM: bits `rotate..=last` of `source` move down to bit 0, or, if `last` is less than
/// `rotate`, bits `0..=last` move up to bit `width - rotate`.
pub(crate) fn bit_field(
    kind: Bitfield,
    width: Width,
    destination: u64,
    source: u64,
    (rotate, last): (u32, u32),
) -> u64 {
    let bits = width.bits();
    let source = source & width.mask();
    let (field, position, length) = if last >= rotate {
        (source >> rotate, 0, last - rotate + 1)
    } else {
        (source, bits - rotate, last + 1)
    };
    let ones = u64::MAX >> (64 - length);
    let field = field & ones;
    let above = match kind {
        Bitfield::Unsigned => 0,
        Bitfield::Signed if field >> (length - 1) & 1 != 0 => !ones,
        Bitfield::Signed => 0,
        Bitfield::Insert => {
            let mask = ones << position;
            return (destination & !mask | field << position) & width.mask();
        }
    };
    ((field | above) << position) & width.mask()
}

/// EXTR: the pair `high:low` from bit `first` up, one register wide.
pub(crate) fn extracted(width: Width, high: u64, low: u64, first: u32) -> u64 {
    let bits = width.bits();
    if first == 0 {
        return low & width.mask();
    }
    ((low & width.mask()) >> first | high << (bits - first)) & width.mask()
}

/// "Data-processing (1 source)".
pub(crate) fn one(operation: One, width: Width, value: u64) -> u64 {
    match width {
        Width::X => match operation {
            One::Rbit => value.reverse_bits(),
            One::Rev => value.swap_bytes(),
            One::Rev16 => reversed_halfwords(value),
            One::Rev32 => value.swap_bytes().rotate_left(32),
            One::Clz => u64::from(value.leading_zeros()),
            One::Cls => u64::from(sign_bits(value)),
        },
        Width::W => {
            let word = value as u32;
            match operation {
                One::Rbit => u64::from(word.reverse_bits()),
                One::Rev | One::Rev32 => u64::from(word.swap_bytes()),
                One::Rev16 => reversed_halfwords(value) & Width::W.mask(),
                One::Clz => u64::from(word.leading_zeros()),
                One::Cls => {
                    u64::from(sign_bits(i64::from(word.cast_signed()).cast_unsigned()) - 32)
                }
            }
        }
    }
}

fn reversed_halfwords(value: u64) -> u64 {
    const LOW: u64 = 0x00ff_00ff_00ff_00ff;
    (value & LOW) << 8 | value >> 8 & LOW
}

/// The number of bits below bit 63 that equal it, without a gap.
fn sign_bits(value: u64) -> u32 {
    (value ^ (value.cast_signed() >> 63).cast_unsigned()).leading_zeros() - 1
}

/// "Data-processing (2 source)". The width of a CRC is that of `y`.
pub(crate) fn two(operation: Two, width: Width, x: u64, y: u64) -> u64 {
    let amount = (y % u64::from(width.bits())) as u32;
    let (x, y) = match operation {
        Two::Crc32(_) | Two::Crc32c(_) => (x, y),
        _ => (x & width.mask(), y & width.mask()),
    };
    match operation {
        Two::Udiv => x.checked_div(y).unwrap_or(0),
        Two::Sdiv => signed_quotient(width, x, y),
        Two::Lslv => shifted(width, x, Shift::Lsl, amount),
        Two::Lsrv => shifted(width, x, Shift::Lsr, amount),
        Two::Asrv => shifted(width, x, Shift::Asr, amount),
        Two::Rorv => shifted(width, x, Shift::Ror, amount),
        Two::Crc32(size) => u64::from(crc32(0xedb8_8320, x as u32, y, size)),
        Two::Crc32c(size) => u64::from(crc32(0x82f6_3b78, x as u32, y, size)),
    }
}

fn signed_quotient(width: Width, x: u64, y: u64) -> u64 {
    match width {
        _ if y == 0 => 0,
        Width::X => x
            .cast_signed()
            .wrapping_div(y.cast_signed())
            .cast_unsigned(),
        Width::W => {
            let quotient = (x as i32).wrapping_div(y as i32);
            u64::from(quotient.cast_unsigned())
        }
    }
}

/// One step of a CRC over `1 << size` bytes of `data`; `polynomial` has its bits reversed.
fn crc32(polynomial: u32, sum: u32, data: u64, size: u8) -> u32 {
    let mut sum = sum;
    for byte in data.to_le_bytes().into_iter().take(1 << size) {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = sum >> 1 ^ if sum & 1 != 0 { polynomial } else { 0 };
        }
    }
    sum
}

/// "Data-processing (3 source)": `addend` plus or minus `x` times `y`, or their high half.
pub(crate) fn three(operation: Three, width: Width, x: u64, y: u64, addend: u64) -> u64 {
    let signed = |value: u64| i64::from(value as i32).cast_unsigned();
    let unsigned = |value: u64| value & Width::W.mask();
    let result = match operation {
        Three::Madd => addend.wrapping_add(x.wrapping_mul(y)),
        Three::Msub => addend.wrapping_sub(x.wrapping_mul(y)),
        Three::Smaddl => addend.wrapping_add(signed(x).wrapping_mul(signed(y))),
        Three::Smsubl => addend.wrapping_sub(signed(x).wrapping_mul(signed(y))),
        Three::Umaddl => addend.wrapping_add(unsigned(x).wrapping_mul(unsigned(y))),
        Three::Umsubl => addend.wrapping_sub(unsigned(x).wrapping_mul(unsigned(y))),
        Three::Umulh => {
            let product = u128::from(x) * u128::from(y);
            (product >> 64) as u64
        }
        Three::Smulh => {
            let product = i128::from(x.cast_signed()) * i128::from(y.cast_signed());
            (product >> 64) as u64
        }
    };
    result & width.mask()
}

#[cfg(test)]
mod tests {
    use super::{add_with_carry, bit_field, extracted, holds, one, signed_quotient, sum, two};
    use ::a64::Width;
    use ::a64::data::{Bitfield, One, Sum, Two};

    const N: u8 = 8;
    const Z: u8 = 4;
    const C: u8 = 2;
    const V: u8 = 1;

    #[test]
    fn sums_set_the_flags_of_the_manual() {
        assert_eq!(sum(Sum::Sub, Width::X, 5, 5), (0, Z | C));
        assert_eq!(sum(Sum::Sub, Width::X, 0, 1), (u64::MAX, N));
        assert_eq!(
            sum(Sum::Add, Width::X, i64::MAX as u64, 1),
            (1 << 63, N | V)
        );
        assert_eq!(sum(Sum::Add, Width::W, 0xffff_ffff, 1), (0, Z | C));
        assert_eq!(
            sum(Sum::Sub, Width::W, 0x8000_0000, 1),
            (0x7fff_ffff, C | V)
        );
        assert_eq!(
            add_with_carry(Width::X, u64::MAX, u64::MAX, true),
            (u64::MAX, N | C)
        );
    }

    #[test]
    fn conditions_read_the_flags() {
        assert!(holds(0, Z) && !holds(1, Z));
        assert!(holds(8, C) && !holds(8, C | Z) && holds(9, C | Z));
        assert!(holds(11, N) && holds(12, 0) && holds(13, Z));
        assert!(holds(14, 0) && holds(15, 0));
    }

    #[test]
    fn bit_fields_move_both_ways() {
        let unsigned = |fields| bit_field(Bitfield::Unsigned, Width::X, 0, 0xabcd, fields);
        assert_eq!(unsigned((4, 11)), 0xbc); // ubfx #4, #8
        assert_eq!(unsigned((60, 7)), 0xcd0); // ubfiz #4, #8
        assert_eq!(
            bit_field(Bitfield::Signed, Width::W, 0, 0x80, (0, 7)),
            0xffff_ff80
        ); // sxtb
        assert_eq!(
            bit_field(Bitfield::Insert, Width::X, 0xffff, 0, (60, 3)),
            0xff0f
        ); // bfi #4, #4
        assert_eq!(extracted(Width::W, 1, 0x8000_0000, 31), 3);
    }

    #[test]
    fn quotients_and_counts_have_their_edges() {
        assert_eq!(two(Two::Udiv, Width::X, 7, 0), 0);
        assert_eq!(
            signed_quotient(Width::W, 0x8000_0000, 0xffff_ffff),
            0x8000_0000
        );
        assert_eq!(
            signed_quotient(Width::X, 7_u64.wrapping_neg(), 2),
            3_u64.wrapping_neg()
        );
        assert_eq!(one(One::Cls, Width::W, 0), 31);
        assert_eq!(one(One::Cls, Width::X, u64::MAX), 63);
        assert_eq!(one(One::Clz, Width::W, 0), 32);
        // The check value of CRC-32: "123456789" gives 0xcbf43926.
        let sum = b"123456789".iter().fold(u64::from(u32::MAX), |sum, &byte| {
            two(Two::Crc32(0), Width::W, sum, u64::from(byte))
        });
        assert_eq!(sum ^ u64::from(u32::MAX), 0xcbf4_3926);
    }
}
