//! `cargo xtask ptmap`: the live page tables as one HTML page, read from outside the kernel.
//!
//! Boots the image in QEMU and reads the tables twice: at the start of `kernel_main`, when the boot
//! map is in use, and at the prompt. With `ATTACH` it reads the tables of a running QEMU, once,
//! and lets it run on.

mod error;
mod machine;
mod names;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use lexopt::{Arg, Parser, ValueExt};
use ptmap::map::Map;
use ptmap::places::Places;

use crate::checkout;
use crate::failure::Failure;
use crate::qemu;
use error::MapError;

/// The options of the command line.
struct Options {
    /// The file for the page.
    page: PathBuf,
    /// The file for a picture of both maps, instead of the page.
    picture: Option<PathBuf>,
    /// Whether the map is printed as text, and no file written.
    list: bool,
    /// The stub of a running machine: `HOST:PORT`, or a socket's path.
    attach: Option<String>,
    /// The number of the core whose registers are used.
    core: usize,
    program: OsString,
    elf: Option<PathBuf>,
}

/// Runs `cargo xtask ptmap`.
pub(crate) fn run(args: Parser) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let begin = Instant::now();
    let (maps, places, image) = maps(&options)?;
    if options.list {
        for map in &maps {
            print!("{}", ptmap::listing::listing(map));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &options.picture {
        let [before, after] = &maps[..] else {
            return Err(MapError::OneMap.into());
        };
        checkout::write(path, ptmap::picture::picture([before, after]).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = image.file_name().unwrap_or(image.as_os_str());
    let page = ptmap::page::page(&name.to_string_lossy(), &maps, &places);
    checkout::write(&options.page, page.as_bytes())?;
    println!(
        "{}: {} KiB, {}, in {:.1} s",
        options.page.display(),
        page.len().div_ceil(1024),
        maps.iter().map(summary).collect::<Vec<_>>().join("; "),
        begin.elapsed().as_secs_f32()
    );
    Ok(ExitCode::SUCCESS)
}

/// A line about a map: numbers of its tables, leaves and findings.
fn summary(map: &Map) -> String {
    let tables: usize = map.trees.iter().map(|tree| tree.tables.len()).sum();
    let leaves: usize = map.trees.iter().map(|tree| tree.leaves.len()).sum();
    let (name, findings) = (&map.name, map.findings.len());
    format!("{name} map: {leaves} leaves in {tables} tables, {findings} findings")
}

fn options(mut args: Parser) -> Result<Options, Failure> {
    let attach = env::var("ATTACH").ok().filter(|value| !value.is_empty());
    let mut options = Options {
        page: checkout::root().join("target/ptmap.html"),
        picture: None,
        list: false,
        attach,
        core: 0,
        program: qemu::default_program(),
        elf: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("out") => options.page = args.value()?.into(),
            Arg::Long("svg") => options.picture = Some(args.value()?.into()),
            Arg::Long("list") => options.list = true,
            Arg::Long("attach") => options.attach = Some(args.value()?.string()?),
            Arg::Long("core") => options.core = args.value()?.parse()?,
            Arg::Long("qemu") => options.program = args.value()?,
            Arg::Long("elf") => options.elf = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

/// The maps, the names of addresses, and the kernel's file.
fn maps(options: &Options) -> Result<(Vec<Map>, Places, PathBuf), Failure> {
    if let Some(address) = &options.attach {
        let elf = options.elf.clone().unwrap_or_else(checkout::elf);
        let places = places(&elf)?;
        let map = machine::current(address, options.core, &places)?;
        return Ok((vec![map], places, elf));
    }
    qemu::check_program(&options.program)?;
    let kernel = qemu::kernel_to_boot(options.elf.clone())?;
    let places = places(&kernel.elf)?;
    let maps = machine::boot_and_final(&options.program, &kernel.image, options.core, &places)?;
    Ok((maps.into(), places, kernel.image))
}

/// The names of the kernel's addresses.
fn places(elf: &Path) -> Result<Places, MapError> {
    let bytes = checkout::read(elf)?;
    let symbols = ptmap::places::symbols(&bytes).map_err(|source| MapError::Symbols {
        path: elf.to_owned(),
        source,
    })?;
    let areas = names::areas(&symbols);
    Ok(Places::new(areas, symbols))
}
