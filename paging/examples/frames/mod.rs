//! Frames for the examples: a pool in the program's own memory, with physical addresses of its own.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{ENTRIES, PagingHandler};

/// Frames in the pool.
const FRAMES: usize = 256;
/// The physical address of the first.
const BASE: usize = 0x8000_0000;

/// A frame as page tables see it: 512 words of 64 bits, which a hardware walker may read at any
/// time.
#[repr(align(4096))]
struct Frame([AtomicU64; ENTRIES]);

static RAM: [Frame; FRAMES] = [const { Frame([const { AtomicU64::new(0) }; ENTRIES]) }; FRAMES];
static IN_USE: Mutex<[bool; FRAMES]> = Mutex::new([false; FRAMES]);

/// Where tables live, and in `user_space` the pages of its processes too.
pub(crate) struct Frames;

impl Frames {
    /// How many frames are in use.
    pub(crate) fn in_use() -> usize {
        let in_use = IN_USE.lock().unwrap();
        in_use.iter().filter(|used| **used).count()
    }

    /// The words of the frame at `pa`.
    pub(crate) fn words(pa: PhysAddr) -> &'static [AtomicU64; ENTRIES] {
        &RAM[Self::number(pa)].0
    }

    fn number(pa: PhysAddr) -> usize {
        (pa.as_usize() - BASE) / PAGE_SIZE
    }
}

// SAFETY: a frame that is in use is not given out again; its memory is a static, aligned to 4096,
// and every access to it is atomic.
unsafe impl PagingHandler for Frames {
    fn alloc_frame() -> Option<PhysAddr> {
        let mut in_use = IN_USE.lock().unwrap();
        let number = in_use.iter().position(|used| !used)?;
        in_use[number] = true;
        Some(PhysAddr::new(BASE + number * PAGE_SIZE))
    }

    fn dealloc_frame(pa: PhysAddr) {
        IN_USE.lock().unwrap()[Self::number(pa)] = false;
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(Self::words(pa).as_ptr().expose_provenance())
    }
}
