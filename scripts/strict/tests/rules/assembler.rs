//! An assembler of the few instructions that the programs have.

use a64::system::{Operation, SystemRegister};

/// The words of lines of text.
///
/// | line | words |
/// |---|---|
/// | `mov x1, #0x10_0000` | MOVZ, and MOVK for each other half-word that is not 0 |
/// | `str x0, [x1, #8]` | LDR, STR of X or W registers, with a multiple of their size |
/// | `msr ttbr0_el1, x0` | MSR and MRS, a register by its name or as s3_1_c15_c2_1 |
/// | `tlbi vaae1is, x0` | TLBI, IC, DC |
/// | `dsb ishst` | DSB, DMB |
/// | `.word 0xf800845f` | the word |
/// | `.org 0x400` | branches to themselves up to this offset |
pub(crate) fn assemble(lines: &[&str]) -> Vec<u32> {
    let mut words = Vec::new();
    for line in lines {
        add(&mut words, line).unwrap_or_else(|| panic!("no line of a program: {line}"));
    }
    words
}

/// `b .`
pub(crate) const STAY: u32 = 0x1400_0000;

fn add(words: &mut Vec<u32>, line: &str) -> Option<()> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "mov" => {
            let (register, value) = rest.split_once(", #")?;
            words.extend(moves(number_of(register)?, number(value)?));
        }
        ".org" => {
            let length = number(rest)? as usize / 4;
            assert!(
                words.len() <= length,
                "{line}: {} words before",
                words.len()
            );
            words.resize(length, STAY);
        }
        _ => words.push(one(name, rest, line)?),
    }
    Some(())
}

fn one(name: &str, rest: &str, line: &str) -> Option<u32> {
    Some(match name {
        "isb" => 0xd503_3fdf,
        "nop" => 0xd503_201f,
        "wfe" => 0xd503_205f,
        "sev" => 0xd503_209f,
        "eret" => 0xd69f_03e0,
        "svc" => 0xd400_0001,
        ".word" => number(rest)? as u32,
        "dsb" => 0xd503_309f | option(rest)? << 8,
        "dmb" => 0xd503_30bf | option(rest)? << 8,
        "ldr" => access(rest, 0xf940_0000, 0xb940_0000)?,
        "str" => access(rest, 0xf900_0000, 0xb900_0000)?,
        "ldxr" => access(rest, 0xc85f_7c00, 0x885f_7c00)?,
        "msr" => {
            let (register, rt) = rest.split_once(", ")?;
            0xd510_0000 | system(register)? | number_of(rt)?
        }
        "mrs" => {
            let (rt, register) = rest.split_once(", ")?;
            0xd530_0000 | system(register)? | number_of(rt)?
        }
        _ => {
            let (operation, rt) = line.split_once(", ").unwrap_or((line, "xzr"));
            let found = Operation::all().find(|known| known.name() == Some(operation))?;
            let [op1, crn, crm, op2] = found.fields().map(u32::from);
            0xd508_0000 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | number_of(rt)?
        }
    })
}

fn moves(register: u32, value: u64) -> Vec<u32> {
    let half = |index: u32| (value >> (16 * index) & 0xffff) as u32;
    let mut words = vec![0xd280_0000 | half(0) << 5 | register];
    for index in (1..4).filter(|index| half(*index) != 0) {
        words.push(0xf280_0000 | index << 21 | half(index) << 5 | register);
    }
    words
}

fn access(rest: &str, wide: u32, narrow: u32) -> Option<u32> {
    let (rt, place) = rest.split_once(", ")?;
    let place = place.strip_prefix('[')?.strip_suffix(']')?;
    let (rn, offset) = place.split_once(", #").unwrap_or((place, "0"));
    let (opcode, size) = match rt.starts_with('w') {
        true => (narrow, 4),
        false => (wide, 8),
    };
    let offset = number(offset)? as u32 / size;
    Some(opcode | offset << 10 | number_of(rn)? << 5 | number_of(rt)?)
}

fn number(text: &str) -> Option<u64> {
    let text = text.replace('_', "");
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn number_of(register: &str) -> Option<u32> {
    match register {
        "xzr" | "wzr" => Some(31),
        _ => register.get(1..)?.parse().ok(),
    }
}

fn option(name: &str) -> Option<u32> {
    Some(match name {
        "nsh" => 7,
        "ishst" => 10,
        "ish" => 11,
        "sy" => 15,
        _ => return None,
    })
}

/// The fields of a system register.
fn system(name: &str) -> Option<u32> {
    let fields = match SystemRegister::named(name) {
        Some(register) => register.fields().map(u32::from),
        None => {
            let digits: Vec<u32> = name
                .split(['s', '_', 'c'])
                .filter_map(|part| part.parse().ok())
                .collect();
            digits.try_into().ok()?
        }
    };
    let [op0, op1, crn, crm, op2] = fields;
    Some((op0 & 1) << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5)
}
