// From the first instruction to main, on a Raspberry Pi 3: EL1, MMU and caches on, core 0 alone.
//
// In:   an ELF loader's entry: EL3, EL2 or EL1, any number of cores at once, MMU off. Out:  core 0
// in main on its stack; .bss clear. The others sleep for good: under -icount a running core would
// add
//       to what is counted.
//
// One tree serves both halves: the identity map, through which the program runs, and the linear map
// from 0xffff000000000000 on, through which tables are written.

.equ SCR_EL3,    0x431          // RW, RES1, NS
.equ HCR_EL2,    1 << 31        // RW: EL1 is AArch64
.equ SPSR_EL2H,  0x3c9
.equ SPSR_EL1H,  0x3c5
.equ SCTLR_OFF,  0x30d00800     // the RES1 bits of Armv8.0
.equ SCTLR_ON,   0x30d01805     // and M, C, I; writable code may run, because some of it is rewritten
.equ MAIR,       0xff00         // 0: Device-nGnRnE, 1: Normal write-back
.equ TCR,        0x2b5103510    // 48-bit halves, 40-bit physical addresses, 4 KiB granule, cacheable walks

.section .init, "ax", @progbits

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
    msr     mdcr_el3, xzr
    ldr     w1, =0x30c50830         // SCTLR_EL2's RES1 bits
    msr     sctlr_el2, x1
    mov     x1, #SPSR_EL2H
    msr     spsr_el3, x1
    adr     x1, at_el2
    msr     elr_el3, x1
    eret
at_el2:
    mov     x1, #HCR_EL2
    msr     hcr_el2, x1
    mov     x1, #0x33ff             // CPTR_EL2's RES1 bits
    msr     cptr_el2, x1
    mrs     x1, pmcr_el0            // all counters belong to EL1 (MDCR_EL2.HPMN = PMCR_EL0.N)
    ubfx    x1, x1, #11, #5
    msr     mdcr_el2, x1
    ldr     w1, =SCTLR_OFF
    msr     sctlr_el1, x1
    mov     x1, #SPSR_EL1H
    msr     spsr_el2, x1
    adr     x1, at_el1
    msr     elr_el2, x1
    eret
at_el1:
    ldr     x1, =__stack_top
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    mov     x1, #MAIR
    msr     mair_el1, x1
    ldr     x1, =TCR
    msr     tcr_el1, x1
    ldr     x1, =level0
    msr     ttbr0_el1, x1
    msr     ttbr1_el1, x1
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    ldr     w1, =SCTLR_ON
    msr     sctlr_el1, x1
    isb
    ldr     x1, =__bss_start
    ldr     x2, =__bss_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b
    b       main
sleep:
    wfi
    b       sleep
.size _start, . - _start

// Makes rewritten code be seen. Outside .text, so that it is not itself rewritten. Clobbers
// nothing.
.global synchronise_code
.type synchronise_code, @function
synchronise_code:
    dsb     ish
    ic      iallu
    dsb     ish
    isb
    ret
.size synchronise_code, . - synchronise_code

// A BRK that stands for an instruction of class n (maintenance.rs) adds one to COUNTS[n] and is
// skipped, with every register kept. Everything else goes to unexpected_exception.
.balign 2048
vectors:
.rept 4
    .balign 128
    b       unexpected
.endr
    .balign 128
    b       synchronous
.rept 11
    .balign 128
    b       unexpected
.endr

.type synchronous, @function
synchronous:
    stp     x0, x1, [sp, #-32]!
    str     x2, [sp, #16]
    mrs     x0, esr_el1
    lsr     x1, x0, #26
    cmp     x1, #0x3c               // ESR_EL1.EC: BRK
    b.ne    unexpected
    and     x0, x0, #0xffff
    ldr     x1, =COUNTS
    ldr     x2, [x1, x0, lsl #3]
    add     x2, x2, #1
    str     x2, [x1, x0, lsl #3]
    mrs     x0, elr_el1
    add     x0, x0, #4
    msr     elr_el1, x0
    ldr     x2, [sp, #16]
    ldp     x0, x1, [sp], #32
    eret
.size synchronous, . - synchronous

unexpected:
    mrs     x0, esr_el1
    mrs     x1, elr_el1
    mrs     x2, far_el1
    b       unexpected_exception

.section .tables, "aw", @progbits
.equ BLOCK,   0x705                 // AF, inner shareable, Normal, valid
.equ DEVICE,  0x0060000000000401    // UXN, PXN, AF, valid

.balign 4096
level0:
    .quad   level1 + 3
    .balign 4096
level1:
    .quad   level2 + 3
    .balign 4096
level2:
.set block, 0
.rept 504                           // RAM, to 0x3f000000
    .quad   block + BLOCK
    .set block, block + 0x200000
.endr
.rept 8                             // devices
    .quad   block + DEVICE
    .set block, block + 0x200000
.endr
