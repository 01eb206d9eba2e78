//! What people and programs are shown. What goes on is told on standard error, results on standard
//! output.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Output;
use crate::diagnose::{Class, Finding};
use crate::observed::{Service, Task};
use crate::provision::{Proposal, Provisioned};
use crate::release::{Outcome, Say, Verdict, short};
use crate::simulator::scenarios;
use crate::stack::ResourceChange;
use crate::task_definition::Change;
use crate::verify::{Check, Found};

const HEADING: anstyle::Style = anstyle::Style::new().bold();
const ASIDE: anstyle::Style = anstyle::Style::new().dimmed();
const GOOD: anstyle::Style = anstyle::AnsiColor::Green.on_default().bold();
const BAD: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();

/// In a log that nobody watches, what is waited for is repeated so often.
const REPEATS: Duration = Duration::from_mins(1);

pub(super) fn error(text: &str) {
    // Without standard error, nobody can be told.
    let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} {text}");
}

/// Tells what goes on as lines.
pub(super) struct Lines;

impl Say for Lines {
    fn line(&mut self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    fn waiting(&mut self, what: &str, _: Option<&Service>) {
        let _ = writeln!(anstream::stderr(), "{ASIDE}  {what}{ASIDE:#}");
    }
}

/// On a terminal, one line that changes; else a line whenever something is new.
pub(super) struct Live {
    bar: Option<ProgressBar>,
    last: Option<(String, Instant)>,
    events: Vec<String>,
}

impl Live {
    pub(super) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, last: None, events: Vec::new() }
    }

    /// Asks somebody at the terminal; everything but a yes is a no.
    pub(super) fn asked(&self, question: &str) -> io::Result<bool> {
        let ask = || {
            write!(anstream::stderr(), "{HEADING}{question}{HEADING:#} [y/N] ")?;
            let mut line = String::new();
            io::stdin().read_line(&mut line)?;
            Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
        };
        self.bar.as_ref().map_or_else(ask, |bar| bar.suspend(ask))
    }

    fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| Lines.line(text)),
            None => Lines.line(text),
        }
    }
}

impl Say for Live {
    fn line(&mut self, text: &str) {
        self.print(text);
    }

    fn waiting(&mut self, what: &str, service: Option<&Service>) {
        // At the first look, all events are old.
        let first = self.events.is_empty() && self.last.is_none();
        for event in service.iter().flat_map(|it| it.events.iter().rev()) {
            if !self.events.contains(&event.id) {
                self.events.push(event.id.clone());
                if !first {
                    self.print(&format!("{ASIDE}  {}{ASIDE:#}", event.message));
                }
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            return;
        }
        let known =
            self.last.as_ref().is_some_and(|(last, at)| last == what && at.elapsed() < REPEATS);
        if !known {
            self.last = Some((what.to_owned(), Instant::now()));
            Lines.waiting(what, service);
        }
    }
}

pub(super) fn outcome(out: &mut dyn Write, outcome: &Outcome, output: Output) -> io::Result<()> {
    if output == Output::Json {
        serde_json::to_writer_pretty(&mut *out, outcome)?;
        return writeln!(out);
    }
    let (style, word) = match outcome.verdict {
        Verdict::Deployed => (GOOD, "deployed"),
        Verdict::Unchanged => (GOOD, "nothing to do"),
        Verdict::RolledBack => (BAD, "failed, and brought back"),
        Verdict::Failed => (BAD, "failed"),
        Verdict::Superseded => (BAD, "superseded"),
        Verdict::Interrupted => (BAD, "interrupted"),
        Verdict::OtherImage => (BAD, "another image runs"),
        Verdict::NotMigrated => (BAD, "migrations failed"),
    };
    findings(out, &outcome.findings)?;
    if !outcome.log.is_empty() {
        writeln!(out, "the last that it wrote:")?;
        for line in &outcome.log {
            writeln!(out, "  {ASIDE}|{ASIDE:#} {line}")?;
        }
    }
    let late = if outcome.too_long { " (it took too long)" } else { "" };
    let (revision, seconds, calls) = (short(&outcome.revision), outcome.seconds, outcome.calls);
    writeln!(out, "{style}{word}{style:#}{late}: {revision}, after {seconds} s and {calls} calls")?;
    writeln!(out, "  {}", outcome.left)
}

pub(super) fn findings(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    for Finding { class, evidence, count, task } in findings {
        let times = if *count > 1 { format!(" ({count} times)") } else { String::new() };
        writeln!(out, "{BAD}{class}{BAD:#}{times}")?;
        for evidence in evidence {
            writeln!(out, "  {evidence}")?;
        }
        if let Some(task) = task {
            writeln!(out, "  {ASIDE}task {}{ASIDE:#}", short(task))?;
        }
        writeln!(out, "  {}", class.advice())?;
    }
    Ok(())
}

pub(super) fn plan(
    out: &mut dyn Write,
    service: &Service,
    changes: &[Change],
    migrate: &[String],
    output: Output,
) -> io::Result<()> {
    let mut calls = vec!["ecs:RegisterTaskDefinition"];
    if !migrate.is_empty() {
        calls.push("ecs:RunTask");
    }
    calls.push("ecs:UpdateService");
    if output == Output::Json {
        let calls = if changes.is_empty() { Vec::new() } else { calls };
        let plan = json!({ "service": service.arn, "changes": changes, "calls": calls });
        serde_json::to_writer_pretty(&mut *out, &plan)?;
        return writeln!(out);
    }
    let runs = short(&service.task_definition);
    if changes.is_empty() {
        return writeln!(out, "{} runs {runs}, and nothing would change", service.name);
    }
    writeln!(
        out,
        "{HEADING}{} runs {runs}, of which a new revision would have{HEADING:#}",
        service.name
    )?;
    for change in changes {
        writeln!(out, "  {change}")?;
    }
    writeln!(out, "then, one call each: {}", calls.join(", "))?;
    if !migrate.is_empty() {
        writeln!(out, "  where the task runs `{}`", migrate.join(" "))?;
    }
    Ok(())
}

pub(super) fn proposal(
    out: &mut dyn Write,
    stack: &str,
    proposal: Option<&Proposal>,
    output: Output,
) -> io::Result<()> {
    if output == Output::Json {
        let nothing = json!({ "stack": stack, "changes": [] });
        match proposal {
            Some(proposal) => serde_json::to_writer_pretty(&mut *out, proposal)?,
            None => serde_json::to_writer_pretty(&mut *out, &nothing)?,
        }
        return writeln!(out);
    }
    let Some(Proposal { changes, is_new, image, .. }) = proposal else {
        return writeln!(out, "the stack {stack} is as it should be");
    };
    let what = if *is_new { "would be made of" } else { "would be changed" };
    writeln!(out, "{HEADING}the stack {stack} {what}{HEADING:#}")?;
    if let Some(image) = image {
        writeln!(out, "  {ASIDE}with the image that runs, {image}{ASIDE:#}")?;
    }
    let width = changes.iter().map(|it| it.resource.len()).max().unwrap_or_default();
    for change in changes {
        let ResourceChange { action, resource, kind, properties } = change;
        let (action, properties) = (action.to_string(), properties.join(", "));
        let style = if change.is_grave() { BAD } else { anstyle::Style::new() };
        writeln!(
            out,
            "  {style}{action:17}{style:#} {resource:width$}  {ASIDE}{kind}{ASIDE:#}  {properties}"
        )?;
    }
    Ok(())
}

pub(super) fn provisioned(
    out: &mut dyn Write,
    done: &Provisioned,
    output: Output,
) -> io::Result<()> {
    if output == Output::Json {
        serde_json::to_writer_pretty(&mut *out, done)?;
        return writeln!(out);
    }
    for event in &done.failures {
        writeln!(out, "{BAD}{}{BAD:#} {}: {}", event.resource, event.kind, event.reason)?;
    }
    let style = if done.exit_code() == 0 { GOOD } else { BAD };
    writeln!(out, "{style}{}{style:#}, after {} s", done.left, done.seconds)?;
    for (name, value) in &done.stack.outputs {
        writeln!(out, "  {name:12} {value}")?;
    }
    Ok(())
}

pub(super) fn checks(out: &mut dyn Write, checks: &[Check], output: Output) -> io::Result<()> {
    if output == Output::Json {
        serde_json::to_writer_pretty(&mut *out, checks)?;
        return writeln!(out);
    }
    for Check { what, found } in checks {
        match found {
            Found::Fine => writeln!(out, "{GOOD}ok{GOOD:#}         {what}")?,
            Found::Wrong(why) => writeln!(out, "{BAD}wrong{BAD:#}      {what}: {why}")?,
            Found::Unknown(why) => writeln!(out, "{HEADING}not known{HEADING:#}  {what}: {why}")?,
        }
    }
    Ok(())
}

pub(super) fn status(
    out: &mut dyn Write,
    service: &Service,
    tasks: &[Task],
    output: Output,
) -> io::Result<()> {
    if output == Output::Json {
        let status = json!({ "service": service, "tasks": tasks });
        serde_json::to_writer_pretty(&mut *out, &status)?;
        return writeln!(out);
    }
    let Service { name, status, running, desired, pending, .. } = service;
    writeln!(
        out,
        "{HEADING}{name}{HEADING:#} {status}: {running} of {desired} tasks run, {pending} starting"
    )?;
    for it in &service.deployments {
        let rollout = format!("{:?}", it.rollout);
        let revision = short(&it.task_definition);
        writeln!(
            out,
            "  {:8} {rollout:11} {revision:20} {} of {} run, {} failed  {ASIDE}{}{ASIDE:#}",
            it.status, it.running, it.desired, it.failed, it.reason
        )?;
    }
    for task in tasks {
        let (id, revision) = (short(&task.arn), short(&task.task_definition));
        writeln!(
            out,
            "  {:8} {revision:20} {ASIDE}{id}{ASIDE:#} {}",
            task.status, task.stopped_reason
        )?;
        for it in &task.containers {
            let code = it.exit_code.map(|code| format!(" ended with {code}")).unwrap_or_default();
            writeln!(out, "           {} {}{code} {}", it.name, it.digest, it.reason)?;
        }
    }
    for event in service.events.iter().take(10) {
        writeln!(out, "  {ASIDE}{}{ASIDE:#}", event.message)?;
    }
    Ok(())
}

pub(super) fn scenarios(out: &mut dyn Write) -> io::Result<()> {
    for it in scenarios::all() {
        writeln!(out, "{HEADING}{:26}{HEADING:#} {:2}  {}", it.name, it.exit_code, it.about)?;
    }
    writeln!(out, "\nA release that fails ends with")?;
    for class in Class::ALL {
        writeln!(out, "  {:2}  {class}", class.exit_code())?;
    }
    Ok(())
}
