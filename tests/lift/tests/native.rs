//! The tables of the architecture that the tests run on, by code that does not name it.

use lift::spaces::{self, RAM, USER_STACK};
use lift::{FRAMES, Pool};
use stilt_paging::PageSize;
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// Runs the instructions of the backend as a program of an operating system, which must not
/// invalidate: so it maps and reads, and calls nothing that takes a translation away.
#[test]
#[cfg_attr(
    target_arch = "riscv64",
    ignore = "a new mapping takes `sfence.vma`, which is privileged"
)]
fn native_tables_are_built_and_read_without_naming_the_architecture() {
    let ram = PhysAddr::new(0x8000_0000);
    let bytes = 3 * PageSize::Size2M.bytes() + PAGE_SIZE;
    let kernel = spaces::kernel_table(ram, bytes).unwrap();
    let last = VirtAddr::new(RAM.as_usize() + bytes - 1);
    let (pa, _, size) = kernel.query(last).unwrap();
    assert_eq!(pa.as_usize(), ram.as_usize() + bytes - 1);
    assert_eq!(size, PageSize::Size4K);
    assert_eq!(kernel.query(RAM).unwrap().2, PageSize::Size2M);
    assert_eq!(kernel.iter(..).map(|run| run.bytes).sum::<usize>(), bytes);
    kernel.check().unwrap();

    let user = spaces::user_table(ram).unwrap();
    assert_eq!(user.query(USER_STACK).unwrap().0, ram);
    assert!(
        user.query(RAM).is_err(),
        "a process does not see the kernel"
    );

    assert!(Pool::in_use() > 0 && Pool::in_use() < FRAMES);
    drop((kernel, user));
    assert_eq!(Pool::in_use(), 0);
}
