//! Findings and ends as text.

use std::fmt::Write;

use super::play::End;
use crate::liberty::Taken;
use crate::machine::{Machine, Outcome};
use crate::stop::Stop;
use crate::symbols::Symbols;
use crate::watch::{Finding, Rule};

/// The end of a console without a line's end, for messages: this many bytes.
const LAST_BYTES: usize = 60;

/// Findings of one or more runs, each once a rule and function.
#[derive(Default)]
pub(super) struct Findings {
    seen: Vec<(Rule, String)>,
}

impl Findings {
    /// The text of what is new in a run.
    pub(super) fn add(&mut self, findings: &[Finding], symbols: Option<&Symbols>) -> String {
        let mut text = String::new();
        for finding in findings {
            let function = symbols.and_then(|symbols| symbols.function(finding.at));
            // Without names a case is told once: the places of one function cannot be told apart.
            let function = function.map_or_else(|| finding.detail.clone(), |(name, _)| name.into());
            let key = (finding.rule, function);
            if !self.seen.contains(&key) {
                self.seen.push(key);
                text.push_str(&finding_text(finding, symbols));
            }
        }
        text
    }

    pub(super) fn count(&self) -> usize {
        self.seen.len()
    }
}

/// An address with its function and its source line.
fn place(address: u64, symbols: Option<&Symbols>) -> String {
    let Some(symbols) = symbols else {
        return format!("{address:#x}");
    };
    let mut text = symbols.place(address);
    if let Some((file, line)) = symbols.line(address) {
        let _ = write!(text, " {file}:{line}");
    }
    text
}

fn finding_text(finding: &Finding, symbols: Option<&Symbols>) -> String {
    let rule = finding.rule.text();
    let mut text = format!(
        "finding: {}: {}\n  core {} at {}\n  here: {}\n  the board may do otherwise: {}\n  {}; \
         `--explain {}` shows a wrong and a right program\n",
        rule.name,
        rule.rule,
        finding.core,
        place(finding.at, symbols),
        finding.detail,
        rule.otherwise,
        rule.source,
        rule.name,
    );
    if let Some(because) = finding.because {
        let _ = writeln!(text, "  because of {}", place(because, symbols));
    }
    text
}

/// The text of a run that failed.
pub(super) fn end(end: &End, machine: &Machine, symbols: Option<&Symbols>) -> String {
    let mut text = String::new();
    let outcome = match end {
        End::Done | End::Printing | End::Halted => return text,
        End::Missing {
            text: missing,
            outcome,
        } => {
            let _ = writeln!(text, "strict: the console did not print {missing:?}");
            outcome
        }
        End::Early(outcome) => outcome,
    };
    let _ = writeln!(text, "strict: {}", said(outcome, symbols));
    let console = machine.console();
    let last = &console[console.len().saturating_sub(LAST_BYTES)..];
    let _ = writeln!(
        text,
        "  last on the console: {:?}",
        String::from_utf8_lossy(last)
    );
    for (core, address) in machine.places().into_iter().enumerate() {
        let _ = writeln!(text, "  core {core} at {}", place(address, symbols));
    }
    text
}

/// The last liberties that changed a value.
pub(super) fn liberties<'a>(
    taken: impl Iterator<Item = &'a Taken>,
    symbols: Option<&Symbols>,
) -> String {
    let mut text = String::new();
    for taken in taken {
        let _ = writeln!(
            text,
            "  liberty {}: core {} at {}, for {:#x}",
            taken.liberty,
            taken.core,
            place(taken.at, symbols),
            taken.address
        );
        if let Some(because) = taken.because {
            let _ = writeln!(text, "    because of {}", place(because, symbols));
        }
    }
    text
}

fn said(outcome: &Outcome, symbols: Option<&Symbols>) -> String {
    match outcome {
        Outcome::Matched => "the text came".to_owned(),
        Outcome::Ended(ending) => format!("the image ended the run: {ending:?}"),
        Outcome::Quiet => "the console is quiet".to_owned(),
        Outcome::Asleep => "every core waits, and nothing can wake one".to_owned(),
        Outcome::Exhausted => "the limit of instructions is reached".to_owned(),
        Outcome::Stopped(stop) => stopped(stop, symbols),
    }
}

fn stopped(stop: &Stop, symbols: Option<&Symbols>) -> String {
    let function = symbols.and_then(|symbols| symbols.function(stop.at()));
    match function {
        Some((name, distance)) => format!("{stop}, in {name} + {distance:#x}"),
        None => stop.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use object::write::{Object, StandardSection, Symbol, SymbolSection};
    use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope};

    use super::{Finding, Findings, Rule, Symbols};

    /// The functions `f` at 0 and `g` at 16, of 16 bytes each.
    fn symbols() -> Symbols {
        let mut writer = Object::new(BinaryFormat::Elf, Architecture::Aarch64, Endianness::Little);
        let text = writer.section_id(StandardSection::Text);
        writer.append_section_data(text, &[0; 32], 4);
        for (name, value) in [("f", 0), ("g", 16)] {
            writer.add_symbol(Symbol {
                name: name.into(),
                value,
                size: 16,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        }
        let bytes = writer.write().expect("a small object");
        Symbols::read(bytes).expect("an ELF file")
    }

    fn finding(rule: Rule, at: u64, detail: &str) -> Finding {
        Finding {
            rule,
            core: 1,
            at,
            detail: detail.to_owned(),
            because: None,
        }
    }

    #[test]
    fn a_finding_has_its_rule_its_places_and_the_way_to_more() {
        let mut found = finding(Rule::LateInvalidation, 4, "for 0x1000");
        found.because = Some(16);
        let text = Findings::default().add(&[found], Some(&symbols()));
        let rule = Rule::LateInvalidation.text();
        let lines = [
            format!("finding: late-invalidation: {}", rule.rule),
            "  core 1 at 0x4 (f + 0x4)".to_owned(),
            "  here: for 0x1000".to_owned(),
            format!("  the board may do otherwise: {}", rule.otherwise),
            format!(
                "  {}; `--explain late-invalidation` shows a wrong and a right program",
                rule.source
            ),
            "  because of 0x10 (g)".to_owned(),
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn findings_of_a_rule_in_one_function_are_one() {
        let symbols = symbols();
        let mut findings = Findings::default();
        let mut is_told = |rule, at, detail| {
            let found = finding(rule, at, detail);
            !findings.add(&[found], Some(&symbols)).is_empty()
        };
        assert!(is_told(Rule::MixedUse, 4, "a"));
        assert!(!is_told(Rule::MixedUse, 8, "b"), "the same function");
        assert!(is_told(Rule::NoVectors, 8, "b"), "another rule");
        assert!(is_told(Rule::MixedUse, 16, "a"), "another function");
        assert_eq!(findings.count(), 3);
    }

    #[test]
    fn without_names_findings_of_a_rule_are_told_by_their_details() {
        let mut findings = Findings::default();
        let mut is_told = |at, detail| {
            let found = finding(Rule::MixedUse, at, detail);
            !findings.add(&[found], None).is_empty()
        };
        assert!(is_told(4, "a"));
        assert!(!is_told(8, "a"), "another place");
        assert!(is_told(4, "b"), "another case");
    }
}
