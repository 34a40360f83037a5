//! The measurement on QEMU's raspi3b: building, running, and comparing the figures with the limits.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::error::PeersError;
use super::programs::{build, output, target_dir};
use super::rows::{Figures, Issued};
use super::workloads::{Maintenance, WORKLOADS, Workload, digits};
use crate::checkout;
use crate::qemu;

/// The longest run of the program; half a minute is usual, more on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(600);
const TARGET: &str = "aarch64-unknown-none-softfloat";

/// The flags of a plain release build. The kernel also keeps frame pointers in leaf functions, for
/// its backtraces; libraries are measured without.
const RUSTFLAGS: &str = "-Clink-arg=-Tlinker.ld -Crelocation-model=static";

/// This project's page tables, without and with contiguous groups.
const OURS: &str = "stilt";
const GROUPED: &str = "grouped";
/// The library by whose figures this project's are divided.
const REFERENCE: &str = "ptm";
const SUBJECTS: [&str; 5] = [OURS, GROUPED, REFERENCE, "a64p", "floor"];

/// Builds and runs the program, and prints its figures. Fails if one is above its limit.
pub(super) fn run(qemu: &OsString) -> Result<ExitCode, PeersError> {
    let mut command = Command::new(checkout::root().join("scripts/kcargo.sh"));
    command.args(["build", "--bin", "machine", "--features", "machine"]);
    command.env("KERNEL_RUSTFLAGS", RUSTFLAGS);
    command.env("KERNEL_TARGET_DIR", target_dir());
    build(&mut command)?;
    let elf = target_dir().join(TARGET).join("release/machine");
    let mut command = qemu::machine(qemu, &elf);
    command.args(["-icount", "shift=0,sleep=off"]);
    command.args(["-serial", "stdio", "-monitor", "none"]);
    let figures = Figures::read(&output(&mut command, TIME_LIMIT)?)?;
    print_instructions(&figures);
    print_zeroing(&figures);
    print_maintenance(&figures);
    let mut code = ExitCode::SUCCESS;
    for fault in WORKLOADS
        .iter()
        .flat_map(|workload| faults(workload, &figures))
    {
        eprintln!("error: {fault}");
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

fn print_instructions(figures: &Figures) {
    println!(
        "AArch64 instructions a unit, without zeroing new tables; barriers and invalidations included"
    );
    println!(
        "ptm: page_table_multiarch 0.6.2; a64p: aarch64-paging 0.12.3, marked active; floor: no checks at all"
    );
    print!("{:<37}{:<7}{:>9}{:>9}", "", "unit", OURS, "ask");
    println!(
        "{GROUPED:>9}{REFERENCE:>9}{:>9}{:>9}  stilt/ptm",
        "a64p", "floor"
    );
    for workload in &WORKLOADS {
        let Workload {
            name,
            what,
            unit,
            ask,
            ..
        } = workload;
        let cost = |subject| figures.cost(subject, name);
        let cell = |subject| cost(subject).map_or_else(String::new, digits);
        print!(
            "{name:<4}{what:<33}{unit:<7}{:>9}{:>9}",
            cell(OURS),
            digits(*ask)
        );
        print!(
            "{:>9}{:>9}{:>9}{:>9}",
            cell(GROUPED),
            cell(REFERENCE),
            cell("a64p"),
            cell("floor")
        );
        let ratio = cost(OURS)
            .zip(cost(REFERENCE))
            .map(|(ours, theirs)| ours / theirs);
        println!(
            "{:>11}",
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}"))
        );
    }
}

fn print_zeroing(figures: &Figures) {
    println!("\nTables zeroed, and with them included: instructions a unit");
    print!("{:<11}", "one table");
    for subject in SUBJECTS {
        print!(
            "{:>20}",
            format!("{subject} {:.0}", figures.zeroing(subject))
        );
    }
    println!();
    for Workload { name, .. } in &WORKLOADS {
        print!("{name:<11}");
        for subject in SUBJECTS {
            let cell = figures.row(subject, name).map(|row| {
                let with = row.per_unit();
                format!("{} {:>9}", row.zeroed, digits(with))
            });
            print!("{:>20}", cell.unwrap_or_default());
        }
        println!();
    }
}

fn print_maintenance(figures: &Figures) {
    println!(
        "\nFrames in use afterwards, and in all: dmb+dsb+isb, TLBI by address / TLBI of everything"
    );
    print!("{:<4}", "");
    for subject in SUBJECTS {
        print!("{subject:>31}");
    }
    println!();
    for Workload { name, .. } in &WORKLOADS {
        print!("{name:<4}");
        for subject in SUBJECTS {
            let row = figures.row(subject, name);
            let cell = row.zip(figures.issued(subject, name)).map(|(row, issued)| {
                let barriers = issued.dmb + issued.dsb + issued.isb;
                format!(
                    "{:>6}{barriers:>8}{:>8}/{:<6}",
                    row.frames, issued.by_address, issued.everything
                )
            });
            print!("{:>31}", cell.unwrap_or_default());
        }
        println!();
    }
}

/// The faults of this project's figures for one workload: above the limit, or with needless
/// maintenance.
fn faults(workload: &Workload, figures: &Figures) -> Vec<String> {
    let name = workload.name;
    let measured = figures.cost(OURS, name).zip(figures.row(OURS, name));
    let Some(((cost, row), issued)) = measured.zip(figures.issued(OURS, name)) else {
        return vec![format!("{name} was not measured")];
    };
    let mut faults = Vec::new();
    if cost > workload.ask {
        let (cost, ask) = (digits(cost), digits(workload.ask));
        faults.push(format!(
            "{name}: {cost} instructions a {}, and at most {ask} are asked for",
            workload.unit
        ));
    }
    if !workload.maintenance.allows(&issued, row.units) {
        faults.push(format!(
            "{name}: more maintenance than the operation needs: {issued:?}"
        ));
    }
    faults
}

impl Maintenance {
    fn allows(self, issued: &Issued, operations: u64) -> bool {
        let invalidations = (issued.by_address, issued.everything);
        match self {
            Self::NoInvalidation => invalidations == (0, 0),
            Self::OneOfEverything => invalidations == (0, 1),
            // An operation that maps ends with a DSB and an ISB; one that unmaps has a second DSB.
            Self::OneBatchEach => issued.isb <= operations && issued.dsb <= 2 * operations,
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, WORKLOADS, faults};

    fn figures_of_w5(instructions: u64, maintenance: &str) -> Figures {
        let row = format!("row stilt zero 1 64 0 0\nrow stilt W5 262144 {instructions} 0 1");
        Figures::read(&format!("{row}\nmaintenance stilt W5 {maintenance}"))
            .expect("a program's lines")
    }

    fn faults_of_w5(figures: &Figures) -> usize {
        faults(&WORKLOADS[4], figures).len()
    }

    #[test]
    fn a_missed_ask_and_needless_maintenance_are_faults() {
        assert_eq!(faults_of_w5(&figures_of_w5(26_200, "0 2 1 0 1")), 0);
        assert_eq!(faults_of_w5(&figures_of_w5(26_300, "0 2 1 0 1")), 1);
        assert_eq!(faults_of_w5(&figures_of_w5(26_200, "0 2 1 512 0")), 1);
        assert_eq!(faults_of_w5(&figures_of_w5(26_300, "0 2 1 0 2")), 2);
    }

    #[test]
    fn a_workload_that_is_not_there_is_a_fault() {
        assert_eq!(faults_of_w5(&Figures::default()), 1);
    }
}
