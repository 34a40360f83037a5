//! Which colour a piece has: a class of the style, for its rights and for its memory type.

use stilt_paging::MappingFlags;

use crate::memory_type::MemoryClass;
use crate::piece::Piece;

/// The colour of a piece by what anybody may do with it.
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

/// The colour of a memory type.
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
