//! ATAGs: the list in which loaders described a machine before there were device trees. QEMU makes
//! one where it was given no tree, with the command line and the initial RAM disk of its user.
//!
//! Linux, arch/arm/include/uapi/asm/setup.h: each tag begins with its length in words, itself
//! included, and its number; all words are little-endian; a length of 0 ends the list.
//!
//! # Decisions
//! The list is nobody's to be trusted: every length is checked against what can be looked at, which
//! [`MAX_BYTES`] bounds. What stands before a tag that does not fit is kept; whether a RAM disk
//! comes behind it cannot be known then.
#![forbid(unsafe_code)]

use super::facts::{Facts, Oddity};

/// The most bytes of a list that are read: Linux wants it to lie in the first 16 KiB of RAM.
pub const MAX_BYTES: usize = 16 << 10;
/// Bytes from which a list is recognised, and of the header of every tag: its length in words and
/// its number.
pub const HEADER_BYTES: usize = 8;

const WORD: usize = 4;
/// Begins every list.
const CORE: u32 = 0x5441_0001;
/// Size and start of a range of RAM.
const MEMORY: u32 = 0x5441_0002;
/// Start and size of the initial RAM disk: by a virtual address, and by a physical one.
const INITRD: u32 = 0x5441_0005;
const INITRD_PHYSICAL: u32 = 0x5442_0005;
/// The command line, with a NUL.
const COMMAND_LINE: u32 = 0x5441_0009;

/// Whether these are the first bytes of a list: a core tag, with its three words or without.
#[must_use]
pub fn begins_list(header: &[u8; HEADER_BYTES]) -> bool {
    let words = TagWords(header);
    matches!((words.get(0), words.get(1)), (2 | 5, CORE))
}

/// Adds what the list in `bytes` says to `facts`; there may be more in memory than the list.
pub fn read(bytes: &[u8], facts: &mut Facts) {
    let mut at = 0;
    let mut has_initrd = false;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= HEADER_BYTES) {
        let (words, tag) = (TagWords(rest).get(0) as usize, TagWords(rest).get(1));
        if words == 0 {
            return;
        }
        let Some(body) = rest.get(HEADER_BYTES..words.saturating_mul(WORD)) else {
            return broken(Oddity::Atags { at, tag }, has_initrd, facts);
        };
        let numbers = (TagWords(body).get(0), TagWords(body).get(1));
        match (tag, body.len() / WORD) {
            (MEMORY, 2..) => {
                facts.memory_places += 1;
                facts.add_memory(numbers.1.into(), numbers.0.into());
            }
            (INITRD | INITRD_PHYSICAL, 2..) => {
                has_initrd = true;
                let start = u64::from(numbers.0);
                facts.add_initrd(start, start + u64::from(numbers.1));
            }
            (COMMAND_LINE, _) => facts.bootargs.set(body),
            (MEMORY | INITRD | INITRD_PHYSICAL, _) => {
                return broken(Oddity::Atags { at, tag }, has_initrd, facts);
            }
            _ => {}
        }
        at += words * WORD;
    }
    let tag = 0;
    broken(Oddity::Atags { at, tag }, has_initrd, facts);
}

/// Nothing behind can be read: there may have been a RAM disk, unless it was seen.
fn broken(oddity: Oddity, has_initrd: bool, facts: &mut Facts) {
    if has_initrd {
        facts.oddities.note(oddity);
    } else {
        facts.oddities.note_doubt(oddity);
    }
}

/// Bytes as words.
struct TagWords<'a>(&'a [u8]);

impl TagWords<'_> {
    /// Word `index`, or 0 behind the end.
    fn get(&self, index: usize) -> u32 {
        let (words, _) = self.0.as_chunks();
        u32::from_le_bytes(words.get(index).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::{COMMAND_LINE, CORE, HEADER_BYTES, INITRD, INITRD_PHYSICAL, MEMORY};
    use super::{begins_list, read};
    use crate::drivers::facts::{Facts, Oddity, Origin};
    use crate::drivers::range::range;
    use std::vec::Vec;

    fn tag(number: u32, body: &[u8]) -> Vec<u8> {
        let words = (HEADER_BYTES + body.len()).div_ceil(4) as u32;
        let mut tag = [words.to_le_bytes(), number.to_le_bytes()].concat();
        tag.extend(body);
        tag.resize(words as usize * 4, 0);
        tag
    }

    fn words(number: u32, body: &[u32]) -> Vec<u8> {
        let bytes: Vec<u8> = body.iter().flat_map(|word| word.to_le_bytes()).collect();
        tag(number, &bytes)
    }

    /// The list that QEMU writes: core, memory, disk, command line, end.
    fn list() -> Vec<u8> {
        [
            words(CORE, &[1, 0x1000, 0]),
            words(MEMORY, &[0x3c00_0000, 0]),
            words(INITRD_PHYSICAL, &[0x0800_0000, 0x12_3456]),
            tag(COMMAND_LINE, b"console=ttyAMA0 root=/dev/ram\0"),
            words(0x5441_0007, &[0xa0_2082, 0]),
            [0; 8].to_vec(),
        ]
        .concat()
    }

    fn facts(list: &[u8]) -> Facts {
        let mut facts = Facts::default();
        read(list, &mut facts);
        facts
    }

    #[test]
    fn a_list_gives_memory_disk_and_command_line() {
        let list = list();
        assert!(begins_list(list.first_chunk().expect("eight bytes")));
        let facts = facts(&list);
        assert_eq!(*facts.memory, [range(0, 0x3c00_0000)]);
        assert_eq!(facts.bootargs.as_str(), "console=ttyAMA0 root=/dev/ram");
        let [disk] = *facts.reservations else {
            panic!("{facts:?}");
        };
        assert_eq!(disk.range(), Some(range(0x0800_0000, 0x12_3456)));
        assert_eq!(disk.origin, Origin::Initrd);
        assert_eq!((facts.doubt(), facts.oddities.iter().count()), (None, 0));
    }

    #[test]
    fn anything_else_begins_no_list() {
        for (length, number) in [(0, CORE), (3, CORE), (5, MEMORY), (CORE, 5), (0, 0)] {
            let mut header = [0; HEADER_BYTES];
            header[..4].copy_from_slice(&length.to_le_bytes());
            header[4..].copy_from_slice(&number.to_le_bytes());
            assert!(!begins_list(&header), "{length:#x} {number:#x}");
        }
    }

    #[test]
    fn a_list_that_is_cut_off_keeps_what_stands_before_and_is_in_doubt() {
        let whole = list();
        let disk_ends = 20 + 16 + 16;
        for len in 0..whole.len() {
            let facts = facts(&whole[..len]);
            assert_eq!(facts.memory.len(), usize::from(len >= 36), "{len}");
            let has_disk = len >= disk_ends;
            assert_eq!(facts.reservations.len(), usize::from(has_disk), "{len}");
            // The length that ends the list is all that counts of its last tag.
            assert_eq!(facts.doubt().is_none(), has_disk, "{len}");
        }
    }

    #[test]
    fn a_tag_of_an_impossible_length_ends_the_list() {
        let core = words(CORE, &[1, 0x1000, 0]);
        for (length, number) in [
            (1, 0x1234),
            (u32::MAX, 0x1234),
            (100, INITRD_PHYSICAL),
            (3, INITRD),
        ] {
            let mut bytes = core.clone();
            bytes.extend(length.to_le_bytes());
            bytes.extend(number.to_le_bytes());
            bytes.extend([0; 64]);
            let facts = facts(&bytes);
            let oddity = Oddity::Atags {
                at: 20,
                tag: number,
            };
            assert_eq!(facts.doubt(), Some(oddity), "{length:#x}");
            assert!(facts.reservations.is_empty());
        }
    }

    #[test]
    fn a_disk_without_a_byte_is_told() {
        let list = [
            words(CORE, &[]),
            words(INITRD_PHYSICAL, &[0x1000, 0]),
            [0; 8].to_vec(),
        ];
        let facts = facts(&list.concat());
        let (start, end) = (0x1000, 0x1000);
        let oddities: Vec<_> = facts.oddities.iter().collect();
        assert_eq!(oddities, [&Oddity::InitrdEmpty { start, end }]);
    }
}
