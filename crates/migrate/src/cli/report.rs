//! Events and status as text.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::utc::utc;
use crate::lint::{self, Finding};
use crate::{
    Applied, Direction, Entry, Event, Holder, ListedMigration, Plan, Prediction, State, Status,
};

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const WAITING: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ASIDE: Style = Style::new().dimmed();

/// One line per event; none for those the summary covers.
pub(super) fn event(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    match event {
        Event::WaitingForLock { holder, waited } => {
            let holder = holder.as_ref().map(described).unwrap_or_default();
            let waited = waited.as_secs();
            writeln!(out, "{WAITING}waiting{WAITING:#}   {waited} s for another runner{holder}")
        }
        Event::Applying { version, name, direction, index, total } => {
            let doing = word(*direction, "applying", "undoing");
            writeln!(out, "{doing:<8}  {version}_{name}  ({index} of {total})")
        }
        Event::Statement { number, total, line, summary, .. } => writeln!(
            out,
            "          {ASIDE}{number} of {total}, line {line}:{ASIDE:#} {}",
            summary.escape_debug()
        ),
        Event::Running { elapsed, fraction } => {
            let seconds = elapsed.as_secs();
            let done = fraction.map(|part| format!(", {:.0} % done", part * 100.0));
            let done = done.unwrap_or_default();
            writeln!(out, "          {ASIDE}running for {seconds} s{done}{ASIDE:#}")
        }
        // Quick ones are of no interest.
        Event::StatementDone { duration, rows, algorithm, .. } => {
            if *duration < Duration::from_secs(1) {
                return Ok(());
            }
            let how = algorithm.map(|algorithm| format!(", {algorithm}")).unwrap_or_default();
            writeln!(out, "          {ASIDE}{}, {rows} rows{how}{ASIDE:#}", took(*duration))
        }
        Event::Reconciled { number, done, .. } => {
            let found = if *done { "it took effect" } else { "it did not take effect" };
            writeln!(
                out,
                "{WAITING}found{WAITING:#}     statement {number} was interrupted: {found}"
            )
        }
        Event::Retrying { reason, pause } => {
            let pause = pause.as_secs_f64();
            writeln!(out, "{WAITING}retrying{WAITING:#}  in {pause} s: {}", reason.escape_debug())
        }
        Event::Applied { version, name, direction, duration } => {
            let (done, took) = (word(*direction, "applied", "undone"), took(*duration));
            writeln!(out, "{GOOD}{done:<8}{GOOD:#}  {version}_{name}  {ASIDE}{took}{ASIDE:#}")
        }
        Event::Notice { message } => writeln!(out, "{WAITING}note{WAITING:#}      {message}"),
        Event::UpToDate => Ok(()),
    }?;
    // A migration may take minutes; its line must not wait in a buffer.
    out.flush()
}

fn word(direction: Direction, up: &'static str, down: &'static str) -> &'static str {
    match direction {
        Direction::Up => up,
        Direction::Down => down,
    }
}

fn described(holder: &Holder) -> String {
    let who = holder.who.as_ref().map(|who| format!(", {}", who.escape_debug()));
    let seconds = holder.seconds.map(|seconds| format!(", for {seconds} s"));
    let statement = holder.statement.as_ref().map(|text| format!(": {}", text.escape_debug()));
    let more: String = [who, seconds, statement].into_iter().flatten().collect();
    format!(" (connection {}{more})", holder.connection)
}

/// The same for programs.
pub(super) fn json_line(out: &mut dyn Write, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    writeln!(out)?;
    out.flush()
}

pub(super) fn summary(out: &mut dyn Write, applied: &Applied, done: &str) -> io::Result<()> {
    let took = took(applied.duration);
    match applied.count {
        0 => writeln!(out, "nothing to do: the database is up to date"),
        1 => writeln!(out, "1 migration {done} in {took}"),
        count => writeln!(out, "{count} migrations {done} in {took}"),
    }
}

pub(super) fn table(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let width = |heading: &str, cell: fn(&Entry) -> String| {
        let cells = status.entries.iter().map(|entry| cell(entry).chars().count());
        cells.max().unwrap_or(0).max(heading.len())
    };
    let (version, name) = (width("version", version), width("name", name));
    writeln!(
        out,
        "{HEADING}{:>version$}  {:<name$}  {:<STATE$}  {:<TIME$}  took, by{HEADING:#}",
        "version", "name", "state", "applied (UTC)"
    )?;
    for entry in &status.entries {
        row(out, entry, version, name)?;
    }
    writeln!(out, "{}", verdict(status))
}

/// Widths of the columns whose contents are known.
const STATE: usize = "applied".len();
const TIME: usize = "2026-01-01 00:00:00".len();

fn row(
    out: &mut dyn Write,
    entry: &Entry,
    version_width: usize,
    name_width: usize,
) -> io::Result<()> {
    let (style, state) = match &entry.state {
        State::Applied { .. } => (GOOD, "applied"),
        State::Pending => (WAITING, "pending"),
        State::Edited => (BAD, "edited"),
        State::Failed { .. } => (BAD, "failed"),
        State::Undoing => (BAD, "undoing"),
        State::Unknown => (ASIDE, "unknown"),
    };
    let (version, name) = (version(entry), name(entry));
    write!(out, "{version:>version_width$}  {name:<name_width$}  ")?;
    match &entry.state {
        State::Applied { at_unix_micros, duration_ms } => {
            let (at, took) = (utc(*at_unix_micros), took(Duration::from_millis(*duration_ms)));
            write!(out, "{style}{state:<STATE$}{style:#}  {at:<TIME$}  {ASIDE}{took}")?;
            let by = entry.origin.as_ref().or(entry.run_by.as_ref());
            writeln!(
                out,
                "{}{ASIDE:#}",
                by.map(|by| format!(", {}", by.escape_debug())).unwrap_or_default()
            )
        }
        State::Failed { statement, in_doubt, error } => {
            let at = statement.map(|at| format!(" at statement {at}")).unwrap_or_default();
            let doubt = if *in_doubt { ", in doubt" } else { "" };
            let error = error.as_ref().map(|error| format!(": {}", error.escape_debug()));
            writeln!(out, "{style}{state}{style:#}{at}{doubt}{}", error.unwrap_or_default())
        }
        _ => writeln!(out, "{style}{state}{style:#}"),
    }
}

fn version(entry: &Entry) -> String {
    entry.version.to_string()
}

/// Escaped: the name of an unknown migration comes from the database, and this is a terminal.
fn name(entry: &Entry) -> String {
    entry.name.escape_debug().to_string()
}

fn verdict(status: &Status) -> String {
    let count = |wanted: fn(&State) -> bool| {
        status.entries.iter().filter(|entry| wanted(&entry.state)).count()
    };
    let parts = [
        (count(|state| *state == State::Pending), "pending"),
        (count(|state| *state == State::Edited), "edited after being applied"),
        (count(|state| matches!(state, State::Failed { .. })), "begun and not finished"),
        (count(|state| *state == State::Undoing), "taken back in part"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match (parts.is_empty(), status.too_old()) {
        (_, Some(needed)) => format!("too old for this schema, which asks for {needed}"),
        (true, None) => "up to date".to_owned(),
        (false, None) => parts.join(", "),
    }
}

/// Milliseconds below ten seconds, seconds above.
fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// `{"session": …, "migrations": [{"version", "file", "how", "steps": [..]}], "findings": [..]}`.
#[derive(Serialize)]
struct PlanReport<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    migrations: Vec<ListedMigration>,
    findings: &'a [Finding],
}

fn prediction(predicted: Prediction) -> String {
    let how = match predicted.algorithm {
        "instant" => "at once",
        "inplace" => "in place",
        _ => "by copying the table",
    };
    let others = match (predicted.algorithm, predicted.lock) {
        ("instant", _) => "",
        (_, "none") => ", while others read and write",
        _ => ", while others only read",
    };
    let refused = if predicted.refused {
        "; this is refused unless the file says `-- migrate: allow=copy reason=\"…\"`"
    } else {
        ""
    };
    format!("predicted: {how}{others}{refused}")
}

/// What would be done, statement by statement.
pub(super) fn plan(
    out: &mut dyn Write,
    plan: &Plan,
    session: Option<String>,
    findings: &[Finding],
    json: bool,
) -> io::Result<()> {
    let migrations = plan.listing();
    if json {
        serde_json::to_writer_pretty(&mut *out, &PlanReport { session, migrations, findings })?;
        return writeln!(out);
    }
    if migrations.is_empty() {
        return writeln!(out, "nothing to do: the database is up to date");
    }
    if let Some(session) = session {
        writeln!(out, "{HEADING}session{HEADING:#}\n  {session}")?;
    }
    for migration in migrations {
        writeln!(out, "{HEADING}{}{HEADING:#}  {ASIDE}{}{ASIDE:#}", migration.file, migration.how)?;
        for step in &migration.steps {
            let (number, line, todo) = (step.number, step.line, step.todo);
            let ways = match step.ways.as_slice() {
                [] => String::new(),
                ways => format!(" ({})", ways.join(", else ")),
            };
            writeln!(out, "  {number}, line {line}: {WAITING}{todo}{WAITING:#}{ways}")?;
            if let Some(predicted) = step.predicted {
                writeln!(out, "    {ASIDE}{}{ASIDE:#}", prediction(predicted))?;
            }
            for line in step.statement.lines() {
                writeln!(out, "    {line}")?;
            }
        }
    }
    if !findings.is_empty() {
        writeln!(out, "{HEADING}lint{HEADING:#}")?;
        write!(out, "{}", lint::render(findings, lint::Format::Text, ""))?;
    }
    Ok(())
}

/// `{"current": bool, "pending": n, "entries": [{"version", "name", "state", ..}]}`.
#[derive(Serialize)]
struct Report<'a> {
    current: bool,
    pending: usize,
    #[serde(flatten)]
    status: &'a Status,
}

pub(super) fn json(out: &mut dyn Write, status: &Status) -> io::Result<()> {
    let report = Report { current: status.is_current(), pending: status.pending(), status };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        let entry = |version, name: &str, state| Entry {
            version,
            name: name.to_owned(),
            state,
            run_by: None,
            origin: None,
            min_version: None,
        };
        Status {
            entries: vec![
                entry(1, "users", State::Applied { at_unix_micros: 0, duration_ms: 12_345 }),
                entry(10, "posts_and_more", State::Edited),
                entry(11, "later\u{1b}[2J", State::Unknown),
                entry(12, "new", State::Pending),
            ],
        }
    }

    fn plain(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        print(&mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn the_table_is_aligned_and_escapes_what_the_database_says() {
        assert_eq!(
            plain(|out| table(out, &status())),
            "version  name            state    applied (UTC)        took, by\n      \
             1  users           applied  1970-01-01 00:00:00  12.3 s\n     \
             10  posts_and_more  edited\n     \
             11  later\\u{1b}[2J  unknown\n     \
             12  new             pending\n\
             1 pending, 1 edited after being applied\n"
        );
    }

    #[test]
    fn json_says_the_same_without_styles() {
        let mut out = Vec::new();
        json(&mut out, &status()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["current"], false);
        assert_eq!(value["pending"], 1);
        assert_eq!(
            value["entries"][0],
            serde_json::json!({"version": 1, "name": "users", "state": "applied",
                "at_unix_micros": 0, "duration_ms": 12_345})
        );
        assert_eq!(value["entries"][1]["state"], "edited");
    }

    #[test]
    fn events_are_lines() {
        let holder = Holder {
            connection: 7,
            who: Some("app@10.0.0.3".to_owned()),
            seconds: Some(34),
            statement: Some("ALTER TABLE t".to_owned()),
        };
        let waited = Duration::from_secs(5);
        let event = Event::WaitingForLock { holder: Some(holder), waited };
        assert_eq!(
            plain(|out| super::event(out, &event)),
            "waiting   5 s for another runner (connection 7, app@10.0.0.3, for 34 s: ALTER TABLE t)\n"
        );
        assert_eq!(
            plain(|out| json_line(out, &event)),
            "{\"event\":\"waiting_for_lock\",\"holder\":{\"connection\":7,\"who\":\"app@10.0.0.3\",\
             \"seconds\":34,\"statement\":\"ALTER TABLE t\"},\"waited_ms\":5000}\n"
        );
    }
}
