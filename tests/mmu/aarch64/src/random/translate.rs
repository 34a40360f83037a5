//! What AT instructions must find, by what a leaf's flags mean; and whether they do, everywhere.
//!
//! Source: Arm DDI 0487 D24.2.127 (PAR_EL1), D8.4 (access permissions), D24.2 (MAIR_EL1). The
//! encodings here are written by hand, apart from the format's own.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::backend::aarch64::{Access, address_translate};
use stilt_paging::format::aarch64::{A64PTE, LowHalf};
use stilt_paging::format::par::{MemoryAttributes, TranslationResult};
use stilt_paging::{Leaf, MappingFlags, PageSize, PagingMetaData};

use super::number::Numbers;
use crate::side::{MetaData, Side, Table};
use crate::wrong::{Mapped, Wrong};

const ACCESSES: [Access; 4] = [
    Access::KernelRead,
    Access::KernelWrite,
    Access::UserRead,
    Access::UserWrite,
];

/// PAR_EL1.FST without its level.
const TRANSLATION_FAULT: u8 = 0b00_0100;
const ACCESS_FLAG_FAULT: u8 = 0b00_1000;
const PERMISSION_FAULT: u8 = 0b00_1100;

/// PAR_EL1.SH: not shareable, outer and inner shareable.
const NONE: u64 = 0b00;
const OUTER: u64 = 0b10;
const INNER: u64 = 0b11;

/// What an AT instruction finds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// The access is allowed.
    Frame {
        /// The frame of 4 KiB.
        pa: PhysAddr,
        /// As a byte of MAIR_EL1.
        attributes: u8,
        /// As SH in a descriptor.
        shareability: u64,
    },
    /// It is not.
    Fault {
        /// As DFSC.
        status: u8,
    },
}

/// What was looked at.
#[derive(Clone, Copy, Default)]
pub(super) struct Checked {
    pub(super) leaves: usize,
    /// 4 KiB pages that they map.
    pub(super) pages: usize,
    /// Addresses next to a leaf where nothing is.
    pub(super) neighbours: u64,
    /// AT instructions.
    pub(super) translations: u64,
}

/// Looks at the first byte, the last and one between of every leaf, and at what is next to it.
pub(super) fn check_all<S: Side>(
    table: &Table<S>,
    numbers: &mut Numbers,
) -> Result<Checked, Wrong> {
    let mut checked = Checked::default();
    check_nowhere(table, &mut checked)?;
    let result = table.view().leaves(
        |leaf| match check_leaf(table, leaf, numbers, &mut checked) {
            Ok(()) => ControlFlow::Continue(()),
            Err(wrong) => ControlFlow::Break(wrong),
        },
    );
    match result {
        ControlFlow::Continue(()) => Ok(checked),
        ControlFlow::Break(wrong) => Err(wrong),
    }
}

fn check_leaf<S: Side>(
    table: &Table<S>,
    leaf: Leaf<A64PTE>,
    numbers: &mut Numbers,
    checked: &mut Checked,
) -> Result<(), Wrong> {
    let bytes = leaf.size.bytes();
    for offset in [0, bytes - 1, numbers.below(bytes)] {
        let va = VirtAddr::new(leaf.va.as_usize() + offset);
        let flags = leaf.flags();
        let expected = flags.intersects(MappingFlags::RIGHTS).then(|| Mapped {
            pa: PhysAddr::new(leaf.paddr().as_usize() + offset),
            flags,
            size: leaf.size,
        });
        let found = query(table, va);
        if found != expected {
            return Err(Wrong::Mapping {
                what: "all",
                va,
                expected,
                found,
            });
        }
        check_address(va, expected, level(leaf.size), checked)?;
    }
    checked.leaves += 1;
    checked.pages += bytes / PAGE_SIZE;
    for va in around(leaf.va, bytes) {
        if query(table, va).is_none() {
            checked.neighbours += 1;
            check_address(va, None, last_level(table, va), checked)?;
        }
    }
    Ok(())
}

/// Looks at both ends of the half and what is behind them.
fn check_nowhere<S: Side>(table: &Table<S>, checked: &mut Checked) -> Result<(), Wrong> {
    let size = 1 << MetaData::<S>::VA_MAX_BITS;
    let [first, last] = [0, size - 1].map(MetaData::<S>::vaddr_at);
    for va in around(first, size).chain([first, last]) {
        let mapped = query(table, va);
        let level = match mapped {
            Some(mapped) => level(mapped.size),
            None => last_level(table, va),
        };
        check_address(va, mapped, level, checked)?;
    }
    Ok(())
}

/// The addresses before and behind `bytes` from `va` on, as far as there are any.
fn around(va: VirtAddr, bytes: usize) -> impl Iterator<Item = VirtAddr> {
    let before = va.as_usize().checked_sub(1);
    let after = va.as_usize().checked_add(bytes);
    [before, after].into_iter().flatten().map(VirtAddr::new)
}

/// What `query` says.
fn query<S: Side>(table: &Table<S>, va: VirtAddr) -> Option<Mapped> {
    let (pa, flags, size) = table.query(va).ok()?;
    Some(Mapped { pa, flags, size })
}

/// The level at which a walk of `va` ends; 0 for an address that no tree translates.
fn last_level<S: Side>(table: &Table<S>, va: VirtAddr) -> usize {
    let mut level = 0;
    // An invalid address has no walk.
    let _ = table.view().trace(va, |visit| level = visit.level);
    level
}

/// The level of a leaf, in either half.
const fn level(size: PageSize) -> usize {
    MetaData::<LowHalf>::LEVELS - 1 - size.levels_below()
}

/// Asks the hardware about every access to `va`, whose walk ends at `level`.
fn check_address(
    va: VirtAddr,
    mapped: Option<Mapped>,
    level: usize,
    checked: &mut Checked,
) -> Result<(), Wrong> {
    for access in ACCESSES {
        checked.translations += 1;
        let expected = expected(mapped, level, access);
        let par = address_translate(va, access);
        if found(par) != expected {
            return Err(Wrong::Translation {
                va,
                access,
                mapped,
                expected,
                par,
            });
        }
    }
    Ok(())
}

/// What must be found.
fn expected(mapped: Option<Mapped>, level: usize, access: Access) -> Found {
    let fault = |status| Found::Fault {
        status: status | level as u8,
    };
    let Some(Mapped { pa, flags, .. }) = mapped else {
        return fault(TRANSLATION_FAULT);
    };
    if !flags.contains(MappingFlags::ACCESSED) {
        return fault(ACCESS_FLAG_FAULT);
    }
    let user = flags.contains(MappingFlags::USER);
    let allowed = match access {
        Access::KernelRead => true,
        Access::KernelWrite => flags.contains(MappingFlags::WRITE),
        Access::UserRead => user && flags.contains(MappingFlags::READ),
        Access::UserWrite => user && flags.contains(MappingFlags::WRITE),
    };
    if !allowed {
        return fault(PERMISSION_FAULT);
    }
    let memory_type = flags & MappingFlags::MEMORY_TYPE;
    let (attributes, shareability) = if memory_type == MappingFlags::MEMORY_TYPE {
        (0x00, OUTER)
    } else if memory_type == MappingFlags::DEVICE {
        (0x04, OUTER)
    } else if memory_type == MappingFlags::UNCACHED {
        (0x44, OUTER)
    } else {
        (0xff, INNER)
    };
    Found::Frame {
        pa: pa.align_down(PAGE_SIZE),
        attributes,
        shareability,
    }
}

/// What PAR_EL1 says.
const fn found(par: u64) -> Found {
    let result = TranslationResult(par);
    let Some(pa) = result.frame() else {
        return Found::Fault {
            status: result.fault_status(),
        };
    };
    let MemoryAttributes(attributes) = result.attributes();
    // What is not write-back is outer shareable whatever its descriptor says, and PAR_EL1 says so;
    // but older emulators (seen with 7.2) repeat the descriptor, which for this format has these.
    let shareability = match (attributes, par >> 7 & 0b11) {
        (0x00 | 0x04, NONE) | (0x44, INNER) => OUTER,
        (_, shareability) => shareability,
    };
    Found::Frame {
        pa,
        attributes,
        shareability,
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame {
                pa,
                attributes,
                shareability,
            } => write!(
                f,
                "frame {pa}, attributes {attributes:#04x}, SH {shareability}"
            ),
            Self::Fault { status } => write!(f, "fault, status {status:#04x}"),
        }
    }
}
