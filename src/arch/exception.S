// The vector table of EL1 (DDI 0487 D1.3.1), and the way into kernel_exception and back.
//
// An exception runs on this core's exception stack, whose top is in TPIDR_EL1, or goes on there if
// it came from there; if little is left of it, on the emergency stack, which lies below:
//
//   distance below the top   0            EXCEPTION_SIZE   + GUARD_SIZE   + EMERGENCY_SIZE   +
//   GUARD_SIZE
//                            | exception stack     | guard     | emergency stack     | guard    |
//
// TPIDR_EL0, TPIDRRO_EL0 and SP_EL0 hold x0, x1 and the stack pointer meanwhile: at EL1 nobody owns
// them, and what EL0 had in them was saved when it was left. Nothing is stored before the stack is
// known to be good.
//
// An exception from EL0 is no call of a handler: it makes __run_user return. Its stack is good,
// since SP_EL1 is still what __run_user left, below the record that it made there.

.equ EXCEPTION_SIZE,  {EXCEPTION_SIZE}
.equ EMERGENCY_SIZE,  {EMERGENCY_SIZE}
.equ GUARD_SIZE,      {GUARD_SIZE}
.equ ROOM,            {ROOM}
.equ EMERGENCY_ROOM,  {EMERGENCY_ROOM}
.equ EMERGENCY_TOP,   EXCEPTION_SIZE + GUARD_SIZE
.equ EMERGENCY_END,   EMERGENCY_TOP + EMERGENCY_SIZE

// The record of __run_user, on the stack of its caller: x29, x30 and x19 to x28 first.
.equ RUN_CONTEXT,     96                // the context, then DAIF
.equ RUN_SCRATCH,     112               // x0 and x1 of EL0
.equ RUN_SIZE,        128

.section .text.vectors, "ax", @progbits

.macro vector kind
    .balign 128
    msr     tpidr_el0, x0
    msr     tpidrro_el0, x1
    mov     x0, sp
    msr     sp_el0, x0
    mrs     x1, tpidr_el1
    sub     x1, x1, x0                  // distance below the top; huge if above it
    mov     x0, #\kind
    cmp     x1, #(EXCEPTION_SIZE - ROOM)
    b.ls    save_frame                  // on the exception stack, with room
    b       choose_stack
.endm

.macro vector_el0 kind
    .balign 128
    stp     x0, x1, [sp, #RUN_SCRATCH]
    mov     x0, #\kind
    ldr     x1, [sp, #RUN_CONTEXT]
    b       leave_user
.endm

.balign {VECTOR_ALIGNMENT}
.global __vectors
.type __vectors, @object
__vectors:
    vector 0    // current EL, SP_EL0: synchronous
    vector 1    //                     IRQ
    vector 2    //                     FIQ
    vector 3    //                     SError
    vector 4    // current EL, SP_EL1: synchronous
    vector 5
    vector 6
    vector 7
    vector_el0 8    // lower EL, AArch64: synchronous
    vector_el0 9
    vector_el0 10
    vector_el0 11
    vector 12   // lower EL, AArch32: synchronous; __run_user enters AArch64 alone
    vector 13
    vector 14
    vector 15
.size __vectors, . - __vectors

// After the last report: whatever happens, the core waits.
.balign {VECTOR_ALIGNMENT}
.global __stop_vectors_high
.type __stop_vectors_high, @object
__stop_vectors_high:
.rept 16
    wfe
    b       . - 4
    .balign 128
.endr
.size __stop_vectors_high, . - __stop_vectors_high

// In: x0 = index of the vector; x1 = distance, more than EXCEPTION_SIZE - ROOM.
.type choose_stack, @function
choose_stack:
    cmp     x1, #EMERGENCY_TOP
    b.ls    1f                          // the exception stack is used up
    cmp     x1, #(EMERGENCY_END - EMERGENCY_ROOM)
    b.ls    save_frame                  // on the emergency stack, with room
    cmp     x1, #(EMERGENCY_END + GUARD_SIZE)
    b.ls    2f                          // the emergency stack is used up
    mrs     x1, tpidr_el1               // from anywhere else
    mov     sp, x1
    b       save_frame
1:  mrs     x1, tpidr_el1
    sub     x1, x1, #EMERGENCY_TOP
    mov     sp, x1
    b       save_frame
2:  mrs     x1, tpidr_el1
    sub     x1, x1, #EMERGENCY_TOP
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    mrs     x0, sp_el0
    b       kernel_stacks_exhausted     // x0 = stack pointer; does not return
.size choose_stack, . - choose_stack

// In: x0 = index of the vector; sp = a good stack; x0, x1 and sp of before in the scratch
// registers.
.type save_frame, @function
save_frame:
    sub     sp, sp, #{FRAME_SIZE}
    stp     x2, x3, [sp, #{X} + 16]
    stp     x4, x5, [sp, #{X} + 32]
    stp     x6, x7, [sp, #{X} + 48]
    stp     x8, x9, [sp, #{X} + 64]
    stp     x10, x11, [sp, #{X} + 80]
    stp     x12, x13, [sp, #{X} + 96]
    stp     x14, x15, [sp, #{X} + 112]
    stp     x16, x17, [sp, #{X} + 128]
    stp     x18, x19, [sp, #{X} + 144]
    stp     x20, x21, [sp, #{X} + 160]
    stp     x22, x23, [sp, #{X} + 176]
    stp     x24, x25, [sp, #{X} + 192]
    stp     x26, x27, [sp, #{X} + 208]
    stp     x28, x29, [sp, #{X} + 224]
    str     x30, [sp, #{X} + 240]
    mrs     x2, tpidr_el0
    mrs     x3, tpidrro_el0
    stp     x2, x3, [sp, #{X}]
    mrs     x2, sp_el0
    str     x2, [sp, #{SP}]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    mrs     x4, esr_el1
    mrs     x5, far_el1
    str     x2, [sp, #{ELR}]
    str     x3, [sp, #{SPSR}]
    str     x4, [sp, #{ESR}]
    str     x5, [sp, #{FAR}]
    stp     x29, x2, [sp, #{LINK}]      // a frame record: the interrupted code called this
    add     x29, sp, #{LINK}
    mov     x1, x0
    mov     x0, sp
    // The interrupted code may have a read of a device under way, and the handler reads another
    // one: the BCM2835 may answer the two out of order (BCM2835 ARM Peripherals, 1.3).
    dmb     sy
    bl      kernel_exception            // x0 = frame, x1 = vector

    ldr     x2, [sp, #{ELR}]
    ldr     x3, [sp, #{SPSR}]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldr     x0, [sp, #{SP}]
    msr     sp_el0, x0
    ldp     x2, x3, [sp, #{X} + 16]
    ldp     x4, x5, [sp, #{X} + 32]
    ldp     x6, x7, [sp, #{X} + 48]
    ldp     x8, x9, [sp, #{X} + 64]
    ldp     x10, x11, [sp, #{X} + 80]
    ldp     x12, x13, [sp, #{X} + 96]
    ldp     x14, x15, [sp, #{X} + 112]
    ldp     x16, x17, [sp, #{X} + 128]
    ldp     x18, x19, [sp, #{X} + 144]
    ldp     x20, x21, [sp, #{X} + 160]
    ldp     x22, x23, [sp, #{X} + 176]
    ldp     x24, x25, [sp, #{X} + 192]
    ldp     x26, x27, [sp, #{X} + 208]
    ldp     x28, x29, [sp, #{X} + 224]
    ldr     x30, [sp, #{X} + 240]
    ldp     x0, x1, [sp, #{X}]
    msr     tpidr_el0, x0
    mrs     x0, sp_el0
    mov     sp, x0
    mrs     x0, tpidr_el0
    eret
.size save_frame, . - save_frame

// __run_user(context) -> index of the vector: EL0, with the registers of the context, until an
// exception leaves it; then the context has the registers of that moment, ESR_EL1 and FAR_EL1.
//   In:  x0 = UserContext. IRQs masked: what ELR_EL1 and SPSR_EL1 hold must reach the eret.
//   Out: as AAPCS64 says; DAIF as before. Clobbers SP_EL0, TPIDR_EL0, TPIDRRO_EL0.
.global __run_user
.type __run_user, @function
__run_user:
    stp     x29, x30, [sp, #-RUN_SIZE]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mrs     x1, daif
    stp     x0, x1, [sp, #RUN_CONTEXT]

    ldr     x2, [x0, #{USER_SP}]
    ldr     x3, [x0, #{USER_PC}]
    ldr     x4, [x0, #{USER_PSTATE}]
    ldr     x5, [x0, #{USER_TLS}]
    and     x4, x4, #0xf0000000         // N, Z, C, V: the rest is EL0t, AArch64, nothing masked
    msr     sp_el0, x2
    msr     elr_el1, x3
    msr     spsr_el1, x4
    msr     tpidr_el0, x5
    msr     tpidrro_el0, xzr            // x1 of some exception, which EL0 could read
    ldp     x2, x3, [x0, #{USER_X} + 16]
    ldp     x4, x5, [x0, #{USER_X} + 32]
    ldp     x6, x7, [x0, #{USER_X} + 48]
    ldp     x8, x9, [x0, #{USER_X} + 64]
    ldp     x10, x11, [x0, #{USER_X} + 80]
    ldp     x12, x13, [x0, #{USER_X} + 96]
    ldp     x14, x15, [x0, #{USER_X} + 112]
    ldp     x16, x17, [x0, #{USER_X} + 128]
    ldp     x18, x19, [x0, #{USER_X} + 144]
    ldp     x20, x21, [x0, #{USER_X} + 160]
    ldp     x22, x23, [x0, #{USER_X} + 176]
    ldp     x24, x25, [x0, #{USER_X} + 192]
    ldp     x26, x27, [x0, #{USER_X} + 208]
    ldp     x28, x29, [x0, #{USER_X} + 224]
    ldr     x30, [x0, #{USER_X} + 240]
    ldp     x0, x1, [x0, #{USER_X}]
    eret
.size __run_user, . - __run_user

// In: x0 = index of the vector; x1 = the context; sp = the record of __run_user, with x0 and x1 of
// EL0 in it.
.type leave_user, @function
leave_user:
    stp     x2, x3, [x1, #{USER_X} + 16]
    stp     x4, x5, [x1, #{USER_X} + 32]
    stp     x6, x7, [x1, #{USER_X} + 48]
    stp     x8, x9, [x1, #{USER_X} + 64]
    stp     x10, x11, [x1, #{USER_X} + 80]
    stp     x12, x13, [x1, #{USER_X} + 96]
    stp     x14, x15, [x1, #{USER_X} + 112]
    stp     x16, x17, [x1, #{USER_X} + 128]
    stp     x18, x19, [x1, #{USER_X} + 144]
    stp     x20, x21, [x1, #{USER_X} + 160]
    stp     x22, x23, [x1, #{USER_X} + 176]
    stp     x24, x25, [x1, #{USER_X} + 192]
    stp     x26, x27, [x1, #{USER_X} + 208]
    stp     x28, x29, [x1, #{USER_X} + 224]
    str     x30, [x1, #{USER_X} + 240]
    ldp     x2, x3, [sp, #RUN_SCRATCH]
    stp     x2, x3, [x1, #{USER_X}]
    mrs     x2, sp_el0
    mrs     x3, elr_el1
    mrs     x4, spsr_el1
    mrs     x5, tpidr_el0
    mrs     x6, esr_el1
    mrs     x7, far_el1
    str     x2, [x1, #{USER_SP}]
    str     x3, [x1, #{USER_PC}]
    str     x4, [x1, #{USER_PSTATE}]
    str     x5, [x1, #{USER_TLS}]
    str     x6, [x1, #{USER_ESR}]
    str     x7, [x1, #{USER_FAR}]
    // As in save_frame: EL0 may have read a device, and who goes on here may read another.
    dmb     sy
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldr     x1, [sp, #RUN_CONTEXT + 8]
    msr     daif, x1
    ldp     x29, x30, [sp], #RUN_SIZE
    ret
.size leave_user, . - leave_user
