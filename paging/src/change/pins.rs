//! Pins: ranges of a live tree that the running core stands on, which are never without a
//! translation.
//!
//! A core that breaks the page of its own code, stack or vectors, if only for the length of a TLB
//! invalidation, takes a fault that it cannot handle: the handler needs them too. The table cannot
//! know these ranges; the kernel declares them (`PageTable64::pin`), and `region::pinned` refuses
//! what would touch them.
#![forbid(unsafe_code)]

use crate::node::geometry::Span;
use crate::{PagingError, PagingResult};

/// How many ranges there can be: text, data, stack and vectors of a kernel, and room for a stack a
/// core.
const CAPACITY: usize = 16;

/// The ranges. None of them is empty.
pub(crate) struct Pins {
    spans: [Span; CAPACITY],
    len: usize,
}

impl Pins {
    pub(crate) const fn new() -> Self {
        Self {
            spans: [Span { start: 0, end: 0 }; CAPACITY],
            len: 0,
        }
    }

    // Inlined, because it is not generic, and called from generic code that other crates
    // instantiate: it could stay a call into this crate where there is no LTO.
    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn spans(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }

    /// Adds a range; one that is empty protects nothing.
    pub(crate) fn add(&mut self, span: Span) -> PagingResult {
        if span.is_empty() {
            return Ok(());
        }
        let slot = self
            .spans
            .get_mut(self.len)
            .ok_or(PagingError::TooManyPins)?;
        *slot = span;
        self.len += 1;
        Ok(())
    }

    /// Removes the range that is exactly `span`. Returns whether there was one. The order of the
    /// others does not matter: the last takes its place.
    pub(crate) fn remove(&mut self, span: Span) -> bool {
        let Some(index) = self.spans().iter().position(|pin| *pin == span) else {
            return false;
        };
        self.len -= 1;
        self.spans.swap(index, self.len);
        true
    }
}
