//! The lines that are kept, and their way to the sinks.
//!
//! Byte `n` of the log, counted from 0 at `_start`, is kept in slot `n % 0x4000`:
//!
//! 1. Core 0 logs a line of 0x30 bytes when `written` is 0x3ff0. Its first 0x10 bytes go to the
//!    slots from 0x3ff0 on, its last 0x20 to the slots from 0 on: `written` is 0x4020, and the
//!    bytes 0 to 0x1f, of the first line, are gone.
//! 2. The list of sinks is copied under the lock, and called behind it: the console may wait for
//!    its turn and for the UART. Meanwhile core 1 may log, and its line may be shown first. Stamps
//!    are taken before the lock, so those of two cores may be kept the other way round, too.
//! 3. `log` replays: the end is 0x4020, the first byte that is kept 0x20, in the middle of the
//!    first line. All up to the next LF is left out.
//! 4. A part of 0x80 bytes is copied under the lock, and printed behind it. While the bytes from
//!    0x20 on are printed, core 2 logs 0x200 bytes: `written` is 0x4220. The next byte wanted is
//!    0xa0, the first that is kept now 0x220. The rest of its line is left out, and the log goes on
//!    with the line behind. What core 2 logged is past the end of step 3, and not shown.
#![expect(unsafe_code, reason = "memory that outlives a reset")]

use core::cell::UnsafeCell;
use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::ops::Range;

use super::sinks::{Level, Sink, Sinks, TooManySinks};
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::kernel::clock;

/// Bytes of log that are kept: the oldest go first.
const CAPACITY: usize = 16 << 10;

/// Bytes that are copied at a time while the log is shown.
const PART: usize = 128;

/// The kept bytes, in memory that is not cleared.
struct RingCell(UnsafeCell<MaybeUninit<[u8; CAPACITY]>>);

// SAFETY: touched only by the owner of the lock on `RING`.
unsafe impl Sync for RingCell {}

#[unsafe(link_section = ".noinit.log")]
static MEMORY: RingCell = RingCell(UnsafeCell::new(MaybeUninit::uninit()));

/// # Invariants
/// The last `min(written, CAPACITY)` bytes that were written are in [`MEMORY`], byte `n` at
/// `n % CAPACITY`.
struct LogRing {
    written: usize,
    sinks: Sinks,
}

static RING: Lock<LogRing, lock_classes::Log> = Lock::new(LogRing {
    written: 0,
    sinks: Sinks::new(),
});

impl LogRing {
    fn slot(index: usize) -> *mut u8 {
        MEMORY.0.get().cast::<u8>().wrapping_add(index % CAPACITY)
    }

    /// Copies what is still kept of the bytes `wanted` to `part`, from the first on, as far as it
    /// goes. Returns the number of the first, and how many were copied.
    fn copy(&self, wanted: Range<usize>, part: &mut [u8]) -> (usize, usize) {
        let first = wanted.start.max(self.written.saturating_sub(CAPACITY));
        let kept = first..wanted.end.min(self.written);
        let mut count = 0;
        for (byte, index) in part.iter_mut().zip(kept) {
            // SAFETY: the slot was written, by the invariant, and `self` is the lock's.
            *byte = unsafe { Self::slot(index).read() };
            count += 1;
        }
        (first, count)
    }
}

impl Write for LogRing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the slot is inside `MEMORY`, and `self` is the lock's.
            unsafe { Self::slot(self.written).write(byte) };
            self.written += 1;
        }
        Ok(())
    }
}

/// Hands each line from now on to `sink`, behind those that were added before.
///
/// # Errors
/// [`TooManySinks`].
pub fn add_sink(sink: Sink) -> Result<(), TooManySinks> {
    RING.lock().sinks.add(sink)
}

/// Keeps a line, and hands it to the sinks: with the log's lock released, for they may wait for a
/// device. Not in a sink, and not with a lock held: the console's sink waits for its turn.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    let stamp = clock::since_start();
    let sinks = {
        let mut ring = RING.lock();
        let _ = writeln!(ring, "{stamp} {text}");
        ring.sinks
    };
    for sink in sinks.of(level) {
        (sink.write)(format_args!("{stamp} {text}\n"));
    }
}

/// Writes what is kept to `out`, from the first whole line on, as far as it was kept when this
/// began. Nothing is printed with the lock held: that would keep interrupts out for as long as the
/// line takes.
///
/// # Errors
/// The errors of `out`.
pub fn replay(out: &mut dyn Write) -> fmt::Result {
    let end = RING.lock().written;
    let (mut next, mut whole) = (0, true);
    while next < end {
        let mut part = [0; PART];
        let (first, count) = RING.lock().copy(next..end, &mut part);
        // Bytes that are gone, or go while this prints, leave the rest of a line.
        whole &= first == next;
        for byte in part.into_iter().take(count) {
            if whole {
                out.write_char(char::from(byte))?;
            }
            whole |= byte == b'\n';
        }
        next = first + count;
    }
    Ok(())
}
