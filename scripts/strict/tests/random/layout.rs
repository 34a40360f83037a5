//! Where what is in memory, and the page tables that say so.
//!
//! Virtual addresses are physical ones. The first 2 MiB are mapped page by page, the blocks of
//! random instructions and the devices by 2 MiB blocks; everything else is unmapped. Descriptors:
//! DDI 0487 D8.3 (VMSAv8-64, 4 KiB granule).

/// Where QEMU and the board's firmware load a raw image, and enter it.
pub(crate) const ENTRY: u64 = 0x8_0000;
/// The vectors of the level at which blocks run, and their handler behind them.
pub(crate) const VECTORS: u64 = 0xa_0000;
/// The vectors of EL2 if blocks run below it.
pub(crate) const UPPER_VECTORS: u64 = 0xa_8000;
/// The page with the registers that a block left, and the state of the run.
pub(crate) const SAVED: u64 = 0xb_0000;
/// Three tables: the root (level 1), level 2 of the first GiB, level 3 of the first 2 MiB.
pub(crate) const TABLES: u64 = 0xc_0000;
/// Values for registers.
pub(crate) const POOL: u64 = 0xd_0000;
/// The size of the pool in values: a block takes a run of them.
pub(crate) const POOL_VALUES: u32 = 4096;
/// The length of a block's run in the pool.
pub(crate) const RUN: u32 = 33;
/// The memory that loads and stores use, 64 KiB.
pub(crate) const WINDOW: u64 = 0x10_0000;
/// The size of the window in bytes.
pub(crate) const WINDOW_SIZE: u64 = 0x1_0000;
/// The lowest base of an access. Bases are in 16 KiB from here: offsets of -16 KiB to 32 KiB from
/// them stay inside of the window.
pub(crate) const BASES: u64 = 0x10_4000;
/// A page that nobody may write.
pub(crate) const READ_ONLY: u64 = 0x11_0000;
/// A page that EL0 may not access.
pub(crate) const PRIVILEGED: u64 = 0x11_1000;
/// A page that is not mapped.
pub(crate) const ABSENT: u64 = 0x11_2000;
/// A page whose access flag is clear.
pub(crate) const NOT_ACCESSED: u64 = 0x11_3000;
/// For each block 16 bytes: address, SPSR (4 bytes), offset in the pool (4 bytes).
pub(crate) const DESCRIPTORS: u64 = 0x12_0000;
/// The blocks of random instructions.
pub(crate) const BLOCKS: u64 = 0x20_0000;
/// The end of the code that is mapped.
pub(crate) const END: u64 = 0x200_0000;
/// The most blocks of an image.
pub(crate) const MOST_BLOCKS: u32 = ((BLOCKS - DESCRIPTORS) / 16) as u32;

/// The power management: the watchdog's registers.
pub(crate) const POWER: u64 = 0x3f10_0000;
/// The pins' functions.
pub(crate) const GPIO: u64 = 0x3f20_0000;
/// The serial line.
pub(crate) const PL011: u64 = 0x3f20_1000;

/// 2 MiB, what an entry of level 2 maps.
const BLOCK: u64 = 0x20_0000;
/// 4 KiB, what an entry of level 3 maps.
const PAGE: u64 = 0x1000;
/// The number of entries of a table.
const ENTRIES: usize = 512;

/// MAIR_ELx: attribute 0 is Normal memory, write-back; attribute 1 is Device-nGnRE.
pub(crate) const ATTRIBUTES: u64 = 0x04ff;
/// TCR_EL1: 39 bits of address, tables write-back and inner shareable, 4 KiB; nothing by TTBR1.
pub(crate) const TCR_EL1: u64 = 2 << 30 | 1 << 23 | TCR_EL2_FIELDS;
/// TCR_EL2: likewise, with its RES1 bits.
pub(crate) const TCR_EL2: u64 = 1 << 31 | 1 << 23 | TCR_EL2_FIELDS;
const TCR_EL2_FIELDS: u64 = 3 << 12 | 1 << 10 | 1 << 8 | 25;

/// The exception level at which blocks begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// EL1, and EL0 below it. EL2 takes HVC and SMC.
    El1,
    /// EL2.
    El2,
}

impl Level {
    /// The name of this level's register: `of("esr")` is `esr_el1`.
    pub(crate) fn of(self, register: &str) -> String {
        match self {
            Self::El1 => format!("{register}_el1"),
            Self::El2 => format!("{register}_el2"),
        }
    }
}

/// What may be done with a page.
#[derive(Clone, Copy)]
enum Rights {
    /// Data of the exception level itself.
    Data,
    /// Code of the exception level itself.
    Code,
    /// Data of EL0, too.
    UserData,
    /// Data of EL0, too, that nobody may write.
    UserConstants,
    /// Code of EL0, too.
    UserCode,
    /// Registers of a device.
    Device,
}

/// AF, SH = inner shareable, the type of a page (a block's has bit 1 clear).
const PAGE_BITS: u64 = 1 << 10 | 3 << 8 | 3;
/// AF of [`PAGE_BITS`].
const ACCESSED: u64 = 1 << 10;

/// The lower and upper attributes of a leaf. AP[2:1] is in bits 7:6, PXN and UXN are bits 53 and 54;
/// EL2 has one XN, bit 54, and AP[1] is RES1. What EL0 may write EL1 does not execute, without PXN.
fn attributes(level: Level, rights: Rights) -> u64 {
    let (access, pxn, uxn) = match rights {
        Rights::Data | Rights::Device => (0b00, 1, 1),
        Rights::Code => (0b10, 0, 1),
        Rights::UserData => (0b01, 0, 1),
        Rights::UserConstants => (0b11, 1, 1),
        Rights::UserCode => (0b11, 0, 0),
    };
    let xn = u64::from(!matches!(rights, Rights::Code | Rights::UserCode));
    let index = u64::from(matches!(rights, Rights::Device));
    let common = PAGE_BITS | index << 2 | access << 6;
    match level {
        Level::El1 => common | pxn << 53 | uxn << 54,
        Level::El2 => common | 1 << 6 | xn << 54,
    }
}

/// The rights of a page of the first 2 MiB, by its address; none if it is not mapped.
fn rights(address: u64) -> Option<Rights> {
    Some(match address {
        ABSENT => return None,
        ENTRY..SAVED => Rights::Code,
        WINDOW..READ_ONLY | NOT_ACCESSED => Rights::UserData,
        READ_ONLY..PRIVILEGED => Rights::UserConstants,
        _ => Rights::Data,
    })
}

/// The entries of the three tables at [`TABLES`].
pub(crate) fn tables(level: Level) -> Vec<u64> {
    let mut entries = vec![0; 3 * ENTRIES];
    let (root, rest) = entries.split_at_mut(ENTRIES);
    let (blocks, pages) = rest.split_at_mut(ENTRIES);
    root[0] = (TABLES + PAGE) | 3;
    blocks[0] = (TABLES + 2 * PAGE) | 3;
    for address in (BLOCKS..END).step_by(BLOCK as usize) {
        let leaf = attributes(level, Rights::UserCode) & !2;
        blocks[(address / BLOCK) as usize] = address | leaf;
    }
    for address in [POWER, GPIO] {
        let (block, leaf) = (address / BLOCK, attributes(level, Rights::Device) & !2);
        blocks[block as usize] = (block * BLOCK) | leaf;
    }
    for (index, entry) in pages.iter_mut().enumerate() {
        let address = index as u64 * PAGE;
        *entry = rights(address).map_or(0, |rights| address | attributes(level, rights));
    }
    pages[(NOT_ACCESSED / PAGE) as usize] &= !ACCESSED;
    entries
}
