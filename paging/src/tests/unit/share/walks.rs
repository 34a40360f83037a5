//! Readers of shared tables beside the writer, on one thread: a reader's walk begins before the
//! writer takes tables away, and goes on afterwards. On several threads: `threads`; at each step of
//! a walk: `steps`.

use core::mem::forget;
use core::ops::ControlFlow;
use std::string::ToString;
use std::vec::Vec;

use super::{Reader, Top, Writer, reader, start, top, writer};
use crate::tests::formats::{Format, Sv39, View, every_format};
use crate::tests::memory::live_frames;
use crate::tests::{G1, K4, M2, R, RO, RW, pa};
use crate::{PageSize, RegionOptions};

const PAGES: RegionOptions = RegionOptions::empty();
const HUGE: RegionOptions = RegionOptions::HUGE;

/// Maps the page at `offset` of what is shared.
fn map<F: Format>(kernel: &mut Writer<'_, F>, offset: usize) {
    let at = F::va(start::<F>() + offset);
    let mapped = kernel.map(at, pa(offset), PageSize::Size4K, RO);
    mapped.unwrap().flush();
}

/// Unmaps what is shared in `bytes` from `offset` on.
fn unmap<F: Format>(kernel: &mut Writer<'_, F>, offset: usize, bytes: usize) {
    let at = F::va(start::<F>() + offset);
    kernel.unmap_region(at, bytes).unwrap().flush();
}

fn a_cursor_keeps_nothing_and_finds_nothing_that_is_gone<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let empty = live_frames();
    for offset in [0, K4] {
        map::<F>(&mut kernel, offset);
        let at = F::va(start::<F>() + offset);
        let mut cursor = user.cursor(at).unwrap();
        assert_eq!(cursor.leaf().unwrap().paddr(), pa(offset));
        let _ = kernel.unmap(at).unwrap().flush();
        // The tables are free, and hold what their next owner wrote.
        assert_eq!(live_frames(), empty);
        assert_eq!(cursor.leaf(), None);
        assert_eq!(cursor.next_leaf(), None);
        assert_eq!(cursor.previous_leaf(), None);
        // And what is mapped anew is seen.
        map::<F>(&mut kernel, offset);
        assert_eq!(cursor.leaf().unwrap().paddr(), pa(offset));
        unmap::<F>(&mut kernel, 0, M2);
        map::<F>(&mut kernel, M2);
        cursor.seek(at).unwrap();
        let next = cursor.next_leaf().unwrap();
        assert_eq!(next.va, F::va(start::<F>() + M2));
        unmap::<F>(&mut kernel, 0, G1);
    }
}

fn an_iterator_keeps_nothing_and_finds_nothing_that_is_gone<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let empty = live_frames();
    let offsets = [0, 8 * K4, M2];
    for backwards in [false, true] {
        for offset in offsets {
            map::<F>(&mut kernel, offset);
        }
        let mut runs = user.iter(..);
        let first = if backwards {
            runs.next_back()
        } else {
            runs.next()
        };
        let expected = if backwards { M2 } else { 0 };
        assert_eq!(first.unwrap().pa, pa(expected));
        unmap::<F>(&mut kernel, 0, G1);
        assert_eq!(live_frames(), empty);
        let next = if backwards {
            runs.next_back()
        } else {
            runs.next()
        };
        assert_eq!(next, None);
    }
}

fn a_view_keeps_the_tables_that_it_can_come_to<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let empty = live_frames();
    map::<F>(&mut kernel, 0);
    let full = live_frames();
    let view = user.view();
    unmap::<F>(&mut kernel, 0, G1);
    assert_eq!((live_frames(), kernel.reclaim()), (full, full - empty));
    // What is there now is found, and nothing that was.
    assert_eq!(view.iter(..).next(), None);
    map::<F>(&mut kernel, K4);
    assert!(view.query(F::va(start::<F>() + K4)).is_ok());
    unmap::<F>(&mut kernel, 0, G1);
    drop(view);
    assert_eq!((kernel.reclaim(), live_frames()), (0, empty));
}

/// Has a visitor that is shown the first of four leaves unmap all of them: it is shown no other,
/// and what they needed comes back.
fn unmapped_by_a_visitor<F: Format>(visit: impl FnOnce(&Reader<'_, F>, &mut dyn FnMut())) {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let empty = live_frames();
    for offset in [0, K4, 8 * K4, M2] {
        map::<F>(&mut kernel, offset);
    }
    let mut shown = 0;
    visit(&user, &mut || {
        shown += 1;
        unmap::<F>(&mut kernel, 0, G1);
    });
    assert_eq!(shown, 1);
    assert_eq!((kernel.reclaim(), live_frames()), (0, empty));
}

fn a_visitor_is_not_shown_what_is_gone<F: Format>() {
    unmapped_by_a_visitor::<F>(|user, unmap| {
        let _ = user.leaves(|_| {
            unmap();
            ControlFlow::<()>::Continue(())
        });
    });
    unmapped_by_a_visitor::<F>(|user, unmap| {
        let leaf = |level| level + 1 == F::LEVELS;
        let pre = |visit: &crate::Visit<F::PTE>| {
            if leaf(visit.level) {
                unmap();
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = user.walk(512, pre, |_| ControlFlow::Continue(()));
    });
    unmapped_by_a_visitor::<F>(|user, unmap| {
        let view = user.view();
        let mut levels = 0;
        let traced = view.trace(F::va(start::<F>()), |_| {
            levels += 1;
            if levels == F::LEVELS {
                unmap();
            }
        });
        assert!(traced.is_ok());
    });
}

/// A run of readers that overlap, each of which begins before the one before it ends, keeps no
/// table for ever.
fn readers_that_follow_each_other_keep_no_table_for_ever<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let mut view = user.view();
    map::<F>(&mut kernel, 0);
    let tables = F::LEVELS - 2;
    for _ in 0..20 {
        unmap::<F>(&mut kernel, 0, G1);
        assert!(kernel.reclaim() <= 4 * tables);
        map::<F>(&mut kernel, 0);
        let next = user.view();
        view = next;
    }
    drop(view);
    unmap::<F>(&mut kernel, 0, G1);
    assert_eq!(kernel.reclaim(), 0);
}

/// What waits when the writer goes goes back with the next one, or with what is shared.
fn what_waits_outlives_its_writer<F: Format>() {
    for next_writer in [false, true] {
        let top = top::<F>();
        let user = reader::<F>(&top);
        let mut kernel = writer::<F>(&top);
        let empty = live_frames() - 1;
        map::<F>(&mut kernel, 0);
        let view = user.view();
        unmap::<F>(&mut kernel, 0, G1);
        drop(kernel);
        assert!(live_frames() > empty);
        drop(view);
        if next_writer {
            drop(writer::<F>(&top));
            assert_eq!(live_frames(), empty);
        }
        drop(user);
        drop(top);
        assert_eq!(live_frames(), 0);
    }
}

/// A leaked walk keeps what is unlinked later for as long as what is shared lives; more it cannot
/// name.
fn a_leaked_view_keeps_tables_until_the_owner_goes<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    map::<F>(&mut kernel, 0);
    forget(user.view());
    unmap::<F>(&mut kernel, 0, G1);
    assert_eq!(kernel.reclaim(), F::LEVELS - 2);
    // Later readers come and go in the other phase, and what they had waits with it.
    drop(user.view());
    assert!(kernel.reclaim() > 0);
    drop((kernel, user));
    drop(top);
    assert_eq!(live_frames(), 0);
}

/// The root of a leaked tree still names the shared tables, and may be in a register.
fn a_leaked_tree_keeps_what_it_names<F: Format>() {
    for leak_writer in [false, true] {
        let before = live_frames();
        let top = top::<F>();
        let mut kernel = writer::<F>(&top);
        map::<F>(&mut kernel, 0);
        let user = reader::<F>(&top);
        let root = if leak_writer {
            let root = kernel.root_paddr();
            forget(kernel);
            drop(user);
            root
        } else {
            let root = user.root_paddr();
            forget(user);
            drop(kernel);
            root
        };
        let live = live_frames();
        drop(top);
        assert_eq!(live_frames(), live);
        // SAFETY: nothing of the tree was freed, as is shown here: frames that are not owned cannot
        // be read.
        let view = unsafe { View::<F>::new(root) };
        assert_eq!(view.iter(..).count(), 1);
        assert!(live_frames() > before);
    }
}

fn a_dump_and_a_check_walk_too<F: Format>() {
    let top = top::<F>();
    let (mut kernel, user) = (writer::<F>(&top), reader::<F>(&top));
    let region = kernel.map_region(F::va(start::<F>()), pa(0), M2 + K4, RW, HUGE);
    region.unwrap().flush();
    let dump = user.dump();
    assert!(dump.to_string().lines().count() > F::LEVELS);
    unmap::<F>(&mut kernel, 0, G1);
    // A dump is a reader that has not begun.
    assert_eq!(kernel.reclaim(), 0);
    let lines: Vec<_> = dump.to_string().lines().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(user.check().unwrap().present, 0);
}

/// A reader that reaches its own tables by what is shared, and stands on it, looks there when it
/// changes its own part.
fn a_reader_may_stand_on_what_is_shared<F: Format>() {
    let top = top::<F>();
    let (mut kernel, mut user) = (writer::<F>(&top), reader::<F>(&top));
    map::<F>(&mut kernel, 0);
    user.pin(F::va(start::<F>()), K4).unwrap();
    let own = user.map_region(F::va(0), pa(0), 3 * K4, R, PAGES);
    own.unwrap().flush();
    unmap::<F>(&mut kernel, 0, G1);
    user.unmap_region(F::va(K4), K4).unwrap().flush();
    assert_eq!(user.iter(..).count(), 2);
}

every_format! {
    a_cursor_keeps_nothing_and_finds_nothing_that_is_gone,
    an_iterator_keeps_nothing_and_finds_nothing_that_is_gone,
    a_view_keeps_the_tables_that_it_can_come_to,
    a_visitor_is_not_shown_what_is_gone,
    readers_that_follow_each_other_keep_no_table_for_ever,
    what_waits_outlives_its_writer,
    a_leaked_view_keeps_tables_until_the_owner_goes,
    a_leaked_tree_keeps_what_it_names,
    a_dump_and_a_check_walk_too,
    a_reader_may_stand_on_what_is_shared,
}

/// Readers may be on other threads, and so may the trees.
const fn is_sync<T: Sync + Send>() {}
const _: () = {
    is_sync::<Top<Sv39>>();
    is_sync::<Reader<'static, Sv39>>();
    is_sync::<Writer<'static, Sv39>>();
};
