//! The live page tables, as a debugger finds and changes them: 4 KiB granule, 48 bits, four levels.

use super::gdb::Gdb;

/// Bits of a descriptor (Arm DDI 0487 D8.3).
pub(crate) const PAGE: u64 = 0b11;
pub(crate) const DEVICE_INDEX: u64 = 1 << 2;
pub(crate) const NORMAL_INDEX: u64 = 4 << 2;
pub(crate) const READ_ONLY: u64 = 1 << 7;
pub(crate) const INNER_SHAREABLE: u64 = 3 << 8;
pub(crate) const ACCESSED: u64 = 1 << 10;
pub(crate) const PRIVILEGED_EXECUTE_NEVER: u64 = 1 << 53;
pub(crate) const EXECUTE_NEVER: u64 = 1 << 54;

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// A descriptor in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Its physical address.
    pub(crate) address: u64,
    /// 0 to 3.
    pub(crate) level: u32,
    /// Its value.
    pub(crate) descriptor: u64,
}

/// The leaf of `va` in the high half, or the empty slot where the walk ends.
pub(crate) fn find(gdb: &mut Gdb, va: u64) -> Slot {
    let mut table = gdb.system_register("TTBR1_EL1") & ADDRESS;
    let mut level = 0;
    loop {
        let index = va >> (39 - 9 * level) & 0x1ff;
        let address = table + 8 * index;
        let descriptor = gdb.read(address);
        if level == 3 || descriptor & 0b11 != 0b11 {
            return Slot {
                address,
                level,
                descriptor,
            };
        }
        table = descriptor & ADDRESS;
        level += 1;
    }
}
