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
use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::lock::Lock;
use crate::arch::tlb::{self, KernelTlb};
use crate::arch::try_lock::TryLock;
use crate::arch::{cpu, lock_classes, mmu};
use crate::board::raspi3::CORES;
use crate::mm::extents::{Extent, Extents};
use crate::mm::fresh_frames::{FreshFrames, free, make_executable};
use crate::mm::kernel_frames::KernelFrames;
use crate::mm::kernel_space::{LowView, PA_BITS};
use crate::mm::layout::{USER, USER_CODE, USER_STACK};
use crate::mm::space_error::SpaceError;
use crate::paging::format::aarch64::{A64PageTable, LowHalf};
use crate::paging::{
    Activation, Asid, AsidAllocator, AsidTag, MappingFlags, PageSize, PagingError, RegionOptions,
};

/// Bits of an ASID on the Cortex-A53 (DDI 0500, ID_AA64MMFR0_EL1.ASIDBits), all of which count:
/// TCR_EL1.AS is set.
const ASID_BITS: u32 = 16;

/// Flags that every leaf of a space has: used, and for EL0. Never global: the leaf is this space's
/// alone.
pub const USER_PAGE: MappingFlags = MappingFlags::USER.union(MappingFlags::ACCESSED);

type UserTable = A64PageTable<LowHalf, KernelTlb, KernelFrames, PA_BITS>;

static ASIDS: Lock<AsidAllocator<CORES>, lock_classes::Asids> = Lock::new(ALLOCATOR);
// SAFETY: the only allocator of ASIDs in this kernel: the constant is used once.
const ALLOCATOR: AsidAllocator<CORES> = match unsafe { AsidAllocator::new(ASID_BITS) } {
    Some(asids) => asids,
    None => panic!("fewer ASIDs than cores"),
};

/// Every space that there is.
static ALL: TryLock<Vec<Weak<UserSpace>>> = TryLock::new(Vec::new());

/// The tables of a space, its ASID tag, and the ASID that its translations are cached under.
struct Map {
    table: UserTable,
    tag: AsidTag,
    /// Under which the table invalidates; `None` as long as no core was in the space.
    asid: Option<Asid>,
}

/// An address space of the low half: its tables, its ASID, and the frames that it owns. Any core
/// may change it, whichever cores are in it. Each core in it keeps it by an [`Arc`]. The last
/// [`Arc`] dropped frees the frames, with no lock held: that takes the heap's.
pub struct UserSpace {
    map: Lock<Map, lock_classes::UserMap>,
    extents: TryLock<Extents>,
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
        share(Self::with_code(code)?, &mut all).ok_or(no_memory)
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
        let stack = FreshFrames::allocate(USER_STACK, PAGE_SIZE, &mut |_| true)?;
        space.map_extents(stack, MappingFlags::READ | MappingFlags::WRITE)?;
        let code = FreshFrames::of(Extent {
            va: USER_CODE,
            pa: code,
            bytes: PAGE_SIZE,
            owned: false,
        });
        let code = code.ok_or(no_memory)?;
        space.map_extents(code, MappingFlags::READ | MappingFlags::EXECUTE)?;
        Ok(space)
    }

    /// Maps `bytes` from `va` on to fresh frames of zeros, with `flags` beside [`USER_PAGE`]. All
    /// or nothing.
    ///
    /// A gigabyte takes a second to clear: `may_go_on` is asked after each 4 MiB, with the pages
    /// that are cleared, and ends it with `false`.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`] of [`USER`],
    /// [`SpaceError::AlreadyMapped`], [`SpaceError::NoMemory`]; [`SpaceError::Ended`] if it is not
    /// to go on; [`SpaceError::Busy`] during another change; [`SpaceError::Refused`] for the flags,
    /// as for writable code.
    pub fn map_fresh(
        &self,
        va: VirtAddr,
        bytes: usize,
        flags: MappingFlags,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), SpaceError> {
        user_range(va, bytes)?;
        self.map_extents(FreshFrames::allocate(va, bytes, may_go_on)?, flags)
    }

    /// Maps all of `fresh`, or nothing.
    fn map_extents(&self, fresh: FreshFrames, flags: MappingFlags) -> Result<(), SpaceError> {
        let bytes = fresh.as_slice().iter().map(|extent| extent.bytes).sum();
        let no_memory = SpaceError::NoMemory { bytes };
        let mut extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        for extent in fresh.as_slice() {
            if let Some(va) = extents.first_in(&extent.pages()) {
                return Err(SpaceError::AlreadyMapped { va });
            }
        }
        extents
            .reserve(fresh.as_slice().len())
            .map_err(|_| no_memory)?;
        if flags.contains(MappingFlags::EXECUTE) {
            fresh.as_slice().iter().for_each(make_executable);
        }
        UserTable::order_contents();
        match self.map_each(fresh.as_slice(), flags | USER_PAGE) {
            Ok(()) => {}
            Err(PagingError::NoMemory) => return Err(no_memory),
            Err(error) => return Err(error.into()),
        }
        for extent in fresh.keep() {
            extents.insert(extent);
        }
        Ok(())
    }

    /// Maps each of `fresh` to its frames, or nothing.
    fn map_each(&self, fresh: &[Extent], flags: MappingFlags) -> Result<(), PagingError> {
        let mut map = self.map.lock();
        let table = &mut map.table;
        for (index, extent) in fresh.iter().enumerate() {
            let Extent { va, pa, bytes, .. } = *extent;
            let mapped = table.map_region(va, pa, bytes, flags, RegionOptions::empty());
            let Err(error) = mapped.map(|receipt| receipt.flush()) else {
                continue;
            };
            for done in fresh.iter().take(index) {
                // Pages: no block is split, so no memory is needed.
                table.unmap_region(done.va, done.bytes)?.flush();
            }
            return Err(error);
        }
        Ok(())
    }

    /// Unmaps whatever is mapped in `bytes` from `va` on, and gives the space's own frames back,
    /// once no core's TLB has them. Returns how many pages were mapped.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`], [`SpaceError::Busy`];
    /// [`SpaceError::NotMapped`] for a range without a page, while holes in it do not matter;
    /// [`SpaceError::NoMemory`] if the list of extents cannot grow by one.
    pub fn unmap(&self, va: VirtAddr, bytes: usize) -> Result<usize, SpaceError> {
        let pages = user_range(va, bytes)?;
        let mut extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        if extents.first_in(&pages).is_none() {
            return Err(SpaceError::NotMapped { va });
        }
        let no_memory = SpaceError::NoMemory { bytes };
        extents.reserve(1).map_err(|_| no_memory)?;
        self.map.lock().table.unmap_region(va, bytes)?.flush();
        // No core reaches the frames any more: the invalidations are done.
        let mut count = 0;
        extents.remove(va, bytes, |extent| {
            count += extent.bytes / PAGE_SIZE;
            free(&extent);
        });
        Ok(count)
    }

    /// Gives whatever is mapped in `bytes` from `va` on these `flags`, beside [`USER_PAGE`].
    /// Without a right a page becomes inaccessible, and keeps its frame.
    ///
    /// Pages that become executable are made visible to the instruction caches first.
    ///
    /// # Errors
    /// [`SpaceError::NotPages`], [`SpaceError::Outside`], [`SpaceError::Busy`];
    /// [`SpaceError::NotMapped`] for a range without a page, while holes in it do not matter;
    /// [`SpaceError::Refused`] for the flags.
    pub fn protect(
        &self,
        va: VirtAddr,
        bytes: usize,
        flags: MappingFlags,
    ) -> Result<(), SpaceError> {
        let pages = user_range(va, bytes)?;
        let extents = self.extents.try_lock().ok_or(SpaceError::Busy)?;
        if extents.first_in(&pages).is_none() {
            return Err(SpaceError::NotMapped { va });
        }
        if flags.contains(MappingFlags::EXECUTE) {
            let parts = extents
                .as_slice()
                .iter()
                .filter_map(|extent| extent.part(&pages));
            parts.for_each(|part| make_executable(&part));
        }
        let mut map = self.map.lock();
        map.table
            .protect_region(va, bytes, flags | USER_PAGE)?
            .flush();
        Ok(())
    }

    /// The translation of `va`: physical address of that byte, flags, size of the leaf. Read from
    /// the tables by software, so on any core, whether it is in the space or not.
    ///
    /// # Errors
    /// [`PagingError::NotMapped`], also for an inaccessible page; [`PagingError::InvalidVirtAddr`]
    /// for an address of the high half.
    pub fn query(&self, va: VirtAddr) -> Result<(PhysAddr, MappingFlags, PageSize), PagingError> {
        self.map.lock().table.query(va)
    }

    /// Looks at the tables, which nobody changes meanwhile. Interrupts are masked, and the space's
    /// lock is held: `look` is short, and asks neither the heap nor another space.
    pub fn with_view<R>(&self, look: impl FnOnce(&LowView) -> R) -> R {
        look(self.map.lock().table.view())
    }

    /// The physical address of its root table, of level 0: as long as there is the space, the one
    /// that TTBR0_EL1 names on a core in it.
    #[must_use]
    pub fn root(&self) -> PhysAddr {
        self.map.lock().table.root_paddr()
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
        self.map.lock().asid
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
        let Some(extents) = self.extents.try_lock() else {
            return;
        };
        let all = VirtAddr::new(0);
        match self.map.lock().table.unmap_region(all, 1 << 48) {
            Ok(receipt) => receipt.flush(),
            Err(error) => panic!("a space that nobody is in is not unmapped: {error}"),
        }
        extents.as_slice().iter().for_each(free);
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

/// The pages `[va, va + bytes)`, if a space may map them.
fn user_range(va: VirtAddr, bytes: usize) -> Result<Range<usize>, SpaceError> {
    for value in [va.as_usize(), bytes] {
        if value % PAGE_SIZE != 0 {
            return Err(SpaceError::NotPages { value });
        }
    }
    if bytes == 0 {
        return Err(SpaceError::NotPages { value: bytes });
    }
    let outside = SpaceError::Outside { va, bytes };
    let start = va.as_usize();
    let end = start.checked_add(bytes).ok_or(outside)?;
    if start < USER.start || end > USER.end {
        return Err(outside);
    }
    Ok(start..end)
}
