//! Why an image could not start, or should not be seen by anybody. Pure: looks at a plan as a
//! container would see it, and runs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem;

use crate::closure::{ClosureError, Root as _, closure};
use crate::image::Settings;
use crate::layer::{Entry, Node};
use crate::plan::Plan;
use crate::read::Contents;
use crate::tree::Tree;

/// Files up to this size are searched for secrets, in bytes; keys are small.
const SEARCHED: u64 = 256 * 1024;

/// How much of a program is searched at a time, in bytes: what a core's own cache holds.
const WINDOW: u64 = 256 << 10;

/// One thing that is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing is started.
    #[error("the image starts nothing: it has no entrypoint")]
    NoEntrypoint,
    /// What is started is not there.
    #[error("{0} is started, and is not in the image")]
    Absent(String),
    /// What is started may not be.
    #[error("{program} is started, and user {user} may not execute it (its mode is {mode:o})")]
    NotExecutable {
        /// In the image.
        program: String,
        /// Who would.
        user: String,
        /// Its permission bits.
        mode: u32,
    },
    /// What is started is for another processor.
    #[error("{program} is for {found}, and the image says {wanted}")]
    Architecture {
        /// In the image.
        program: String,
        /// What it is for.
        found: &'static str,
        /// What the image says.
        wanted: String,
    },
    /// What is started is neither a program nor a script, or is damaged.
    #[error("{0} is started, and is neither a program nor a script")]
    NoProgram(String),
    /// A script's interpreter.
    #[error(
        "{script} is started by {interpreter}, which is not in the image, or may not be executed"
    )]
    Interpreter {
        /// In the image.
        script: String,
        /// As its first line says.
        interpreter: String,
    },
    /// Libraries, looked for inside of the image.
    #[error("inside of the image, {0}")]
    Closure(ClosureError),
    /// The folder in which it starts is not there.
    #[error("it starts in {0}, and that is no folder of the image")]
    WorkingDir(String),
    /// Migrations that the program does not know of, though it has others in itself.
    #[error(
        "{program} has the migrations of {folder} in itself, but not {}: it was built of others. Build \
         it again", .missing.join(", ")
    )]
    Migrations {
        /// In the image.
        program: String,
        /// Where the migrations are in the image.
        folder: String,
        /// The names of those that it has not.
        missing: Vec<String>,
    },
    /// Something that only few should have.
    #[error("{path} {what}: whoever can pull the image has it too")]
    Secret {
        /// In the image, or the name of a variable.
        path: String,
        /// Why it looks like a secret.
        what: &'static str,
    },
}

/// Everything that is wrong with a plan.
pub fn preflight(plan: &Plan) -> Vec<Problem> {
    let base = plan.base.iter().map(|base| &base.entries);
    let image = Tree::new(base.chain(plan.layers.iter().map(|layer| &layer.entries)));
    let mut problems = starts(&plan.settings, &image);
    problems.extend(migrations(plan));
    problems.extend(secrets(plan));
    problems
}

/// Whether a program that has some migrations of a folder in itself has all of them: their texts are
/// looked for in it, for there are many ways to put them there.
fn migrations(plan: &Plan) -> Option<Problem> {
    let entries = || plan.layers.iter().flat_map(|layer| layer.entries.iter());
    let mut folders: BTreeMap<&str, Vec<(&str, Vec<u8>)>> = BTreeMap::new();
    for (path, entry) in entries() {
        if let (Some((folder, name)), Node::Copy { from, size }) =
            (path.rsplit_once('/'), &entry.node)
            && is_migration(name)
            && (1..=SEARCHED).contains(size)
        {
            folders.entry(folder).or_default().push((name, fs::read(from).ok()?));
        }
    }
    let program = plan.settings.entrypoint.first().filter(|_| !folders.is_empty())?;
    let (_, entry) = entries().find(|(path, _)| path == program)?;
    let Node::Copy { from, .. } = &entry.node else { return None };
    let texts = folders.values().flatten().map(|(_, text)| text.as_slice()).collect();
    let missing = missing_in(File::open(from).ok()?, texts).ok()?;
    folders.iter().find_map(|(folder, texts)| {
        let lacks = |text: &[u8]| missing.contains(text);
        let missing = texts.iter().filter(|(_, text)| lacks(text));
        let missing: Vec<String> = missing.map(|(name, _)| (*name).to_owned()).collect();
        let some = !missing.is_empty() && missing.len() < texts.len();
        some.then(|| Problem::Migrations {
            program: program.clone(),
            folder: (*folder).to_owned(),
            missing,
        })
    })
}

/// Those of some texts that a file does not hold. Of a large one, a small part is in memory at a time.
fn missing_in(mut file: impl Read, mut texts: BTreeSet<&[u8]>) -> io::Result<BTreeSet<&[u8]>> {
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or_default();
    let mut window = Vec::new();
    loop {
        let read = file.by_ref().take(WINDOW).read_to_end(&mut window)?;
        texts.retain(|text| memmem::find(&window, text).is_none());
        if read == 0 || texts.is_empty() {
            return Ok(texts);
        }
        // What begins in this window may end in the next.
        window.drain(..window.len().saturating_sub(longest));
    }
}

/// By its name: a version, and what it is about.
fn is_migration(name: &str) -> bool {
    let version = name.trim_start_matches(['V', 'v']).split(['_', '-', '.']).next();
    version.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
        && name.to_ascii_lowercase().ends_with(".sql")
}

/// Why an image that was read could not start.
pub fn could_not_start(contents: &Contents) -> Vec<Problem> {
    starts(&contents.settings, &Tree::new([&contents.entries]))
}

fn starts(settings: &Settings, image: &Tree<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(start(settings, image));
    let working_dir = &settings.working_dir;
    if image.find(Path::new(working_dir)).is_none_or(|entry| entry.node != Node::Folder) {
        problems.push(Problem::WorkingDir(working_dir.clone()));
    }
    problems
}

fn start(settings: &Settings, image: &Tree<'_>) -> Option<Problem> {
    let Some(program) = settings.entrypoint.first() else { return Some(Problem::NoEntrypoint) };
    let program = program.clone();
    let entry = image.find(Path::new(&program));
    let Some(entry) = entry.filter(|entry| entry.node != Node::Folder) else {
        return Some(Problem::Absent(program));
    };
    if !may_execute(entry, &settings.user) {
        let (user, mode) = (settings.user.clone(), entry.mode);
        return Some(Problem::NotExecutable { program, user, mode });
    }
    let Some(elf) = image.elf(Path::new(&program)) else {
        return script(program, settings, image);
    };
    let found = elf.machine.architecture().unwrap_or("a processor that no image is for");
    if found != settings.architecture {
        let wanted = settings.architecture.clone();
        return Some(Problem::Architecture { program, found, wanted });
    }
    closure(image, Path::new(&program), elf).err().map(Problem::Closure)
}

/// What is no program is started by the one that its first line names (`execve(2)`).
fn script(path: String, settings: &Settings, image: &Tree<'_>) -> Option<Problem> {
    // What is not held in memory is too large for either to be looked into.
    let bytes = image.read(Path::new(&path))?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let named = line.strip_prefix(b"#!").map(String::from_utf8_lossy);
    let Some(interpreter) = named.as_ref().and_then(|line| line.split_whitespace().next()) else {
        return Some(Problem::NoProgram(path));
    };
    let there = image.find(Path::new(interpreter));
    let starts = there.is_some_and(|it| may_execute(it, &settings.user));
    let interpreter = interpreter.to_owned();
    (!starts).then_some(Problem::Interpreter { script: path, interpreter })
}

/// By the bits for its owner, its group or others (`path_resolution(7)`).
fn may_execute(entry: &Entry, user: &str) -> bool {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    let bit = match entry.owner {
        (owner, _) if uid == owner.to_string() => 0o100,
        (_, group) if gid == group.to_string() => 0o010,
        _ => 0o001,
    };
    entry.mode & bit != 0
}

fn secrets(plan: &Plan) -> Vec<Problem> {
    let variables = plan.settings.env.iter().filter_map(|variable| {
        let (name, value) = variable.split_once('=')?;
        let what = "is in the image's environment and is called like a secret";
        (!value.is_empty() && is_called_secret(name))
            .then(|| Problem::Secret { path: name.to_owned(), what })
    });
    let files = plan.layers.iter().flat_map(|layer| layer.entries.iter());
    let files = files.filter_map(|(path, entry)| {
        let what = secret(path, entry)?;
        Some(Problem::Secret { path: path.to_owned(), what })
    });
    variables.chain(files).collect()
}

fn is_called_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let ends = ["PASSWORD", "SECRET", "TOKEN", "PRIVATE_KEY", "ACCESS_KEY", "API_KEY"];
    ends.iter().any(|end| name.ends_with(end))
}

/// Why a file looks like a secret. Only what was copied: programs and libraries hold texts that
/// look like keys.
fn secret(path: &str, entry: &Entry) -> Option<&'static str> {
    let Node::Copy { from, size } = &entry.node else { return None };
    let name = path.rsplit('/').next().unwrap_or_default();
    if name == ".env" || name.starts_with(".env.") {
        return Some("is a file of secret settings by its name");
    }
    if ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"].contains(&name) {
        return Some("is a private key by its name");
    }
    if *size > SEARCHED {
        return None;
    }
    let bytes = fs::read(from).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return Some("holds a private key");
    }
    text.match_indices("AKIA").any(|(at, _)| is_aws_key(&text, at)).then_some("holds a key of AWS")
}

/// `AKIA` and 16 capitals or digits, no more (AWS, "IAM identifiers").
fn is_aws_key(text: &str, at: usize) -> bool {
    let key = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
    rest.iter().take_while(|byte| key(byte)).count() == 20 && !before.is_some_and(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Compression;
    use crate::layer::Entries;
    use crate::plan::PlannedLayer;

    /// This test as the program, and nothing that it needs.
    fn plan(files: &[(&str, Node, u32)]) -> Plan {
        let mut entries = Entries::default();
        for (path, node, mode) in files {
            let entry = Entry { node: node.clone(), mode: *mode, owner: (0, 0), modified: 0 };
            entries.put(path, entry);
        }
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let settings = Settings {
            architecture: architecture.to_owned(),
            entrypoint: vec!["/app/server".to_owned()],
            user: "65532:65532".to_owned(),
            working_dir: "/".to_owned(),
            ..Settings::default()
        };
        let layer = PlannedLayer { entries, ..PlannedLayer::default() };
        Plan { base: None, layers: vec![layer], compression: Compression::Gzip, settings }
    }

    fn found(plan: &Plan) -> Vec<String> {
        preflight(plan).iter().map(ToString::to_string).collect()
    }

    fn own() -> Node {
        Node::Bytes(std::fs::read(std::env::current_exe().unwrap()).unwrap())
    }

    #[test]
    fn what_keeps_a_program_from_starting_is_found() {
        let shell = ("/bin/sh", Node::Bytes(b"#!/bin/sh\n".to_vec()), 0o755);
        let script = Node::Bytes(b"#! /bin/sh -e\n".to_vec());
        let with = |path: &'static str, mode: u32| {
            found(&plan(&[(path, script.clone(), mode), shell.clone()]))
        };
        assert_eq!(with("/app/server", 0o755), [""; 0]);
        assert!(with("/app/other", 0o755)[0].contains("not in the image"));
        let locked = with("/app/server", 0o744);
        assert!(locked[0].contains("user 65532:65532 may not execute it (its mode is 744)"));
        let alone = found(&plan(&[("/app/server", script.clone(), 0o755)]));
        assert!(alone[0].contains("started by /bin/sh, which is not in the image"), "{alone:?}");
        for none in [&b"\x7fELF damaged"[..], b"", b"#!", b"text"] {
            let none = found(&plan(&[("/app/server", Node::Bytes(none.to_vec()), 0o755)]));
            assert!(none[0].contains("neither a program nor a script"), "{none:?}");
        }
        let missing = found(&plan(&[("/app/server", own(), 0o755)]));
        assert!(
            missing[0].starts_with("inside of the image, /app/server needs /lib"),
            "{missing:?}"
        );

        let mut other = plan(&[("/app/server", own(), 0o755)]);
        other.settings.architecture = "riscv64".to_owned();
        assert!(found(&other)[0].contains("and the image says riscv64"));
        let mut elsewhere = plan(&[("/app/server", script, 0o755), shell]);
        elsewhere.settings.working_dir = "/app/data".to_owned();
        assert!(found(&elsewhere)[0].contains("starts in /app/data"));
        elsewhere.settings.working_dir = "/app".to_owned();
        assert_eq!(found(&elsewhere), [""; 0]);
        elsewhere.settings.entrypoint.clear();
        assert!(found(&elsewhere)[0].contains("no entrypoint"));
    }

    #[test]
    fn links_are_followed_inside_of_the_image_and_not_for_ever() {
        let link = |to: &str| Node::Link(to.to_owned());
        let script = Node::Bytes(b"#!/usr/bin/real".to_vec());
        let real = ("/usr/bin/real", script, 0o755);
        let by = |path: &'static str, to: &str| {
            found(&plan(&[(path, link(to), 0o777), real.clone()])).len()
        };
        assert_eq!(by("/app/server", "../usr/bin/real"), 0);
        assert_eq!(by("/app/server", "../../../usr/bin/real"), 0, "nothing is above the root");
        assert_eq!(by("/app", "/usr/bin"), 1, "there is no server");
        assert_eq!(by("/app/server", "server"), 1, "a circle");
        assert_eq!(by("/app/server", "/usr/bin/real"), 0);
    }

    #[test]
    fn a_program_that_was_built_of_other_migrations_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let from = folder.path().join(name);
            std::fs::write(&from, text).unwrap();
            Node::Copy { size: text.len() as u64, from }
        };
        let with = |program: &str| {
            found(&plan(&[
                ("/app/server", file("server", program), 0o755),
                ("/m/1_users.sql", file("1_users.sql", "CREATE TABLE users"), 0o644),
                ("/m/2_posts.sql", file("2_posts.sql", "CREATE TABLE posts"), 0o644),
                ("/m/query.sql", file("query.sql", "SELECT 1"), 0o644),
            ]))
        };
        assert_eq!(with("#!/app/server none of them"), [""; 0]);
        assert_eq!(with("#!/app/server CREATE TABLE users; CREATE TABLE posts"), [""; 0]);
        let problems = with("#!/app/server CREATE TABLE users");
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].contains("migrations of /m in itself, but not 2_posts.sql"),
            "{problems:?}"
        );
        assert!(
            is_migration("V2__x.sql") && is_migration("20240101-x.SQL") && is_migration("3.sql")
        );
        assert!(!is_migration("v.sql") && !is_migration("a1.sql") && !is_migration("1.txt"));
    }

    #[test]
    fn a_text_is_found_wherever_it_stands() {
        let window = WINDOW as usize;
        for at in [0, 5, window - 3, window, 2 * window - 1, 3 * window - 7] {
            let mut program = vec![b'.'; 3 * window];
            program.splice(at..at + 7, *b"-- text");
            let texts = BTreeSet::from([&b"-- text"[..], b"-- other"]);
            let missing = missing_in(program.as_slice(), texts).unwrap();
            assert_eq!(missing, BTreeSet::from([&b"-- other"[..]]), "{at}");
        }
    }

    #[test]
    fn secrets_are_found_where_they_are_usually_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let looks = |name: &str, text: &str| {
            let from = folder.path().join("file");
            std::fs::write(&from, text).unwrap();
            let node = Node::Copy { from, size: text.len() as u64 };
            let entry = Entry { node, mode: 0o644, owner: (0, 0), modified: 0 };
            secret(name, &entry).is_some()
        };
        let (begin, key) = ("-----BEGIN RSA ", "PRIVATE KEY-----");
        assert!(looks("/a/key.pem", &format!("{begin}{key}\nMII")));
        assert!(
            looks("/a/.env", "A=b") && looks("/a/.env.local", "") && looks("/a/id_ed25519", "")
        );
        let aws = format!("AKIA{}", "IOSFODNN7EXAMPLE");
        assert!(looks("/a/notes", &format!("key={aws}\n")));
        assert!(!looks("/a/notes", &format!("X{aws}")) && !looks("/a/notes", &format!("{aws}X")));
        assert!(!looks("/a/cert.pem", "-----BEGIN CERTIFICATE-----"));

        let mut named = plan(&[("/app/server", Node::Bytes(b"#!/app/server".to_vec()), 0o755)]);
        named.settings.env = vec!["DB_PASSWORD=x".into(), "JWT_SECRET=".into(), "PATH=/bin".into()];
        let problems = found(&named);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("DB_PASSWORD is in the image's environment"));
    }
}
