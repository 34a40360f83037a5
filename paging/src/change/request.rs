//! [`Request`]: a range and the change of each leaf in it.
//!
//! The caller has checked that the format accepts flags and frame, so that [`LeafChange::apply`]
//! cannot fail in the middle of a range: of the pages 0x40_0000..0x40_3000 either all change or
//! none.
#![forbid(unsafe_code)]

use crate::addr::PhysAddr;
use crate::node::geometry::Span;
use crate::{GenericPTE, MappingFlags, PageSize};

/// The change of the leaves in a region.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Unmap,
    /// Other flags.
    Protect(MappingFlags),
    /// Another frame, other flags, or both; of one leaf alone.
    Update {
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    },
}

/// A change of every leaf in a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<C = Change> {
    pub(crate) span: Span,
    pub(crate) change: C,
}

/// The new leaf that a change makes of an old one, by the leaf alone.
pub(crate) trait LeafChange<PTE: GenericPTE>: Copy {
    /// The leaf that the change makes of `leaf`, unused if it unmaps. The change is known to have
    /// an encoding.
    fn apply(self, leaf: PTE, size: PageSize) -> PTE;

    /// Whether the change alters `leaf`. The contiguous hint does not count, because it goes only
    /// with a change of a leaf of its group.
    fn alters(self, leaf: PTE, size: PageSize) -> bool {
        self.apply(leaf, size) != leaf.without_contiguous()
    }
}

impl<PTE: GenericPTE> LeafChange<PTE> for Change {
    #[expect(clippy::panic, reason = "a change is refused before it begins")]
    fn apply(self, leaf: PTE, size: PageSize) -> PTE {
        let mut leaf = leaf.without_contiguous();
        let (pa, flags) = match self {
            Self::Unmap => return PTE::from_bits(0),
            Self::Protect(flags) => (None, Some(flags)),
            Self::Update { pa, flags } => (pa, flags),
        };
        let flags = flags.map_or(Ok(()), |flags| leaf.set_flags(flags, size));
        let frame = pa.map_or(Ok(()), |pa| leaf.set_paddr(pa, size));
        if let Err(error) = flags.and(frame) {
            panic!("a change was checked, and then refused: {error}");
        }
        leaf
    }

    /// An update is known to change its leaf.
    fn alters(self, leaf: PTE, size: PageSize) -> bool {
        matches!(self, Self::Update { .. }) || self.apply(leaf, size) != leaf.without_contiguous()
    }
}
