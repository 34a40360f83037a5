//! That the images have every instruction in them.

use std::collections::BTreeMap;

use a64::{Instruction, decode};

use super::image::{Image, Recipe};

/// Instructions with a form of 32 bits and one of 64.
const BOTH_WIDTHS: &str = "
    add adds sub subs adc adcs sbc sbcs and ands orr eor bic bics orn eon movn movz movk
    sbfm bfm ubfm extr ccmn ccmp csel csinc csinv csneg rbit rev16 rev clz cls
    udiv sdiv lslv lsrv asrv rorv madd msub cbz cbnz tbz tbnz
    ldr str ldur stur ldtr sttr ldp stp ldnp stnp ldar stlr ldxr ldaxr ldxp ldaxp
    ldrsb ldrsh ldursb ldursh ldtrsb ldtrsh";

/// Instructions whose first register is W.
const ONLY_32: &str = "
    crc32b crc32h crc32w crc32x crc32cb crc32ch crc32cw crc32cx
    ldrb ldrh ldurb ldurh ldtrb ldtrh ldarb ldarh ldxrb ldxrh ldaxrb ldaxrh
    strb strh sturb sturh sttrb sttrh stlrb stlrh
    stxrb stxrh stxr stxp stlxrb stlxrh stlxr stlxp";

/// Instructions whose first register is X.
const ONLY_64: &str = "
    adr adrp rev32 smaddl smsubl smulh umaddl umsubl umulh
    ldrsw ldursw ldtrsw ldpsw br blr ret";

/// Instructions whose first operand is no register, by name or by what they are.
const OTHERS: &str = "
    b bl b.eq b.ne b.hs b.lo b.mi b.pl b.vs b.vc b.hi b.ls b.ge b.lt b.gt b.le b.al b.nv
    eret drps svc hvc smc brk hlt dcps1 dcps2 dcps3 hint clrex dsb dmb isb mrs msr
    dc ic at tlbi prfm prfum udf vector later unallocated";

/// The name of an instruction, and the letter of its first register.
fn kind(word: u32) -> String {
    let instruction = decode(word);
    let text = instruction.to_string();
    let name = match instruction {
        Instruction::Vector(_) => return "vector".to_owned(),
        Instruction::Later(_) => return "later".to_owned(),
        Instruction::Unallocated(_) => return "unallocated".to_owned(),
        _ => text.split(' ').next().unwrap_or_default(),
    };
    let operands = &text[name.len()..];
    match operands.trim_start().chars().next() {
        Some(letter @ ('w' | 'x')) if !["mrs", "msr"].contains(&name) => format!("{name} {letter}"),
        _ => name.to_owned(),
    }
}

/// What [`kind`] says of each instruction above.
fn kinds() -> impl Iterator<Item = String> {
    let of = |names: &'static str, letter: &'static str| {
        let names = names.split_whitespace();
        names.map(move |name| format!("{name}{letter}"))
    };
    of(BOTH_WIDTHS, " w")
        .chain(of(BOTH_WIDTHS, " x"))
        .chain(of(ONLY_32, " w"))
        .chain(of(ONLY_64, " x"))
        .chain(of(OTHERS, ""))
}

#[test]
fn images_have_every_instruction() {
    let mut counts = BTreeMap::new();
    for seed in 0..8 {
        let recipe = Recipe::new(seed, 1000);
        let image = Image::new(recipe);
        for block in 0..recipe.blocks {
            for word in image.block(block) {
                *counts.entry(kind(*word)).or_insert(0) += 1;
            }
        }
    }
    for kind in kinds() {
        let count = counts.get(&kind).copied().unwrap_or(0);
        assert!(count >= 100, "{kind}: {count}");
    }
}
