//! A queue of bytes in memory of fixed size, for what a device gives and takes.
//!
//! # Decisions
//!
//! - Plain `&mut self`: both ends are used under one lock, with interrupts masked. A queue with a
//!   free end each would save nothing, because the device behind it needs the lock anyway.
//! - A full ring refuses; it never overwrites and never drops. The caller of a refused push knows
//!   what became of the byte, so the ring counts no losses: there are none.
//! - The size is a power of two and the two counters run on for ever: a place is a counter's low
//!   bits, full and empty are told apart by the difference, and every place is used.
#![forbid(unsafe_code)]

/// A queue of at most `N` bytes.
///
/// # Invariants
///
/// `N` is a power of two. `written - read`, wrapping, is at most `N`.
#[derive(Clone, Debug)]
pub struct Ring<const N: usize> {
    bytes: [u8; N],
    /// Bytes ever taken in.
    written: usize,
    /// Bytes ever given out.
    read: usize,
}

/// There was no room: the byte was not taken, and the ring is as it was. The caller still has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFull;

impl<const N: usize> Ring<N> {
    const IS_POWER_OF_TWO: () = assert!(N.is_power_of_two(), "a ring's size is a power of two");

    /// An empty ring. `N` is a power of two, which is checked when it is compiled.
    #[must_use]
    pub const fn new() -> Self {
        let () = Self::IS_POWER_OF_TWO;
        Self {
            bytes: [0; N],
            written: 0,
            read: 0,
        }
    }

    /// The number of bytes in the ring.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.written.wrapping_sub(self.read)
    }

    /// Whether the ring is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.written == self.read
    }

    /// Bytes that still fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        N - self.len()
    }

    /// Takes a byte in.
    ///
    /// # Errors
    ///
    /// [`RingFull`] if there is no room: the ring is as it was.
    pub fn push(&mut self, byte: u8) -> Result<(), RingFull> {
        if self.room() == 0 {
            return Err(RingFull);
        }
        self.bytes[self.written % N] = byte;
        self.written = self.written.wrapping_add(1);
        Ok(())
    }

    /// Takes in as many of `bytes` as fit, from the first on, and says how many.
    #[must_use]
    pub fn push_slice(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        let start = self.written % N;
        let before_end = taken.min(N - start);
        self.bytes[start..start + before_end].copy_from_slice(&bytes[..before_end]);
        self.bytes[..taken - before_end].copy_from_slice(&bytes[before_end..taken]);
        self.written = self.written.wrapping_add(taken);
        taken
    }

    /// The byte that [`Ring::pop`] would give out, which stays; `None` if the ring is empty.
    #[must_use]
    pub fn front(&self) -> Option<u8> {
        (!self.is_empty()).then(|| self.bytes[self.read % N])
    }

    /// Whether `byte` is in it, at any place: a look at each byte.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        (0..self.len()).any(|index| self.bytes[self.place(index)] == byte)
    }

    /// Takes the first `byte` out, whatever stands before it, and leaves the order of the rest.
    /// Returns whether there was one; it takes a look at each byte before it.
    pub fn remove_first(&mut self, byte: u8) -> bool {
        let mut indexes = 0..self.len();
        let Some(found) = indexes.find(|index| self.bytes[self.place(*index)] == byte) else {
            return false;
        };
        // The bytes before it move up by one place.
        for index in (0..found).rev() {
            self.bytes[self.place(index + 1)] = self.bytes[self.place(index)];
        }
        self.read = self.read.wrapping_add(1);
        true
    }

    /// Where the byte is that [`Ring::pop`] would give out after `index` others.
    const fn place(&self, index: usize) -> usize {
        self.read.wrapping_add(index) % N
    }

    /// Gives out the byte that has been in it longest, and makes room for one; `None` if the ring
    /// is empty.
    pub fn pop(&mut self) -> Option<u8> {
        let byte = self.front()?;
        self.read = self.read.wrapping_add(1);
        Some(byte)
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::{Ring, RingFull};

    #[test]
    fn a_ring_holds_exactly_its_size_and_refuses_more() {
        let mut ring = Ring::<4>::new();
        for byte in 0..4 {
            assert_eq!(ring.room(), 4 - usize::from(byte));
            assert_eq!(ring.push(byte), Ok(()));
        }
        assert_eq!(ring.push(9), Err(RingFull));
        assert_eq!(ring.push_slice(&[9]), 0);
        let out: Vec<u8> = core::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(out, [0, 1, 2, 3]);
        assert!(ring.is_empty());
        assert_eq!(ring.front(), None);
    }

    #[test]
    fn a_slice_that_does_not_fit_is_taken_from_its_beginning() {
        let mut ring = Ring::<8>::new();
        assert_eq!(ring.push_slice(b"abcde"), 5);
        for expected in b"abc" {
            assert_eq!(ring.front(), Some(*expected));
            assert_eq!(ring.pop(), Some(*expected));
        }
        // Six places from the fifth on: three to the end, three at the beginning.
        assert_eq!(ring.push_slice(b"fghijkl"), 6);
        let out: Vec<u8> = core::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(out, b"defghijk");
    }

    #[test]
    fn a_byte_is_taken_from_the_middle_and_the_others_keep_their_order() {
        for start in [0, usize::MAX - 2] {
            let mut ring = Ring::<8>::new();
            (ring.written, ring.read) = (start, start);
            assert_eq!(ring.push_slice(b"ab!cd!e"), 7);
            assert!(ring.contains(b'!') && !ring.contains(b'x'));
            assert!(!ring.remove_first(b'x'));
            assert!(ring.remove_first(b'!'));
            assert_eq!((ring.len(), ring.contains(b'!')), (6, true));
            assert!(ring.remove_first(b'!'));
            assert!(!ring.contains(b'!') && !ring.remove_first(b'!'));
            let out: Vec<u8> = core::iter::from_fn(|| ring.pop()).collect();
            assert_eq!(out, b"abcde");
        }
        // A byte that was given out is not in the ring any more.
        let mut ring = Ring::<4>::new();
        assert_eq!(ring.push_slice(b"!a"), 2);
        assert_eq!(ring.pop(), Some(b'!'));
        assert!(!ring.contains(b'!') && !ring.remove_first(b'!'));
    }

    #[test]
    fn a_ring_behaves_as_a_bounded_queue_also_where_the_counters_wrap() {
        let mut ring = Ring::<16>::new();
        (ring.written, ring.read) = (usize::MAX - 40, usize::MAX - 40);
        let mut model = VecDeque::new();
        let mut state = 1_u32;
        for step in 0..2000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bytes: Vec<u8> = (0..(state >> 28)).map(|n| (step + n) as u8).collect();
            let taken = ring.push_slice(&bytes);
            assert_eq!(taken, bytes.len().min(16 - model.len()));
            model.extend(&bytes[..taken]);
            for _ in 0..(state >> 12) % 16 {
                assert_eq!(ring.pop(), model.pop_front());
            }
            if ring.push(step as u8).is_ok() {
                model.push_back(step as u8);
            } else {
                assert_eq!(model.len(), 16);
            }
            assert_eq!(ring.len(), model.len());
        }
    }
}
