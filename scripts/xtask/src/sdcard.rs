//! `cargo xtask sdcard`: `sdcard.img`, from which the board boots, without being root.

use std::path::Path;
use std::process::ExitCode;

use lexopt::Parser;

use crate::card::{self, CardFile};
use crate::checkout;
use crate::failure::Failure;
use crate::firmware::{self, FirmwareError};
use crate::image;

/// The file `config.txt`, which the board's firmware reads first ("config.txt" in the Raspberry Pi
/// documentation).
const CONFIG: &str = "\
# Enter the kernel in AArch64 state; without this the firmware looks for a 32-bit kernel.
arm_64bit=1
# Where the kernel is linked to run; loaded elsewhere it reports that and stops.
kernel_address=0x80000
# Keep the UART's clock on, and the core clock that it depends on fixed.
enable_uart=1
# The PL011's clock in Hz: its divisor for 115200 baud is off by 0.02 % only.
init_uart_clock=48000000
# The PL011 belongs on the header's pins 8 and 10, not to Bluetooth.
dtoverlay=disable-bt
# Uncomment to see the firmware's own messages on the same pins before the kernel starts.
#uart_2ndstage=1
";

/// Runs `cargo xtask sdcard`.
pub(crate) fn run(mut args: Parser) -> Result<ExitCode, Failure> {
    if let Some(arg) = args.next()? {
        return Err(arg.unexpected().into());
    }
    firmware::check()?;
    image::build_release()?;
    make()?;
    Ok(ExitCode::SUCCESS)
}

/// Makes `sdcard.img` from `kernel8.img` and prints its contents. Equal input gives equal bytes.
///
/// # Errors
/// Those of the files read and written, and [`FirmwareError::Missing`].
pub(crate) fn make() -> Result<(), Failure> {
    let folder = firmware::folder();
    let files = contents(&checkout::image(), folder.as_deref())?;
    checkout::write(&checkout::card(), &card::image(&files)?)?;
    println!("{} holds:", checkout::card().display());
    for file in &files {
        println!("  {:28} {:9} bytes", file.name, file.bytes.len());
    }
    match folder {
        Some(folder) => println!("The firmware is from {}.", folder.display()),
        None => explain_missing_firmware(),
    }
    Ok(())
}

fn contents(kernel: &Path, firmware: Option<&Path>) -> Result<Vec<CardFile>, FirmwareError> {
    let mut files = match firmware {
        Some(folder) => firmware::files(folder)?,
        None => Vec::new(),
    };
    files.push(CardFile {
        name: "config.txt".to_owned(),
        bytes: CONFIG.into(),
    });
    files.push(CardFile {
        name: "kernel8.img".to_owned(),
        bytes: checkout::read(kernel)?,
    });
    Ok(files)
}

fn explain_missing_firmware() {
    println!(
        "It will not boot yet: the board's firmware is missing ({}).",
        firmware::REQUIRED.join(", ")
    );
    println!(
        "It is in Debian's package raspi-firmware (non-free-firmware), which is found by itself, and in the"
    );
    println!(
        "folder `boot` of the Raspberry Pi firmware repository: make sdcard FIRMWARE=that-folder."
    );
    println!(
        "A device tree (bcm2710-rpi-3-b.dtb, bcm2710-rpi-3-b-plus.dtb) in that folder is taken along: the"
    );
    println!(
        "firmware loads it from the card and hands it to the kernel, which starts without one too."
    );
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{CONFIG, contents};

    #[test]
    fn config_holds_each_setting_once_and_says_why_above_it() {
        let lines: Vec<&str> = CONFIG.lines().collect();
        for setting in [
            "arm_64bit=1",
            "kernel_address=0x80000",
            "enable_uart=1",
            "init_uart_clock=48000000",
            "dtoverlay=disable-bt",
        ] {
            let at: Vec<usize> = (0..lines.len())
                .filter(|&index| lines[index] == setting)
                .collect();
            assert_eq!(at.len(), 1, "{setting}");
            assert!(lines[at[0] - 1].starts_with("# "), "{setting}");
        }
    }

    #[test]
    fn without_firmware_the_card_holds_the_kernel_and_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("kernel8.img");
        fs::write(&kernel, b"kernel").unwrap();
        let files = contents(&kernel, None).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["config.txt", "kernel8.img"]);
        assert_eq!(files[1].bytes, b"kernel");
    }
}
