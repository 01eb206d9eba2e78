//! Showing the effective configuration.

use super::{Effective, PrintFormat};

/// The effective settings as text, ending with a line break: JSON, a table for people on a
/// terminal, or `name = value` lines for programs and logs.
pub fn render(effective: &[Effective], format: PrintFormat, terminal: bool) -> String {
    match (format, terminal) {
        (PrintFormat::Json, _) => json(effective),
        (PrintFormat::Text, true) => table(effective),
        (PrintFormat::Text, false) => lines(effective),
    }
}

fn json(effective: &[Effective]) -> String {
    let settings: serde_json::Map<_, _> = effective
        .iter()
        .map(|setting| {
            let source = setting.source.to_string();
            let about = serde_json::json!({ "value": setting.value, "source": source });
            (setting.name.to_owned(), about)
        })
        .collect();
    format!("{:#}\n", serde_json::Value::Object(settings))
}

fn table(effective: &[Effective]) -> String {
    let rows = effective.iter().map(|setting| {
        [setting.name.to_owned(), one_line(&setting.value), setting.source.to_string()]
    });
    let head = ["SETTING", "VALUE", "SOURCE"].map(ToOwned::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |cell: fn(&[String; 3]) -> &String| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or_default()
    };
    let (names, values) = (width(|[name, ..]| name), width(|[_, value, _]| value));
    let lines = rows
        .iter()
        .map(|[name, value, source]| format!("{name:names$}  {value:values$}  {source}"));
    joined(lines)
}

fn lines(effective: &[Effective]) -> String {
    joined(effective.iter().map(|setting| {
        format!("{} = {} ({})", setting.name, one_line(&setting.value), setting.source)
    }))
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

/// A value with line breaks and other control characters escaped: it must not forge a line.
fn one_line(value: &str) -> String {
    value.chars().fold(String::new(), |mut line, char| {
        if char.is_control() {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
        line
    })
}
