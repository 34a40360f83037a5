//! The address spaces of this kernel, on every architecture without a `cfg`: [`Native`] is the
//! table that holds the kernel, [`NativeUser`] the one that holds a process.
//!
//! Nothing here says which architecture it is. One address serves all: the last GiB belongs to the
//! kernel in the high half of AArch64, in the upper canonical half of x86-64, of Sv39 and of
//! LoongArch.
#![forbid(unsafe_code)]

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{MappingFlags, Native, NativeUser, PageSize, PagingResult, RegionOptions};

use crate::Pool;

/// The table that holds this kernel; there is one core, and no handler touches what is changed.
pub type KernelTable = Native<Pool>;
/// The table that holds a process.
pub type UserTable = NativeUser<Pool>;

/// Where the kernel has its RAM.
pub const RAM: VirtAddr = VirtAddr::new(0xffff_ffff_c000_0000);
/// Where a process has its stack: the page at this address.
pub const USER_STACK: VirtAddr = VirtAddr::new(0x3fff_f000);

const DATA: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::ACCESSED);

/// A table with `bytes` of RAM from `pa` on at [`RAM`], in leaves as large as fit.
///
/// # Errors
/// Those of [`KernelTable::map_region`](stilt_paging::PageTable64::map_region).
pub fn kernel_table(pa: PhysAddr, bytes: usize) -> PagingResult<KernelTable> {
    let flags = DATA | MappingFlags::GLOBAL;
    let mut table = KernelTable::try_new()?;
    table
        .map_region(RAM, pa, bytes, flags, RegionOptions::HUGE)?
        .flush();
    Ok(table)
}

/// Makes the page below a stack at `stack` inaccessible: this splits a block, and needs an
/// invalidation.
///
/// # Errors
/// Those of [`KernelTable::protect_region`](stilt_paging::PageTable64::protect_region).
pub fn guard(table: &mut KernelTable, stack: VirtAddr) -> PagingResult {
    let page = VirtAddr::new(stack.as_usize() - PAGE_SIZE);
    let flags = MappingFlags::GLOBAL | MappingFlags::ACCESSED;
    table.protect_region(page, PAGE_SIZE, flags)?.flush();
    Ok(())
}

/// A table with one page of stack, in the frame at `stack`.
///
/// # Errors
/// Those of [`UserTable::map`](stilt_paging::PageTable64::map).
pub fn user_table(stack: PhysAddr) -> PagingResult<UserTable> {
    let flags = DATA | MappingFlags::USER;
    let mut table = UserTable::try_new()?;
    table
        .map(USER_STACK, stack, PageSize::Size4K, flags)?
        .flush();
    Ok(table)
}
