//! The mailbox between the ARM and the VideoCore, and its property channel.
//!
//! BCM2835 ARM Peripherals does not cover it; the facts are those of the Raspberry Pi firmware
//! wiki, pages "Mailboxes" and "Mailbox property interface". Mailbox 0 carries words to the ARM,
//! mailbox 1 to the VideoCore: each has its own status. A word is a channel in bits 3:0, and on
//! channel 8 a buffer's address in bits 31:4.
//!
//! Owns one call: hand over a [`PropertyBuffer`], wait for it to come back. The caller brings the
//! time, the barriers and the cache maintenance ([`MailboxEnv`]), so that it works with the MMU on
//! or off.
//!
//! # Decisions
//!
//! - While waiting for room as well as for the answer, words that are nobody's answer here are
//!   taken out and dropped: a loader may have left them, and a full mailbox 0 stops the VideoCore.
//! - An answer whose buffer still holds a request is late, and belongs to an earlier call that gave
//!   up: the wait goes on.
#![expect(unsafe_code, reason = "an address that the VideoCore writes to")]

mod property;
mod tags;
mod units;

use core::fmt;

use tock_registers::interfaces::{Readable, Writeable};
use tock_registers::registers::{ReadOnly, ReadWrite, WriteOnly};
use tock_registers::{register_bitfields, register_structs};

pub use self::property::{PropertyBuffer, Question, Slot, Tag};
pub use self::tags::{
    ArmMemory, BoardMac, BoardModel, BoardRevision, BoardSerial, Clock, ClockRate,
    FirmwareRevision, MaxClockRate, MaxTemperature, MeasuredClockRate, MemoryAnswer, SetClockRate,
    Supply, Temperature, Throttled, VideoCoreMemory, Voltage,
};
pub use self::units::{MacAddress, Microvolts, MilliCelsius, Slowdown};
use super::mmio::Mmio;
use crate::addr::PhysAddr;

register_bitfields! { u32,
    /// Status, of either mailbox.
    STATUS [
        FULL OFFSET(31) NUMBITS(1) [],
        EMPTY OFFSET(30) NUMBITS(1) [],
    ],
}

register_structs! {
    /// Mailbox 0, to the ARM, and mailbox 1, to the VideoCore.
    pub Registers {
        (0x00 => mail0_read: ReadOnly<u32>),
        (0x04 => _reserved0),
        (0x10 => mail0_peek: ReadOnly<u32>),
        (0x14 => mail0_sender: ReadOnly<u32>),
        (0x18 => mail0_status: ReadOnly<u32, STATUS::Register>),
        (0x1c => mail0_config: ReadWrite<u32>),
        (0x20 => mail1_write: WriteOnly<u32>),
        (0x24 => _reserved1),
        (0x38 => mail1_status: ReadOnly<u32, STATUS::Register>),
        (0x3c => mail1_config: ReadWrite<u32>),
        (0x40 => @END),
    }
}

/// For how long the VideoCore may be silent, in microseconds, until it is given up.
pub const TIMEOUT_US: u64 = 1_000_000;

/// Property tags, ARM to VideoCore.
const PROPERTY_CHANNEL: u32 = 8;
/// Where the VideoCore sees the first GiB past its caches.
const BUS_ALIAS: u32 = 0xc000_0000;
/// Past this there is no RAM that the alias could show.
const ALIAS_SIZE: usize = 0x4000_0000;

/// The CPU operations that a call needs: time, cache maintenance and barriers. The caller brings
/// them, so that a call works with the MMU on or off.
pub trait MailboxEnv {
    /// A wait for the VideoCore.
    type Wait;

    /// A wait begins.
    fn begin_wait(&mut self) -> Self::Wait;

    /// For how long it has lasted, in microseconds: looked at in each round, in which a device's
    /// register is read. It must come past [`TIMEOUT_US`], whatever the clock does.
    fn waited_us(&mut self, wait: &mut Self::Wait) -> u64;

    /// Writes the buffer's cache lines back and drops them, to the point of coherency, and waits
    /// until that is done: the VideoCore then sees the request, and no dirty line can later be
    /// written over the answer.
    fn clean_invalidate(&mut self, buffer: &PropertyBuffer);

    /// Drops the buffer's cache lines, to the point of coherency, and waits until that is done:
    /// what is read next is the answer, and not what a speculative fetch brought in before it.
    fn invalidate(&mut self, buffer: &PropertyBuffer);

    /// Orders accesses to the mailbox against those to memory and to other devices, before and
    /// after.
    fn barrier(&mut self);
}

/// Why there is no answer. After [`MailboxError::FullTimeout`] nothing was sent; after
/// [`MailboxError::NoAnswer`] the buffer may still be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxError {
    /// The buffer's address is not that of 64 aligned bytes in the first GiB.
    BadAddress {
        /// The address given.
        address: PhysAddr,
    },
    /// There is no room in the buffer for another tag.
    BufferFull {
        /// The tag that did not fit.
        tag: u32,
    },
    /// The mailbox was full all the time. The request was not sent.
    FullTimeout {
        /// Time since the first try.
        waited_us: u64,
    },
    /// The request was sent and not answered. The answer may still come.
    NoAnswer {
        /// Time since the request.
        waited_us: u64,
    },
    /// The buffer's code is not "success". 0x8000_0001 means that the VideoCore could not read the
    /// request.
    WrongCode {
        /// The code, word 1 of the buffer.
        code: u32,
    },
    /// The VideoCore does not know the tag, or left its place in the buffer to something else.
    TagNotAnswered {
        /// The tag.
        tag: u32,
    },
    /// The tag's answer is shorter than it has to be.
    ShortAnswer {
        /// The tag.
        tag: u32,
        /// Bytes answered.
        bytes: u32,
        /// Bytes expected.
        expected: u32,
    },
}

impl fmt::Display for MailboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAddress { address } => {
                write!(f, "a mailbox buffer cannot be at {address}")
            }
            Self::BufferFull { tag } => write!(f, "no room for mailbox tag {tag:#x}"),
            Self::FullTimeout { waited_us } => {
                write!(f, "mailbox full for {waited_us} us")
            }
            Self::NoAnswer { waited_us } => {
                write!(f, "no answer from the mailbox in {waited_us} us")
            }
            Self::WrongCode { code } => write!(f, "mailbox request failed with code {code:#x}"),
            Self::TagNotAnswered { tag } => write!(f, "mailbox tag {tag:#x} is not answered"),
            Self::ShortAnswer {
                tag,
                bytes,
                expected,
            } => write!(
                f,
                "mailbox tag {tag:#x} is answered with {bytes} bytes instead of {expected}"
            ),
        }
    }
}

impl core::error::Error for MailboxError {}

/// The mailbox through which the VideoCore's firmware is asked: property tags on channel 8. A call
/// polls: for room, and then for the answer, up to [`TIMEOUT_US`] each.
#[derive(Clone, Copy, Debug)]
pub struct Mailbox {
    registers: Mmio<Registers>,
}

impl Mailbox {
    /// Drives the mailboxes behind `registers`. One call at a time: answers to one would be dropped
    /// by another.
    #[must_use]
    pub const fn new(registers: Mmio<Registers>) -> Self {
        Self { registers }
    }

    /// Sends the tags in `buffer`, which is at the physical address `address`, and waits for the
    /// answers. They are in the buffer if the result is `Ok`; each tag's own answer is checked by
    /// [`PropertyBuffer::answer`].
    ///
    /// The VideoCore may refuse a request as a whole for one tag that it does not know: tags that
    /// it need not know go alone.
    ///
    /// # Safety
    ///
    /// `address` is that of `buffer`, for otherwise the VideoCore writes over something else. After
    /// [`MailboxError::NoAnswer`] it may write to the buffer at any later time: the memory of
    /// `buffer` stays a [`PropertyBuffer`] forever, as that of a static is.
    ///
    /// # Errors
    ///
    /// [`MailboxError::BadAddress`], [`MailboxError::FullTimeout`], [`MailboxError::NoAnswer`],
    /// [`MailboxError::WrongCode`].
    pub unsafe fn call(
        &self,
        buffer: &mut PropertyBuffer,
        address: PhysAddr,
        env: &mut impl MailboxEnv,
    ) -> Result<(), MailboxError> {
        let word = request_word(address)?;
        env.clean_invalidate(buffer);
        env.barrier();
        let result = self
            .send(word, env)
            .and_then(|()| self.wait(word, buffer, env));
        env.barrier();
        result
    }

    /// Asks for one thing: `buffer` is overwritten with it alone. The answer's words are for
    /// [`Tag::decode`].
    ///
    /// # Safety
    ///
    /// The conditions of [`Mailbox::call`].
    ///
    /// # Errors
    ///
    /// [`MailboxError`], any but [`MailboxError::BufferFull`].
    pub unsafe fn query(
        &self,
        question: &Question,
        buffer: &mut PropertyBuffer,
        address: PhysAddr,
        env: &mut impl MailboxEnv,
    ) -> Result<[u32; 3], MailboxError> {
        buffer.clear();
        let at = buffer.push_question(question)?;
        // SAFETY: the caller vouches for the address and for the buffer's memory.
        unsafe { self.call(buffer, address, env) }?;
        buffer.answer_at(at, question.number, question.answer_bytes)
    }

    /// Hands `word` to the VideoCore as soon as there is room.
    fn send(&self, word: u32, env: &mut impl MailboxEnv) -> Result<(), MailboxError> {
        let mut wait = env.begin_wait();
        let mut waited_us = 0;
        loop {
            if !self.registers.mail1_status.is_set(STATUS::FULL) {
                self.registers.mail1_write.set(word);
                return Ok(());
            }
            self.take();
            if waited_us >= TIMEOUT_US {
                return Err(MailboxError::FullTimeout { waited_us });
            }
            waited_us = env.waited_us(&mut wait);
        }
    }

    /// Waits until `word` comes back and the buffer holds an answer.
    fn wait(
        &self,
        word: u32,
        buffer: &PropertyBuffer,
        env: &mut impl MailboxEnv,
    ) -> Result<(), MailboxError> {
        let mut wait = env.begin_wait();
        let mut waited_us = 0;
        loop {
            if self.take() == Some(word) {
                env.invalidate(buffer);
                if buffer.is_answered()? {
                    return Ok(());
                }
            }
            if waited_us >= TIMEOUT_US {
                return Err(MailboxError::NoAnswer { waited_us });
            }
            // Here, so that a core that was held up looks once more before it gives up.
            waited_us = env.waited_us(&mut wait);
        }
    }

    /// Takes the next word from mailbox 0, if there is one.
    fn take(&self) -> Option<u32> {
        if self.registers.mail0_status.is_set(STATUS::EMPTY) {
            return None;
        }
        Some(self.registers.mail0_read.get())
    }
}

/// The word that hands the buffer at `address` over, and that comes back with it.
fn request_word(address: PhysAddr) -> Result<u32, MailboxError> {
    let bad = MailboxError::BadAddress { address };
    if address.as_usize() >= ALIAS_SIZE || !address.is_aligned(align_of::<PropertyBuffer>()) {
        return Err(bad);
    }
    let address = u32::try_from(address.as_usize()).map_err(|_| bad)?;
    Ok(address | BUS_ALIAS | PROPERTY_CHANNEL)
}

#[cfg(test)]
mod tests;
