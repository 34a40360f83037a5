//! The random number generator: the same numbers in every run.
//!
//! No public manual covers it; registers and their use are those of Linux's driver for the device
//! tree's node `rng@7e104000`.

use super::options::Kind;
use super::peripheral::Refused;

const CTRL: u32 = 0x00;
const STATUS: u32 = 0x04;
const DATA: u32 = 0x08;
const FF_THRESHOLD: u32 = 0x0c;
const INT_MASK: u32 = 0x10;

const CTRL_ENABLE: u32 = 1;
/// Bits 31:24 of STATUS are the words that are ready, 19:0 those that are thrown away at first.
const STATUS_ONE_WORD: u32 = 1 << 24;
const STATUS_WARMUP: u32 = 0xf_ffff;

#[derive(Clone, Debug)]
pub(super) struct Random {
    kind: Kind,
    control: u32,
    warmup: u32,
    mask: u32,
    state: u64,
}

impl Random {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            control: 0,
            warmup: 0,
            mask: 0,
            state: 0x2835,
        }
    }

    pub(super) fn read(&mut self, offset: u32) -> Result<u32, Refused> {
        let is_on = self.kind == Kind::Qemu || self.control & CTRL_ENABLE != 0;
        Ok(match offset {
            CTRL => self.control,
            STATUS if is_on => STATUS_ONE_WORD | self.warmup,
            STATUS => self.warmup,
            DATA if is_on => self.word(),
            DATA | FF_THRESHOLD => 0,
            INT_MASK => self.mask,
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Result<(), Refused> {
        match offset {
            CTRL => self.control = value,
            STATUS => self.warmup = value & STATUS_WARMUP,
            INT_MASK => self.mask = value,
            // Read-only.
            DATA | FF_THRESHOLD => {}
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }

    /// Marsaglia, "Xorshift RNGs": the state is never 0.
    fn word(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Random;
    use crate::board::options::Kind;

    #[test]
    fn numbers_come_once_it_is_on() {
        let mut random = Random::new(Kind::Board);
        random.write(0x04, 0x40000).expect("STATUS");
        assert_eq!((random.read(4), random.read(8)), (Ok(0x40000), Ok(0)));
        random.write(0, 1).expect("CTRL");
        assert_eq!(random.read(4), Ok(0x104_0000));
        assert_ne!(random.read(8), random.read(8));
    }
}
