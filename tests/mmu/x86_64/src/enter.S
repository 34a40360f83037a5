// One access: from Rust to an instruction at any privilege level, and back by the exception that
// ends it.

.section .text.enter, "ax", @progbits

// enter(frame, argument 0, argument 1, outcome): executes as the frame says (rip, cs, rflags, ss),
// with the arguments in rdi and rsi, until an exception. What is executed uses no stack.
//
// In:   rdi, rsi, rdx, rcx; 64-bit mode, level 0, interrupts off.
// Out:  outcome = rax, vector, error code and cr2 at the exception. Clobbers what a call does.
.global enter
.type enter, @function
enter:
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    push    rcx
    mov     [rip + entered], rsp
    mov     [rip + {TASK_STATE} + 4], rsp // where exceptions from level 3 begin their frame
    mov     rax, rsp
    push    qword ptr [rdi + 24]
    push    rax
    push    qword ptr [rdi + 16]
    push    qword ptr [rdi + 8]
    push    qword ptr [rdi]
    mov     rdi, rsi
    mov     rsi, rdx
    iretq
.size enter, . - enter

// Each exception pushes its number, above an error code: the CPU's for some, else 0.
.equ WITH_ERROR_CODE, {WITH_ERROR_CODE}
.macro exception number
    .balign {ENTRY_BYTES}
    .if (WITH_ERROR_CODE >> \number) & 1 == 0
    push    0
    .endif
    push    \number
    jmp     exception_common
.endm

.balign {ENTRY_BYTES}
.global exception_entries
.type exception_entries, @function
exception_entries:
.irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    exception \number
.endr
.irp number, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    exception \number
.endr
.size exception_entries, . - exception_entries

.type exception_common, @function
exception_common:
    cld
    pop     rcx                         // the number
    pop     rdx                         // the error code
    mov     rdi, [rsp]                  // rip
    cmp     qword ptr [rip + entered], 0
    je      1f
    mov     rsp, [rip + entered]
    mov     qword ptr [rip + entered], 0
    // EFLAGS.AC, which would let the kernel use user pages, stays as it was at the exception.
    push    2
    popfq
    pop     r8
    mov     [r8], rax
    mov     [r8 + 8], rcx
    mov     [r8 + 16], rdx
    mov     rax, cr2
    mov     [r8 + 24], rax
    pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret
    // No access was under way: a fault of the program itself.
1:  lea     rsp, [rip + __stack_top]
    mov     rsi, rdi
    mov     rdi, rcx
    mov     rcx, cr2
    call    {STRAY_EXCEPTION}
    ud2
.size exception_common, . - exception_common

.section .bss.entered, "aw", @nobits
.balign 8
entered:
    .skip   8

// The kernel's accesses: rdi = address, rsi = value to store. A load leaves its value in rax.
.section .text.accesses, "ax", @progbits
.global kernel_load, kernel_store
.type kernel_load, @function
kernel_load:
    mov     rax, [rdi]
    int3
.size kernel_load, . - kernel_load

.type kernel_store, @function
kernel_store:
    mov     [rdi], rsi
    int3
.size kernel_store, . - kernel_store

// User code that loads and stores, on a page of its own.
.section .user, "ax", @progbits
.global user_load, user_store
.type user_load, @function
user_load:
    mov     rax, [rdi]
    int3
.size user_load, . - user_load

.type user_store, @function
user_store:
    mov     [rdi], rsi
    int3
.size user_store, . - user_store
