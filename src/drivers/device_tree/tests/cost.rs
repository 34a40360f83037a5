//! The worst trees of the largest size: each would take minutes if a step cost as much as the tree
//! is large.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};
use std::vec::Vec;

use super::facts;
use crate::drivers::device_tree::MAX_TREE_BYTES;
use crate::drivers::device_tree::writer::Writer;

/// A tree with as many of `part`, `bytes` bytes each, as fit.
fn full_of(bytes: usize, part: fn(Writer) -> Writer) -> Vec<u8> {
    let count = MAX_TREE_BYTES / bytes - 64;
    (0..count)
        .fold(Writer::new(), |root, _| part(root))
        .finish()
}

/// Nodes in nodes, inside `outer`.
fn deep(outer: &[&str]) -> Vec<u8> {
    let count = MAX_TREE_BYTES / 12 - 64;
    let root = outer
        .iter()
        .fold(Writer::new(), |root, name| root.node(name));
    let deep = (0..count).fold(root, |root, _| root.node("a"));
    let closed = (0..count + outer.len()).fold(deep, |root, _| root.end());
    closed.finish()
}

/// A node of this name, full of one kind of child.
fn inside(outer: &str, bytes: usize, child: fn(Writer) -> Writer) -> Vec<u8> {
    let count = MAX_TREE_BYTES / bytes - 64;
    let root = Writer::new().node(outer);
    (0..count).fold(root, |root, _| child(root)).end().finish()
}

/// A tree that is a reservation block to its end.
fn endless() -> Vec<u8> {
    let mut tree = full_of(16, |root| root.bytes("p", &[0x5a; 4]));
    for offset in [8, 12] {
        tree[offset..offset + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    }
    tree
}

#[test]
fn the_worst_trees_of_the_largest_size_are_read_in_linear_time() {
    let place: fn(Writer) -> Writer = |root| root.node("a").cells("reg", &[1, 2, 3]).end();
    let name: fn(Writer) -> Writer = |root| root.bytes("reg", &[]);
    for (what, tree) in [
        ("no-operations", full_of(4, Writer::nop)),
        ("children", full_of(12, |root| root.node("a").end())),
        ("properties", full_of(12, |root| root.bytes("p", &[]))),
        (
            "reserved memories",
            full_of(40, |root| {
                root.node("reserved-memory").node("a").end().end()
            }),
        ),
        ("places", inside("reserved-memory", 36, place)),
        ("properties of places", inside("reserved-memory", 12, name)),
        ("reservations", endless()),
        ("depth", deep(&[])),
        ("depth in places", deep(&["reserved-memory"])),
        ("depth in memory", deep(&["memory"])),
        ("depth in cores", deep(&["cpus"])),
    ] {
        let bytes = tree.len();
        assert!(
            (MAX_TREE_BYTES / 2..=MAX_TREE_BYTES).contains(&bytes),
            "{what}: {bytes:#x}"
        );
        let began = Instant::now();
        facts(&tree);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{what}: {took:?}");
    }
}
