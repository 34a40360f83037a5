//! Control and status registers: their numbers, the fields that are used, and access to them.
//!
//! Source: LoongArch Reference Manual, volume 1, chapter 7.

use core::arch::asm;

pub(crate) const CRMD: u32 = 0x0;
pub(crate) const PRMD: u32 = 0x1;
pub(crate) const ESTAT: u32 = 0x5;
pub(crate) const ERA: u32 = 0x6;
pub(crate) const BADV: u32 = 0x7;
pub(crate) const EENTRY: u32 = 0xc;
pub(crate) const TLBIDX: u32 = 0x10;
pub(crate) const TLBEHI: u32 = 0x11;
pub(crate) const TLBELO0: u32 = 0x12;
pub(crate) const TLBELO1: u32 = 0x13;
pub(crate) const ASID: u32 = 0x18;
pub(crate) const PGDL: u32 = 0x19;
pub(crate) const PGDH: u32 = 0x1a;
pub(crate) const PGD: u32 = 0x1b;
pub(crate) const PWCL: u32 = 0x1c;
pub(crate) const PWCH: u32 = 0x1d;
pub(crate) const STLBPS: u32 = 0x1e;
pub(crate) const CPUID: u32 = 0x20;
pub(crate) const SAVE0: u32 = 0x30;
pub(crate) const SAVE1: u32 = 0x31;
pub(crate) const SAVE2: u32 = 0x32;
pub(crate) const SAVE3: u32 = 0x33;
pub(crate) const TLBRENTRY: u32 = 0x88;
pub(crate) const TLBRBADV: u32 = 0x89;
pub(crate) const TLBRSAVE: u32 = 0x8b;
pub(crate) const TLBRELO0: u32 = 0x8c;
pub(crate) const TLBRELO1: u32 = 0x8d;
pub(crate) const TLBREHI: u32 = 0x8e;
pub(crate) const DMW0: u32 = 0x180;
pub(crate) const DMW1: u32 = 0x181;
pub(crate) const DMW2: u32 = 0x182;
pub(crate) const DMW3: u32 = 0x183;

/// ASID.ASID: how many address spaces there are.
pub(crate) const ASIDS: usize = 1 << 10;

/// TLBIDX.NE: `tlbsrch` found nothing.
const TLBIDX_NE: usize = 1 << 31;
/// TLBIDX.PS.
const TLBIDX_PS: u32 = 24;

/// The value of the register `NUMBER`.
pub(crate) fn read<const NUMBER: u32>() -> usize {
    let value: usize;
    // SAFETY: reading a register changes nothing.
    unsafe {
        asm!("csrrd {}, {}", out(reg) value, const NUMBER, options(nostack, preserves_flags))
    };
    value
}

/// Writes the register `NUMBER`.
///
/// # Safety
/// The program does not depend on what it was, and goes on with what it is.
pub(crate) unsafe fn write<const NUMBER: u32>(value: usize) {
    // SAFETY: the caller's promise. The instruction leaves the old value in its operand.
    unsafe { asm!("csrwr {}, {}", inout(reg) value => _, const NUMBER, options(nostack)) };
}

/// What the TLB holds for one address.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    /// The half of the pair, in the format of TLBELO.
    pub(crate) entry: usize,
    /// log2 of the size of that half.
    pub(crate) size: usize,
}

/// What the TLB holds for `va` in the current address space.
pub(crate) fn tlb_look_up(va: usize) -> Option<Held> {
    // SAFETY: outside the refill handler these registers are used here alone.
    unsafe { write::<TLBEHI>(va) };
    // SAFETY: searching changes TLBIDX alone.
    unsafe { asm!("tlbsrch", options(nostack, preserves_flags)) };
    if read::<TLBIDX>() & TLBIDX_NE != 0 {
        return None;
    }
    let asid = read::<ASID>();
    // SAFETY: reading a pair changes the TLB's registers, and ASID, which is put back.
    unsafe { asm!("tlbrd", options(nostack, preserves_flags)) };
    // SAFETY: it is what it was before.
    unsafe { write::<ASID>(asid) };
    let size = read::<TLBIDX>() >> TLBIDX_PS & 0x3f;
    let entry = match va >> size & 1 {
        0 => read::<TLBELO0>(),
        _ => read::<TLBELO1>(),
    };
    Some(Held { entry, size })
}
