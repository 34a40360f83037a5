//! The tree by which cores 1 to 3 come high: an identity map of the pages that they execute from
//! the moment in which their MMU is on to the branch into the high half, and of what their vectors
//! need to say that something failed there (boot/early.S): devices, and the first page of the data.
//!
//! Made before the first core is called, and given up when all have come: the boot's own low tree
//! would keep all boot memory for as long, and map as code what is ordinary memory by then.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::tlb::KernelTlb;
use crate::board::raspi3;
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::kernel_space::{CODE, DEVICE, LOCAL_DEVICE, PA_BITS, READ_WRITE};
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
