//! The VideoCore's firmware, asked by mailbox: at boot, and whenever the shell wants to know.
//!
//! # Decisions
//! - One question at a time: an answer is taken by whoever waits. A question takes microseconds if
//!   it is answered, and at most a second ([`TIMEOUT_US`]) if not; so it is no lock, which would
//!   keep interrupts out for as long.
//! - Once the firmware has been silent it is not asked again: it would cost a second each time, and
//!   the buffer is still its to write to.
#![expect(unsafe_code, reason = "memory that the firmware writes")]

use crate::addr::VirtAddr;
use crate::arch::cache;
use crate::arch::lock_classes;
use crate::arch::try_lock::TryLock;
use crate::arch::waited::Waited;
use crate::board::raspi3;
use crate::drivers::mailbox::{
    Mailbox, MailboxEnv, MailboxError, PropertyBuffer, Question, TIMEOUT_US, Tag,
};
use crate::kernel::clock;
use crate::kernel::cores::exclusive::Exclusive;
use crate::kernel::devices::registers;
use crate::kernel::time::timeouts;
use crate::mm::layout::virt_to_phys;

/// # Invariants
/// A static, never freed: the VideoCore may write to the buffer long after a question timed out.
struct Firmware {
    buffer: PropertyBuffer,
    silence: Option<MailboxError>,
}

/// The right to ask.
static TURN: Exclusive<lock_classes::FirmwareTurn> = Exclusive::new();

/// The owner of the turn finds it free. No [`Lock`](crate::arch::lock::Lock): the question is
/// asked, and its answer waited for, with this in hand and interrupts as they are.
static FIRMWARE: TryLock<Firmware> = TryLock::new(Firmware {
    buffer: PropertyBuffer::new(),
    silence: None,
});

/// Asks for one thing. Not for interrupt handlers, nor with a lock held: it waits.
///
/// # Errors
/// [`MailboxError`]; after a silence that same one, without asking.
pub(super) fn ask<T: Tag>(tag: T) -> Result<T::Answer, MailboxError> {
    ask_question(&Question::of(tag)).map(T::decode)
}

/// The part of a question that no tag's type changes: compiled once.
#[inline(never)]
fn ask_question(question: &Question) -> Result<[u32; 3], MailboxError> {
    let unasked = || {
        let waited_us = timeouts::FIRMWARE_NS / 1000;
        MailboxError::FullTimeout { waited_us }
    };
    let _turn = TURN.take(timeouts::FIRMWARE_NS).map_err(|_| unasked())?;
    let mut firmware = FIRMWARE.try_lock().ok_or_else(unasked)?;
    if let Some(silence) = firmware.silence {
        return Err(silence);
    }
    let mailbox = Mailbox::new(registers(raspi3::MAILBOX));
    let buffer = &mut firmware.buffer;
    let va = VirtAddr::new((&raw const *buffer).addr());
    let address = virt_to_phys(va);
    // SAFETY: `address` is the buffer's: a static lies in the linear map. It is one for ever.
    let answer = unsafe { mailbox.query(question, buffer, address, &mut Env) };
    if let Err(error @ (MailboxError::NoAnswer { .. } | MailboxError::FullTimeout { .. })) = answer
    {
        firmware.silence = Some(error);
    }
    answer
}

/// Cycles of a core that a round of a wait takes at least: a device's register is read in each,
/// behind the bridge to the peripherals' clock of 250 MHz.
const ROUND_CYCLES: u64 = 64;

/// The CPU operations of the mailbox driver: cache maintenance, barriers, the wait.
struct Env;

impl MailboxEnv for Env {
    type Wait = Waited;

    fn begin_wait(&mut self) -> Waited {
        Waited::new(TIMEOUT_US / 8, 1)
    }

    fn waited_us(&mut self, wait: &mut Waited) -> u64 {
        wait.look(clock::now_us(), ROUND_CYCLES)
    }

    fn clean_invalidate(&mut self, buffer: &PropertyBuffer) {
        let start = (&raw const *buffer).addr();
        cache::clean_and_invalidate(start, start + size_of::<PropertyBuffer>());
    }

    fn invalidate(&mut self, buffer: &PropertyBuffer) {
        let start = (&raw const *buffer).addr();
        // SAFETY: the buffer fills its cache lines, and nothing was written to it since it was
        // cleaned.
        unsafe { cache::invalidate_to_coherency(start, start + size_of::<PropertyBuffer>()) };
    }

    fn barrier(&mut self) {
        cache::barrier();
    }
}
