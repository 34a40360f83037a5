//! Every format at work, with the frames of this kernel and a maintenance that counts.

use lift::{Counted, Pool};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::{A64PageTable, LowHalf};
use stilt_paging::format::loongarch::LA64PageTable;
use stilt_paging::format::riscv::{Sv39PageTable, Sv48PageTable};
use stilt_paging::format::x86_64::X64PageTable;
use stilt_paging::{
    GenericPTE, MappingFlags, PageSize, PageTable64, PagingError, PagingMetaData, RegionOptions,
};

const BLOCK: usize = 0x20_0000;

fn a_life<M: PagingMetaData, PTE: GenericPTE>() {
    let flags = MappingFlags::READ | MappingFlags::WRITE | MappingFlags::ACCESSED;
    let read_only = flags.difference(MappingFlags::WRITE);
    let at = |offset: usize| VirtAddr::new(0x4000_0000 + offset);
    let mut table = PageTable64::<M, PTE, Pool>::try_new().unwrap();
    table
        .map_region(
            at(0),
            PhysAddr::new(0x1_0000_0000),
            4 * BLOCK,
            flags,
            RegionOptions::HUGE,
        )
        .unwrap()
        .flush();
    assert_eq!(table.query(at(BLOCK)).unwrap().2, PageSize::Size2M);
    let before = Counted::issued();
    let receipt = table.protect_region(at(0x1000), 0x2000, read_only).unwrap();
    assert_eq!(receipt.pages(), 2);
    receipt.flush();
    assert!(Counted::issued().invalidations > before.invalidations);
    let (pa, rights, size) = table.query(at(0x1234)).unwrap();
    assert_eq!((pa, size), (PhysAddr::new(0x1_0000_1234), PageSize::Size4K));
    assert_eq!(rights, read_only);
    let frame = table.unmap(at(3 * BLOCK)).unwrap().flush();
    assert_eq!(frame, PhysAddr::new(0x1_0000_0000 + 3 * BLOCK));
    let hole = at(3 * BLOCK);
    assert_eq!(table.query(hole), Err(PagingError::NotMapped { va: hole }));
    table.view().check(0..0).unwrap();
}

/// One test: the pool belongs to the whole program, and at the end all of it must be back.
#[test]
fn every_format_works_in_another_kernel_and_leaves_nothing_behind() {
    fn of<M: PagingMetaData, PTE: GenericPTE, H: stilt_paging::PagingHandler>(
        _: Option<PageTable64<M, PTE, H>>,
    ) {
        a_life::<M, PTE>();
    }
    of(None::<A64PageTable<LowHalf, Counted, Pool>>);
    of(None::<X64PageTable<Counted, Pool>>);
    of(None::<Sv39PageTable<Counted, Pool>>);
    of(None::<Sv48PageTable<Counted, Pool>>);
    of(None::<LA64PageTable<Counted, Pool>>);
    assert_eq!(Pool::in_use(), 0);
}
