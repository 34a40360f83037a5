// One access: from Rust to an instruction in any mode, and back by the trap that ends it.

.section .text.enter, "ax", @progbits

// enter(pc, argument 0, argument 1, sstatus): executes at pc with these arguments in a0 and a1, in
// the mode that sstatus says, until a trap.
//
// In:   a0 to a3; supervisor mode; stvec = trap, sscratch = 0.
// Out:  a0 = what it was at the trap; scause, stval and sepc of the trap; sscratch = 0.
// Clobbers what a call does.
.global enter
.type enter, @function
enter:
    addi    sp, sp, -112
    sd      ra, 0(sp)
    sd      s0, 8(sp)
    sd      s1, 16(sp)
    sd      s2, 24(sp)
    sd      s3, 32(sp)
    sd      s4, 40(sp)
    sd      s5, 48(sp)
    sd      s6, 56(sp)
    sd      s7, 64(sp)
    sd      s8, 72(sp)
    sd      s9, 80(sp)
    sd      s10, 88(sp)
    sd      s11, 96(sp)
    csrw    sscratch, sp
    csrw    sstatus, a3
    csrw    sepc, a0
    mv      a0, a1
    mv      a1, a2
    sret
.size enter, . - enter

// Every trap to supervisor mode. Without an access under way it is a fault of the program itself.
.balign 4
.global trap
.type trap, @function
trap:
    csrrw   sp, sscratch, zero
    beqz    sp, 1f
    ld      ra, 0(sp)
    ld      s0, 8(sp)
    ld      s1, 16(sp)
    ld      s2, 24(sp)
    ld      s3, 32(sp)
    ld      s4, 40(sp)
    ld      s5, 48(sp)
    ld      s6, 56(sp)
    ld      s7, 64(sp)
    ld      s8, 72(sp)
    ld      s9, 80(sp)
    ld      s10, 88(sp)
    ld      s11, 96(sp)
    addi    sp, sp, 112
    ret
1:  la      sp, __stack_top
    csrr    a0, scause
    csrr    a1, stval
    csrr    a2, sepc
    j       stray_trap
.size trap, . - trap

// The kernel's accesses: a0 = address, and a1 = value to store. A load leaves its value in a0.
.global kernel_load, kernel_store
.type kernel_load, @function
kernel_load:
    ld      a0, (a0)
    ebreak
.size kernel_load, . - kernel_load

.type kernel_store, @function
kernel_store:
    sd      a1, (a0)
    ebreak
.size kernel_store, . - kernel_store

// User code that loads and stores, on a page of its own.
.section .user, "ax", @progbits
.global user_load, user_store
.type user_load, @function
user_load:
    ld      a0, (a0)
    ebreak
.size user_load, . - user_load

.type user_store, @function
user_store:
    sd      a1, (a0)
    ebreak
.size user_store, . - user_store
