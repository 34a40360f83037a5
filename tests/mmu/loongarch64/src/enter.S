// One access: from Rust to an instruction at any privilege level, and back by the exception that
// ends it.
//
// Numbers come from Rust (src/cpu.rs).

.section .text.enter, "ax", @progbits

// enter(pc, argument 0, argument 1, level): executes at pc with these arguments in a0 and a1, at
// this privilege level, until an exception.
//
// In:   a0 to a3; PLV 0, interrupts off; EENTRY = trap, SAVE0 = 0.
// Out:  a0 = what it was at the exception; ESTAT, BADV and ERA of the exception; SAVE0 = 0; PLV 0,
//       interrupts off.
// Clobbers what a call does.
.global enter
.type enter, @function
enter:
    addi.d  $sp, $sp, -112
    st.d    $ra, $sp, 0
    st.d    $tp, $sp, 8
    st.d    $r21, $sp, 16
    st.d    $fp, $sp, 24
    st.d    $s0, $sp, 32
    st.d    $s1, $sp, 40
    st.d    $s2, $sp, 48
    st.d    $s3, $sp, 56
    st.d    $s4, $sp, 64
    st.d    $s5, $sp, 72
    st.d    $s6, $sp, 80
    st.d    $s7, $sp, 88
    st.d    $s8, $sp, 96
    move    $t0, $sp
    csrwr   $t0, {SAVE0}
    csrwr   $a0, {ERA}
    csrwr   $a3, {PRMD}
    move    $a0, $a1
    move    $a1, $a2
    ertn
.size enter, . - enter

// Every exception but a TLB refill. Without an access under way it is a fault of the program
// itself.
.balign 4096
.global trap
.type trap, @function
trap:
    csrwr   $sp, {SAVE0}
    beqz    $sp, 1f
    ld.d    $ra, $sp, 0
    ld.d    $tp, $sp, 8
    ld.d    $r21, $sp, 16
    ld.d    $fp, $sp, 24
    ld.d    $s0, $sp, 32
    ld.d    $s1, $sp, 40
    ld.d    $s2, $sp, 48
    ld.d    $s3, $sp, 56
    ld.d    $s4, $sp, 64
    ld.d    $s5, $sp, 72
    ld.d    $s6, $sp, 80
    ld.d    $s7, $sp, 88
    ld.d    $s8, $sp, 96
    addi.d  $sp, $sp, 112
    csrwr   $zero, {SAVE0}
    ret
1:  la.pcrel $sp, __stack_top
    csrrd   $a0, {ESTAT}
    csrrd   $a1, {BADV}
    csrrd   $a2, {ERA}
    b       stray_trap
.size trap, . - trap

// The accesses: a0 = address, and a1 = value to store. A load leaves its value in a0. Each level
// runs them in its own window.
.global load, store
.type load, @function
load:
    ld.d    $a0, $a0, 0
    syscall {DONE}
.size load, . - load

.type store, @function
store:
    st.d    $a1, $a0, 0
    syscall {DONE}
.size store, . - store
