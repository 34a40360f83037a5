//! What the cores tell the watch.

use crate::board::Peripheral;
use crate::registers::Reg;

/// A memory barrier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Barrier {
    /// DMB; the number is CRm.
    Memory(u8),
    /// DSB; the number is CRm.
    Synchronization(u8),
    /// ISB.
    Instruction,
}

/// The barrier that a change of a table waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    /// A DSB behind the store.
    Dsb,
    /// An ISB behind that.
    Isb,
    /// A DSB behind the TLBI.
    DsbOfTlbi,
}

/// Something that a core did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// A load of a peripheral's register.
    DeviceRead(Peripheral),
    /// A store to a peripheral's register.
    DeviceWrite(Peripheral),
    /// A barrier.
    Barrier(Barrier),
    /// A load- or store-exclusive; whether the memory is Normal and cached.
    Exclusive {
        /// The memory is Normal cacheable, and the data cache is on.
        cached: bool,
        /// CPUECTLR_EL1.SMPEN.
        coherent: bool,
        /// The mapping is inner or outer shareable.
        shared: bool,
    },
    /// An access that aborts because all data is Device while the MMU is off.
    DeviceAbort,
    /// Cache maintenance by address; DC CVAC without the erratum's work-around is `clean_only`.
    CacheMaintenance {
        /// The operation writes a dirty line back.
        cleans: bool,
        /// The operation is DC CVAC, and CPUACTLR_EL1.ENDCCASCI is 0.
        clean_only: bool,
    },
    /// Maintenance met a line that is dirty in a cache while memory was written past it.
    DirtyOverFresh(u64),
    /// A line that the core wrote with its caches off is cleaned by it, still with its caches off:
    /// all that can be written back is older than what it wrote.
    CleanOverFresh(u64),
    /// An instruction is fetched from a line that was stored to.
    FetchedUnclean {
        /// The physical address of the line.
        line: u64,
        /// The store was not cleaned to the point of unification.
        unclean: bool,
    },
    /// A table is linked while stores into it may still drain behind the link.
    LinkedEarly(u64),
    /// A replaced root, or a changed entry, has stayed usable for long.
    Overdue {
        /// The address that it translates.
        address: u64,
        /// The instruction that replaced it.
        because: u64,
        /// It is a root.
        root: bool,
    },
    /// A change of a table waits for a barrier for long.
    Unfinished {
        /// The address that it translates; 0 for a TLBI.
        address: u64,
        /// The instruction that is not finished.
        because: u64,
        /// The barrier.
        missing: Missing,
    },
    /// A read of the counter far behind the last context synchronisation event.
    CounterEarly,
    /// A core uses a line by the caches that it wrote past them, and did not invalidate.
    MixedUse(u64),
    /// Cache maintenance by set and way.
    SetWay,
    /// IC IALLU, IC IALLUIS or IC IVAU.
    InstructionCache {
        /// All lines: no IC IVAU.
        whole: bool,
    },
    /// TLBI.
    TlbMaintenance {
        /// The exception level of the regime, if all of it is covered: 1 for VMALLE1 and ALLE1, 2
        /// for ALLE2, 3 for ALLE3, and for their broadcast forms.
        whole: Option<u8>,
    },
    /// SEV.
    Sev,
    /// MSR.
    Write(Reg, u64),
    /// An access or a TLBI depends on a translation register whose write is not synchronised.
    DependsOnPending,
    /// A valid descriptor was made while a core may use another one for the address.
    MadeOverOld {
        /// The first address that it translates.
        address: u64,
        /// The store that replaced the other one.
        store_at: u64,
    },
    /// A store into a frame that a kept pointer leads to.
    ReusedTable {
        /// The frame.
        frame: u64,
        /// The store that unlinked the table.
        store_at: u64,
    },
    /// A TLBI covers the address, and the store to its descriptor has no DSB behind it.
    TlbiBeforeDsb(u64),
    /// A TLBI of one core covers the address, and others may have translated it.
    TlbiLocal(u64),
    /// A former root and today's translate the address to different places.
    TwoTranslations(u64),
    /// ERET to a lower level.
    LevelLeft {
        /// The level that is left.
        from: u8,
        /// The level that is entered.
        to: u8,
    },
    /// An exception is taken to a level.
    Exception {
        /// The level.
        level: u8,
        /// ESR_ELx; none for an interrupt.
        syndrome: Option<u64>,
    },
    /// A device's register is accessed by a mapping as Normal memory; the address.
    DeviceAsNormal(u64),
    /// A device's register is accessed by a mapping that permits execution; the address.
    DeviceExecutable(u64),
    /// The VideoCore reads a request that is not in memory yet.
    UncleanRequest(u64),
}

impl Event {
    /// The instruction that the event depends on, if it is another one.
    pub(super) fn because(self) -> Option<u64> {
        match self {
            Self::MadeOverOld { store_at, .. } | Self::ReusedTable { store_at, .. } => {
                Some(store_at)
            }
            Self::Overdue { because, .. } | Self::Unfinished { because, .. } => Some(because),
            _ => None,
        }
    }
}
