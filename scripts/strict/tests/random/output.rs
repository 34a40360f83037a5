//! Lines on the serial line, and the end of a run.

use super::code::Code;
use super::encode::{self, DMB, LO};
use super::layout::{PL011, POWER};

/// What is printed when all blocks have run.
pub(crate) const LAST_LINE: &str = "end";
/// UARTFR: the queue is full.
const FULL: u32 = 5;
/// UARTFR: a byte is on its way.
const BUSY: u32 = 3;

/// The addresses of the routines, which use X10 to X14.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    /// Prints X10 as 16 hexadecimal digits and a line end.
    pub(crate) line: u64,
    /// Prints the byte X12.
    byte: u64,
}

/// The routines.
pub(crate) fn code(code: &mut Code) -> Output {
    let byte = code.here();
    code.constant(14, PL011);
    let top = code.here();
    code.emit(encode::ldr_w(13, 14, 0x18));
    code.to(top, |to| encode::tbnz(13, FULL, to));
    code.emit(encode::str_w(12, 14, 0));
    code.emit(encode::ret());

    let line = code.here();
    code.emit(encode::mov(23, encode::LINK));
    code.constant(11, 16);
    let top = code.here();
    code.emit(encode::ror(10, 10, 60));
    code.emit(encode::and_run(12, 10, 0, 4));
    code.emit(encode::cmp(12, 10));
    code.emit(encode::add(12, 12, u32::from(b'0')));
    code.over(
        |to| encode::b_if(LO, to),
        |code| {
            code.emit(encode::add(12, 12, u32::from(b'a' - b'0') - 10));
        },
    );
    code.to(byte, encode::bl);
    code.emit(encode::sub(11, 11, 1));
    code.to(top, |to| encode::cbnz(11, to));
    code.constant(12, u64::from(b'\n'));
    code.to(byte, encode::bl);
    code.emit(encode::mov(encode::LINK, 23));
    code.emit(encode::ret());
    Output { line, byte }
}

/// Prints [`LAST_LINE`] and halts the board: the watchdog's partition for "halt" (0x555 in
/// PM_RSTS), a short time in PM_WDOG, a full reset in PM_RSTC; each with the password 0x5a.
pub(crate) fn end(code: &mut Code, output: Output) {
    for byte in LAST_LINE.bytes().chain(*b"\n") {
        code.constant(12, u64::from(byte));
        code.to(output.byte, encode::bl);
    }
    let top = code.here();
    code.emit(encode::ldr_w(13, 14, 0x18));
    code.to(top, |to| encode::tbnz(13, BUSY, to));
    code.emit(DMB);
    code.constant(14, POWER);
    for (offset, value) in [
        (0x20, 0x5a00_0555),
        (0x24, 0x5a00_000a),
        (0x1c, 0x5a00_0020),
    ] {
        code.constant(13, value);
        code.emit(encode::str_w(13, 14, offset));
    }
    code.emit(encode::b(0));
}
