//! The vectors, and what an exception within a block does.
//!
//! A block ends with the SVC `END_OF_BLOCK`, because that leads to the vectors from every
//! exception level; `between` goes on from there. Any other exception is folded into one of the
//! saved values, "events": vector, ELR, SPSR, ESR, FAR, and PSTATE as the handler finds it. The
//! block goes on behind the instruction; where that does not tell the way (the branch to an address
//! that cannot be fetched) by the link register.

use super::between;
use super::code::{Code, Held};
use super::encode::{self, EQ, ERET, LINK, LS, NE, ZERO};
use super::layout::{Level, SAVED, UPPER_VECTORS, VECTORS};
use super::output;
use super::state::{EVENTS, SYNDROME, VECTOR};

/// The size of a vector in bytes.
const SLOT: u64 = 0x80;
/// The offset of X28 among the saved registers.
const SAVED_28: i64 = 28 * 8;

/// The code at [`VECTORS`], and the address at which the first block is entered; X20 must be
/// [`SAVED`] there.
pub(crate) fn code(level: Level) -> (Code, u64) {
    let mut code = Code::at(VECTORS);
    let tail = VECTORS + 16 * SLOT;
    for slot in 0..16 {
        code.pad_to(VECTORS + slot * SLOT);
        code.emit(encode::msr(&level.of("tpidr"), LINK));
        code.constant(LINK, SAVED);
        code.emit(encode::stp(28, 29, LINK, SAVED_28));
        code.constant(29, slot);
        code.to(tail, encode::b);
    }
    code.pad_to(tail);
    let end_of_block = events(&mut code, level);
    let output = output::code(&mut code);
    code.target(end_of_block, |to| encode::cbz(29, to));
    let first = between::code(&mut code, level, output);
    (code, first)
}

/// Folds X28 into the events, X29, which are rotated so that each place is another one.
fn fold(code: &mut Code) {
    code.emit(encode::eor_ror(29, 28, 29, 13));
}

/// The class of the exception, ESR bits 31:26, into X28.
fn class(code: &mut Code, level: Level) {
    code.emit(encode::mrs(28, &level.of("esr")));
    code.emit(encode::lsr(28, 28, 26));
}

/// An exception. X30 is [`SAVED`]; X28, X29 and X30 are saved, X30 in TPIDR; X29 is the vector's
/// number. The open word is the branch at the end of a block, if X29 is zero.
fn events(code: &mut Code, level: Level) -> Held {
    code.emit(encode::str(29, LINK, VECTOR));
    code.emit(encode::mrs(28, &level.of("esr")));
    code.emit(encode::ldr(29, LINK, SYNDROME));
    code.emit(encode::sub_register(29, 29, 28));
    let end_of_block = code.hold();
    if level == Level::El2 {
        forget_access(code);
    }
    code.emit(encode::ldr(29, LINK, EVENTS));
    fold(code);
    let [elr, spsr] = ["elr", "spsr"].map(|register| level.of(register));
    for register in [&elr, &spsr, "daif", "spsel", "currentel"] {
        code.emit(encode::mrs(28, register));
        fold(code);
    }
    code.emit(encode::ldr(28, LINK, VECTOR));
    fold(code);
    // FAR is UNKNOWN unless the class is an abort or a PC alignment fault, 0x20 to 0x25.
    class(code, level);
    code.emit(encode::sub(28, 28, 0x20));
    code.emit(encode::cmp(28, 5));
    code.over(
        |to| encode::b_if(LS, to),
        |code| {
            code.emit(encode::msr(&level.of("far"), ZERO));
        },
    );
    code.emit(encode::mrs(28, &level.of("far")));
    fold(code);
    code.emit(encode::str(29, LINK, EVENTS));
    go_on(code, level);
    end_of_block
}

/// Clears ISV and what it makes valid, bits 24:14 of ESR_EL2, after a data abort (class 0x24 or
/// 0x25). QEMU sets them for aborts of EL2 itself; by DDI 0487 D24.2.40 they are 0 there.
fn forget_access(code: &mut Code) {
    code.emit(encode::lsr(29, 28, 27));
    code.emit(encode::cmp(29, 0x12));
    code.over(
        |to| encode::b_if(NE, to),
        |code| {
            code.emit(encode::and_run(28, 28, 25, 53));
            code.emit(encode::msr("esr_el2", 28));
        },
    );
}

/// Back behind the instruction that took the exception.
fn go_on(code: &mut Code, level: Level) {
    let (elr, spsr, link) = (level.of("elr"), level.of("spsr"), level.of("tpidr"));
    class(code, level);
    // SVC and HVC, 0x15 and 0x16: ELR is behind them.
    code.emit(encode::sub(29, 28, 0x15));
    code.emit(encode::cmp(29, 1));
    let call = code.hold();
    // An illegal state, 0x0e: the instruction is executed once PSTATE.IL is clear.
    code.emit(encode::cmp(28, 0x0e));
    code.over(
        |to| encode::b_if(NE, to),
        |code| {
            code.emit(encode::mrs(29, &spsr));
            code.emit(encode::and_run(29, 29, 21, 63));
            code.emit(encode::msr(&spsr, 29));
        },
    );
    let illegal = code.hold();
    // An instruction abort or a PC alignment fault, 0x20 to 0x22: the link register has the way.
    code.emit(encode::sub(28, 28, 0x20));
    code.emit(encode::cmp(28, 2));
    code.emit(encode::mrs(28, &link));
    code.over(
        |to| encode::b_if(LS, to),
        |code| {
            code.emit(encode::mrs(28, &elr));
            code.emit(encode::add(28, 28, 4));
        },
    );
    code.emit(encode::msr(&elr, 28));
    code.target(call, |to| encode::b_if(LS, to));
    code.target(illegal, |to| encode::b_if(EQ, to));
    code.emit(encode::ldp(28, 29, LINK, SAVED_28));
    code.emit(encode::mrs(LINK, &link));
    code.emit(ERET);
}

/// The code at [`UPPER_VECTORS`] for blocks that run below EL2: HVC, and SMC which is trapped, fold
/// ESR_EL2 into TPIDRRO_EL0. EL2 has its MMU off, so it uses no memory: SP and FAR_EL2 keep X30 and
/// X29.
pub(crate) fn upper_code() -> Code {
    /// From a lower level in AArch64, synchronous.
    const FROM_BELOW: u64 = UPPER_VECTORS + 8 * SLOT;
    let mut code = Code::at(UPPER_VECTORS);
    while code.here() < FROM_BELOW {
        code.emit(encode::b(0));
    }
    code.emit(encode::add(31, LINK, 0));
    code.emit(encode::msr("far_el2", 29));
    code.emit(encode::mrs(LINK, "esr_el2"));
    code.emit(encode::mrs(29, "tpidrro_el0"));
    code.emit(encode::eor_ror(29, LINK, 29, 13));
    code.emit(encode::msr("tpidrro_el0", 29));
    // The class of SMC is 0x17, and ELR is at it; that of HVC 0x16, and ELR is behind it.
    code.over(
        |to| encode::tbz(LINK, 26, to),
        |code| {
            code.emit(encode::mrs(29, "elr_el2"));
            code.emit(encode::add(29, 29, 4));
            code.emit(encode::msr("elr_el2", 29));
        },
    );
    code.emit(encode::mrs(29, "far_el2"));
    code.emit(encode::add(LINK, 31, 0));
    code.emit(ERET);
    code
}
