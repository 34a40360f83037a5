// Where cores 1 to 3 wait when a loader releases all four at _start.
//
// In the image's first page, behind what leads here from _start: that page is never freed or
// overwritten, so a core may come at any time. It stands here with its caches off, at the
// exception level at which it came, DAIF masked. It uses no stack and no other memory
// than its word in PARKED, which it sets to its exception level so that core 0 can count it.

.section .park, "ax", @progbits

.global park
.type park, @function
park:
    mrs     x0, mpidr_el1
    and     x0, x0, #0xff
    cmp     x0, #{CORES}
    b.hs    1f
    adr     x1, PARKED
    mrs     x2, CurrentEL
    lsr     x2, x2, #2
    str     x2, [x1, x0, lsl #3]
    dsb     sy
1:  wfe
    b       1b
.size park, . - park

.balign 64
.global PARKED
.type PARKED, @object
PARKED:
    .fill   {CORES}, 8, 0
.size PARKED, . - PARKED
// The line belongs to the flags alone: core 0 invalidates it before it reads.
.balign 64
