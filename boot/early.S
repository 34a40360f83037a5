// What can be said before the kernel's own vectors and console exist: one line, then stop.
//
// The scenario: core 2, let go by core 0, faults on its way, before its vectors; or long after boot
// some core comes to EL2, whose vectors are these for ever. Other cores run the kernel meanwhile.
//   1. Core 2 claims the end, with no exclusives (its caches may be off): it finds EARLY_END 0,
//      writes its number plus one, waits longer than another's store can take, and goes on if the
//      word is its own still (Fischer's algorithm). Who loses waits for ever, and says nothing.
//   2. Its store is what every core looks at that waits or that is interrupted by its mailbox
//      (src/kernel/time/wait.rs); each is interrupted. So they stop, all at this one end.
//   3. It reports, and ends the emulator or waits.
// A core in park, or not yet let online, stays there: core 0 lets nobody go any more. What cannot
// be done here: to wait until the others have stopped, who may be off, or masked for good; to let
// the report of another core end first, which is cut off; to stop who has its interrupts masked and
// waits for nobody. A fault in this code stops the core without a word: its vectors only wait by
// then.
//
// Vectors for EL3, EL2 and EL1 from the first instruction until kernel_main sets its own, and for
// the moment in which TTBR1 is switched. EL3 and EL2 have no others, ever: these pages are never
// given up. Runs at low addresses, MMU off or on; uses no stack and no memory but the registers of
// UART, pins and mailboxes, and two words of .data.early: EARLY_END, and whether the kernel has set
// the UART up. Sources: DDI 0487 D1.3 (vector table), DDI 0183 (PL011), BCM2835 ARM Peripherals 6.1
// (pins), Arm's semihosting specification (SYS_EXIT_EXTENDED), QA7 4.8 (mailboxes).

.equ UART0,               {UART0}
.equ UARTFR,              0x18
.equ UARTIBRD,            0x24
.equ UARTFBRD,            0x28
.equ UARTLCR_H,           0x2c
.equ UARTCR,              0x30
.equ UARTIMSC,            0x38
.equ UARTFR_BUSY_BIT,     3
.equ UARTFR_TXFF_BIT,     5
.equ UARTLCR_8N1_FIFO,    0x70
.equ UARTCR_TX_ENABLE,    0x101
.equ UART_IBRD,           {UART_IBRD}
.equ UART_FBRD,           {UART_FBRD}
.equ GPIO,                {GPIO}
.equ GPFSEL1,             0x04
.equ GPFSEL3,             0x0c
.equ GPFSEL1_PIN14_LSB,   12
.equ GPFSEL3_PIN32_LSB,   6
.equ GPFSEL_ALT0_ALT0,    0b100100
.equ CORES,               {CORES}
.equ LOCAL_MAILBOXES,     {LOCAL_MAILBOXES}   // core 0's mailbox 0, write-set; the next core's
.equ MAILBOXES_SIZE_LOG2, 4                   // 16 bytes on
.equ SYS_EXIT_EXTENDED,   0x20
.equ SEMIHOSTING,         0xf000
.equ TX_SPINS,            0x100000

.section .early, "ax", @progbits

// Sixteen entries; x9 tells them apart.
.balign {VECTOR_ALIGNMENT}
.global __early_vectors
.type __early_vectors, @object
__early_vectors:
.set early_kind, 0
.rept 16
    mov     x9, #early_kind
    b       early_exception
    .balign 128
    .set early_kind, early_kind + 1
.endr
.size __early_vectors, . - __early_vectors

// After the report: whatever happens now, the core waits.
.balign {VECTOR_ALIGNMENT}
.global __stop_vectors
.type __stop_vectors, @object
__stop_vectors:
.rept 16
    wfe
    b       . - 4
    .balign 128
.endr
.size __stop_vectors, . - __stop_vectors

.type early_exception, @function
early_exception:
    bl      early_stop_vectors
    mrs     x10, CurrentEL
    lsr     x10, x10, #2
    cmp     x10, #2
    b.eq    2f
    b.hi    3f
    mrs     x11, esr_el1
    mrs     x12, elr_el1
    mrs     x13, far_el1
    b       4f
2:  mrs     x11, esr_el2
    mrs     x12, elr_el2
    mrs     x13, far_el2
    b       4f
3:  mrs     x11, esr_el3
    mrs     x12, elr_el3
    mrs     x13, far_el3
4:  bl      early_claim
    bl      early_uart
    adr     x0, text_exception
    bl      early_text
    mov     x0, x10
    bl      early_hex
    adr     x0, text_kind
    bl      early_text
    mov     x0, x9
    bl      early_hex
    adr     x0, text_esr
    bl      early_text
    mov     x0, x11
    bl      early_hex
    adr     x0, text_elr
    bl      early_text
    mov     x0, x12
    bl      early_hex
    adr     x0, text_far
    bl      early_text
    mov     x0, x13
    bl      early_hex
    b       early_stop
.size early_exception, . - early_exception

// x1 = where the image is. The other cores are parked in it, and nobody lets them go.
.type wrong_load_address, @function
wrong_load_address:
    mov     x10, x1
    bl      early_stop_vectors
    bl      early_uart
    adr     x0, text_load
    bl      early_text
    mov     x0, x10
    bl      early_hex
    adr     x0, text_expected
    bl      early_text
    mov     x0, #LOAD_ADDRESS
    bl      early_hex
    adr     x0, text_remedy
    bl      early_text
    b       early_stop
.size wrong_load_address, . - wrong_load_address

// Makes this core the one that ends the machine, and tells the others. Comes back on one core.
//   Clobbers x0, x8, x14-x17.
.type early_claim, @function
early_claim:
    mrs     x8, mpidr_el1
    and     x8, x8, #0xff
    add     x8, x8, #1
    adr     x14, EARLY_END
    dc      civac, x14                  // what a cache holds of it may be older
    dsb     sy
    ldr     w15, [x14]
    cbnz    w15, early_wait
    str     w8, [x14]
    dsb     sy
    dc      civac, x14                  // to memory, and out of the others' caches
    dsb     sy
    ldr     x16, =LOCAL_MAILBOXES
    mov     w15, #1
    mov     x17, #CORES
1:  cmp     x17, x8
    b.eq    2f
    sub     x0, x17, #1
    add     x0, x16, x0, lsl #MAILBOXES_SIZE_LOG2
    str     w15, [x0]
2:  subs    x17, x17, #1
    b.ne    1b
    dsb     sy
    mov     x16, #TX_SPINS              // a millisecond: the others' stores, and what they print
3:  subs    x16, x16, #1
    b.ne    3b
    dc      civac, x14
    dsb     sy
    ldr     w15, [x14]
    cmp     w15, w8
    b.ne    early_wait
    ret
.size early_claim, . - early_claim

// Whatever happens from here on, this core waits.  Clobbers x0, x1.
.type early_stop_vectors, @function
early_stop_vectors:
    adr     x1, __stop_vectors
    mrs     x0, CurrentEL
    lsr     x0, x0, #2
    cmp     x0, #2
    b.eq    2f
    b.hi    3f
    msr     vbar_el1, x1
    b       4f
2:  msr     vbar_el2, x1
    b       4f
3:  msr     vbar_el3, x1
4:  isb
    ret
.size early_stop_vectors, . - early_stop_vectors

// Ends the emulator, if one listens to semihosting; else the HLT is an undefined instruction,
// and the vectors wait.
.type early_stop, @function
early_stop:
    adr     x0, text_end
    bl      early_text
    mov     x0, #SYS_EXIT_EXTENDED
    adr     x1, exit_block
    hlt     #SEMIHOSTING
early_wait:
    wfe
    b       early_wait
.size early_stop, . - early_stop

// The UART on the header's pins, at 115200 8N1 from the clock that config.txt asks for: all of it,
// because a loader may have set it up for something else (the firmware: at 3 Mbit/s towards the
// Bluetooth chip, by GPIO32 and GPIO33). Unless the kernel has: then speed and pins are right, and
// a queue may be in use. Accesses to two devices are kept apart (BCM2835 ARM Peripherals, 1.3):
// whatever ran before may have read another one. Clobbers x14-x16.
.type early_uart, @function
early_uart:
    dmb     sy
    adr     x14, CONSOLE_IS_SET_UP
    ldr     w15, [x14]
    cbnz    w15, 3f
    ldr     w14, =UART0                 // what a loader sends leaves first, if it ever does
    mov     x16, #TX_SPINS
1:  ldr     w15, [x14, #UARTFR]
    tbz     w15, #UARTFR_BUSY_BIT, 2f
    subs    x16, x16, #1
    b.ne    1b
2:  str     wzr, [x14, #UARTCR]
    dmb     sy
    mov     x16, #GPIO                  // a pin's three bits among ten pins' bits
    ldr     w15, [x16, #GPFSEL3]
    bfi     w15, wzr, #GPFSEL3_PIN32_LSB, #6    // pins 32 and 33: inputs
    str     w15, [x16, #GPFSEL3]
    ldr     w15, [x16, #GPFSEL1]
    mov     w14, #GPFSEL_ALT0_ALT0
    bfi     w15, w14, #GPFSEL1_PIN14_LSB, #6    // pins 14 and 15
    str     w15, [x16, #GPFSEL1]
    dmb     sy
    ldr     w14, =UART0
    str     wzr, [x14, #UARTLCR_H]      // empties the queues
    str     wzr, [x14, #UARTIMSC]
    mov     w15, #UART_IBRD
    str     w15, [x14, #UARTIBRD]
    mov     w15, #UART_FBRD
    str     w15, [x14, #UARTFBRD]
    mov     w15, #UARTLCR_8N1_FIFO      // loads the divisors: last of the three
    str     w15, [x14, #UARTLCR_H]
    mov     w15, #UARTCR_TX_ENABLE
    str     w15, [x14, #UARTCR]
3:  ret
.size early_uart, . - early_uart

// Prints the text at x0, up to a zero byte.  Clobbers x0, x1, x14-x16, x17.
.type early_text, @function
early_text:
    mov     x17, x30
1:  ldrb    w1, [x0], #1
    cbz     w1, 2f
    bl      early_byte
    b       1b
2:  ret     x17
.size early_text, . - early_text

// Prints x0 as sixteen digits.  Clobbers x1-x3, x14-x17.
.type early_hex, @function
early_hex:
    mov     x17, x30
    mov     x2, #60
1:  lsr     x3, x0, x2
    and     x3, x3, #0xf
    cmp     x3, #10
    add     x1, x3, #'0'
    add     x3, x3, #('a' - 10)
    csel    x1, x1, x3, lo
    bl      early_byte
    subs    x2, x2, #4
    b.pl    1b
    ret     x17
.size early_hex, . - early_hex

// Prints w1. A UART that never drains loses bytes instead of stopping the report.
// Clobbers x14-x16.
.type early_byte, @function
early_byte:
    ldr     w14, =UART0
    mov     x16, #TX_SPINS
1:  ldr     w15, [x14, #UARTFR]
    tbz     w15, #UARTFR_TXFF_BIT, 2f
    subs    x16, x16, #1
    b.ne    1b
2:  str     w1, [x14]
    ret
.size early_byte, . - early_byte
.ltorg

.balign 8
exit_block:
    .quad   0x20026, {EXIT_EARLY}       // ADP_Stopped_ApplicationExit, exit code
text_exception:
    .asciz  "\r\nstilt: exception during boot: EL "
text_kind:
    .asciz  " vector "
text_esr:
    .asciz  " ESR "
text_elr:
    .asciz  " ELR "
text_far:
    .asciz  " FAR "
text_load:
    .asciz  "\r\nstilt: loaded at "
text_expected:
    .asciz  " but made for "
text_remedy:
    .asciz  " (set kernel_address in config.txt)"
text_end:
    .asciz  "\r\nstilt: stopped\r\n"
.balign 8
