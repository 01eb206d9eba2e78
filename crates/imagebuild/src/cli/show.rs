//! What people and programs are shown.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};
use serde::Serialize;

use crate::boot::Booted;
use crate::build::{Built, Event};
use crate::diff::{Change, Kind, Subject};
use crate::digest::Digest;
use crate::image::Settings;
use crate::layer::Node;
use crate::plan::{Listed, Plan};
use crate::read::Contents;
use crate::registry::push::{How, Pushed};

pub(super) const HEADING: anstyle::Style = anstyle::Style::new().bold();
const ASIDE: anstyle::Style = anstyle::Style::new().dimmed();
const WARNING: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();

#[derive(Serialize)]
struct PlanReport<'a> {
    settings: &'a Settings,
    layers: Vec<PlannedSize<'a>>,
    files: Vec<Listed>,
}

#[derive(Serialize)]
struct PlannedSize<'a> {
    name: &'a str,
    /// Of its files, in bytes.
    files: u64,
    /// Compressed, in bytes.
    size: u64,
}

pub(super) fn plan(out: &mut dyn Write, plan: &Plan, sizes: &[u64], json: bool) -> io::Result<()> {
    let files = plan.listing();
    let layers = plan.layers.iter().zip(sizes).map(|(layer, size)| PlannedSize {
        name: &layer.name,
        files: layer.entries.size(),
        size: *size,
    });
    let layers: Vec<PlannedSize<'_>> = layers.collect();
    if json {
        return self::json(out, &PlanReport { settings: &plan.settings, layers, files });
    }
    let longest = files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
    if let Some(base) = &plan.base {
        writeln!(out, "{HEADING}base{HEADING:#}  {}", base.name)?;
    }
    for layer in &layers {
        let (size, packed) = (human(layer.files), human(layer.size));
        writeln!(out, "{HEADING}{}{HEADING:#}  {size} → {packed}", layer.name)?;
        for file in files.iter().filter(|file| file.layer == layer.name) {
            let (path, size, reason) = (&file.path, human(file.size), &file.reason);
            writeln!(out, "  {path:longest$}  {size:>10}  {ASIDE}{reason}{ASIDE:#}")?;
        }
    }
    Ok(())
}

pub(super) fn built(out: &mut dyn Write, report: &BuildReport<'_>) -> io::Result<()> {
    let several = report.images.len() > 1;
    for built in &report.images {
        if several {
            writeln!(out, "{HEADING}{}{HEADING:#}", built.platform)?;
        }
        for layer in &built.layers {
            let (files, size) = (human(layer.files), human(layer.size));
            let (name, digest) = (&layer.name, &layer.digest);
            writeln!(out, "{name:20} {files:>10} → {size:>10}  {ASIDE}{digest}{ASIDE:#}")?;
        }
        writeln!(out, "{HEADING}{}{HEADING:#}  {} compressed", built.digest, human(built.size))?;
    }
    if several {
        writeln!(out, "{HEADING}{}{HEADING:#}  lists them", report.digest)?;
    }
    pushed(out, report.pushed)
}

/// That an image was started.
pub(super) fn booted(out: &mut dyn Write, booted: &Booted) -> io::Result<()> {
    let Booted { runtime, after, asked, code } = booted;
    let how = if *asked { "is well" } else { "starts" };
    let end = match code {
        Some(code) => format!("ended with {code} when it was asked to"),
        None => "had to be killed, for it did not end when it was asked to".to_owned(),
    };
    writeln!(out, "the image {how} after {:.1} s ({runtime}), and {end}", after.as_secs_f64())
}

/// A sign that a layer is being made, on a terminal, until it is dropped.
pub(super) fn progress(bars: &MultiProgress, event: &Event<'_>) -> Option<Progress> {
    let Event::Making(name, size) = event else { return None };
    if bars.is_hidden() {
        return None;
    }
    let bar = bars.add(ProgressBar::new_spinner());
    bar.set_message(format!("compressing {name} ({})", human(*size)));
    bar.enable_steady_tick(Duration::from_millis(100));
    Some(Progress(bar))
}

/// See [`progress`].
pub(super) struct Progress(ProgressBar);

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// As MiB, KiB or bytes.
pub(super) fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.2} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// What a build says as JSON.
#[derive(Serialize)]
pub(super) struct BuildReport<'a> {
    /// Of what the image's name stands for.
    pub(super) digest: Digest,
    /// By the order in which their programs were named.
    pub(super) images: Vec<&'a Built>,
    /// What became of it in registries.
    #[serde(skip_serializing_if = "<[Pushed]>::is_empty")]
    pub(super) pushed: &'a [Pushed],
}

/// What became of pushes.
pub(super) fn pushed(out: &mut dyn Write, all: &[Pushed]) -> io::Result<()> {
    for pushed in all {
        let Pushed { repository, digest, tags, unchanged, blobs, .. } = pushed;
        let of = |how: How| {
            let those = blobs.iter().filter(move |blob| blob.how == how);
            (those.clone().count(), those.map(|blob| blob.size).sum::<u64>())
        };
        let done = if *unchanged {
            "was there already".to_owned()
        } else {
            let part = |how: How, word: &str| {
                let (count, bytes) = of(how);
                (count > 0).then(|| format!("{word} {count} ({})", human(bytes)))
            };
            let parts = [
                part(How::Uploaded, "uploaded"),
                part(How::Mounted, "mounted"),
                part(How::Reused, "reused"),
            ];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        writeln!(out, "{HEADING}{repository}@{digest}{HEADING:#}  {done}")?;
        for tag in tags {
            writeln!(out, "  {repository}:{tag}")?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Inspected<'a> {
    digest: &'a str,
    size: u64,
    settings: &'a Settings,
    layers: Vec<InspectedLayer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<InspectedFile<'a>>>,
}

#[derive(Serialize)]
struct InspectedLayer {
    media_type: String,
    digest: Digest,
    diff_id: Digest,
    size: u64,
    made: Option<String>,
}

#[derive(Serialize)]
struct InspectedFile<'a> {
    path: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    size: u64,
    mode: String,
    owner: String,
    modified: u64,
}

pub(super) fn inspected(
    out: &mut dyn Write,
    image: &Contents,
    files: bool,
    json: bool,
) -> io::Result<()> {
    let made: Vec<Option<String>> = image
        .history
        .iter()
        .filter(|entry| entry.empty_layer() != Some(true))
        .map(|entry| entry.comment().clone().or_else(|| entry.created_by().clone()))
        .collect();
    let layers = image.layers.iter().enumerate().map(|(index, (kind, layer))| InspectedLayer {
        media_type: kind.to_string(),
        digest: layer.digest,
        diff_id: layer.diff_id,
        size: layer.size,
        made: made.get(index).cloned().flatten(),
    });
    let layers: Vec<InspectedLayer> = layers.collect();
    let listed = image.entries.iter().map(|(path, entry)| {
        let (kind, target) = match &entry.node {
            Node::Folder => ("folder", None),
            Node::Link(target) => ("link", Some(target.as_str())),
            Node::Bytes(_) | Node::Copy { .. } | Node::Known { .. } => ("file", None),
        };
        let (uid, gid) = entry.owner;
        InspectedFile {
            path,
            kind,
            target,
            size: entry.node.size(),
            mode: format!("{:04o}", entry.mode),
            owner: format!("{uid}:{gid}"),
            modified: entry.modified,
        }
    });
    let listed: Option<Vec<InspectedFile<'_>>> = files.then(|| listed.collect());
    let (digest, size, settings) = (image.digest.as_str(), image.size, &image.settings);
    if json {
        return self::json(out, &Inspected { digest, size, settings, layers, files: listed });
    }
    writeln!(out, "{HEADING}{digest}{HEADING:#}  {} compressed", human(size))?;
    let mut line = |name: &str, value: String| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:12} {value}") }
    };
    line("platform", format!("linux/{}", settings.architecture))?;
    line("starts", settings.entrypoint.join(" "))?;
    line("as", settings.user.clone())?;
    line("in", settings.working_dir.clone())?;
    line("listens on", settings.ports.join(", "))?;
    line("is ended by", settings.stop_signal.clone().unwrap_or_default())?;
    line("is well if", settings.health_check.join(" "))?;
    for variable in &settings.env {
        line("variable", variable.clone())?;
    }
    for (name, value) in settings.labels.iter().chain(&settings.annotations) {
        line("says", format!("{name}={value}"))?;
    }
    for layer in layers {
        let (size, digest) = (human(layer.size), layer.digest);
        let made = layer.made.unwrap_or_default();
        writeln!(out, "  layer {size:>12}  {ASIDE}{digest}{ASIDE:#}  {made}")?;
    }
    for file in listed.into_iter().flatten() {
        let InspectedFile { path, mode, owner, size, target, .. } = file;
        let target = target.map(|target| format!(" → {target}")).unwrap_or_default();
        writeln!(out, "  {mode} {owner:>11} {size:>10}  {path}{target}")?;
    }
    Ok(())
}

pub(super) fn changes(out: &mut dyn Write, changes: &[Change], json: bool) -> io::Result<()> {
    if json {
        return self::json(out, &changes);
    }
    if changes.is_empty() {
        return writeln!(out, "nothing changed");
    }
    for change in changes {
        let subject = match change.subject {
            Subject::Program => "program",
            Subject::Migration => "migration",
            Subject::Library => "library",
            Subject::File => "file",
            Subject::Setting => "setting",
        };
        let kind = match change.kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
            Kind::Touched => "touched",
        };
        writeln!(out, "{HEADING}{subject} {kind}{HEADING:#}  {}", change.name)?;
        for (word, value) in [("was", &change.before), ("is", &change.after)] {
            if let Some(value) = value {
                writeln!(out, "  {ASIDE}{word:3} {value}{ASIDE:#}")?;
            }
        }
        if let Some(warning) = change.warning {
            writeln!(out, "  {WARNING}note{WARNING:#} {warning}")?;
        }
    }
    Ok(())
}
