//! Findings: faults and oddities of a map.

/// A fault or oddity of a map, with its address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The kind of fault or oddity.
    pub kind: FindingKind,
    /// The virtual address at which it was found.
    pub va: u64,
    /// The second address, for a frame that two addresses map.
    pub other: Option<u64>,
    /// The values that show it, in words: descriptors, frames, rights.
    pub what: String,
}

impl Finding {
    pub(crate) const fn new(kind: FindingKind, va: u64, what: String) -> Self {
        Self {
            kind,
            va,
            other: None,
            what,
        }
    }
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Protection or coherency is lost, or the tables are no tree.
    Fault,
    /// An encoding that the manual reserves or calls unpredictable, or a map that is not shown
    /// whole.
    Odd,
    /// A legal entry or register that explains a fault later.
    Note,
}

impl Severity {
    /// The severity as a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Odd => "odd",
            Self::Note => "note",
        }
    }
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// A leaf may be written and executed.
    WritableExecutable,
    /// A frame may be written by one address and executed by another.
    WritableAlias,
    /// A frame is mapped with two memory types (mismatched attributes): coherency is lost.
    MixedMemoryTypes,
    /// Device memory may be executed: a core may fetch from it speculatively, which has effects
    /// there.
    ExecutableDevice,
    /// A table that is its own descendant.
    Loop,
    /// A table outside of RAM.
    UnreadableTable,
    /// A leaf whose frame is above the last physical address (TCR_EL1.IPS).
    TooHigh,
    /// A contiguous hint that fails its condition: 16 aligned neighbours have it, with equal
    /// attributes and consecutive frames.
    BrokenGroup,
    /// Bits 0b01 at level 0 or 3.
    ReservedEncoding,
    /// A block whose address is no multiple of its size.
    MisalignedBlock,
    /// SH = 0b01, which is reserved, for Normal memory.
    ReservedShareability,
    /// AttrIndx selects a byte of MAIR_EL1 that is no memory type.
    ReservedMemoryType,
    /// A leaf of the high half to which EL0 has rights.
    UserInHighHalf,
    /// A leaf of the low half with nG = 0: every ASID hits its TLB entry.
    GlobalInLowHalf,
    /// A core whose MMU is on has other translation registers than the core that is shown.
    OtherRegisters,
    /// More tables than the walk reads.
    TooManyTables,
    /// More pieces than a map keeps.
    TooManyPieces,
    /// AF = 0: the first access faults (Armv8.0 cores do not set AF).
    NeverUsed,
    /// An entry that is not valid and not zero: the hardware ignores it, software keeps something
    /// there.
    SoftwareEntry,
}

impl FindingKind {
    /// The severity of findings of this kind.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::WritableExecutable
            | Self::WritableAlias
            | Self::MixedMemoryTypes
            | Self::ExecutableDevice
            | Self::Loop
            | Self::UnreadableTable
            | Self::TooHigh
            | Self::BrokenGroup => Severity::Fault,
            Self::ReservedEncoding
            | Self::MisalignedBlock
            | Self::ReservedShareability
            | Self::ReservedMemoryType
            | Self::UserInHighHalf
            | Self::GlobalInLowHalf
            | Self::TooManyTables
            | Self::TooManyPieces => Severity::Odd,
            Self::NeverUsed | Self::SoftwareEntry | Self::OtherRegisters => Severity::Note,
        }
    }

    /// The kind in words, as the page and the listing show it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::WritableExecutable => "writable and executable",
            Self::WritableAlias => "executable here, writable through another address",
            Self::MixedMemoryTypes => "one frame, two memory types",
            Self::ExecutableDevice => "executable device",
            Self::Loop => "a table that leads back to itself",
            Self::UnreadableTable => "a table outside of RAM",
            Self::TooHigh => "a frame above the last physical address",
            Self::BrokenGroup => "a contiguous group that is none",
            Self::ReservedEncoding => "an encoding that its level does not have",
            Self::MisalignedBlock => "a block whose address is no multiple of its size",
            Self::ReservedShareability => "a reserved shareability",
            Self::ReservedMemoryType => "a memory type that MAIR_EL1 does not define",
            Self::UserInHighHalf => "EL0 may use an address of the high half",
            Self::GlobalInLowHalf => "global, in the low half",
            Self::OtherRegisters => "a core that translates otherwise",
            Self::TooManyTables => "more tables than are looked at",
            Self::TooManyPieces => "more pieces than are shown",
            Self::NeverUsed => "access flag clear: the first access faults",
            Self::SoftwareEntry => "not valid, but not zero",
        }
    }
}
