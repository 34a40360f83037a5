//! Giving each leaf of a region the flags and software bits that a function makes of its own:
//! `WRITE` taken from whatever has it, and a bit that says so, before two address spaces share the
//! frames (copy on write).
//!
//! # The scenario
//! 0x40_0000..0x40_5000 are read-write, read-only, read-write, inaccessible and read-execute, and
//! the function is `|flags| flags.difference(WRITE)`:
//!
//! 1. *Ask.* The function is called for `rw-`, `r--`, none and `r-x`, once each, though there are
//!    two read-write pages. Its answers must have an encoding, and pins must keep what they stand
//!    on: the last that can be refused, but for frames to split a block. Nothing is stored yet.
//! 2. *Split*, as for any other change (`split`): a block across an end of the region, of which
//!    the answers say that it changes.
//! 3. *Store*, as for any other change (`change`): two leaves, one batch of invalidations. The
//!    other three are as they were to be.
//!
//! # Decisions
//! * The function maps attributes to attributes, and knows neither frame nor address: leaves with
//!   equal ones stay equal, so runs are rewritten as runs, a contiguous group stays one, and a block need not
//!   be split. OSTD's `protect_next` is given as much, Linux's `change_protection` less.
//! * It is somebody else's code, and may panic. It is called before anything is stored, never while
//!   entries are broken; the answers are kept instead, in a list of 16. A region with more sets of
//!   attributes than that is changed in parts, for each of which the function is asked anew.
//! * Of a broken entry the flags before cannot be read. Its bits are those of an answer that is
//!   broken, so the list says which; the new software bits stand in it as they are.
//! * Software bits are ignored by the hardware: leaves of which nothing else changes are stored, and
//!   not invalidated.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::region::change::Successors;
use crate::change::request::{LeafChange, Request};
use crate::change::tree::Tree;
use crate::node::descent::Node;
use crate::node::geometry::Span;
use crate::node::sharing::Sharing;
use crate::{
    Attributes, GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, PagingMetaData,
    PagingResult, SoftwareBits,
};

/// The function, without its type: it is called once for hundreds of leaves.
type Asked<'a> = &'a mut dyn FnMut(Attributes) -> Attributes;

/// How many sets of attributes are told apart at a time: 512 bytes on the stack.
const CAPACITY: usize = 16;

/// The answers of the function: the new attributes for every set that a part of a region has.
struct Answers {
    /// Attributes before, and after.
    known: [(Attributes, Attributes); CAPACITY],
    len: usize,
    /// Why the first answer was refused that has no encoding: its leaves stay as they are.
    refused: Option<PagingError>,
}

impl Answers {
    const fn new() -> Self {
        const NONE: Attributes = Attributes {
            flags: MappingFlags::empty(),
            software: SoftwareBits::empty(),
        };
        Self {
            known: [(NONE, NONE); CAPACITY],
            len: 0,
            refused: None,
        }
    }

    fn known(&self) -> &[(Attributes, Attributes)] {
        self.known.get(..self.len).unwrap_or_default()
    }

    /// Asks for the attributes that take the place of `old`, unless that was done before. Returns
    /// `None` if there is no room for the answer.
    fn ask<PTE: GenericPTE>(&mut self, old: Attributes, function: Asked<'_>) -> Option<()> {
        if self.known().iter().any(|(before, _)| *before == old) {
            return Some(());
        }
        let place = self.known.get_mut(self.len)?;
        let new = function(old);
        *place = (old, new);
        if let Err(error) = PTE::new_page(PhysAddr::new(0), new.flags, PageSize::Size4K) {
            *place = (old, old);
            self.refused.get_or_insert(error);
        }
        self.len += 1;
        Some(())
    }

    /// The attributes that take the place of `old`.
    ///
    /// Since the function was asked, the hardware may have set the accessed flag of a leaf (x86,
    /// RISC-V): that leaf gets what it would have got before, and keeps the flag.
    fn answer(&self, old: Attributes) -> Attributes {
        let answer = |old| {
            let mut known = self.known().iter();
            known.find_map(|(before, new)| (*before == old).then_some(*new))
        };
        let later = || {
            let accessed = old.flags.intersection(MappingFlags::ACCESSED);
            let flags = old.flags.difference(accessed);
            let mut new = answer(Attributes { flags, ..old })?;
            new.flags |= accessed;
            Some(new)
        };
        answer(old).or_else(later).unwrap_or(old)
    }

    /// The leaf of frame 0 whose broken form `entry` is, but for the frame.
    #[expect(clippy::panic, reason = "it was broken with an answer")]
    fn made<PTE: GenericPTE>(&self, entry: PTE, size: PageSize) -> PTE {
        let others = PTE::address_mask(size) | PTE::SOFTWARE;
        let accessed = [MappingFlags::empty(), MappingFlags::ACCESSED];
        for flags in self.known().iter().map(|(_, new)| new.flags) {
            for flags in accessed.map(|accessed| flags.union(accessed)) {
                let Ok(leaf) = PTE::new_page(PhysAddr::new(0), flags, size) else {
                    continue;
                };
                for leaf in [leaf, leaf.with_contiguous()] {
                    let differing = leaf.broken().bits() ^ entry.bits();
                    if leaf.is_present() && differing & !others == 0 {
                        return leaf.with_software(entry.software());
                    }
                }
            }
        }
        panic!("{entry:?} was broken for other flags than it gets");
    }
}

impl<PTE: GenericPTE> LeafChange<PTE> for &Answers {
    fn apply(self, leaf: PTE, size: PageSize) -> PTE {
        let mut leaf = leaf.without_contiguous();
        // What was refused was taken out, so this does what it says.
        let new = self.answer(leaf.attributes());
        let _ = leaf.set_flags(new.flags, size);
        leaf.with_software(new.software)
    }
}

impl<PTE: GenericPTE> Successors<PTE> for Answers {
    fn successor(&self, old: PTE, size: PageSize) -> PTE {
        if old.is_broken() {
            return self.made(old, size);
        }
        let answer = self.answer(old.attributes());
        let Ok(new) = PTE::new_page(PhysAddr::new(0), answer.flags, size) else {
            return old;
        };
        let new = new.with_software(answer.software);
        if old.is_contiguous() && new.is_present() {
            new.with_contiguous()
        } else {
            new
        }
    }
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Gives whatever is mapped in `size` bytes from `va` on the attributes that `function` makes of
    /// those that it has.
    pub(crate) fn update_pages_with(
        &mut self,
        va: VirtAddr,
        size: usize,
        function: Asked<'_>,
    ) -> PagingResult {
        let span = self.own_span(va, size)?;
        self.pending.pages = 0;
        self.pending.begin();
        if span.is_empty() {
            return Ok(());
        }
        // All that can be refused, for the whole of the region: after this loop only the split can
        // fail, for want of a frame, and that changes no rights.
        let mut answers = Answers::new();
        let mut rest = span;
        let mut parts = 0;
        while !rest.is_empty() {
            answers = Answers::new();
            let part = self.ask(rest, &mut answers, function);
            if let Some(error) = answers.refused {
                return Err(error);
            }
            if !self.pins.is_empty() {
                let change = &answers;
                self.check_pins(Request { span: part, change })?;
            }
            rest.start = part.end;
            parts += 1;
        }
        // The split looks at the leaves across the two ends alone: theirs are the answers it needs.
        if parts > 1 {
            answers = Answers::new();
            for end in [span.start, span.end - PAGE_SIZE] {
                let (start, end) = (end, end + PAGE_SIZE);
                self.ask(Span { start, end }, &mut answers, function);
            }
        }
        let mut inner = span;
        if self.covering(span).may_need_split(span) {
            let change = &answers;
            inner = self.split_boundaries(Request { span, change })?;
        }
        self.protect_parts(inner, answers, parts, function);
        Ok(())
    }

    /// Gives every leaf of `span`, which has no boundaries, the attributes that `answers` say: for all
    /// of it if that is one part, otherwise for as many as it has room for at a time.
    fn protect_parts(
        &mut self,
        span: Span,
        mut answers: Answers,
        parts: usize,
        function: Asked<'_>,
    ) {
        let mut rest = span;
        while !rest.is_empty() {
            let mut part = rest;
            if parts > 1 {
                answers = Answers::new();
                part = self.ask(rest, &mut answers, function);
            }
            self.protect_span(&self.covering(part), part, &answers);
            rest.start = part.end;
        }
    }

    /// Asks for each set of attributes in `span`, which is not empty, from its start on, until there is
    /// no room for another. Returns the part for which the answers are complete.
    fn ask(&self, span: Span, answers: &mut Answers, function: Asked<'_>) -> Span {
        let node = self.covering(span).node;
        match ask_below(&node, span, answers, function) {
            ControlFlow::Continue(()) => span,
            ControlFlow::Break(end) => Span { end, ..span },
        }
    }
}

/// Asks for each set of attributes in `part` of `node`. Stops with the offset of the first leaf for
/// which there is no room.
fn ask_below<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: &Node<M, PTE, H>,
    part: Span,
    answers: &mut Answers,
    function: Asked<'_>,
) -> ControlFlow<usize> {
    let mut rest = node.rows(part).touched;
    while let Some((index, entry)) = node.table.next_used(rest.clone()) {
        rest.start = index + 1;
        if node.is_table(entry) {
            let part = part.clip(node.entry_span(index));
            ask_below(&node.child(index, entry), part, answers, function)?;
        } else if let Some(size) = node.leaf_size()
            && entry.swap().is_none()
        {
            let known = answers.ask::<PTE>(entry.attributes(), function);
            known.map_or(
                ControlFlow::Break(node.offset(index).max(part.start)),
                |()| ControlFlow::Continue(()),
            )?;
            // Leaves that differ in their frames alone have equal attributes.
            rest.start = index + node.table.alike(index, rest.len() + 1, size, entry);
        }
    }
    ControlFlow::Continue(())
}
