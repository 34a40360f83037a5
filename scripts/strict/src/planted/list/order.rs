//! Releases and acquires: locks, mailboxes of cores, rings.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::{EL2, fault};

/// Work of several cores: locks, messages, and rings that both sides use.
const SHARED: &[&str] = &["shootdown 3", "cpus call 1", "fault null 1", "soak 1"];
/// The beginning of it.
const SOME: &[&str] = &["shootdown 1"];

pub(super) const PLANTS: &[Plant] = &[
    fault!("every lock's release without order", "*": "[stlrb *]" => "plain")
        .typed(SHARED)
        .by(EL2),
    fault!("every store-release without order",
        "*": "[stlrb *]" => "plain",
        "*": "[stlr *]" => "plain",
        "*": "[stlxr *]" => "plain")
    .typed(SHARED)
    .by(EL2),
    fault!("every load-acquire without order",
        "*": "[ldarb *]" => "plain",
        "*": "[ldar *]" => "plain",
        "*": "[ldaxr *]" => "plain",
        "*": "[ldaxrb *]" => "plain")
    .typed(SOME)
    .by(EL2),
    fault!("no acquire and no release",
        "*": "[stlrb *]" => "plain",
        "*": "[stlr *]" => "plain",
        "*": "[stlxr *]" => "plain",
        "*": "[ldarb *]" => "plain",
        "*": "[ldar *]" => "plain",
        "*": "[ldaxr *]" => "plain",
        "*": "[ldaxrb *]" => "plain")
    .typed(SHARED)
    .by(EL2),
];
