//! What somebody wants in an image: flags and a package's configuration → a request.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use crate::base::Base;
use crate::compress::Compression;
use crate::config::Config;
use crate::elf::Elf;
use crate::files::Times;
use crate::git;
use crate::image::Settings;
use crate::package::Package;
use crate::plan::{Copy, Request};

/// What is to be in the image.
#[derive(Debug, Args)]
pub struct What {
    /// The package whose program is built for the image, and whose Cargo.toml says what else is in it
    #[arg(short, long, value_name = "NAME", required_unless_present = "binary")]
    pub(super) package: Option<String>,
    /// A program that is there already; said more than once, for several kinds of processors, it is
    /// one image for all of them
    #[arg(long, value_name = "PATH")]
    binary: Vec<PathBuf>,
    /// The target that the program is built for, as rustc calls it; may be said more than once, too
    #[arg(long, value_name = "TRIPLE", conflicts_with = "binary")]
    target: Vec<String>,
    /// Where it goes in the image [default: /usr/local/bin/NAME]
    #[arg(long, value_name = "PATH")]
    place: Option<PathBuf>,
    /// What the image stands on, such as debian:12-slim [default: nothing]
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// A file or folder that goes into the image, as a layer of its own; its files get the times of
    /// their last commits (git), times that follow from their content, or that of the image (epoch)
    #[arg(long = "copy", value_name = "FROM:TO[:git|content|epoch]", value_parser = from_to)]
    copies: Vec<Copy>,
    /// A folder that is empty and belongs to whom it runs as
    #[arg(long = "writable", value_name = "PATH")]
    writable: Vec<PathBuf>,
    /// An argument that it is started with
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// A variable of its environment
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<String>,
    /// Who it runs as, in numbers [default: the base's, or 65532:65532]
    #[arg(long, value_name = "UID[:GID]", value_parser = user)]
    user: Option<String>,
    /// A port that it listens on, such as 8080 or 53/udp
    #[arg(long = "port", value_name = "PORT[/PROTOCOL]", value_parser = port)]
    ports: Vec<String>,
    /// The folder that it starts in [default: the base's, or /]
    #[arg(long, value_name = "PATH")]
    working_dir: Option<PathBuf>,
    /// What asks it to end, such as SIGTERM
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// A program in the image, or an argument of it, that tells whether the container is well
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    health_check: Vec<String>,
    /// Put the rules of time zones in
    #[arg(long)]
    time_zones: bool,
    /// How layers are compressed [default: gzip]
    #[arg(long, value_enum)]
    compression: Option<Compression>,
    /// Said of the image: a label of its configuration
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    label: Vec<String>,
    /// Said of the image: an annotation of its manifest
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    annotation: Vec<String>,
    /// The most that the image may have, compressed, such as "12 MiB"
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Where shared libraries are taken from, for all programs or those of a platform: the root of
    /// another system [default: /]
    #[arg(long = "root", value_name = "[OS/ARCH=]DIR", value_parser = root)]
    roots: Vec<Root>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Where libraries are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    /// For programs of this architecture; else for all.
    architecture: Option<String>,
    folder: PathBuf,
}

/// What flags and configuration say together of one program.
pub(super) struct Wanted {
    /// But for the base.
    pub(super) request: Request,
    /// The target that it was built for, if one was named.
    pub(super) target: Option<String>,
    /// What it is for, as Go calls it, if that is known.
    pub(super) architecture: Option<&'static str>,
    /// Where libraries are taken from.
    pub(super) root: PathBuf,
    /// Whether it is built in a repository of git.
    pub(super) in_git: bool,
    /// What it stands on.
    pub(super) base: Option<String>,
    /// Where the digests of bases are written down.
    pub(super) lock: PathBuf,
    /// The most that the image may have, in bytes.
    pub(super) max_size: Option<u64>,
}

impl What {
    /// One for each program. What the flags say wins over what the package says; lists are taken
    /// together.
    pub(super) fn wanted(&self) -> Result<Vec<Wanted>, CliError> {
        let package = self.package.as_deref().map(Package::find).transpose()?;
        let build = |target: Option<&String>| match &package {
            Some(package) => Ok((package.build(target.map(String::as_str))?, target.cloned())),
            None => Err(CliError::Nothing),
        };
        let programs: Vec<(PathBuf, Option<String>)> = if !self.binary.is_empty() {
            self.binary.iter().map(|binary| (binary.clone(), None)).collect()
        } else if self.target.is_empty() {
            vec![build(None)?]
        } else {
            self.target.iter().map(|target| build(Some(target))).collect::<Result<_, _>>()?
        };
        let one = |(program, target)| self.one(package.clone(), program, target);
        programs.into_iter().map(one).collect()
    }

    fn one(
        &self,
        package: Option<Package>,
        program: PathBuf,
        target: Option<String>,
    ) -> Result<Wanted, CliError> {
        let elf = File::open(&program).ok().and_then(|file| Elf::open(file).ok());
        let architecture = elf.and_then(|elf| elf.machine.architecture());
        let for_it = |root: &&Root| root.architecture.is_none();
        let for_its_kind = |root: &&Root| root.architecture.as_deref() == architecture;
        let root = self.roots.iter().find(for_its_kind).or_else(|| self.roots.iter().find(for_it));
        let root = root.map_or_else(|| PathBuf::from("/"), |root| root.folder.clone());
        let folder = package.as_ref().map(|package| package.folder.clone()).unwrap_or_default();
        let workspace = package.as_ref().map(|it| it.workspace.clone()).unwrap_or_default();
        let about = package.as_ref().map(|package| package.about.clone()).unwrap_or_default();
        let config = package.map(|package| package.config).unwrap_or_default();
        let head =
            git::head(if workspace.as_os_str().is_empty() { Path::new(".") } else { &workspace });
        let in_git = head.is_some();
        let settings = self.settings(&config, &program, head, about)?;
        let of_package = config.copy.into_iter().map(|copy| {
            let from = short(&folder.join(copy.from));
            Copy { from, to: copy.to, times: copy.times }
        });
        let request = Request {
            program,
            place: settings.entrypoint.first().map(PathBuf::from),
            base: None::<Base>,
            copies: of_package.chain(self.copies.iter().cloned()).collect(),
            writable: config.writable.into_iter().chain(self.writable.iter().cloned()).collect(),
            time_zones: config.time_zones || self.time_zones,
            compression: self.compression.unwrap_or(config.compression),
            settings,
        };
        let max_size = config.max_size.as_deref().map(|text| checked(text, size)).transpose()?;
        Ok(Wanted {
            request,
            target,
            architecture,
            root,
            in_git,
            base: self.base.clone().or(config.base),
            lock: workspace.join("image.lock"),
            max_size: self.max_size.or(max_size),
        })
    }

    fn settings(
        &self,
        config: &Config,
        program: &Path,
        head: Option<git::Head>,
        about: std::collections::BTreeMap<String, String>,
    ) -> Result<Settings, CliError> {
        let name = program.file_name().unwrap_or_default();
        let place = self.place.clone().or_else(|| config.place.clone());
        let place = place.unwrap_or_else(|| Path::new("/usr/local/bin").join(name));
        let or = |flags: &[String], said: &[String]| {
            if flags.is_empty() { said.to_vec() } else { flags.to_vec() }
        };
        let mut entrypoint = vec![place.to_string_lossy().into_owned()];
        entrypoint.extend(or(&self.arguments, &config.arguments));
        let pair = |pair: &String| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let mut env = config.env.clone();
        env.extend(self.env.iter().filter_map(pair));
        let mut labels = config.labels.clone();
        labels.extend(self.label.iter().filter_map(pair));
        let mut annotations = about;
        let revision = head.as_ref().map(|head| head.commit.clone());
        annotations.extend(revision.map(|it| ("org.opencontainers.image.revision".to_owned(), it)));
        annotations.extend(self.annotation.iter().filter_map(pair));
        let working_dir = self.working_dir.clone().or_else(|| config.working_dir.clone());
        let ports = config.ports.iter().map(|value| checked(value, port));
        let mut ports = ports.collect::<Result<Vec<_>, _>>()?;
        ports.extend(self.ports.iter().cloned());
        Ok(Settings {
            architecture: String::new(),
            entrypoint,
            env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            user: match (&self.user, &config.user) {
                (Some(user), _) => user.clone(),
                (None, Some(value)) => checked(value, user)?,
                (None, None) => String::new(),
            },
            working_dir: working_dir.unwrap_or_default().to_string_lossy().into_owned(),
            ports,
            stop_signal: self.stop_signal.clone().or_else(|| config.stop_signal.clone()),
            health_check: or(&self.health_check, &config.health_check),
            labels,
            annotations,
            created: created(head)?,
        })
    }
}

/// The path as it is shown: without `..`, from this folder if it is inside of it.
fn short(path: &Path) -> PathBuf {
    let Ok(whole) = path.canonicalize() else { return path.to_owned() };
    let here = std::env::current_dir().unwrap_or_default();
    whole.strip_prefix(here).map_or_else(|_| whole.clone(), Path::to_owned)
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), else when the commit that is checked out was made,
/// else 1970.
pub(super) fn created(head: Option<git::Head>) -> Result<u64, CliError> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(epoch) => epoch.parse().map_err(|_| CliError::Epoch(epoch)),
        Err(_) => Ok(head.map(|head| head.time).unwrap_or_default()),
    }
}

fn checked<T>(value: &str, check: fn(&str) -> Result<T, String>) -> Result<T, CliError> {
    check(value).map_err(|wanted| CliError::Value { value: value.to_owned(), wanted })
}

fn from_to(text: &str) -> Result<Copy, String> {
    let (rest, times) = match text.rsplit_once(':') {
        Some((rest, "git")) => (rest, Times::Git),
        Some((rest, "content")) => (rest, Times::Content),
        Some((rest, "epoch")) => (rest, Times::Epoch),
        _ => (text, Times::default()),
    };
    match rest.rsplit_once(':') {
        Some((from, to)) if !from.is_empty() && to.starts_with('/') => {
            Ok(Copy { from: from.into(), to: to.into(), times })
        }
        _ => Err("write FROM:TO, where TO is an absolute path in the image, and after it :git, \
                  :content or :epoch if you like"
            .to_owned()),
    }
}

fn root(text: &str) -> Result<Root, String> {
    match text.split_once('=') {
        Some((platform, folder)) if !folder.is_empty() => {
            let architecture = Some(super::architecture(platform)?);
            Ok(Root { architecture, folder: folder.into() })
        }
        _ => Ok(Root { architecture: None, folder: text.into() }),
    }
}

pub(super) fn variable(text: &str) -> Result<String, String> {
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

/// In bytes.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        text.split_at(text.find(|it: char| it.is_alphabetic()).unwrap_or(text.len()));
    let unit: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    match number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err("write a whole number and KiB, MiB or GiB, such as \"12 MiB\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_before_anything_is_done() {
        assert_eq!(port("80"), Ok("80/tcp".to_owned()));
        assert_eq!(port("53/udp"), Ok("53/udp".to_owned()));
        assert!(port("0").is_err() && port("x").is_err() && port("1/http").is_err());
        assert!(user("1000").is_ok() && user("1:2").is_ok() && user("root").is_err());
        assert!(variable("A=").is_ok() && variable("=b").is_err() && variable("A").is_err());
        assert_eq!((size("12 MiB"), size("7"), size("1GiB")), (Ok(12 << 20), Ok(7), Ok(1 << 30)));
        assert!(size("12 MB").is_err() && size("").is_err() && size("0").is_err());
        assert!(size("99999999999999999 GiB").is_err());
    }

    #[test]
    fn roots_may_be_for_a_platform() {
        let of = |architecture: Option<&str>, folder: &str| {
            let architecture = architecture.map(ToOwned::to_owned);
            Ok(Root { architecture, folder: folder.into() })
        };
        assert_eq!(root("/a"), of(None, "/a"));
        assert_eq!(root("linux/arm64=/a"), of(Some("arm64"), "/a"));
        assert!(root("arm64=/a").is_err());
    }

    #[test]
    fn copies_may_say_their_times() {
        let copy =
            |from: &str, to: &str, times| Ok(Copy { from: from.into(), to: to.into(), times });
        assert_eq!(from_to("a:/b"), copy("a", "/b", Times::Git));
        assert_eq!(from_to("c:a:/b:content"), copy("c:a", "/b", Times::Content));
        assert!(from_to("a:b").is_err() && from_to(":/b").is_err() && from_to("/b").is_err());
    }
}
