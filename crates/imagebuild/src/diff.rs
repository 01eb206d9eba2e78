//! What changed from one image to another, in words. Pure.

use serde::Serialize;

use crate::digest::Digest;
use crate::layer::{Entry, Node};
use crate::read::Contents;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// What is started.
    Program,
    /// A step of a database's schema: a file with `.sql`.
    Migration,
    /// A shared library.
    Library,
    /// Another file, folder or link.
    File,
    /// How it is started, and what is said of it.
    Setting,
}

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is there now.
    Added,
    /// It is not there any more.
    Removed,
    /// It holds something else.
    Changed,
    /// It holds the same, and has another mode, owner or time.
    Touched,
}

/// One difference between two images.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// How it changed.
    pub kind: Kind,
    /// A path, or the name of a setting.
    pub name: String,
    /// How it was, if it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How it is, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What somebody should think of before this is put into service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<&'static str>,
}

/// Everything that differs: programs first, then migrations, libraries, files, settings.
pub fn diff(before: &Contents, after: &Contents) -> Vec<Change> {
    let mut changes = Vec::new();
    let paths = before.entries.iter().chain(after.entries.iter()).map(|(path, _)| path);
    for path in paths.collect::<std::collections::BTreeSet<_>>() {
        changes.extend(entry(path, before, after));
    }
    let settings = |image: &Contents| match serde_json::to_value(&image.settings) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (settings(before), settings(after));
    for (name, value) in &new {
        if old.get(name) != Some(value) {
            changes.push(Change {
                subject: Subject::Setting,
                kind: Kind::Changed,
                name: name.clone(),
                before: old.get(name).map(ToString::to_string),
                after: Some(value.to_string()),
                warning: None,
            });
        }
    }
    changes.sort();
    changes
}

fn entry(path: &str, before: &Contents, after: &Contents) -> Option<Change> {
    let (old, new) = (before.entries.get(path), after.entries.get(path));
    let kind = match (old, new) {
        (None, Some(_)) => Kind::Added,
        (Some(_), None) => Kind::Removed,
        (Some(old), Some(new)) if shown(old) != shown(new) => Kind::Changed,
        (Some(old), Some(new))
            if (old.mode, old.owner, old.modified) != (new.mode, new.owner, new.modified) =>
        {
            Kind::Touched
        }
        (None, None) | (Some(_), Some(_)) => return None,
    };
    let either = new.or(old)?;
    let subject = subject(path, either, after);
    // Folders come and go with what is in them.
    if either.node == Node::Folder && kind != Kind::Touched {
        return None;
    }
    let warning = match (subject, kind) {
        (Subject::Migration, Kind::Changed) => {
            Some("a database that had it before keeps what it did then")
        }
        (Subject::Migration, Kind::Removed) => {
            Some("a database that had it has what this image knows nothing of")
        }
        _ => None,
    };
    let (before, after) = (old.map(about), new.map(about));
    Some(Change { subject, kind, name: path.to_owned(), before, after, warning })
}

fn subject(path: &str, entry: &Entry, image: &Contents) -> Subject {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_library = |bytes: &[u8]| bytes.starts_with(b"\x7fELF") && name.contains(".so");
    if image.settings.entrypoint.first().is_some_and(|program| program == path) {
        Subject::Program
    } else if path.to_ascii_lowercase().ends_with(".sql") {
        Subject::Migration
    } else if matches!(&entry.node, Node::Bytes(bytes) if is_library(bytes)) {
        Subject::Library
    } else {
        Subject::File
    }
}

/// What it holds.
fn shown(entry: &Entry) -> String {
    match &entry.node {
        Node::Folder => "a folder".to_owned(),
        Node::Link(target) => format!("a link to {target}"),
        Node::Bytes(bytes) => Digest::of(bytes).to_string(),
        Node::Known { digest, .. } => digest.to_string(),
        Node::Copy { from, .. } => from.display().to_string(),
    }
}

fn about(entry: &Entry) -> String {
    let held = match &entry.node {
        Node::Bytes(_) | Node::Known { .. } => {
            let digest: String = shown(entry).chars().take("sha256:".len() + 12).collect();
            format!("{digest}, {} bytes", entry.node.size())
        }
        _ => shown(entry),
    };
    let Entry { mode, owner: (uid, gid), modified, .. } = entry;
    let time = chrono::DateTime::from_timestamp(i64::try_from(*modified).unwrap_or_default(), 0);
    let time = time.unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    format!("{held}, mode {mode:o}, owner {uid}:{gid}, of {time}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Settings;

    fn image(files: &[(&str, &str, u32)]) -> Contents {
        let mut contents = Contents {
            settings: Settings { entrypoint: vec!["/app".to_owned()], ..Settings::default() },
            ..Contents::default()
        };
        for (path, text, mode) in files {
            let node = Node::Bytes(text.as_bytes().to_vec());
            contents.entries.put(path, Entry { node, mode: *mode, owner: (0, 0), modified: 0 });
        }
        contents
    }

    #[test]
    fn changes_are_told_by_what_they_mean() {
        let library = "\x7fELF1";
        let before = image(&[
            ("/app", "1", 0o755),
            ("/lib/a.so", library, 0o644),
            ("/m/1.sql", "a", 0o644),
            ("/m/2.sql", "b", 0o644),
            ("/same", "x", 0o644),
            ("/srv/deep/gone", "x", 0o644),
            ("/touched", "x", 0o644),
        ]);
        let mut after = image(&[
            ("/app", "2", 0o755),
            ("/lib/a.so", "\x7fELF2", 0o644),
            ("/m/1.sql", "edited", 0o644),
            ("/m/3.sql", "c", 0o644),
            ("/same", "x", 0o644),
            ("/touched", "x", 0o600),
        ]);
        after.settings.user = "1:1".to_owned();
        let found = diff(&before, &after);
        let told: Vec<(Subject, Kind, &str, bool)> = found
            .iter()
            .map(|it| (it.subject, it.kind, it.name.as_str(), it.warning.is_some()))
            .collect();
        assert_eq!(
            told,
            [
                (Subject::Program, Kind::Changed, "/app", false),
                (Subject::Migration, Kind::Added, "/m/3.sql", false),
                (Subject::Migration, Kind::Removed, "/m/2.sql", true),
                (Subject::Migration, Kind::Changed, "/m/1.sql", true),
                (Subject::Library, Kind::Changed, "/lib/a.so", false),
                (Subject::File, Kind::Removed, "/srv/deep/gone", false),
                (Subject::File, Kind::Touched, "/touched", false),
                (Subject::Setting, Kind::Changed, "user", false),
            ]
        );
        assert_eq!(diff(&before, &before), []);
    }
}
