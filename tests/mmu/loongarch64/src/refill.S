// The TLB refill exception: finds the pair of leaves around an address in the tree, and fills the
// TLB with it. LoongArch Reference Manual, volume 1: 4.2.5 (LDDIR, LDPTE), 5.4.
//
// In:   PLV 0, direct addresses, interrupts off; PGDL = PGDH = the root; PWCL, PWCH as the format
//       says; TLBRBADV, TLBRERA, TLBRPRMD of the exception, VPPN in TLBREHI.
// Out:  back where it came from. Clobbers SAVE1, SAVE2, SAVE3, TLBRSAVE.
//
// What is unused, and a directory that is broken, becomes an invalid pair of the size that the
// entry has at its level (arch::loongarch64::tlb says why): the page-invalid exception follows.
//
// `lddir` and `ldpte` walk. What they give is the whole truth on hardware; QEMU (7.2 and 10.0 seen)
// needs three repairs, each of which writes what is there already on hardware:
// * both drop bits 63:61 of an entry (RPLV, NX, NR): they are put back from the entry itself;
// * 7.2 makes 1 MiB halves of a 1 GiB page, too: size and second half are written again;
// * a pair is global there if the first half is: where the halves differ, neither is.
//
// Numbers come from Rust (src/cpu.rs).

.equ V_BIT,             0
.equ G_BIT,             6
.equ H_BIT,             6
// What a half of a 2 MiB or 1 GiB page, or a page, is: log2.
.equ PAGE,              12
.equ HALF_OF_2M,        20
.equ HALF_OF_1G,        29

.section .text.refill, "ax", @progbits
.balign 4096
.global refill
.type refill, @function
refill:
    csrwr   $t0, {TLBRSAVE}
    csrwr   $t1, {SAVE1}
    csrwr   $t2, {SAVE2}
    csrwr   $t3, {SAVE3}
    csrrd   $t3, {TLBRBADV}
    // t0: what a directory says; t1: the directory.
    csrrd   $t1, {PGD}
    lddir   $t0, $t1, 3
    li.w    $t2, HALF_OF_1G
    beqz    $t0, invalid
    bstrpick.d $t1, $t0, H_BIT, H_BIT
    bnez    $t1, invalid
    move    $t1, $t0
    lddir   $t0, $t1, 2
    beqz    $t0, invalid
    bstrpick.d $t2, $t0, H_BIT, H_BIT
    bnez    $t2, huge_1g
    move    $t1, $t0
    lddir   $t0, $t1, 1
    li.w    $t2, HALF_OF_2M
    beqz    $t0, invalid
    bstrpick.d $t2, $t0, H_BIT, H_BIT
    bnez    $t2, huge_2m

    ldpte   $t0, 0
    ldpte   $t0, 1
    // The pair itself: the entries of an even page and the next.
    bstrpick.d $t2, $t3, 20, 13
    slli.d  $t2, $t2, 4
    bstrpick.d $t0, $t0, {PHYSICAL_BITS} - 1, 0
    add.d   $t0, $t0, $t2
    ld.d    $t1, $t0, 0
    ld.d    $t0, $t0, 8
    b       repair

huge_2m:
    ldpte   $t0, 0
    ldpte   $t0, 1
    bstrpick.d $t2, $t3, 29, 21
    alsl.d  $t1, $t2, $t1, 3
    bstrpick.d $t1, $t1, {PHYSICAL_BITS} - 1, 0
    ld.d    $t1, $t1, 0
    move    $t0, $t1
    b       repair

huge_1g:
    // A huge page takes the next level's number along, by which `ldpte` knows its size.
    lddir   $t0, $t0, 1
    ldpte   $t0, 0
    ldpte   $t0, 1
    bstrpick.d $t2, $t3, 38, 30
    alsl.d  $t1, $t2, $t1, 3
    bstrpick.d $t1, $t1, {PHYSICAL_BITS} - 1, 0
    ld.d    $t1, $t1, 0
    csrrd   $t0, {TLBRELO0}
    li.d    $t2, 1 << HALF_OF_1G
    add.d   $t0, $t0, $t2
    csrwr   $t0, {TLBRELO1}
    csrrd   $t0, {TLBREHI}
    li.w    $t2, HALF_OF_1G
    bstrins.d $t0, $t2, 5, 0
    csrwr   $t0, {TLBREHI}
    move    $t0, $t1
    b       repair

// t2: the size of the pair's halves.
invalid:
    csrwr   $zero, {TLBRELO0}
    csrwr   $zero, {TLBRELO1}
    csrrd   $t0, {TLBREHI}
    bstrins.d $t0, $t2, 5, 0
    csrwr   $t0, {TLBREHI}
    b       fill

// t1, t0: the entries of the first and the second half in memory.
repair:
    srli.d  $t1, $t1, 61
    csrrd   $t2, {TLBRELO0}
    bstrins.d $t2, $t1, 63, 61
    srli.d  $t0, $t0, 61
    csrrd   $t1, {TLBRELO1}
    bstrins.d $t1, $t0, 63, 61
    // G of either only with the other's.
    xor     $t0, $t1, $t2
    bstrpick.d $t0, $t0, G_BIT, G_BIT
    beqz    $t0, 1f
    bstrins.d $t1, $zero, G_BIT, G_BIT
    bstrins.d $t2, $zero, G_BIT, G_BIT
1:  csrwr   $t1, {TLBRELO1}
    csrwr   $t2, {TLBRELO0}
fill:
    tlbfill
    csrrd   $t3, {SAVE3}
    csrrd   $t2, {SAVE2}
    csrrd   $t1, {SAVE1}
    csrrd   $t0, {TLBRSAVE}
    ertn
.size refill, . - refill
