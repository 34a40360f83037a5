//! The data that the loader handed over, as it lies in memory: a device tree, ATAGs, or nothing.
#![expect(unsafe_code, reason = "memory that the loader hands over")]

use core::fmt;

use crate::addr::PhysAddr;
use crate::board::raspi3;
use crate::drivers::atags;
use crate::drivers::device_tree::{
    self, AtZero, DeviceTree, HEADER_BYTES, PointerError, TreeExtent,
};
use crate::drivers::facts::Facts;
use crate::drivers::ram::Voice;
use crate::drivers::range::PhysRange;
use crate::mm::layout::phys_to_virt;

/// boot/start.S cleans as much of a tree as is believed here.
const _: () = assert!(device_tree::MAX_TREE_BYTES == raspi3::DEVICE_TREE_MAX_SIZE);

/// The data that the loader handed over, and its facts.
pub(super) struct Handed {
    pub(super) what: What,
    /// Nothing, if nothing was handed over.
    pub(super) facts: Facts,
}

/// The kind of data that was found.
#[derive(Clone, Copy)]
pub(super) enum What {
    /// A device tree, and all of the memory that was looked at as one.
    Tree(PhysRange),
    /// ATAGs, and why there is no tree.
    Atags { at: PhysAddr, no_tree: PointerError },
    /// Neither, and why there is no tree.
    Nothing { no_tree: PointerError },
}

impl Handed {
    /// Nothing, before anybody looks.
    pub(super) fn nothing() -> Self {
        Self {
            what: What::Nothing {
                no_tree: PointerError::Null,
            },
            facts: Facts::default(),
        }
    }

    /// Looks where `x0` points, and where lists of ATAGs usually are. In place: the facts are
    /// large, and the boot stack is not.
    #[inline(never)]
    pub(super) fn find(&mut self, x0: u64) {
        let facts = &mut self.facts;
        self.what = match find_tree(x0) {
            Ok(TreeExtent { place, oddities }) => {
                for oddity in oddities.into_iter().flatten() {
                    facts.oddities.note(oddity);
                }
                device_tree::read(memory(place), facts);
                What::Tree(place)
            }
            Err(no_tree) => match find_atags(x0, no_tree) {
                Some(list) => {
                    atags::read(memory(list), facts);
                    let at = list.base();
                    What::Atags { at, no_tree }
                }
                None => What::Nothing { no_tree },
            },
        };
    }

    /// Its voice and its facts; `None` if nothing was handed over.
    pub(super) fn voice(&self) -> Option<(Voice, &Facts)> {
        match self.what {
            What::Tree(_) => Some((Voice::DeviceTree, &self.facts)),
            What::Atags { .. } => Some((Voice::Atags, &self.facts)),
            What::Nothing { .. } => None,
        }
    }

    /// Where the device tree lies.
    pub(super) const fn tree(&self) -> Option<PhysRange> {
        match self.what {
            What::Tree(place) => Some(place),
            What::Atags { .. } | What::Nothing { .. } => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(place) => write!(f, "device tree at {place}"),
            Self::Atags { no_tree, .. } | Self::Nothing { no_tree } => {
                write!(f, "no device tree: {no_tree}")
            }
        }
    }
}

fn ram_limit() -> PhysAddr {
    PhysAddr::new(raspi3::RAM_LIMIT)
}

/// The device tree that x0 points to.
fn find_tree(x0: u64) -> Result<TreeExtent, PointerError> {
    let tree = DeviceTree::validate_pointer(x0, ram_limit(), AtZero::Look)?;
    let first = phys_to_virt(tree.base()).as_usize() as *const [u8; HEADER_BYTES];
    // SAFETY: the pointer was validated: the header lies below the limit of RAM, all of which the
    // boot map has; nobody writes there yet.
    let header = unsafe { first.read() };
    tree.validate_header(&header)
}

/// The memory that can be read as a list of ATAGs: where x0 points, if that is why there is no
/// tree, or else where loaders leave one.
fn find_atags(x0: u64, no_tree: PointerError) -> Option<PhysRange> {
    let at = match (no_tree, usize::try_from(x0)) {
        (PointerError::Atags, Ok(at)) => PhysAddr::new(at),
        _ => raspi3::ATAGS,
    };
    let bytes = ram_limit().checked_sub(at)?.min(atags::MAX_BYTES);
    let list = PhysRange::new(at, bytes)?;
    let header = memory(list).first_chunk()?;
    atags::begins_list(header).then_some(list)
}

/// The bytes of a place below the limit of RAM, before anybody writes there.
fn memory(place: PhysRange) -> &'static [u8] {
    assert!(place.end() <= ram_limit(), "{place} is not in RAM");
    let first = phys_to_virt(place.base()).as_usize() as *const u8;
    // SAFETY: the boot map has all of RAM up to its limit; nobody has got any of it yet.
    unsafe { core::slice::from_raw_parts(first, place.size()) }
}
