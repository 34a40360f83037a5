//! [`Pool`]: frames for tables, from a stretch of memory.
//!
//! One stretch and one list for the whole program, which runs on one core and takes no
//! interrupts.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

use stilt_paging::PagingHandler;
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// The next frame that was never given out.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// The end of the stretch.
static END: AtomicUsize = AtomicUsize::new(0);
/// The first frame that came back; its first word names the next one. 0: none.
static RETURNED: AtomicUsize = AtomicUsize::new(0);
/// Frames that are out.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Where the program reaches physical memory.
pub trait LinearMap: Send + Sync + 'static {
    /// The address of `pa`.
    fn virt(pa: PhysAddr) -> VirtAddr;
}

/// The handler of tables that are reached through `L`.
pub struct Pool<L>(PhantomData<L>);

impl<L: LinearMap> Pool<L> {
    /// Hands out the frames of `bytes` from `start`, both multiples of 4 KiB; not frame 0.
    ///
    /// # Safety
    /// It is memory that nobody else uses, and `L` reaches it. Called once.
    pub unsafe fn give(start: PhysAddr, bytes: usize) {
        NEXT.store(start.as_usize(), Ordering::Relaxed);
        END.store(start.as_usize() + bytes, Ordering::Relaxed);
    }
}

/// How many frames are out.
pub(crate) fn in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

fn first_word<L: LinearMap>(frame: usize) -> *mut usize {
    L::virt(PhysAddr::new(frame)).as_usize() as *mut usize
}

// SAFETY: a frame is either past `NEXT`, in the list, or out, and moves between these by the two
// functions alone; `Pool::give`'s caller vouches for the memory and for `L`.
unsafe impl<L: LinearMap> PagingHandler for Pool<L> {
    fn alloc_frame() -> Option<PhysAddr> {
        let returned = RETURNED.load(Ordering::Relaxed);
        let frame = if returned == 0 {
            let next = NEXT.load(Ordering::Relaxed);
            if next == END.load(Ordering::Relaxed) {
                return None;
            }
            NEXT.store(next + PAGE_SIZE, Ordering::Relaxed);
            next
        } else {
            // SAFETY: a frame in the list is memory of the stretch that nobody else uses.
            let after = unsafe { first_word::<L>(returned).read_volatile() };
            RETURNED.store(after, Ordering::Relaxed);
            returned
        };
        IN_USE.fetch_add(1, Ordering::Relaxed);
        Some(PhysAddr::new(frame))
    }

    fn dealloc_frame(pa: PhysAddr) {
        let after = RETURNED.load(Ordering::Relaxed);
        // SAFETY: the frame came from here, and whoever had it gave it up.
        unsafe { first_word::<L>(pa.as_usize()).write_volatile(after) };
        RETURNED.store(pa.as_usize(), Ordering::Relaxed);
        IN_USE.fetch_sub(1, Ordering::Relaxed);
    }

    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        L::virt(pa)
    }
}
