//! Two processes on an x86-64 kernel: address spaces with PCIDs, a kernel half that all of them
//! share, and a page that is copied when one of them writes to it, all by hand.
//!
//! `cargo run --example user_space` tells the story step by step, with the invalidations that each
//! step issued. What a kernel adds is a lock around each table and around the allocator of ASIDs,
//! and the load of CR3 at [`Process::run`].
#![expect(
    unsafe_code,
    reason = "implements unsafe traits, and a promise about registers"
)]

mod counting;
mod frames;

use counting::{Counting, cost_of};
use frames::Frames;
use std::sync::atomic::Ordering;
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::x86_64::{X64MetaData, X64PTE};
use stilt_paging::{
    Activation, AsidAllocator, AsidTag, MappingFlags, PageSize, PageTable64, PagingError,
    PagingHandler, PagingResult, SharedReader, SharedTop,
};

/// Cores of this machine.
const CORES: usize = 2;
/// Bits of a PCID.
const PCID_BITS: u32 = 12;
/// Where the kernel's part begins, and its size: one entry of each root. A kernel that wants the
/// whole upper half shares 256 of them.
const KERNEL: VirtAddr = VirtAddr::new(0xffff_8000_0000_0000);
const KERNEL_BYTES: usize = 512 << 30;
/// The page that both processes have.
const PAGE: VirtAddr = VirtAddr::new(0x40_0000);

/// A device of the kernel's.
const LOCAL_APIC: PhysAddr = PhysAddr::new(0xfee0_0000);
/// What the parent has written to its page.
const MESSAGE: u64 = 42;

const USER: MappingFlags = MappingFlags::USER
    .union(MappingFlags::READ)
    .union(MappingFlags::ACCESSED);
const WRITABLE: MappingFlags = USER.union(MappingFlags::WRITE);
const KERNEL_DEVICE: MappingFlags = MappingFlags::DEVICE
    .union(MappingFlags::READ)
    .union(MappingFlags::WRITE)
    .union(MappingFlags::GLOBAL)
    .union(MappingFlags::ACCESSED);

type Geometry = X64MetaData<Counting>;
type Top = SharedTop<Geometry, X64PTE, Frames>;
type UserTable<'top> =
    PageTable64<Geometry, X64PTE, Frames, SharedReader<'top, Geometry, X64PTE, Frames>>;

/// How many processes have a frame; a kernel counts them for each frame.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Owners {
    One,
    Two,
}

/// A process: its tree, and the name under which TLBs hold its translations.
struct Process<'top> {
    table: UserTable<'top>,
    tag: AsidTag,
}

impl<'top> Process<'top> {
    fn new(top: &'top Top) -> PagingResult<Self> {
        Ok(Self {
            table: PageTable64::copy_from(top.reader())?,
            tag: AsidTag::NONE,
        })
    }

    /// Runs on `core`: takes an ASID, or keeps the one it has.
    fn run(&mut self, core: usize, asids: &mut AsidAllocator<CORES>) -> Activation {
        let activation = asids
            .activate(core, &mut self.tag)
            .expect("there is such a core");
        // SAFETY: the tag is this tree's own, so no other tree has its number; when that changes,
        // every core invalidates before it uses a number of the new generation.
        unsafe { self.table.set_asid(Some(activation.asid)) };
        // Here a kernel invalidates this core's TLB if `activation.invalidate`, then loads root and
        // PCID.
        activation
    }

    /// Shares `PAGE` with `child`, as `fork` does: from now on neither may write to it.
    fn share_page(&mut self, child: &mut Process<'_>) -> PagingResult {
        let (frame, _, size) = self.table.query(PAGE)?;
        // The parent first: when the flush has returned, no core can write to the frame any more.
        let (_, receipt) = self.table.protect(PAGE, USER)?;
        receipt.flush();
        child.table.map(PAGE, frame, size, USER)?.flush();
        Ok(())
    }

    /// Serves a write to `PAGE` that faulted: a copy of the frame, unless nobody else has it.
    fn copy_on_write(&mut self, owners: Owners) -> PagingResult {
        if owners == Owners::One {
            let (_, receipt) = self.table.protect(PAGE, WRITABLE)?;
            receipt.flush();
            return Ok(());
        }
        let old = self.frame()?;
        let new = Frames::alloc_frame().ok_or(PagingError::NoMemory)?;
        for (to, from) in Frames::words(new).iter().zip(Frames::words(old)) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Another core that runs this process may use the page at once: it must find what was
        // copied.
        UserTable::order_contents();
        // Another frame for a live page: the old translation is broken and gone before the new one
        // is made.
        let (_, receipt) = self.table.remap(PAGE, new, WRITABLE)?;
        receipt.flush();
        Ok(())
    }

    /// The frame that the process has at `PAGE`.
    fn frame(&self) -> PagingResult<PhysAddr> {
        Ok(self.table.query(PAGE)?.0)
    }
}

/// A step: what happens, and the invalidations that it issued.
type Step = (&'static str, Vec<String>);

/// Does `work` and notes it as a step.
fn step(
    steps: &mut Vec<Step>,
    what: &'static str,
    work: impl FnOnce() -> PagingResult,
) -> PagingResult {
    let (result, cost) = cost_of(work);
    steps.push((what, cost.invalidations));
    result
}

/// The story of a kernel, two processes and a page.
fn story() -> PagingResult<Vec<Step>> {
    let mut steps = Vec::new();
    // SAFETY: the only allocator of this program.
    let asids = unsafe { AsidAllocator::<CORES>::new(PCID_BITS) };
    let mut asids = asids.expect("more PCIDs than cores");
    let top = Top::try_new(KERNEL, KERNEL_BYTES)?;
    let mut kernel = PageTable64::copy_from(top.writer()?)?;
    let mut parent = Process::new(&top)?;
    let mut child = Process::new(&top)?;

    step(&mut steps, "the kernel maps a page for all", || {
        let (size, flags) = (PageSize::Size4K, KERNEL_DEVICE);
        kernel.map(KERNEL, LOCAL_APIC, size, flags)?.flush();
        Ok(())
    })?;
    // No root was touched for that: the table below their common entry was.
    for process in [&parent, &child] {
        assert_eq!(process.table.query(KERNEL)?.0, LOCAL_APIC);
    }
    // Different PCIDs: neither core ever needs to invalidate for a switch between the two.
    assert_ne!(parent.run(0, &mut asids), child.run(1, &mut asids));

    fork_and_write(&mut steps, &mut parent, &mut child)?;

    for process in [&mut parent, &mut child] {
        step(&mut steps, "exit: the frame is free after that", || {
            // `flush` gives the frame, when no core can reach it any more.
            Frames::dealloc_frame(process.table.unmap(PAGE)?.flush());
            Ok(())
        })?;
    }
    assert_eq!(kernel.unmap(KERNEL)?.flush(), LOCAL_APIC);
    Ok(steps)
}

/// The part of the story in which a page is shared, and written to by both.
fn fork_and_write(
    steps: &mut Vec<Step>,
    parent: &mut Process<'_>,
    child: &mut Process<'_>,
) -> PagingResult {
    let frame = Frames::alloc_frame().ok_or(PagingError::NoMemory)?;
    Frames::words(frame)[0].store(MESSAGE, Ordering::Relaxed);
    UserTable::order_contents();
    step(steps, "the parent gets a page", || {
        let receipt = parent.table.map(PAGE, frame, PageSize::Size4K, WRITABLE)?;
        receipt.flush();
        Ok(())
    })?;
    step(steps, "fork: both have it, neither may write", || {
        parent.share_page(child)
    })?;
    assert_eq!(parent.frame()?, child.frame()?);
    step(steps, "the child writes: it gets a copy", || {
        child.copy_on_write(Owners::Two)
    })?;
    assert_ne!(parent.frame()?, child.frame()?);
    let copied = Frames::words(child.frame()?)[0].load(Ordering::Relaxed);
    assert_eq!(copied, MESSAGE);
    step(steps, "the parent writes: nobody else has it", || {
        parent.copy_on_write(Owners::One)
    })?;
    assert_eq!(parent.frame()?, frame);
    Ok(())
}

fn main() -> PagingResult {
    for (what, invalidations) in story()? {
        println!("{what}");
        for invalidation in invalidations {
            println!("    invalidated: {invalidation}");
        }
    }
    println!("frames in use at the end: {}", Frames::in_use());
    Ok(())
}

#[cfg(test)]
use stilt_paging::{AddressSpace, Asid};

#[test]
fn a_write_invalidates_for_its_own_space_and_the_kernels_pages_for_nobody() {
    let steps = story().unwrap();
    let invalidations: Vec<usize> = steps.iter().map(|(_, issued)| issued.len()).collect();
    // New pages cost none. A right that is taken or given, a new frame, an exit: one each.
    assert_eq!(invalidations, [0, 0, 1, 1, 1, 1, 1]);
    let of = |what: &str| {
        let issued = steps.iter().filter(|(step, _)| step.contains(what));
        issued
            .flat_map(|(_, issued)| issued)
            .cloned()
            .collect::<Vec<_>>()
    };
    let [parent, child] =
        [1, 2].map(|number| format!("{:?}", AddressSpace::Asid(Asid::new(number))));
    assert!(of("fork").iter().all(|issued| issued.contains(&parent)));
    let [first, second] = &of("exit")[..] else {
        panic!("two processes end");
    };
    assert!(first.contains(&parent) && second.contains(&child));
    assert_eq!(Frames::in_use(), 0);
}
