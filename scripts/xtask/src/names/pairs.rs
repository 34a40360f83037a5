//! Compression of texts: the most frequent pair of bytes becomes a byte of its own, repeatedly
//! (byte pair encoding).
//!
//! The texts' characters take the first of the 256 values, pairs take the others. The reader is
//! `stilt::exception::names`.

use std::collections::BTreeSet;

use stilt::exception::names::WAITING_MAX;

/// The number of values of a byte.
const VALUES: usize = 256;
/// The number of occurrences up to which a pair saves nothing, as it takes two bytes in the
/// dictionary.
const WORTHLESS: u32 = 2;

/// Compressed texts, and the dictionary.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Packed {
    /// The characters, by value from 0 on.
    pub(super) characters: Vec<u8>,
    /// The two halves of each following value.
    pub(super) pairs: Vec<(u8, u8)>,
    /// The compressed texts.
    pub(super) texts: Vec<Vec<u8>>,
}

/// Packs `texts`, which are ASCII.
pub(super) fn pack(texts: &[&str]) -> Packed {
    let characters: BTreeSet<u8> = texts.iter().flat_map(|text| text.bytes()).collect();
    let characters: Vec<u8> = characters.into_iter().collect();
    let value = |byte| {
        characters
            .iter()
            .position(|c| *c == byte)
            .unwrap_or_default() as u8
    };
    let mut packed = Packed {
        texts: texts
            .iter()
            .map(|text| text.bytes().map(value).collect())
            .collect(),
        pairs: Vec::new(),
        characters,
    };
    // For each value, the most values on the reader's stack while it expands this one, itself
    // included.
    let mut waiting = vec![1; packed.characters.len()];
    while waiting.len() < VALUES {
        let Some((first, second)) = most_frequent(&packed.texts, &waiting) else {
            break;
        };
        let pair = waiting.len() as u8;
        waiting.push(waits(&waiting, first, second));
        packed.pairs.push((first, second));
        for text in &mut packed.texts {
            replace(text, (first, second), pair);
        }
    }
    packed
}

/// The stack that a pair needs: the second half waits there while the first is expanded.
fn waits(waiting: &[usize], first: u8, second: u8) -> usize {
    waiting[usize::from(second)].max(waiting[usize::from(first)] + 1)
}

/// The most frequent pair, the smallest of equally frequent ones; none if no pair saves anything.
fn most_frequent(texts: &[Vec<u8>], waiting: &[usize]) -> Option<(u8, u8)> {
    let values = waiting.len();
    let mut counts = vec![0_u32; values * values];
    for text in texts {
        let mut previous = None;
        for two in text.windows(2) {
            let pair = (two[0], two[1]);
            // In a run of the same value only every other pair can be replaced.
            if previous == Some(pair) && pair.0 == pair.1 {
                previous = None;
            } else {
                counts[usize::from(pair.0) * values + usize::from(pair.1)] += 1;
                previous = Some(pair);
            }
        }
    }
    let mut best = None;
    let mut most = WORTHLESS;
    for (index, count) in counts.into_iter().enumerate() {
        let pair = ((index / values) as u8, (index % values) as u8);
        if count > most && waits(waiting, pair.0, pair.1) <= WAITING_MAX {
            (best, most) = (Some(pair), count);
        }
    }
    best
}

fn replace(text: &mut Vec<u8>, (first, second): (u8, u8), pair: u8) {
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        if text[from..].starts_with(&[first, second]) {
            text[to] = pair;
            from += 2;
        } else {
            text[to] = text[from];
            from += 1;
        }
        to += 1;
    }
    text.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::pack;

    fn unpack(value: u8, packed: &super::Packed, out: &mut String) {
        match usize::from(value).checked_sub(packed.characters.len()) {
            None => out.push(char::from(packed.characters[usize::from(value)])),
            Some(index) => {
                let (first, second) = packed.pairs[index];
                unpack(first, packed, out);
                unpack(second, packed, out);
            }
        }
    }

    #[test]
    fn packed_texts_are_what_they_were() {
        let texts = [
            "mm::heap::init",
            "mm::heap::usage",
            "aaaaaaaaaaa",
            "",
            "mm::heap::init",
        ];
        let packed = pack(&texts);
        for (text, bytes) in texts.iter().zip(&packed.texts) {
            let mut found = String::new();
            for byte in bytes {
                unpack(*byte, &packed, &mut found);
            }
            assert_eq!(found, *text);
        }
        assert!(packed.texts[0].len() < 6, "{packed:?}");
    }

    #[test]
    fn nothing_is_packed_as_nothing() {
        assert_eq!(pack(&[]), super::Packed::default());
        assert_eq!(pack(&["abc"]).pairs, []);
    }
}
