//! The rules, each with its source and its shortest wrong and right program.

use std::fmt;

/// Where a rule comes from: all processors of the architecture, this core, or this board.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Arm's architecture.
    Architecture,
    /// The Cortex-A53, r0p4.
    Core,
    /// The BCM2837 and its firmware.
    Board,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Architecture => "architecture",
            Self::Core => "Cortex-A53",
            Self::Board => "BCM2837",
        })
    }
}

/// Whether a rule is a matter of policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lint {
    /// It is always judged.
    No,
    /// A kernel may break it for a reason: it is judged with `--lint`.
    Yes,
}

/// The text of a rule.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The name that reports and `--explain` use.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// What the board may do otherwise.
    pub otherwise: &'static str,
    /// The manual and its section.
    pub source: &'static str,
    /// For whom it holds.
    pub scope: Scope,
    /// Whether it is judged only on demand.
    pub lint: Lint,
    /// The shortest program that breaks it.
    pub wrong: &'static str,
    /// The same program, right.
    pub right: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident $text:expr;)*) => {
        /// A rule that the trace alone decides.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Rule { $($(#[$doc])* $rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The rule's text.
            #[must_use]
            pub const fn text(self) -> &'static Text {
                match self { $(Self::$rule => &$text,)* }
            }
        }
    };
}

rules! {
    /// An exclusive access before memory is cacheable.
    ExclusiveUncached Text {
        name: "exclusive-uncached",
        rule: "LDXR and STXR need Normal cacheable memory: the MMU and the data cache are on.",
        otherwise: "the access aborts, or the store-exclusive never succeeds",
        source: "DDI 0487 B2.9.2, DDI 0500 A.7",
        scope: Scope::Core,
        lint: Lint::No,
        wrong: "ldxr w0, [x1]            // SCTLR_EL1.M = 0",
        right: "msr sctlr_el1, x2        // M = C = 1\nisb\nldxr w0, [x1]",
    };
    /// An exclusive access while the core is not coherent.
    ExclusiveBeforeSmpen Text {
        name: "exclusive-before-smpen",
        rule: "CPUECTLR_EL1.SMPEN is 1 before the first exclusive access.",
        otherwise: "the core's exclusives do not exclude other cores",
        source: "DDI 0500 4.3.67",
        scope: Scope::Core,
        lint: Lint::No,
        wrong: "ldxr w0, [x1]            // SMPEN = 0",
        right: "msr s3_1_c15_c2_1, x2    // SMPEN = 1\nisb\nldxr w0, [x1]",
    };
    /// An exclusive access to memory that is the core's own.
    ExclusiveNotShared Text {
        name: "exclusive-not-shared",
        rule: "With several cores, what LDXR and STXR access is mapped inner shareable.",
        otherwise: "each core has a monitor and a copy of its own: two of them take one lock",
        source: "DDI 0487 B2.9.1 (local and global monitors), B2.7.1 (shareability)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "ldxr w0, [x1]            // SH = 0b00",
        right: "ldxr w0, [x1]            // SH = 0b11",
    };
    /// SMPEN set after maintenance.
    SmpenLate Text {
        name: "smpen-late",
        rule: "CPUECTLR_EL1.SMPEN is set before any cache or TLB maintenance, and before the caches \
               are on.",
        otherwise: "maintenance stays in the core, or takes lines of a core that is not coherent",
        source: "DDI 0500 4.3.67",
        scope: Scope::Core,
        lint: Lint::No,
        wrong: "tlbi vmalle1\nmsr s3_1_c15_c2_1, x2",
        right: "msr s3_1_c15_c2_1, x2\nisb\ntlbi vmalle1",
    };
    /// An access that needs Normal memory while the MMU is off.
    UnalignedMmuOff Text {
        name: "unaligned-mmu-off",
        rule: "With the MMU off all data is Device-nGnRnE: accesses are aligned, and there is no DC \
               ZVA.",
        otherwise: "an alignment fault, whatever SCTLR.A says",
        source: "DDI 0487 B2.8.2, D5.2.9, C6.2 (DC ZVA)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "ldr x0, [x1, #4]         // x1 a multiple of 8",
        right: "ldp w0, w2, [x1, #4]",
    };
    /// Maintenance by set and way beside other caches.
    SetWay Text {
        name: "set-way",
        rule: "Cache maintenance by set and way only while no other core's cache may hold a line.",
        otherwise: "lines move between caches behind the loop's back",
        source: "DDI 0487 D4.4.8 (performing cache maintenance by set/way)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "dc isw, x0               // another core's caches are on",
        right: "dc ivac, x0",
    };
    /// Cleaning by address without invalidation.
    CleanOnly Text {
        name: "clean-only",
        rule: "DC CVAC is not used on a Cortex-A53 up to r0p4 unless CPUACTLR_EL1.ENDCCASCI is 1.",
        otherwise: "the line may be lost (erratum 855873)",
        source: "Cortex-A53 SDEN, 855873",
        scope: Scope::Core,
        lint: Lint::No,
        wrong: "dc cvac, x0",
        right: "dc civac, x0",
    };
    /// Invalidation that may write old data over new.
    InvalidateDirty Text {
        name: "invalidate-dirty",
        rule: "No cache holds a line dirty that is written past the caches.",
        otherwise: "DC IVAC or an eviction writes the old line over the new data",
        source: "DDI 0487 D4.4.7 (DC IVAC may clean), B2.8.3 (mismatched attributes)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str x0, [x1]             // caches off, the line is dirty in the cache\ndc ivac, x1",
        right: "dc civac, x1             // before the caches are off\ndsb sy\nstr x0, [x1]\ndc ivac, x1",
    };
    /// Memory that is used past the caches and by them.
    MixedUse Text {
        name: "mixed-use",
        rule: "What a core wrote with its caches off is invalidated (DC IVAC, DSB) before the core \
               uses it with its caches on.",
        otherwise: "a cache held the line since before: the core gets old bytes, or writes them back",
        source: "DDI 0487 B2.8.3 (mismatched attributes), D4.4.7",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str x0, [x1]             // caches off\nmsr sctlr_el1, x2        // caches on\nisb\n\
                ldr x0, [x1]",
        right: "str x0, [x1]\ndc ivac, x1\ndsb sy\nmsr sctlr_el1, x2\nisb\nldr x0, [x1]",
    };
    /// Two peripherals without a barrier between them.
    PeripheralOrder Text {
        name: "peripheral-order",
        rule: "A read of one peripheral and an access to another have a DMB between them, in the \
               entry of an interrupt's handler too.",
        otherwise: "the answers change places: the second read gets the first one's data",
        source: "BCM2835 ARM Peripherals 1.3",
        scope: Scope::Board,
        lint: Lint::No,
        wrong: "ldr w0, [uart]\nldr w1, [timer]",
        right: "ldr w0, [uart]\ndmb sy\nldr w1, [timer]",
    };
    /// A mailbox request that the GPU cannot see.
    MailboxRequest Text {
        name: "mailbox-request",
        rule: "A mailbox's buffer is cleaned to memory, with a DSB, before its address is sent.",
        otherwise: "the VideoCore reads the old bytes",
        source: "BCM2835 ARM Peripherals 1.2.3, DDI 0487 D4.4.7",
        scope: Scope::Board,
        lint: Lint::No,
        wrong: "str w0, [buffer]\nstr w1, [mailbox]",
        right: "str w0, [buffer]\ndc civac, buffer\ndsb sy\nstr w1, [mailbox]",
    };
    /// A mailbox request by an address that the GPU's caches serve.
    MailboxAlias Text {
        name: "mailbox-alias",
        rule: "A mailbox's buffer is named by its bus address in the uncached alias 0xc000_0000.",
        otherwise: "the VideoCore reads its own L2 cache",
        source: "BCM2835 ARM Peripherals 1.2.3; the firmware takes any alias that its L2 cache serves",
        scope: Scope::Board,
        lint: Lint::Yes,
        wrong: "str w1, [mailbox]        // w1 = 0x0008_1008",
        right: "orr w1, w1, #0xc0000000\nstr w1, [mailbox]",
    };
    /// A serial port that the other end does not understand.
    SerialLine Text {
        name: "serial-line",
        rule: "The PL011 is set up while it is off: the divisors, then the line control, which takes \
               them over; and the pins are connected before the first byte.",
        otherwise: "the terminal shows garbage, or nothing",
        source: "PL011 TRM (DDI 0183) 3.3.7, BCM2835 ARM Peripherals 6.1",
        scope: Scope::Board,
        lint: Lint::No,
        wrong: "str w0, [uart, #LCRH]\nstr w1, [uart, #IBRD]\nstr w2, [uart, #FBRD]",
        right: "str w1, [uart, #IBRD]\nstr w2, [uart, #FBRD]\nstr w0, [uart, #LCRH]",
    };
    /// A device behind a mapping as memory.
    DeviceAsNormal Text {
        name: "device-as-normal",
        rule: "A device's registers are mapped as Device memory.",
        otherwise: "reads come early, twice or out of a cache; writes are merged, late or lost",
        source: "DDI 0487 B2.7.1, B2.7.2 (Normal and Device memory)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "ldr w0, [uart]           // AttrIndx names 0xff in MAIR_EL1",
        right: "ldr w0, [uart]           // AttrIndx names 0x04 in MAIR_EL1",
    };
    /// A device behind a mapping that permits execution.
    DeviceExecutable Text {
        name: "device-executable",
        rule: "A device's registers are mapped execute-never, for EL0 and for EL1.",
        otherwise: "an instruction fetch by speculation reads a register: a byte of a queue is lost",
        source: "DDI 0487 B2.7.2, D5.4.5 (preventing execution from Device memory)",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "ldr w0, [uart]           // UXN = 0 or PXN = 0",
        right: "ldr w0, [uart]           // UXN = PXN = 1",
    };
    /// A write that a device does not take.
    DeviceMisuse Text {
        name: "device-misuse",
        rule: "A register is written when and as its device takes it: a queue that has room, power \
               management with its password, pull resistors for 150 cycles each step, the system \
               timer's channels 1 and 3 alone.",
        otherwise: "the write is lost, or does half of its work",
        source: "BCM2835 ARM Peripherals 6.1 (GPPUDCLK), 12.1; DDI 0183 3.3.1; the firmware's own use",
        scope: Scope::Board,
        lint: Lint::No,
        wrong: "str w0, [power, #RSTC]   // bits 31:24 are not 0x5a",
        right: "orr w0, w0, #0x5a000000\nstr w0, [power, #RSTC]",
    };
    /// A level that is entered with registers of unknown value.
    LevelLeft Text {
        name: "level-left",
        rule: "A level is left only after every register that steers the lower one was written.",
        otherwise: "a trap, a wrong counter, a register width by the bits that power-on left",
        source: "DDI 0487 D1.9.1 (PE state on reset)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "eret                     // to EL1, CNTVOFF_EL2 never written",
        right: "msr cntvoff_el2, xzr\neret",
    };
    /// An exception without a vector table.
    NoVectors Text {
        name: "no-vectors",
        rule: "VBAR_ELx is written, to a multiple of 2048, before an exception can be taken to ELx.",
        otherwise: "the core executes whatever lies there",
        source: "DDI 0487 D24.2.164",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "svc #0                   // VBAR_EL1 never written",
        right: "msr vbar_el1, x0\nisb\nsvc #0",
    };
    /// The MMU is switched on over an unknown TLB.
    StaleTlb Text {
        name: "stale-tlb",
        rule: "The MMU is switched on after TLBI of the whole regime, DSB and ISB.",
        otherwise: "translations that power-on or a loader left are used",
        source: "DDI 0487 D5.10 (TLB maintenance), D1.9.1",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr sctlr_el1, x0        // M = 1",
        right: "tlbi vmalle1\ndsb nsh\nisb\nmsr sctlr_el1, x0",
    };
    /// Instruction caching is switched on over an unknown cache.
    StaleInstructions Text {
        name: "stale-instructions",
        rule: "Code that was written or loaded past the instruction cache is executed through it only \
               after IC IALLU, DSB and ISB.",
        otherwise: "the words that the cache held before are executed",
        source: "DDI 0487 D4.4.5, B2.2.5",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr sctlr_el1, x0        // I = 1",
        right: "ic iallu\ndsb nsh\nisb\nmsr sctlr_el1, x0",
    };
    /// A loader's tables, switched off and kept.
    KeptTranslations Text {
        name: "kept-translations",
        rule: "A kernel that switches off a loader's MMU invalidates that regime's TLB before it leaves \
               the level.",
        otherwise: "who switches the MMU of that level on again uses the loader's translations",
        source: "DDI 0487 D5.10 (TLB maintenance)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr sctlr_el2, x0        // M = 0\nisb\neret",
        right: "msr sctlr_el2, x0\nisb\ntlbi alle2\ndsb nsh\nisb\neret",
    };
    /// An event that is sent before what it announces can be seen.
    EventEarly Text {
        name: "event-early",
        rule: "A DSB stands between cache maintenance and the SEV that announces its data.",
        otherwise: "the other core wakes, reads the old value, and sleeps for ever",
        source: "DDI 0487 D1.6.1 (WFE), D4.4.8 (completion of cache maintenance)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str x0, [x1]\ndc civac, x1\nsev",
        right: "str x0, [x1]\ndc civac, x1\ndsb sy\nsev",
    };
    /// A translation that depends on a register whose write is not synchronised.
    Unsynchronized Text {
        name: "unsynchronized",
        rule: "An ISB stands between the write of a translation register and the first TLBI or access \
               that depends on it.",
        otherwise: "the old value is used, or half of the new state",
        source: "DDI 0487 K1.2.4, D13.1.2",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr ttbr0_el1, x0\ntlbi vmalle1",
        right: "msr ttbr0_el1, x0\nisb\ntlbi vmalle1",
    };
    /// A new descriptor beside the old one.
    MakeBeforeBreak Text {
        name: "make-before-break",
        rule: "Another size, output address, memory type or nG for a live address: first an invalid \
               descriptor, DSB, TLBI of every core that may have the old one, DSB, then the new one.",
        otherwise: "both translations stand in a TLB: a conflict abort, or half of each",
        source: "DDI 0487 D5.10.1 (break-before-make)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str x1, [x0]             // a block was here, now a table",
        right: "str xzr, [x0]\ndsb ishst\ntlbi vaae1is, x2\ndsb ish\nstr x1, [x0]",
    };
    /// A table's frame used again too early.
    ReusedTable Text {
        name: "reused-table",
        rule: "The frame of an unlinked table is written only after a TLBI that covers its addresses \
               is complete on every core.",
        otherwise: "a walker takes the new contents for descriptors",
        source: "DDI 0487 D5.10.2 (translation table walk caches)",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str xzr, [x0]            // unlinked\nstr x1, [x2]             // x2 is in its frame",
        right: "str xzr, [x0]\ndsb ishst\ntlbi vaae1is, x3\ndsb ish\nstr x1, [x2]",
    };
    /// TLBI before the store is visible.
    TlbiBeforeDsb Text {
        name: "tlbi-before-dsb",
        rule: "A DSB stands between the store to a descriptor and the TLBI for its addresses.",
        otherwise: "a walker reads the old descriptor after the TLBI",
        source: "DDI 0487 D5.10.2, K13.5.3",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str xzr, [x0]\ntlbi vaae1is, x1\ndsb ish",
        right: "str xzr, [x0]\ndsb ishst\ntlbi vaae1is, x1\ndsb ish",
    };
    /// TLBI of one core for a tree of several.
    TlbiLocal Text {
        name: "tlbi-local",
        rule: "Translations that other cores may have are invalidated by the broadcast forms (IS).",
        otherwise: "the other cores keep the old translation",
        source: "DDI 0487 C5.5, D5.10.2",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "tlbi vaae1, x0           // other cores walk this tree",
        right: "tlbi vaae1is, x0",
    };
    /// Two trees with one tag.
    TwoTranslations Text {
        name: "two-translations",
        rule: "A root is replaced by one that translates otherwise only with another ASID, or after a \
               TLBI of the old translations.",
        otherwise: "either translation is used",
        source: "DDI 0487 D5.9, D5.10",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr ttbr0_el1, x0        // the same ASID, other pages\nisb",
        right: "msr ttbr0_el1, x1        // an empty table\nisb\ntlbi aside1is, x2\ndsb ish\nisb\nmsr \
                ttbr0_el1, x0\nisb",
    };
    /// A replaced root that stays usable.
    RootKept Text {
        name: "root-kept",
        rule: "A root that is replaced by one with its ASID, or whose tree has global leaves, is \
               followed by a TLBI of its translations, complete on the core that used it.",
        otherwise: "the old tree's addresses stay accessible for ever, whatever EPD says",
        source: "DDI 0487 D5.9, D5.10.2",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "msr ttbr0_el1, x0        // an empty table\nisb",
        right: "msr ttbr0_el1, x0\nisb\ntlbi vmalle1\ndsb nsh\nisb",
    };
    /// A table that is linked before its contents are ordered.
    LinkedEarly Text {
        name: "linked-early",
        rule: "A barrier for stores stands between the stores into a new table and the store that links \
               it.",
        otherwise: "a walker follows the link to what lay in the frame before",
        source: "DDI 0487 B2.3 (memory ordering), D5.10.1",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "str x1, [table]\nstr x2, [parent]         // x2 points to table",
        right: "str x1, [table]\ndmb ishst\nstr x2, [parent]",
    };
    /// A changed entry that stays usable.
    LateInvalidation Text {
        name: "late-invalidation",
        rule: "A translation that was taken away or restricted is invalidated within 20 ms.",
        otherwise: "the address stays accessible as it was",
        source: "DDI 0487 D5.10.2; a kernel may put the TLBI off on purpose",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "str xzr, [x0]            // a page was here",
        right: "str xzr, [x0]\ndsb ishst\ntlbi vaae1is, x1\ndsb ish",
    };
    /// A change of tables without its last barriers.
    UnfinishedChange Text {
        name: "unfinished-change",
        rule: "A change of a global translation is followed at once by DSB and ISB, and a TLBI by DSB.",
        otherwise: "the next access faults, or uses the old translation",
        source: "DDI 0487 B2.3.9, D5.10.2, K13.5.3",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "str x1, [x0]             // an entry was made\nldr x2, [x3]",
        right: "str x1, [x0]\ndsb ishst\nisb\nldr x2, [x3]",
    };
    /// A counter that may be read too early.
    CounterEarly Text {
        name: "counter-early",
        rule: "An ISB stands before a read of the counter.",
        otherwise: "the counter is read before earlier instructions are executed",
        source: "DDI 0487 D11.1.2",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "mrs x0, cntpct_el0",
        right: "isb\nmrs x0, cntpct_el0",
    };
    /// Registers that armstub8 sets, left as a reset leaves them.
    Policy Text {
        name: "policy",
        rule: "A kernel that starts at EL3 sets what the firmware's armstub8 sets: ACTLR_EL3, ACTLR_EL2, \
               L2CTLR_EL1, SCTLR_EL3, and vectors for EL3 and EL2.",
        otherwise: "the L2 cache runs with other latencies, EL1 cannot reach the core's own registers, \
                    a stray HVC runs what lies there",
        source: "the firmware's armstub8.S, DDI 0500 4.3.65",
        scope: Scope::Board,
        lint: Lint::Yes,
        wrong: "eret                     // from EL3, L2CTLR_EL1 never written",
        right: "msr s3_1_c11_c0_2, x0\neret",
    };
    /// A level that works with registers of unknown value.
    EarlyState Text {
        name: "early-state",
        rule: "Before the MMU of EL1 is on, VBAR_EL1, MDSCR_EL1, CPACR_EL1, CNTKCTL_EL1 and \
               PMUSERENR_EL0 are written; before EL2 is left, VBAR_EL2.",
        otherwise: "the first exception runs what lies there; debug events, traps and EL0's counters \
                    are as power-on left them",
        source: "DDI 0487 D1.9.1 (PE state on reset)",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "msr sctlr_el1, x0        // M = 1, VBAR_EL1 never written",
        right: "msr vbar_el1, x1\nmsr sctlr_el1, x0",
    };
    /// Reserved bits.
    ReservedBits Text {
        name: "reserved-bits",
        rule: "Bits of SCTLR_ELx, SCR_EL3 and CPTR_EL2 that are reserved as 1 (RES1) are written as 1, \
               and the fields of TCR_EL1 get no reserved value.",
        otherwise: "a core that gives them a meaning does otherwise",
        source: "DDI 0487 D24.2 (the registers), glossary (RES1)",
        scope: Scope::Architecture,
        lint: Lint::Yes,
        wrong: "mov x0, #0x1005\nmsr sctlr_el1, x0",
        right: "mov x0, #0x30d0_1805\nmsr sctlr_el1, x0",
    };
    /// A register that keeps bits of unknown value.
    UnknownKept Text {
        name: "unknown-kept",
        rule: "A register of unknown value is written whole, not read, changed and written.",
        otherwise: "the bits that power-on left take effect",
        source: "DDI 0487 D1.9.1",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "mrs x0, hcr_el2\norr x0, x0, #1 << 31\nmsr hcr_el2, x0",
        right: "mov x0, #1 << 31\nmsr hcr_el2, x0",
    };
    /// Every core sleeps.
    Asleep Text {
        name: "asleep",
        rule: "Something can wake a core.",
        otherwise: "nothing happens any more",
        source: "DDI 0487 D1.6",
        scope: Scope::Architecture,
        lint: Lint::No,
        wrong: "wfe                      // nobody executes SEV",
        right: "sev\nwfe",
    };
}

impl Rule {
    /// The rule with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|rule| rule.text().name == name)
    }
}

/// The text as `--explain` prints it.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.rule)?;
        writeln!(f, "  otherwise: {}", self.otherwise)?;
        writeln!(f, "  source:    {} ({})", self.source, self.scope)?;
        for (title, program) in [("wrong", self.wrong), ("right", self.right)] {
            writeln!(f, "  {title}:")?;
            for line in program.lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
