//! Instruction fetches.

use ::a64::Instruction;

use super::code_page::Fetch;
use super::core::{Core, Interruption};
use crate::bus::Bus;
use crate::memory::{Codes, View};
use crate::registers::Reg;
use crate::registers::sctlr;
use crate::translate::{Fault, MemoryType, Purpose, Regime};

impl Core {
    /// The instruction at `at`.
    #[inline(always)]
    pub(super) fn fetch<'a>(
        &mut self,
        bus: &mut Bus,
        codes: &'a mut Codes,
    ) -> Result<&'a Instruction, Interruption> {
        // Bits 1:0 of the address are compared too: an address between words has no page.
        if self.at & !0xffc != self.fetch.page {
            self.fetch_page(bus, codes)?;
        }
        if bus.memory.has_outdated_words() {
            codes.forget(bus.memory.take_outdated_words());
        }
        let word = codes.word(self.fetch.code, (self.at >> 2) as usize);
        match word {
            Some(instruction) => Ok(instruction),
            None => Ok(word.insert(self.decode(bus))),
        }
    }

    #[cold]
    fn decode(&mut self, bus: &mut Bus) -> Instruction {
        let address = self.fetch.physical | self.at & 0xffc;
        let instruction = bus.memory.decode(address, self.fetch.view);
        bus.judge_notes(self.number, self.at);
        instruction
    }

    fn fetch_page(&mut self, bus: &mut Bus, codes: &mut Codes) -> Result<(), Interruption> {
        let address = self.at;
        if address & 3 != 0 {
            return Err(self.pc_alignment().into());
        }
        if self.state.illegal {
            return Err(self.illegal_state().into());
        }
        if let Some(fetch) = self.fetches.find(address) {
            self.fetch = fetch;
            return Ok(());
        }
        let leaf = self.translate(bus, address, Purpose::Fetch, self.state.level == 0)?;
        if !bus.memory.holds(leaf.page) {
            return Err(self.instruction_abort(address, Fault::External).into());
        }
        let [control, ..] = Regime::of(self.state.level).controls();
        let cached = self.system.effective(control) & sctlr::I != 0;
        let view = match cached && leaf.memory == MemoryType::WriteBack {
            true => View::Cached,
            false => View::Memory,
        };
        let code = bus.memory.code(leaf.page, view);
        codes.hold(code);
        self.heed_watched(bus);
        self.fetch = Fetch {
            page: address & !0xfff,
            physical: leaf.page,
            code,
            view,
        };
        self.fetches.insert(self.fetch);
        Ok(())
    }

    /// The address of the vector table of an exception level, with bits 10:0 ignored.
    pub(super) fn vectors(&self, level: u8) -> u64 {
        let register = match level {
            3 => Reg::VBAR_EL3,
            2 => Reg::VBAR_EL2,
            _ => Reg::VBAR_EL1,
        };
        self.system.effective(register) & !0x7ff
    }
}
