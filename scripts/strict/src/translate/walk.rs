//! The walk of a tree of tables with the granules of the Cortex-A53, 4 KiB and 64 KiB: DDI 0487 D5.3
//! and D8.3.

use super::{Fault, Leaf, MemoryType, Regime, flat};
use crate::registers::sctlr;
use crate::registers::{Reg, Registers};
use crate::translate::Purpose;

/// The table memory of a walk.
pub(crate) trait Tables {
    /// The descriptor at a physical address; none if there is no RAM. `cacheable` is IRGN of TCR.
    fn descriptor(&mut self, address: u64, cacheable: bool) -> Option<u64>;
}

/// TCR's fields for one half of the address space, and the root.
struct Half {
    root: u64,
    /// TxSZ: 64 minus the number of address bits.
    size: u32,
    /// EPDx: no walk at all.
    disabled: bool,
    /// IRGNx is not 00.
    cacheable: bool,
    /// TGx; none if the Cortex-A53 has no such granule.
    granule: Option<Granule>,
    /// TBIx: bits 63:56 of an address are ignored.
    ignores_top_byte: bool,
}

/// The size of a page and of a table (DDI 0487 D5.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Granule {
    /// 4 KiB: tables of 512 entries.
    Small,
    /// 64 KiB: tables of 8,192 entries.
    Large,
}

impl Granule {
    /// TG0 of TCR.
    fn of_tg0(field: u64) -> Option<Self> {
        match field & 3 {
            0 => Some(Self::Small),
            1 => Some(Self::Large),
            _ => None,
        }
    }

    /// TG1 of TCR.
    fn of_tg1(field: u64) -> Option<Self> {
        match field & 3 {
            2 => Some(Self::Small),
            3 => Some(Self::Large),
            _ => None,
        }
    }

    /// The number of bits of an address in a page.
    fn page_bits(self) -> u32 {
        match self {
            Self::Small => 12,
            Self::Large => 16,
        }
    }

    /// The number of bits of an address that a whole table translates.
    fn index_bits(self) -> u32 {
        self.page_bits() - 3
    }

    /// The number of address bits below an entry of a table.
    fn shift(self, level: u32) -> u32 {
        self.page_bits() + self.index_bits() * (3 - level)
    }

    /// The level above which no entry is a block.
    fn first_block(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => 2,
        }
    }

    /// The level of the root for so many bits of address.
    fn first_level(self, bits: u32) -> u32 {
        4 - (bits - self.page_bits()).div_ceil(self.index_bits())
    }
}

/// The error of a walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WalkError {
    /// The architecture's answer.
    Fault(Fault),
    /// TCR asks for a granule that the core lacks.
    Granule(u64),
}

impl From<Fault> for WalkError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Translates an address in a regime. Permissions are not checked.
pub(crate) fn walk(
    registers: &Registers,
    regime: Regime,
    address: u64,
    purpose: Purpose,
    tables: &mut impl Tables,
) -> Result<Leaf, WalkError> {
    let [control, tcr, mair] = regime
        .controls()
        .map(|register| registers.effective(register));
    if control & sctlr::M == 0 {
        return Ok(flat(address, purpose)?);
    }
    let half = half(registers, regime, tcr, address);
    let extended = match half.ignores_top_byte {
        true => (address << 8).cast_signed() >> 8,
        false => address.cast_signed(),
    };
    if half.disabled || !(16..=39).contains(&half.size) {
        return Err(Fault::Translation(0).into());
    }
    let upper = extended >> (64 - half.size);
    let inside = upper == 0 || (regime == Regime::El1 && upper == -1);
    if !inside {
        return Err(Fault::Translation(0).into());
    }
    if half.granule.is_none() {
        return Err(WalkError::Granule(tcr));
    }
    let mut walk = Walk::new(&half, regime, tcr, mair, address);
    walk.descend(half.root, half.first_level(), tables)
}

/// Translates an address from a descriptor that a core has kept: one of `level`, whatever the table
/// holds today.
pub(crate) fn resume(
    registers: &Registers,
    address: u64,
    level: u8,
    descriptor: u64,
    tables: &mut impl Tables,
) -> Result<Leaf, WalkError> {
    let regime = Regime::El1;
    let [_, tcr, mair] = regime
        .controls()
        .map(|register| registers.effective(register));
    let half = half(registers, regime, tcr, address);
    let mut walk = Walk::new(&half, regime, tcr, mair, address);
    match walk.follow(u32::from(level), descriptor)? {
        Step::Leaf(leaf) => Ok(leaf),
        Step::Table(table) => walk.descend(table, u32::from(level) + 1, tables),
    }
}

/// Translates an address from a root that a core has used before.
pub(crate) fn walk_from(
    registers: &Registers,
    address: u64,
    root: u64,
    tables: &mut impl Tables,
) -> Result<Leaf, WalkError> {
    let regime = Regime::El1;
    let [_, tcr, mair] = regime
        .controls()
        .map(|register| registers.effective(register));
    let half = half(registers, regime, tcr, address);
    let mut walk = Walk::new(&half, regime, tcr, mair, address);
    walk.descend(root, half.first_level(), tables)
}

/// The level of a tree's root in one half of the EL1&0 regime, 0 to 2.
pub(crate) fn root_level(registers: &Registers, high: bool) -> u8 {
    let address = if high { u64::MAX } else { 0 };
    let tcr = registers.effective(Reg::TCR_EL1);
    half(registers, Regime::El1, tcr, address).first_level() as u8
}

/// Whether a half of EL1's addresses has the granule of 4 KiB.
pub(crate) fn has_small_pages(tcr: u64, high: bool) -> bool {
    let granule = match high {
        false => Granule::of_tg0(tcr >> 14),
        true => Granule::of_tg1(tcr >> 30),
    };
    granule == Some(Granule::Small)
}

/// The output size that TCR.IPS (PS) asks for, at most the Cortex-A53's 40 bits.
fn physical_bits(field: u64) -> u32 {
    match field {
        0 => 32,
        1 => 36,
        _ => 40,
    }
}

fn half(registers: &Registers, regime: Regime, tcr: u64, address: u64) -> Half {
    let root = |register| registers.effective(register) & 0x0000_ffff_ffff_fffe;
    match regime {
        Regime::El1 if address >> 55 & 1 == 0 => Half {
            root: root(Reg::TTBR0_EL1),
            size: tcr as u32 & 0x3f,
            disabled: tcr >> 7 & 1 != 0,
            cacheable: tcr >> 8 & 3 != 0,
            granule: Granule::of_tg0(tcr >> 14),
            ignores_top_byte: tcr >> 37 & 1 != 0,
        },
        Regime::El1 => Half {
            root: root(Reg::TTBR1_EL1),
            size: (tcr >> 16) as u32 & 0x3f,
            disabled: tcr >> 23 & 1 != 0,
            cacheable: tcr >> 24 & 3 != 0,
            granule: Granule::of_tg1(tcr >> 30),
            ignores_top_byte: tcr >> 38 & 1 != 0,
        },
        Regime::El2 | Regime::El3 => Half {
            root: root(match regime {
                Regime::El3 => Reg::TTBR0_EL3,
                _ => Reg::TTBR0_EL2,
            }),
            size: tcr as u32 & 0x3f,
            disabled: false,
            cacheable: tcr >> 8 & 3 != 0,
            granule: Granule::of_tg0(tcr >> 14),
            ignores_top_byte: tcr >> 20 & 1 != 0,
        },
    }
}

/// Bits that tables on the way have taken from the leaf (APTable, UXNTable, PXNTable: D5.3.2).
#[derive(Default)]
struct Taken {
    write: bool,
    user: bool,
    user_execution: bool,
    execution: bool,
}

pub(crate) const VALID: u64 = 1;
pub(crate) const TABLE_OR_PAGE: u64 = 1 << 1;
pub(crate) const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

impl Half {
    /// The level of the root: 0 for 48 bits of address, 1 for 39.
    fn first_level(&self) -> u32 {
        self.granule().first_level(self.bits())
    }

    /// The number of address bits.
    fn bits(&self) -> u32 {
        64 - self.size.clamp(16, 39)
    }

    fn granule(&self) -> Granule {
        self.granule.unwrap_or(Granule::Small)
    }
}

/// The fixed terms of one walk, and what the tables on the way have taken.
struct Walk {
    address: u64,
    granule: Granule,
    regime: Regime,
    cacheable: bool,
    physical_bits: u32,
    mair: u64,
    /// The mask of the first table's index: it may have fewer than 512 entries.
    first_index: u64,
    first_level: u32,
    taken: Taken,
}

/// One descriptor followed.
enum Step {
    /// It ends the walk.
    Leaf(Leaf),
    /// It leads to a table of the next level, at this address.
    Table(u64),
}

impl Walk {
    fn new(half: &Half, regime: Regime, tcr: u64, mair: u64, address: u64) -> Self {
        let granule = half.granule();
        let first_level = half.first_level();
        let size = match regime {
            Regime::El1 => tcr >> 32 & 7,
            Regime::El2 | Regime::El3 => tcr >> 16 & 7,
        };
        Self {
            address,
            granule,
            regime,
            cacheable: half.cacheable,
            physical_bits: physical_bits(size),
            mair,
            first_index: (1 << (half.bits() - granule.shift(first_level))) - 1,
            first_level,
            taken: Taken::default(),
        }
    }

    /// Walks from a table of `level` to the leaf.
    fn descend(
        &mut self,
        table: u64,
        level: u32,
        tables: &mut impl Tables,
    ) -> Result<Leaf, WalkError> {
        let (mut table, mut level) = (table, level);
        loop {
            if table >> self.physical_bits != 0 {
                return Err(Fault::AddressSize(level.saturating_sub(1) as u8).into());
            }
            let mask = match level == self.first_level {
                true => self.first_index,
                false => (1 << self.granule.index_bits()) - 1,
            };
            let index = self.address >> self.granule.shift(level) & mask;
            let descriptor = tables
                .descriptor(table + index * 8, self.cacheable)
                .ok_or(Fault::ExternalWalk(level as u8))?;
            match self.follow(level, descriptor)? {
                Step::Leaf(leaf) => return Ok(leaf),
                Step::Table(next) => (table, level) = (next, level + 1),
            }
        }
    }

    /// Follows one descriptor of `level`.
    fn follow(&mut self, level: u32, descriptor: u64) -> Result<Step, WalkError> {
        let step = level as u8;
        let table_or_page = descriptor & TABLE_OR_PAGE != 0;
        if descriptor & VALID == 0 || (level == 3 && !table_or_page) {
            return Err(Fault::Translation(step).into());
        }
        if level < 3 && table_or_page {
            self.taken.write |= descriptor >> 62 & 1 != 0;
            self.taken.user |= descriptor >> 61 & 1 != 0;
            self.taken.user_execution |= descriptor >> 60 & 1 != 0;
            self.taken.execution |= descriptor >> 59 & 1 != 0;
            let below = (1 << self.granule.page_bits()) - 1;
            return Ok(Step::Table(descriptor & ADDRESS & !below));
        }
        if level < self.granule.first_block() {
            return Err(Fault::Translation(step).into());
        }
        let below = (1 << self.granule.shift(level)) - 1;
        let page = descriptor & ADDRESS & !below | self.address & below & !0xfff;
        if page >> self.physical_bits != 0 {
            return Err(Fault::AddressSize(step).into());
        }
        if descriptor >> 10 & 1 == 0 {
            return Err(Fault::AccessFlag(step).into());
        }
        let leaf = leaf(descriptor, page, step, self.regime, &self.taken, self.mair);
        Ok(Step::Leaf(leaf))
    }
}

/// The number of address bits below an entry of a table of 4 KiB: 39 at level 0, 12 at level 3.
pub(crate) fn shift(level: u32) -> u32 {
    39 - 9 * level
}

fn leaf(descriptor: u64, page: u64, level: u8, regime: Regime, taken: &Taken, mair: u64) -> Leaf {
    let bit = |number: u32| descriptor >> number & 1 != 0;
    let attribute = (mair >> (8 * (descriptor >> 2 & 7))) as u8;
    let memory = MemoryType::of_attribute(attribute);
    let two_levels = regime == Regime::El1;
    Leaf {
        page,
        memory,
        attribute,
        // Device memory is always outer shareable (D5.5.2).
        shareability: match memory {
            MemoryType::Device(_) => 2,
            _ => (descriptor >> 8 & 3) as u8,
        },
        level,
        tagged: two_levels && bit(11),
        writable: !bit(7) && !taken.write,
        user: two_levels && bit(6) && !taken.user,
        executable: match two_levels {
            true => !bit(53) && !taken.execution,
            false => !bit(54) && !taken.user_execution,
        },
        user_executable: two_levels && !bit(54) && !taken.user_execution,
    }
}
