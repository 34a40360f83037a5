//! The mailbox: requests that are not in memory, answers that are read out of a cache.

use super::super::code::Cut;
use super::super::plant::Plant;
use super::ways::fault;

pub(super) const PLANTS: &[Plant] = &[
    fault!("mailbox: request not cleaned",
        "*firmware::ask_question": "[dc civac, *]" => "nop"),
    fault!("mailbox: request's lines invalidated, not cleaned",
        "*firmware::ask_question": "[dc civac, *]" => "dc ivac"),
    fault!("mailbox: dc civac -> dc cvac (855873)",
        "*firmware::ask_question": "[dc civac, *]" => "dc cvac"),
    fault!(
        "mailbox: the first line of the request not cleaned",
        "*firmware::ask_question": "[dc civac, *]; [add *, *, *]" => "swap"
    ),
    fault!("mailbox: all dsb dropped",
        "*firmware::ask_question": "[dsb sy]" => "nop"),
    fault!("mailbox: both dsb before the request dropped",
        "*firmware::ask_question": "dc civac, *; ..; [dsb sy]; *; [dsb sy]" => "nop"),
    fault!("mailbox: answer not invalidated",
        "*firmware::ask_question": "[dc ivac, *]" => "nop"),
    fault!("mailbox: one line of four of the answer not invalidated",
        "*firmware::ask_question": "1: [dc ivac, *]" => "nop"),
    fault!("mailbox: answer cleaned, not invalidated",
        "*firmware::ask_question": "[dc ivac, *]" => "dc cvau"),
    fault!("mailbox: dsb behind the answer's invalidation dropped",
        "*firmware::ask_question": "[dsb sy]; adrp *; ldr *" => "nop")
    .harmless("DC and a load of one address are in order on one core (DDI 0487 D7.5.9)"),
    fault!("mailbox: dsb before the request for loads alone",
        "*firmware::ask_question": "[dsb sy]" => "dsb ld"),
    fault!("mailbox: dmb in place of every dsb",
        "*firmware::ask_question": "[dsb sy]" => "dmb sy"),
    fault!("mailbox: one of two dsb before the request dropped",
        "*firmware::ask_question": "dc civac, *; ..; [dsb sy]; *; dsb sy" => "nop")
    .harmless("the other one completes the cleaning (DDI 0487 B2.3.9)"),
    fault!("mailbox: the alias of the GPU's caches",
        "*firmware::ask_question": "[orr w*, w*, #0xc0000000]" => "mov"),
];
