//! Addresses: [`PhysAddr`] and [`VirtAddr`], which cannot be mixed up.
//!
//! Both are plain numbers of bytes with a private field. Arithmetic that could wrap returns an
//! `Option`; there is no silent wrap. Knows no board, no kernel layout and no page-table format.
//!
//! ```
//! use stilt_paging::addr::{PAGE_SIZE, VirtAddr};
//!
//! let va = VirtAddr::new(0xffff_0000_0008_1234);
//! assert_eq!(va.align_down(PAGE_SIZE), VirtAddr::new(0xffff_0000_0008_1000));
//! assert_eq!(va.checked_sub(VirtAddr::new(0xffff_0000_0008_0000)), Some(0x1234));
//! assert_eq!(VirtAddr::new(usize::MAX).checked_add(1), None);
//! assert_eq!(va.to_string(), "0xffff000000081234");
//! ```
#![forbid(unsafe_code)]

use core::fmt;

/// Bytes in a frame, a page and a table: 4 KiB, the one granule (base page size) of every format
/// here.
pub const PAGE_SIZE: usize = 4096;

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(transparent)]
        pub struct $name(usize);

        impl $name {
            /// Wraps a number of bytes, whatever it is: which addresses are valid depends on the
            /// format and is checked where the address is used.
            #[must_use]
            pub const fn new(raw: usize) -> Self {
                Self(raw)
            }

            /// The address as a number of bytes from 0, with all 64 bits as they were given.
            #[must_use]
            pub const fn as_usize(self) -> usize {
                self.0
            }

            /// The address `bytes` above this one, or `None` past 2^64 - 1, the last address that
            /// a number can hold.
            #[must_use]
            pub const fn checked_add(self, bytes: usize) -> Option<Self> {
                match self.0.checked_add(bytes) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The distance in bytes from `base` up to this address, or `None` if `base` lies
            /// above it.
            #[must_use]
            pub const fn checked_sub(self, base: Self) -> Option<usize> {
                self.0.checked_sub(base.0)
            }

            /// The nearest multiple of `alignment` at or below this address; `alignment` is a power
            /// of two, in bytes.
            #[must_use]
            pub const fn align_down(self, alignment: usize) -> Self {
                Self(self.0 & !(alignment - 1))
            }

            /// Whether this address is a multiple of `alignment`, which is a power of two, in
            /// bytes: 0 is a multiple of each.
            #[must_use]
            pub const fn is_aligned(self, alignment: usize) -> bool {
                self.0 & (alignment - 1) == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#018x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#018x}", self.0)
            }
        }
    };
}

address! {
    /// A physical address: what an entry of a page table, a device's DMA or the firmware names.
    /// Frames begin at multiples of [`PAGE_SIZE`].
    PhysAddr
}

address! {
    /// A virtual address: what a load, a store or an instruction fetch names, before the MMU
    /// translates it. Pages begin at multiples of [`PAGE_SIZE`].
    VirtAddr
}

#[cfg(test)]
mod tests {
    use super::{PhysAddr, VirtAddr};
    use std::format;

    #[test]
    fn nothing_wraps_at_either_end() {
        assert_eq!(VirtAddr::new(usize::MAX).checked_add(1), None);
        assert_eq!(PhysAddr::new(0).checked_sub(PhysAddr::new(1)), None);
        assert_eq!(
            PhysAddr::new(0x2000).checked_sub(PhysAddr::new(0x1000)),
            Some(0x1000)
        );
    }

    #[test]
    fn alignment_rounds_down_to_the_unit() {
        assert_eq!(
            VirtAddr::new(0x1fff).align_down(0x1000),
            VirtAddr::new(0x1000)
        );
        assert!(VirtAddr::new(0x20_0000).is_aligned(0x20_0000));
        assert!(!VirtAddr::new(0x20_1000).is_aligned(0x20_0000));
    }

    #[test]
    fn both_print_all_sixteen_digits() {
        assert_eq!(format!("{}", PhysAddr::new(0x8_0000)), "0x0000000000080000");
        assert_eq!(
            format!("{:?}", VirtAddr::new(0xffff_0000_0008_0000)),
            "VirtAddr(0xffff000000080000)"
        );
    }
}
