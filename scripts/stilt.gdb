# GDB commands for Stilt under QEMU. `make debug` loads this; by hand, from the top of the checkout:
#   gdb-multiarch -x scripts/stilt.gdb -ex 'stilt-symbols kernel8.elf' -ex 'target remote :1234'
#
# Plain GDB commands and no Python, which not every build has. Descriptors, registers and their fields are those
# of the Arm Architecture Reference Manual (DDI 0487): D8.3 (descriptors), D24.2 (registers).
#
# Decisions
# - Tables are read by their physical addresses, through QEMU's own packet: it works before the MMU is on, and
#   for addresses that nothing maps. The switch is never left on, since every other read would then go wrong;
#   for the same reason nothing outside RAM is read, because an error would end the command halfway.
# - The registers of EL1 are $SCTLR and $VBAR in older releases of QEMU, and $SCTLR_EL1 and $VBAR_EL1 in newer
#   ones.

set architecture aarch64
# A cached page table would be shown as it was.
set stack-cache off
set code-cache off

define stilt-symbols
  set confirm off
  file $arg0
  add-symbol-file $arg0 -o -0xffff000000000000
  set confirm on
end
document stilt-symbols
Load the symbols of an ELF file for both views: stilt-symbols FILE.
Functions are then known at their high addresses, and at the physical ones, where they run before the MMU is on.
A breakpoint by name has two locations and holds on both sides of the switch.
end

define stilt
  help stilt
end
document stilt
Stilt's own commands; `help NAME` tells more about each:
  sysregs         the system registers of this core, by name and field
  walk ADDRESS    the page-table walk of a virtual address, level by level
  cores           where each core is
  stilt-symbols FILE   symbols for the high and for the physical view
`thread N` changes to core N-1.
end

# Internal: these commands are written in GDB's C, and the frames they run in are Rust. The pipe swallows the
# warning about just that, which GDB gives once a session.
define stilt-language
  pipe set language c | cat >/dev/null
end
document stilt-language
Internal: has expressions read as C.
end

# Internal: the value of the register that has two names, in $stilt_sctlr and $stilt_vbar.
define stilt-names
  if $_isvoid($SCTLR)
    set $stilt_sctlr = (unsigned long)$SCTLR_EL1
  else
    set $stilt_sctlr = (unsigned long)$SCTLR
  end
  if $_isvoid($VBAR)
    set $stilt_vbar = (unsigned long)$VBAR_EL1
  else
    set $stilt_vbar = (unsigned long)$VBAR
  end
end
document stilt-names
Internal: reads the registers that have other names in other releases of QEMU.
end

define sysregs
  stilt-language
  stilt-names
  set $stilt_tcr = (unsigned long)$TCR_EL1
  set $stilt_el = ($cpsr >> 2) & 3
  printf "CurrentEL  EL%d, SP_EL%d, DAIF=%d%d%d%d\n", $stilt_el, ($cpsr & 1) ? $stilt_el : 0, ($cpsr >> 9) & 1, ($cpsr >> 8) & 1, ($cpsr >> 7) & 1, ($cpsr >> 6) & 1
  printf "SCTLR_EL1  0x%016lx  M=%d A=%d C=%d SA=%d SA0=%d I=%d WXN=%d\n", $stilt_sctlr, $stilt_sctlr & 1, ($stilt_sctlr >> 1) & 1, ($stilt_sctlr >> 2) & 1, ($stilt_sctlr >> 3) & 1, ($stilt_sctlr >> 4) & 1, ($stilt_sctlr >> 12) & 1, ($stilt_sctlr >> 19) & 1
  printf "TCR_EL1    0x%016lx  T0SZ=%d EPD0=%d TG0=%d T1SZ=%d A1=%d EPD1=%d TG1=%d IPS=%d AS=%d TBI0=%d TBI1=%d\n", $stilt_tcr, $stilt_tcr & 63, ($stilt_tcr >> 7) & 1, ($stilt_tcr >> 14) & 3, ($stilt_tcr >> 16) & 63, ($stilt_tcr >> 22) & 1, ($stilt_tcr >> 23) & 1, ($stilt_tcr >> 30) & 3, ($stilt_tcr >> 32) & 7, ($stilt_tcr >> 36) & 1, ($stilt_tcr >> 37) & 1, ($stilt_tcr >> 38) & 1
  printf "TTBR0_EL1  0x%016lx  ASID=%d table=0x%lx\n", $TTBR0_EL1, ((unsigned long)$TTBR0_EL1 >> 48) & 0xffff, (unsigned long)$TTBR0_EL1 & 0xfffffffffffe
  printf "TTBR1_EL1  0x%016lx  ASID=%d table=0x%lx\n", $TTBR1_EL1, ((unsigned long)$TTBR1_EL1 >> 48) & 0xffff, (unsigned long)$TTBR1_EL1 & 0xfffffffffffe
  printf "MAIR_EL1   0x%016lx ", $MAIR_EL1
  set $stilt_i = 0
  while $stilt_i < 8
    printf " %d:%02x", $stilt_i, ((unsigned long)$MAIR_EL1 >> (8 * $stilt_i)) & 0xff
    set $stilt_i = $stilt_i + 1
  end
  printf "\n"
  stilt-exception 1 $ESR_EL1 $FAR_EL1 $ELR_EL1 $SPSR_EL1 $stilt_vbar
  if $stilt_el == 2
    stilt-exception 2 $ESR_EL2 $FAR_EL2 $ELR_EL2 $SPSR_EL2 $VBAR_EL2
  end
  if $stilt_el == 3
    stilt-exception 3 $ESR_EL3 $FAR_EL3 $ELR_EL3 $SPSR_EL3 $VBAR_EL3
  end
  set language auto
end
document sysregs
Show the system registers of the selected core with their fields: the current exception level, then SCTLR, TCR,
TTBR0, TTBR1, MAIR, ESR, FAR, ELR, SPSR and VBAR of EL1, and the last five of EL2 or EL3 if the core is there.
MAIR is shown by index: 00 nGnRnE, 04 nGnRE, 44 Normal non-cacheable, ff Normal write-back.
end

# Internal: what one exception level remembers of its last exception. $arg0 is the level.
define stilt-exception
  printf "ESR_EL%d    0x%016lx  EC=0x%02x IL=%d ISS=0x%x\n", $arg0, $arg1, ((unsigned long)$arg1 >> 26) & 63, ((unsigned long)$arg1 >> 25) & 1, (unsigned long)$arg1 & 0x1ffffff
  printf "FAR_EL%d    0x%016lx\n", $arg0, $arg2
  printf "ELR_EL%d    0x%016lx\n", $arg0, $arg3
  printf "SPSR_EL%d   0x%016lx  from EL%d, SP_EL%d\n", $arg0, $arg4, ((unsigned long)$arg4 >> 2) & 3, ((unsigned long)$arg4 & 1) ? ((unsigned long)$arg4 >> 2) & 3 : 0
  printf "VBAR_EL%d   0x%016lx\n", $arg0, $arg5
end
document stilt-exception
Internal: shows ESR, FAR, ELR, SPSR and VBAR of one exception level.
end

# Internal: reads 8 bytes at the physical address $arg0 into $stilt_entry.
define stilt-physical
  # Piped, because `maint packet` reports every packet.
  pipe maint packet Qqemu.PhyMemMode:1 | cat >/dev/null
  set $stilt_entry = *(unsigned long *)($arg0)
  pipe maint packet Qqemu.PhyMemMode:0 | cat >/dev/null
end
document stilt-physical
Internal: reads 8 bytes at a physical address in RAM into $stilt_entry.
end

define walk
  stilt-language
  stilt-names
  set $stilt_va = (unsigned long)($arg0)
  if ($stilt_va >> 55) & 1
    set $stilt_half = 1
    set $stilt_ttbr = (unsigned long)$TTBR1_EL1
    set $stilt_size = 64 - (((unsigned long)$TCR_EL1 >> 16) & 63)
    set $stilt_off = ((unsigned long)$TCR_EL1 >> 23) & 1
    set $stilt_top = -1UL
  else
    set $stilt_half = 0
    set $stilt_ttbr = (unsigned long)$TTBR0_EL1
    set $stilt_size = 64 - ((unsigned long)$TCR_EL1 & 63)
    set $stilt_off = ((unsigned long)$TCR_EL1 >> 7) & 1
    set $stilt_top = 0UL
  end
  printf "0x%016lx by TTBR%d_EL1, table 0x%lx, ASID %d\n", $stilt_va, $stilt_half, $stilt_ttbr & 0xfffffffffffe, ($stilt_ttbr >> 48) & 0xffff
  if ($stilt_sctlr & 1) == 0
    printf "SCTLR_EL1.M is 0: nothing is translated now; this is what the tables would say\n"
  end
  if $stilt_off
    printf "TCR_EL1.EPD%d is 1: no walk, translation fault at level 0\n", $stilt_half
  else
    if $stilt_size > 48 || $stilt_size < 25
      printf "TCR_EL1.T%dSZ is %d: not a size that 4 KiB tables can have\n", $stilt_half, 64 - $stilt_size
    else
      if ($stilt_va >> $stilt_size) != ($stilt_top >> $stilt_size)
        printf "outside the %d bits of this half: translation fault at level 0\n", $stilt_size
      else
        stilt-levels
      end
    end
  end
  set language auto
end
document walk
Walk the live page tables for a virtual address: walk ADDRESS.
Starts at TTBR0_EL1 or TTBR1_EL1 of the selected core, as bit 55 of the address says, and shows each level's
descriptor decoded: table, block, page or invalid, the output address, and the attributes. The tables are read
by physical addresses, so this works whether the MMU is on or off. 4 KiB granule only, as TCR_EL1 has it.
AP: RW or RO at EL1, and at EL0 behind the slash. Example: walk $pc
end

# Internal: from the first level for a half of $stilt_size bits down to a leaf or a hole.
define stilt-levels
  set $stilt_level = 4 - ($stilt_size - 12 + 8) / 9
  set $stilt_table = $stilt_ttbr & 0xfffffffff000
  while $stilt_level <= 3
    set $stilt_shift = 12 + 9 * (3 - $stilt_level)
    set $stilt_index = ($stilt_va & ((1UL << $stilt_size) - 1)) >> $stilt_shift & 511
    if $stilt_table >= 0x40000000
      printf "  level %d: the table at 0x%lx is not in RAM\n", $stilt_level, $stilt_table
      set $stilt_level = 4
    else
      stilt-physical $stilt_table+8*$stilt_index
      printf "  level %d [%3d] at 0x%08lx: 0x%016lx ", $stilt_level, $stilt_index, $stilt_table + 8 * $stilt_index, $stilt_entry
      stilt-descriptor
    end
  end
end
document stilt-levels
Internal: shows one descriptor a level and follows the tables.
end

# Internal: shows $stilt_entry of $stilt_level, and sets $stilt_table and $stilt_level for what comes next.
define stilt-descriptor
  set $stilt_kind = $stilt_entry & 3
  if ($stilt_kind & 1) == 0
    printf "invalid: translation fault at level %d\n", $stilt_level
    set $stilt_level = 4
  else
    if $stilt_kind == 3 && $stilt_level < 3
      set $stilt_table = $stilt_entry & 0xfffffffff000
      printf "table at 0x%lx", $stilt_table
      if $stilt_entry >> 59
        printf ", NSTable=%d APTable=%d UXNTable=%d PXNTable=%d", $stilt_entry >> 63, ($stilt_entry >> 61) & 3, ($stilt_entry >> 60) & 1, ($stilt_entry >> 59) & 1
      end
      printf "\n"
      set $stilt_level = $stilt_level + 1
    else
      if ($stilt_kind == 1 && ($stilt_level == 0 || $stilt_level == 3))
        printf "reserved: translation fault at level %d\n", $stilt_level
      else
        stilt-leaf
      end
      set $stilt_level = 4
    end
  end
end
document stilt-descriptor
Internal: decodes one descriptor.
end

# Internal: shows a block or a page, and where the address ends up.
define stilt-leaf
  set $stilt_low = (1UL << $stilt_shift) - 1
  set $stilt_out = $stilt_entry & 0xfffffffff000 & ~$stilt_low
  if $stilt_level == 3
    printf "page at 0x%lx\n", $stilt_out
  else
    printf "block at 0x%lx, %d MiB\n", $stilt_out, (1UL << $stilt_shift) >> 20
  end
  set $stilt_attr = ((unsigned long)$MAIR_EL1 >> (8 * (($stilt_entry >> 2) & 7))) & 0xff
  printf "    AttrIndx=%d (MAIR %02x)", ($stilt_entry >> 2) & 7, $stilt_attr
  set $stilt_ap = ($stilt_entry >> 6) & 3
  if $stilt_ap == 0
    printf " AP=0 RW/--"
  end
  if $stilt_ap == 1
    printf " AP=1 RW/RW"
  end
  if $stilt_ap == 2
    printf " AP=2 RO/--"
  end
  if $stilt_ap == 3
    printf " AP=3 RO/RO"
  end
  printf " SH=%d AF=%d nG=%d DBM=%d Contiguous=%d PXN=%d UXN=%d software=0x%lx\n", ($stilt_entry >> 8) & 3, ($stilt_entry >> 10) & 1, ($stilt_entry >> 11) & 1, ($stilt_entry >> 51) & 1, ($stilt_entry >> 52) & 1, ($stilt_entry >> 53) & 1, ($stilt_entry >> 54) & 1, ($stilt_entry >> 55) & 15
  if (($stilt_entry >> 10) & 1) == 0
    printf "    AF is 0: access flag fault at level %d\n", $stilt_level
  end
  printf "    0x%016lx is at physical 0x%lx\n", $stilt_va, $stilt_out | ($stilt_va & $stilt_low)
end
document stilt-leaf
Internal: decodes a block or page descriptor.
end

define cores
  thread apply all -ascending -q -s stilt-core
end
document cores
Show for each core: its thread in GDB, its exception level, and where it is.
end

# Internal: the line of the core that `thread apply` has selected.
define stilt-core
  stilt-language
  printf "core %d (thread %d)  EL%d  ", $_thread - 1, $_thread, ($cpsr >> 2) & 3
  output/a $pc
  printf "\n"
  set language auto
end
document stilt-core
Internal: the line of one core.
end
