//! Device trees, true and false, made by dtc.

use std::io::Write;
use std::process::{Command, Stdio};

use super::checkout;

/// The model that the trees name.
pub(crate) const MODEL: &str = "Raspberry Pi 3 Model B";
/// What the firmware of a board leaves to the ARM: 948 MiB.
pub(crate) const BOARD_MEMORY: &str =
    "memory@0 { device_type = \"memory\"; reg = <0x0 0x3b400000>; };";

/// The source of a tree of a Raspberry Pi 3.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Nodes of the root.
    pub(crate) nodes: &'a str,
    /// Properties of `/chosen`, beside a command line.
    pub(crate) chosen: &'a str,
    /// `/memreserve/` lines.
    pub(crate) reservations: &'a str,
    /// Of the format.
    pub(crate) version: u32,
}

/// A tree with these nodes and reservations.
pub(crate) fn compile(nodes: &str, reservations: &str) -> Vec<u8> {
    let source = Source {
        nodes,
        chosen: "",
        reservations,
        version: 17,
    };
    source.compile()
}

impl Source<'_> {
    pub(crate) fn compile(self) -> Vec<u8> {
        let Self {
            nodes,
            chosen,
            reservations,
            version,
        } = self;
        run(
            &format!(
                "/dts-v1/; {reservations} / {{ #address-cells = <1>; #size-cells = <1>; \
                 compatible = \"raspberrypi,3-model-b\", \"brcm,bcm2837\"; model = \"{MODEL}\"; \
                 chosen {{ bootargs = \"from the device tree\"; {chosen} }}; {nodes} }};"
            ),
            version,
        )
    }
}

fn run(source: &str, version: u32) -> Vec<u8> {
    let mut dtc = Command::new(checkout::tool("dtc"))
        .args(["-q", "-I", "dts", "-O", "dtb", "-V", &version.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("dtc runs");
    let mut input = dtc.stdin.take().expect("a pipe");
    input.write_all(source.as_bytes()).expect("dtc reads");
    drop(input);
    let output = dtc.wait_with_output().expect("dtc ends");
    assert!(output.status.success(), "dtc refuses {source}");
    output.stdout
}

/// The tree that a board's firmware would hand over.
pub(crate) fn board() -> Vec<u8> {
    compile(BOARD_MEMORY, "")
}
