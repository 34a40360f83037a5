//! The values of the system registers, as written and as in effect.
//!
//! A write of a register that steers translation, traps or exceptions is certain to act only after
//! the next context synchronisation event (DDI 0487 D1.1.7 and K1): until then the core may use the
//! old value or the new one. A machine without liberties uses the new one at once.

mod table;

use ::a64::system::SystemRegister;

use crate::chance::Chance;
pub(crate) use table::{REGISTERS, ROWS, Reg, Reset, Row, Use};

/// The bits of SCTLR_ELx that accesses depend on (DDI 0487 D24.2.118).
pub(crate) mod sctlr {
    /// M: the MMU is on.
    pub(crate) const M: u64 = 1 << 0;
    /// A: unaligned accesses fault.
    pub(crate) const A: u64 = 1 << 1;
    /// C: data accesses may be cached.
    pub(crate) const C: u64 = 1 << 2;
    /// SA: the stack pointer is checked for a multiple of 16 at ELx.
    pub(crate) const SA: u64 = 1 << 3;
    /// SA0: the stack pointer is checked at EL0.
    pub(crate) const SA0: u64 = 1 << 4;
    /// UMA: EL0 may write DAIF.
    pub(crate) const UMA: u64 = 1 << 9;
    /// I: instruction fetches may be cached.
    pub(crate) const I: u64 = 1 << 12;
    /// DZE: EL0 may execute DC ZVA.
    pub(crate) const DZE: u64 = 1 << 14;
    /// UCT: EL0 may read CTR_EL0.
    pub(crate) const UCT: u64 = 1 << 15;
    /// nTWI: WFI at EL0 does not trap.
    pub(crate) const NTWI: u64 = 1 << 16;
    /// nTWE: WFE at EL0 does not trap.
    pub(crate) const NTWE: u64 = 1 << 18;
    /// WXN: what may be written may not be executed.
    pub(crate) const WXN: u64 = 1 << 19;
    /// UCI: EL0 may execute cache maintenance by address.
    pub(crate) const UCI: u64 = 1 << 26;
}

/// The time at which a write of a [`Use::Context`] register takes effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Synchronization {
    /// At once, as in an emulator.
    AtOnce,
    /// At once or with the next context synchronisation event, by chance.
    ByChance,
}

/// The number of encodings of MRS and MSR (op0 10 and 11).
const ENCODINGS: usize = 1 << 15;

/// No register has this encoding.
const NONE: u8 = u8::MAX;

/// The place in [`ROWS`] for each encoding.
static PLACES: [u8; ENCODINGS] = places();

const fn places() -> [u8; ENCODINGS] {
    let mut places = [NONE; ENCODINGS];
    let mut row = 0;
    while row < ROWS.len() {
        let [op0, op1, crn, crm, op2] = ROWS[row].fields;
        places[index([op0, op1, crn, crm, op2])] = row as u8;
        row += 1;
    }
    places
}

const fn index([op0, op1, crn, crm, op2]: [u16; 5]) -> usize {
    ((op0 & 1) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2) as usize
}

impl Reg {
    /// The register with an encoding, if it is modelled.
    pub(crate) fn with(encoding: SystemRegister) -> Option<Self> {
        let place = PLACES[index(encoding.fields())];
        REGISTERS.get(usize::from(place)).copied()
    }

    /// The register's row.
    pub(crate) fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The lowest exception level that may use the register, by op1 (DDI 0487 C5.1.3).
    pub(crate) fn level(self) -> u8 {
        match self.row().fields[1] {
            3 => 0,
            4 => 2,
            6 => 3,
            _ => 1,
        }
    }
}

/// The halves of the EL1&0 regime whose root, TCR or MAIR was written without a context
/// synchronisation event behind it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Unsynchronized {
    /// The half of TTBR0_EL1.
    pub(crate) low: bool,
    /// The half of TTBR1_EL1.
    pub(crate) high: bool,
}

/// The system registers of one core.
pub(crate) struct Registers {
    written: [u64; ROWS.len()],
    effective: [u64; ROWS.len()],
    /// Whether a write waits for a context synchronisation event.
    pending: bool,
    /// Which translation registers were written since the last such event.
    unsynchronized: Unsynchronized,
    synchronization: Synchronization,
    chance: Chance,
}

impl Registers {
    /// The registers after a reset. What is UNKNOWN is noise, or 0 for an emulator.
    pub(crate) fn new(
        core: u64,
        synchronization: Synchronization,
        noise: Option<u64>,
        seed: u64,
    ) -> Self {
        let mut chance = Chance::new(noise.unwrap_or(0), 0x100 + core);
        let mut written = [0; ROWS.len()];
        for (value, row) in written.iter_mut().zip(ROWS) {
            *value = match (row.reset, noise) {
                (Reset::Fixed(value), _) => value,
                (Reset::Unknown, Some(_)) => chance.next(),
                (Reset::Unknown, None) => 0,
            };
        }
        written[Reg::MPIDR_EL1 as usize] |= core;
        Self {
            written,
            effective: written,
            pending: false,
            unsynchronized: Unsynchronized::default(),
            synchronization,
            chance: Chance::new(seed, 0x300 + core),
        }
    }

    /// The value that steers the core.
    #[inline]
    pub(crate) fn effective(&self, register: Reg) -> u64 {
        self.effective[register as usize]
    }

    /// The value that was written last, which MRS reads.
    #[inline]
    pub(crate) fn written(&self, register: Reg) -> u64 {
        self.written[register as usize]
    }

    /// Sets a register as hardware does, with effect at once.
    pub(crate) fn set(&mut self, register: Reg, value: u64) {
        self.written[register as usize] = value;
        self.effective[register as usize] = value;
    }

    /// Executes MSR; true if the old value stays in effect.
    pub(crate) fn write(&mut self, register: Reg, value: u64) -> bool {
        self.written[register as usize] = value;
        match register {
            Reg::TTBR0_EL1 => self.unsynchronized.low = true,
            Reg::TTBR1_EL1 => self.unsynchronized.high = true,
            Reg::TCR_EL1 | Reg::MAIR_EL1 => {
                self.unsynchronized = Unsynchronized {
                    low: true,
                    high: true,
                };
            }
            _ => {}
        }
        let late = register.row().kind == Use::Context
            && self.synchronization == Synchronization::ByChance
            && self.chance.happens(128);
        if late {
            self.pending = true;
        } else {
            self.effective[register as usize] = value;
        }
        late && self.effective[register as usize] != value
    }

    /// The halves of the EL1&0 regime that depend on a write which is not synchronised.
    pub(crate) fn unsynchronized(&self) -> Unsynchronized {
        self.unsynchronized
    }

    /// A context synchronisation event: whether a write took effect by it.
    pub(crate) fn synchronize(&mut self) -> bool {
        self.unsynchronized = Unsynchronized::default();
        if self.pending {
            self.effective = self.written;
        }
        std::mem::take(&mut self.pending)
    }
}
