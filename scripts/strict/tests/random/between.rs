//! What happens between two blocks: registers are saved and folded, the next block is entered.

use super::code::Code;
use super::encode::{self, EQ, ERET, LINK, NE};
use super::layout::{DESCRIPTORS, Level, POOL, WINDOW, WINDOW_SIZE};
use super::output::{self, Output};
use super::state::{BLOCKS, CHECKPOINT, DETAIL, DUMP, EVENTS_NAME, HASH, INDEX, REGISTERS, WORDS};

/// The factor of the hash: odd, so that it loses no bit.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// The condition HS: higher or the same, unsigned.
const HS: u32 = 2;

/// The end of a block; X30 is the page at SAVED, in which X28 and X29 are already. X20 is that page
/// from here on, X2 the hash, X3 its factor. Returns the address at which the first block is
/// entered.
pub(crate) fn code(code: &mut Code, level: Level, output: Output) -> u64 {
    save(code, level);
    code.emit(encode::mov(0, 20));
    code.emit(encode::ldr(2, 20, HASH));
    code.constant(3, FACTOR);
    for _ in 0..WORDS / 4 {
        fold_four(code);
    }
    code.emit(encode::ldr(6, 20, INDEX));
    code.emit(encode::add(7, 6, 1));
    code.emit(encode::str(7, 20, INDEX));
    dump_if_due(code, output);
    checkpoint_if_due(code, output);
    code.emit(encode::str(2, 20, HASH));
    end_if_last(code, output);
    let first = code.here();
    enter(code, level);
    first
}

/// Saves what is not yet in the page.
fn save(code: &mut Code, level: Level) {
    for first in (0..28).step_by(2) {
        code.emit(encode::stp(first, first + 1, LINK, i64::from(first) * 8));
    }
    code.emit(encode::mov(20, LINK));
    code.emit(encode::mrs(0, &level.of("tpidr")));
    code.emit(encode::str(0, 20, 30 * 8));
    for (at, name) in REGISTERS.into_iter().enumerate() {
        match name {
            EVENTS_NAME => continue,
            "sp" => code.emit(encode::add(0, 31, 0)),
            "elr" | "spsr" | "far" => code.emit(encode::mrs(0, &level.of(name))),
            _ => code.emit(encode::mrs(0, name)),
        }
        code.emit(encode::str(0, 20, (31 + at as u64) * 8));
    }
}

/// Folds four values at X0, and moves X0 on: the hash becomes (hash ^ a) × factor + b, twice.
fn fold_four(code: &mut Code) {
    for _ in 0..2 {
        code.emit(encode::ldp_post(4, 5, 0, 16));
        code.emit(encode::eor(2, 2, 4));
        code.emit(encode::madd(2, 2, 3, 5));
    }
    code.emit(encode::eor_lsr(2, 2, 2, 29));
}

/// Folds the window into the hash.
fn fold_window(code: &mut Code) {
    code.constant(0, WINDOW);
    code.constant(1, WINDOW_SIZE / 32);
    let top = code.here();
    fold_four(code);
    code.emit(encode::sub(1, 1, 1));
    code.to(top, |to| encode::cbnz(1, to));
}

/// After the block whose number is asked for: a line for each saved value, one for the window, and
/// the end. X6 is the number of the block.
fn dump_if_due(code: &mut Code, output: Output) {
    code.emit(encode::ldr(8, 20, DUMP));
    code.emit(encode::cmp_register(6, 8));
    code.over(
        |to| encode::b_if(NE, to),
        |code| {
            code.emit(encode::mov(21, 20));
            code.constant(22, 31 + REGISTERS.len() as u64);
            let top = code.here();
            code.emit(encode::ldp_post(10, 11, 21, 8));
            code.to(output.line, encode::bl);
            code.emit(encode::sub(22, 22, 1));
            code.to(top, |to| encode::cbnz(22, to));
            code.emit(encode::movz(2, 0, 0));
            fold_window(code);
            code.emit(encode::mov(10, 2));
            code.to(output.line, encode::bl);
            output::end(code, output);
        },
    );
}

/// A line with the hash after each CHECKPOINT blocks, after the last one, and after each one from
/// `detail` on. X6 is the number of the block, X7 that of the next one.
fn checkpoint_if_due(code: &mut Code, output: Output) {
    code.emit(encode::ldr(8, 20, DETAIL));
    code.emit(encode::cmp_register(6, 8));
    let detailed = code.hold();
    code.emit(encode::and_run(8, 7, 0, CHECKPOINT.ilog2()));
    let multiple = code.hold();
    code.emit(encode::ldr(8, 20, BLOCKS));
    code.emit(encode::cmp_register(7, 8));
    code.over(
        |to| encode::b_if(NE, to),
        |code| {
            code.target(detailed, |to| encode::b_if(HS, to));
            code.target(multiple, |to| encode::cbz(8, to));
            fold_window(code);
            code.emit(encode::mov(10, 2));
            code.to(output.line, encode::bl);
        },
    );
}

/// The end, if all blocks have run.
fn end_if_last(code: &mut Code, output: Output) {
    code.emit(encode::ldr(6, 20, INDEX));
    code.emit(encode::ldr(7, 20, BLOCKS));
    code.emit(encode::cmp_register(6, 7));
    let rest = code.hold();
    output::end(code, output);
    code.target(rest, |to| encode::b_if(EQ ^ 1, to));
}

/// Enters the block whose number is in the page at X20: ELR and SPSR from its descriptor, registers
/// from the pool.
fn enter(code: &mut Code, level: Level) {
    code.emit(encode::ldr(1, 20, INDEX));
    code.constant(2, DESCRIPTORS);
    code.emit(encode::add_shifted(2, 2, 1, 4));
    code.emit(encode::ldr(3, 2, 0));
    code.emit(encode::ldr_w(4, 2, 8));
    code.emit(encode::ldr_w(5, 2, 12));
    code.emit(encode::msr(&level.of("elr"), 3));
    code.emit(encode::msr(&level.of("spsr"), 4));
    code.constant(6, POOL);
    code.emit(encode::add_shifted(LINK, 6, 5, 0));
    code.emit(encode::ldp(0, 1, LINK, 31 * 8));
    code.emit(encode::add(31, 0, 0));
    code.emit(encode::msr("sp_el0", 1));
    for first in (0..30).step_by(2) {
        code.emit(encode::ldp(first, first + 1, LINK, i64::from(first) * 8));
    }
    code.emit(encode::ldr(LINK, LINK, 30 * 8));
    code.emit(ERET);
}
