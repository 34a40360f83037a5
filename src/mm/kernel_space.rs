//! The kernel's address space: the final map, made with
//! [`PageTable64`](crate::paging::PageTable64).
//!
//! Built beside the boot map from the same list of regions, then switched to. Afterwards it is
//! only added to: nothing that the kernel stands on is split or moved.
#![expect(
    unsafe_code,
    reason = "the live tables, and a table that the linker places"
)]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::lock::Lock;
use crate::arch::lock_classes;
use crate::arch::tlb::KernelTlb;
use crate::board::raspi3;
use crate::mm::kernel_frames::{KernelFrames, add_frames};
use crate::mm::layout::{self, Pages, phys_to_virt, virt_to_phys};
use crate::mm::regions::{ImageLayout, RegionKind};
use crate::mm::table_frames::TableFrames;
use crate::paging::format::aarch64::{A64PageTable, A64TableView, HighHalf, LowHalf};
use crate::paging::{
    ENTRIES, MappingFlags, PageSize, PagingError, PagingHandler, PagingResult, RegionOptions,
};

/// Bits of a physical address on the Cortex-A53 (DDI 0500, ID_AA64MMFR0_EL1.PARange). The kernel's
/// tables refuse to map a frame from 2^40 on.
pub const PA_BITS: usize = 40;

/// [`build`] leaves it out of RAM as what is below all of it.
const _: () = assert!(raspi3::FIRMWARE_PAGE.as_usize() == 0);

/// The kernel's page table, which TTBR1_EL1 names: four levels of 4 KiB tables for 48 bits of
/// address. Its tables are frames of [`TableFrames`], and its changes are invalidated on every
/// core.
pub type KernelTable = A64PageTable<HighHalf, KernelTlb, TableFrames, PA_BITS>;
/// A look at the tree of the high half: reads descriptors, changes nothing, owns no table. The
/// linear map must have all tables of the tree.
pub type KernelView = A64TableView<HighHalf, KernelTlb, TableFrames, PA_BITS>;
/// A look at the tree of the low half: a space's own, or whatever TTBR0_EL1 names. The linear map
/// must have all of its tables.
pub type LowView = A64TableView<LowHalf, KernelTlb, TableFrames, PA_BITS>;

/// A table without entries, for ever: what TTBR0 names on each core that has given up the low half,
/// and TTBR1 while it is switched. In pages that nobody can write.
#[repr(C, align(4096))]
pub struct EmptyTable([u64; ENTRIES]);

#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.empty_table")]
static EMPTY_TABLE: EmptyTable = EmptyTable([0; ENTRIES]);

/// The physical address of a table without entries: 4 KiB of `.rodata`, there for good. Each walk
/// that begins there ends in a translation fault of level 0.
#[must_use]
pub fn empty_table() -> PhysAddr {
    virt_to_phys(VirtAddr::new((&raw const EMPTY_TABLE).addr()))
}

/// Rights that every kernel mapping has.
const KERNEL: MappingFlags = MappingFlags::READ
    .union(MappingFlags::ACCESSED)
    .union(MappingFlags::GLOBAL);
/// The kernel's code: read and execute at EL1 (`AP[2:1]` 0b10, PXN 0, UXN 1: DDI 0487 D8.4.1),
/// write-back, global.
pub const CODE: MappingFlags = KERNEL.union(MappingFlags::EXECUTE);
/// The kernel's constants: read only, at EL1 alone. Also for code that cores fetch with the MMU
/// off: the parking pages, and the vectors of EL2 and EL3.
pub const READ_ONLY: MappingFlags = KERNEL;
/// Data, stacks and free frames: read and write, in normal memory that is cached.
pub const READ_WRITE: MappingFlags = KERNEL.union(MappingFlags::WRITE);
/// The registers of the BCM2835's devices: device memory, nGnRE. A write may be acknowledged before
/// it is in the register.
pub const DEVICE: MappingFlags = READ_WRITE.union(MappingFlags::DEVICE);
/// The registers of the local peripherals: device memory, nGnRnE. Without early acknowledgement, a
/// DSB behind a write waits until it is in the register.
pub const LOCAL_DEVICE: MappingFlags = DEVICE.union(MappingFlags::UNCACHED);

/// Device registers: what they are, where, how many bytes, and how they are mapped.
pub(super) const DEVICES: [(&str, PhysAddr, usize, MappingFlags); 2] = [
    (
        "peripherals",
        raspi3::PERIPHERALS,
        raspi3::PERIPHERALS_SIZE,
        DEVICE,
    ),
    (
        "local peripherals",
        raspi3::LOCAL_PERIPHERALS,
        raspi3::LOCAL_PERIPHERALS_SIZE,
        LOCAL_DEVICE,
    ),
];

/// The first entry of the empty table that is not empty: its index, and what it holds. Any is a
/// fault, since the table's page is read-only.
#[must_use]
pub fn empty_table_entry() -> Option<(usize, u64)> {
    let first = (&raw const EMPTY_TABLE).cast::<u64>();
    (0..ENTRIES).find_map(|index| {
        // SAFETY: inside the static. Volatile: it is looked at because somebody may have written
        // there.
        let entry = unsafe { first.wrapping_add(index).read_volatile() };
        (entry != 0).then_some((index, entry))
    })
}

/// The final map of image, RAM and devices; nobody uses it yet. `ram` is sorted, whole frames.
///
/// The image and the firmware's page are mapped whether `ram` has them or not: the kernel stands on
/// the one, and calls the other cores through the other. `.init` is left out: it becomes free
/// frames. The parking pages are read-only: cores may stand there with their caches off. `.early`
/// is read-only for good: EL2 and EL3 have their vectors there.
///
/// # Errors
/// [`PagingError::NoMemory`].
pub fn build(
    image: &ImageLayout,
    ram: impl Iterator<Item = (PhysAddr, PhysAddr)>,
) -> PagingResult<KernelTable> {
    let mut table = KernelTable::try_new()?;
    map_linear(&mut table, image.park, image.init, READ_ONLY)?;
    map_linear(&mut table, image.early, image.text, READ_ONLY)?;
    for region in image.regions() {
        let flags = match region.kind {
            RegionKind::Init => continue,
            RegionKind::Text => CODE,
            RegionKind::ReadOnly => READ_ONLY,
            RegionKind::ReadWrite => READ_WRITE,
        };
        map_linear(&mut table, region.start, region.end, flags)?;
    }
    let firmware_end = PhysAddr::new(raspi3::FIRMWARE_PAGE.as_usize() + PAGE_SIZE);
    map_linear(&mut table, raspi3::FIRMWARE_PAGE, firmware_end, READ_WRITE)?;
    for (start, end) in ram {
        let below = (start.max(firmware_end), end.min(image.park));
        let above = (start.max(image.end), end);
        for (start, end) in [below, above] {
            map_linear(&mut table, start, end, READ_WRITE)?;
        }
    }
    for (_, start, size, flags) in DEVICES {
        let end = PhysAddr::new(start.as_usize() + size);
        map_linear(&mut table, start, end, flags)?;
    }
    Ok(table)
}

/// Maps `[start, end)` at its place in the linear map, with the largest leaves; nothing if it is
/// empty. The image's edges lie in the first 2 MiB, which comes out in pages by that.
fn map_linear(
    table: &mut KernelTable,
    start: PhysAddr,
    end: PhysAddr,
    flags: MappingFlags,
) -> PagingResult {
    let Some(size) = end.checked_sub(start).filter(|size| *size > 0) else {
        return Ok(());
    };
    table
        .map_region(phys_to_virt(start), start, size, flags, RegionOptions::HUGE)?
        .flush();
    Ok(())
}

/// Maps `pages` of the kernel window to fresh frames, read-write, whose contents are unknown.
///
/// # Errors
/// [`PagingError::NoMemory`] without a frame for a page or a table, [`PagingError::AlreadyMapped`]
/// with the first page that is mapped: what was mapped before is unmapped again.
pub fn map_window(table: &mut KernelTable, pages: Pages) -> PagingResult {
    for offset in (0..pages.size).step_by(PAGE_SIZE) {
        let va = VirtAddr::new(pages.start.as_usize() + offset);
        if let Err(error) = map_fresh(table, va, READ_WRITE) {
            for done in (0..offset).step_by(PAGE_SIZE) {
                let va = VirtAddr::new(pages.start.as_usize() + done);
                KernelFrames::dealloc_frame(table.unmap(va)?.flush());
            }
            return Err(error);
        }
    }
    Ok(())
}

/// Maps the page at `va` to a fresh frame. What that holds is ordered before nothing: no core uses
/// the page before it is told of it, by a lock or a release, after it was filled through the page.
fn map_fresh(table: &mut KernelTable, va: VirtAddr, flags: MappingFlags) -> PagingResult {
    let frame = KernelFrames::alloc_frame().ok_or(PagingError::NoMemory)?;
    match table.map(va, frame, PageSize::Size4K, flags) {
        Ok(receipt) => {
            receipt.flush();
            Ok(())
        }
        Err(error) => {
            KernelFrames::dealloc_frame(frame);
            Err(error)
        }
    }
}

/// Maps the page at `va` of the live map to a fresh frame, whose contents are unknown.
///
/// # Errors
/// [`PagingError::NoMemory`] without a frame for the page or a table, and before there is a live
/// map; [`PagingError::AlreadyMapped`]; [`PagingError::InvalidVirtAddr`] outside the high half;
/// [`PagingError::Unsupported`], [`PagingError::WritableExecutable`] and
/// [`PagingError::ExecutableDevice`] for the flags.
pub fn map_page(va: VirtAddr, flags: MappingFlags) -> PagingResult {
    let mapped = with_table(|table| map_fresh(table, va, flags));
    mapped.unwrap_or(Err(PagingError::NoMemory))
}

/// Gives whatever is mapped in `bytes` from `va` on these flags in the live map. Holes do not
/// matter.
///
/// # Errors
/// [`PagingError::NotAligned`] if `va` or `bytes` is no multiple of 4 KiB; [`PagingError::Pinned`]
/// if what a core stands on would lose a right; [`PagingError::NoMemory`] if a block cannot be
/// split; those of the flags, as [`map_page`]; [`PagingError::NotMapped`] only before there is a
/// live map.
pub fn protect(va: VirtAddr, bytes: usize, flags: MappingFlags) -> PagingResult {
    let protected = with_table(|table| {
        table.protect_region(va, bytes, flags)?.flush();
        Ok(())
    });
    protected.unwrap_or(Err(PagingError::NotMapped { va }))
}

/// Gives the page at `va` of the live map a fresh frame, whose contents are unknown, and frees the
/// one that it had: the other cores are stopped for it (break-before-make, DDI 0487 D8.17.1).
///
/// # Errors
/// [`PagingError::NoMemory`] without a frame; [`PagingError::NotMapped`]; [`PagingError::Pinned`];
/// those of the flags, as [`map_page`]. The fresh frame is given back then.
pub fn renew_page(va: VirtAddr, flags: MappingFlags) -> PagingResult {
    let fresh = KernelFrames::alloc_frame().ok_or(PagingError::NoMemory)?;
    let renewed = with_table(|table| {
        let (old, ..) = table.query(va)?;
        table.remap(va, fresh, flags)?.1.flush();
        Ok(old)
    });
    match renewed.unwrap_or(Err(PagingError::NotMapped { va })) {
        Ok(old) => {
            KernelFrames::dealloc_frame(old);
            Ok(())
        }
        Err(error) => {
            KernelFrames::dealloc_frame(fresh);
            Err(error)
        }
    }
}

/// Unmaps the page at `va` of the live map, and frees its frame once no core's TLB has it.
///
/// # Errors
/// [`PagingError::NotMapped`], also before there is a live map; [`PagingError::Pinned`];
/// [`PagingError::InvalidVirtAddr`] outside the high half.
pub fn unmap_page(va: VirtAddr) -> PagingResult {
    let unmapped = with_table(|table| table.unmap(va).map(|unmapped| unmapped.flush()));
    let frame = unmapped.unwrap_or(Err(PagingError::NotMapped { va }))?;
    KernelFrames::dealloc_frame(frame);
    Ok(())
}

/// Makes free frames of `[start, end)`, a part of the image that nobody needs any more: mapped
/// read-write where it was not mapped, or was read-only. Returns their number.
///
/// Whether it was mapped is asked of `start` alone.
///
/// # Errors
/// [`PagingError::NoMemory`] for a table, or to split a block; [`PagingError::Pinned`] if a core
/// stands on any of it.
pub fn reclaim(table: &mut KernelTable, start: PhysAddr, end: PhysAddr) -> PagingResult<usize> {
    let va = phys_to_virt(start);
    match table.query(va) {
        Ok(_) => {
            let size = end.as_usize().saturating_sub(start.as_usize());
            table.protect_region(va, size, READ_WRITE)?.flush();
        }
        Err(_) => map_linear(table, start, end, READ_WRITE)?,
    }
    Ok(add_frames(start, end))
}

/// Unmaps `size` bytes at `start` from the linear map; their frames are nobody's. Both are
/// multiples of 4 KiB.
///
/// # Errors
/// [`PagingError::NoMemory`] if a block cannot be split; [`PagingError::Pinned`];
/// [`PagingError::NotAligned`].
pub fn unmap_linear(table: &mut KernelTable, start: PhysAddr, size: usize) -> PagingResult {
    table.unmap_region(phys_to_virt(start), size)?.flush();
    Ok(())
}

/// Says what the cores stand on: the image without its boot parts, and their stacks. From here on a
/// change that takes a right from any of that, or makes it invalid for a moment, is refused.
///
/// # Errors
/// [`PagingError::TooManyPins`].
pub fn pin(table: &mut KernelTable, image: &ImageLayout) -> PagingResult {
    let bytes = image.scratch.as_usize() - image.text.as_usize();
    table.pin(phys_to_virt(image.text), bytes)?;
    for pages in (0..raspi3::CORES).flat_map(layout::stacks) {
        table.pin(pages.start, pages.size)?;
    }
    Ok(())
}

/// The kernel's page table, once the hardware uses it.
static TABLE: Lock<Option<KernelTable>, lock_classes::KernelMap> = Lock::new(None);

/// Keeps the table that TTBR1 now points to. Once, at boot on core 0, before another core runs: a
/// second call would drop the first table, and free its frames.
pub fn set_table(table: KernelTable) {
    *TABLE.lock() = Some(table);
}

/// Works on the live table, under its lock, with interrupts masked; `None` before there is one.
/// `work` may take frames and stop the other cores, but must not ask the heap, whose lock comes
/// first.
pub fn with_table<R>(work: impl FnOnce(&mut KernelTable) -> R) -> Option<R> {
    TABLE.lock().as_mut().map(work)
}

/// The tree that translates the high half now, as the register has it. Without the table's lock: a
/// core that changes the map meanwhile may be seen half way.
#[must_use]
pub fn live_view() -> KernelView {
    // SAFETY: TTBR1 always points to a tree of this format, whose tables the linear map has.
    unsafe { KernelView::new(crate::arch::mmu::high_root()) }
}
