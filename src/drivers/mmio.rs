//! [`Mmio`]: a block of device registers at an address.
//!
//! Owns the only step from a number to a reference to registers. A driver takes an
//! `Mmio<Registers>` and is safe from there on; the unsafe constructor's caller vouches for the
//! address.
#![expect(unsafe_code, reason = "device registers")]

use core::fmt;
use core::ops::Deref;

use crate::addr::VirtAddr;

/// A block of device registers, mapped at a fixed address for as long as the kernel runs.
///
/// # Invariants
///
/// The pointer is aligned for `T`, and `size_of::<T>()` bytes from it on are mapped and are the
/// registers that `T` describes, or memory that stands in for them, forever. `T` consists of
/// registers of the crate `tock-registers` and of padding: all access is volatile, of the
/// register's own width, and through a shared reference.
pub struct Mmio<T> {
    registers: *const T,
}

impl<T> Mmio<T> {
    /// The registers `T` at `base`, the address at which loads and stores reach them.
    ///
    /// # Safety
    ///
    /// `base` is aligned for `T`. From now on until the kernel ends, `size_of::<T>()` bytes at
    /// `base` are mapped, as device memory where they are a device, and nothing but registers of
    /// `T`'s layout is there. `T` consists of `tock-registers` registers and padding.
    #[must_use]
    pub const unsafe fn new(base: VirtAddr) -> Self {
        Self {
            registers: base.as_usize() as *const T,
        }
    }
}

impl<T> Clone for Mmio<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Mmio<T> {}

impl<T> fmt::Debug for Mmio<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mmio({:p})", self.registers)
    }
}

impl<T> Deref for Mmio<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the type's invariant: aligned, mapped and of this layout for as long as the
        // kernel runs, and never borrowed mutably because there is no `DerefMut`.
        unsafe { &*self.registers }
    }
}

// SAFETY: the invariant holds on every core, since all share the kernel's map, and a register
// belongs to no core that its block does not say.
unsafe impl<T> Send for Mmio<T> {}
// SAFETY: every access is one volatile load or store of a whole register, which the device takes
// one after the other. Steps of several accesses are not made atomic by this type: the drivers say
// which of their methods need an exclusive caller.
unsafe impl<T> Sync for Mmio<T> {}

#[cfg(test)]
pub(crate) mod fake {
    //! Memory that stands in for a device.

    use core::array;
    use std::boxed::Box;

    use tock_registers::interfaces::{Readable, Writeable};
    use tock_registers::registers::InMemoryRegister;

    use super::Mmio;
    use crate::addr::VirtAddr;

    /// `WORDS` 32-bit registers that hold what was written last.
    #[repr(C, align(64))]
    pub(crate) struct FakeRegisters<const WORDS: usize>([InMemoryRegister<u32>; WORDS]);

    impl<const WORDS: usize> FakeRegisters<WORDS> {
        /// All zero, and never freed: an [`Mmio`] is for ever.
        pub(crate) fn leak() -> &'static Self {
            Box::leak(Box::new(Self(array::from_fn(|_| InMemoryRegister::new(0)))))
        }

        /// This memory seen as the registers `T`.
        pub(crate) fn view<T>(&'static self) -> Mmio<T> {
            assert!(size_of::<T>() <= WORDS * 4 && align_of::<T>() <= 64);
            let base = VirtAddr::new(self.0.as_ptr().expose_provenance());
            // SAFETY: `leak` never frees it, and it was just seen to be aligned and large enough; a
            // word of an `InMemoryRegister` may be read and written through shared references.
            unsafe { Mmio::new(base) }
        }

        /// The register at `offset` bytes.
        pub(crate) fn get(&self, offset: usize) -> u32 {
            self.0[offset / 4].get()
        }

        /// Sets the register at `offset` bytes, as the device would.
        pub(crate) fn set(&self, offset: usize, value: u32) {
            self.0[offset / 4].set(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use tock_registers::interfaces::{Readable, Writeable};
    use tock_registers::register_structs;
    use tock_registers::registers::ReadWrite;

    use super::Mmio;
    use super::fake::FakeRegisters;

    register_structs! {
        Pair {
            (0x0 => first: ReadWrite<u32>),
            (0x4 => second: ReadWrite<u32>),
            (0x8 => @END),
        }
    }

    #[test]
    fn registers_lie_at_their_offsets_from_the_base() {
        let memory = FakeRegisters::<2>::leak();
        let pair: Mmio<Pair> = memory.view();
        memory.set(0x4, 7);
        pair.first.set(3);
        assert_eq!(memory.get(0x0), 3);
        assert_eq!(pair.second.get(), 7);
    }
}
