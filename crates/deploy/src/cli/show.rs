//! What people and programs are shown. What goes on is told on standard error, results on standard
//! output.

use std::io::{self, IsTerminal as _, Write};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::Output;
use crate::diagnose::{Class, Finding};
use crate::ecs::Place;
use crate::observed::{Deployment, Rollout, Service, Task};
use crate::provision::{Proposal, Provisioned};
use crate::release::{Outcome, Planned, Say, Target, Verdict, short};
use crate::simulator::scenarios;
use crate::stack::ResourceChange;
use crate::task_definition::{Registration, changes};
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

/// On a terminal, some lines that change: what is waited for, and the service's deployments; else a line
/// whenever something is new.
pub(super) struct Live {
    bars: MultiProgress,
    shown: Option<Shown>,
    last: Option<(String, Instant)>,
    events: Vec<String>,
}

/// The lines that change.
struct Shown {
    waiting: ProgressBar,
    deployments: Vec<ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Self {
        let is_seen = io::stderr().is_terminal();
        let target =
            if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let shown = is_seen.then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let waiting = bars.add(ProgressBar::new_spinner().with_style(style));
            waiting.enable_steady_tick(Duration::from_millis(200));
            Shown { waiting, deployments: Vec::new() }
        });
        Self { bars, shown, last: None, events: Vec::new() }
    }

    /// Where other bars are shown, so that all know of each other.
    pub(super) fn bars(&self) -> MultiProgress {
        self.bars.clone()
    }

    /// Asks somebody at the terminal; everything but a yes is a no.
    pub(super) fn asked(&self, question: &str) -> io::Result<bool> {
        self.bars.suspend(|| {
            write!(anstream::stderr(), "{HEADING}{question}{HEADING:#} [y/N] ")?;
            let mut line = String::new();
            io::stdin().read_line(&mut line)?;
            Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
        })
    }

    fn print(&self, text: &str) {
        self.bars.suspend(|| Lines.line(text));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // A terminal that is gone needs no clearing.
        let _ = self.bars.clear();
    }
}

impl Shown {
    fn show(&mut self, bars: &MultiProgress, what: &str, service: Option<&Service>) {
        self.waiting.set_message(what.to_owned());
        let rows: Vec<String> = service.map(deployments).unwrap_or_default();
        while self.deployments.len() > rows.len() {
            if let Some(row) = self.deployments.pop() {
                row.finish_and_clear();
                bars.remove(&row);
            }
        }
        while self.deployments.len() < rows.len() {
            let style = ProgressStyle::with_template("{wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            self.deployments.push(bars.add(ProgressBar::new_spinner().with_style(style)));
        }
        let is_plain = anstream::AutoStream::choice(&io::stderr()) == anstream::ColorChoice::Never;
        for (bar, row) in self.deployments.iter().zip(rows) {
            bar.set_message(if is_plain { strip_str(&row).to_string() } else { row });
        }
    }
}

/// A line for each deployment of a service.
fn deployments(service: &Service) -> Vec<String> {
    let of = |it: &Deployment| {
        let Deployment { status, desired, running, pending, failed, .. } = it;
        let (revision, rollout) = (short(&it.task_definition), it.rollout);
        let style = match rollout {
            Rollout::Completed => GOOD,
            Rollout::InProgress => HEADING,
            Rollout::Failed => BAD,
        };
        format!(
            "  {status:8} {style}{:11}{style:#} {revision:20} {running} of {desired} run, \
             {pending} starting, {failed} failed",
            rollout.to_string()
        )
    };
    service.deployments.iter().map(of).collect()
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
        let known =
            self.last.as_ref().is_some_and(|(last, at)| last == what && at.elapsed() < REPEATS);
        if !known {
            self.last = Some((what.to_owned(), Instant::now()));
        }
        match &mut self.shown {
            Some(shown) => shown.show(&self.bars, what, service),
            None if known => {}
            None => Lines.waiting(what, service),
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
    target: &Target,
    planned: &Planned,
    output: Output,
) -> io::Result<()> {
    let Planned { service, current, wanted, .. } = planned;
    let changes = changes(current, wanted);
    let calls = if changes.is_empty() { Vec::new() } else { calls(target, wanted) };
    if output == Output::Json {
        let calls = calls.iter().map(|(call, body)| json!({ "call": call, "body": body }));
        let calls: Vec<Value> = calls.collect();
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
    writeln!(
        out,
        "{HEADING}then, one call each{HEADING:#} {ASIDE}(--output json has them whole){ASIDE:#}"
    )?;
    for (call, _) in calls {
        writeln!(out, "  {call}")?;
    }
    if !target.migrate.is_empty() {
        writeln!(out, "where the task runs `{}`", target.migrate.join(" "))?;
    }
    Ok(())
}

/// The calls that would change something; values of variables are masked.
fn calls(target: &Target, wanted: &Registration) -> Vec<(&'static str, Value)> {
    let Place { cluster, service } = &target.place;
    let revision = format!("{}:NEW", wanted.family());
    let mut calls = vec![("ecs:RegisterTaskDefinition", wanted.masked())];
    if !target.migrate.is_empty() {
        let body = json!({
            "cluster": cluster, "taskDefinition": revision,
            "overrides": { "containerOverrides": [{ "command": target.migrate }] },
        });
        calls.push(("ecs:RunTask", body));
    }
    let body = json!({ "cluster": cluster, "service": service, "taskDefinition": revision });
    calls.push(("ecs:UpdateService", body));
    calls
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
    for (it, row) in service.deployments.iter().zip(deployments(service)) {
        writeln!(out, "{row}  {ASIDE}{}{ASIDE:#}", it.reason)?;
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
