//! The program: where it lies, in which order it does what, how it ends.

use core::fmt::{self, Write};
use core::ops::Range;
use core::panic::PanicInfo;

use mmu_scenario::{AccessedBit, Failure, Identity, Machine, ONE_GIB, Pool, Privilege, Table};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::riscv::{Platform, Svpbmt};
use stilt_paging::{Asid, MappingFlags, PageSize, PagingResult};

use crate::firmware::{Console, Verdict, exit};
use crate::hart;
use crate::machine::{Hart, Mode, Sv39, Sv48};

/// QEMU's RAM: `-m 3G`.
pub(crate) const RAM: Range<usize> = 0x8000_0000..0x8000_0000 + 3 * ONE_GIB;
/// Memory for tables: from the middle of the first GiB, far behind the program.
const TABLES: PhysAddr = PhysAddr::new(RAM.start + ONE_GIB / 2);
const TABLES_BYTES: usize = 16 << 20;

/// Where `start.S` goes, in supervisor mode, untranslated.
#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    hart::take_traps();
    // SAFETY: nothing else is there; this is the only call.
    unsafe { Pool::<Identity>::give(TABLES, TABLES_BYTES) };
    let verdict = match run() {
        Ok(accesses) => {
            say(format_args!("riscv64: {accesses} accesses, all right\n"));
            Verdict::Pass
        }
        Err(_) => Verdict::Fail,
    };
    exit(verdict)
}

/// All modes; the number of accesses.
fn run() -> Result<u64, Failure> {
    let accessed = match find_accessed_bit() {
        Ok(accessed) => accessed,
        Err(error) => panic!("no tree to look at accessed bits: {error}"),
    };
    say(format_args!("riscv64: accessed bits: {accessed:?}\n"));
    Ok(run_mode::<Sv39<Platform>>(accessed)?
        + run_mode::<Sv39<Svpbmt>>(accessed)?
        + run_mode::<Sv48<Platform>>(accessed)?
        + run_mode::<Sv48<Svpbmt>>(accessed)?)
}

fn run_mode<M: Mode>(accessed: AccessedBit) -> Result<u64, Failure> {
    mmu_scenario::run(&mut Hart::<M>::new(accessed))
}

/// What this hart does to an entry whose accessed bit is clear: by trying. The manual leaves it
/// open, and an emulator's default changes with its age.
fn find_accessed_bit() -> PagingResult<AccessedBit> {
    let va = VirtAddr::new(0x1000);
    let mut hart = Hart::<Sv39<Platform>>::new(AccessedBit::Faults);
    let mut table = Table::<Hart<Sv39<Platform>>>::try_new()?;
    hart.map_program(&mut table)?;
    let [frame, _] = Hart::<Sv39<Platform>>::BLOCKS;
    table
        .map(va, frame, PageSize::Size4K, MappingFlags::READ)?
        .flush();
    // SAFETY: the tree maps the program and stays until `deactivate`.
    unsafe { hart.activate(table.root_paddr(), Asid::KERNEL) };
    let result = hart.load(va, Privilege::Kernel);
    hart.deactivate();
    Ok(match result {
        Ok(_) => AccessedBit::SetByHardware,
        Err(_) => AccessedBit::Faults,
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
