//! `/reserved-memory`: the places in it that somebody else uses.
//!
//! Devicetree Specification, release 0.4: 3.5. A place has a `reg`; or a `size`, and then the
//! kernel may choose where it gives away so much: this one gives nothing away.
//!
//! # Decisions
//! - In doubt a place is somebody's: one that is switched off (`status`) is kept, because who
//!   switched it off may be on his way to fill it; one that could be used until its owner comes
//!   (`reusable`) is kept, because nobody would give it back; one without a `reg` that is a group
//!   of others is looked into.
//! - A place of which nothing says where it is leaves everything in doubt.
#![forbid(unsafe_code)]

use super::cells::Cells;
use super::reader::{Item, Node, Property};
use crate::drivers::facts::{Facts, Mapping, Oddity, Origin, PropertyOwner, Reservation, Text};

/// Groups in groups are looked into as deep as this: each is gone through once more.
const DEEPEST: usize = 4;

/// Reads all places in `/reserved-memory`, in which `root` is what the root says of cells. Returns
/// whether the node was seen whole.
pub(super) fn read(node: &Node<'_>, root: Cells, facts: &mut Facts) -> bool {
    group(node, root, PropertyOwner::ReservedMemory, DEEPEST, facts)
}

/// Reads all places in a group of them.
fn group(
    node: &Node<'_>,
    outer: Cells,
    owner: PropertyOwner,
    depth: usize,
    facts: &mut Facts,
) -> bool {
    let cells = Cells::of(node, outer, owner, facts);
    for item in node.items() {
        match item {
            Ok(Item::Child(child)) => place(&child, cells, depth, facts),
            Ok(Item::Property(property)) if !property.is_named() => {
                facts.oddities.note_doubt(Oddity::Unnamed(owner));
            }
            Ok(Item::Property(_)) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Reads one place. One that is cut off says what was read of it.
fn place(node: &Node<'_>, cells: Cells, depth: usize, facts: &mut Facts) {
    let owner = PropertyOwner::Place(Text::new(node.name));
    let found = ReservedNode::of(node, owner, facts);
    match (found.has_reg, found.size) {
        (true, _) => {
            // Of two, which no node should have, either may be meant.
            for reg in node.properties().filter(|property| property.is("reg")) {
                reserve(&reg, cells, owner, &found, facts);
            }
        }
        (false, Some(size)) => facts.oddities.note(match size.number() {
            Some(size) => Oddity::Anywhere { owner, size },
            None => Oddity::Nowhere(owner),
        }),
        (false, None) if found.is_group && depth > 0 => {
            group(node, cells, owner, depth - 1, facts);
        }
        (false, None) if found.is_group => facts.oddities.note_doubt(Oddity::Nested(owner)),
        (false, None) => facts.oddities.note_doubt(Oddity::Nowhere(owner)),
    }
}

/// The properties of a node in `/reserved-memory`.
struct ReservedNode<'a> {
    has_reg: bool,
    size: Option<Property<'a>>,
    mapping: Mapping,
    origin: Origin,
    is_group: bool,
}

impl<'a> ReservedNode<'a> {
    fn of(node: &Node<'a>, owner: PropertyOwner, facts: &mut Facts) -> Self {
        let mut place = Self {
            has_reg: false,
            size: None,
            mapping: Mapping::Allowed,
            origin: Origin::Place,
            is_group: false,
        };
        for item in node.items() {
            match item {
                Ok(Item::Property(property)) => place.take(property, owner, facts),
                Ok(Item::Child(_)) => place.is_group = true,
                Err(_) => break,
            }
        }
        place
    }

    fn take(&mut self, property: Property<'a>, owner: PropertyOwner, facts: &mut Facts) {
        if property.is("reg") {
            self.has_reg = true;
        } else if property.is("size") {
            self.size = Some(property);
        } else if property.is("no-map") {
            self.mapping = Mapping::Forbidden;
        } else if property.is("status") {
            if !is_on(&property) {
                self.origin = Origin::DisabledPlace;
            }
        } else if !property.is_named() {
            facts.oddities.note_doubt(Oddity::Unnamed(owner));
        }
    }
}

/// Reserves what `reg` names, in every way in which it can be meant.
fn reserve(
    reg: &Property<'_>,
    cells: Cells,
    owner: PropertyOwner,
    place: &ReservedNode<'_>,
    facts: &mut Facts,
) {
    let reg = reg.value;
    let mut pairs = |(base, size)| {
        facts.reserve(Reservation {
            base,
            size,
            mapping: place.mapping,
            origin: place.origin,
        });
    };
    let mut fits = false;
    for way in cells.fitting(reg) {
        fits = true;
        way.pairs(reg).for_each(&mut pairs);
    }
    if !fits {
        let bytes = reg.len();
        // The pairs that are whole may be right; the rest is unknown.
        if let Some(way) = cells.ways().next() {
            way.pairs(reg).for_each(&mut pairs);
        }
        facts
            .oddities
            .note_doubt(Oddity::RegLength { owner, bytes });
    }
}

/// Whether a `status` says that its node is in use.
pub(super) fn is_on(status: &Property<'_>) -> bool {
    status.is_text("okay") || status.is_text("ok")
}
