//! How texts and times are shown. Pure; `web/js/format.js` keeps the same rules, and both are held
//! against `web/cases.json`.

use chrono::{DateTime, Utc};

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// An address.
    Link(&'a str),
}

/// What stands behind an address and does not belong to it.
const BEHIND: [char; 12] = ['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '"', '>'];

/// A text's addresses and what stands between them. Only `http://` and `https://` are addresses: no
/// other leads to a page, and some do harm.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = next_address(rest) {
        let (before, found) = rest.split_at(start);
        let end = found.find(|it: char| it.is_whitespace() || it == '<').unwrap_or(found.len());
        let address = found.get(..end).unwrap_or(found).trim_end_matches(BEHIND);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Link(address));
        rest = found.get(address.len()..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Where the next address begins that has something behind its scheme.
fn next_address(text: &str) -> Option<usize> {
    let starts = text.match_indices("http").map(|(at, _)| at);
    let is_address = |at: &usize| {
        let rest = text.get(*at..).unwrap_or_default();
        let behind = rest.strip_prefix("https://").or_else(|| rest.strip_prefix("http://"));
        let is_start = !text.get(..*at).unwrap_or_default().ends_with(char::is_alphanumeric);
        is_start && behind.is_some_and(|it| it.starts_with(char::is_alphanumeric))
    };
    starts.into_iter().find(is_address)
}

/// How long ago a moment is, in the words of the page; nothing for what is no moment.
pub(super) fn ago(time: &str, now: DateTime<Utc>) -> String {
    let Ok(then) = DateTime::parse_from_rfc3339(time) else { return String::new() };
    let seconds = (now - then.to_utc()).num_seconds();
    match seconds {
        ..60 => "now".to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..604_800 => format!("{} d", seconds / 86_400),
        _ => then.to_utc().format("%-d %b %Y").to_string(),
    }
}

/// The first letter of a name, for who has no picture.
pub(super) fn initial(name: &str) -> String {
    name.chars().next().map(|it| it.to_uppercase().to_string()).unwrap_or_default()
}
