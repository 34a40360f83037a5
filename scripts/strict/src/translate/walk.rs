//! The walk of a tree of tables with the 4 KiB granule: DDI 0487 D5.3 and D8.3.

use super::{Fault, Leaf, MemoryType, Regime, flat, sctlr};
use crate::cpu::registers::{Reg, Registers};
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
    /// TGx names the 4 KiB granule.
    pages_of_4_kib: bool,
    /// TBIx: bits 63:56 of an address are ignored.
    ignores_top_byte: bool,
}

/// The error of a walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WalkError {
    /// The architecture's answer.
    Fault(Fault),
    /// TCR asks for a granule that is not modelled.
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
    let bits = 64 - half.size;
    let upper = extended >> bits;
    let inside = upper == 0 || (regime == Regime::El1 && upper == -1);
    if !inside || half.disabled || !(16..=39).contains(&half.size) {
        return Err(Fault::Translation(0).into());
    }
    if !half.pages_of_4_kib {
        return Err(WalkError::Granule(tcr));
    }
    let physical_bits = physical_bits(match regime {
        Regime::El1 => tcr >> 32 & 7,
        Regime::El2 | Regime::El3 => tcr >> 16 & 7,
    });
    descend(&half, regime, address, bits, physical_bits, mair, tables)
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
            pages_of_4_kib: tcr >> 14 & 3 == 0,
            ignores_top_byte: tcr >> 37 & 1 != 0,
        },
        Regime::El1 => Half {
            root: root(Reg::TTBR1_EL1),
            size: (tcr >> 16) as u32 & 0x3f,
            disabled: tcr >> 23 & 1 != 0,
            cacheable: tcr >> 24 & 3 != 0,
            pages_of_4_kib: tcr >> 30 & 3 == 2,
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
            pages_of_4_kib: tcr >> 14 & 3 == 0,
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

const VALID: u64 = 1;
const TABLE_OR_PAGE: u64 = 1 << 1;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

fn descend(
    half: &Half,
    regime: Regime,
    address: u64,
    bits: u32,
    physical_bits: u32,
    mair: u64,
    tables: &mut impl Tables,
) -> Result<Leaf, WalkError> {
    let mut level = 4 - (bits - 12).div_ceil(9);
    let mut table = half.root;
    let mut taken = Taken::default();
    let mut index_bits = bits - 12 - 9 * (3 - level);
    loop {
        let step = level as u8;
        if table >> physical_bits != 0 {
            let above = step.saturating_sub(1);
            return Err(Fault::AddressSize(above).into());
        }
        let shift = 39 - 9 * level;
        let index = address >> shift & ((1 << index_bits) - 1);
        let place = table + index * 8;
        let descriptor = tables
            .descriptor(place, half.cacheable)
            .ok_or(Fault::ExternalWalk(step))?;
        let table_or_page = descriptor & TABLE_OR_PAGE != 0;
        if descriptor & VALID == 0 || (level == 3 && !table_or_page) {
            return Err(Fault::Translation(step).into());
        }
        if level < 3 && table_or_page {
            taken.write |= descriptor >> 62 & 1 != 0;
            taken.user |= descriptor >> 61 & 1 != 0;
            taken.user_execution |= descriptor >> 60 & 1 != 0;
            taken.execution |= descriptor >> 59 & 1 != 0;
            table = descriptor & ADDRESS;
            level += 1;
            index_bits = 9;
            continue;
        }
        if level == 0 {
            return Err(Fault::Translation(0).into());
        }
        let inside = address & ((1 << shift) - 1) & !0xfff;
        let page = descriptor & ADDRESS & !((1 << shift) - 1) | inside;
        if page >> physical_bits != 0 {
            return Err(Fault::AddressSize(step).into());
        }
        if descriptor >> 10 & 1 == 0 {
            return Err(Fault::AccessFlag(step).into());
        }
        return Ok(leaf(descriptor, page, step, regime, &taken, mair));
    }
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
