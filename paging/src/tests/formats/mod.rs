//! The formats that the generic suite runs over, each with its own judgement of flags and
//! addresses, written from the manuals: it shares nothing with the format under test.

mod aarch64;
mod aarch64_peer;
mod cases;
mod loongarch;
mod riscv;
mod x86_64;
#[cfg(target_arch = "x86_64")]
mod x86_64_peer;

use crate::addr::{PhysAddr, VirtAddr};
use crate::format::aarch64::{A64MetaData, A64PTE, HighHalf, LowHalf};
use crate::format::aarch64_tlb::A64Maintenance;
use crate::format::loongarch::{LA64MetaData, LA64PTE};
use crate::format::riscv::{Rv64PTE, Rv64PbmtPTE, Sv39MetaData, Sv48MetaData};
use crate::format::x86_64::{X64MetaData, X64PTE};
use crate::tests::memory::{CachesInvalid, Frames, PlainRecorder, Recorder, set_garbage};
use crate::tests::{A, ANYWAY, D, G, K4, N, R, U, W, X};
use crate::{GenericPTE, MappingFlags, PageTable64, PagingError, PagingMetaData, TableView};
use std::vec::Vec;

/// A table under test.
pub(super) type Table<F> = PageTable64<<F as Format>::M, <F as Format>::PTE, Frames>;
/// What is read of it.
pub(super) type View<F> = TableView<<F as Format>::M, <F as Format>::PTE, Frames>;

/// Which addresses a tree translates, of all that have equal bits above its width.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Halves {
    /// Those whose other bits are 0.
    Low,
    /// Those whose other bits are 1.
    High,
    /// Those whose other bits are copies of the highest.
    Both,
}

/// A format of the suite.
pub(super) trait Format: Sized + 'static {
    type M: PagingMetaData;
    type PTE: GenericPTE;
    /// Bits of a virtual address below those that must be equal.
    const VA_BITS: u32;
    const HALVES: Halves;
    const PA_BITS: u32;
    const LEVELS: usize;
    /// Sets that the format accepts: kernel, user, devices where there are any, inaccessible.
    const FLAGS: &'static [MappingFlags];

    /// What cannot be had of `flags`, or none where READ is missing; `None`: the set is fine,
    /// unless W^X forbids it.
    fn unsupported(flags: MappingFlags) -> Option<MappingFlags>;

    /// Bytes that the tree translates.
    fn space() -> usize {
        1 << Self::VA_BITS
    }

    /// The address of page number `page` of the tree.
    fn address(page: usize) -> usize {
        let offset = page * K4;
        let upper = !0 << Self::VA_BITS;
        let is_high = match Self::HALVES {
            Halves::Low => false,
            Halves::High => true,
            Halves::Both => offset >> (Self::VA_BITS - 1) != 0,
        };
        if is_high { offset | upper } else { offset }
    }

    /// The number of the page that holds `address`, if the tree translates it.
    fn page(address: usize) -> Option<usize> {
        let page = (address & (Self::space() - 1)) / K4;
        (Self::address(page) == address & !(K4 - 1)).then_some(page)
    }

    /// Every reason to refuse `flags`.
    fn faults(flags: MappingFlags) -> Vec<PagingError> {
        let mut faults = Vec::new();
        let write = flags.contains(W | X);
        let memory = flags.contains(X) && flags.intersects(D | N);
        let unsupported = |refused| PagingError::Unsupported { flags, refused };
        match (write || memory, flags.contains(ANYWAY)) {
            (true, false) if write => faults.push(PagingError::WritableExecutable { flags }),
            (true, false) => faults.push(PagingError::ExecutableDevice { flags }),
            (false, true) => faults.push(unsupported(ANYWAY)),
            _ => {}
        }
        faults.extend(Self::unsupported(flags).map(unsupported));
        faults
    }

    /// An empty table. Frames hold what this format takes for tables.
    fn table() -> Table<Self> {
        set_garbage(Self::PTE::new_table(PhysAddr::new(0xdead_f000)).bits());
        Table::<Self>::try_new().unwrap()
    }

    /// The address of byte `offset` of the tree.
    fn va(offset: usize) -> VirtAddr {
        VirtAddr::new(Self::address(offset / K4) + offset % K4)
    }
}

const KERNEL: [MappingFlags; 3] = [
    R.union(G).union(A),
    R.union(W).union(G).union(A),
    R.union(X).union(G).union(A),
];
const USER: [MappingFlags; 3] = [
    R.union(U).union(A),
    R.union(W).union(U).union(A),
    R.union(X).union(U).union(A),
];
const INACCESSIBLE: [MappingFlags; 2] = [MappingFlags::empty(), G.union(A)];
const LOCAL: MappingFlags = R.union(W).union(A);
const DEVICE: MappingFlags = R.union(W).union(G).union(A).union(D);
const UNCACHED: MappingFlags = R.union(W).union(U).union(A).union(N);
const ANY_RIGHTS: MappingFlags = KERNEL[1].union(X).union(ANYWAY);

/// Sets that every format accepts.
const COMMON: [MappingFlags; 11] = [
    KERNEL[0],
    KERNEL[1],
    KERNEL[2],
    USER[0],
    USER[1],
    USER[2],
    INACCESSIBLE[0],
    INACCESSIBLE[1],
    LOCAL,
    R.union(W).union(G),
    ANY_RIGHTS,
];

/// Those and two types of memory.
const TYPED: [MappingFlags; 13] = {
    let mut all = [DEVICE; 13];
    let mut index = 0;
    while index < COMMON.len() {
        all[index] = COMMON[index];
        index += 1;
    }
    all[COMMON.len()] = UNCACHED;
    all
};

/// What user and global mappings, and both memory types at once, have in common.
fn both(flags: MappingFlags, one: MappingFlags, other: MappingFlags) -> MappingFlags {
    if flags.contains(one | other) {
        other
    } else {
        MappingFlags::empty()
    }
}

fn named(refused: MappingFlags) -> Option<MappingFlags> {
    (!refused.is_empty()).then_some(refused)
}

/// EL1 reads whatever it may use; EL0 may execute what it cannot read.
fn unsupported_a64(flags: MappingFlags) -> Option<MappingFlags> {
    let refused = both(flags, U, G);
    let blind = flags.intersects(R | W | X) && !flags.contains(R);
    let only_executes = flags.contains(X | U) && !flags.contains(W);
    match named(refused) {
        None => (blind && !only_executes).then_some(MappingFlags::empty()),
        refused => refused,
    }
}

fn unsupported_rv64(flags: MappingFlags, typed: bool) -> Option<MappingFlags> {
    let memory = if typed {
        both(flags, D, N)
    } else {
        flags & (D | N)
    };
    let write = if flags.contains(R) {
        MappingFlags::empty()
    } else {
        flags & W
    };
    named(memory | both(flags, U, G) | write)
}

macro_rules! define_format {
    (
        $(#[$doc:meta])* $name:ident, $meta:ty, $entry:ty,
        $va_bits:literal $halves:ident, $pa_bits:literal, $levels:literal, $flags:expr, $unsupported:expr
    ) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl Format for $name {
            type M = $meta;
            type PTE = $entry;
            const VA_BITS: u32 = $va_bits;
            const HALVES: Halves = Halves::$halves;
            const PA_BITS: u32 = $pa_bits;
            const LEVELS: usize = $levels;
            const FLAGS: &'static [MappingFlags] = &$flags;

            fn unsupported(flags: MappingFlags) -> Option<MappingFlags> {
                let judge: fn(MappingFlags) -> Option<MappingFlags> = $unsupported;
                judge(flags)
            }
        }
    };
}

type A64Machine = A64Maintenance<Recorder>;

define_format! {
    /// TTBR0's half, with the 48 bits of physical address that descriptors have room for.
    A64Low, A64MetaData<LowHalf, A64Machine>, A64PTE, 48 Low, 48, 4, TYPED, unsupported_a64
}
define_format! {
    /// TTBR1's half on a Cortex-A53.
    A64High, A64MetaData<HighHalf, A64Machine, 40>, A64PTE, 48 High, 40, 4, TYPED, unsupported_a64
}
define_format! {
    /// A64 on a machine that caches invalid entries, as those of other formats do: not of the
    /// suite, but for the oracle, which knows descriptors of A64 alone.
    A64Caching, CachesInvalid<A64MetaData<HighHalf, A64Machine, 40>>, A64PTE,
    48 High, 40, 4, TYPED, unsupported_a64
}
define_format! {
    /// x86-64.
    X64, X64MetaData<PlainRecorder>, X64PTE, 48 Both, 52, 4, TYPED, |flags| {
        let refused = both(flags, U, G) | both(flags, D, N);
        let blind = flags.intersects(W | X) && !flags.contains(R);
        (blind || !refused.is_empty()).then_some(refused)
    }
}
define_format! {
    /// RISC-V with three levels.
    Sv39, Sv39MetaData<PlainRecorder>, Rv64PTE, 39 Both, 56, 3, COMMON,
    |flags| unsupported_rv64(flags, false)
}
define_format! {
    /// RISC-V with four levels.
    Sv48, Sv48MetaData<PlainRecorder>, Rv64PTE, 48 Both, 56, 4, COMMON,
    |flags| unsupported_rv64(flags, false)
}
define_format! {
    /// RISC-V with four levels and memory types.
    Sv48Pbmt, Sv48MetaData<PlainRecorder>, Rv64PbmtPTE, 48 Both, 56, 4, TYPED,
    |flags| unsupported_rv64(flags, true)
}
define_format! {
    /// LoongArch64.
    LA64, LA64MetaData<PlainRecorder>, LA64PTE, 48 Both, 48, 4, TYPED,
    |flags| named(both(flags, U, G) | both(flags, D, N))
}

/// A test of each generic function for each format.
macro_rules! every_format {
    ($($test:ident),* $(,)?) => {
        $(
            mod $test {
                use $crate::tests::formats::{
                    A64High, A64Low, LA64, Sv39, Sv48, Sv48Pbmt, X64,
                };
                #[test]
                fn a64_low() {
                    super::$test::<A64Low>();
                }
                #[test]
                fn a64_high() {
                    super::$test::<A64High>();
                }
                #[test]
                fn x64() {
                    super::$test::<X64>();
                }
                #[test]
                fn sv39() {
                    super::$test::<Sv39>();
                }
                #[test]
                fn sv48() {
                    super::$test::<Sv48>();
                }
                #[test]
                fn sv48_pbmt() {
                    super::$test::<Sv48Pbmt>();
                }
                #[test]
                fn la64() {
                    super::$test::<LA64>();
                }
            }
        )*
    };
}
pub(super) use every_format;

fn every_listed_set_is_accepted_and_every_other_judged<F: Format>() {
    use crate::PageSize;
    for flags in F::FLAGS {
        assert_eq!(F::faults(*flags), [], "{flags:?}");
    }
    for flags in (0..MappingFlags::SETS).map(MappingFlags::from_bits_retain) {
        for size in PageSize::ALL {
            let made = F::PTE::new_page(PhysAddr::new(0), flags, size);
            let faults = F::faults(flags);
            match made {
                Ok(leaf) => assert_eq!((faults.len(), leaf.flags()), (0, flags)),
                Err(error) => assert!(faults.contains(&error), "{error:?}: {faults:?}"),
            }
        }
    }
}

fn addresses_and_pages_name_each_other<F: Format>() {
    assert_eq!(1 << F::M::VA_MAX_BITS, F::space());
    assert_eq!(
        (F::M::LEVELS, F::M::PA_MAX_BITS),
        (F::LEVELS, F::PA_BITS as usize)
    );
    let last = F::space() / K4 - 1;
    for page in [0, 1, last / 2, last / 2 + 1, last] {
        let address = F::address(page);
        assert_eq!(F::page(address + (K4 - 1)), Some(page));
        assert_eq!(F::M::vaddr_at(page * K4), VirtAddr::new(address));
        assert!(F::M::vaddr_is_valid(VirtAddr::new(address)));
    }
    for address in [
        0,
        F::space() / 2,
        F::space(),
        1 << 63,
        !0 << F::VA_BITS,
        !0 << 50,
    ] {
        let valid = F::M::vaddr_is_valid(VirtAddr::new(address));
        assert_eq!(valid, F::page(address).is_some(), "{address:#x}");
    }
}

every_format! {
    every_listed_set_is_accepted_and_every_other_judged,
    addresses_and_pages_name_each_other,
}
