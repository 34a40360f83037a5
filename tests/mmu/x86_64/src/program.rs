//! The program: where it lies, in which order it does what, how it ends.

use core::fmt::{self, Write};
use core::ops::Range;
use core::panic::PanicInfo;

use mmu_scenario::{Identity, ONE_GIB, Pool};
use stilt_paging::addr::PhysAddr;

use crate::machine::Core;
use crate::ports::{Console, Verdict, exit};
use crate::segments;

/// What the program uses of QEMU's RAM, `-m 3G`: from its own first byte on.
pub(crate) const RAM: Range<usize> = 0x40_0000..3 * ONE_GIB;
/// Memory for tables: from the middle of the first GiB, far behind the program.
const TABLES: PhysAddr = PhysAddr::new(ONE_GIB / 2);
const TABLES_BYTES: usize = 16 << 20;

/// Where `start.S` goes, in 64-bit mode, on its tables.
pub(crate) extern "C" fn main() -> ! {
    segments::load();
    // SAFETY: nothing else is there; this is the only call.
    unsafe { Pool::<Identity>::give(TABLES, TABLES_BYTES) };
    exit(match mmu_scenario::run(&mut Core) {
        Ok(_) => Verdict::Pass,
        Err(_) => Verdict::Fail,
    })
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
