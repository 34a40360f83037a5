//! Which form of TLBI, with which operand, reaches what.

use super::super::TlbiForm::{
    Aside1, Aside1is, Vaae1, Vaale1, Vaale1is, Vae1, Vae1is, Vale1, Vale1is, Vmalle1,
};
use super::super::Violation;
use super::leaves::{
    INVALIDATE_USER, PAGE_MAPPED, RO, UNMAP, USER, USER_PAGE_MAPPED, USER_VA, VA, change,
};
use super::{
    ASID, BLOCK, Before, FRAME, G1, HIGH, K4, L1, L2, M2, at, at_asid, operand_asid, other,
    page_number, refused, store, tlbi, without,
};

#[test]
fn a_core_local_invalidation_reaches_nobody_else() {
    let frame = FRAME as usize;
    let stale = Err(Violation::StaleLeaf { va: VA, frame });
    let page = page_number(VA);
    for local in [tlbi(Vaae1, page), tlbi(Vaale1, page), tlbi(Vmalle1, 0)] {
        assert_eq!(PAGE_MAPPED.kernel(&change(RO, local)), stale, "{local:?}");
    }
    let stale = Err(Violation::StaleLeaf { va: USER_VA, frame });
    let (asid, page) = (operand_asid(ASID), page_number(USER_VA));
    for local in [
        tlbi(Vae1, asid | page),
        tlbi(Vale1, asid | page),
        tlbi(Aside1, asid),
    ] {
        assert_eq!(USER_PAGE_MAPPED.user(&change(0, local)), stale, "{local:?}");
    }
}

#[test]
fn an_operand_is_shifted_and_masked() {
    let frame = FRAME as usize;
    for operand in [VA as u64, VA as u64 >> 12] {
        let trace = change(RO, tlbi(Vaale1is, operand));
        assert_eq!(
            PAGE_MAPPED.kernel(&trace),
            Err(Violation::Operand { operand })
        );
    }
    let asid = operand_asid(ASID);
    for (form, operand) in [
        (Vaale1is, asid | page_number(USER_VA)),
        (Vale1is, asid | (1 << 44) | page_number(USER_VA)),
        (Aside1is, asid | 1),
    ] {
        let trace = change(0, tlbi(form, operand));
        assert_eq!(
            USER_PAGE_MAPPED.user(&trace),
            Err(Violation::Operand { operand })
        );
    }
    // Without the copies of bit 55, and not shifted: addresses, but not this one.
    let stale = Err(Violation::StaleLeaf { va: VA, frame });
    let lower = change(RO, tlbi(Vaale1is, page_number(VA) & 0xf_ffff_ffff));
    assert_eq!(PAGE_MAPPED.kernel(&lower), stale);
    assert_eq!(
        PAGE_MAPPED.kernel(&change(RO, at(Vaale1is, VA + K4))),
        stale
    );
    let stale = Err(Violation::StaleLeaf { va: USER_VA, frame });
    let unshifted = change(0, tlbi(Vale1is, asid | USER_VA as u64));
    assert_eq!(USER_PAGE_MAPPED.user(&unshifted), stale);
}

#[test]
fn a_form_with_an_asid_reaches_its_own_leaves_that_are_not_global() {
    let asid = operand_asid(ASID);
    let stale = Violation::StaleLeaf {
        va: USER_VA,
        frame: FRAME as usize,
    };
    for right in [INVALIDATE_USER, tlbi(Aside1is, asid), at(Vaale1is, USER_VA)] {
        assert_eq!(
            USER_PAGE_MAPPED.user(&change(0, right)),
            Ok(()),
            "{right:?}"
        );
    }
    for form in [Vale1is, Vae1is] {
        let wrong = tlbi(form, operand_asid(ASID + 1) | page_number(USER_VA));
        assert_eq!(USER_PAGE_MAPPED.user(&change(0, wrong)), Err(stale));
    }
    let wrong = tlbi(Aside1is, operand_asid(ASID + 1));
    assert_eq!(USER_PAGE_MAPPED.user(&change(0, wrong)), Err(stale));
    for sparing in [INVALIDATE_USER, tlbi(Aside1is, asid)] {
        assert_eq!(PAGE_MAPPED.user(&change(0, sparing)), Err(stale));
    }
}

#[test]
fn no_form_with_an_asid_reaches_a_tree_without_one() {
    let local = Before {
        level_3: &[(5, USER)],
        ..Before::default()
    };
    for sparing in [at_asid(Vale1is, VA), tlbi(Aside1is, 0)] {
        for before in [PAGE_MAPPED, local] {
            refused!(
                before.kernel(&change(0, sparing)),
                Violation::StaleLeaf { va: VA, .. }
            );
        }
    }
}

#[test]
fn a_block_of_2_mib_is_reached_by_any_address_in_it() {
    let before = Before {
        level_2: &[(1, BLOCK | FRAME)],
        ..Before::default()
    };
    let va = HIGH + M2;
    let unmap = |inside| {
        let mut trace = UNMAP;
        trace[0] = store(L2, 1, 0);
        trace[2] = at(Vaale1is, inside);
        trace
    };
    assert_eq!(before.kernel(&unmap(va)), Ok(()));
    assert_eq!(before.kernel(&unmap(va + M2 - K4)), Ok(()));
    refused!(before.kernel(&unmap(va + M2)), Violation::FrameFreed { .. });
}

#[test]
fn a_block_of_1_gib_is_invalidated_in_both_halves() {
    let before = Before {
        level_1: &[(1, BLOCK | FRAME)],
        ..Before::default()
    };
    let va = HIGH + G1;
    let one = change(0, at(Vaale1is, va));
    let mut both = other(
        &one,
        at(Vaale1is, va),
        &[at(Vaale1is, va), at(Vaale1is, va + G1 / 2)],
    );
    both[0] = store(L1, 1, 0);
    assert_eq!(before.kernel(&both), Ok(()));
    let stale = |offset: usize| {
        let frame = FRAME as usize + offset;
        Err(Violation::StaleLeaf {
            va: va + offset,
            frame,
        })
    };
    assert_eq!(before.kernel(&without(&both, at(Vaale1is, va))), stale(0));
    let first_only = without(&both, at(Vaale1is, va + G1 / 2));
    assert_eq!(before.kernel(&first_only), stale(G1 / 2));
}
