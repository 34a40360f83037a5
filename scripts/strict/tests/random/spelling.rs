//! The words of `encode` against the decoder.

use a64::decode;

use super::encode::{
    DMB, DSB, EQ, ERET, ISB, SEV, SEVL, WFE, WFI, add, add_pages, add_shifted, adr, and_run, b,
    b_if, bl, cbnz, cbz, cmp, cmp_register, eor, eor_lsr, eor_ror, ldp, ldp_post, ldr, ldr_w, lsr,
    madd, mov, movk, movn, movz, mrs, msr, ret, ror, signed_low, stp, str, str_w, sub,
    sub_register, svc, sys, tbnz, tbz,
};

#[test]
fn words_are_what_their_names_say() {
    for (word, text) in [
        (movz(1, 0xffff, 3), "movz x1, #65535, lsl #48"),
        (movn(1, 1, 2), "movn x1, #1, lsl #32"),
        (movk(2, 1, 0), "movk x2, #1"),
        (mov(3, 4), "orr x3, xzr, x4"),
        (adr(5, -3), "adr x5, .-3"),
        (add(31, 0, 4095), "add sp, x0, #4095"),
        (add_pages(1, 2, 0x104), "add x1, x2, #260, lsl #12"),
        (sub(1, 2, 3), "sub x1, x2, #3"),
        (add_shifted(1, 2, 3, 4), "add x1, x2, x3, lsl #4"),
        (sub_register(1, 2, 3), "sub x1, x2, x3"),
        (cmp(1, 2), "subs xzr, x1, #2"),
        (cmp_register(1, 2), "subs xzr, x1, x2"),
        (and_run(31, 1, 3, 11), "and sp, x1, #0x3ff8"),
        (and_run(1, 1, 21, 63), "and x1, x1, #0xffffffffffefffff"),
        (eor(1, 2, 3), "eor x1, x2, x3"),
        (eor_lsr(1, 2, 3, 29), "eor x1, x2, x3, lsr #29"),
        (eor_ror(1, 2, 3, 13), "eor x1, x2, x3, ror #13"),
        (madd(1, 2, 3, 4), "madd x1, x2, x3, x4"),
        (lsr(1, 2, 26), "ubfm x1, x2, #26, #63"),
        (ror(1, 2, 60), "extr x1, x2, x2, #60"),
        (signed_low(1, 2, 12), "sbfm x1, x2, #0, #11"),
        (ldr(1, 31, 8), "ldr x1, [sp, #8]"),
        (str(1, 2, 32760), "str x1, [x2, #32760]"),
        (ldr_w(1, 2, 12), "ldr w1, [x2, #12]"),
        (str_w(1, 2, 4), "str w1, [x2, #4]"),
        (ldp(1, 2, 3, -512), "ldp x1, x2, [x3, #-512]"),
        (ldp_post(1, 2, 3, 16), "ldp x1, x2, [x3], #16"),
        (stp(1, 2, 3, 504), "stp x1, x2, [x3, #504]"),
        (b(-4), "b .-4"),
        (bl(8), "bl .+8"),
        (b_if(EQ, 8), "b.eq .+8"),
        (cbz(1, 8), "cbz x1, .+8"),
        (cbnz(1, -8), "cbnz x1, .-8"),
        (tbz(1, 63, 8), "tbz x1, #63, .+8"),
        (tbnz(1, 5, -8), "tbnz w1, #5, .-8"),
        (ret(), "ret x30"),
        (svc(0xffff), "svc #0xffff"),
        (mrs(1, "nzcv"), "mrs x1, nzcv"),
        (msr("vbar_el2", 1), "msr vbar_el2, x1"),
        (sys("dc zva", 1), "dc zva, x1"),
        (ERET, "eret"),
        (ISB, "isb sy"),
        (DSB, "dsb sy"),
        (DMB, "dmb sy"),
        (SEV, "hint #4"),
        (SEVL, "hint #5"),
        (WFE, "hint #2"),
        (WFI, "hint #3"),
    ] {
        assert_eq!(decode(word).to_string(), text);
    }
}
