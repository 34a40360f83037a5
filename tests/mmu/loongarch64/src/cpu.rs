//! The core: one access at a time at either privilege level, and what an exception says.
//!
//! Source: LoongArch Reference Manual, volume 1: 6.2 (exceptions), 7.4 (ESTAT, BADV).

use core::arch::{asm, global_asm};

use mmu_scenario::{Access, Fault, FaultKind, Privilege};
use stilt_paging::Asid;
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::format::loongarch;

use crate::csr;
use crate::devices::power_off;
use crate::program::{self, KERNEL_WINDOW, PHYSICAL_BITS, USER_WINDOW, physical, window};

/// The operand of the `syscall` that ends a routine.
const DONE: u32 = 0;

/// ESTAT: exception code and subcode.
const CODE_SHIFT: u32 = 16;
const CODE_MASK: usize = 0x3f;
const SUBCODE_SHIFT: u32 = 22;

const PAGE_INVALID_LOAD: usize = 1;
const PAGE_INVALID_STORE: usize = 2;
const PAGE_INVALID_FETCH: usize = 3;
const PAGE_MODIFY: usize = 4;
const PAGE_NON_READABLE: usize = 5;
const PAGE_NON_EXECUTABLE: usize = 6;
const PAGE_PRIVILEGE: usize = 7;
const ADDRESS_ERROR: usize = 8;
const SYSTEM_CALL: usize = 0xb;

global_asm!(
    include_str!("enter.S"),
    SAVE0 = const csr::SAVE0,
    ERA = const csr::ERA,
    PRMD = const csr::PRMD,
    ESTAT = const csr::ESTAT,
    BADV = const csr::BADV,
    DONE = const DONE,
);
global_asm!(
    include_str!("refill.S"),
    PGD = const csr::PGD,
    SAVE1 = const csr::SAVE1,
    SAVE2 = const csr::SAVE2,
    SAVE3 = const csr::SAVE3,
    TLBRBADV = const csr::TLBRBADV,
    TLBRSAVE = const csr::TLBRSAVE,
    TLBRELO0 = const csr::TLBRELO0,
    TLBRELO1 = const csr::TLBRELO1,
    TLBREHI = const csr::TLBREHI,
    PHYSICAL_BITS = const PHYSICAL_BITS,
);

unsafe extern "C" {
    fn enter(pc: usize, first: usize, second: usize, level: usize) -> usize;
    fn trap();
    fn refill();
    fn load();
    fn store();
}

/// A table without any entry.
#[repr(C, align(4096))]
struct EmptyTable([u64; PAGE_SIZE / 8]);

static EMPTY: EmptyTable = EmptyTable([0; PAGE_SIZE / 8]);

/// Takes exceptions, TLB refills among them, and translates by an empty tree.
pub(crate) fn set_up() {
    // SAFETY: SAVE0 = 0 says that no access is under way; the handler ends the run then.
    unsafe { csr::write::<{ csr::SAVE0 }>(0) };
    // SAFETY: `trap` is a handler in the kernel's window, aligned to 4 KiB.
    unsafe { csr::write::<{ csr::EENTRY }>(trap as *const () as usize) };
    // SAFETY: `refill` is a handler for direct addresses, aligned to 4 KiB.
    unsafe { csr::write::<{ csr::TLBRENTRY }>(physical(refill as *const () as usize)) };
    // SAFETY: the geometry of the trees; nothing is translated by one yet.
    unsafe { csr::write::<{ csr::PWCL }>(loongarch::PWCL as usize) };
    // SAFETY: as above.
    unsafe { csr::write::<{ csr::PWCH }>(loongarch::PWCH as usize) };
    // SAFETY: as above; the TLB is emptied by whoever activates the first tree.
    unsafe { csr::write::<{ csr::STLBPS }>(loongarch::STLBPS as usize) };
    translate_by_nothing();
}

/// Translates by an empty tree.
pub(crate) fn translate_by_nothing() {
    let empty = PhysAddr::new(physical((&raw const EMPTY.0).addr()));
    // SAFETY: nothing that the program needs is in any tree.
    unsafe { translate_by(empty, Asid::KERNEL) };
}

/// Translates by the tree whose root is at `root`, as the address space `asid`.
///
/// # Safety
/// The tree stays as long as it is used.
pub(crate) unsafe fn translate_by(root: PhysAddr, asid: Asid) {
    let root = root.as_usize();
    // SAFETY: nothing that the program needs is in any tree, so the order does not matter.
    unsafe { csr::write::<{ csr::PGDL }>(root) };
    // SAFETY: as above.
    unsafe { csr::write::<{ csr::PGDH }>(root) };
    // SAFETY: as above.
    unsafe { csr::write::<{ csr::ASID }>(usize::from(asid.as_u16())) };
}

/// Makes one access at `va`; `value` is what is stored. A load gives the value, a jump what the
/// routine leaves in a0.
///
/// # Safety
/// If `va` is mapped, nobody else uses what a store changes, and a routine stands where a jump
/// goes.
pub(crate) unsafe fn access(
    access: Access,
    va: VirtAddr,
    value: u64,
    who: Privilege,
) -> Result<u64, Fault> {
    let (level, own_window) = match who {
        Privilege::User => (3, USER_WINDOW),
        Privilege::Kernel | Privilege::KernelForUser => (0, KERNEL_WINDOW),
    };
    let here = |code: *const ()| window(own_window, code as usize);
    let pc = match access {
        Access::Load => here(load as *const ()),
        Access::Store => here(store as *const ()),
        Access::Jump => va.as_usize(),
    };
    // SAFETY: the caller's promise; `enter` keeps all that a call must keep.
    let result = unsafe { enter(pc, va.as_usize(), value as usize, level) };
    let estat = csr::read::<{ csr::ESTAT }>();
    let kind = match estat >> CODE_SHIFT & CODE_MASK {
        SYSTEM_CALL => return Ok(result as u64),
        PAGE_INVALID_LOAD | PAGE_NON_READABLE => FaultKind::Page(Access::Load),
        PAGE_INVALID_STORE | PAGE_MODIFY => FaultKind::Page(Access::Store),
        PAGE_INVALID_FETCH | PAGE_NON_EXECUTABLE => FaultKind::Page(Access::Jump),
        // The exception does not say what was tried.
        PAGE_PRIVILEGE => FaultKind::Page(access),
        ADDRESS_ERROR => FaultKind::Address,
        _ => FaultKind::Other((estat >> CODE_SHIFT) as u64),
    };
    Err(Fault {
        kind,
        va: Some(VirtAddr::new(csr::read::<{ csr::BADV }>())),
    })
}

/// A routine that leaves `number`, below 2^31, in a0 and ends by `syscall`: two instructions for
/// the number, upper 20 bits and lower 12.
pub(crate) const fn routine(number: u32) -> [u32; 3] {
    const A0: u32 = 4;
    let lu12i_w = 0x1400_0000 | (number >> 12) << 5 | A0;
    let ori = 0x0380_0000 | (number & 0xfff) << 10 | A0 << 5 | A0;
    let syscall = 0x002b_0000 | DONE;
    [lu12i_w, ori, syscall]
}

/// Makes fetches see what was stored.
pub(crate) fn synchronise_instructions() {
    // SAFETY: a barrier only orders.
    unsafe { asm!("dbar 0", "ibar 0", options(nostack, preserves_flags)) };
}

/// An exception while no access was under way: the program itself is wrong.
#[unsafe(no_mangle)]
extern "C" fn stray_trap(estat: usize, address: usize, pc: usize) -> ! {
    let (code, subcode) = (estat >> CODE_SHIFT & CODE_MASK, estat >> SUBCODE_SHIFT);
    program::say(format_args!(
        "loongarch64: WRONG: exception {code:#x}.{subcode} in the program, address {address:#x}, \
         pc {pc:#x}\n"
    ));
    power_off()
}
