//! Findings for people, programs and CI.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::rules::find;
use super::{Finding, Severity};

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON document.
    Json,
    /// Commands of GitHub's workflows, which show findings beside the lines of a pull request.
    Github,
    /// `JUnit` XML, as `CircleCI`'s `store_test_results` and GitLab read it.
    Junit,
}

/// Findings in a form. `folder` stands in front of the files' names where a path is wanted.
pub fn render(findings: &[Finding], format: Format, folder: &str) -> String {
    match format {
        Format::Text => text(findings, folder),
        Format::Json => json(findings, folder),
        Format::Github => github(findings, folder),
        Format::Junit => junit(findings, folder),
    }
}

fn path(finding: &Finding, folder: &str) -> String {
    let folder = folder.trim_end_matches('/');
    let folder = folder.strip_prefix("./").unwrap_or(folder);
    match folder {
        "" | "." => finding.file.clone(),
        folder => format!("{folder}/{}", finding.file),
    }
}

fn word(severity: Severity) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("error", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("warning", AnsiColor::Yellow.on_default().bold()),
        Severity::Info => ("info", AnsiColor::Cyan.on_default()),
    }
}

/// How many of each severity there are.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Counts {
    errors: usize,
    warnings: usize,
    infos: usize,
}

fn counts(findings: &[Finding]) -> Counts {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Counts {
        errors: of(Severity::Error),
        warnings: of(Severity::Warning),
        infos: of(Severity::Info),
    }
}

fn text(findings: &[Finding], folder: &str) -> String {
    let mut out = String::new();
    for finding in findings {
        let (word, style) = word(finding.severity);
        let path = path(finding, folder);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            out,
            "{path}:{}: {style}{word}{style:#} {} {}",
            finding.line, finding.rule, finding.message
        );
    }
    let counts = counts(findings);
    let some = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    if findings.is_empty() {
        out.push_str("nothing found\n");
    } else {
        let _ = writeln!(
            out,
            "{}, {}, {} to know; `migrate lint --explain RULE` says why and how to do it safely",
            some(counts.errors, "error"),
            some(counts.warnings, "warning"),
            counts.infos
        );
    }
    out
}

#[derive(Serialize)]
struct Document<'a> {
    findings: Vec<Found<'a>>,
    #[serde(flatten)]
    counts: Counts,
}

#[derive(Serialize)]
struct Found<'a> {
    path: String,
    title: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

fn json(findings: &[Finding], folder: &str) -> String {
    let found = |finding| Found { path: path(finding, folder), title: title(finding), finding };
    let document =
        Document { findings: findings.iter().map(found).collect(), counts: counts(findings) };
    // A value of strings and numbers always is JSON.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn title(finding: &Finding) -> &'static str {
    find(finding.rule).map_or("", |rule| rule.title)
}

/// (GitHub, "Workflow commands for GitHub Actions": `%`, line ends and, in properties, `:` and `,`
/// are written as percent codes.)
fn github(findings: &[Finding], folder: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let mut out = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let _ = writeln!(
            out,
            "::{command} file={},line={},title={}::{}",
            property(&path(finding, folder)),
            finding.line,
            property(&format!("{} {}", finding.rule, title(finding))),
            data(&finding.message)
        );
    }
    out
}

/// One test case for each file with findings; errors fail it, the rest is what it printed.
fn junit(findings: &[Finding], folder: &str) -> String {
    let mut files: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        files.entry(finding.file.as_str()).or_default().push(finding);
    }
    let failed =
        |found: &Vec<&Finding>| found.iter().any(|found| found.severity == Severity::Error);
    let failures = files.values().filter(|found| failed(found)).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites>\n  <testsuite name=\"migrate lint\" tests=\"{}\" failures=\"{failures}\">",
        files.len().max(1)
    );
    if files.is_empty() {
        out.push_str("    <testcase classname=\"migrate.lint\" name=\"all files\"/>\n");
    }
    for (file, found) in &files {
        let _ = writeln!(out, "    <testcase classname=\"migrate.lint\" name=\"{}\">", xml(file));
        for finding in found {
            let (word, _) = word(finding.severity);
            let place = format!("{}:{}", path(finding, folder), finding.line);
            let message = format!("{place}: {word} {} {}", finding.rule, finding.message);
            let _ = if finding.severity == Severity::Error {
                writeln!(
                    out,
                    "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                    finding.rule,
                    xml(title(finding)),
                    xml(&message)
                )
            } else {
                writeln!(out, "      <system-out>{}</system-out>", xml(&message))
            };
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// A text as XML 1.0 can hold it.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            char if char.is_control() => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}
