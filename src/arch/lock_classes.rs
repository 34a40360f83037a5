//! Every class of locks with its rank, from the first that a core may take to the last.
//!
//! A core waits for a lock only if its rank is above the rank of all that the core has
//! ([`lock_order`](crate::arch::lock_order)). So a new class stands behind every class that is held
//! while a lock of it is taken, and before every class that is taken under it; the reason beside
//! each line names those that decide. Ranks leave gaps, for a class to come between.
//!
//! # Decisions
//! The list stands below the rooms whose locks it names, since the order is a property of them all:
//! it can be read, and changed, in one place alone. [`Class`] is sealed: no file adds a class of
//! its own.
#![forbid(unsafe_code)]

use crate::arch::lock_order::{FIRST_LOCK, LockClass};

mod sealed {
    /// Keeps other files from adding classes.
    pub trait Listed {}
}

/// A class as a type, so that a lock holds nothing of it: a free lock is all zero, and takes no
/// room in the image.
pub trait Class: sealed::Listed {
    /// The name and the rank of the class.
    const CLASS: &'static LockClass;
}

macro_rules! classes {
    ($($(#[$why:meta])+ $class:ident = $rank:literal, $name:literal;)+) => {
        $(
            $(#[$why])+
            #[derive(Debug)]
            pub enum $class {}

            impl sealed::Listed for $class {}

            impl Class for $class {
                const CLASS: &'static LockClass = &LockClass {
                    name: $name,
                    rank: $rank,
                };
            }
        )+

        /// In the order of this file.
        const ALL: &[&LockClass] = &[$(<$class as Class>::CLASS),+];
    };
}

classes! {
    /// The right to ask the VideoCore's firmware: no lock, for an answer may take a second. The
    /// first of all: who waits for the firmware has nothing.
    FirmwareTurn = 1, "firmware";
    /// The right to print a text as a whole: no lock, for a text may take longer to leave than
    /// interrupts may be masked. Below every lock: who holds one does not print.
    ConsoleTurn = 2, "console turn";
    /// The heap's free list. The first lock: a heap that grows takes frames, and changes the kernel
    /// map, with this lock held.
    Heap = 10, "heap";
    /// The map by which a core comes online. Dropped under this lock it would give its frames back.
    SecondaryBoot = 15, "secondary boot";
    /// The tables of a user's address space. A change of them takes frames, and stops the other
    /// cores.
    UserMap = 18, "user map";
    /// The kernel's page table. A change of it takes frames for tables, and stops the other
    /// cores.
    KernelMap = 20, "kernel map";
    /// The ASIDs. Taken by a core that enters a space, with the lock of that.
    Asids = 22, "ASIDs";
    /// The right to stop the other cores: no lock, but interrupts are masked. Behind the kernel
    /// map, whose maintenance takes it.
    StopMachine = 25, "stop_machine";
    /// The free frames. Behind all that takes frames. Nothing is taken under this lock.
    Frames = 30, "frames";
    /// A core's next job. Nothing is taken under this lock, nor under those that follow, which are
    /// held for some loads and stores: their ranks only have to differ.
    Job = 35, "job";
    /// A core's deadlines. The function of one that is due runs with the lock
    /// released.
    Timers = 40, "timers";
    /// A core's idle time.
    IdleClock = 45, "idle clock";
    /// The owners of interrupts: a driver for each interrupt that is registered.
    IrqOwners = 47, "owners of interrupts";
    /// The log's ring. The sinks are called with the lock released.
    Log = 50, "log";
    /// The bytes that were typed ahead while a command runs that does not read.
    TypedAhead = 55, "typed ahead";
    /// The UART with its queues.
    Console = 60, "console";
    /// The watchdog's registers.
    Watchdog = 62, "watchdog";
    /// For the `fault` command, which takes this one while it holds the next: a wrong order.
    FaultLower = 70, "lower";
    /// For the `fault` command.
    FaultUpper = 71, "upper";
}

const _: () = assert!(
    ranks_rise(ALL),
    "a class has a rank that is not above the one before"
);
const _: () = assert!(
    Heap::CLASS.rank == FIRST_LOCK,
    "the heap's is the first lock"
);

/// Whether each class has a rank above the one before.
const fn ranks_rise(classes: &[&LockClass]) -> bool {
    let mut rest = classes;
    while let [first, behind @ ..] = rest {
        if let [second, ..] = behind
            && second.rank <= first.rank
        {
            return false;
        }
        rest = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{ALL, LockClass, ranks_rise};
    use crate::arch::lock_order::HeldLocks;
    use std::collections::BTreeSet;

    fn of_rank(rank: u8) -> LockClass {
        LockClass { name: "", rank }
    }

    #[test]
    fn ranks_that_fall_or_stay_are_seen_wherever_they_stand() {
        let [one, two, three] = [1, 2, 3].map(of_rank);
        assert!(ranks_rise(&[&one, &two, &three]));
        assert!(!ranks_rise(&[&two, &one, &three]));
        assert!(!ranks_rise(&[&one, &three, &two]));
        assert!(!ranks_rise(&[&one, &two, &two]));
    }

    #[test]
    fn a_report_tells_each_class_from_the_others() {
        let names: BTreeSet<&str> = ALL.iter().map(|class| class.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(!names.contains(""));
    }

    /// As deep as the list is, a core can hold one of each.
    #[test]
    fn a_core_may_take_all_of_them_in_the_order_of_the_list() {
        let mut held = HeldLocks::new();
        for class in ALL {
            assert_eq!(held.acquire(class), Ok(()), "{class}");
        }
    }
}
