// From the entry of the PVH protocol to 64-bit mode.
//
// In:   32-bit protected mode, flat segments, paging off, interrupts off (Xen, "x86/HVM direct
//       boot ABI"); any register value but the instruction pointer.
// Out:  `main` in 64-bit mode on its stack, .bss clear, the first 4 GiB translated to themselves.
//
// Numbers come from Rust (src/segments.rs, src/cpu.rs).

// The note that names the entry: XEN_ELFNOTE_PHYS32_ENTRY of "Xen".
.section .note.pvh, "a", @note
.balign 4
    .long   4                           // bytes of the name
    .long   4                           // bytes of the value
    .long   18                          // its type
    .asciz  "Xen"
    .long   _start

.section .bss.boot_tables, "aw", @nobits
.balign 4096
.global boot_root
boot_root:
    .skip   4096
boot_pdpt:
    .skip   4096
boot_pd:                                // four of them: 2048 blocks of 2 MiB
    .skip   4 * 4096

.section .text.start, "ax", @progbits
.code32
.global _start
.type _start, @function
_start:
    cld
    mov     edi, offset __bss_start
    mov     ecx, offset __bss_end
    sub     ecx, edi
    xor     eax, eax
    rep stosb

    // One root entry, four of the next level, 2048 blocks: present and writable.
    mov     eax, offset boot_pdpt
    or      eax, 3
    mov     [boot_root], eax
    mov     eax, offset boot_pd
    or      eax, 3
    xor     ecx, ecx
1:  mov     [boot_pdpt + ecx * 8], eax
    add     eax, 4096
    inc     ecx
    cmp     ecx, 4
    jne     1b
    mov     eax, 0x83                   // and a block
    xor     ecx, ecx
2:  mov     [boot_pd + ecx * 8], eax
    add     eax, 0x200000
    inc     ecx
    cmp     ecx, 2048
    jne     2b

    mov     eax, {CR4}
    mov     cr4, eax
    mov     eax, offset boot_root
    mov     cr3, eax
    mov     ecx, {IA32_EFER}
    mov     eax, {EFER}
    xor     edx, edx
    wrmsr
    mov     eax, {CR0}
    mov     cr0, eax
    lgdt    [boot_gdt_pointer]
    // A far return: far jumps are spelt differently by every assembler.
    push    {KERNEL_CODE}
    mov     eax, offset start64
    push    eax
    retf

.balign 8
boot_gdt:
    .quad   0
    .quad   {KERNEL_CODE_DESCRIPTOR}
boot_gdt_pointer:
    .word   15
    .long   boot_gdt
.size _start, . - _start

.code64
.type start64, @function
start64:
    xor     eax, eax
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     fs, ax
    mov     gs, ax
    lea     rsp, [rip + __stack_top]
    call    {MAIN}
    ud2
.size start64, . - start64
