//! What is wrong or odd in a map.

/// Something that whoever looks at a map should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The address that it is about.
    pub va: u64,
    /// The other address, where there are two.
    pub other: Option<u64>,
    /// The values that it was found by, in words.
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

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Protection or coherency is lost, or the tables are no tree.
    Fault,
    /// The manual does not foresee it.
    Odd,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Odd => "odd",
            Self::Note => "note",
        }
    }
}

/// What a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FindingKind {
    /// A leaf may be written and executed.
    WritableExecutable,
    /// A frame may be written by one address and executed by another.
    WritableAlias,
    /// A frame is mapped with two memory types.
    MixedMemoryTypes,
    /// Device memory may be executed: a core may fetch from it ahead of time.
    ExecutableDevice,
    /// A table that is reached from itself.
    Loop,
    /// A table outside of RAM.
    UnreadableTable,
    /// A leaf above the last physical address.
    TooHigh,
    /// Some of 16 neighbours have the contiguous hint, or they do not belong together.
    BrokenGroup,
    /// Bits 0b01 at level 0 or 3.
    ReservedEncoding,
    /// A block whose address is no multiple of its size.
    MisalignedBlock,
    /// SH = 0b01.
    ReservedShareability,
    /// AttrIndx names a byte of MAIR_EL1 that means nothing.
    ReservedMemoryType,
    /// A leaf of the high half that EL0 may use.
    UserInHighHalf,
    /// A leaf of the low half that every ASID has.
    GlobalInLowHalf,
    /// A core translates by other registers than the one that is shown.
    OtherRegisters,
    /// More tables than are looked at.
    TooManyTables,
    /// More pieces than are shown.
    TooManyPieces,
    /// AF = 0.
    NeverUsed,
    /// Not valid, and not zero.
    SoftwareEntry,
}

impl FindingKind {
    /// How bad it is.
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

    /// In words.
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
