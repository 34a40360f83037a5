//! What the running core stands on: ranges of a live tree that are never without a translation.
#![forbid(unsafe_code)]

use super::geometry::Span;
use super::{PagingError, PagingResult};

/// How many ranges there can be.
const CAPACITY: usize = 16;

/// The ranges. None of them is empty.
pub(super) struct Pins {
    spans: [Span; CAPACITY],
    len: usize,
}

impl Pins {
    pub(super) const fn new() -> Self {
        Self {
            spans: [Span { start: 0, end: 0 }; CAPACITY],
            len: 0,
        }
    }

    #[inline(always)]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn spans(&self) -> &[Span] {
        self.spans.get(..self.len).unwrap_or_default()
    }

    pub(super) fn add(&mut self, span: Span) -> PagingResult {
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

    pub(super) fn remove(&mut self, span: Span) -> bool {
        let Some(index) = self.spans().iter().position(|pin| *pin == span) else {
            return false;
        };
        self.len -= 1;
        self.spans.swap(index, self.len);
        true
    }
}
