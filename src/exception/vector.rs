//! The sixteen vectors, and the one that was taken (DDI 0487 D1.3.1).
#![forbid(unsafe_code)]

use core::fmt;

/// The index of a vector: 0 to 15, in the table's order, which is its offset from VBAR_EL1 divided
/// by 0x80. The stub of each vector passes its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vector(pub u64);

/// The kind of exception that a vector is for: the index modulo 4. ESR_EL1 is written for a
/// synchronous exception and for an SError; an interrupt leaves it as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExceptionKind {
    /// Caused by an instruction: ESR tells.
    Synchronous,
    /// An interrupt: IRQ.
    Irq,
    /// A fast interrupt: FIQ.
    Fiq,
    /// An error that the memory system reports late.
    SError,
}

impl Vector {
    /// An IRQ taken from the kernel on SP_EL1 (offset 0x280): every interrupt is served from this
    /// one. The vector for an IRQ from EL0 only ends the run of the user's code.
    pub const KERNEL_IRQ: Self = Self(5);

    /// The kind of the exception, from the index alone; ESR_EL1, which interrupts leave as it was,
    /// is not needed.
    #[must_use]
    pub const fn kind(self) -> ExceptionKind {
        match self.0 % 4 {
            0 => ExceptionKind::Synchronous,
            1 => ExceptionKind::Irq,
            2 => ExceptionKind::Fiq,
            _ => ExceptionKind::SError,
        }
    }

    /// The state that the exception was taken from, for reports: exception level, stack pointer and
    /// execution state. `nowhere` from index 16 on, which no vector passes.
    #[must_use]
    pub const fn origin(self) -> &'static str {
        match self.0 / 4 {
            0 => "the kernel on SP_EL0",
            1 => "the kernel",
            2 => "EL0",
            3 => "EL0 in AArch32",
            _ => "nowhere",
        }
    }
}

impl fmt::Display for Vector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind() {
            ExceptionKind::Synchronous => "synchronous exception",
            ExceptionKind::Irq => "IRQ",
            ExceptionKind::Fiq => "FIQ",
            ExceptionKind::SError => "SError",
        };
        write!(f, "{kind} from {}", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::Vector;
    use std::string::ToString;

    #[test]
    fn the_kernels_own_vectors_are_four_to_seven() {
        assert_eq!(
            Vector(4).to_string(),
            "synchronous exception from the kernel"
        );
        assert_eq!(Vector(7).to_string(), "SError from the kernel");
        assert_eq!(Vector(9).to_string(), "IRQ from EL0");
        assert_eq!(Vector(2).to_string(), "FIQ from the kernel on SP_EL0");
    }
}
