//! The PL011's receive queue, as a ring whose slots keep what was in them.

/// Bytes of each of the PL011's queues (DDI 0183 2.4.4).
pub(super) const DEPTH: usize = 16;

/// Received words: a byte, with its errors in bits 11:8 as UARTDR shows them. Reading an empty one
/// shows the slot that comes next, with whatever it held.
#[derive(Clone, Debug, Default)]
pub(super) struct ReceiveQueue {
    slots: [u16; DEPTH],
    position: usize,
    len: usize,
}

impl ReceiveQueue {
    /// How many words it holds: at most [`DEPTH`].
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a word, if there is room.
    pub(super) fn push(&mut self, word: u16) {
        if self.len < DEPTH {
            self.slots[(self.position + self.len) % DEPTH] = word;
            self.len += 1;
        }
    }

    /// Takes the first word out.
    pub(super) fn read(&mut self) -> u16 {
        let word = self.slots[self.position];
        if self.len > 0 {
            self.len -= 1;
            self.position = (self.position + 1) % DEPTH;
        }
        word
    }

    /// Forgets the words; the first slot is the next one.
    pub(super) fn empty(&mut self) {
        self.position = 0;
        self.len = 0;
    }
}
