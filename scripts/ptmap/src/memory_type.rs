//! Memory types: the bytes of MAIR_EL1 (Arm DDI 0487 D24.2, MAIR_EL1).

use std::fmt;

/// A memory type: one byte of MAIR_EL1, outer attributes in bits 7:4 and inner ones in 3:0.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct MemoryType(pub u8);

/// A class of memory types, each with its colour on the page.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum MemoryClass {
    /// Normal, write-back in the inner and outer caches.
    WriteBack,
    /// Normal, cached in another way: write-through, transient, or in one of the caches alone.
    OtherCached,
    /// Normal, non-cacheable in the inner and outer caches (0x44).
    NonCacheable,
    /// Device-nGnRE, Device-nGRE, Device-GRE: early acknowledgement of writes is allowed.
    DeviceEarly,
    /// Device-nGnRnE (0x00): no gathering, no reordering, no early acknowledgement.
    DeviceStrict,
    /// A byte that is no memory type: its use is unpredictable.
    Reserved,
}

impl MemoryType {
    /// The class of the type.
    #[must_use]
    pub const fn class(self) -> MemoryClass {
        match (self.0 >> 4, self.0 & 0xf) {
            (0, 0) => MemoryClass::DeviceStrict,
            (0, 4 | 8 | 0xc) => MemoryClass::DeviceEarly,
            (0, _) | (_, 0) => MemoryClass::Reserved,
            (4, 4) => MemoryClass::NonCacheable,
            (0xc..=0xf, 0xc..=0xf) => MemoryClass::WriteBack,
            _ => MemoryClass::OtherCached,
        }
    }

    /// Whether it is Device memory: bits 7:4 are 0.
    #[must_use]
    pub const fn is_device(self) -> bool {
        self.0 >> 4 == 0
    }
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cached = |bits: u8| match bits {
            0b0100 => "non-cacheable",
            0b0000..=0b0011 => "write-through transient",
            0b0101..=0b0111 => "write-back transient",
            0b1000..=0b1011 => "write-through",
            _ => "write-back",
        };
        let (outer, inner) = (self.0 >> 4, self.0 & 0xf);
        match (outer, inner) {
            (0, 0b0000) => f.write_str("Device-nGnRnE"),
            (0, 0b0100) => f.write_str("Device-nGnRE"),
            (0, 0b1000) => f.write_str("Device-nGRE"),
            (0, 0b1100) => f.write_str("Device-GRE"),
            (0, _) | (_, 0) => write!(f, "unpredictable ({:#04x})", self.0),
            _ if cached(outer) == cached(inner) => write!(f, "Normal {}", cached(inner)),
            _ => write!(
                f,
                "Normal, inner {}, outer {}",
                cached(inner),
                cached(outer)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MemoryClass, MemoryType};

    #[test]
    fn memory_types_are_told_in_words_of_the_manual() {
        for (byte, words, class) in [
            (0x00, "Device-nGnRnE", MemoryClass::DeviceStrict),
            (0x04, "Device-nGnRE", MemoryClass::DeviceEarly),
            (0x0c, "Device-GRE", MemoryClass::DeviceEarly),
            (0x44, "Normal non-cacheable", MemoryClass::NonCacheable),
            (0xff, "Normal write-back", MemoryClass::WriteBack),
            (0xbb, "Normal write-through", MemoryClass::OtherCached),
            (
                0x4f,
                "Normal, inner write-back, outer non-cacheable",
                MemoryClass::OtherCached,
            ),
            (0x01, "unpredictable (0x01)", MemoryClass::Reserved),
            (0xf0, "unpredictable (0xf0)", MemoryClass::Reserved),
        ] {
            let found = MemoryType(byte);
            assert_eq!(
                (found.to_string(), found.class()),
                (words.to_owned(), class)
            );
        }
    }
}
