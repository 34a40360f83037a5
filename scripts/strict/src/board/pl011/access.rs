//! The cores' accesses to the PL011's registers.

use super::Pl011;
use super::registers::{
    CR, CR_UARTEN, DMACR, DR, FBRD, FR, IBRD, ICR, ID_FIRST, IFLS, ILPR, IMSC, LCR_H, MIS, RIS,
    RSR_ECR, TEST_FIRST, TEST_LAST,
};
use crate::board::options::{Kind, Nanoseconds, Notice, Notices};
use crate::board::peripheral::Refused;

impl Pl011 {
    pub(in crate::board) fn read(
        &mut self,
        offset: u32,
        notices: &mut Notices,
    ) -> Result<u32, Refused> {
        Ok(match offset {
            DR => self.read_dr(notices),
            RSR_ECR => self.rsr,
            FR => self.flags(),
            ILPR => self.ilpr,
            IBRD => self.ibrd,
            FBRD => self.fbrd,
            LCR_H => self.lcr_h,
            CR => self.cr,
            IFLS => self.ifls,
            IMSC => self.imsc,
            RIS => self.ris,
            MIS => self.ris & self.imsc,
            ICR => 0,
            DMACR => self.dmacr,
            TEST_FIRST..=TEST_LAST => return Err(Refused::NotModelled("test register")),
            ID_FIRST..=0xffc => self.identification()[(offset - ID_FIRST) as usize / 4].into(),
            _ => return Err(Refused::NoRegister),
        })
    }

    pub(in crate::board) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Nanoseconds,
        notices: &mut Notices,
    ) -> Result<(), Refused> {
        let stored = |bits| match self.kind {
            Kind::Qemu => value,
            Kind::Board => value & bits,
        };
        let is_setting = matches!(offset, IBRD | FBRD | LCR_H);
        if self.kind == Kind::Board && is_setting && self.cr & CR_UARTEN != 0 {
            notices.add(Notice::ChangedWhileOn { offset });
        }
        match offset {
            DR => self.write_dr(value as u8, now, notices),
            RSR_ECR => self.rsr = 0,
            ILPR => self.ilpr = stored(0xff),
            IBRD => self.ibrd = stored(0xffff),
            FBRD => self.fbrd = stored(0x3f),
            LCR_H => self.write_lcr_h(stored(0xff)),
            CR => self.write_cr(stored(0xffff), now)?,
            IFLS => self.ifls = stored(0x3f),
            IMSC => self.imsc = stored(0x7ff),
            ICR => self.ris &= !value,
            DMACR if self.kind == Kind::Board && value != 0 => {
                return Err(Refused::NotModelled("UARTDMACR with DMA"));
            }
            DMACR => self.dmacr = value,
            // Read-only.
            FR | RIS | MIS | ID_FIRST..=0xffc => {}
            TEST_FIRST..=TEST_LAST => return Err(Refused::NotModelled("test register")),
            _ => return Err(Refused::NoRegister),
        }
        Ok(())
    }
}
