//! The flattened device tree: whether there is one, and the facts that the kernel needs from it.
//!
//! Devicetree Specification, release 0.4: chapter 5 has the format, chapter 3 the nodes.
//! `pointer.rs` decides whether there is anything to read, `reader.rs` goes through the structure,
//! `cells.rs` takes `reg` apart, `reserved_nodes.rs` reads `/reserved-memory`.
//!
//! # Decisions
//! - The structure is read by hand. Of the crates that read device trees without a heap, `dtoolkit`
//!   refuses a tree with a property name of more than 31 characters, which trees of this board
//!   have; `fdt` and `fdt-rs` panic or give up on what is malformed; `flat_device_tree` is
//!   MPL-licensed; and all read a tree whole or not at all. What counts here is what can still be
//!   read of a bad one: a tree is judged by what is reserved in it, and reservations must not be
//!   lost.
//! - A damaged structure is read up to the damage. Reservations are known then only if
//!   `/reserved-memory` and `/chosen` (which has the initial RAM disk) were seen whole before.
//! - Nodes that matter are gone through a few times, all others once: the time is linear in the
//!   size, which [`MAX_TREE_BYTES`] bounds.
#![forbid(unsafe_code)]

mod cells;
mod pointer;
mod reader;
mod reserved_nodes;

pub use self::pointer::{
    AtZero, DeviceTree, HEADER_BYTES, MAX_TREE_BYTES, PointerError, TreeExtent,
};

use self::cells::Cells;
use self::reader::{Broken, Item, Node, Property};
use super::facts::{Facts, Mapping, Oddity, Origin, PropertyOwner, Reservation};
use pointer::Header;

/// Bytes of an entry of the reservation block.
const ENTRY_BYTES: usize = 16;

/// Adds what the tree in `blob` says to `facts`; there may be more in memory than the tree.
///
/// A tree with errors is read as far as it can be, and [`Facts::doubt`] says if reservations may be
/// missing.
pub fn read(blob: &[u8], facts: &mut Facts) {
    let Some(header) = blob.first_chunk().map(Header::parse) else {
        let at = 0;
        facts.oddities.note_doubt(Oddity::ReservationBlock { at });
        return;
    };
    if !header.is_understood() {
        facts.oddities.note_doubt(Oddity::Version {
            version: header.version,
            last_compatible: header.last_compatible,
        });
    }
    read_reservation_block(blob, &header, facts);
    let mut seen = Seen::default();
    let root = Node::root(blob, header.structure, header.strings);
    if let Err(broken) = root.and_then(|root| read_root(&root, &mut seen, facts)) {
        let Broken { damage, at } = broken;
        let oddity = Oddity::Structure { damage, at };
        if seen.reserved_memory && seen.chosen {
            facts.oddities.note(oddity);
        } else {
            facts.oddities.note_doubt(oddity);
        }
    }
}

/// The reservation block: pairs of an address and a size, with a pair of zeros at the end.
fn read_reservation_block(blob: &[u8], header: &Header, facts: &mut Facts) {
    let at = header.reservations;
    // No block reaches into the next one: without its end, this one would be read out of that.
    let blocks = [header.structure, header.strings, blob.len()];
    let end = blocks.into_iter().filter(|end| *end > at).min();
    let block = end.and_then(|end| blob.get(at..end)).unwrap_or_default();
    for entry in block.as_chunks::<ENTRY_BYTES>().0 {
        let (base, size) = entry.split_at(ENTRY_BYTES / 2);
        match (reader::big_endian(base), reader::big_endian(size)) {
            (0, 0) => return,
            (base, size) => facts.reserve(Reservation {
                base,
                size,
                mapping: Mapping::Allowed,
                origin: Origin::Block,
            }),
        }
    }
    facts.oddities.note_doubt(Oddity::ReservationBlock { at });
}

/// The parts of a tree that can reserve memory: whether each was read to its end.
#[derive(Default)]
struct Seen {
    reserved_memory: bool,
    chosen: bool,
}

/// Reads what the root and its children say. An error if one of them is damaged, with all that
/// stands before it read.
fn read_root(root: &Node<'_>, seen: &mut Seen, facts: &mut Facts) -> Result<(), Broken> {
    let cells = Cells::of_root(root, facts);
    for item in root.items() {
        match item? {
            Item::Property(property) => read_identity(&property, facts),
            Item::Child(node) => match node.base_name() {
                b"reserved-memory" => {
                    seen.reserved_memory = reserved_nodes::read(&node, cells, facts)
                }
                b"chosen" => seen.chosen = read_chosen(&node, cells, facts),
                b"cpus" => read_cores(&node, facts),
                _ if is_memory(&node) => read_memory(&node, cells, facts),
                _ => {}
            },
        }
    }
    Ok(())
}

fn read_identity(property: &Property<'_>, facts: &mut Facts) {
    if property.is("model") {
        facts.model.set(property.value);
    } else if property.is("compatible") {
        facts.compatible.set(property.value);
    } else if !property.is_named() {
        // It may be what says how reservations are written.
        facts
            .oddities
            .note_doubt(Oddity::Unnamed(PropertyOwner::Root));
    }
}

/// Whether a node describes RAM: by its name or, where firmware chose another, by its type.
fn is_memory(node: &Node<'_>) -> bool {
    let is_typed = || node.property("device_type");
    node.base_name() == b"memory" || is_typed().is_some_and(|kind| kind.is_text("memory"))
}

/// Reads a memory node. Of what is wrong nothing is used.
fn read_memory(node: &Node<'_>, cells: Cells, facts: &mut Facts) {
    facts.memory_places += 1;
    if node
        .property("status")
        .is_some_and(|status| !reserved_nodes::is_on(&status))
    {
        facts.oddities.note(Oddity::MemoryDisabled);
        return;
    }
    // A loader that gives less than there is says so in a property of its own.
    let usable = node.property("linux,usable-memory");
    let Some(reg) = usable.or_else(|| node.property("reg")) else {
        return;
    };
    let reg = reg.value;
    match cells.only() {
        Some(way) if way.fits(reg) => {
            way.pairs(reg)
                .for_each(|(base, size)| facts.add_memory(base, size));
        }
        Some(_) => facts.oddities.note(Oddity::RegLength {
            owner: PropertyOwner::Memory,
            bytes: reg.len(),
        }),
        // The root has said which numbers of cells cannot be.
        None => {}
    }
}

/// Counts the cores.
fn read_cores(node: &Node<'_>, facts: &mut Facts) {
    let children = node.items().filter_map(|item| match item {
        Ok(Item::Child(child)) => Some(child),
        Ok(Item::Property(_)) | Err(_) => None,
    });
    facts.cores += children.filter(|child| child.base_name() == b"cpu").count();
}

/// Reads the command line, where the initial RAM disk lies, and what a crashed kernel leaves to
/// this one. Returns whether the node was seen whole.
fn read_chosen(node: &Node<'_>, cells: Cells, facts: &mut Facts) -> bool {
    let (mut start, mut end) = (None, None);
    let mut is_whole = true;
    for item in node.items() {
        match item {
            Ok(Item::Property(property)) if property.is("bootargs") => {
                facts.bootargs.set(property.value);
            }
            Ok(Item::Property(property)) if property.is("linux,initrd-start") => {
                start = Some(property.number());
            }
            Ok(Item::Property(property)) if property.is("linux,initrd-end") => {
                end = Some(property.number());
            }
            Ok(Item::Property(property)) if property.is("linux,usable-memory-range") => {
                read_usable(property.value, cells, facts);
            }
            Ok(Item::Property(property)) if property.is("linux,elfcorehdr") => {
                read_crash_header(property.value, cells, facts);
            }
            Ok(Item::Property(property)) if !property.is_named() => {
                // It may be one end of the disk.
                facts
                    .oddities
                    .note_doubt(Oddity::Unnamed(PropertyOwner::Chosen));
            }
            Ok(Item::Property(_) | Item::Child(_)) => {}
            Err(_) => is_whole = false,
        }
    }
    match (start, end) {
        (None, None) => {}
        (Some(Some(start)), Some(Some(end))) => facts.add_initrd(start, end),
        _ => facts.oddities.note_doubt(Oddity::InitrdHalf),
    }
    is_whole
}

/// Reads to which memory the kernel is restricted: whole pairs of the root's cells (Devicetree
/// schema `chosen.yaml`, `linux,usable-memory-range`). A list that names none leaves what is meant
/// in doubt.
fn read_usable(list: &[u8], cells: Cells, facts: &mut Facts) {
    let bytes = list.len();
    if let Some(way) = cells.only() {
        if !way.fits(list) {
            facts.oddities.note(Oddity::UsableLength { bytes });
        }
        let pairs = way.pairs(list);
        pairs.for_each(|(base, size)| facts.add_usable(base, size));
    }
    if facts.usable.is_none_or(|usable| usable.is_empty()) {
        facts.usable = None;
        facts.oddities.note_doubt(Oddity::UsableUnread);
    }
}

/// Reads where a crashed kernel describes itself: one pair of the root's cells (Devicetree schema
/// `chosen.yaml`, `linux,elfcorehdr`).
fn read_crash_header(pair: &[u8], cells: Cells, facts: &mut Facts) {
    let mut is_read = false;
    for (base, size) in cells.fitting(pair).flat_map(|way| way.pairs(pair)) {
        is_read = true;
        facts.reserve(Reservation {
            base,
            size,
            mapping: Mapping::Allowed,
            origin: Origin::Place,
        });
    }
    if !is_read {
        let bytes = pair.len();
        let owner = PropertyOwner::Chosen;
        facts
            .oddities
            .note_doubt(Oddity::RegLength { owner, bytes });
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer;
