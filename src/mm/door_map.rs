//! The tree by which cores 1 to 3 come high: an identity map of the pages that they execute from the
//! moment in which their MMU is on to the branch into the high half, and of the devices by which their
//! vectors could say that something failed there.
//!
//! Made before the first core is called, and given up when all have come: the boot's own low tree would
//! keep all boot memory for as long, and map as code what is ordinary memory by then.
#![forbid(unsafe_code)]

use crate::addr::PhysAddr;
use crate::arch::tlb::KernelTlb;
use crate::board::raspi3;
use crate::mm::kernel_space::{CODE, DEVICE, KernelFrames, PA_BITS};
use crate::mm::regions::ImageLayout;
use crate::paging::format::aarch64::{A64PageTable, LowHalf};
use crate::paging::{MappingFlags, PagingResult, RegionOptions};

/// The tree.
pub type DoorTable = A64PageTable<LowHalf, KernelTlb, KernelFrames, PA_BITS>;

/// Builds it.
///
/// # Errors
/// Those of a mapping.
pub fn build(image: &ImageLayout) -> PagingResult<DoorTable> {
    let mut table = DoorTable::try_new()?;
    let devices_end = raspi3::PERIPHERALS.as_usize() + raspi3::PERIPHERALS_SIZE;
    for (start, end, flags) in [
        (image.park, image.init, CODE),
        (image.early, image.text, CODE),
        (raspi3::PERIPHERALS, PhysAddr::new(devices_end), DEVICE),
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
