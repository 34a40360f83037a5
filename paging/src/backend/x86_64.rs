//! TLB invalidation: [`Instructions`] for the maintenance of an x86-64 kernel's page tables.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, "Caching
//! Translation Information" and "Invalidation of TLBs and Paging-Structure Caches". Stores are seen
//! in program order, by walkers too, and that an entry was invalid is never remembered: tables need
//! no barrier but the compiler's.
//!
//! | instruction | reaches |
//! |---|---|
//! | `invlpg` | the leaf of an address, of the current PCID or global; every pointer to a table of the current PCID |
//! | `mov` to CR3 | everything of the new PCID, but no global entry |
//! | `invpcid` 0 and 1 | a leaf, everything, of any PCID, but nothing global |
//! | `invpcid` 2, a change of CR4.PGE | everything: every PCID, global entries |
//!
//! # Decisions
//! * The ASID of a space is its PCID (12 bits). Without CR4.PCIDE there is one space at a time, and
//!   whoever loads CR3 invalidates the others.
//! * With PCIDs no instruction invalidates an address under all of them: then everything goes.
#![expect(unsafe_code, reason = "instructions")]

use core::arch::asm;
use core::sync::atomic::{AtomicU8, Ordering, compiler_fence};

use super::{Invalidation, LocalInstructions, Shootdown, Uniprocessor};
use crate::addr::VirtAddr;
use crate::format::x86_64::X64PageTable;
use crate::{AddressSpace, Asid};

/// CR4.PGE: global entries survive a load of CR3.
const CR4_PGE: usize = 1 << 7;
/// CR4.PCIDE: entries belong to the PCID in CR3\[11:0\].
const CR4_PCIDE: usize = 1 << 17;
/// The PCID in CR3.
const CR3_PCID: usize = 0xfff;
/// CPUID leaf 7, EBX: there is `invpcid`.
const CPUID_7_EBX_INVPCID: u32 = 1 << 10;

/// Maintenance of tables that this core uses, and others that `O` reaches, as by interrupts.
pub type Tlb<O = Uniprocessor> = Shootdown<Instructions, O>;

/// The table whose root CR3 names: both canonical halves of the address space, the kernel's and a
/// process's.
pub type Native<H, O = Uniprocessor> = X64PageTable<Tlb<O>, H>;

/// The table of a process: one root translates both halves, so it holds the kernel too, whose
/// top-level tables a [`SharedTop`](crate::SharedTop) lends it.
pub type NativeUser<H, O = Uniprocessor> = Native<H, O>;

/// The invalidations of the executing core, and the compiler fences that are all the ordering its
/// stores need.
pub struct Instructions;

// SAFETY: stores are seen in order, by walkers too, and an entry that was invalid is never
// remembered; `execute` reaches at least what the table above says.
unsafe impl LocalInstructions for Instructions {
    #[inline(always)]
    fn order_stores() {
        compiler_fence(Ordering::Release);
    }

    #[inline(always)]
    fn complete_stores() {
        compiler_fence(Ordering::SeqCst);
    }

    fn execute(invalidation: Invalidation) {
        execute(invalidation);
    }
}

/// Executes `invalidation` on this core alone: also what a core's handler calls when another one
/// has asked for it ([`RemoteCores::ask`](super::RemoteCores::ask)).
pub fn execute(invalidation: Invalidation) {
    let pcids = read_cr4() & CR4_PCIDE != 0;
    match invalidation {
        Invalidation::Leaf { va, space, .. } => match space {
            AddressSpace::Asid(asid) if pcids && asid != current_pcid() => {
                invpcid_or_everything(Invpcid::Leaf, asid, va);
            }
            AddressSpace::All if pcids => invalidate_everything(),
            AddressSpace::Asid(_) | AddressSpace::All => invlpg(va),
        },
        Invalidation::Everything(AddressSpace::All) => invalidate_everything(),
        Invalidation::Everything(AddressSpace::Asid(asid)) if pcids && asid != current_pcid() => {
            invpcid_or_everything(Invpcid::Space, asid, VirtAddr::new(0));
        }
        Invalidation::Everything(AddressSpace::Asid(_)) => reload_cr3(),
    }
}

/// The types of `invpcid` that are used.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Invpcid {
    /// One address of one PCID.
    Leaf = 0,
    /// One PCID.
    Space = 1,
    /// Every PCID and global entries.
    Everything = 2,
}

/// Invalidates what belongs to another PCID than the current one, or more.
fn invpcid_or_everything(kind: Invpcid, asid: Asid, va: VirtAddr) {
    if has_invpcid() {
        invpcid(kind, asid, va);
    } else {
        toggle_global_pages();
    }
}

/// Every PCID, global entries included.
fn invalidate_everything() {
    invpcid_or_everything(Invpcid::Everything, Asid::KERNEL, VirtAddr::new(0));
}

fn invlpg(va: VirtAddr) {
    // SAFETY: forgetting a translation loses nothing but time.
    unsafe { asm!("invlpg [{}]", in(reg) va.as_usize(), options(nostack, preserves_flags)) };
}

fn invpcid(kind: Invpcid, asid: Asid, va: VirtAddr) {
    let descriptor = [u64::from(asid.as_u16()), va.as_usize() as u64];
    // SAFETY: the CPU has the instruction; forgetting translations loses nothing but time. The
    // descriptor is read from the stack.
    unsafe {
        asm!(
            "invpcid {}, [{}]",
            in(reg) kind as usize,
            in(reg) &descriptor,
            options(nostack, preserves_flags),
        );
    }
}

/// Everything of the current PCID, or of the only space, but nothing global.
fn reload_cr3() {
    // SAFETY: the same root is loaded again; bit 63, which would spare the entries, reads as 0.
    unsafe {
        asm!(
            "mov {scratch}, cr3",
            "mov cr3, {scratch}",
            scratch = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Changes CR4.PGE and changes it back: each change invalidates everything.
fn toggle_global_pages() {
    let cr4 = read_cr4();
    write_cr4(cr4 ^ CR4_PGE);
    write_cr4(cr4);
}

fn current_pcid() -> Asid {
    let cr3: usize;
    // SAFETY: reading the register changes nothing.
    unsafe { asm!("mov {}, cr3", out(reg) cr3, options(nostack, preserves_flags)) };
    Asid::new((cr3 & CR3_PCID) as u16)
}

fn read_cr4() -> usize {
    let cr4: usize;
    // SAFETY: reading the register changes nothing.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nostack, preserves_flags)) };
    cr4
}

/// Writes CR4, whose other bits are as they were.
fn write_cr4(cr4: usize) {
    // SAFETY: with other global pages alone, every address translates as before.
    unsafe { asm!("mov cr4, {}", in(reg) cr4, options(nostack, preserves_flags)) };
}

/// Whether the CPU has `invpcid`: asked once, because a hypervisor may answer slowly.
fn has_invpcid() -> bool {
    const UNKNOWN: u8 = 0;
    const ABSENT: u8 = 1;
    const PRESENT: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    if ANSWER.load(Ordering::Relaxed) == UNKNOWN {
        let last_leaf = cpuid(0, 0).eax;
        let known = last_leaf >= 7 && cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID != 0;
        ANSWER.store(if known { PRESENT } else { ABSENT }, Ordering::Relaxed);
    }
    ANSWER.load(Ordering::Relaxed) == PRESENT
}

/// EAX and EBX after CPUID.
struct Identification {
    eax: u32,
    ebx: u32,
}

/// CPUID of a leaf and its subleaf. Not the intrinsic of `core`, which the documentation that is
/// made on another architecture would not find.
fn cpuid(leaf: u32, subleaf: u32) -> Identification {
    let eax;
    let ebx: u64;
    // SAFETY: CPUID only reads. RBX, which the compiler keeps for itself, is put back.
    unsafe {
        asm!(
            "mov {kept}, rbx",
            "cpuid",
            "xchg {kept}, rbx",
            kept = out(reg) ebx,
            inout("eax") leaf => eax,
            inout("ecx") subleaf => _,
            out("edx") _,
            options(nostack, preserves_flags),
        );
    }
    Identification {
        eax,
        ebx: ebx as u32,
    }
}
