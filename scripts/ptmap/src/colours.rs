//! Colours of pieces: classes of the style sheet, by rights and by memory type.

use stilt_paging::MappingFlags;

use crate::memory_type::MemoryClass;
use crate::piece::Piece;

/// The class for the rights of a piece, those of EL1 and EL0 together.
pub(crate) fn rights_class(piece: &Piece) -> &'static str {
    let rights = piece.rights();
    let any = rights.kernel | rights.user;
    match (
        any.contains(MappingFlags::WRITE),
        any.contains(MappingFlags::EXECUTE),
    ) {
        _ if !piece.is_valid() => "r-no",
        (true, true) => "r-wx",
        (true, false) => "r-rw",
        (false, true) => "r-rx",
        (false, false) => "r-ro",
    }
}

/// The class for a memory type.
pub(crate) const fn memory_class(class: MemoryClass) -> &'static str {
    match class {
        MemoryClass::WriteBack => "t-wb",
        MemoryClass::OtherCached => "t-oc",
        MemoryClass::NonCacheable => "t-nc",
        MemoryClass::DeviceEarly => "t-de",
        MemoryClass::DeviceStrict => "t-ds",
        MemoryClass::Reserved => "t-re",
    }
}
