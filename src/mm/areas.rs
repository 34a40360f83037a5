//! Names of the areas of the kernel's address space: one for each part of the map.
//!
//! By where the image, the board's devices and the kernel window are; whether something is mapped
//! is not known here.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Range;

use super::layout::{self, Pages, phys_to_virt};
use super::regions::ImageLayout;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::board::raspi3::{self, CORES};

/// A part of the address space with one use, by its last address: the next area begins at the byte
/// behind. The `map` command cuts a run of leaves there, so that each line has one name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Area {
    /// The name that is shown for the area.
    pub name: AreaName,
    /// The area's last address.
    pub last: VirtAddr,
}

/// The name of an area, and the core of a stack: prints as `peripherals`, or `stack of core 2`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AreaName {
    /// Page 0: where cores wait, and the firmware's code.
    FirmwarePage,
    /// Where cores begin; memory like any other once all have come.
    BootCode,
    /// The kernel's code.
    Text,
    /// The kernel's constants.
    Rodata,
    /// The kernel's variables.
    Data,
    /// Memory by its physical address.
    Ram,
    /// Devices at 0x3f00_0000.
    Peripherals,
    /// The cores' own timers, mailboxes and interrupts at 0x4000_0000.
    LocalPeripherals,
    /// The stack on which a core runs.
    Stack(usize),
    /// The stack on which a core takes exceptions.
    ExceptionStack(usize),
    /// The stack for when that is used up.
    EmergencyStack(usize),
    /// Addresses that must stay unmapped.
    Guard,
    /// The heap, with all that it may grow to.
    Heap,
    /// Pages that a command maps for a moment.
    Scratch,
    /// Nothing that the kernel knows of.
    Unknown,
}

impl fmt::Display for AreaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirmwarePage => f.write_str("firmware page"),
            Self::BootCode => f.write_str("boot code"),
            Self::Text => f.write_str("text"),
            Self::Rodata => f.write_str("rodata"),
            Self::Data => f.write_str("data"),
            Self::Ram => f.write_str("RAM"),
            Self::Peripherals => f.write_str("peripherals"),
            Self::LocalPeripherals => f.write_str("local peripherals"),
            Self::Stack(core) => write!(f, "stack of core {core}"),
            Self::ExceptionStack(core) => write!(f, "exception stack {core}"),
            Self::EmergencyStack(core) => write!(f, "emergency stack {core}"),
            Self::Guard => f.write_str("guard"),
            Self::Heap => f.write_str("heap"),
            Self::Scratch => f.write_str("scratch"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The area that `va` lies in, with the image where `image` says: [`AreaName::Peripherals`] for the
/// UART's 0xffff_0000_3f20_1000, mapped or not.
///
/// Addresses between two areas, and all of the low half, are [`AreaName::Unknown`] up to the byte
/// before the next area.
#[must_use]
pub fn area_at(image: &ImageLayout, va: VirtAddr) -> Area {
    let mut next = usize::MAX;
    for (range, name) in linear_areas(image).into_iter().chain(window_areas()) {
        if range.contains(&va.as_usize()) {
            let last = VirtAddr::new(range.end - 1);
            return Area { name, last };
        }
        if range.start > va.as_usize() {
            next = next.min(range.start - 1);
        }
    }
    Area {
        name: AreaName::Unknown,
        last: VirtAddr::new(next),
    }
}

/// Named addresses.
type NamedRange = (Range<usize>, AreaName);

/// The linear map. RAM is what lies between the others.
fn linear_areas(image: &ImageLayout) -> [NamedRange; 9] {
    let place = |start: PhysAddr, end: PhysAddr| {
        phys_to_virt(start).as_usize()..phys_to_virt(end).as_usize()
    };
    let zero = PhysAddr::new(0);
    let page_1 = PhysAddr::new(PAGE_SIZE);
    let devices = raspi3::PERIPHERALS;
    let local = raspi3::LOCAL_PERIPHERALS;
    let end = PhysAddr::new(local.as_usize() + raspi3::LOCAL_PERIPHERALS_SIZE);
    [
        (place(zero, page_1), AreaName::FirmwarePage),
        (place(page_1, image.park), AreaName::Ram),
        (place(image.park, image.text), AreaName::BootCode),
        (place(image.text, image.rodata), AreaName::Text),
        (place(image.rodata, image.data), AreaName::Rodata),
        (place(image.data, image.scratch), AreaName::Data),
        (place(image.scratch, devices), AreaName::Ram),
        (place(devices, local), AreaName::Peripherals),
        (place(local, end), AreaName::LocalPeripherals),
    ]
}

/// The kernel window.
fn window_areas() -> impl Iterator<Item = NamedRange> {
    let place = |pages: Pages| pages.start.as_usize()..pages.end();
    let stacks = (0..CORES).flat_map(move |core| {
        [
            (layout::main_stack(core), AreaName::Stack(core)),
            (
                layout::exception_stack(core),
                AreaName::ExceptionStack(core),
            ),
            (
                layout::emergency_stack(core),
                AreaName::EmergencyStack(core),
            ),
        ]
    });
    let guards = layout::guards().into_iter();
    let guards = guards.map(|guard| (guard, AreaName::Guard));
    let heap = Pages {
        size: layout::HEAP_MAX,
        ..layout::heap()
    };
    let scratch = layout::SCRATCH.as_usize();
    let rest = [
        (place(heap), AreaName::Heap),
        (scratch..scratch + SCRATCH_SIZE, AreaName::Scratch),
    ];
    let pages = stacks.chain(guards);
    pages
        .map(move |(pages, name)| (place(pages), name))
        .chain(rest)
}

/// More than any command maps there.
const SCRATCH_SIZE: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use super::{Area, AreaName, area_at};
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::mm::layout;
    use crate::mm::regions::ImageLayout;
    use std::string::ToString;

    const IMAGE: ImageLayout = ImageLayout {
        park: PhysAddr::new(0x8_0000),
        init: PhysAddr::new(0x8_2000),
        early: PhysAddr::new(0x8_2800),
        text: PhysAddr::new(0x8_3000),
        rodata: PhysAddr::new(0xa_0000),
        data: PhysAddr::new(0xb_0000),
        scratch: PhysAddr::new(0xb_8000),
        end: PhysAddr::new(0xc_0000),
    };

    fn area(va: usize) -> Area {
        area_at(&IMAGE, VirtAddr::new(va))
    }

    #[test]
    fn each_part_of_the_linear_map_has_its_name_up_to_its_last_byte() {
        const HIGH: usize = 0xffff_0000_0000_0000;
        for (first, last, name) in [
            (0, 0xfff, AreaName::FirmwarePage),
            (0x1000, 0x7_ffff, AreaName::Ram),
            (0x8_0000, 0x8_2fff, AreaName::BootCode),
            (0x8_3000, 0x9_ffff, AreaName::Text),
            (0xa_0000, 0xa_ffff, AreaName::Rodata),
            (0xb_0000, 0xb_7fff, AreaName::Data),
            (0xb_8000, 0x3eff_ffff, AreaName::Ram),
            (0x3f00_0000, 0x3fff_ffff, AreaName::Peripherals),
            (0x4000_0000, 0x4000_0fff, AreaName::LocalPeripherals),
        ] {
            let last = VirtAddr::new(HIGH + last);
            assert_eq!(area(HIGH + first), Area { name, last });
            assert_eq!(area(last.as_usize()), Area { name, last });
        }
        let unknown = area(HIGH + 0x4000_1000);
        assert_eq!(unknown.name, AreaName::Unknown);
        assert_eq!(unknown.last.as_usize(), layout::WINDOW - 1);
    }

    #[test]
    fn stacks_heap_and_guards_are_told_apart() {
        for core in 0..4 {
            let stack = layout::main_stack(core);
            assert_eq!(area(stack.start.as_usize()).name, AreaName::Stack(core));
            assert_eq!(area(stack.end() - 1).last.as_usize(), stack.end() - 1);
            assert_eq!(area(stack.start.as_usize() - 1).name, AreaName::Guard);
            assert_eq!(area(stack.end()).name, AreaName::Guard);
            let stack = layout::emergency_stack(core).start.as_usize();
            assert_eq!(area(stack).name, AreaName::EmergencyStack(core));
        }
        let heap = layout::heap().start.as_usize();
        assert_eq!(area(heap).name, AreaName::Heap);
        assert_eq!(area(heap + layout::HEAP_MAX - 1).name, AreaName::Heap);
        assert_eq!(area(heap + layout::HEAP_MAX).name, AreaName::Guard);
        assert_eq!(area(usize::MAX).name, AreaName::Unknown);
        assert_eq!(area(usize::MAX).last.as_usize(), usize::MAX);
    }

    #[test]
    fn no_name_is_wider_than_its_column() {
        for core in 0..4 {
            for name in [
                AreaName::Stack(core),
                AreaName::ExceptionStack(core),
                AreaName::EmergencyStack(core),
                AreaName::LocalPeripherals,
            ] {
                assert!(name.to_string().len() <= 17, "{name}");
            }
        }
    }
}
