//! Walks over a tree.

use core::cell::RefCell;
use core::ops::ControlFlow;
use std::vec::Vec;

use super::{HIGH, HighTable, K4, LAST_PAGE, RW, high_table, pa, va};
use crate::paging::PageSize;

fn map(table: &mut HighTable, at: usize) {
    table
        .map(va(at), pa(0x5000), PageSize::Size4K, RW)
        .unwrap()
        .flush();
}

#[test]
fn walk_extends_the_sign_and_obeys_its_limit() {
    let mut table = high_table();
    let addresses = [HIGH, HIGH + K4, 0xffff_8000_0000_1000, LAST_PAGE];
    for at in addresses {
        map(&mut table, at);
    }
    let visit = |limit| {
        let (mut pages, mut entries, mut ends) = (Vec::new(), 0, 0);
        let done = table.view().walk::<()>(
            limit,
            |visit| {
                entries += 1;
                if visit.level == 3 {
                    pages.push(visit.va.as_usize());
                }
                ControlFlow::Continue(())
            },
            |_| {
                ends += 1;
                ControlFlow::Continue(())
            },
        );
        assert!(done.is_continue());
        assert_eq!(entries, ends);
        (pages, entries)
    };
    assert_eq!(visit(0), (Vec::new(), 0));
    assert_eq!(visit(1), (Vec::from([HIGH]), 4));
    assert_eq!(visit(512), (Vec::from(addresses), 3 + 3 + 3 + 4));
}

#[test]
fn walk_visits_parents_first_and_last_and_stops_when_told() {
    let mut table = high_table();
    map(&mut table, HIGH);
    map(&mut table, HIGH + K4);
    let order = RefCell::new(Vec::new());
    let stopped = table.view().walk(
        512,
        |visit| {
            order.borrow_mut().push((visit.level, true));
            if visit.index == 1 {
                ControlFlow::Break("found")
            } else {
                ControlFlow::Continue(())
            }
        },
        |visit| {
            order.borrow_mut().push((visit.level, false));
            ControlFlow::Continue(())
        },
    );
    assert_eq!(stopped, ControlFlow::Break("found"));
    let down = [
        (0, true),
        (1, true),
        (2, true),
        (3, true),
        (3, false),
        (3, true),
    ];
    assert_eq!(order.into_inner(), down);
}
