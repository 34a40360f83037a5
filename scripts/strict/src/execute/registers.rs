//! MRS and MSR: access rights, and registers that are more than a stored value.

use ::a64::Register;
use ::a64::system::SystemRegister;

use crate::bus::{Bus, PARTS};
use crate::cpu::syndrome::{Exception, class};
use crate::cpu::timers::Timer;
use crate::cpu::{Core, Executed, Interruption};
use crate::liberty::Liberty;
use crate::registers::sctlr;
use crate::registers::{Reg, Use};
use crate::watch::Event;

/// An ISB so few instructions before the counter's read counts as one in front of it.
const NEAR: u64 = 16;

/// The counter is read at most 2 us too early.
const EARLIEST: u64 = 2_000 * PARTS;

impl Core {
    /// MRS.
    pub(super) fn read_register(
        &mut self,
        bus: &mut Bus,
        encoding: SystemRegister,
        rt: Register,
    ) -> Result<u64, Interruption> {
        let level = self.state.level;
        if level != 0 && is_reserved_identification(encoding) {
            return Ok(0);
        }
        let register = self.permitted(encoding, rt, Direction::Read)?;
        Ok(match register {
            Reg::CURRENTEL => u64::from(level) << 2,
            Reg::NZCV => u64::from(self.state.nzcv) << 28,
            Reg::DAIF => u64::from(self.state.daif) << 6,
            Reg::SPSEL => u64::from(self.state.own_stack),
            Reg::SP_EL0 => self.stacks[0],
            Reg::SP_EL1 => self.stacks[1],
            Reg::SP_EL2 => self.stacks[2],
            // EL1 reads what EL2 shows it (DDI 0487 D24.2.106).
            Reg::MIDR_EL1 if level == 1 => self.system.written(Reg::VPIDR_EL2),
            Reg::MPIDR_EL1 if level == 1 => self.system.written(Reg::VMPIDR_EL2),
            // DZP: this level may not execute DC ZVA.
            Reg::DCZID_EL0 => {
                let prohibited =
                    level == 0 && self.system.effective(Reg::SCTLR_EL1) & sctlr::DZE == 0;
                self.system.written(register) | u64::from(prohibited) << 4
            }
            Reg::CNTPCT_EL0 => self.counter_read(bus),
            Reg::CNTVCT_EL0 => self
                .counter_read(bus)
                .wrapping_sub(self.system.effective(Reg::CNTVOFF_EL2)),
            Reg::CNTP_CTL_EL0 => self.timer_control(Timer::Physical, bus),
            Reg::CNTV_CTL_EL0 => self.timer_control(Timer::Virtual, bus),
            Reg::CNTHP_CTL_EL2 => self.timer_control(Timer::Hypervisor, bus),
            Reg::CNTPS_CTL_EL1 => self.timer_control(Timer::Secure, bus),
            Reg::CNTP_TVAL_EL0 => self.timer_value(Timer::Physical, bus),
            Reg::CNTV_TVAL_EL0 => self.timer_value(Timer::Virtual, bus),
            Reg::CNTHP_TVAL_EL2 => self.timer_value(Timer::Hypervisor, bus),
            Reg::CNTPS_TVAL_EL1 => self.timer_value(Timer::Secure, bus),
            Reg::ISR_EL1 => self.pending_interrupts(bus),
            Reg::CCSIDR_EL1 => cache_size(self.system.effective(Reg::CSSELR_EL1)),
            _ => self.system.written(register),
        })
    }

    /// MSR (register).
    pub(super) fn write_register(
        &mut self,
        bus: &mut Bus,
        encoding: SystemRegister,
        rt: Register,
    ) -> Executed {
        let register = self.permitted(encoding, rt, Direction::Write)?;
        let value = self.get(rt);
        self.tell(bus, Event::Write(register, value));
        match register {
            Reg::NZCV => self.state.nzcv = (value >> 28 & 0xf) as u8,
            Reg::DAIF => {
                self.state.daif = (value >> 6 & 0xf) as u8;
                self.take_interrupt(bus);
            }
            Reg::SPSEL => self.state.own_stack = value & 1 != 0,
            Reg::SP_EL0 => self.stacks[0] = value,
            Reg::SP_EL1 => self.stacks[1] = value,
            Reg::SP_EL2 => self.stacks[2] = value,
            Reg::CNTP_TVAL_EL0 => self.set_timer_value(Timer::Physical, value, bus),
            Reg::CNTV_TVAL_EL0 => self.set_timer_value(Timer::Virtual, value, bus),
            Reg::CNTHP_TVAL_EL2 => self.set_timer_value(Timer::Hypervisor, value, bus),
            Reg::CNTPS_TVAL_EL1 => self.set_timer_value(Timer::Secure, value, bus),
            Reg::HCR_EL2 => self.write_hypervisor_configuration(value)?,
            _ => {
                if self.system.write(register, value & writable(register)) {
                    bus.took(Liberty::Context, (self.number, self.at), value);
                }
            }
        }
        if register.row().kind == Use::Context {
            self.forget_translations();
            // With the MMU off no data is cacheable (DDI 0487 D5.2.9).
            let caches = sctlr::M | sctlr::C;
            bus.memory.speculation |= is_control(register) && value & caches == caches;
            self.tell_roots(bus);
        }
        Ok(())
    }

    /// The counter, which may be read as early as the last context synchronisation event (DDI 0487
    /// D11.1.2).
    fn counter_read(&self, bus: &mut Bus) -> u64 {
        let mut time = bus.time;
        let near = |count| self.executed - count <= NEAR;
        if !self.synchronized_count.is_some_and(near) {
            self.tell(bus, Event::CounterEarly);
        }
        if bus.liberties.has(Liberty::Counter) && bus.chance.happens(64) {
            let window = time - self.synchronized_at;
            time -= bus.chance.below(window.min(EARLIEST) + 1);
            bus.took(Liberty::Counter, (self.number, self.at), 0);
        }
        bus.board.counter(time / PARTS)
    }

    /// Traps and stage 2 are not modelled: a kernel that switches them on is told so.
    fn write_hypervisor_configuration(&mut self, value: u64) -> Executed {
        /// SWIO, FMO, IMO, AMO, TSC, HCD, RW.
        const MODELLED: u64 = 1 << 1 | 0b111 << 3 | 1 << 19 | 1 << 29 | 1 << 31;
        if value & !MODELLED != 0 {
            return Err(
                self.register_not_modelled(format!("{} = {value:#x}", Reg::HCR_EL2.row().name))
            );
        }
        self.system.write(Reg::HCR_EL2, value);
        Ok(())
    }

    /// ISR_EL1: A, I and F in bits 8 to 6.
    fn pending_interrupts(&mut self, bus: &mut Bus) -> u64 {
        let lines = self.interrupt_lines(bus);
        u64::from(lines.irq) << 7 | u64::from(lines.fiq) << 6
    }

    /// The register, if it is modelled and this level may use it.
    fn permitted(
        &self,
        encoding: SystemRegister,
        rt: Register,
        direction: Direction,
    ) -> Result<Reg, Interruption> {
        let Some(register) = Reg::with(encoding) else {
            // A level never learns what a higher one has: an encoding of that level is UNDEFINED.
            let [_, op1, ..] = encoding.fields();
            let needed = match op1 {
                3 => 0,
                4 => 2,
                6 => 3,
                _ => 1,
            };
            if needed > self.state.level {
                return Err(self.undefined().into());
            }
            return Err(self.register_not_modelled(format!("the system register {encoding}")));
        };
        let row = register.row();
        let level = self.state.level;
        let read_only = row.kind == Use::ReadOnly || (register == Reg::TPIDRRO_EL0 && level == 0);
        // SP_EL0 is the stack pointer itself while PSTATE.SP is 0 (DDI 0487 C5.2.19).
        let in_use = register == Reg::SP_EL0 && !self.state.own_stack;
        if level < register.level() || in_use || (direction == Direction::Write && read_only) {
            return Err(self.undefined().into());
        }
        if matches!(register, Reg::FPCR | Reg::FPSR) {
            self.check_floating_point()?;
            return Ok(register);
        }
        if level == 0 && !self.open_to_user(register) {
            return Err(self.trapped(encoding.fields(), rt, direction).into());
        }
        Ok(register)
    }

    /// Whether EL1 lets EL0 use a register that has an EL0 name.
    fn open_to_user(&self, register: Reg) -> bool {
        let bit = |control: Reg, number: u32| self.system.effective(control) >> number & 1 != 0;
        match register {
            Reg::CTR_EL0 => self.system.effective(Reg::SCTLR_EL1) & sctlr::UCT != 0,
            Reg::DAIF => self.system.effective(Reg::SCTLR_EL1) & sctlr::UMA != 0,
            Reg::CNTPCT_EL0 => bit(Reg::CNTKCTL_EL1, 0),
            Reg::CNTVCT_EL0 => bit(Reg::CNTKCTL_EL1, 1),
            Reg::CNTFRQ_EL0 => bit(Reg::CNTKCTL_EL1, 0) || bit(Reg::CNTKCTL_EL1, 1),
            Reg::CNTV_TVAL_EL0 | Reg::CNTV_CTL_EL0 | Reg::CNTV_CVAL_EL0 => bit(Reg::CNTKCTL_EL1, 8),
            Reg::CNTP_TVAL_EL0 | Reg::CNTP_CTL_EL0 | Reg::CNTP_CVAL_EL0 => bit(Reg::CNTKCTL_EL1, 9),
            Reg::NZCV | Reg::TPIDR_EL0 | Reg::TPIDRRO_EL0 | Reg::DCZID_EL0 => true,
            _ => bit(Reg::PMUSERENR_EL0, 0),
        }
    }

    /// A system instruction of EL0 that EL1 traps: its encoding in the syndrome (D24.2.40, ISS of EC
    /// 0x18).
    pub(super) fn trapped(
        &self,
        fields: [u16; 5],
        rt: Register,
        direction: Direction,
    ) -> Exception {
        let [op0, op1, crn, crm, op2] = fields.map(u64::from);
        let read = u64::from(direction == Direction::Read);
        let rt = u64::from(rt.0);
        let iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | read;
        self.exception(class::SYSTEM, iss)
    }
}

/// The direction of a system instruction: L, bit 21.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// MRS.
    Read,
    /// MSR, SYS.
    Write,
}

/// Whether an encoding is one of those for identification to which no register is assigned: they
/// read as zero (DDI 0487 D17.3.1).
fn is_reserved_identification(encoding: SystemRegister) -> bool {
    matches!(encoding.fields(), [3, 0, 0, 1..=7, _]) && Reg::with(encoding).is_none()
}

/// CCSIDR_EL1 of the cache that CSSELR_EL1 selects (DDI 0500 4.3.22): 32 KiB of data in 4 ways, 32
/// KiB of instructions in 2, and the BCM2837's 512 KiB in 16.
fn cache_size(selected: u64) -> u64 {
    match selected & 0xf {
        0 => 0x700f_e01a,
        1 => 0x201f_e00a,
        _ => 0x703f_e07a,
    }
}

fn is_control(register: Reg) -> bool {
    matches!(register, Reg::SCTLR_EL1 | Reg::SCTLR_EL2 | Reg::SCTLR_EL3)
}

/// The bits of a register that a write changes; RES0 bits read as zero.
fn writable(register: Reg) -> u64 {
    match register {
        // Not implemented by the Cortex-A53 (DDI 0500 4.3).
        Reg::AFSR0_EL1 | Reg::AFSR1_EL1 | Reg::AMAIR_EL1 => 0,
        Reg::VBAR_EL1 | Reg::VBAR_EL2 | Reg::VBAR_EL3 => !0x7ff,
        Reg::CNTFRQ_EL0 | Reg::ESR_EL1 | Reg::ESR_EL2 | Reg::ESR_EL3 => 0xffff_ffff,
        Reg::CONTEXTIDR_EL1 => 0xffff_ffff,
        Reg::CNTP_CTL_EL0 | Reg::CNTV_CTL_EL0 | Reg::CNTHP_CTL_EL2 | Reg::CNTPS_CTL_EL1 => 3,
        _ => u64::MAX,
    }
}
