//! Names of the kernel's addresses: its own table of areas, for the image that is shown.

use ptmap::places::{Area, Symbol};
use stilt::addr::{PhysAddr, VirtAddr};
use stilt::board::raspi3::KERNEL_VA_OFFSET;
use stilt::mm::areas::{self, AreaName};
use stilt::mm::regions::ImageLayout;

/// Every area of both halves; none if the image is not this kernel's. While the low half is mapped,
/// it is an identity map of physical memory.
pub(super) fn areas(symbols: &[Symbol]) -> Vec<Area> {
    let Some(image) = layout(symbols) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut va = KERNEL_VA_OFFSET;
    loop {
        let area = areas::area_at(&image, VirtAddr::new(va));
        let last = area.last.as_usize();
        if area.name != AreaName::Unknown {
            let name = area.name.to_string();
            let physical = |va: usize| (va & !KERNEL_VA_OFFSET) as u64;
            if va >> 47 == KERNEL_VA_OFFSET >> 47 {
                found.push(Area {
                    first: physical(va),
                    last: physical(last),
                    name: name.clone(),
                    identity: true,
                });
            }
            found.push(Area {
                first: va as u64,
                last: last as u64,
                name,
                identity: false,
            });
        }
        let Some(next) = last.checked_add(1) else {
            return found;
        };
        va = next;
    }
}

/// The bounds of the image's parts, by the symbols of its linker script.
fn layout(symbols: &[Symbol]) -> Option<ImageLayout> {
    let at = |name| {
        let symbol = symbols.iter().find(|symbol| symbol.name == name)?;
        let physical = usize::try_from(symbol.va).ok()? & !KERNEL_VA_OFFSET;
        Some(PhysAddr::new(physical))
    };
    Some(ImageLayout {
        park: at("__park_start")?,
        init: at("__init_start")?,
        early: at("__early_start")?,
        text: at("__text_start")?,
        rodata: at("__rodata_start")?,
        data: at("__data_start")?,
        scratch: at("__scratch_start")?,
        end: at("__image_end")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Symbol, areas};

    #[test]
    fn the_parts_of_the_image_are_named_in_both_halves() {
        let symbol = |(name, va): (&str, u64)| Symbol {
            va: 0xffff << 48 | va,
            bytes: 0,
            name: name.to_owned(),
        };
        let symbols: Vec<_> = [
            ("__park_start", 0x8_0000),
            ("__init_start", 0x8_1000),
            ("__early_start", 0x8_2000),
            ("__text_start", 0x8_4000),
            ("__rodata_start", 0xd_b000),
            ("__data_start", 0xf_5000),
            ("__scratch_start", 0x11_7000),
            ("__image_end", 0x12_b000),
        ]
        .map(symbol)
        .into();
        let found = areas(&symbols);
        let name_of = |va: u64| {
            let mut at = found
                .iter()
                .filter(|area| area.first <= va && va <= area.last);
            at.next().map_or("", |area| &area.name)
        };
        for (va, name) in [
            (0x8_4000, "text"),
            (0xffff_0000_0008_4000, "text"),
            (0xffff_0000_000d_b000, "rodata"),
            (0x3f00_0000, "peripherals"),
            (0xffff_8000_0000_1000, "emergency stack 0"),
            (0x8000_0000_1000, ""),
            (u64::MAX, ""),
        ] {
            assert_eq!(name_of(va), name, "{va:#x}");
        }
        assert_eq!(areas(&symbols[1..]), []);
    }
}
