//! The VideoCore, played by what a call asks of its environment: each look at the clock is a moment
//! in which it may act.
#![expect(unsafe_code, reason = "`Mailbox::query`")]

use std::vec::Vec;

use tock_registers::interfaces::{Readable, Writeable};

use super::{
    ArmMemory, Clock, ClockRate, Mailbox, MailboxEnv, MailboxError, MemoryAnswer, PropertyBuffer,
    Question, TIMEOUT_US, Tag,
};
use crate::addr::PhysAddr;
use crate::drivers::mmio::fake::FakeRegisters;

const READ: usize = 0x00;
const STATUS0: usize = 0x18;
const WRITE: usize = 0x20;
const STATUS1: usize = 0x38;
const FULL: u32 = 1 << 31;
const EMPTY: u32 = 1 << 30;

const ADDRESS: PhysAddr = PhysAddr::new(0x0012_3440);
const WORD: u32 = 0xc012_3448;

/// The state of the VideoCore.
#[derive(Clone)]
enum Act {
    /// Nothing is in mailbox 0.
    Silence,
    /// This word is in mailbox 0.
    Post(u32),
    /// The buffer's words are set, and its address is in mailbox 0.
    Answer(&'static [(usize, u32)]),
    /// The address alone is in mailbox 0.
    AnswerWithoutWriting,
}

/// An operation of the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    CleanInvalidate,
    Invalidate,
    Barrier,
}

struct VideoCore {
    registers: &'static FakeRegisters<16>,
    now_us: u64,
    script: Vec<Act>,
    asked: Vec<Asked>,
    /// The words that the VideoCore wrote, and that the caches still hide.
    hidden: Vec<(usize, u32)>,
    moments: u64,
}

impl VideoCore {
    fn new(script: &[Act]) -> Self {
        let registers = FakeRegisters::leak();
        registers.set(STATUS0, EMPTY);
        registers.set(STATUS1, EMPTY);
        Self {
            registers,
            now_us: u64::MAX / 2,
            script: script.to_vec(),
            asked: Vec::new(),
            hidden: Vec::new(),
            moments: 0,
        }
    }

    fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.registers.view())
    }

    fn invalidations(&self) -> usize {
        let invalidations = self
            .asked
            .iter()
            .filter(|asked| **asked == Asked::Invalidate);
        invalidations.count()
    }

    fn post(&self, word: u32) {
        self.registers.set(READ, word);
        self.registers.set(STATUS0, 0);
    }
}

impl VideoCore {
    /// A look at the clock.
    fn now_us(&mut self) -> u64 {
        self.now_us += 1000;
        self.moments += 1;
        assert!(self.moments < 10_000, "the call does not end");
        // The script begins when the request is there.
        if self.registers.get(WRITE) != 0 && !self.script.is_empty() {
            match self.script.remove(0) {
                Act::Silence => self.registers.set(STATUS0, EMPTY),
                Act::Post(word) => self.post(word),
                Act::AnswerWithoutWriting => self.post(self.registers.get(WRITE)),
                Act::Answer(words) => {
                    self.hidden.extend(words);
                    self.post(self.registers.get(WRITE));
                }
            }
        }
        self.now_us
    }
}

impl MailboxEnv for VideoCore {
    type Wait = u64;

    fn begin_wait(&mut self) -> u64 {
        self.now_us()
    }

    fn waited_us(&mut self, began_us: &mut u64) -> u64 {
        self.now_us() - *began_us
    }

    fn clean_invalidate(&mut self, _: &PropertyBuffer) {
        self.asked.push(Asked::CleanInvalidate);
    }

    fn invalidate(&mut self, buffer: &PropertyBuffer) {
        self.asked.push(Asked::Invalidate);
        for (index, value) in self.hidden.drain(..) {
            buffer.word(index).set(value);
        }
    }

    fn barrier(&mut self) {
        self.asked.push(Asked::Barrier);
    }
}

/// Asks for the ARM's memory.
fn query(script: &[Act]) -> (Result<MemoryAnswer, MailboxError>, VideoCore) {
    let mut videocore = VideoCore::new(script);
    let mut buffer = PropertyBuffer::new();
    let mailbox = videocore.mailbox();
    // SAFETY: this VideoCore writes through the reference that it is given, whatever the address.
    let answer = unsafe {
        mailbox.query(
            &Question::of(ArmMemory),
            &mut buffer,
            ADDRESS,
            &mut videocore,
        )
    };
    (answer.map(ArmMemory::decode), videocore)
}

const GOOD: Act = Act::Answer(&[(1, 0x8000_0000), (4, 0x8000_0008), (5, 0), (6, 0x3c00_0000)]);
const MEMORY: MemoryAnswer = MemoryAnswer {
    base: 0,
    size: 0x3c00_0000,
};

#[test]
fn a_good_answer_is_read_after_the_cache_lines_are_dropped() {
    let (answer, videocore) = query(&[Act::Silence, GOOD]);
    assert_eq!(answer, Ok(MEMORY));
    assert_eq!(videocore.registers.get(WRITE), WORD);
    assert_eq!(
        videocore.asked,
        [
            Asked::CleanInvalidate,
            Asked::Barrier,
            Asked::Invalidate,
            Asked::Barrier
        ]
    );
}

#[test]
fn several_tags_are_answered_in_one_call() {
    let mut videocore = VideoCore::new(&[Act::Answer(&[
        (1, 0x8000_0000),
        (4, 0x8000_0008),
        (6, 0x3b40_0000),
        (10, 0x8000_0008),
        (12, 48_000_000),
    ])]);
    let mut buffer = PropertyBuffer::new();
    let memory = buffer.push(ArmMemory).expect("room");
    let clock = buffer.push(ClockRate(Clock::Uart)).expect("room");
    let mailbox = videocore.mailbox();
    // SAFETY: this VideoCore writes through the reference that it is given, whatever the address.
    let result = unsafe { mailbox.call(&mut buffer, ADDRESS, &mut videocore) };
    assert_eq!(result, Ok(()));
    assert_eq!(
        buffer.answer(memory).map(|memory| memory.size),
        Ok(0x3b40_0000)
    );
    assert_eq!(buffer.answer(clock), Ok(48_000_000));
}

#[test]
fn silence_ends_the_call_with_the_time_that_it_took() {
    let (answer, videocore) = query(&[]);
    let Err(MailboxError::NoAnswer { waited_us }) = answer else {
        panic!("{answer:?}");
    };
    assert!((TIMEOUT_US..TIMEOUT_US + 10_000).contains(&waited_us));
    assert!(!videocore.asked.contains(&Asked::Invalidate));
}

#[test]
fn a_mailbox_that_stays_full_ends_the_call_before_it_is_sent() {
    let mut videocore = VideoCore::new(&[]);
    videocore.registers.set(STATUS1, FULL);
    let mut buffer = PropertyBuffer::new();
    let mailbox = videocore.mailbox();
    // SAFETY: this VideoCore writes through the reference that it is given, whatever the address.
    let answer = unsafe {
        mailbox.query(
            &Question::of(ArmMemory),
            &mut buffer,
            ADDRESS,
            &mut videocore,
        )
    };
    let Err(MailboxError::FullTimeout { waited_us }) = answer else {
        panic!("{answer:?}");
    };
    assert!((TIMEOUT_US..TIMEOUT_US + 10_000).contains(&waited_us));
    assert_eq!(videocore.registers.get(WRITE), 0);
}

#[test]
fn answers_to_others_are_dropped_while_waiting() {
    let (answer, videocore) = query(&[
        Act::Post(WORD & !0xf | 1),
        Act::Post(WORD + 0x100),
        Act::Post(WORD & !0xc000_0000),
        Act::Silence,
        GOOD,
    ]);
    assert_eq!(answer, Ok(MEMORY));
    // The buffer is not even looked at for them.
    assert_eq!(videocore.invalidations(), 1);
    let (answer, _) = query(&[Act::Post(WORD & !0xf | 1)]);
    assert!(matches!(answer, Err(MailboxError::NoAnswer { .. })));
}

#[test]
fn a_late_answer_to_a_call_that_gave_up_is_not_taken_for_this_one() {
    let (answer, videocore) = query(&[Act::AnswerWithoutWriting, Act::Silence, GOOD]);
    assert_eq!(answer, Ok(MEMORY));
    assert_eq!(videocore.invalidations(), 2);
}

#[test]
fn a_failed_request_gives_its_code() {
    let (answer, _) = query(&[Act::Answer(&[(1, 0x8000_0001), (4, 0x8000_0008)])]);
    assert_eq!(answer, Err(MailboxError::WrongCode { code: 0x8000_0001 }));
}

#[test]
fn a_tag_that_is_not_answered_is_no_answer_whatever_the_whole_says() {
    let unanswered = Err(MailboxError::TagNotAnswered { tag: 0x1_0005 });
    let (answer, _) = query(&[Act::Answer(&[(1, 0x8000_0000)])]);
    assert_eq!(answer, unanswered);
    let (answer, _) = query(&[Act::Answer(&[(1, 0x8000_0000), (2, 7), (4, 0x8000_0008)])]);
    assert_eq!(answer, unanswered);
}

#[test]
fn an_answer_too_short_gives_both_lengths() {
    let (answer, _) = query(&[Act::Answer(&[(1, 0x8000_0000), (4, 0x8000_0004)])]);
    let short = MailboxError::ShortAnswer {
        tag: 0x1_0005,
        bytes: 4,
        expected: 8,
    };
    assert_eq!(answer, Err(short));
}

#[test]
fn a_buffer_that_the_videocore_cannot_reach_is_refused() {
    for address in [0x4000_0000, 0x1_0000_0000, 0xffff_0000_0012_3440, 0x12_3460] {
        let address = PhysAddr::new(address);
        assert_eq!(
            super::request_word(address),
            Err(MailboxError::BadAddress { address })
        );
    }
    assert_eq!(
        super::request_word(PhysAddr::new(0x3fff_ffc0)),
        Ok(0xffff_ffc8)
    );
}

#[test]
fn a_buffer_can_be_used_again() {
    let mut videocore = VideoCore::new(&[GOOD]);
    let mut buffer = PropertyBuffer::new();
    let mailbox = videocore.mailbox();
    for _ in 0..2 {
        videocore.script = [GOOD].to_vec();
        // SAFETY: this VideoCore writes through the reference that it is given, whatever the
        // address.
        let answer = unsafe {
            mailbox.query(
                &Question::of(ArmMemory),
                &mut buffer,
                ADDRESS,
                &mut videocore,
            )
        };
        assert_eq!(answer.map(ArmMemory::decode), Ok(MEMORY));
        assert_eq!(buffer.word(0).get(), 36);
    }
}
