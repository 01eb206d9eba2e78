//! `[package.metadata.image]` of a Cargo.toml: what the image of a package is. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::compress::Compression;
use crate::files::Times;

/// What a package says of its image. Every key may be left away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Config {
    /// Where the program goes; `/usr/local/bin/NAME` if nothing is said.
    pub place: Option<PathBuf>,
    /// What the image stands on, such as `debian:12-slim`; from scratch if nothing is said.
    pub base: Option<String>,
    /// Files and folders that go into the image.
    pub copy: Vec<FromTo>,
    /// Folders that are empty and belong to whom the program runs as.
    pub writable: Vec<PathBuf>,
    /// What the program is started with.
    pub arguments: Vec<String>,
    /// Its environment.
    pub env: BTreeMap<String, String>,
    /// Who it runs as, `UID:GID`.
    pub user: Option<String>,
    /// Ports that it listens on, such as `8080` or `53/udp`.
    pub ports: Vec<String>,
    /// The folder that it starts in.
    pub working_dir: Option<PathBuf>,
    /// What asks it to end.
    pub stop_signal: Option<String>,
    /// Program and arguments that tell by their exit code whether the container is well.
    pub health_check: Vec<String>,
    /// Whether the rules of time zones go in.
    pub time_zones: bool,
    /// How layers are compressed; `gzip` if nothing is said.
    pub compression: Compression,
    /// Said of the image.
    pub labels: BTreeMap<String, String>,
    /// The most that the image may have, compressed, such as `12 MiB`.
    pub max_size: Option<String>,
}

/// Something that is copied.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromTo {
    /// On this machine, from the folder of the Cargo.toml.
    pub from: PathBuf,
    /// In the image.
    pub to: PathBuf,
    /// The times of its files: `git` if nothing is said.
    #[serde(default)]
    pub times: Times,
}

const KEYS: [&str; 15] = [
    "place",
    "base",
    "copy",
    "writable",
    "arguments",
    "env",
    "user",
    "ports",
    "working-dir",
    "stop-signal",
    "health-check",
    "time-zones",
    "compression",
    "labels",
    "max-size",
];

/// What is wrong with a package's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A key that is none.
    #[error("there is no key {key:?} in package.metadata.image{}", meant(*.nearest))]
    Key {
        /// As it was written.
        key: String,
        /// One that is like it.
        nearest: Option<&'static str>,
    },
    /// A value of another kind than is wanted.
    #[error("package.metadata.image is not as it should be: {0}")]
    Value(String),
}

fn meant(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || format!(": there are {}", KEYS.join(", ")),
        |key| format!(": did you mean {key:?}?"),
    )
}

impl Config {
    /// From the value at `package.metadata.image`; nothing said is a value of its own.
    pub fn read(value: &Value) -> Result<Self, ConfigError> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let keys = value.as_object().into_iter().flat_map(serde_json::Map::keys);
        if let Some(key) = keys.into_iter().find(|key| !KEYS.contains(&key.as_str())) {
            let like = |known: &&&'static str| strsim::jaro(key, known) > 0.75;
            let by_likeness =
                |a: &&&str, b: &&&str| strsim::jaro(key, a).total_cmp(&strsim::jaro(key, b));
            let nearest = KEYS.iter().filter(like).max_by(by_likeness).copied();
            return Err(ConfigError::Key { key: key.clone(), nearest });
        }
        serde_json::from_value(value.clone()).map_err(|error| ConfigError::Value(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_said_is_read_and_the_rest_is_empty() {
        let config = Config::read(&json!({
            "copy": [{ "from": "assets", "to": "/srv/assets" }],
            "env": { "A": "b" },
            "working-dir": "/srv",
        }))
        .unwrap();
        assert_eq!(config.copy[0].to, PathBuf::from("/srv/assets"));
        assert_eq!(config.env["A"], "b");
        assert_eq!(config.working_dir, Some("/srv".into()));
        assert_eq!(Config::read(&Value::Null).unwrap(), Config::default());
    }

    #[test]
    fn what_is_misspelt_is_told_with_what_was_meant() {
        let fails = |value: Value| Config::read(&value).unwrap_err().to_string();
        assert!(fails(json!({ "zzz": 1 })).contains("there are place, base, copy"));
        assert!(fails(json!({ "argument": [] })).contains("did you mean \"arguments\"?"));
        assert!(fails(json!({ "working_dir": "/" })).contains("did you mean \"working-dir\"?"));
        assert!(fails(json!({ "ports": "80" })).contains("invalid type"));
        assert!(fails(json!({ "copy": [{ "from": "a", "too": "/b" }] })).contains("unknown field"));
    }
}
