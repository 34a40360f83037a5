// One access: from Rust to an instruction at any exception level, and back by the exception that
// ends it.

.section .text.enter, "ax", @progbits

.equ SAVED,     112                 // bytes: x19 to x30, and where the outcome goes

// enter(pc, argument 0, argument 1, spsr, outcome): executes at pc with these arguments in x0 and
// x1, in the state that spsr says, until a synchronous exception. What is executed uses no stack.
//
// In:   x0 to x4; EL1, exceptions masked; vbar_el1 = vectors, tpidr_el1 = 0.
// Out:  outcome = x0, ESR_EL1 and FAR_EL1 at the exception; tpidr_el1 = 0. Clobbers what a call
//       does.
.global enter
.type enter, @function
enter:
    stp     x29, x30, [sp, #-SAVED]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x4, [sp, #96]
    mov     x9, sp
    msr     tpidr_el1, x9
    msr     elr_el1, x0
    msr     spsr_el1, x3
    mov     x0, x1
    mov     x1, x2
    eret
.size enter, . - enter

// An access ends in one of the synchronous entries: from EL1 on its own stack, from EL0.
.macro entry target
    .balign 128
    b       \target
.endm

.balign 2048
.global vectors
.type vectors, @function
vectors:
.rept 4
    entry   stray
.endr
    entry   synchronous
.rept 3
    entry   stray
.endr
    entry   synchronous
.rept 7
    entry   stray
.endr
.size vectors, . - vectors

.type synchronous, @function
synchronous:
    mrs     x9, tpidr_el1
    cbz     x9, stray
    msr     tpidr_el1, xzr
    mov     sp, x9
    ldr     x4, [sp, #96]
    mrs     x10, esr_el1
    mrs     x11, far_el1
    stp     x0, x10, [x4]
    str     x11, [x4, #16]
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #SAVED
    ret
.size synchronous, . - synchronous

// No access was under way, or it is no synchronous exception: a fault of the program itself.
.type stray, @function
stray:
    ldr     x0, =__stack_top
    mov     sp, x0
    mrs     x0, esr_el1
    mrs     x1, far_el1
    mrs     x2, elr_el1
    b       {STRAY_EXCEPTION}
.size stray, . - stray

// The kernel's accesses: x0 = address, x1 = value to store. A load leaves its value in x0.
.section .text.accesses, "ax", @progbits
.global kernel_load, kernel_store
.type kernel_load, @function
kernel_load:
    ldr     x0, [x0]
    brk     #0
.size kernel_load, . - kernel_load

.type kernel_store, @function
kernel_store:
    str     x1, [x0]
    brk     #0
.size kernel_store, . - kernel_store

// User code that loads and stores, on a page of its own.
.section .user, "ax", @progbits
.global user_load, user_store
.type user_load, @function
user_load:
    ldr     x0, [x0]
    brk     #0
.size user_load, . - user_load

.type user_store, @function
user_store:
    str     x1, [x0]
    brk     #0
.size user_store, . - user_store
