//! Segments, the task state and the interrupt descriptor table: what x86 needs before it takes an
//! exception at either privilege level.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3, "Segment
//! Descriptors", "Task Management in 64-bit Mode", "64-Bit Mode IDT".

use core::arch::{asm, global_asm};

use crate::{cpu, program};

/// Selectors: the kernel's code, user data (the stack's) and user code, and the task state.
pub(crate) const KERNEL_CODE: u16 = 8;
pub(crate) const KERNEL_DATA: u16 = 16;
pub(crate) const USER_DATA: u16 = 24 | 3;
pub(crate) const USER_CODE: u16 = 32 | 3;
const TASK_STATE: u16 = 40;

/// Code of 64-bit mode: present, executable, readable, L.
const KERNEL_CODE_DESCRIPTOR: u64 = 0x0020_9a00_0000_0000;
const KERNEL_DATA_DESCRIPTOR: u64 = 0x0000_9200_0000_0000;
/// The descriptor privilege level 3.
const FOR_USER: u64 = 3 << 45;
/// The low half of a task state's descriptor: present, available, of 104 bytes.
const TASK_STATE_DESCRIPTOR: u64 = 0x0000_8900_0000_0067;

/// An interrupt gate: present, at level 3 so that user code may execute `int3`.
const GATE: u64 = 0xee00 << 32;
/// Exceptions of the architecture.
const EXCEPTIONS: usize = 32;
/// One bit for each exception with which the CPU pushes an error code: 8, 10 to 14, 17, 21, 29, 30.
const WITH_ERROR_CODE: u32 = 0x6022_7d00;
/// Bytes from one entry routine to the next.
const ENTRY_BYTES: usize = 16;

global_asm!(
    include_str!("start.S"),
    CR0 = const cpu::CR0,
    CR4 = const cpu::CR4,
    EFER = const cpu::EFER,
    IA32_EFER = const cpu::IA32_EFER,
    KERNEL_CODE = const KERNEL_CODE,
    KERNEL_CODE_DESCRIPTOR = const KERNEL_CODE_DESCRIPTOR,
    MAIN = sym program::main,
);
global_asm!(
    include_str!("enter.S"),
    ENTRY_BYTES = const ENTRY_BYTES,
    WITH_ERROR_CODE = const WITH_ERROR_CODE,
    TASK_STATE = sym TASK,
    STRAY_EXCEPTION = sym cpu::stray_exception,
);

unsafe extern "C" {
    fn exception_entries();
}

/// A task state: the stack of level 0 is at byte 4, all else is unused.
#[repr(C, align(16))]
struct TaskState([u32; 26]);

/// Read by the CPU, written by `enter`.
static mut TASK: TaskState = TaskState([0; 26]);
static mut GDT: [u64; 7] = [0; 7];
static mut IDT: [[u64; 2]; EXCEPTIONS] = [[0; 2]; EXCEPTIONS];

/// What `lgdt` and `lidt` load.
#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Makes the CPU use tables of this program. Called once.
pub(crate) fn load() {
    let task = (&raw const TASK).addr() as u64;
    let gdt = [
        0,
        KERNEL_CODE_DESCRIPTOR,
        KERNEL_DATA_DESCRIPTOR,
        KERNEL_DATA_DESCRIPTOR | FOR_USER,
        KERNEL_CODE_DESCRIPTOR | FOR_USER,
        TASK_STATE_DESCRIPTOR | (task & 0xff_ffff) << 16 | (task >> 24 & 0xff) << 56,
        task >> 32,
    ];
    let (global, interrupts) = (&raw mut GDT, &raw mut IDT);
    // SAFETY: one core, and the CPU does not use the table yet.
    unsafe { global.write(gdt) };
    // SAFETY: as above.
    unsafe { interrupts.write(gates()) };
    let gdt = pointer(global.addr(), size_of::<[u64; 7]>());
    let idt = pointer(interrupts.addr(), size_of::<[[u64; 2]; EXCEPTIONS]>());
    // SAFETY: the table is static and has the descriptor of the code that runs at the same
    // selector.
    unsafe { asm!("lgdt [{}]", in(reg) &raw const gdt, options(nostack)) };
    // SAFETY: each gate leads to an entry routine.
    unsafe { asm!("lidt [{}]", in(reg) &raw const idt, options(nostack)) };
    // SAFETY: the selector is that of a task state, which is static.
    unsafe { asm!("ltr {:x}", in(reg) TASK_STATE, options(nostack)) };
    // SAFETY: the selector is that of writable data at this level.
    unsafe { asm!("mov ss, {:x}", in(reg) KERNEL_DATA, options(nostack)) };
}

/// A gate for each exception.
fn gates() -> [[u64; 2]; EXCEPTIONS] {
    let first = (exception_entries as *const ()).addr();
    core::array::from_fn(|number| {
        let entry = (first + number * ENTRY_BYTES) as u64;
        let low =
            entry & 0xffff | u64::from(KERNEL_CODE) << 16 | GATE | (entry >> 16 & 0xffff) << 48;
        [low, entry >> 32]
    })
}

fn pointer(base: usize, bytes: usize) -> Pointer {
    Pointer {
        limit: (bytes - 1) as u16,
        base: base as u64,
    }
}
