//! Every public function with every edge of every argument: an error that names the values and a
//! table that is as it was, or success; never a panic, never an endless loop.

use crate::tests::spaces::set_asid;
use std::format;
use std::vec::Vec;

use crate::addr::VirtAddr;
use crate::tests::formats::{Format, Table, every_format};
use crate::tests::memory::{begin_operation, snapshot};
use crate::tests::{D, G1, K4, M2, N, NONE, R, RO, RW, U, W, X, pa, va};
use crate::{Asid, MappingFlags, PageSize, PagingError, PagingResult, RegionOptions};

/// Addresses at edges, inside and outside of the tree.
fn addresses<F: Format>() -> Vec<VirtAddr> {
    let space = F::space();
    let offsets = [
        0,
        1,
        K4,
        M2,
        G1 - 1,
        space / 2 - K4,
        space / 2,
        space - K4,
        space - 1,
    ];
    let inside = offsets.map(|offset| F::va(offset).as_usize());
    let outside = [space, space / 2, 1 << 52, 1 << 63, !0 << 47, usize::MAX];
    inside.into_iter().chain(outside).map(va).collect()
}

/// Sizes at edges, some much too large.
fn sizes<F: Format>() -> [usize; 12] {
    let space = F::space();
    [
        0,
        1,
        K4,
        K4 + 1,
        M2,
        G1,
        space / 2,
        space,
        space + K4,
        1 << 63,
        usize::MAX - K4 + 1,
        usize::MAX,
    ]
}

fn frames<F: Format>() -> [usize; 9] {
    let limit = 1 << F::PA_BITS;
    [
        0,
        1,
        K4,
        M2,
        limit - G1,
        limit - K4,
        limit,
        1 << 63,
        usize::MAX,
    ]
}

/// Sets that formats refuse, and some that they accept.
const FLAGS: [MappingFlags; 8] = [
    RW,
    RO,
    NONE,
    W,
    R.union(W).union(X),
    R.union(X).union(D),
    R.union(D).union(N).union(U),
    MappingFlags::from_bits_retain(1 << 20),
];

/// A table with a page, a block, something inaccessible, and a pin.
fn some_table<F: Format>() -> Table<F> {
    let mut table = F::table();
    let places = [
        (0, PageSize::Size4K),
        (M2, PageSize::Size2M),
        (F::space() - G1, PageSize::Size1G),
    ];
    for (offset, size) in places {
        let mapped = table.map(F::va(offset), pa(offset % G1), size, RW);
        mapped.unwrap().flush();
    }
    table.protect(F::va(0), NONE).unwrap().1.flush();
    table.pin(F::va(M2), K4).unwrap();
    table
}

/// Runs `operation` on a fresh table: an error leaves it as it was, and can be told.
fn attempt<F: Format>(operation: impl FnOnce(&mut Table<F>) -> PagingResult) -> bool {
    let mut table = some_table::<F>();
    let before = snapshot();
    begin_operation(4);
    let result = operation(&mut table);
    begin_operation(usize::MAX);
    if let Err(error) = result {
        assert!(snapshot() == before, "{error:x?}");
        assert!(!format!("{error}").is_empty());
        assert_ne!(error, PagingError::Busy);
    }
    table.view().check(0..0).unwrap();
    result.is_ok()
}

fn single_leaves_take_any_argument<F: Format>() {
    let mut done = 0;
    let mut count = |did: bool| done += usize::from(did);
    for at in addresses::<F>() {
        count(attempt::<F>(|table| {
            let _ = table.unmap(at)?.flush();
            Ok(())
        }));
        for flags in FLAGS {
            count(attempt::<F>(|table| {
                table.protect(at, flags).map(|changed| changed.1.flush())
            }));
        }
        for frame in frames::<F>().map(pa) {
            for flags in FLAGS {
                for size in PageSize::ALL {
                    count(attempt::<F>(|table| {
                        table.map(at, frame, size, flags).map(|flush| flush.flush())
                    }));
                }
                count(attempt::<F>(|table| {
                    table
                        .remap(at, frame, flags)
                        .map(|changed| changed.1.flush())
                }));
            }
            count(attempt::<F>(|table| {
                table
                    .update(at, Some(frame), None)
                    .map(|changed| changed.1.flush())
            }));
        }
    }
    assert!(done > 100, "{done}");
}

fn regions_take_any_argument<F: Format>() {
    let mut done = 0;
    let mut count = |did: bool| done += usize::from(did);
    for at in addresses::<F>() {
        for size in sizes::<F>() {
            count(attempt::<F>(|table| {
                table.unmap_region(at, size).map(|flush| flush.flush())
            }));
            count(attempt::<F>(|table| {
                table.compact(at, size).map(|flush| flush.flush())
            }));
            for flags in FLAGS {
                count(attempt::<F>(|table| {
                    table
                        .protect_region(at, size, flags)
                        .map(|flush| flush.flush())
                }));
            }
            for frame in [
                0,
                1,
                K4,
                1 << F::PA_BITS,
                (1 << F::PA_BITS) - G1,
                usize::MAX,
            ] {
                for options in [RegionOptions::empty(), RegionOptions::all()] {
                    count(attempt::<F>(|table| {
                        let region = table.map_region(at, pa(frame), size, RW, options);
                        region.map(|flush| flush.flush())
                    }));
                }
            }
        }
    }
    assert!(done > 100, "{done}");
}

fn pins_and_readers_take_any_argument<F: Format>() {
    let mut table = some_table::<F>();
    let before = snapshot();
    for at in addresses::<F>() {
        for size in sizes::<F>() {
            if table.pin(at, size).is_ok() && size > 0 {
                assert!(table.unpin(at, size));
            }
            assert!(size == K4 || !table.unpin(at, size));
        }
        let view = table.view();
        assert_eq!(view.query(at).is_ok(), table.query(at).is_ok());
        assert_eq!(
            view.leaf(at).is_err(),
            view.cursor(at).map_or(true, |it| it.leaf().is_none())
        );
        assert_eq!(
            view.trace(at, |_| ()).is_ok(),
            F::page(at.as_usize()).is_some()
        );
        for other in addresses::<F>() {
            let (forth, back) = (
                view.iter(at..other).count(),
                view.iter(at..other).rev().count(),
            );
            assert_eq!(forth, back);
            assert!(at < other || forth == 0);
        }
    }
    for asid in [Some(Asid::KERNEL), Some(Asid::new(u16::MAX)), None] {
        set_asid(&mut table, asid);
    }
    assert!(snapshot() == before);
}

#[test]
fn every_error_tells_its_values() {
    let errors = [
        (PagingError::NoMemory, "no frame"),
        (
            PagingError::NotAligned {
                value: 0x123,
                alignment: 0x1000,
            },
            "0x123",
        ),
        (PagingError::NotMapped { va: va(0xabc) }, "0xabc"),
        (PagingError::NotMapped { va: va(0xabc) }, "not mapped"),
        (
            PagingError::AlreadyMapped { va: va(0xabc) },
            "0x0000000000000abc",
        ),
        (
            PagingError::InvalidVirtAddr { va: va(0xabc) },
            "0x0000000000000abc",
        ),
        (
            PagingError::InvalidPhysAddr { pa: pa(0xabc) },
            "0x0000000000000abc",
        ),
        (
            PagingError::RangeTooLong {
                va: va(0xabc),
                size: 0xdef,
            },
            "0xdef",
        ),
        (
            PagingError::Unsupported {
                flags: RW,
                refused: W,
            },
            "WRITE",
        ),
        (
            PagingError::Unsupported {
                flags: W,
                refused: NONE,
            },
            "lack",
        ),
        (PagingError::WritableExecutable { flags: W | X }, "-wx"),
        (PagingError::ExecutableDevice { flags: R | X | D }, "nGnRE"),
        (PagingError::Pinned { va: va(0xabc) }, "0x0000000000000abc"),
        (PagingError::TooManyPins, "pinned"),
        (PagingError::Shared { va: va(0xabc) }, "0x0000000000000abc"),
        (PagingError::Busy, "being changed"),
    ];
    for (error, part) in errors {
        let text = format!("{error}");
        assert!(text.contains(part.trim_start_matches("0x")), "{text}");
    }
}

every_format! {
    single_leaves_take_any_argument,
    regions_take_any_argument,
    pins_and_readers_take_any_argument,
}
