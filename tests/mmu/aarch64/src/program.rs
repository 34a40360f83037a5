//! The program: where it lies, in which order it does what, how it ends.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use mmu_scenario::{Identity, Pool};
use stilt_paging::format::aarch64::{HighHalf, LowHalf};

use crate::board::{self, Console, Verdict, exit};
use crate::cpu::{self, Wxn};
use crate::machine::Core;
use crate::side::Side;
use crate::wrong::Wrong;
use crate::{boot, leaves, random};

/// Where `start.S` goes, in EL1, with the MMU off.
pub(crate) extern "C" fn main() -> ! {
    cpu::take_exceptions();
    boot::make_map();
    // SAFETY: the map holds the program where it lies, and stays.
    unsafe { cpu::enable(boot::trees()) };
    // SAFETY: nothing else is there; this is the only call.
    unsafe { Pool::<Identity>::give(board::TABLES, board::TABLES_BYTES) };
    exit(match run() {
        Ok((accesses, translations)) => {
            say(format_args!(
                "aarch64: {accesses} accesses and {translations} translations, all right\n"
            ));
            Verdict::Pass
        }
        Err(()) => Verdict::Fail,
    })
}

/// Everything, in both halves: how many accesses were made, and how many translations asked for.
fn run() -> Result<(u64, u64), ()> {
    let (low_accesses, low_translations) = run_side::<LowHalf>()?;
    let (high_accesses, high_translations) = run_side::<HighHalf>()?;
    Ok((
        low_accesses + high_accesses,
        low_translations + high_translations,
    ))
}

/// Everything, in one half.
fn run_side<S: Side>() -> Result<(u64, u64), ()> {
    // The scenario says itself what was wrong.
    let mut accesses =
        mmu_scenario::run(&mut Core::<S, { Wxn::Off as u8 }>::new()).map_err(drop)?;
    accesses += mmu_scenario::run(&mut Core::<S, { Wxn::On as u8 }>::new()).map_err(drop)?;
    accesses += judge(S::NAME, leaves::run::<S>())?;
    let translations = judge(S::NAME, random::run::<S>())?;
    Ok((accesses, translations))
}

/// Shows what was wrong.
fn judge(name: &str, result: Result<u64, Wrong>) -> Result<u64, ()> {
    result.map_err(|wrong| say(format_args!("{name}: WRONG: {wrong}\n")))
}

/// Shows text to people.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    // The console takes everything.
    let _ = Console.write_fmt(text);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("{info}\n"));
    exit(Verdict::Fail)
}
