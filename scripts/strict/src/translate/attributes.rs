//! Memory types: DDI 0487 D24.2.97 (MAIR_EL1).

/// The memory type of an access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MemoryType {
    /// Device; the number is MAIR's `dd` field: 0 nGnRnE, 1 nGnRE, 2 nGRE, 3 GRE.
    Device(u8),
    /// Normal, not cached by the inner or the outer cache.
    NonCacheable,
    /// Normal and cached. Write-through counts as well: the Cortex-A53 has no write-through
    /// (DDI 0500 6.2.4 treats it as non-cacheable).
    WriteBack,
}

impl MemoryType {
    /// Device-nGnRnE, the type of every data access while the MMU is off.
    pub(crate) const DEVICE_STRONG: Self = Self::Device(0);

    /// The type that one byte of MAIR names.
    pub(crate) fn of_attribute(byte: u8) -> Self {
        match (byte >> 4, byte & 0xf) {
            (0, low) => Self::Device(low >> 2 & 3),
            // Inner and outer write-back, whatever their allocation hints.
            (outer, inner) if outer & 0b0100 != 0 && inner & 0b0100 != 0 && outer != 0b0100 => {
                Self::WriteBack
            }
            _ => Self::NonCacheable,
        }
    }

    /// Whether the type is Device.
    pub(crate) fn is_device(self) -> bool {
        matches!(self, Self::Device(_))
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryType;

    #[test]
    fn bytes_of_mair_name_types() {
        assert_eq!(MemoryType::of_attribute(0x00), MemoryType::Device(0));
        assert_eq!(MemoryType::of_attribute(0x04), MemoryType::Device(1));
        assert_eq!(MemoryType::of_attribute(0x0c), MemoryType::Device(3));
        assert_eq!(MemoryType::of_attribute(0x44), MemoryType::NonCacheable);
        assert_eq!(MemoryType::of_attribute(0xff), MemoryType::WriteBack);
        // Write-through is non-cacheable on this core.
        assert_eq!(MemoryType::of_attribute(0xbb), MemoryType::NonCacheable);
    }
}
