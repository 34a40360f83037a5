//! One text form for the instructions of two disassemblers: the decoder's, with decimal numbers,
//! absolute addresses, and without operands of 0 that one of them leaves out (`#0` in an address,
//! `lsl #0`).
//!
//! llvm-objdump shows some aliases even with `-M no-aliases`: shifts by a number, extensions and
//! moves of bitfields, MOV of a constant, the names of prefetches. They are translated back here,
//! by the manual's definition of each.

use a64::data::{Data, Logical, LogicalOperand, Move};
use a64::system::SystemRegister;
use a64::{Instruction, Register, Width};

/// A mnemonic and its operands.
type Text = Vec<String>;

/// The decoder's instruction at `address`, in the canonical form.
pub(crate) fn ours(instruction: Instruction, address: u64) -> String {
    if let Some(value) = moved(instruction) {
        let text = split(&instruction.to_string());
        return join(vec!["mov".into(), text[1].clone(), number(value)]);
    }
    let mut text = split(&instruction.to_string());
    let page = text[0] == "adrp";
    for operand in &mut text {
        if let Some(offset) = operand.strip_prefix('.').and_then(|text| text.parse().ok()) {
            let from = if page { address & !0xfff } else { address };
            *operand = number(from.wrapping_add_signed(offset));
        }
    }
    // With SP as an operand, llvm-objdump writes the extension of a whole register as LSL.
    if text[0].starts_with("add") || text[0].starts_with("sub") {
        let sp = text.iter().any(|operand| operand.ends_with("sp"));
        let whole = match width_of(&text[1]).zip(width_of(&text[2])) {
            Some((Width::W, _) | (_, Width::W)) => "uxtw",
            _ => "uxtx",
        };
        for operand in text.iter_mut().filter(|_| sp) {
            if let Some(rest) = operand.strip_prefix(whole) {
                *operand = format!("lsl{rest}");
            }
        }
    }
    join(text)
}

/// The value in the register if MOV is the preferred alias: MOVZ, MOVN, ORR with the zero register.
fn moved(instruction: Instruction) -> Option<u64> {
    let Instruction::Data(data) = instruction else {
        return None;
    };
    match data {
        Data::Move {
            kind: Move::Zeros,
            bits,
            shift,
            ..
        } => Some(u64::from(bits) << shift),
        Data::Move {
            kind: Move::Inverted,
            width,
            bits,
            shift,
            ..
        } => Some(!(u64::from(bits) << shift) & width.mask()),
        Data::Logical {
            operation: Logical::Orr,
            rn: Register::ZERO,
            operand: LogicalOperand::Immediate(mask),
            ..
        } => Some(mask),
        _ => None,
    }
}

/// llvm-objdump's instruction at `address`, in the canonical form.
pub(crate) fn theirs(text: &str, address: u64) -> String {
    let mut text = split(text);
    if text[0] == "adr" && text[2].starts_with('#') {
        let offset = value(&text[2]).expect("a number");
        text[2] = number(address.wrapping_add_signed(offset as i64));
    }
    for operand in &mut text {
        if let Some(register) = by_fields(operand) {
            *operand = register.to_string();
        }
    }
    join(without_alias(text))
}

/// Splits at blanks and commas, in small letters, without a comment or a symbol's name.
fn split(text: &str) -> Text {
    let text = text.split("//").next().unwrap_or_default();
    let text = text
        .split(" <")
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    let (mnemonic, operands) = text.split_once([' ', '\t']).unwrap_or((&text, ""));
    let mut parts = vec![mnemonic.to_owned()];
    parts.extend(operands.split(',').map(|operand| operand.trim().to_owned()));
    parts.retain(|part| !part.is_empty());
    parts
}

fn join(text: Text) -> String {
    let text: Text = text.iter().map(|operand| decimal(operand)).collect();
    let text = text.join(", ").replacen(", ", " ", 1);
    let text = text.replace(", 0]", "]").replace(", lsl]", "]");
    text.strip_suffix(", lsl").unwrap_or(&text).to_owned()
}

/// An operand with its number in decimal: `#0x10]!` is `16]!`, `lsl #3` is `lsl 3`.
fn decimal(operand: &str) -> String {
    let (before, digits) = operand.rsplit_once(' ').unwrap_or(("", operand));
    let end = digits.trim_end_matches([']', '!']);
    let rest = &digits[end.len()..];
    let Some(value) = value(end) else {
        return operand.to_owned();
    };
    let blank = if before.is_empty() { "" } else { " " };
    format!("{before}{blank}{value}{rest}")
}

/// The value of a number such as `#-8`, `#0xff`, `0xffff000000080000`, `12`.
fn value(text: &str) -> Option<i128> {
    let text = text.strip_prefix('#').unwrap_or(text);
    let (text, sign) = match text.strip_prefix('-') {
        Some(text) => (text, -1),
        None => (text, 1),
    };
    let value = match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => text.parse(),
    };
    value.ok().map(|value| value * sign)
}

fn number(value: u64) -> String {
    format!("#{value}")
}

fn width_of(register: &str) -> Option<Width> {
    match register.as_bytes().first()? {
        b'w' => Some(Width::W),
        b'x' | b's' => Some(Width::X),
        _ => None,
    }
}

/// The register of `s3_1_c15_c2_1`: llvm-objdump's form if it has no name for the register, or none
/// for a read or a write of it.
fn by_fields(operand: &str) -> Option<SystemRegister> {
    let mut fields = operand.strip_prefix('s')?.split('_');
    let mut next = |prefix: &str| fields.next()?.strip_prefix(prefix)?.parse().ok();
    Some(SystemRegister::new(
        next("")?,
        next("")?,
        next("c")?,
        next("c")?,
        next("")?,
    ))
}

/// The canonical instruction of an alias that llvm-objdump shows.
fn without_alias(text: Text) -> Text {
    let mnemonic = text[0].clone();
    match mnemonic.as_str() {
        "lsl" | "lsr" | "asr" | "ror" if width_of(&text[3]).is_some() => {
            let mut text = text;
            text[0] = format!("{mnemonic}v");
            text
        }
        "lsl" | "lsr" | "asr" | "ubfx" | "sbfx" | "ubfiz" | "sbfiz" | "bfi" | "bfxil" | "sxtb"
        | "sxth" | "sxtw" | "uxtb" | "uxth" => bitfield(&text),
        "mov" | "movz" | "movn" | "orr" => constant(text),
        "prfm" | "prfum" => prefetch(text),
        _ => text,
    }
}

/// The SBFM, BFM or UBFM of an alias: DDI 0487 C6.2, each alias's own page.
fn bitfield(text: &Text) -> Text {
    let bits = width_of(&text[1]).map_or(64, |width| i128::from(width.bits()));
    let at = |index: usize| text.get(index).and_then(|text| value(text)).unwrap_or(0);
    let around = |shift: i128| (bits - shift) % bits;
    let (name, rotate, last) = match text[0].as_str() {
        "lsl" => ("ubfm", around(at(3)), bits - 1 - at(3)),
        "lsr" => ("ubfm", at(3), bits - 1),
        "asr" => ("sbfm", at(3), bits - 1),
        "ubfx" => ("ubfm", at(3), at(3) + at(4) - 1),
        "sbfx" => ("sbfm", at(3), at(3) + at(4) - 1),
        "bfxil" => ("bfm", at(3), at(3) + at(4) - 1),
        "ubfiz" => ("ubfm", around(at(3)), at(4) - 1),
        "sbfiz" => ("sbfm", around(at(3)), at(4) - 1),
        "bfi" => ("bfm", around(at(3)), at(4) - 1),
        "sxtb" => ("sbfm", 0, 7),
        "sxth" => ("sbfm", 0, 15),
        "sxtw" => ("sbfm", 0, 31),
        "uxtb" => ("ubfm", 0, 7),
        _ => ("ubfm", 0, 15),
    };
    let source = format!("{}{}", &text[1][..1], &text[2][1..]);
    let mut text = vec![name.to_owned(), text[1].clone(), source];
    text.extend([rotate, last].map(|value| format!("#{value}")));
    text
}

/// MOV with the value in the register, for MOV and for the instructions of which it is the
/// preferred alias (MOVZ, MOVN, ORR with the zero register).
fn constant(text: Text) -> Text {
    let zero = usize::from(text[0] == "orr" && text[2].ends_with("zr"));
    let bits = text.get(2 + zero).and_then(|text| value(text));
    let (Some(width), Some(bits)) = (width_of(&text[1]), bits) else {
        return text;
    };
    let shift = text
        .get(3)
        .and_then(|shift| value(shift.strip_prefix("lsl ")?));
    let set = (bits as u64) << shift.unwrap_or(0);
    let set = if text[0] == "movn" { !set } else { set };
    vec!["mov".into(), text[1].clone(), number(set & width.mask())]
}

/// A prefetch by its number, `pldl1keep` is 0: kind of access (4:3), level of the cache less 1
/// (2:1), policy (0: keep, 1: stream).
fn prefetch(mut text: Text) -> Text {
    let name = text[1].clone();
    let kind = ["pld", "pli", "pst"]
        .iter()
        .position(|kind| name.starts_with(kind));
    if let (Some(kind), Some(level)) = (
        kind,
        name.get(4..5).and_then(|level| level.parse::<usize>().ok()),
    ) {
        let stream = usize::from(name.ends_with("strm"));
        text[1] = format!("#{}", kind << 3 | (level - 1) << 1 | stream);
    }
    text
}
