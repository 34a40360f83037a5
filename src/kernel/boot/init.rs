//! `kernel_main`: the order of everything, one line a step.
#![expect(unsafe_code, reason = "called from assembly; hands over the stack")]

use core::fmt;

use crate::addr::PAGE_SIZE;
use crate::arch::zero::zero;
use crate::arch::{cpu, exception, mmu, tlb};
use crate::board::irq_numbers::IrqNumber;
use crate::board::raspi3;
use crate::kernel::cores::{ipi, smp};
use crate::kernel::exit::ExitCode;
use crate::kernel::irq;
use crate::kernel::machine::{self, Machine};
use crate::kernel::report::live_audit::audit_live_tables;
use crate::kernel::report::{Report, address_map};
use crate::kernel::time::wait;
use crate::kernel::time::{self, rate_check};
use crate::kernel::{console, shell};
use crate::log;
use crate::mm::frames::{FrameAllocator, FrameState};
use crate::mm::kernel_frames;
use crate::mm::kernel_space::{self, KernelTable, live_view};
use crate::mm::layout::phys_to_virt;
use crate::mm::{heap, layout, symbols};
use crate::paging::{PagingError, PagingResult};
use crate::text::Size;

/// The vectors find the emergency stack by its distance from the exception stack.
const _: () = {
    let upper = layout::exception_stack(BOOT_CORE);
    let lower = layout::emergency_stack(BOOT_CORE);
    assert!(upper.size == exception::EXCEPTION_STACK_SIZE);
    assert!(lower.size == exception::EMERGENCY_STACK_SIZE);
    assert!(upper.start.as_usize() - lower.end() == exception::STACK_GUARD_SIZE);
};

/// This core's number: the only one that runs.
const BOOT_CORE: usize = 0;

/// Enters the kernel: core 0, high half, boot map, boot stack, DAIF masked.
///
/// # Safety
/// Called by boot/start.S alone, once.
#[unsafe(no_mangle)]
unsafe extern "C" fn kernel_main(dtb: u64) -> ! {
    clear_late_memory();
    // SAFETY: the linker reserves the stack, and nobody else uses it.
    unsafe { exception::install(symbols::boot_exception_stack_top()) };
    rate_check::begin();
    let machine = machine::discover(dtb);
    cpu::unmask_errors();
    machine::report(machine);
    take_frames(machine);
    let free = kernel_frames::frame_count().free;
    match final_map(machine) {
        Ok(table) => enter_final_map(table),
        Err(PagingError::NoMemory) => no_room(format_args!(
            "{:#x} bytes of stacks and heap, and page tables: {free} frames are free",
            layout::WINDOW_BYTES
        )),
        Err(error) => panic!("the final map cannot be built: {error}"),
    }
    let stack = layout::main_stack(BOOT_CORE);
    // SAFETY: the stack is mapped and used by nobody; this frame is not needed any more.
    unsafe { cpu::continue_on_stack(stack.end(), finish_boot) }
}

/// Makes zero what nobody uses before: with the caches on, a line at a time.
fn clear_late_memory() {
    let (start, end) = symbols::late();
    let first = core::ptr::with_exposed_provenance_mut(phys_to_virt(start).as_usize());
    // SAFETY: nobody has used these statics yet; whole pages of the image, mapped read-write.
    unsafe { zero(first, end.as_usize() - start.as_usize()) };
}

/// The rest, on the final stack and map.
extern "C" fn finish_boot() -> ! {
    let stack = layout::exception_stack(BOOT_CORE);
    // SAFETY: the stack is mapped and used by nobody.
    unsafe { exception::install(stack.end()) };
    // SAFETY: mapped by `final_map`, and handed over here once.
    unsafe { heap::init(layout::heap()) };
    wait::set_live(BOOT_CORE);
    irq::init();
    register_interrupts();
    irq::init_core();
    console::start_interrupts();
    smp::come_online();
    smp::start();
    give_up_low_half();
    reclaim_boot_memory();
    report_map();
    audit_live_tables();
    rate_check::finish();
    shell::run()
}

/// Registers the handlers of the kernel's own interrupts.
fn register_interrupts() {
    let own: [(&str, IrqNumber, irq::Handler); 4] = [
        (
            "second timer",
            irq::SECOND_TIMER,
            irq::second_timer_interrupt,
        ),
        ("timers", IrqNumber::VIRTUAL_TIMER, time::interrupt),
        ("function calls", irq::IPI_MAILBOX, ipi::interrupt),
        ("console", IrqNumber::UART0, console::interrupt),
    ];
    for (owner, number, handler) in own {
        if let Err(error) = irq::register(owner, number, handler, 0) {
            panic!("{owner} cannot have its interrupt: {error}");
        }
    }
}

/// A symbol of its own, so that a debugger can leave it out.
#[unsafe(no_mangle)]
extern "C" fn give_up_low_half() {
    // SAFETY: code, stack, vectors and data of this core are all high by now.
    unsafe { mmu::give_up_low_half(kernel_space::empty_table()) };
}

/// Gives RAM to the frame allocator, less what is in use.
fn take_frames(machine: &Machine) {
    let ram = &machine.reserved.mapped;
    let end = ram.last().map_or(0, |last| last.end().as_usize());
    let entries = FrameAllocator::metadata_for(end);
    let bytes = entries * size_of::<FrameState>();
    let Some(place) = machine.reserved.free_place(bytes) else {
        let largest = machine.reserved.largest_piece();
        no_room(format_args!(
            "{bytes:#x} bytes in one piece for frame metadata: the largest has {largest:#x}"
        ));
    };

    let first = phys_to_virt(place.base()).as_usize() as *mut FrameState;
    // SAFETY: the place is whole frames of RAM that nobody else uses, mapped read-write.
    unsafe { zero(first.cast(), place.size()) };
    // SAFETY: as above; all zero is a state, and `entries` entries fit; it is reserved below.
    let metadata = unsafe { core::slice::from_raw_parts_mut(first, entries) };
    let mut frames = FrameAllocator::new(metadata);
    for range in ram.iter() {
        frames.add(range.base(), range.end());
    }
    for range in machine.reserved.in_use().chain([place]) {
        frames.reserve(range.base(), range.end());
    }
    kernel_frames::set_frames(frames);
}

/// Ends the boot: outside of what is reserved, there is no room for `what`.
fn no_room(what: fmt::Arguments<'_>) -> ! {
    let what = format_args!("no room outside of what is reserved for {what}");
    Report::begin(ExitCode::NoRoom, "no room for the kernel", what).end()
}

/// The final map: image, RAM, devices; every core's stacks and the heap in the kernel window.
fn final_map(machine: &Machine) -> PagingResult<KernelTable> {
    let ram = machine.reserved.mapped.iter();
    let ram = ram.map(|range| (range.base(), range.end()));
    let mut table = kernel_space::build(&symbols::image(), ram)?;
    for pages in (0..raspi3::CORES).flat_map(layout::stacks) {
        kernel_space::map_window(&mut table, pages)?;
    }
    kernel_space::map_window(&mut table, layout::heap())?;
    Ok(table)
}

/// Switches TTBR1 to the final map.
fn enter_final_map(mut table: KernelTable) {
    cpu::mask_exceptions();
    // SAFETY: the table maps the image (boot stack included), RAM and devices at the addresses that
    // the boot map has them at; its receipts were flushed; `.init` is executable low; the other
    // cores are parked with their MMUs off.
    unsafe {
        mmu::switch_high_tree(
            symbols::switch_routine(),
            table.root_paddr(),
            kernel_space::empty_table(),
        );
    }
    cpu::unmask_errors();
    let image = symbols::image();
    if let Err(error) = kernel_space::pin(&mut table, &image) {
        panic!("what this core stands on cannot be pinned: {error}");
    }
    kernel_space::set_table(table);
}

/// `.init`, the boot tables and the boot stack become free frames: no core needs them any more. Nor
/// does any need the parking pages and page 0, if all have come.
fn reclaim_boot_memory() {
    let image = symbols::image();
    tlb::invalidate_every_core();
    let reclaimed =
        kernel_space::with_table(|table| kernel_space::reclaim(table, image.init, image.early));
    let frames = match (reclaimed, smp::free_secondary_boot()) {
        (Some(Ok(frames)), Ok(more)) => {
            frames + more + kernel_frames::add_frames(image.scratch, image.end)
        }
        (Some(Err(error)), _) | (_, Err(error)) => {
            panic!("boot memory cannot be reclaimed: {error}")
        }
        (None, _) => panic!("boot memory cannot be reclaimed: no live table"),
    };
    log!(
        "boot",
        "{frames} frames of code, tables and stacks reclaimed"
    );
}

/// Logs one line for each region of the live map, and the memory of its tables.
fn report_map() {
    let view = live_view();
    address_map::each_summary(|line| log!("map", "{line}"));
    let count = kernel_frames::frame_count();
    log!("tables", "{} frames", view.count_tables());
    log!(
        "frames",
        "{} of {} free ({})",
        count.free,
        count.usable,
        Size((count.free * PAGE_SIZE) as u64)
    );
    log!("heap", "{}", Size(heap::usage().size as u64));
}
