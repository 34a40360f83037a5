//! The framebuffer's properties, as the firmware keeps and answers them. Nothing is shown.
//!
//! Raspberry Pi firmware wiki, "Mailbox property interface", tags 0x0004_xxxx.

use super::answer::Answer;
use crate::board::options::Kind;

/// Where the buffer begins behind the VideoCore's first byte.
const OFFSET: u32 = 0x10_0000;
/// The alias in which a board's firmware names it.
const BUS_ALIAS: u32 = 0xc000_0000;
const WIDTH_MAX: u32 = 3840;
const HEIGHT_MAX: u32 = 2560;
/// A display's size if 0 is asked for: the firmware's for a composite screen.
const DEFAULT: [u32; 2] = [592, 488];

#[derive(Clone, Debug)]
pub(super) struct Framebuffer {
    base: u32,
    physical: [u32; 2],
    virtual_size: [u32; 2],
    offset: [u32; 2],
    depth: u32,
    order: u32,
    alpha: u32,
}

impl Framebuffer {
    /// A buffer in the VideoCore's memory, which begins at `video_core`.
    pub(super) fn new(kind: Kind, video_core: u32) -> Self {
        let base = video_core.wrapping_add(OFFSET);
        Self {
            base: match kind {
                Kind::Qemu => base,
                Kind::Board => base | BUS_ALIAS,
            },
            physical: [640, 480],
            virtual_size: [640, 480],
            offset: [0, 0],
            depth: 16,
            order: 1,
            alpha: 2,
        }
    }

    /// The answer to `tag` with the words `value`; `None` if it is none of the framebuffer's.
    pub(super) fn answer(&mut self, tag: u32, value: [u32; 5]) -> Option<Answer> {
        let [first, second, ..] = value;
        Some(match tag {
            0x0004_0001 => Answer::words(&[self.base, self.size()]),
            // Release.
            0x0004_8001 => Answer::words(&[]),
            // Blank, as asked.
            0x0004_0002 => Answer::words(&[first]),
            0x0004_0003 => Answer::words(&self.physical),
            0x0004_0004 => Answer::words(&self.virtual_size),
            0x0004_0005 => Answer::words(&[self.depth]),
            0x0004_0006 => Answer::words(&[self.order]),
            0x0004_0007 => Answer::words(&[self.alpha]),
            0x0004_0008 => Answer::words(&[self.pitch()]),
            0x0004_0009 => Answer::words(&self.offset),
            // Overscan: none, whatever is asked.
            0x0004_000a | 0x0004_400a | 0x0004_800a => Answer::words(&[0; 4]),
            // Tests: all is possible.
            0x0004_4003 | 0x0004_4004 | 0x0004_4009 => Answer::words(&[first, second]),
            0x0004_4005..=0x0004_4007 => Answer::words(&[first]),
            0x0004_8003 => {
                self.physical = display(first, second);
                self.stay_within();
                Answer::words(&self.physical)
            }
            0x0004_8004 => {
                self.virtual_size = display(first, second);
                self.stay_within();
                Answer::words(&self.virtual_size)
            }
            0x0004_8005 => {
                self.depth = first;
                Answer::words(&[first])
            }
            0x0004_8006 => {
                self.order = first;
                Answer::words(&[first])
            }
            0x0004_8007 => {
                self.alpha = first;
                Answer::words(&[first])
            }
            0x0004_8009 => {
                self.offset = [first, second];
                self.stay_within();
                Answer::words(&self.offset)
            }
            // Palette: taken.
            0x0004_800b => Answer::words(&[0]),
            _ => return None,
        })
    }

    /// Keeps the view within the virtual size, if that is larger on both axes.
    fn stay_within(&mut self) {
        if (0..2).all(|axis| self.virtual_size[axis] > self.physical[axis]) {
            for axis in 0..2 {
                let most = self.virtual_size[axis] - self.physical[axis];
                self.offset[axis] = self.offset[axis].min(most);
            }
        }
    }

    fn pitch(&self) -> u32 {
        let width = self.physical[0].max(self.virtual_size[0]);
        width.saturating_mul(self.depth / 8)
    }

    fn size(&self) -> u32 {
        let height = self.physical[1].max(self.virtual_size[1]);
        self.pitch().saturating_mul(height)
    }
}

/// The size that is given where `width` and `height` are asked for.
fn display(width: u32, height: u32) -> [u32; 2] {
    let given = |asked, most: u32, default| match asked {
        0 => default,
        _ => most.min(asked),
    };
    [
        given(width, WIDTH_MAX, DEFAULT[0]),
        given(height, HEIGHT_MAX, DEFAULT[1]),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Answer, Framebuffer};
    use crate::board::options::Kind;

    #[test]
    fn a_buffer_is_as_large_as_its_size_and_depth_say() {
        let mut buffer = Framebuffer::new(Kind::Board, 0x3c00_0000);
        let mut answer = |tag, first, second| buffer.answer(tag, [first, second, 0, 0, 0]);
        assert_eq!(
            answer(0x4_8003, 1024, 768),
            Some(Answer::words(&[1024, 768]))
        );
        assert_eq!(
            answer(0x4_8004, 1024, 768),
            Some(Answer::words(&[1024, 768]))
        );
        assert_eq!(answer(0x4_8005, 32, 0), Some(Answer::words(&[32])));
        assert_eq!(answer(0x4_0008, 0, 0), Some(Answer::words(&[4096])));
        let buffer = Some(Answer::words(&[0xfc10_0000, 0x30_0000]));
        assert_eq!(answer(0x4_0001, 4096, 0), buffer);
        assert_eq!(answer(0x4_8003, 9999, 0), Some(Answer::words(&[3840, 488])));
        assert_eq!(answer(0x4_0041, 0, 0), None);
    }
}
