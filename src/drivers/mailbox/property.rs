//! The message of the property channel: tags asked, and answered in place.
//!
//! ```text
//! word 0        bytes in all                  a tag: word 0   its number
//!      1        0 asked, 0x8000_0000 done            1   bytes of room for its value
//!      2...     tags                                 2   0 asked, bit 31 answered; 30:0 length
//!      after    0: no more tags                      3...  the value
//! ```
//!
//! # Decisions
//!
//! The words are volatile cells, since another processor writes them. Nothing that it wrote is
//! trusted: a position is that of the request, and tag, lengths and codes are compared with what
//! was asked.
#![forbid(unsafe_code)]

use core::fmt;
use core::marker::PhantomData;

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::InMemoryRegister;

use super::MailboxError;

/// Words of a buffer.
const WORDS: usize = 64;
/// Words of a value, asked or answered, at the most.
const VALUE_WORDS: usize = 3;
/// Where the code is, that of the whole buffer.
const CODE: usize = 1;
/// Where the first tag is.
const FIRST_TAG: usize = 2;
/// Words of a tag before its value.
const TAG_HEADER: usize = 3;

/// The code of a request.
const REQUEST: u32 = 0;
/// The code of an answer with which all is well.
const SUCCESS: u32 = 0x8000_0000;
/// In a tag's third word: this is an answer.
const ANSWERED: u32 = 1 << 31;

/// A question that the VideoCore answers, of at most three words, and an answer of as many. Each is
/// a type in `tags.rs`, so that an answer cannot be read as that of another.
pub trait Tag: Copy {
    /// The value of the answer.
    type Answer;

    /// The tag's number.
    const NUMBER: u32;
    /// Bytes of the answer, at most 12: three words.
    const ANSWER_BYTES: u32;

    /// The value that goes with the question; zero where there is none.
    fn value(self) -> [u32; VALUE_WORDS];

    /// Reads the answer, of which the first [`Tag::ANSWER_BYTES`] bytes count.
    fn decode(answer: [u32; VALUE_WORDS]) -> Self::Answer;
}

/// A tag without its type: one piece of code for all, where [`Tag`] alone would make one of each.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// [`Tag::NUMBER`].
    pub(super) number: u32,
    /// [`Tag::value`].
    pub(super) value: [u32; VALUE_WORDS],
    /// [`Tag::ANSWER_BYTES`].
    pub(super) answer_bytes: u32,
}

impl Question {
    /// The question of `tag`: number, value and length are kept; how to decode the answer is the
    /// caller's to know.
    pub fn of<T: Tag>(tag: T) -> Self {
        Self {
            number: T::NUMBER,
            value: tag.value(),
            answer_bytes: T::ANSWER_BYTES,
        }
    }
}

/// Where in its buffer a tag is. It is spent by [`PropertyBuffer::answer`], and belongs to the
/// buffer that gave it: in another one the answer is refused, unless that tag stands there too.
#[derive(Debug)]
pub struct Slot<T> {
    at: usize,
    tag: PhantomData<T>,
}

/// A message to the VideoCore and back, in 256 bytes.
///
/// It fills whole cache lines, so that dropping them drops nothing of anyone else's.
#[repr(C, align(64))]
pub struct PropertyBuffer {
    words: [InMemoryRegister<u32>; WORDS],
}

// An A53's line is 64 bytes, and the alignment of the type is too.
const _: () = assert!(size_of::<PropertyBuffer>() == 256 && align_of::<PropertyBuffer>() == 64);

impl PropertyBuffer {
    /// A message without a tag. It takes no bytes of the image: it is all zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            words: [const { InMemoryRegister::new(0) }; WORDS],
        }
    }

    /// Takes all tags out, and all answers: the buffer is a request again. Not while the VideoCore
    /// may still answer, which writes into it.
    pub fn clear(&mut self) {
        for word in &self.words {
            word.set(0);
        }
    }

    /// Adds `tag` after the others. To a buffer that came back with answers nothing can be added:
    /// [`PropertyBuffer::clear`] it first.
    ///
    /// # Errors
    ///
    /// [`MailboxError::BufferFull`].
    pub fn push<T: Tag>(&mut self, tag: T) -> Result<Slot<T>, MailboxError> {
        let at = self.push_question(&Question::of(tag))?;
        Ok(Slot {
            at,
            tag: PhantomData,
        })
    }

    /// [`PropertyBuffer::push`] for a tag of any type; gives its place.
    pub(super) fn push_question(&mut self, question: &Question) -> Result<usize, MailboxError> {
        let at = self.end();
        let value_at = at + TAG_HEADER;
        let end = value_at + VALUE_WORDS;
        if self.words[CODE].get() != REQUEST || end >= WORDS {
            let tag = question.number;
            return Err(MailboxError::BufferFull { tag });
        }
        self.words[at].set(question.number);
        self.words[at + 1].set(bytes(VALUE_WORDS));
        self.words[at + 2].set(REQUEST);
        for (word, value) in self.words[value_at..end].iter().zip(question.value) {
            word.set(value);
        }
        self.words[end].set(0);
        self.words[0].set(bytes(end + 1));
        Ok(at)
    }

    /// The answer to the tag that [`PropertyBuffer::push`] put at `slot` of this buffer.
    ///
    /// # Errors
    ///
    /// [`MailboxError::WrongCode`], [`MailboxError::TagNotAnswered`],
    /// [`MailboxError::ShortAnswer`].
    pub fn answer<T: Tag>(&self, slot: Slot<T>) -> Result<T::Answer, MailboxError> {
        self.answer_at(slot.at, T::NUMBER, T::ANSWER_BYTES)
            .map(T::decode)
    }

    /// The answer to tag number `tag` at `at`, which is to have `expected` bytes.
    pub(super) fn answer_at(
        &self,
        at: usize,
        tag: u32,
        expected: u32,
    ) -> Result<[u32; VALUE_WORDS], MailboxError> {
        if !self.is_answered()? {
            return Err(MailboxError::WrongCode { code: REQUEST });
        }
        let answer: [u32; TAG_HEADER + VALUE_WORDS] =
            core::array::from_fn(|index| self.words.get(at + index).map_or(0, Readable::get));
        let [number, _, code, value @ ..] = answer;
        if number != tag || code & ANSWERED == 0 {
            return Err(MailboxError::TagNotAnswered { tag });
        }
        let bytes = code & !ANSWERED;
        if bytes < expected {
            return Err(MailboxError::ShortAnswer {
                tag,
                bytes,
                expected,
            });
        }
        Ok(value)
    }

    /// Whether the VideoCore has been here.
    ///
    /// # Errors
    ///
    /// [`MailboxError::WrongCode`] if it has, and is not content.
    pub(super) fn is_answered(&self) -> Result<bool, MailboxError> {
        match self.words[CODE].get() {
            REQUEST => Ok(false),
            SUCCESS => Ok(true),
            code => Err(MailboxError::WrongCode { code }),
        }
    }

    /// Where the next tag goes: on the word that ends the list, which has been written by this side
    /// as long as the buffer is a request.
    fn end(&self) -> usize {
        let words = self.words[0].get() as usize / size_of::<u32>();
        words.saturating_sub(1).max(FIRST_TAG)
    }
}

impl Default for PropertyBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PropertyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.words.iter().map(Readable::get))
            .finish()
    }
}

/// The size in bytes of `words` words, of which there are at most [`WORDS`].
const fn bytes(words: usize) -> u32 {
    (words * size_of::<u32>()) as u32
}

#[cfg(test)]
impl PropertyBuffer {
    /// The word at `index`, as the VideoCore sees it.
    pub(super) fn word(&self, index: usize) -> &InMemoryRegister<u32> {
        &self.words[index]
    }
}

#[cfg(test)]
mod tests {
    use tock_registers::interfaces::{Readable, Writeable};

    use super::{PropertyBuffer, SUCCESS};
    use crate::drivers::mailbox::{ArmMemory, Clock, ClockRate, MailboxError, MemoryAnswer};

    #[test]
    fn two_tags_are_laid_out_as_the_firmware_reads_them() {
        let mut buffer = PropertyBuffer::new();
        buffer.push(ArmMemory).expect("room");
        buffer.push(ClockRate(Clock::Uart)).expect("room");
        let words = core::array::from_fn(|index| buffer.word(index).get());
        let memory = [0x1_0005, 12, 0, 0, 0, 0];
        let clock = [0x3_0002, 12, 0, 2, 0, 0];
        let [m0, m1, m2, m3, m4, m5] = memory;
        let [c0, c1, c2, c3, c4, c5] = clock;
        assert_eq!(
            words,
            [60, 0, m0, m1, m2, m3, m4, m5, c0, c1, c2, c3, c4, c5, 0]
        );
    }

    #[test]
    fn a_full_buffer_refuses_a_tag_and_stays_as_it_was() {
        let mut buffer = PropertyBuffer::new();
        let full = MailboxError::BufferFull { tag: 0x1_0005 };
        let pushed = (0..20).map_while(|_| buffer.push(ArmMemory).ok()).count();
        // 64 words less size, code and end, by 6 a tag.
        assert_eq!(pushed, 10);
        assert_eq!(buffer.word(0).get(), 4 * (2 + 6 * 10 + 1));
        assert_eq!(buffer.push(ArmMemory).err(), Some(full));
        assert_eq!(buffer.word(0).get(), 4 * (2 + 6 * 10 + 1));
    }

    #[test]
    fn nothing_is_added_to_a_buffer_that_the_videocore_has_written() {
        for size in [0, 1, 60, 0xffff_ffff] {
            let mut buffer = PropertyBuffer::new();
            buffer.word(0).set(size);
            buffer.word(1).set(SUCCESS);
            assert!(buffer.push(ArmMemory).is_err());
            buffer.clear();
            assert!(buffer.push(ArmMemory).is_ok());
        }
    }

    #[test]
    fn an_answer_is_not_read_before_there_is_one() {
        let mut buffer = PropertyBuffer::new();
        let slot = buffer.push(ArmMemory).expect("room");
        assert_eq!(
            buffer.answer(slot),
            Err(MailboxError::WrongCode { code: 0 })
        );
    }

    #[test]
    fn a_slot_of_another_buffer_gives_no_answer() {
        let mut other = PropertyBuffer::new();
        other.push(ClockRate(Clock::Arm)).expect("room");
        let slot = other.push(ArmMemory).expect("room");
        let buffer = PropertyBuffer::new();
        buffer.word(1).set(SUCCESS);
        let answer: Result<MemoryAnswer, _> = buffer.answer(slot);
        assert_eq!(answer, Err(MailboxError::TagNotAnswered { tag: 0x1_0005 }));
    }
}
