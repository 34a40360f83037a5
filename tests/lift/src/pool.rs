//! The frames of this kernel: a static pool, and a bit for each that is in use.
#![expect(unsafe_code, reason = "implements unsafe traits")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{ENTRIES, PagingHandler};

/// How many frames there are.
pub const FRAMES: usize = 64;
/// Where the pool is in this machine's physical memory.
const BASE: usize = 0x8000_0000;

#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

static MEMORY: [Frame; FRAMES] = [const { Frame([const { AtomicU64::new(0) }; ENTRIES]) }; FRAMES];
static IN_USE: [AtomicBool; FRAMES] = [const { AtomicBool::new(false) }; FRAMES];

/// The handler.
pub struct Pool;

impl Pool {
    /// How many frames are in use.
    #[must_use]
    pub fn in_use() -> usize {
        let used = |flag: &&AtomicBool| flag.load(Ordering::Relaxed);
        IN_USE.iter().filter(used).count()
    }

    fn number(pa: PhysAddr) -> usize {
        (pa.as_usize() - BASE) / PAGE_SIZE
    }
}

// SAFETY: a frame is given out when its flag turns true and again only after `dealloc_frame`
// turned it false; its memory is a static, aligned to 4096.
unsafe impl PagingHandler for Pool {
    fn alloc_frame() -> Option<PhysAddr> {
        let free = |flag: &AtomicBool| !flag.swap(true, Ordering::Acquire);
        let number = IN_USE.iter().position(free)?;
        Some(PhysAddr::new(BASE + number * PAGE_SIZE))
    }

    fn dealloc_frame(pa: PhysAddr) {
        IN_USE[Self::number(pa)].store(false, Ordering::Release);
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(MEMORY[Self::number(pa)].0.as_ptr().expose_provenance())
    }
}
