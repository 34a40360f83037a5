//! Under which ASIDs the writer's changes are invalidated: what is shared, every space holds.
#![forbid(unsafe_code)]

use crate::tests::spaces::set_asid;
use std::vec::Vec;

use super::{Reader, Top, Writer, reader, start, top, writer};
use crate::format::aarch64_tlb::Tlbi;
use crate::tests::formats::{Format, every_format};
use crate::tests::memory::{Event, recorded};
use crate::tests::{A, G1, K4, M2, NONE, R, RO, W, pa};
use crate::{AddressSpace, Asid, InvalidateScope, PageSize, RegionOptions};

const WRITER: Asid = Asid::new(1);
const READER: Asid = Asid::new(2);
const LOCAL: crate::MappingFlags = R.union(A);

/// Of each invalidation in `log`: whose translations it reaches, and whether pointers too.
fn invalidations(log: &[Event]) -> Vec<(AddressSpace, bool)> {
    let asid = |operand: u64| AddressSpace::Asid(Asid::new((operand >> 48) as u16));
    let reach = |event: &Event| match *event {
        Event::Tlbi(Tlbi::Vaae1is | Tlbi::Vmalle1is, _) => Some((AddressSpace::All, true)),
        Event::Tlbi(Tlbi::Vaale1is, _) => Some((AddressSpace::All, false)),
        Event::Tlbi(Tlbi::Vae1is | Tlbi::Aside1is, operand) => Some((asid(operand), true)),
        Event::Tlbi(Tlbi::Vale1is, operand) => Some((asid(operand), false)),
        Event::Invalidate(_, space, scope) => Some((space, scope == InvalidateScope::AnyLevel)),
        Event::InvalidateAll(space) => Some((space, true)),
        _ => None,
    };
    log.iter().filter_map(reach).collect()
}

/// Asserts that `operation` invalidates something, and all of it in every space.
fn reaches_all(what: &str, operation: impl FnOnce()) {
    let log = recorded(operation);
    let reached = invalidations(&log);
    assert!(!reached.is_empty(), "{what}: {log:x?}");
    let all = reached.iter().all(|(space, _)| *space == AddressSpace::All);
    assert!(all, "{what}: {reached:?}");
}

fn trees<'top, F: Format>(top: &'top Top<F>) -> (Writer<'top, F>, Reader<'top, F>) {
    let (mut kernel, mut user) = (writer::<F>(top), reader::<F>(top));
    set_asid(&mut kernel, Some(WRITER));
    set_asid(&mut user, Some(READER));
    (kernel, user)
}

fn a_shared_leaf_is_invalidated_in_every_space<F: Format>() {
    let top = top::<F>();
    let (mut kernel, _user) = trees::<F>(&top);
    let at = |offset| F::va(start::<F>() + offset);
    let region = kernel.map_region(at(0), pa(0), M2, LOCAL, RegionOptions::empty());
    region.unwrap().flush();
    reaches_all("unmap", || {
        let _ = kernel.unmap(at(K4)).unwrap().flush();
    });
    reaches_all("protect", || {
        let writable = R.union(W).union(A);
        kernel.protect(at(0), writable).unwrap().1.flush();
        kernel.protect(at(0), LOCAL).unwrap().1.flush();
    });
    reaches_all("remap", || {
        kernel.remap(at(0), pa(G1), LOCAL).unwrap().1.flush()
    });
    reaches_all("protect_region", || {
        let region = kernel.protect_region(at(0), 4 * K4, R.union(W).union(A));
        region.unwrap().flush();
    });
    reaches_all("protect much", || {
        kernel.protect_region(at(0), M2, LOCAL).unwrap().flush();
    });
    reaches_all("unmap some", || {
        kernel.unmap_region(at(2 * K4), 4 * K4).unwrap().flush();
    });
    reaches_all("a batch", || {
        kernel.batch(|mut batch| {
            let leaf = batch.unmap(at(8 * K4)).unwrap();
            let flushed = batch.finish();
            assert_eq!(leaf.frame(&flushed), pa(8 * K4));
        });
    });
    reaches_all("unmap the rest", || {
        kernel.unmap_region(at(0), M2).unwrap().flush();
    });
}

fn a_table_below_a_shared_one_is_invalidated_in_every_space<F: Format>() {
    for flags in [LOCAL, RO] {
        let top = top::<F>();
        let (mut kernel, _user) = trees::<F>(&top);
        let at = F::va(start::<F>() + K4);
        let mapped = kernel.map(at, pa(0), PageSize::Size4K, flags);
        mapped.unwrap().flush();
        kernel.protect(at, NONE).unwrap().1.flush();
        // Nothing is left in the table that any TLB could hold.
        let log = recorded(|| {
            let _ = kernel.unmap(at).unwrap().flush();
        });
        assert!(log.iter().any(|event| matches!(event, Event::Free(_))));
        assert_eq!(invalidations(&log), [(AddressSpace::All, true)]);
    }
}

fn what_is_a_trees_own_is_invalidated_in_its_own_space<F: Format>() {
    let top = top::<F>();
    let (mut kernel, mut user) = trees::<F>(&top);
    let mut map_and_unmap = |asid| {
        let at = F::va(K4);
        let log = if asid == WRITER {
            kernel
                .map(at, pa(0), PageSize::Size4K, LOCAL)
                .unwrap()
                .flush();
            recorded(|| drop(kernel.unmap(at).unwrap()))
        } else {
            user.map(at, pa(0), PageSize::Size4K, LOCAL)
                .unwrap()
                .flush();
            recorded(|| drop(user.unmap(at).unwrap()))
        };
        assert_eq!(invalidations(&log), [(AddressSpace::Asid(asid), true)]);
    };
    map_and_unmap(WRITER);
    map_and_unmap(READER);
}

/// A pointer may be held as the global leaf is that a walk found behind it; when the table goes
/// later, nothing is left that says so.
fn pointers_to_a_global_leaf_go_with_it<F: Format>() {
    let mut table = F::table();
    set_asid(&mut table, Some(WRITER));
    let at = F::va(K4);
    table.map(at, pa(0), PageSize::Size4K, RO).unwrap().flush();
    let log = recorded(|| table.protect(at, NONE).unwrap().1.flush());
    assert_eq!(invalidations(&log), [(AddressSpace::All, true)]);
    let log = recorded(|| drop(table.unmap(at).unwrap()));
    assert_eq!(invalidations(&log), [(AddressSpace::Asid(WRITER), true)]);
}

every_format! {
    a_shared_leaf_is_invalidated_in_every_space,
    a_table_below_a_shared_one_is_invalidated_in_every_space,
    what_is_a_trees_own_is_invalidated_in_its_own_space,
    pointers_to_a_global_leaf_go_with_it,
}
