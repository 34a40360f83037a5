//! The order in which a core takes its locks, checked as it takes them.
//!
//! Each lock belongs to a [`LockClass`] with a rank. A core may wait for a lock only if its rank is
//! above that of every lock the core holds. Then four cores cannot wait for each other in a
//! circle: along a circle the ranks would have to go up for ever. An interrupt handler counts with
//! what its core was holding when it came.
//!
//! A [`HeldLocks`] is one core's; it is changed with that core's interrupts masked.
//!
//! # Decisions
//!
//! - Ranks, and not an order that is learnt from what is seen. Learning needs no numbers, and
//!   allows orders that are only partial; but it needs a table of pairs that all cores share, finds
//!   an inversion only after both orders were taken, and its findings depend on the run. Ranks are
//!   a sentence in the source: total, checked against the held locks alone, and the first wrong
//!   acquisition on any path is found, whatever ran before. A kernel with a dozen locks can name
//!   their order.
//! - Equal ranks are a violation too: two locks of one class have no order among themselves.
//! - Releasing in another order than acquiring cannot make a circle, and is allowed. What it must
//!   not do is to let interrupts in while another lock is held, whose holder a handler would wait
//!   for.
#![forbid(unsafe_code)]

use core::fmt;

/// More locks than this are never held by one core: it holds one of each class at most, since ranks
/// must rise, and there are fewer classes.
pub const MAX_HELD: usize = 22;

/// Locks have this rank or a higher one. Below are things that a core has for longer, with its
/// interrupts as they were: who has one may take locks.
pub const FIRST_LOCK: u8 = 10;

/// A class of locks: a name for reports and a place in the order. All locks of a class share the
/// rank, so that a core holds one of them at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockClass {
    /// The name in reports.
    pub name: &'static str,
    /// Locks are taken from low ranks to high ones.
    pub rank: u8,
}

impl fmt::Display for LockClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (rank {})", self.name, self.rank)
    }
}

/// How the order was violated, with the classes that prove it. In debug builds a panic shows it:
/// `order of locks violated: heap (rank 10) wanted while holding frames (rank 30)`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderViolation {
    /// A lock was wanted whose rank is not above that of one that is held.
    Inverted {
        /// The held lock with the highest rank.
        held: &'static LockClass,
        /// The lock that was wanted.
        wanted: &'static LockClass,
    },
    /// The core holds [`MAX_HELD`] locks.
    TooMany {
        /// The lock that was wanted.
        wanted: &'static LockClass,
    },
    /// Interrupts are let in while a lock is held.
    LetIn {
        /// The held lock with the highest rank.
        held: &'static LockClass,
    },
    /// A lock was released that the core does not hold.
    NotHeld {
        /// The lock that was released.
        released: &'static LockClass,
    },
    /// The core was about to wait for another core, or an interrupt, with something in its hands
    /// that the other may need.
    Waits {
        /// The held lock with the highest rank.
        held: &'static LockClass,
        /// The event that it was about to wait for.
        what: &'static str,
    },
}

impl fmt::Display for OrderViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inverted { held, wanted } => write!(f, "{wanted} wanted while holding {held}"),
            Self::TooMany { wanted } => {
                write!(f, "{wanted} wanted while holding {MAX_HELD} locks")
            }
            Self::LetIn { held } => write!(f, "interrupts let in while holding {held}"),
            Self::NotHeld { released } => write!(f, "{released} released and not held"),
            Self::Waits { held, what } => write!(f, "wait for {what} while holding {held}"),
        }
    }
}

impl core::error::Error for OrderViolation {}

/// The locks that one core holds, or is about to.
///
/// # Invariants
///
/// The first `count` places are `Some`, with ranks that go up; the others are `None`.
#[derive(Clone, Debug)]
pub struct HeldLocks {
    held: [Option<&'static LockClass>; MAX_HELD],
    count: usize,
}

impl HeldLocks {
    /// A core that holds no lock: the state at boot, and whenever a core waits for something that
    /// is no lock.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            held: [None; MAX_HELD],
            count: 0,
        }
    }

    /// To be called before the core waits for a lock of `wanted`.
    ///
    /// # Errors
    /// [`OrderViolation::Inverted`] if the core must not wait for it, [`OrderViolation::TooMany`]
    /// if it holds too many. Nothing changes then.
    pub fn acquire(&mut self, wanted: &'static LockClass) -> Result<(), OrderViolation> {
        // Ranks go up, also after a release from the middle: the last one is the highest.
        if let Some(held) = self.held().last()
            && held.rank >= wanted.rank
        {
            return Err(OrderViolation::Inverted { held, wanted });
        }
        let Some(place) = self.held.get_mut(self.count) else {
            return Err(OrderViolation::TooMany { wanted });
        };
        *place = Some(wanted);
        self.count += 1;
        Ok(())
    }

    /// To be called when the core has released a lock of `released`.
    ///
    /// # Errors
    /// [`OrderViolation::NotHeld`] if it holds none. Nothing changes then.
    pub fn release(&mut self, released: &'static LockClass) -> Result<(), OrderViolation> {
        let Some(place) = self.held().position(|held| held == released) else {
            return Err(OrderViolation::NotHeld { released });
        };
        self.held[place..self.count].rotate_left(1);
        self.count -= 1;
        self.held[self.count] = None;
        Ok(())
    }

    /// To be called before the core lets interrupts in.
    ///
    /// # Errors
    /// [`OrderViolation::LetIn`] if it holds a lock: anything from rank [`FIRST_LOCK`] on.
    pub fn let_in(&self) -> Result<(), OrderViolation> {
        match self.held().last() {
            Some(held) if held.rank >= FIRST_LOCK => Err(OrderViolation::LetIn { held }),
            _ => Ok(()),
        }
    }

    /// To be called before the core waits for `what`, which is no lock: another core's answer, an
    /// interrupt.
    ///
    /// # Errors
    /// [`OrderViolation::Waits`] if it holds anything.
    pub fn wait(&self, what: &'static str) -> Result<(), OrderViolation> {
        match self.held().last() {
            Some(held) => Err(OrderViolation::Waits { held, what }),
            None => Ok(()),
        }
    }

    /// The locks that are held, from the lowest rank to the highest, which is the order in which
    /// they were taken.
    pub fn held(&self) -> impl Iterator<Item = &'static LockClass> {
        self.held.iter().map_while(|place| *place)
    }
}

impl Default for HeldLocks {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{HeldLocks, LockClass, MAX_HELD, OrderViolation};
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    static CLASSES: [LockClass; 24] = {
        let mut classes = [LockClass { name: "", rank: 0 }; 24];
        let mut rank = 0;
        while rank < 24 {
            classes[rank as usize].rank = rank;
            rank += 1;
        }
        classes
    };

    static FRAMES: LockClass = LockClass {
        name: "frames",
        rank: 30,
    };
    static MAP: LockClass = LockClass {
        name: "map",
        rank: 20,
    };
    static HEAP: LockClass = LockClass {
        name: "heap",
        rank: 20,
    };

    #[test]
    fn ranks_go_up() {
        let mut locks = HeldLocks::new();
        assert_eq!(locks.acquire(&MAP), Ok(()));
        assert_eq!(locks.acquire(&FRAMES), Ok(()));
        assert!(locks.held().eq([&MAP, &FRAMES]));
        assert_eq!(locks.release(&FRAMES), Ok(()));
        assert_eq!(locks.release(&MAP), Ok(()));
        assert_eq!(locks.held().count(), 0);
    }

    #[test]
    fn a_lower_rank_an_equal_one_and_the_same_lock_are_violations() {
        for (held, wanted) in [(&FRAMES, &MAP), (&MAP, &HEAP), (&MAP, &MAP)] {
            let mut locks = HeldLocks::default();
            assert_eq!(locks.acquire(held), Ok(()));
            let violation = OrderViolation::Inverted { held, wanted };
            assert_eq!(locks.acquire(wanted), Err(violation));
            assert!(locks.held().eq([held]));
        }
    }

    #[test]
    fn what_is_not_held_is_not_released() {
        let mut locks = HeldLocks::new();
        locks.acquire(&MAP).expect("in order");
        let not_held = Err(OrderViolation::NotHeld { released: &HEAP });
        assert_eq!(locks.release(&HEAP), not_held);
        assert_eq!(locks.release(&MAP), Ok(()));
        let not_held = Err(OrderViolation::NotHeld { released: &MAP });
        assert_eq!(locks.release(&MAP), not_held);
    }

    #[test]
    fn who_holds_a_lock_lets_no_interrupt_in() {
        let mut locks = HeldLocks::new();
        assert_eq!(locks.let_in(), Ok(()));
        locks.acquire(&MAP).expect("in order");
        locks.acquire(&FRAMES).expect("in order");
        locks.release(&MAP).expect("held");
        let violation = OrderViolation::LetIn { held: &FRAMES };
        assert_eq!(locks.let_in(), Err(violation));
        assert_eq!(
            violation.to_string(),
            "interrupts let in while holding frames (rank 30)"
        );
        locks.release(&FRAMES).expect("held");
        assert_eq!(locks.let_in(), Ok(()));
    }

    #[test]
    fn one_lock_more_than_there_is_room_for_is_a_violation() {
        let mut locks = HeldLocks::new();
        for class in &CLASSES[..MAX_HELD] {
            assert_eq!(locks.acquire(class), Ok(()));
        }
        let wanted = &CLASSES[MAX_HELD];
        let too_many = Err(OrderViolation::TooMany { wanted });
        assert_eq!(locks.acquire(wanted), too_many);
        assert_eq!(locks.release(&CLASSES[3]), Ok(()));
        assert_eq!(locks.acquire(wanted), Ok(()));
    }

    #[test]
    fn who_holds_anything_waits_for_nobody() {
        let mut locks = HeldLocks::new();
        assert_eq!(locks.wait("an answer"), Ok(()));
        for class in [&MAP, &FRAMES] {
            locks.acquire(class).expect("in order");
            let (held, what) = (class, "an answer");
            assert_eq!(locks.wait(what), Err(OrderViolation::Waits { held, what }));
        }
        locks.release(&MAP).expect("held");
        locks.release(&FRAMES).expect("held");
        assert_eq!(locks.wait("an answer"), Ok(()));
    }

    #[test]
    fn reports_name_both_locks() {
        let texts = [
            OrderViolation::Inverted {
                held: &FRAMES,
                wanted: &MAP,
            },
            OrderViolation::TooMany { wanted: &MAP },
            OrderViolation::NotHeld { released: &MAP },
            OrderViolation::Waits {
                held: &MAP,
                what: "an answer",
            },
        ]
        .map(|violation| violation.to_string());
        assert_eq!(
            texts,
            [
                "map (rank 20) wanted while holding frames (rank 30)",
                &format!("map (rank 20) wanted while holding {MAX_HELD} locks"),
                "map (rank 20) released and not held",
                "wait for an answer while holding map (rank 20)",
            ]
        );
    }

    #[test]
    fn random_acquisitions_are_allowed_as_a_set_of_ranks_says() {
        let mut random = Random(0x5717_0000_0000_0071);
        let mut locks = HeldLocks::new();
        let mut model: Vec<u8> = Vec::new();
        for _ in 0..200_000 {
            let class = &CLASSES[random.below(CLASSES.len())];
            let has = model.contains(&class.rank);
            if random.below(3) > 0 {
                assert_eq!(locks.release(class).is_ok(), has);
                model.retain(|rank| *rank != class.rank);
            } else {
                let above_all = model.iter().all(|rank| *rank < class.rank);
                let may = above_all && model.len() < MAX_HELD;
                assert_eq!(locks.acquire(class).is_ok(), may);
                model.extend(may.then_some(class.rank));
            }
            assert!(locks.held().map(|held| held.rank).eq(model.iter().copied()));
        }
    }

    /// Four cores, each with a lock it waits for; a lock is free if nobody has it.
    #[test]
    fn cores_that_obey_never_wait_in_a_circle() {
        let mut random = Random(0x5717_0000_0000_0072);
        let mut cores = [const { HeldLocks::new() }; 4];
        let mut waiting: [Option<&'static LockClass>; 4] = [None; 4];
        let mut owner = [None; CLASSES.len()];
        let mut waits = 0;
        for _ in 0..200_000 {
            let core = random.below(4);
            let class = match waiting[core] {
                Some(class) => class,
                None => &CLASSES[random.below(CLASSES.len())],
            };
            let lock = usize::from(class.rank);
            if waiting[core].is_none() && owner[lock] == Some(core) {
                cores[core].release(class).expect("held");
                owner[lock] = None;
            } else if waiting[core].is_some() || cores[core].acquire(class).is_ok() {
                let free = owner[lock].is_none();
                waiting[core] = (!free).then_some(class);
                if free {
                    owner[lock] = Some(core);
                } else {
                    waits += 1;
                }
            }
            let can_go_on = |waiting: &Option<&LockClass>| {
                waiting.is_none_or(|class| owner[usize::from(class.rank)].is_none())
            };
            assert!(waiting.iter().any(can_go_on), "all cores wait for ever");
        }
        assert!(waits > 1_000, "only {waits} waits");
    }

    /// A linear congruential generator: the same numbers in every run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (self.0 >> 33) as usize % limit
        }
    }
}
