//! What a rule is about, at length.

use std::fmt::Write as _;

use anstyle::Style;

use super::Severity;
use super::rules::{ALL, find};

/// What `lint --explain ID` prints; `None` if there is no such rule.
pub fn explain(id: &str) -> Option<String> {
    let rule = find(&id.to_uppercase())?;
    let bold = Style::new().bold();
    let (id, title, severity) = (rule.id, rule.title, name(rule.severity));
    let mut out = format!("{bold}{id}: {title}{bold:#} ({severity})\n\n{}\n", rule.why);
    if !rule.bad.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n{bold}Bad{bold:#}\n\n{}", indented(rule.bad));
    }
    let _ = write!(out, "\n{bold}Safe{bold:#}\n\n{}\n", rule.safe);
    if !rule.good.is_empty() {
        let _ = write!(out, "\n{}", indented(rule.good));
    }
    let _ = write!(
        out,
        "\nWhere it is fine, say why, above the statement (or with allow-file= for the whole file):\n\n    \
         -- migrate: allow={id} reason=\"…\"\n"
    );
    Some(out)
}

/// Every rule on a line: its id, its severity, what it finds.
pub fn rules() -> String {
    let mut out = String::new();
    for rule in ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}  {:<7}  {}", rule.id, name(rule.severity), rule.title);
    }
    out
}

fn indented(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}
