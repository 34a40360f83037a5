// Cores 1 to 3: where they wait when a loader releases all four at _start, and how they come high.
//
// In the image's first pages, behind what leads here from _start: those are never freed or
// overwritten while a core may still come. A core waits here with its caches as they were, at the
// exception level at which it came, DAIF masked. It uses no stack, and no other memory than its
// words in RELEASED (written by core 0) and CPU_BOOT_STATUS (written here), and SECONDARY_DATA
// (src/kernel/cores/secondary_boot.rs).

.equ SECONDARY_TTBR0,     {SECONDARY_TTBR0}
.equ SECONDARY_TTBR1,     {SECONDARY_TTBR1}
.equ SECONDARY_MAIR,      {SECONDARY_MAIR}
.equ SECONDARY_TCR,       {SECONDARY_TCR}
.equ SECONDARY_ENTRY,     {SECONDARY_ENTRY}
.equ SECONDARY_SHOULD_ONLINE,  {SECONDARY_SHOULD_ONLINE}
.equ SECONDARY_STACKS,    {SECONDARY_STACKS}

.section .park, "ax", @progbits

// In: any exception level, DAIF masked.
.global park
.type park, @function
park:
    mrs     x19, mpidr_el1
    and     x19, x19, #0xff
    cmp     x19, #{CORES}
    b.hs    stay_parked
    adrp    x1, RELEASED
    add     x1, x1, :lo12:RELEASED
1:  ldr     x2, [x1, x19, lsl #3]
    cbnz    x2, secondary_start
    wfe
    b       1b
.size park, . - park

// A core that core 0 has released: from the loop above, or from a spin table (arm64 boot protocol,
// "spin-table"). Low address, any exception level, MMU and caches off unless it was parked with
// them on. Everything that it reads was cleaned to memory before.
//   Out: in SECONDARY_ENTRY, on its main stack, x0 = its number, MMU on with the final tree in
//        TTBR1 and the identity map of src/mm/secondary_map.rs in TTBR0.
.global secondary_start
.type secondary_start, @function
secondary_start:
    msr     daifset, #0b1111
    mrs     x19, mpidr_el1
    and     x19, x19, #0xff
    cmp     x19, #{CORES}
    b.hs    stay_parked
    // The core is alive, and waits until it is let online: from then on it counts among the cores
    // that use the live map, whose root it loads below, and not earlier.
    adr     x1, CPU_BOOT_STATUS
    mov     x2, #1
    str     x2, [x1, x19, lsl #3]
    dsb     sy
    adrp    x21, SECONDARY_DATA
    add     x21, x21, :lo12:SECONDARY_DATA
    add     x1, x21, #SECONDARY_SHOULD_ONLINE
1:  ldr     x2, [x1, x19, lsl #3]
    cbnz    x2, 2f
    wfe
    b       1b
2:  dsb     sy                          // the rest of SECONDARY_DATA is older than the word
    mov     x20, #1                     // no device tree
    mrs     x22, CurrentEL
    lsr     x22, x22, #2
    mov     x24, x19
    adr     x25, secondary_at_el1
    b       leave_to_el1
secondary_at_el1:
    ldr     x1, [x21, #SECONDARY_MAIR]
    ldr     x2, [x21, #SECONDARY_TCR]
    ldr     x3, [x21, #SECONDARY_TTBR0]
    ldr     x4, [x21, #SECONDARY_TTBR1]
    msr     mair_el1, x1
    msr     tcr_el1, x2
    msr     ttbr0_el1, x3
    msr     ttbr1_el1, x4
    isb
    tlbi    vmalle1
    ic      iallu
    dsb     nsh
    isb
    ldr     x3, [x21, #SECONDARY_ENTRY]
    add     x4, x21, #SECONDARY_STACKS
    ldr     x4, [x4, x19, lsl #3]
    ldr     w1, ={SCTLR_EL1_MMU_ON}
    mov     x0, x19
    msr     sctlr_el1, x1
    isb
    mov     sp, x4
    mov     x29, xzr                    // the outermost frame
    mov     x30, xzr
secondary_enters_high_half:
    br      x3
.size secondary_start, . - secondary_start

// A core that this board does not have.
.type stay_parked, @function
stay_parked:
    wfe
    b       stay_parked
.size stay_parked, . - stay_parked
.ltorg

// In a line of their own: core 0 invalidates it before it reads.
.balign 64
.global CPU_BOOT_STATUS
.type CPU_BOOT_STATUS, @object
CPU_BOOT_STATUS:
    .fill   {CORES}, 8, 0
.size CPU_BOOT_STATUS, . - CPU_BOOT_STATUS
.balign 64
