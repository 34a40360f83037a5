//! Whose translations are invalidated, and what other formats are asked for.
#![forbid(unsafe_code)]

use crate::tests::spaces::set_asid;
use core::mem::forget;
use std::vec::Vec;

use super::{ADOPT, PAGES, invalidation, maintenance, tlbi, tlbis};
use crate::format::aarch64_tlb::Tlbi;
use crate::format::aarch64_tlb::Tlbi::{Aside1is, Vaae1is, Vae1is, Vale1is};
use crate::tests::formats::{A64Low, Format, LA64, Sv39, Sv48, Table, X64};
use crate::tests::memory::{Event, begin_operation, recorded};
use crate::tests::{A, K4, NONE, R, RO, RW, U, W, pa, va};
use crate::{AddressSpace, Asid, InvalidateScope, MappingFlags, PageSize, PagingMetaData};

const fn tlbi_asid(form: Tlbi, at: usize, asid: u64) -> Event {
    Event::Tlbi(form, at as u64 >> 12 & 0x0fff_ffff_ffff | asid << 48)
}

/// A table of the low half under ASID 5, with a user's pages 0 to `pages`.
fn user_table(pages: usize) -> Table<A64Low> {
    let mut table = A64Low::table();
    set_asid(&mut table, Some(Asid::new(5)));
    let flags = R | W | U | A;
    let region = table.map_region(va(0), pa(0x8000_0000), pages * K4, flags, PAGES);
    region.unwrap().flush();
    table
}

#[test]
fn a_space_with_an_asid_invalidates_its_own_translations_only() {
    const USER_RO: MappingFlags = R.union(U).union(A);
    let mut table = user_table(100);
    let log = recorded(|| table.protect(va(K4), USER_RO).unwrap().1.flush());
    assert_eq!(tlbis(&log), [tlbi_asid(Vale1is, K4, 5)]);
    let log = recorded(|| {
        table
            .protect_region(va(0), 40 * K4, USER_RO)
            .unwrap()
            .flush()
    });
    assert_eq!(tlbis(&log), [Event::Tlbi(Aside1is, 5 << 48)]);
    // Between break and make, no translation of any space may be left.
    let log = recorded(|| table.remap(va(0), pa(0), USER_RO).unwrap().1.flush());
    assert_eq!(tlbis(&log), [tlbi(Vaae1is, 0)]);
    let log = recorded(|| table.unmap_region(va(2 * K4), 98 * K4).unwrap().flush());
    assert_eq!(tlbis(&log), [Event::Tlbi(Aside1is, 5 << 48)]);
    let log = recorded(|| table.unmap_region(va(0), 2 * K4).unwrap().flush());
    let each = [tlbi_asid(Vae1is, 0, 5), tlbi_asid(Vae1is, K4, 5)];
    assert_eq!(tlbis(&log), each);
}

#[test]
fn another_asid_is_taken_when_what_is_pending_under_the_old_one_is_issued() {
    let mut table = user_table(2);
    forget(table.unmap(va(0)).unwrap());
    let log = recorded(|| set_asid(&mut table, Some(Asid::new(6))));
    let issued = invalidation(&[tlbi_asid(Vale1is, 0, 5)]);
    assert_eq!(log, [&[ADOPT], &issued[..]].concat());
    let log = recorded(|| {
        let _ = table.unmap(va(K4)).unwrap().flush();
    });
    assert_eq!(tlbis(&log), [tlbi_asid(Vae1is, K4, 6)]);
    set_asid(&mut table, None);
}

/// What mapping, protecting and unmapping a page ask for where the machine may remember that an
/// entry was invalid, and where not.
fn a_format_that_caches_what_is_invalid_invalidates_it<F: Format>() {
    let mut table = F::table();
    let at = F::address(0);
    begin_operation(usize::MAX);
    let invalidated = |scope| {
        let invalidate = Event::Invalidate(at, AddressSpace::All, scope);
        Vec::from([Event::Begin, invalidate, Event::End])
    };
    let leaf = invalidated(InvalidateScope::LastLevel);
    let any = invalidated(InvalidateScope::AnyLevel);
    // Where a table is new, its entry was invalid before, too.
    let made = |invalidated: &[Event]| {
        if F::M::CACHES_INVALID {
            invalidated.to_vec()
        } else {
            Vec::from([Event::Publish])
        }
    };
    let log = recorded(|| {
        let mapped = table.map(va(at), pa(0x5000), PageSize::Size4K, RW);
        mapped.unwrap().flush();
    });
    let expected = [&[Event::OrderTable], &made(&any)[..]].concat();
    assert_eq!(maintenance(log), expected);
    table.protect(va(at), NONE).unwrap().1.flush();
    let log = recorded(|| table.protect(va(at), RW).unwrap().1.flush());
    assert_eq!(maintenance(log), made(&leaf));
    let log = recorded(|| table.protect(va(at), RO).unwrap().1.flush());
    assert_eq!(maintenance(log), leaf);
    let mut log = recorded(|| drop(table.unmap(va(at)).unwrap()));
    log.retain(|event| !matches!(event, Event::Free(_)));
    assert_eq!(maintenance(log), any);
}

#[test]
fn other_formats_are_asked_for_what_they_need() {
    a_format_that_caches_what_is_invalid_invalidates_it::<X64>();
    a_format_that_caches_what_is_invalid_invalidates_it::<Sv39>();
    a_format_that_caches_what_is_invalid_invalidates_it::<Sv48>();
    a_format_that_caches_what_is_invalid_invalidates_it::<LA64>();
}
