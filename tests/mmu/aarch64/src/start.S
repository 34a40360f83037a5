// From the first instruction to `main` in EL1.
//
// In:   EL3 with EL2 below it, EL2 or EL1; MMU off, any number of cores at once, any register value
// but the pc. Out:  core 0 in `main` in EL1, MMU and caches off, exceptions masked, on its stack,
// .bss clear;
//       the other cores sleep for good.

.equ SCR_EL3,       0x431           // RW: EL2 is AArch64; NS; the RES1 bits
.equ SCTLR_EL2_OFF, 0x30c50830      // the RES1 bits
.equ HCR_EL2,       1 << 31         // RW: EL1 is AArch64
.equ CPTR_EL2,      0x33ff          // the RES1 bits: nothing is trapped
.equ SPSR_EL2H,     0x3c9           // exceptions masked
.equ SPSR_EL1H,     0x3c5
.equ SCTLR_EL1_OFF, {SCTLR_EL1_OFF}
.equ CPACR_EL1,     0b11 << 20      // FPEN: this target's code may use SIMD registers

.section .text.start, "ax", @progbits
.global _start
.type _start, @function
_start:
    mrs     x1, mpidr_el1
    tst     x1, #0xff
    b.ne    sleep
    mrs     x1, CurrentEL
    cmp     x1, #2 << 2
    b.lo    at_el1
    b.eq    at_el2
    mov     x1, #SCR_EL3
    msr     scr_el3, x1
    msr     cptr_el3, xzr
    ldr     w1, =SCTLR_EL2_OFF
    msr     sctlr_el2, x1
    mov     x1, #SPSR_EL2H
    msr     spsr_el3, x1
    adr     x1, at_el2
    msr     elr_el3, x1
    eret

at_el2:
    mov     x1, #HCR_EL2
    msr     hcr_el2, x1
    mov     x1, #CPTR_EL2
    msr     cptr_el2, x1
    msr     cntvoff_el2, xzr
    msr     vttbr_el2, xzr
    ldr     w1, =SCTLR_EL1_OFF
    msr     sctlr_el1, x1
    mov     x1, #SPSR_EL1H
    msr     spsr_el2, x1
    adr     x1, at_el1
    msr     elr_el2, x1
    eret

at_el1:
    msr     daifset, #0b1111
    msr     spsel, #1
    mov     x1, #CPACR_EL1
    msr     cpacr_el1, x1
    isb
    ldr     x1, =__stack_top
    mov     sp, x1
    ldr     x1, =__bss_start
    ldr     x2, =__bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  mov     x29, xzr
    mov     x30, xzr
    b       {MAIN}
.size _start, . - _start

.type sleep, @function
sleep:
    wfi
    b       sleep
.size sleep, . - sleep
