// From the first instruction to `main`, in the kernel's window.
//
// In:   PLV 0, direct addresses, interrupts off; the image at its physical address.
// Out:  core 0 in `main` with mapped addresses and the windows, on its stack, .bss clear; other
//       cores wait.
//
// Numbers come from Rust (src/program.rs).

.globl __kernel_window
.set __kernel_window, {KERNEL_WINDOW}

.section .text.start, "ax", @progbits
.global _start
.type _start, @function
_start:
    csrrd   $t0, {CPUID}
    bnez    $t0, wait
    li.d    $t0, {KERNEL}
    csrwr   $t0, {DMW0}
    li.d    $t0, {USER}
    csrwr   $t0, {DMW1}
    li.d    $t0, {DEVICE}
    csrwr   $t0, {DMW2}
    csrwr   $zero, {DMW3}
    // With direct addresses the upper bits of the program counter do not matter: the same code
    // runs at the physical address and at the one in the window, which the linker gave it.
    la.pcrel $t0, 1f
    bstrpick.d $t0, $t0, {PHYSICAL_BITS} - 1, 0
    li.d    $t1, {KERNEL_WINDOW} << {WINDOW_SHIFT}
    or      $t0, $t0, $t1
    jr      $t0
1:  li.w    $t0, {CRMD_MAPPED}
    csrwr   $t0, {CRMD}
    la.pcrel $sp, __stack_top
    la.pcrel $t0, __bss_start
    la.pcrel $t1, __bss_end
2:  bgeu    $t0, $t1, 3f
    st.d    $zero, $t0, 0
    addi.d  $t0, $t0, 8
    b       2b
3:  b       main
.size _start, . - _start

.type wait, @function
wait:
    idle    0
    b       wait
.size wait, . - wait
