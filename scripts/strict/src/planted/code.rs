//! The image's functions, as text to look for patterns in, and the image with other words.

use a64::decode;
use thiserror::Error;

use super::pattern::{Pattern, matches};
use super::words::replaced;
use crate::image::Image;
use crate::symbols::Symbols;

/// A change of the image: words of functions, and what takes their place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The name of the function, or of several, with `*` for any characters.
    pub(super) function: &'static str,
    /// The words that are changed: [`Pattern`].
    pub(super) find: &'static str,
    /// The words that take their place: [`replaced`]; or `swap`, if the pattern means two.
    pub(super) with: &'static str,
}

/// A cut that does not fit the image.
#[derive(Debug, Error)]
pub(super) enum CutError {
    /// No function has such words.
    #[error("{function}: no place is `{find}`")]
    NoPlace {
        function: &'static str,
        find: &'static str,
    },
    /// The text is no instruction that can be put there.
    #[error("`{0}` is no replacement")]
    Replacement(&'static str),
}

/// A function: its first physical address, its words, and each as text.
struct Function {
    name: String,
    first: u64,
    words: Vec<u32>,
    texts: Vec<String>,
}

/// The functions of an image.
pub(super) struct Code {
    functions: Vec<Function>,
}

impl Code {
    /// Reads the functions that have symbols.
    pub(super) fn read(image: &Image, symbols: &Symbols) -> Self {
        let functions = symbols.functions().filter_map(|(first, end, name)| {
            let words: Vec<u32> = (first..end)
                .step_by(4)
                .map_while(|address| image.word(address))
                .collect();
            let texts = words.iter().map(|word| decode(*word).to_string()).collect();
            (!words.is_empty()).then(|| Function {
                name: name.to_owned(),
                first,
                words,
                texts,
            })
        });
        Self {
            functions: functions.collect(),
        }
    }

    /// Each word: its function, its physical address, and its text.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, u64, &str)> {
        self.functions.iter().flat_map(|function| {
            let texts = function.texts.iter().enumerate();
            texts.map(|(index, text)| {
                let address = function.first + 4 * index as u64;
                (function.name.as_str(), address, text.as_str())
            })
        })
    }

    /// The changed words of cuts: physical addresses and new values.
    ///
    /// # Errors
    /// If a cut does not fit.
    pub(super) fn cut(&self, cuts: &[Cut]) -> Result<Vec<(u64, u32)>, CutError> {
        let mut changed = Vec::new();
        for cut in cuts {
            let pattern = Pattern::parse(cut.find);
            let before = changed.len();
            for function in &self.functions {
                if !matches(cut.function, &function.name) {
                    continue;
                }
                for place in pattern.places(&function.texts) {
                    let words = function.replace(&place, cut.with);
                    changed.extend(words.ok_or(CutError::Replacement(cut.with))?);
                }
            }
            if changed.len() == before {
                return Err(CutError::NoPlace {
                    function: cut.function,
                    find: cut.find,
                });
            }
        }
        Ok(changed)
    }
}

impl Function {
    /// The new words of one place.
    fn replace(&self, place: &[usize], with: &str) -> Option<Vec<(u64, u32)>> {
        let address = |index: usize| self.first + 4 * index as u64;
        if with == "swap" {
            let &[one, other] = place else {
                return None;
            };
            let words = [
                (address(one), self.words[other]),
                (address(other), self.words[one]),
            ];
            return Some(words.to_vec());
        }
        place
            .iter()
            .map(|index| Some((address(*index), replaced(self.words[*index], with)?)))
            .collect()
    }
}
