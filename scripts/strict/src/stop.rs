//! The ends of a run that the image did not ask for.

use thiserror::Error;

use crate::board::BoardError;

/// The machine cannot go on.
#[derive(Debug, Error)]
pub enum Stop {
    /// An instruction that is not modelled.
    #[error("core {core} at {at:#x}: the instruction {text} is not modelled")]
    Instruction {
        /// The core's number.
        core: usize,
        /// The instruction's virtual address.
        at: u64,
        /// The instruction as text.
        text: String,
    },
    /// A system register that is not modelled, or a use of one.
    #[error("core {core} at {at:#x}: {register} is not modelled")]
    Register {
        /// The core's number.
        core: usize,
        /// The instruction's virtual address.
        at: u64,
        /// The register or its encoding, and where needed its value.
        register: String,
    },
    /// A device, or a register of one, that is not modelled.
    #[error("core {core} at {at:#x}: {source}")]
    Device {
        /// The core's number.
        core: usize,
        /// The instruction's virtual address.
        at: u64,
        /// What the board says.
        source: BoardError,
    },
    /// A translation granule that the Cortex-A53 does not have (DDI 0500 4.3.27, TGran16).
    #[error(
        "core {core} at {at:#x}: TCR {tcr:#x} asks for a granule that the core lacks, 16 KiB or none"
    )]
    Granule {
        /// The core's number.
        core: usize,
        /// The instruction's virtual address.
        at: u64,
        /// TCR's value.
        tcr: u64,
    },
    /// An exception whose vector does not execute: the core would take it for ever.
    #[error("core {core}: the exception vector {at:#x} does not execute (syndrome {syndrome:#x})")]
    Vector {
        /// The core's number.
        core: usize,
        /// The vector's address.
        at: u64,
        /// ESR_ELx of the exception that it takes.
        syndrome: u64,
    },
}

impl Stop {
    /// Whether the machine lacks something; else the image itself has come to an end.
    pub(crate) fn is_not_modelled(&self) -> bool {
        !matches!(self, Self::Vector { .. } | Self::Granule { .. })
    }

    /// The address of the instruction that the machine stopped at.
    #[must_use]
    pub fn at(&self) -> u64 {
        match self {
            Self::Instruction { at, .. }
            | Self::Register { at, .. }
            | Self::Device { at, .. }
            | Self::Granule { at, .. }
            | Self::Vector { at, .. } => *at,
        }
    }
}
