//! The VideoCore's firmware, asked by mailbox: at boot, and whenever the shell wants to know.
//!
//! # Decisions
//! - One question at a time, behind a lock: an answer is taken by whoever waits. A question takes
//!   microseconds if it is answered, and at most a second ([`TIMEOUT_US`]) if not.
//! - Once the firmware has been silent it is not asked again: it would cost a second each time, and the
//!   buffer is still its to write to.
//!
//! [`TIMEOUT_US`]: crate::drivers::mailbox::TIMEOUT_US

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::aarch64::cache;
use crate::arch::aarch64::relax::Mutex;
use crate::board::raspi3;
use crate::drivers::mailbox::{Mailbox, MailboxEnv, MailboxError, PropertyBuffer, Question, Tag};
use crate::kernel::console::registers;
use crate::kernel::time;

/// # Invariants
/// One for ever, in a static: the VideoCore may write to the buffer at any time after a silence.
struct Firmware {
    buffer: PropertyBuffer,
    silence: Option<MailboxError>,
}

static FIRMWARE: Mutex<Firmware> = Mutex::new(Firmware {
    buffer: PropertyBuffer::new(),
    silence: None,
});

/// Asks for one thing. Not for interrupt handlers: it takes a lock and waits.
///
/// # Errors
/// [`MailboxError`]; after a silence that same one, without asking.
pub(super) fn ask<T: Tag>(tag: T) -> Result<T::Answer, MailboxError> {
    ask_question(&Question::of(tag)).map(T::decode)
}

/// The same for every tag: it would be large in each.
#[inline(never)]
fn ask_question(question: &Question) -> Result<[u32; 3], MailboxError> {
    let mut firmware = FIRMWARE.lock();
    if let Some(silence) = firmware.silence {
        return Err(silence);
    }
    let mailbox = Mailbox::new(registers(raspi3::MAILBOX));
    let buffer = &mut firmware.buffer;
    let va = VirtAddr::new((&raw const *buffer).addr());
    let address = PhysAddr::new(va.as_usize() & !raspi3::KERNEL_VA_OFFSET);
    // SAFETY: `address` is the buffer's: a static lies in the linear map. It is one for ever.
    let answer = unsafe { mailbox.query(question, buffer, address, &mut Env) };
    if let Err(error @ (MailboxError::NoAnswer { .. } | MailboxError::FullTimeout { .. })) = answer
    {
        firmware.silence = Some(error);
    }
    answer
}

/// What the mailbox driver needs of the CPU.
struct Env;

impl MailboxEnv for Env {
    fn now_us(&mut self) -> u64 {
        time::now_us()
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
