//! The interrupts: which there are, at how many bytes they come, and what each method costs.
//!
//! DDI 0183 sections 3.3.9 to 3.3.13. The two queues' interrupts come when a queue *passes* its
//! level, not as long as it is past it:
//!
//! - RECEIVE is raised when the queue fills up to its level. It falls when reads take the queue
//!   below the level, or when it is acknowledged; then it comes again only after the queue was
//!   below the level. Who acknowledges it must therefore read until nothing is left.
//! - RECEIVE_TIMEOUT is raised when something is in the queue and nothing came for 32 bit times: it
//!   brings the end of a message that is shorter than the level. It falls when the queue is empty.
//! - TRANSMIT is raised when the queue drains down to its level. A queue that was never above its
//!   level raises nothing, and an empty one after reset neither: the first bytes are written by
//!   hand, and the interrupt can be counted on only if they filled the queue.
#![forbid(unsafe_code)]

use bitflags::bitflags;

/// Bytes that each of the device's two queues holds (BCM2835 ARM Peripherals 13.1).
pub const QUEUE_DEPTH: u32 = 16;

bitflags! {
    /// Interrupts: the bits of IMSC, MIS and ICR. The modem's, bits 3 to 0, are not used.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct UartInterrupts: u32 {
        /// The receive queue has filled up to its level.
        const RECEIVE = 1 << 4;
        /// The transmit queue has drained down to its level.
        const TRANSMIT = 1 << 5;
        /// Something lies in the receive queue, and nothing came for 32 bit times.
        const RECEIVE_TIMEOUT = 1 << 6;
        /// A byte came without its stop bit.
        const FRAMING = 1 << 7;
        /// A byte came with wrong parity.
        const PARITY = 1 << 8;
        /// The line was held low.
        const BREAK = 1 << 9;
        /// A byte came, found the queue full, and is lost.
        const OVERRUN = 1 << 10;
    }
}

/// How full a queue is when its interrupt comes: the values of IFLS's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum QueueLevel {
    /// 2 of 16 bytes.
    Eighth = 0b000,
    /// 4 of 16 bytes.
    Quarter = 0b001,
    /// 8 of 16 bytes.
    Half = 0b010,
    /// 12 of 16 bytes.
    ThreeQuarters = 0b011,
    /// 14 of 16 bytes.
    SevenEighths = 0b100,
}

impl QueueLevel {
    /// The level in bytes, of a queue of 16: half is 8. A receive interrupt comes when so many have
    /// come in, a transmit interrupt when so many are left (DDI 0183 table 3-11).
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Eighth => QUEUE_DEPTH / 8,
            Self::Quarter => QUEUE_DEPTH / 4,
            Self::Half => QUEUE_DEPTH / 2,
            Self::ThreeQuarters => QUEUE_DEPTH / 4 * 3,
            Self::SevenEighths => QUEUE_DEPTH / 8 * 7,
        }
    }
}
