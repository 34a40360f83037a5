//! The words that take the place of an instruction, from text: an assembler of the few forms that
//! faults need.

use a64::data::Data;
use a64::system::{Operation, SystemRegister};
use a64::{Instruction, decode};

/// The register fields of an instruction word.
const RD: u32 = 0x1f;
const RN: u32 = 0x1f << 5;

/// CRm of the barriers' options (DDI 0487 C6.2.81).
const OPTIONS: [(&str, u32); 8] = [
    ("nshst", 6),
    ("nsh", 7),
    ("ishld", 9),
    ("ishst", 10),
    ("ish", 11),
    ("ld", 13),
    ("st", 14),
    ("sy", 15),
];

/// The word that `text` puts in the place of `old`; none if the text is no such form.
///
/// | text | word |
/// |---|---|
/// | `nop`, `isb` | the instruction |
/// | `dsb nsh`, `dmb ishst` | the barrier |
/// | `dc civac`, `tlbi vale1` | the operation, with the old word's Rt |
/// | `msr hcr_el2`, `mrs hcr_el2` | the move, with the old word's Rt |
/// | `movz 8 16` | MOVZ of 8 << 16 to the old word's Rd |
/// | `sub 4 12` | SUB of 4 << 12 from the old word's Rd |
/// | `adr -4096` | the old word's ADR, with its address moved by so many bytes |
/// | `plain` | LDR or STR for LDAR or STLR, and the exclusive without acquire and release |
/// | `mov` | MOV of the old word's Rn to its Rd, 32 bits |
/// | `^0x20` | the old word with these bits changed |
/// | `=0xc85f7e7e` | the word |
pub(super) fn replaced(old: u32, text: &str) -> Option<u32> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let number = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let shifted = |most: u32| {
        let (bits, shift) = rest.split_once(' ')?;
        let (bits, shift): (u32, u32) = (bits.parse().ok()?, shift.parse().ok()?);
        (bits < most).then_some((bits, shift))
    };
    Some(match name {
        "nop" => 0xd503_201f,
        "isb" => 0xd503_3fdf,
        "dsb" => 0xd503_309f | option(rest)? << 8,
        "dmb" => 0xd503_30bf | option(rest)? << 8,
        "msr" => 0xd510_0000 | register(rest)? | old & RD,
        "mrs" => 0xd530_0000 | register(rest)? | old & RD,
        "movz" => {
            let (bits, shift) = shifted(1 << 16)?;
            0xd280_0000 | (shift / 16) << 21 | bits << 5 | old & RD
        }
        "sub" => {
            let (bits, shift) = shifted(1 << 12)?;
            0xd100_0000 | (shift / 12) << 22 | bits << 10 | (old & RD) << 5 | old & RD
        }
        "adr" => moved(old, rest.parse().ok()?)?,
        "plain" => plain(old)?,
        "mov" => 0x1100_0000 | old & RN | old & RD,
        _ => match text.split_at_checked(1)? {
            ("^", bits) => old ^ number(bits)?,
            ("=", word) => number(word)?,
            _ => operation(text)? | old & RD,
        },
    })
}

/// An ADR whose address is `distance` bytes on.
fn moved(old: u32, distance: i64) -> Option<u32> {
    let Instruction::Data(Data::Adr { offset, .. }) = decode(old) else {
        return None;
    };
    // Two's complement in 21 bits: immlo has the low two, immhi the others.
    let bits = (offset + distance).cast_unsigned() as u32;
    Some(0x1000_0000 | (bits & 3) << 29 | (bits >> 2 & 0x7_ffff) << 5 | old & RD)
}

/// A load-acquire or store-release without its order (DDI 0487 C4.1.66, load/store exclusive).
fn plain(old: u32) -> Option<u32> {
    /// o0: acquire, or release.
    const ORDERED: u32 = 1 << 15;
    const LOAD: u32 = 1 << 22;
    /// o2: LDAR and STLR; clear for exclusives.
    const ALONE: u32 = 1 << 23;
    if old & 0x3f00_8000 != 0x0800_0000 | ORDERED {
        return None;
    }
    Some(match old & ALONE {
        0 => old & !ORDERED,
        _ => old & 0xc000_0000 | 0x3900_0000 | old & LOAD | old & (RN | RD),
    })
}

fn option(name: &str) -> Option<u32> {
    let found = OPTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, option)| *option)
}

/// The fields of a system register in MSR and MRS.
fn register(name: &str) -> Option<u32> {
    let [op0, op1, crn, crm, op2] = SystemRegister::named(name)?.fields().map(u32::from);
    Some((op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5)
}

/// SYS with the fields of an operation.
fn operation(name: &str) -> Option<u32> {
    let operation = Operation::all().find(|operation| operation.name() == Some(name))?;
    let [op1, crn, crm, op2] = operation.fields().map(u32::from);
    Some(0xd508_0000 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5)
}

#[cfg(test)]
mod tests {
    use super::replaced;
    use a64::decode;

    /// `dc ivac, x10`.
    const OLD: u32 = 0xd508_762a;

    #[test]
    fn each_form_is_the_instruction_of_its_name() {
        let forms = [
            ("nop", "hint #0"),
            ("isb", "isb sy"),
            ("dsb nsh", "dsb nsh"),
            ("dmb ishst", "dmb ishst"),
            ("dc civac", "dc civac, x10"),
            ("tlbi vale1is", "tlbi vale1is, x10"),
            ("msr hcr_el2", "msr hcr_el2, x10"),
            ("mrs sctlr_el1", "mrs x10, sctlr_el1"),
            ("movz 8 16", "movz x10, #8, lsl #16"),
            ("sub 4 12", "sub x10, x10, #4, lsl #12"),
            ("mov", "add w10, w17, #0"),
            ("^0x1", "dc ivac, x11"),
            ("=0xd503201f", "hint #0"),
        ];
        for (text, expected) in forms {
            let word = replaced(OLD, text).map(|word| decode(word).to_string());
            assert_eq!(word.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_adr_is_moved_to_both_sides() {
        // adr x3, .+8
        let adr = 0x1000_0043;
        for (text, offset) in [("adr 4", 12), ("adr -12", -4), ("adr 65536", 65544)] {
            let expected = format!("adr x3, .{offset:+}");
            let word = replaced(adr, text).map(|word| decode(word).to_string());
            assert_eq!(word, Some(expected), "{text}");
        }
        assert_eq!(replaced(OLD, "adr 4"), None);
    }

    #[test]
    fn plain_accesses_have_no_order() {
        let pairs = [
            (0x089f_fd2a, "strb w10, [x9, #0]"), // stlrb w10, [x9]
            (0xc8df_fd2a, "ldr x10, [x9, #0]"),  // ldar x10, [x9]
            (0x885f_fd2a, "ldxr w10, [x9]"),     // ldaxr w10, [x9]
            (0xc808_fd2a, "stxr w8, x10, [x9]"), // stlxr w8, x10, [x9]
        ];
        for (word, expected) in pairs {
            let plain = replaced(word, "plain").map(|word| decode(word).to_string());
            assert_eq!(plain.as_deref(), Some(expected));
        }
        assert_eq!(replaced(OLD, "plain"), None);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for text in [
            "", "dsb", "dsb all", "msr luck", "dc luck", "movz 8", "^1", "=x",
        ] {
            assert_eq!(replaced(OLD, text), None, "{text:?}");
        }
    }
}
