//! A package of a Cargo workspace: what it says of its image, and its program.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::config::{Config, ConfigError};
use crate::crates::{Crate, from_metadata};
use crate::platform::Platform;

/// A package that images are built of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The folder of its Cargo.toml.
    pub folder: PathBuf,
    /// The folder of the workspace.
    pub workspace: PathBuf,
    /// What it says of itself, by the names that annotations of images have for it (image-spec,
    /// "Pre-Defined Annotation Keys").
    pub about: BTreeMap<String, String>,
    /// What it says of its image.
    pub config: Config,
    /// The names of its programs.
    programs: Vec<String>,
}

/// Why there is no program to build an image of.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Cargo can't be started.
    #[error("cargo can't be started: {0}")]
    Cargo(#[from] io::Error),
    /// Cargo's own words stand above.
    #[error("cargo {0} failed")]
    Failed(&'static str),
    /// What cargo printed is not what it should be.
    #[error("cargo {verb} printed what can't be read: {reason}")]
    Unreadable {
        /// What it was asked.
        verb: &'static str,
        /// Why.
        reason: String,
    },
    /// No such package.
    #[error("there is no package {name:?} in this workspace: there are {}", .known.join(", "))]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// Not one program.
    #[error("{name} has {} programs{}: an image has one", .programs.len(), listed(.programs))]
    Programs {
        /// The package.
        name: String,
        /// What it has.
        programs: Vec<String>,
    },
    /// See there.
    #[error("{name}: {reason}")]
    Config {
        /// The package.
        name: String,
        /// What is wrong.
        reason: ConfigError,
    },
}

fn listed(programs: &[String]) -> String {
    if programs.is_empty() { String::new() } else { format!(" ({})", programs.join(", ")) }
}

impl Package {
    /// Asks cargo about a package of the workspace around this folder.
    pub fn find(name: &str) -> Result<Self, PackageError> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let printed = cargo("metadata", &arguments.map(ToOwned::to_owned))?;
        let metadata: Value = serde_json::from_slice(&printed).map_err(|error| {
            PackageError::Unreadable { verb: "metadata", reason: error.to_string() }
        })?;
        let packages: Vec<&Value> =
            metadata.get("packages").and_then(Value::as_array).into_iter().flatten().collect();
        let Some(package) = packages.iter().find(|package| text(package, "/name") == Some(name))
        else {
            let known = packages.iter().filter_map(|package| text(package, "/name"));
            let known = known.map(ToOwned::to_owned).collect();
            return Err(PackageError::Unknown { name: name.to_owned(), known });
        };
        let is_program = |target: &&Value| {
            target
                .get("kind")
                .and_then(Value::as_array)
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
        };
        let targets = package
            .get("targets")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(is_program);
        let programs = targets.filter_map(|target| text(target, "/name").map(ToOwned::to_owned));
        let manifest = Path::new(text(package, "/manifest_path").unwrap_or_default());
        let config = Config::read(package.pointer("/metadata/image").unwrap_or(&Value::Null))
            .map_err(|reason| PackageError::Config { name: name.to_owned(), reason })?;
        let says = [
            ("title", "/name"),
            ("version", "/version"),
            ("description", "/description"),
            ("licenses", "/license"),
            ("source", "/repository"),
            ("url", "/homepage"),
            ("documentation", "/documentation"),
        ];
        let about = says.iter().filter_map(|(key, pointer)| {
            let value = text(package, pointer)?.to_owned();
            Some((format!("org.opencontainers.image.{key}"), value))
        });
        Ok(Self {
            name: name.to_owned(),
            workspace: text(&metadata, "/workspace_root").unwrap_or(".").into(),
            about: about.collect(),
            folder: manifest.parent().unwrap_or(Path::new(".")).to_owned(),
            config,
            programs: programs.collect(),
        })
    }

    /// Builds its program in the release profile, for another target if one is named, and gives
    /// where it is. What cargo has to say goes to standard error.
    pub fn build(&self, target: Option<&str>) -> Result<PathBuf, PackageError> {
        let [program] = self.programs.as_slice() else {
            let (name, programs) = (self.name.clone(), self.programs.clone());
            return Err(PackageError::Programs { name, programs });
        };
        let mut arguments: Vec<String> =
            ["build", "--release", "--locked", "--message-format", "json-render-diagnostics"]
                .map(ToOwned::to_owned)
                .to_vec();
        arguments.extend(["--package".into(), self.name.clone(), "--bin".into(), program.clone()]);
        if let Some(target) = target {
            arguments.extend(["--target".to_owned(), target.to_owned()]);
        }
        let printed = cargo("build", &arguments)?;
        let messages = printed.split(|byte| *byte == b'\n');
        let built = messages.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let path = built
            .filter(|message| text(message, "/target/name") == Some(program))
            .filter_map(|message| text(&message, "/executable").map(PathBuf::from))
            .next_back();
        path.ok_or_else(|| PackageError::Unreadable {
            verb: "build",
            reason: "it names no program".to_owned(),
        })
    }
}

impl Package {
    /// The crates in its program, built for a target or this machine.
    pub fn crates(&self, target: Option<&str>) -> Result<Vec<Crate>, PackageError> {
        let arguments = ["metadata", "--format-version", "1", "--locked"];
        let printed = cargo("metadata", &arguments.map(ToOwned::to_owned))?;
        let unreadable = |reason: String| PackageError::Unreadable { verb: "metadata", reason };
        let metadata: Value =
            serde_json::from_slice(&printed).map_err(|error| unreadable(error.to_string()))?;
        let lock = std::fs::read_to_string(self.workspace.join("Cargo.lock"))?;
        let platform = if let Some(target) = target {
            target.to_owned()
        } else {
            let about = rustc(&["-vV"])?;
            let host = about.lines().find_map(|line| line.strip_prefix("host: "));
            host.unwrap_or_default().to_owned()
        };
        let printed = rustc(&["--print", "cfg", "--target", &platform])?;
        let platform = Platform::new(&platform, &printed);
        from_metadata(&metadata, &lock, &self.name, Some(&platform))
            .map_err(|error| unreadable(error.to_string()))
    }
}

fn rustc(arguments: &[&str]) -> Result<String, PackageError> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn cargo(verb: &'static str, arguments: &[String]) -> Result<Vec<u8>, PackageError> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(PackageError::Failed(verb)) }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}
