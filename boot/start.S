// From the first instruction to init_kernel_pt: whoever loads the image, however it enters.
//
// In:   x0 = device tree, ATAGs or anything; EL3, EL2 or EL1; MMU and caches off, or on with an
//       identity map; core 0 alone, or all four at once; any register value but the PC.
// Out:  core 0 in init_kernel_pt at EL1h on the boot stack, MMU and caches off, DAIF masked,
//       .bss clear, BOOT_RECORD written. Other cores in park (boot/park.S).
//
//   x19  address of BOOT_RECORD          x22  exception level at entry
//   x20  x0 at entry                     x23  SCTLR_ELx at entry
//   x21  counter at entry
//
// Everything is position-independent, and no stack is used: x30 is the only return address.
// Numbers come from Rust (src/boot/entry.rs). Braces in a comment would be operands.

.equ LOAD_ADDRESS,        {LOAD_ADDRESS}
.equ KERNEL_VA_OFFSET,    {KERNEL_VA_OFFSET}
.equ SCTLR_EL1_MMU_OFF,   {SCTLR_EL1_MMU_OFF}
.equ SCTLR_EL1_MMU_ON,    {SCTLR_EL1_MMU_ON}
.equ SCTLR_EL2_MMU_OFF,   {SCTLR_EL2_MMU_OFF}
.equ SCTLR_EL3_MMU_OFF,   {SCTLR_EL3_MMU_OFF}
.equ SCTLR_M_OR_C,        {SCTLR_M_OR_C}
.equ MDSCR_EL1_TDCC,      {MDSCR_EL1_TDCC}
.equ SCR_EL3,             {SCR_EL3}
.equ ACTLR_LOWER_ACCESS,  {ACTLR_LOWER_ACCESS}
.equ CPUECTLR_SMPEN,      {CPUECTLR_SMPEN}
.equ L2CTLR_LATENCY,      {L2CTLR_LATENCY}
.equ HCR_EL2_RW,          {HCR_EL2_RW}
.equ CPTR_EL2_RES1,       {CPTR_EL2_RES1}
.equ SPSR_EL2H,           {SPSR_EL2H}
.equ SPSR_EL1H,           {SPSR_EL1H}
.equ COUNTER_HZ,          {COUNTER_HZ}
.equ COUNTER_MIN_HZ,      {COUNTER_MIN_HZ}
.equ COUNTER_MAX_HZ,      {COUNTER_MAX_HZ}
.equ LOCAL_PERIPHERALS,   {LOCAL_PERIPHERALS}
.equ LOCAL_CONTROL,       {LOCAL_CONTROL}
.equ LOCAL_PRESCALER,     {LOCAL_PRESCALER}
.equ FDT_MAGIC_LE,        {FDT_MAGIC_LE}
.equ FDT_MAX_SIZE,        {FDT_MAX_SIZE}

// What the linker script compares its own numbers with, and needs of the tables' layout.
.global __board_kernel_va_offset, __board_load_address
.global __boot_cleared_size, __boot_exception_stacks_size, __vector_alignment
.set __board_kernel_va_offset, KERNEL_VA_OFFSET
.set __board_load_address, LOAD_ADDRESS
.set __boot_cleared_size, {BOOT_CLEARED_SIZE}
.set __boot_exception_stacks_size, {STACKS_SIZE}
.set __vector_alignment, {VECTOR_ALIGNMENT}

// The first pages: what every core executes that a loader releases here, however late. They are
// kept unless every core has come. Vectors and reports are in .early, which is kept for good.
.section .park.head, "ax", @progbits

// The arm64 Image header (Linux, Documentation/arch/arm64/booting.rst): 64 bytes.
.global _start
.type _start, @function
_start:
    b       entry                       // code0
    .long   0                           // code1
    .quad   LOAD_ADDRESS                // text_offset
    .quad   __image_end - . + 16        // image_size, .bss and stacks included
    .quad   0b0010                      // flags: little endian, 4 KiB, placed as text_offset says
    .quad   0, 0, 0                     // reserved
    .ascii  "ARM\x64"                   // magic
    .long   0                           // no PE header
.size _start, . - _start

.type entry, @function
entry:
    msr     daifset, #0b1111
    mov     x20, x0
    mrs     x22, CurrentEL
    lsr     x22, x22, #2
    isb                                 // the counter may otherwise be read early
    mrs     x21, cntvct_el0
    cmp     x22, #2
    b.lo    1f
    mrs     x21, cntpct_el0             // CNTVOFF_EL2 is unknown: it becomes 0 below
    adr     x1, EMPTY_TABLE             // also of a core that never leaves the loop below: what is
    msr     ttbr0_el1, x1               // unknown after a reset, or a loader's, is no table of ours
    msr     ttbr1_el1, x1
1:  mrs     x1, mpidr_el1
    tst     x1, #0xff                   // Aff0: the BCM2837 has one cluster
    b.ne    park
    b       boot_core
.size entry, . - entry

// From any exception level to EL1h, every register that matters set. A level is left, or at EL1
// used, only after its own MMU is off.
//   In:   x20 = device tree, ATAGs or anything; x22 = CurrentEL >> 2; x24 = the core's number;
//         x25 = where to go on; DAIF masked.
//   Out:  at x25 in EL1h, MMU and caches off, x23 = SCTLR_ELx as it was.  Clobbers x0-x6.
.type leave_to_el1, @function
leave_to_el1:
    adr     x1, __early_vectors
    cmp     x22, #2
    b.eq    at_el2
    b.hi    at_el3
at_el1:
    msr     vbar_el1, x1
    isb
    mrs     x23, sctlr_el1
    bl      leave_caches
    ldr     w1, =SCTLR_EL1_MMU_OFF
    msr     sctlr_el1, x1
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    msr     spsel, #1
    b       el1_registers

at_el3:
    msr     vbar_el3, x1
    msr     vbar_el2, x1
    mov     x1, #CPUECTLR_SMPEN         // before any cache or TLB maintenance (DDI 0500 4.3.67)
    msr     s3_1_c15_c2_1, x1           // CPUECTLR_EL1
    isb
    mrs     x23, sctlr_el3
    bl      leave_caches
    ldr     w1, =SCTLR_EL3_MMU_OFF
    msr     sctlr_el3, x1
    isb
    tlbi    alle3
    dsb     nsh
    isb
    mov     x1, #SCR_EL3
    msr     scr_el3, x1
    msr     mdcr_el3, xzr
    msr     cptr_el3, xzr
    mov     x1, #ACTLR_LOWER_ACCESS     // lower levels may write CPUACTLR, CPUECTLR, L2CTLR...
    msr     actlr_el3, x1
    msr     actlr_el2, x1
    cbnz    x24, 1f
    mov     x1, #SCTLR_M_OR_C           // only while the L2 cache has not been used since reset
    tst     x23, x1
    b.ne    1f
    mov     x1, #L2CTLR_LATENCY
    msr     s3_1_c11_c0_2, x1           // L2CTLR_EL1
1:  ldr     w1, =SCTLR_EL2_MMU_OFF
    msr     sctlr_el2, x1
    msr     hcr_el2, xzr
    isb
    // A plausible CNTFRQ is kept: a wrong one would stick, while the counter runs as it does.
    mrs     x1, cntfrq_el0
    ldr     w2, =COUNTER_MIN_HZ
    cmp     x1, x2
    b.lo    1f
    ldr     w2, =COUNTER_MAX_HZ
    cmp     x1, x2
    b.ls    2f
1:  ldr     w1, =COUNTER_HZ
    msr     cntfrq_el0, x1
2:  cbnz    x24, 3f
    mov     x1, #LOCAL_PERIPHERALS      // counter from the crystal, undivided (QA7 4.2, 4.3)
    str     wzr, [x1, #LOCAL_CONTROL]
    mov     w2, #0x80000000
    str     w2, [x1, #LOCAL_PRESCALER]
3:  mov     x1, #SPSR_EL2H
    msr     spsr_el3, x1
    adr     x1, el2_registers
    msr     elr_el3, x1
    isb
    eret

at_el2:
    msr     vbar_el2, x1
    isb
    mrs     x23, sctlr_el2
    bl      leave_caches
    ldr     w1, =SCTLR_EL2_MMU_OFF
    msr     sctlr_el2, x1
    isb
    tlbi    alle2
    dsb     nsh
    isb

// Whole values: after a reset, most of these are unknown. (DDI 0487 D24.2; U-Boot and the
// firmware's stub set the same registers.)
el2_registers:
    mov     x1, #HCR_EL2_RW
    msr     hcr_el2, x1
    mov     x1, #0b11                   // EL1 may use the physical counter and timer
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    mov     x1, #CPTR_EL2_RES1          // no traps of FP, SIMD, CPACR
    msr     cptr_el2, x1
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x1, midr_el1
    msr     vpidr_el2, x1
    mrs     x1, mpidr_el1
    msr     vmpidr_el2, x1
    mrs     x1, pmcr_el0                // all event counters stay EL1's
    ubfx    x1, x1, #11, #5
    msr     mdcr_el2, x1
    ldr     w1, =SCTLR_EL1_MMU_OFF
    msr     sctlr_el1, x1
    adr     x1, __early_vectors
    msr     vbar_el1, x1
    mov     x1, #SPSR_EL1H
    msr     spsr_el2, x1
    adr     x1, el1_registers
    msr     elr_el2, x1
    isb
    eret

el1_registers:
    msr     cpacr_el1, xzr              // the kernel has no floating point: a use of it traps
    mov     x1, #MDSCR_EL1_TDCC         // EL0 has no debug channel, no timers, no counters
    msr     mdscr_el1, x1
    msr     cntkctl_el1, xzr
    msr     pmuserenr_el0, xzr
    msr     tpidr_el1, xzr
    msr     contextidr_el1, xzr
    adrp    x1, EMPTY_TABLE             // whatever a loader left there is no table of ours
    msr     ttbr0_el1, x1
    msr     ttbr1_el1, x1
    isb
    ret     x25
.size leave_to_el1, . - leave_to_el1

// If the MMU or the data cache is on (x23 = SCTLR_ELx): everything that is read or written with
// caches off from here on goes to memory, and no line of it stays to be written back later.
//   In: x20, x23.  Clobbers x0-x6.  Returns with caches still on: the caller turns them off.
.type leave_caches, @function
leave_caches:
    mov     x1, #SCTLR_M_OR_C
    tst     x23, x1
    b.eq    3f
    mov     x6, x30
    adrp    x0, _start
    adrp    x1, __image_end
    add     x1, x1, :lo12:__image_end
    bl      clean_invalidate
    // The device tree, if x0 can be one: aligned, in the first GiB, right magic, sane size.
    tst     x20, #0b111
    b.ne    2f
    lsr     x1, x20, #30
    cbnz    x1, 2f
    ldr     w1, [x20]
    ldr     w2, =FDT_MAGIC_LE
    cmp     w1, w2
    b.ne    2f
    ldr     w1, [x20, #4]
    rev     w1, w1
    cmp     w1, #FDT_MAX_SIZE
    b.hi    2f
    mov     x0, x20
    add     x1, x20, x1
    bl      clean_invalidate
2:  dsb     sy
    ic      iallu
    dsb     sy
    isb
    ret     x6
3:  ret
.size leave_caches, . - leave_caches

// Cleans and invalidates the data cache over [x0, x1).  Clobbers x0, x2-x4.
.type clean_invalidate, @function
clean_invalidate:
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4             // DminLine: log2 of the line in words
    mov     x3, #4
    lsl     x2, x3, x2
    sub     x4, x2, #1
    bic     x0, x0, x4
1:  dc      civac, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    1b
    ret
.size clean_invalidate, . - clean_invalidate

.ltorg

.section .init, "ax", @progbits

.type boot_core, @function
boot_core:
    adr     x1, _start                  // not adrp: the distance may be no whole pages
    mov     x2, #LOAD_ADDRESS
    cmp     x1, x2
    b.ne    wrong_load_address
    mov     x24, xzr
    adr     x25, boot_core_at_el1
    b       leave_to_el1
boot_core_at_el1:
    // 128 bytes a turn: .bss, and the boot tables of levels 0 and 1.
    adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, __cleared_end
    add     x1, x1, :lo12:__cleared_end
1:  stp     xzr, xzr, [x0]
    stp     xzr, xzr, [x0, #16]
    stp     xzr, xzr, [x0, #32]
    stp     xzr, xzr, [x0, #48]
    stp     xzr, xzr, [x0, #64]
    stp     xzr, xzr, [x0, #80]
    stp     xzr, xzr, [x0, #96]
    stp     xzr, xzr, [x0, #112]
    add     x0, x0, #128
    cmp     x0, x1
    b.lo    1b

    adrp    x19, BOOT_RECORD
    add     x19, x19, :lo12:BOOT_RECORD
    str     x20, [x19, #{RECORD_X0}]
    str     x21, [x19, #{RECORD_COUNTER}]
    str     x22, [x19, #{RECORD_LEVEL}]
    str     x23, [x19, #{RECORD_SCTLR}]

    adrp    x1, __boot_stack_top
    add     x1, x1, :lo12:__boot_stack_top
    mov     sp, x1
    mov     x29, xzr                    // the outermost frame
    mov     x30, xzr
    mov     x0, x20
    b       init_kernel_pt
.size boot_core, . - boot_core

// enable_mmu_and_enter_kernel(dtb): SCTLR, then the branch to the high half. Never returns.
//   In:   x0 = what kernel_main gets; MAIR, TCR, TTBR0 and TTBR1 hold final values; the tables
//         are in memory, and in no cache.
//   Out:  kernel_main in the high half, on the boot stack's high address.
.global enable_mmu_and_enter_kernel
.type enable_mmu_and_enter_kernel, @function
enable_mmu_and_enter_kernel:
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     w1, =SCTLR_EL1_MMU_ON
    ldr     x2, =KERNEL_VA_OFFSET
    adrp    x3, kernel_main
    add     x3, x3, :lo12:kernel_main
    add     x3, x3, x2
    mov     x4, sp
    add     x4, x4, x2
    msr     sctlr_el1, x1
    isb
    mov     sp, x4
    mov     x29, xzr
    mov     x30, xzr
enter_high_half:
    br      x3
.size enable_mmu_and_enter_kernel, . - enable_mmu_and_enter_kernel

// switch_ttbr1(root, empty): a new tree for the half that the caller runs in.
//   In:   called at its low address from the high half; DAIF masked; x0 = TTBR1_EL1 to be;
//         x1 = the physical address of a table without entries; the new tree is finished and
//         visible (dsb ishst) and maps the caller's code and stack as the old one does.
//   Out:  returns high, on the new tree.  Clobbers x2 and x3.
//   Registers only: while TTBR1 is empty neither the stack nor the vectors of the kernel exist.
.global switch_ttbr1
.type switch_ttbr1, @function
switch_ttbr1:
    mrs     x2, vbar_el1
    adr     x3, __early_vectors
    msr     vbar_el1, x3
    dsb     ishst                       // the new tree, before any walk of it
    isb
    msr     ttbr1_el1, x1
    isb
    tlbi    vmalle1is
    dsb     ish
    isb
    msr     ttbr1_el1, x0
    isb
    msr     vbar_el1, x2
    isb
    ret
.size switch_ttbr1, . - switch_ttbr1
.ltorg
