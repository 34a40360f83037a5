//! Address spaces of the low half: what a process has below 2^48, with its own ASID and frames.
//!
//! ```text
//!        UserSpace                           a core
//!   +-- map: table, tag, ASID   <-- activate --   TTBR0_EL1 = ASID << 48 | root
//!   |     lock: interrupts masked                 TCR_EL1.EPD0 = 0
//!   +-- extents: what is mapped where
//!         one change at a time; the heap may be asked
//! ```
//!
//! A core that runs in no space has the permanently empty table in TTBR0_EL1, under the kernel's
//! ASID 0, and EPD0 set: a null pointer of the kernel faults.
//!
//! 1. [`activate`](super::current_space::activate) gives the space an ASID of this generation, and
//!    writes it with the root in one register: no translation of the space before is used from
//!    there on, and none has to be invalidated.
//! 2. Any core may change the space meanwhile: the tables are break-before-make, with
//!    invalidations under the ASID that reach every core.
//! 3. A core that is in a space keeps it (an [`Arc`]). The last one to leave gives all back: the
//!    translations are invalidated under the ASID, then the frames are free.
//!
//! # Decisions
//! * The table and its tag are behind one lock, since a space that gets another ASID must have it
//!   in the register and in the table's invalidations at once.
//! * The extents have no lock that waits: changing a space needs the heap, whose lock comes before.
//!   A second change meanwhile, from another core, is [`SpaceError::Busy`].
#![expect(unsafe_code, reason = "writes TTBR0_EL1")]

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::lock::{Guard, Lock};
use crate::arch::tlb::{self, KernelTlb};
use crate::arch::try_lock::TryLock;
use crate::arch::{cpu, lock_classes, maintenance, mmu};
use crate::board::raspi3::CORES;
use crate::mm::extents::{Extent, Extents};
use crate::mm::fresh_frames::FreshFrames;
use crate::mm::kernel_space::{LowView, PA_BITS};
use crate::mm::layout::{USER_CODE, USER_STACK};
use crate::mm::left_out;
use crate::mm::map_request::MapRequest;
use crate::mm::space_error::SpaceError;
use crate::mm::table_frames::TableFrames;
use crate::paging::format::aarch64::{A64PageTable, LowHalf};
use crate::paging::{
    Activation, Asid, AsidAllocator, AsidTag, MappingFlags, PageSize, PagingError,
};

/// Bits of an ASID on the Cortex-A53 (DDI 0500, ID_AA64MMFR0_EL1.ASIDBits), all of which count:
/// TCR_EL1.AS is set.
const ASID_BITS: u32 = 16;

/// Flags that every leaf of a space has: used, and for EL0. Never global: the leaf is this space's
/// alone.
pub const USER_PAGE: MappingFlags = MappingFlags::USER.union(MappingFlags::ACCESSED);

pub(super) type UserTable = A64PageTable<LowHalf, KernelTlb, TableFrames, PA_BITS>;

static ASIDS: Lock<AsidAllocator<CORES>, lock_classes::Asids> = Lock::new(ALLOCATOR);
// SAFETY: the only allocator of ASIDs in this kernel: the constant is used once.
const ALLOCATOR: AsidAllocator<CORES> = match unsafe { AsidAllocator::new(ASID_BITS) } {
    Some(asids) => asids,
    None => panic!("fewer ASIDs than cores"),
};

/// Every space that there is.
static ALL: TryLock<Vec<Weak<UserSpace>>> = TryLock::new(Vec::new());

/// The tables of a space, its ASID tag, and the ASID that its translations are cached under.
pub(super) struct Map {
    pub(super) table: UserTable,
    tag: AsidTag,
    /// Under which the table invalidates; `None` as long as no core was in the space.
    asid: Option<Asid>,
}

/// An address space of the low half: its tables, its ASID, and the frames that it owns. Any core
/// may change it, whichever cores are in it. Each core in it keeps it by an [`Arc`]. The last
/// [`Arc`] dropped frees the frames, with no lock held: that takes the heap's.
pub struct UserSpace {
    map: Lock<Map, lock_classes::UserMap>,
    pub(super) extents: TryLock<Extents>,
}

impl UserSpace {
    /// A space with nothing but a page of stack at [`USER_STACK`], and the frame at `code`, which
    /// may be executed at EL0, at [`USER_CODE`].
    ///
    /// # Errors
    /// [`SpaceError::NoMemory`]; [`SpaceError::Busy`] while all spaces are listed.
    pub fn new(code: PhysAddr) -> Result<Arc<Self>, SpaceError> {
        let no_memory = SpaceError::NoMemory { bytes: PAGE_SIZE };
        let mut all = ALL.try_lock().ok_or(SpaceError::Busy)?;
        forget_dropped(&mut all);
        all.try_reserve(1).map_err(|_| no_memory)?;
        let made = Self::with_code(code);
        let made = made.and_then(|space| share(space, &mut all).ok_or(no_memory));
        // A refusal must not leave the room for a first space behind.
        forget_dropped(&mut all);
        made
    }

    fn with_code(code: PhysAddr) -> Result<Self, SpaceError> {
        let no_memory = SpaceError::NoMemory { bytes: PAGE_SIZE };
        let space = Self {
            map: Lock::new(Map {
                table: UserTable::try_new().map_err(|_| no_memory)?,
                tag: AsidTag::NONE,
                asid: None,
            }),
            extents: TryLock::new(Extents::new()),
        };
        let data = MappingFlags::READ | MappingFlags::WRITE;
        let stack = MapRequest::pages(USER_STACK, PAGE_SIZE, data);
        space.map_extents(FreshFrames::allocate(&stack, &mut |_| true)?, &stack)?;
        let code = FreshFrames::of(Extent {
            va: USER_CODE,
            pa: code,
            bytes: PAGE_SIZE,
            owned: false,
        });
        let code = code.ok_or(no_memory)?;
        let programs = MappingFlags::READ | MappingFlags::EXECUTE;
        space.map_extents(code, &MapRequest::pages(USER_CODE, PAGE_SIZE, programs))?;
        Ok(space)
    }

    /// The translation of `va`: physical address of that byte, flags, size of the leaf. Read from
    /// the tables by software, so on any core, whether it is in the space or not.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], also for an inaccessible page; [`PagingError::InvalidVirtAddr`]
    /// for an address of the high half.
    pub fn query(&self, va: VirtAddr) -> Result<(PhysAddr, MappingFlags, PageSize), PagingError> {
        self.locked().table.query(va)
    }

    /// Looks at the tables, which nobody changes meanwhile. Interrupts are masked, and the space's
    /// lock is held: `look` is short, and asks neither the heap nor another space.
    pub fn with_view(&self, look: &mut dyn FnMut(&LowView)) {
        look(self.locked().table.view());
    }

    /// The tables, until what is returned is dropped.
    // Not inline: a dozen callers, none of which is counted.
    #[inline(never)]
    pub(super) fn locked(&self) -> Guard<'_, Map, lock_classes::UserMap> {
        self.map.lock()
    }

    /// The physical address of its root table, of level 0: as long as there is the space, the one
    /// that TTBR0_EL1 names on a core in it.
    #[must_use]
    pub fn root(&self) -> PhysAddr {
        self.locked().table.root_paddr()
    }

    /// Looks at what is mapped, and at the root of the tables, neither of which changes meanwhile.
    /// Interrupts stay as they are, and `look` may ask the heap.
    ///
    /// # Errors
    /// [`SpaceError::Busy`] during a change.
    pub fn inspect<R>(&self, look: impl FnOnce(&[Extent], PhysAddr) -> R) -> Result<R, SpaceError> {
        let extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        Ok(look(extents.as_slice(), self.root()))
    }

    /// Writes root and ASID to this core's TTBR0_EL1, and calls `note` before anything can
    /// interrupt.
    ///
    /// # Safety
    /// The space is kept until this core has left it.
    pub(super) unsafe fn load<R>(&self, note: impl FnOnce() -> R) -> R {
        let mut map = self.map.lock();
        // SAFETY: the caller's promise.
        unsafe { map.load() };
        note()
    }

    /// The value of TTBR0_EL1 on a core that is in this space: ASID in bits 63:48, root table below
    /// (DDI 0487 D24.2). The ASID is 0, the kernel's, as long as no core was in it.
    #[must_use]
    pub fn ttbr0(&self) -> u64 {
        let map = self.map.lock();
        mmu::low_tree(map.table.root_paddr(), map.asid.unwrap_or(Asid::KERNEL))
    }

    /// The ASID that it was last in use under; `None` as long as no core was in it. Entered in a
    /// later generation, it may get another.
    #[must_use]
    pub fn asid(&self) -> Option<Asid> {
        self.locked().asid
    }

    /// Pages of 4 KiB that are mapped, with the two that every space has at its top, and with those
    /// that have no right.
    ///
    /// # Errors
    /// [`SpaceError::Busy`] while another core, or this one, changes the space.
    pub fn page_count(&self) -> Result<usize, SpaceError> {
        let extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        Ok(extents.page_count())
    }
}

impl Map {
    /// Writes root and ASID to this core's TTBR0_EL1.
    ///
    /// # Safety
    /// The space is kept until this core has left it.
    unsafe fn load(&mut self) {
        let Activation { asid, invalidate } = self.take_asid();
        if self.asid != Some(asid) {
            self.asid = Some(asid);
            // SAFETY: the number is this tag's own in this generation, and the tag this tree's. A
            // tree that gets another number was in use on no core when the generation began: what
            // those held of it is invalidated before they use the new generation.
            unsafe { self.table.set_asid(Some(asid)) };
        }
        if invalidate {
            forget_last_generation();
        }
        // SAFETY: the tree is published, and lives as long as the space, which the caller keeps; no
        // other tree has the ASID.
        unsafe { mmu::enter_low_tree(self.table.root_paddr(), asid) };
    }

    fn take_asid(&mut self) -> Activation {
        let core = cpu::number();
        let tag = &mut self.tag;
        let activation = match ASIDS.lock_if_free() {
            Some(mut asids) => asids.activate(core, tag),
            None => ASIDS.lock().activate(core, tag),
        };
        activation.expect("every core has its place among the ASIDs")
    }
}

/// Invalidates this core's TLB: the ASIDs of the last generation belong to other spaces now.
#[cold]
#[inline(never)]
fn forget_last_generation() {
    tlb::invalidate_this_core();
}

impl Drop for UserSpace {
    /// No core is in the space: each keeps the one that it is in.
    fn drop(&mut self) {
        if !maintenance::leaves_out() {
            left_out::heal();
        }
        let Some(extents) = self.extents.try_lock() else {
            return;
        };
        let all = VirtAddr::new(0);
        match self.locked().table.unmap_region(all, 1 << 48) {
            Ok(receipt) => receipt.flush(),
            Err(error) => panic!("a space that nobody is in is not unmapped: {error}"),
        }
        extents.as_slice().iter().for_each(left_out::free);
        // The list must not keep the heap's block; if it is in use just now, the next space sees to
        // it.
        if let Some(mut all) = ALL.try_lock() {
            forget_dropped(&mut all);
        }
    }
}

/// Takes the spaces from the list that are no more.
fn forget_dropped(all: &mut Vec<Weak<UserSpace>>) {
    all.retain(|space| space.strong_count() > 0);
    if all.is_empty() {
        *all = Vec::new();
    }
}

/// A space that several may have, on the list of `all`, which has room; `None` if the heap has
/// none. `Arc::try_new` is not stable: so the heap is asked before for as much.
fn share(space: UserSpace, all: &mut Vec<Weak<UserSpace>>) -> Option<Arc<UserSpace>> {
    const WORDS: usize = 2 + size_of::<UserSpace>().div_ceil(size_of::<usize>());
    let mut room = Vec::<[usize; WORDS]>::new();
    room.try_reserve_exact(1).ok()?;
    drop(room);
    Some(Arc::new_cyclic(|listed| {
        all.push(listed.clone());
        space
    }))
}

/// Every space that there is now. The list keeps them: a space that everybody else drops meanwhile
/// is freed with it.
///
/// # Errors
/// [`SpaceError::NoMemory`]; [`SpaceError::Busy`] while one is made.
pub fn all() -> Result<Vec<Arc<UserSpace>>, SpaceError> {
    let all = ALL.try_lock().ok_or(SpaceError::Busy)?;
    let mut spaces = Vec::new();
    let room = spaces.try_reserve_exact(all.len());
    room.map_err(|_| SpaceError::NoMemory { bytes: 0 })?;
    spaces.extend(all.iter().filter_map(Weak::upgrade));
    Ok(spaces)
}
