//! What the running core stands on: ranges of a live tree that are never without a translation.
#![forbid(unsafe_code)]

use crate::node::geometry::Span;
use crate::{PagingError, PagingResult};

/// How many ranges there can be.
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

    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn spans(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }

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

    pub(crate) fn remove(&mut self, span: Span) -> bool {
        let Some(index) = self.spans().iter().position(|pin| *pin == span) else {
            return false;
        };
        self.len -= 1;
        self.spans.swap(index, self.len);
        true
    }
}
