//! The flat image, which the firmware copies to 0x80000, made from the linked ELF file, and the
//! conditions that it must meet.
//!
//! The arm64 Image header is described in Linux's "Booting AArch64 Linux", section 4.
//!
//! # Decisions
//! - Segments are placed by their *physical* address (`p_paddr`): the virtual one is
//!   `KERNEL_VA_OFFSET` higher.
//! - The conversion is done here and not by objcopy: a system has GNU's, LLVM's or none, and
//!   the header and the size have to be checked in any case.

use std::ops::Range;

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use thiserror::Error;

/// The physical address at which every loader places the image; also the header's `text_offset`.
const LOAD_ADDRESS: u64 = 0x8_0000;
/// The largest `kernel8.img`, in bytes: the one place that states it.
///
/// The image has to lie in the first 2 MiB, which the boot tables map in 4 KiB pages (`linker.ld`
/// asserts it), with `.bss`, stacks and boot tables behind it and the firmware's pages in front;
/// and each 100 KiB take nine seconds to send over the console's 115200 baud, as loaders do that
/// boot from it. The kernel without its lab fits in 512 KiB; the lab at the prompt (address spaces,
/// explanations, scripts) has 128 KiB more. It holds the names of all functions and as many lines
/// as `NAMES_SIZE` of `linker.ld` has bytes for.
pub(crate) const SIZE_LIMIT: usize = 640 * 1024;
/// The end of the board's RAM, above which no segment may lie.
const RAM_END: u64 = 0x4000_0000;

const HEADER_LENGTH: usize = 64;
const TEXT_OFFSET: Range<usize> = 8..16;
const IMAGE_SIZE: Range<usize> = 16..24;
const FLAGS: Range<usize> = 24..32;
const MAGIC: Range<usize> = 56..60;
/// The header's flags: little endian, 4 KiB pages, and a fixed place at `text_offset` (bit 3
/// clear).
const FLAGS_WANTED: u64 = 0b0010;

/// Reasons why an ELF file makes no image.
#[derive(Debug, Error)]
pub(crate) enum ImageError {
    #[error("not an ELF file that can be read: {0}")]
    Elf(#[from] object::read::Error),
    #[error("there is nothing to load in it")]
    Empty,
    #[error("the segments at {first:#x} and at {second:#x} overlap")]
    Overlap { first: u64, second: u64 },
    #[error("the segment at {address:#x} with {size:#x} bytes is not in RAM")]
    Outside { address: u64, size: u64 },
    #[error("it begins at {found:#x}, but loaders put it at {LOAD_ADDRESS:#x}")]
    LoadAddress { found: u64 },
    #[error("it has {length} bytes, too few for the arm64 Image header of {HEADER_LENGTH}")]
    TooShort { length: usize },
    #[error("bytes 56 to 59 are {found:02x?}, not \"ARM\\x64\": there is no arm64 Image header")]
    Magic { found: Vec<u8> },
    #[error("the header's text_offset is {found:#x}, not {LOAD_ADDRESS:#x}")]
    TextOffset { found: u64 },
    #[error("the header's flags are {found:#b}, not {FLAGS_WANTED:#b}")]
    Flags { found: u64 },
    #[error(
        "the header's image_size is {found:#x}, but the kernel uses {needed:#x} bytes from its beginning on"
    )]
    ImageSize { found: u64, needed: u64 },
    #[error(
        "the image has {length} bytes, more than the limit of {SIZE_LIMIT}: change it here, SIZE_LIMIT in {}, whose \
         comment has the reason; or make NAMES_SIZE in linker.ld smaller",
        file!()
    )]
    TooLarge { length: usize },
}

/// The flat image, and its place in physical memory.
#[derive(Debug)]
pub(crate) struct FlatImage {
    /// The contents of the file: all segments, with zeros in the gaps.
    pub(crate) bytes: Vec<u8>,
    /// The physical address of the first byte.
    pub(crate) load_address: u64,
    /// The physical address behind the last byte that the kernel uses, `.bss` included.
    pub(crate) memory_end: u64,
}

struct Segment<'data> {
    address: u64,
    memory_size: u64,
    data: &'data [u8],
}

/// The loadable segments of `elf`, in the order of their physical addresses and with the gaps kept.
///
/// # Errors
/// The fault of the file's segments.
pub(crate) fn flatten(elf: &[u8]) -> Result<FlatImage, ImageError> {
    let segments = load_segments(elf)?;
    let mut image = FlatImage {
        bytes: Vec::new(),
        load_address: segments.first().ok_or(ImageError::Empty)?.address,
        memory_end: 0,
    };
    let mut previous = image.load_address;
    for segment in segments {
        if segment.address < image.memory_end {
            return Err(ImageError::Overlap {
                first: previous,
                second: segment.address,
            });
        }
        previous = segment.address;
        image.memory_end = segment.address + segment.memory_size;
        if !segment.data.is_empty() {
            // The casts do not truncate: RAM_END bounds every address.
            image
                .bytes
                .resize((segment.address - image.load_address) as usize, 0);
            image.bytes.extend_from_slice(segment.data);
        }
    }
    Ok(image)
}

fn load_segments(elf: &[u8]) -> Result<Vec<Segment<'_>>, ImageError> {
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    let mut segments = Vec::new();
    for program in header.program_headers(endian, elf)? {
        let (address, memory_size) = (program.p_paddr(endian), program.p_memsz(endian));
        if program.p_type(endian) != PT_LOAD || memory_size == 0 {
            continue;
        }
        if address
            .checked_add(memory_size)
            .is_none_or(|end| end > RAM_END)
        {
            return Err(ImageError::Outside {
                address,
                size: memory_size,
            });
        }
        let data = program
            .data(endian, elf)
            .map_err(|()| ImageError::Outside {
                address,
                size: memory_size,
            })?;
        segments.push(Segment {
            address,
            memory_size,
            data,
        });
    }
    segments.sort_by_key(|segment| segment.address);
    Ok(segments)
}

impl FlatImage {
    /// Whether loaders will place this image where it was linked, and leave the memory of its
    /// `.bss` and stacks free.
    ///
    /// # Errors
    /// The first field of the header that has another value than it must.
    pub(crate) fn check_header(&self) -> Result<(), ImageError> {
        let header = self
            .bytes
            .get(..HEADER_LENGTH)
            .ok_or(ImageError::TooShort {
                length: self.bytes.len(),
            })?;
        if header[MAGIC] != *b"ARM\x64" {
            return Err(ImageError::Magic {
                found: header[MAGIC].to_vec(),
            });
        }
        if self.load_address != LOAD_ADDRESS {
            return Err(ImageError::LoadAddress {
                found: self.load_address,
            });
        }
        let text_offset = field(header, TEXT_OFFSET);
        if text_offset != LOAD_ADDRESS {
            return Err(ImageError::TextOffset { found: text_offset });
        }
        let flags = field(header, FLAGS);
        if flags != FLAGS_WANTED {
            return Err(ImageError::Flags { found: flags });
        }
        let (found, needed) = (
            field(header, IMAGE_SIZE),
            self.memory_end - self.load_address,
        );
        if found < needed {
            return Err(ImageError::ImageSize { found, needed });
        }
        Ok(())
    }

    /// Whether the image is within [`SIZE_LIMIT`].
    ///
    /// # Errors
    /// [`ImageError::TooLarge`].
    pub(crate) fn check_size(&self) -> Result<(), ImageError> {
        let length = self.bytes.len();
        if length > SIZE_LIMIT {
            Err(ImageError::TooLarge { length })
        } else {
            Ok(())
        }
    }
}

fn field(header: &[u8], at: Range<usize>) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::{FlatImage, HEADER_LENGTH, ImageError, LOAD_ADDRESS, flatten};

    /// A segment for [`elf_with`]: physical address, size in memory, bytes in the file.
    type Load<'data> = (u64, u64, &'data [u8]);

    const OFFSET: u64 = 0xffff_0000_0000_0000;

    /// An ELF file with these segments and nothing else, laid out by hand from the ELF-64
    /// specification.
    fn elf_with(loads: &[Load<'_>]) -> Vec<u8> {
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        elf.extend([2, 0, 183, 0, 1, 0, 0, 0]); // e_type EXEC, e_machine AArch64, e_version
        for word in [LOAD_ADDRESS, 64, 0] {
            elf.extend(word.to_le_bytes()); // e_entry, e_phoff, e_shoff
        }
        elf.extend([
            0,
            0,
            0,
            0,
            64,
            0,
            56,
            0,
            loads.len() as u8,
            0,
            64,
            0,
            0,
            0,
            0,
            0,
        ]);
        let mut offset = 64 + 56 * loads.len() as u64;
        for (address, memory_size, data) in loads {
            elf.extend([1, 0, 0, 0, 5, 0, 0, 0]); // p_type LOAD, p_flags
            for word in [
                offset,
                address.wrapping_add(OFFSET),
                *address,
                data.len() as u64,
                *memory_size,
                4096,
            ] {
                elf.extend(word.to_le_bytes());
            }
            offset += data.len() as u64;
        }
        for (_, _, data) in loads {
            elf.extend(*data);
        }
        elf
    }

    fn header(image_size: u64) -> Vec<u8> {
        let mut header = vec![0; HEADER_LENGTH];
        header[8..16].copy_from_slice(&0x8_0000_u64.to_le_bytes());
        header[16..24].copy_from_slice(&image_size.to_le_bytes());
        header[24] = 2;
        header[56..60].copy_from_slice(&[0x41, 0x52, 0x4d, 0x64]);
        header
    }

    fn image_with(bytes: Vec<u8>) -> FlatImage {
        FlatImage {
            bytes,
            load_address: 0x8_0000,
            memory_end: 0x8_1000,
        }
    }

    #[test]
    fn segments_lie_at_their_physical_addresses_with_zeros_in_the_gaps() {
        let image = flatten(&elf_with(&[(0x8_0010, 4, b"data"), (0x8_0000, 4, b"text")])).unwrap();
        assert_eq!(image.bytes, b"text\0\0\0\0\0\0\0\0\0\0\0\0data");
        assert_eq!(image.load_address, 0x8_0000);
    }

    #[test]
    fn bss_is_counted_as_memory_but_takes_no_bytes() {
        let image = flatten(&elf_with(&[
            (0x8_0000, 4, b"text"),
            (0x8_1000, 0x5000, b"ab"),
            (0x8_8000, 0x100, b""),
        ]))
        .unwrap();
        assert_eq!(image.bytes.len(), 0x1002);
        assert_eq!(image.memory_end, 0x8_8100);
    }

    #[test]
    fn overlapping_or_unreachable_segments_are_refused() {
        let overlap = flatten(&elf_with(&[
            (0x8_0000, 0x20, b"text"),
            (0x8_0010, 4, b"data"),
        ]));
        assert!(
            matches!(
                overlap,
                Err(ImageError::Overlap {
                    first: 0x8_0000,
                    second: 0x8_0010
                })
            ),
            "{overlap:?}"
        );
        let high = flatten(&elf_with(&[(OFFSET, 4, b"text")]));
        assert!(
            matches!(
                high,
                Err(ImageError::Outside {
                    address: OFFSET,
                    ..
                })
            ),
            "{high:?}"
        );
        let past_the_end = flatten(&elf_with(&[(u64::MAX, 4, b"text")]));
        assert!(
            matches!(past_the_end, Err(ImageError::Outside { .. })),
            "{past_the_end:?}"
        );
    }

    #[test]
    fn what_is_no_elf_file_or_has_nothing_to_load_is_refused() {
        assert!(matches!(
            flatten(b"not an ELF file"),
            Err(ImageError::Elf(_))
        ));
        assert!(matches!(flatten(&elf_with(&[])), Err(ImageError::Empty)));
    }

    #[test]
    fn a_header_is_accepted_if_it_covers_all_memory_of_the_kernel() {
        image_with(header(0x1000)).check_header().unwrap();
        let short = image_with(header(0xfff)).check_header();
        assert!(
            matches!(
                short,
                Err(ImageError::ImageSize {
                    found: 0xfff,
                    needed: 0x1000
                })
            ),
            "{short:?}"
        );
    }

    #[test]
    fn each_wrong_field_of_the_header_is_named() {
        let broken = |at: usize| {
            let mut bytes = header(0x1000);
            bytes[at] ^= 1;
            image_with(bytes).check_header()
        };
        assert!(matches!(broken(59), Err(ImageError::Magic { .. })));
        assert!(matches!(
            broken(8),
            Err(ImageError::TextOffset { found: 0x8_0001 })
        ));
        assert!(matches!(broken(24), Err(ImageError::Flags { found: 3 })));
        assert!(matches!(
            image_with(vec![0; 63]).check_header(),
            Err(ImageError::TooShort { length: 63 })
        ));
        let elsewhere = FlatImage {
            load_address: 0,
            ..image_with(header(0x1000))
        };
        assert!(matches!(
            elsewhere.check_header(),
            Err(ImageError::LoadAddress { found: 0 })
        ));
    }

    #[test]
    fn the_size_limit_is_640_kib_to_the_byte() {
        image_with(vec![0; 655_360]).check_size().unwrap();
        assert!(matches!(
            image_with(vec![0; 655_361]).check_size(),
            Err(ImageError::TooLarge { length: 655_361 })
        ));
    }

    #[test]
    fn an_image_that_is_too_large_says_where_the_limit_is_changed() {
        let message = ImageError::TooLarge { length: 600_000 }.to_string();
        for part in [
            "600000",
            "655360",
            "change it here",
            "SIZE_LIMIT",
            "scripts/xtask/src/flat.rs",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
