//! The kernel's image: its bytes and the address that they are loaded at.

use object::{Object, ObjectSection, ObjectSegment, SectionKind};
use thiserror::Error;

/// The default load address of a raw 64-bit image on a Raspberry Pi 3: 0x8_0000.
pub const LOAD_ADDRESS: u64 = 0x8_0000;

/// The largest image: what lies between the load address and the peripherals.
const MOST: u64 = 0x3f00_0000 - LOAD_ADDRESS;

/// The bits of an address in the upper half that are its physical address, if a linker script has
/// given none: those below the local block, the end of what the board has.
const LOW: u64 = 0x3fff_ffff;

/// The magic number of an arm64 Image header, at byte 56.
const MAGIC: &[u8] = b"ARM\x64";

/// An image that cannot be loaded.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The file has no bytes.
    #[error("the image is empty")]
    Empty,
    /// The image does not fit below the peripherals.
    #[error("the image has {0} bytes, and RAM from its load address up has {MOST}")]
    TooLarge(u64),
    /// The file begins like an ELF file and is none.
    #[error("the ELF file cannot be read: {0}")]
    Elf(#[from] object::Error),
    /// The ELF file is of another architecture.
    #[error("the ELF file is no AArch64 program")]
    Architecture,
    /// A segment of the ELF file does not lie in RAM.
    #[error("a segment at {0:#x} is not in RAM")]
    Segment(u64),
    /// The entry point is not in what is loaded.
    #[error("the entry point {0:#x} is not in the image")]
    Entry(u64),
}

/// A loaded image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Physical addresses and bytes.
    pub(crate) parts: Vec<(u64, Vec<u8>)>,
    /// The address of the first instruction.
    pub(crate) entry: u64,
}

impl Image {
    /// Reads a file: an ELF file (its segments by physical address), or a raw image, whose header, if
    /// it has one, may name an offset.
    ///
    /// # Errors
    /// If the file is no image that fits.
    pub fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        match bytes {
            [] => Err(ImageError::Empty),
            [0x7f, b'E', b'L', b'F', ..] => Self::elf(bytes),
            _ => Self::raw(bytes),
        }
    }

    fn raw(bytes: &[u8]) -> Result<Self, ImageError> {
        if bytes.len() as u64 > MOST {
            return Err(ImageError::TooLarge(bytes.len() as u64));
        }
        Ok(Self {
            parts: vec![(LOAD_ADDRESS, bytes.to_vec())],
            entry: LOAD_ADDRESS,
        })
    }

    fn elf(bytes: &[u8]) -> Result<Self, ImageError> {
        let file = Elf::parse(bytes)?;
        if file.architecture() != object::Architecture::Aarch64 {
            return Err(ImageError::Architecture);
        }
        let mut parts = Vec::new();
        for segment in file.segments() {
            let address = physical(segment.elf_program_header().p_paddr.get(file.endian()));
            let data = segment.data()?;
            let end = address.checked_add(segment.size());
            if end.is_none_or(|end| end > LOAD_ADDRESS + MOST) {
                return Err(ImageError::Segment(address));
            }
            if !data.is_empty() {
                parts.push((address, data.to_vec()));
            }
        }
        // A kernel in the high half may name a virtual entry: its segment tells the physical one.
        let named = entry_of(&file);
        let entry = file
            .segments()
            .find(|segment| named.wrapping_sub(segment.address()) < segment.size())
            .map(|segment| {
                let address = segment.elf_program_header().p_paddr.get(file.endian());
                physical(address) + (named - segment.address())
            })
            .ok_or(ImageError::Entry(named))?;
        Ok(Self { parts, entry })
    }

    /// Whether the image lies over the bytes below an address.
    pub(crate) fn lies_below(&self, end: u64) -> bool {
        self.parts.iter().any(|(first, _)| *first < end)
    }

    /// The instruction word at a physical address; none outside of the image.
    pub(crate) fn word(&self, address: u64) -> Option<u32> {
        self.parts.iter().find_map(|(first, bytes)| {
            let offset = usize::try_from(address.checked_sub(*first)?).ok()?;
            let word = bytes.get(offset..offset.checked_add(4)?)?;
            Some(u32::from_le_bytes(word.try_into().ok()?))
        })
    }

    /// The image with other words at these physical addresses; words outside of it are left out.
    #[must_use]
    pub(crate) fn with_words(&self, words: &[(u64, u32)]) -> Self {
        let mut image = self.clone();
        for (address, word) in words {
            for (first, bytes) in &mut image.parts {
                let offset = address.wrapping_sub(*first) as usize;
                if let Some(place) = bytes.get_mut(offset..offset.saturating_add(4)) {
                    place.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
        image
    }

    /// Whether the image has an arm64 Image header.
    #[must_use]
    pub fn has_header(&self) -> bool {
        let first = self.parts.first();
        first.is_some_and(|(_, bytes)| bytes.get(56..60) == Some(MAGIC))
    }
}
type Elf<'data> = object::read::elf::ElfFile64<'data, object::Endianness>;

/// The physical address of a segment. A script without `AT` repeats the virtual one, and what
/// `objcopy` makes of the file is loaded low all the same.
pub(crate) fn physical(address: u64) -> u64 {
    match address >> 63 {
        0 => address,
        _ => address & LOW,
    }
}

/// The address of the first instruction. A linker that is told none may name the section `.text`; the
/// board begins with the first byte of the image all the same: with the code that lies lowest.
fn entry_of(file: &Elf<'_>) -> u64 {
    let sections = file.sections();
    let code = sections.filter(|section| section.kind() == SectionKind::Text);
    code.map(|section| section.address())
        .fold(file.entry(), u64::min)
}

#[cfg(test)]
mod tests {
    use super::Image;

    const HEADERS: u64 = 64 + 56;

    /// An ELF file with one segment of eight bytes, entered at its second word.
    fn elf(linked: u64, loaded: u64) -> Vec<u8> {
        // 64 bits, little endian; an executable of AArch64, version 1.
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([2, 0, 183, 0, 1, 0, 0, 0]);
        // The entry, and where program and section headers lie.
        for word in [linked + 4, 64, 0] {
            bytes.extend(u64::to_le_bytes(word));
        }
        // No flags; the headers' sizes and numbers: one of a segment, none of sections.
        bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
        // PT_LOAD, readable and executable: place, addresses, sizes, alignment.
        bytes.extend([1, 0, 0, 0, 5, 0, 0, 0]);
        for word in [HEADERS, linked, loaded, 8, 8, 4] {
            bytes.extend(u64::to_le_bytes(word));
        }
        bytes.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        bytes
    }

    #[test]
    fn a_kernel_of_the_upper_half_is_loaded_and_entered_at_its_physical_address() {
        for (linked, loaded) in [
            // With load addresses, and without.
            (0xffff_ff80_0000_0000, 0x8_0000),
            (0xffff_0000_0008_0000, 0xffff_0000_0008_0000),
            (0x8_0000, 0x8_0000),
        ] {
            let image = Image::read(&elf(linked, loaded)).expect("an image");
            let parts = [(0x8_0000, vec![1, 2, 3, 4, 5, 6, 7, 8])];
            assert_eq!((image.entry, image.parts), (0x8_0004, parts.to_vec()));
        }
    }
}
