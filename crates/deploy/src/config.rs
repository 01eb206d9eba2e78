//! `deploy.toml`: where releases go. Pure.
//!
//! One section for each environment; what stands above the sections is so for all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use toml::{Table, Value};

/// What an environment says. Every key may be left away; flags win.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Config {
    /// Such as `eu-central-1`; else as `aws-config` finds it.
    pub region: Option<String>,
    /// The number of the account that it must be in.
    pub account: Option<String>,
    /// The role that a job's identity is exchanged for (`CircleCI`).
    pub role: Option<String>,
    /// The cluster of ECS.
    pub cluster: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// The container that gets the image; the only one if nothing is said.
    pub container: Option<String>,
    /// `oci:DIR[:TAG]`, `oci-archive:FILE`, `docker-archive:FILE`, or `docker://…` that is there.
    pub image: Option<String>,
    /// The repository of ECR that it is pushed to.
    pub repository: Option<String>,
    /// The tags that it gets there.
    pub tags: Vec<String>,
    /// Variables that are set.
    pub variables: BTreeMap<String, String>,
    /// Variables that are set from secrets or parameters: `valueFrom`.
    pub secrets: BTreeMap<String, String>,
    /// The arguments of a task of the new revision that must succeed before the service gets it.
    pub migrate: Vec<String>,
    /// The arguments of a task that says, as `migrate status` does, whether an image fits the schema:
    /// asked before a service is brought back to it.
    pub schema: Vec<String>,
    /// The stack of `CloudFormation` that the service is part of; named as the service if nothing is
    /// said.
    pub stack: Option<String>,
    /// Its template: a file, or an address in S3; the one that comes along if nothing is said.
    pub template: Option<String>,
    /// The template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// After so many minutes a deployment is given up.
    pub timeout_minutes: Option<u64>,
    /// After so many tasks that failed it is given up.
    pub failures: Option<usize>,
    /// Whether the service is brought back then; it is if nothing is said.
    pub rollback: Option<bool>,
}

const KEYS: [&str; 19] = [
    "region",
    "account",
    "role",
    "cluster",
    "service",
    "container",
    "image",
    "repository",
    "tags",
    "variables",
    "secrets",
    "migrate",
    "schema",
    "stack",
    "template",
    "parameters",
    "timeout-minutes",
    "failures",
    "rollback",
];

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is no TOML.
    #[error("deploy.toml can't be read: {0}")]
    Syntax(String),
    /// A key that is none.
    #[error("there is no key {key:?} in deploy.toml{}", meant(*.nearest))]
    Key {
        /// As it was written.
        key: String,
        /// One that is like it.
        nearest: Option<&'static str>,
    },
    /// An environment that is not there.
    #[error("there is no environment {wanted:?} in deploy.toml: there are {}", .known.join(", "))]
    Environment {
        /// As it was called.
        wanted: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It does not say which.
    #[error("deploy.toml has the environments {}: say which with --env", .0.join(", "))]
    Which(Vec<String>),
    /// A variable that is named and not set.
    #[error("the variable {0} is named in deploy.toml or a flag, and not set; $$ is a dollar")]
    Unset(String),
}

fn meant(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || format!(": there are {}", KEYS.join(", ")),
        |key| format!(": did you mean {key:?}?"),
    )
}

impl Config {
    /// What a file says of an environment, or of its only one. Variables are replaced where a value is
    /// used (see [`expanded`]), so that who looks at a service need not set those of a release.
    pub fn read(text: &str, environment: Option<&str>) -> Result<Self, ConfigError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ConfigError::Syntax(error.to_string()))?;
        let is_section = |key: &str, value: &Value| value.is_table() && !KEYS.contains(&key);
        let sections = table.iter().filter(|(key, value)| is_section(key, value));
        let sections: BTreeMap<&str, &Value> =
            sections.map(|(key, value)| (key.as_str(), value)).collect();
        let known = || sections.keys().map(|it| (*it).to_owned()).collect();
        let section = match (environment, sections.len()) {
            (Some(wanted), _) => {
                let refuse =
                    || ConfigError::Environment { wanted: wanted.to_owned(), known: known() };
                Some(*sections.get(wanted).ok_or_else(refuse)?)
            }
            (None, 0 | 1) => sections.values().next().copied(),
            (None, _) => return Err(ConfigError::Which(known())),
        };
        let mut merged = table.clone();
        merged.retain(|key, value| !is_section(key, value));
        merged.extend(section.and_then(Value::as_table).cloned().unwrap_or_default());
        for key in merged.keys() {
            if !KEYS.contains(&key.as_str()) {
                let near =
                    KEYS.into_iter().map(|known| (strsim::damerau_levenshtein(key, known), known));
                let nearest = near.min().filter(|(apart, _)| *apart <= 3).map(|(_, known)| known);
                return Err(ConfigError::Key { key: key.clone(), nearest });
            }
        }
        Value::Table(merged)
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Syntax(error.to_string()))
    }

    /// After how long a deployment is given up.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_minutes.map(Duration::from_mins)
    }
}

/// Replaces `$NAME` and `${NAME}` by variables, as `circleci env subst` does; `$$` is a dollar.
pub fn expanded(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ConfigError> {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut dollar = false;
    for part in parts {
        if dollar {
            out.push_str(part);
            dollar = false;
            continue;
        }
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let (name, rest) = match part.strip_prefix('{').and_then(|part| part.split_once('}')) {
            Some(pair) => pair,
            None => part.split_at(part.find(|it| !is_name(it)).unwrap_or(part.len())),
        };
        if part.is_empty() {
            // The first of two: the second is one.
            dollar = true;
            out.push('$');
        } else if name.is_empty() || !name.chars().all(is_name) {
            out.push('$');
            out.push_str(part);
        } else {
            // What stands around it may be a secret.
            let unset = || ConfigError::Unset(name.to_owned());
            out.push_str(&variable(name).ok_or_else(unset)?);
            out.push_str(rest);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        (name == "CIRCLE_SHA1").then(|| "abc".to_owned())
    }

    const FILE: &str = "region = \"eu-central-1\"\ncluster = \"main\"\ntags = [\"${CIRCLE_SHA1}\"]\n\
                        [production]\nservice = \"app\"\ncluster = \"other\"\ntimeout-minutes = 5\n\
                        variables = { A = \"$CIRCLE_SHA1-x\" }\n[staging]\nservice = \"app-s\"\n";

    #[test]
    fn an_environment_says_what_others_do_not() {
        let of = |environment| Config::read(FILE, Some(environment)).unwrap();
        let production = of("production");
        assert_eq!(production.cluster.as_deref(), Some("other"));
        assert_eq!(production.region.as_deref(), Some("eu-central-1"));
        assert_eq!(expanded(&production.tags[0], &variable).unwrap(), "abc");
        assert_eq!(expanded(&production.variables["A"], &variable).unwrap(), "abc-x");
        assert_eq!(production.timeout(), Some(Duration::from_mins(5)));
        assert_eq!(of("staging").cluster.as_deref(), Some("main"));
        let alone = Config::read("service = \"a\"", None).unwrap();
        assert_eq!(alone.service.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        let error =
            |text: &str, environment| Config::read(text, environment).unwrap_err().to_string();
        assert_eq!(
            error("[p]\nclutser = \"a\"", None),
            "there is no key \"clutser\" in deploy.toml: did you mean \"cluster\"?"
        );
        assert!(error(FILE, None).contains("production, staging: say which"));
        assert!(error(FILE, Some("prod")).contains("there are production, staging"));
        assert!(error("service = 1", None).contains("deploy.toml can't be read"));
        assert!(error("service = ", None).contains("deploy.toml can't be read"));
    }

    #[test]
    fn dollars_are_names_or_dollars() {
        let of = |text| expanded(text, &variable);
        assert_eq!(of("a$$b$$$CIRCLE_SHA1.${CIRCLE_SHA1}"), Ok("a$b$abc.abc".to_owned()));
        assert_eq!(of("a$ b$"), Ok("a$ b$".to_owned()));
        let unset = of("secret${MISSING}").unwrap_err().to_string();
        assert!(unset.starts_with("the variable MISSING is named"), "{unset}");
        assert!(!unset.contains("secret"), "{unset}");
    }
}
