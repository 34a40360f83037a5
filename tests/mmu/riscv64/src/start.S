// Machine mode: from the first instruction to supervisor mode, and the services it keeps.
//
// In:   machine mode, translation off, a0 = hart, any register value but the pc.
// Out:  hart 0 in `main` in supervisor mode, on its stack, .bss clear; other harts wait.
//
// Numbers come from Rust (src/firmware.rs).

.equ UART,              {UART}
.equ TEST_DEVICE,       {TEST_DEVICE}
.equ TEST_FAIL,         {TEST_FAIL}
.equ CALL_EXIT,         {CALL_EXIT}
.equ CAUSE_S_CALL,      9
.equ MEDELEG,           {MEDELEG}
.equ MSTATUS_MPP,       3 << 11
.equ MSTATUS_MPP_S,     1 << 11
.equ PMP_ALL,           0x1f            // NAPOT, read, write, execute

.section .text.start, "ax", @progbits
.global _start
.type _start, @function
_start:
    csrr    t0, mhartid
    bnez    t0, wait
    la      sp, __stack_top
    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    sd      zero, (t0)
    addi    t0, t0, 8
    j       1b

2:  la      t0, machine_trap
    csrw    mtvec, t0
    // Without a PMP entry supervisor mode reaches nothing.
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, PMP_ALL
    csrw    pmpcfg0, t0
    // Memory types in entries (Svpbmt), and accessed bits by hardware (Svadu): where there is no
    // such extension, the bits stay clear.
    li      t0, {MENVCFG_BITS}
    csrs    0x30a, t0                   // menvcfg, by number: older assemblers lack the name
    li      t0, MEDELEG
    csrw    medeleg, t0
    csrw    mideleg, zero
    csrw    mie, zero
    csrw    satp, zero
    li      t0, MSTATUS_MPP
    csrc    mstatus, t0
    li      t0, MSTATUS_MPP_S
    csrs    mstatus, t0
    la      t0, main
    csrw    mepc, t0
    mret
.size _start, . - _start

.type wait, @function
wait:
    wfi
    j       wait
.size wait, . - wait

// The services: a7 = CALL_EXIT ends QEMU, a0 = what the test device is told; any other a7 puts the
// character a0 out. Clobbers t0 and t1. Whatever else arrives here ends QEMU as a failure.
.balign 4
.type machine_trap, @function
machine_trap:
    csrr    t0, mcause
    li      t1, CAUSE_S_CALL
    bne     t0, t1, 2f
    li      t1, CALL_EXIT
    beq     a7, t1, 1f
    li      t0, UART
    sb      a0, (t0)
    csrr    t0, mepc
    addi    t0, t0, 4
    csrw    mepc, t0
    mret
1:  li      t0, TEST_DEVICE
    sw      a0, (t0)
    j       wait
2:  li      a0, TEST_FAIL
    j       1b
.size machine_trap, . - machine_trap
