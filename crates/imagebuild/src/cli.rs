//! Verbs: arguments → library → text or JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::build::{BuildError, Built, build};
use crate::closure::Folder;
use crate::image::Settings;
use crate::package::{Package, PackageError};
use crate::plan::{Listed, Plan, PlanError, Request, plan};
use crate::preflight::{Problem, could_not_start, preflight};
use crate::read::{ReadError, read};

const HEADING: anstyle::Style = anstyle::Style::new().bold();
const ASIDE: anstyle::Style = anstyle::Style::new().dimmed();

/// Turns a program into a slim OCI image, without a daemon.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what would be in the image, in which layer, and why
    Plan {
        #[command(flatten)]
        what: What,
    },
    /// Build the image and print its digest
    Build {
        #[command(flatten)]
        what: What,
        /// Where it goes: oci:DIR or oci:DIR:TAG, a folder in the OCI image layout
        #[arg(short, long, value_name = "IMAGE", required = true)]
        output: Vec<String>,
        /// Build it although it could not start, or holds what looks like a secret
        #[arg(long)]
        force: bool,
    },
    /// Compute every digest of an image again, and look whether it could start
    Verify {
        /// oci:DIR or oci:DIR:TAG
        image: String,
    },
}

/// What is to be in the image.
#[derive(Debug, Args)]
pub struct What {
    /// The package whose program is built for the image, and whose Cargo.toml says what else is in it
    #[arg(short, long, value_name = "NAME", required_unless_present = "binary")]
    package: Option<String>,
    /// A program that is there already
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// The target that the program is built for, as rustc calls it
    #[arg(long, value_name = "TRIPLE", conflicts_with = "binary")]
    target: Option<String>,
    /// Where it goes in the image [default: /usr/local/bin/NAME]
    #[arg(long, value_name = "PATH")]
    place: Option<PathBuf>,
    /// A file or folder that goes into the image, as a layer of its own
    #[arg(long = "copy", value_name = "FROM:TO", value_parser = from_to)]
    copies: Vec<(PathBuf, PathBuf)>,
    /// A folder that is empty and belongs to whom it runs as
    #[arg(long = "writable", value_name = "PATH")]
    writable: Vec<PathBuf>,
    /// An argument that it is started with
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// A variable of its environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<String>,
    /// Who it runs as, in numbers [default: 65532:65532]
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    user: Option<String>,
    /// A port that it listens on, such as 8080 or 53/udp
    #[arg(long = "port", value_name = "PORT[/PROTOCOL]", value_parser = port)]
    ports: Vec<String>,
    /// The folder that it starts in [default: /]
    #[arg(long, value_name = "PATH")]
    working_dir: Option<PathBuf>,
    /// What asks it to end, such as SIGTERM
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Said of the image: a label of its configuration
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    label: Vec<String>,
    /// Where shared libraries are taken from: the root of another system
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Why a verb failed. Each text is complete.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// See there.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// See there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// See there.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Neither a package nor a program was named.
    #[error("name what the image is for: -p PACKAGE or --binary PATH")]
    Nothing,
    /// A value of a package's configuration.
    #[error("{value:?} in package.metadata.image is not as it should be: {wanted}")]
    Value {
        /// As it was written.
        value: String,
        /// How to write it.
        wanted: String,
    },
    /// The image could not start, or should not be seen.
    #[error("nothing was built:{}\n`--force` builds it nevertheless", items(.0))]
    Preflight(Vec<Problem>),
    /// See there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An image is not as it should be.
    #[error("{image} is not sound:{}", items(.problems))]
    Unsound {
        /// Which.
        image: String,
        /// What is wrong.
        problems: Vec<String>,
    },
    /// The name of an image that is none.
    #[error("{0:?} names no place for an image: write oci:DIR or oci:DIR:TAG")]
    Image(String),
    /// `SOURCE_DATE_EPOCH` is no time.
    #[error("SOURCE_DATE_EPOCH is {0:?}, which is no number of seconds since 1970")]
    Epoch(String),
    /// The output can't be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

fn items(problems: &[impl ToString]) -> String {
    problems.iter().fold(String::new(), |text, problem| text + "\n  - " + &problem.to_string())
}

/// Does it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    match &arguments.verb {
        Verb::Plan { what } => {
            let plan = planned(what)?;
            show(out, &plan, what.json)?;
        }
        Verb::Build { what, output, force } => {
            // A word that names nothing is told before the work.
            let places = output.iter().map(|image| oci(image)).collect::<Result<Vec<_>, _>>()?;
            let plan = planned(what)?;
            let problems = if *force { Vec::new() } else { preflight(&plan) };
            if !problems.is_empty() {
                return Err(CliError::Preflight(problems));
            }
            tell(out, &build(&plan, &places)?, what.json)?;
        }
        Verb::Verify { image } => {
            let (folder, tag) = oci(image)?;
            let contents = read(folder, tag)?;
            let faults = contents.faults.iter().map(ToString::to_string);
            let problems = could_not_start(&contents);
            let problems: Vec<String> =
                faults.chain(problems.iter().map(ToString::to_string)).collect();
            if !problems.is_empty() {
                return Err(CliError::Unsound { image: image.clone(), problems });
            }
            let (files, size) = (contents.entries.iter().count(), human(contents.size));
            writeln!(
                out,
                "{HEADING}{}{HEADING:#} is sound: {files} entries, {size} compressed",
                contents.digest
            )?;
        }
    }
    Ok(())
}

/// What the flags say wins over what the package says; lists are taken together.
fn planned(what: &What) -> Result<Plan, CliError> {
    let package = what.package.as_deref().map(Package::find).transpose()?;
    let program = match (&what.binary, &package) {
        (Some(binary), _) => binary.clone(),
        (None, Some(package)) => package.build(what.target.as_deref())?,
        (None, None) => return Err(CliError::Nothing),
    };
    let folder = package.as_ref().map(|package| package.folder.clone()).unwrap_or_default();
    let config = package.map(|package| package.config).unwrap_or_default();
    let name = program.file_name().unwrap_or_default();
    let place = what.place.clone().or(config.place);
    let place = place.unwrap_or_else(|| Path::new("/usr/local/bin").join(name));

    let mut entrypoint = vec![place.to_string_lossy().into_owned()];
    let arguments =
        if what.arguments.is_empty() { config.arguments } else { what.arguments.clone() };
    entrypoint.extend(arguments);
    let pair = |pair: &String| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let mut env = config.env;
    env.extend(what.env.iter().filter_map(pair));
    let mut labels = config.labels;
    labels.extend(what.label.iter().filter_map(pair));
    let working_dir = what.working_dir.clone().or(config.working_dir);
    let checked = |value: &str, check: fn(&str) -> Result<String, String>| {
        check(value).map_err(|wanted| CliError::Value { value: value.to_owned(), wanted })
    };
    let ports = config.ports.iter().map(|value| checked(value, port));
    let mut ports = ports.collect::<Result<Vec<_>, _>>()?;
    ports.extend(what.ports.iter().cloned());
    let settings = Settings {
        architecture: String::new(),
        entrypoint,
        env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        user: match (&what.user, &config.user) {
            (Some(user), _) => user.clone(),
            (None, Some(value)) => checked(value, user)?,
            (None, None) => String::new(),
        },
        working_dir: working_dir.unwrap_or_default().to_string_lossy().into_owned(),
        ports,
        stop_signal: what.stop_signal.clone().or(config.stop_signal),
        labels,
        annotations: BTreeMap::new(),
        created: created()?,
    };
    let copies = config.copy.into_iter().map(|copy| (short(&folder.join(copy.from)), copy.to));
    let writable = config.writable.into_iter().chain(what.writable.iter().cloned());
    let request = Request {
        program,
        place: Some(place),
        copies: copies.chain(what.copies.iter().cloned()).collect(),
        writable: writable.collect(),
        settings,
    };
    Ok(plan(&Folder(what.root.clone()), request)?)
}

/// The path as it is shown: without `..`, from this folder if it is inside of it.
fn short(path: &Path) -> PathBuf {
    let Ok(whole) = path.canonicalize() else { return path.to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    whole.strip_prefix(here).map_or_else(|_| whole.clone(), Path::to_owned)
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), else when the commit that is checked out was made,
/// else 1970.
fn created() -> Result<u64, CliError> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return epoch.parse().map_err(|_| CliError::Epoch(epoch));
    }
    let commit = Command::new("git").args(["log", "-1", "--format=%ct"]).output();
    let time = commit.ok().and_then(|commit| String::from_utf8(commit.stdout).ok());
    Ok(time.and_then(|time| time.trim().parse().ok()).unwrap_or_default())
}

/// `oci:DIR[:TAG]`, as skopeo writes it.
fn oci(image: &str) -> Result<(&Path, Option<&str>), CliError> {
    let refuse = || CliError::Image(image.to_owned());
    let rest = image.strip_prefix("oci:").ok_or_else(refuse)?;
    let (folder, tag) = match rest.rsplit_once(':') {
        Some((folder, tag)) => (folder, Some(tag)),
        None => (rest, None),
    };
    if folder.is_empty() || tag.is_some_and(str::is_empty) {
        Err(refuse())
    } else {
        Ok((Path::new(folder), tag))
    }
}

#[derive(Serialize)]
struct PlanReport<'a> {
    settings: &'a Settings,
    files: Vec<Listed>,
}

fn show(out: &mut dyn Write, plan: &Plan, json: bool) -> io::Result<()> {
    let files = plan.listing();
    if json {
        serde_json::to_writer_pretty(&mut *out, &PlanReport { settings: &plan.settings, files })?;
        return writeln!(out);
    }
    let longest = files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
    for layer in &plan.layers {
        let size = human(layer.entries.size());
        writeln!(out, "{HEADING}{}{HEADING:#}  {size}", layer.name)?;
        for file in files.iter().filter(|file| file.layer == layer.name) {
            let (path, size, reason) = (&file.path, human(file.size), &file.reason);
            writeln!(out, "  {path:longest$}  {size:>10}  {ASIDE}{reason}{ASIDE:#}")?;
        }
    }
    Ok(())
}

fn tell(out: &mut dyn Write, built: &Built, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, built)?;
        return writeln!(out);
    }
    for layer in &built.layers {
        let (files, size) = (human(layer.files), human(layer.size));
        writeln!(
            out,
            "{:20} {files:>10} → {size:>10}  {ASIDE}{}{ASIDE:#}",
            layer.name, layer.digest
        )?;
    }
    writeln!(out, "{HEADING}{}{HEADING:#}  {} compressed", built.digest, human(built.size))
}

/// As MiB, KiB or bytes.
fn human(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.2} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn from_to(text: &str) -> Result<(PathBuf, PathBuf), String> {
    match text.rsplit_once(':') {
        Some((from, to)) if !from.is_empty() && to.starts_with('/') => Ok((from.into(), to.into())),
        _ => Err("write FROM:TO, where TO is an absolute path in the image".to_owned()),
    }
}

fn variable(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn user(text: &str) -> Result<String, String> {
    let number = |part: &str| part.parse::<u32>().is_ok();
    let (uid, gid) = text.split_once(':').unwrap_or((text, "0"));
    if number(uid) && number(gid) {
        Ok(text.to_owned())
    } else {
        Err("write numbers, UID or UID:GID".to_owned())
    }
}

fn port(text: &str) -> Result<String, String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match number.parse::<u16>() {
        Ok(number) if number > 0 && ["tcp", "udp", "sctp"].contains(&protocol) => {
            Ok(format!("{number}/{protocol}"))
        }
        _ => Err("write a port from 1 to 65535, with /udp where it is not /tcp".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_skopeo_writes_them() {
        assert_eq!(oci("oci:/a/b:1.2").unwrap(), (Path::new("/a/b"), Some("1.2")));
        assert_eq!(oci("oci:out").unwrap(), (Path::new("out"), None));
        for wrong in ["out", "oci:", "oci::x", "oci:out:", "docker:x"] {
            assert!(matches!(oci(wrong), Err(CliError::Image(_))), "{wrong}");
        }
    }

    #[test]
    fn values_are_checked_before_anything_is_done() {
        assert_eq!(port("80"), Ok("80/tcp".to_owned()));
        assert_eq!(port("53/udp"), Ok("53/udp".to_owned()));
        assert!(port("0").is_err() && port("x").is_err() && port("1/http").is_err());
        assert!(user("1000").is_ok() && user("1:2").is_ok() && user("root").is_err());
        assert!(variable("A=").is_ok() && variable("=x").is_err() && variable("A").is_err());
        assert!(from_to("a:/b").is_ok() && from_to("a:b").is_err() && from_to(":/b").is_err());
    }
}
