//! The identity map in TTBR0_EL1 with which cores 1 to 3 turn their MMU on.
//!
//! 1. A core sets SCTLR_EL1.M at a physical address of the parking pages, such as 0x8_03cc: the
//!    next instruction is fetched from the virtual address 0x8_03d0, which must map to itself.
//! 2. The branch into the high half leaves this map, and the core empties TTBR0_EL1.
//! 3. An exception in between is reported by boot/early.S: its vectors, the devices and the first
//!    page of the data are mapped for it.
//!
//! Built before the first core is released, freed when all are online. The boot's own low tree
//! would keep all boot memory for as long, and map as code what is ordinary memory by then.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::tlb::KernelTlb;
use crate::board::raspi3;
use crate::mm::kernel_space::{CODE, DEVICE, LOCAL_DEVICE, PA_BITS, READ_WRITE};
use crate::mm::regions::ImageLayout;
use crate::mm::table_frames::TableFrames;
use crate::paging::format::aarch64::{A64PageTable, LowHalf};
use crate::paging::{MappingFlags, PagingResult, RegionOptions};

/// The identity map: a tree of the low half whose tables are frames of [`TableFrames`]. Dropped,
/// it gives them back: no core's TTBR0_EL1 may name it any more.
pub type SecondaryTable = A64PageTable<LowHalf, KernelTlb, TableFrames, PA_BITS>;

/// Builds the identity map of `image` and of the devices: parking pages and `.early` as code, the
/// first page of the data, both blocks of registers. No entry is global.
///
/// # Errors
/// [`PagingError::NoMemory`](crate::paging::PagingError::NoMemory) without a frame for a table.
pub fn build(image: &ImageLayout) -> PagingResult<SecondaryTable> {
    let mut table = SecondaryTable::try_new()?;
    let end = |start: PhysAddr, size: usize| PhysAddr::new(start.as_usize() + size);
    let (devices, local) = (raspi3::PERIPHERALS, raspi3::LOCAL_PERIPHERALS);
    for (start, end, flags) in [
        (image.park, image.init, CODE),
        (image.early, image.text, CODE),
        (devices, end(devices, raspi3::PERIPHERALS_SIZE), DEVICE),
        (
            local,
            end(local, raspi3::LOCAL_PERIPHERALS_SIZE),
            LOCAL_DEVICE,
        ),
        (image.data, end(image.data, PAGE_SIZE), READ_WRITE),
    ] {
        let va = crate::addr::VirtAddr::new(start.as_usize());
        let size = end.as_usize().saturating_sub(start.as_usize());
        // Entries of the low half are not global.
        let flags = flags.difference(MappingFlags::GLOBAL);
        table
            .map_region(va, start, size, flags, RegionOptions::HUGE)?
            .flush();
    }
    Ok(table)
}
