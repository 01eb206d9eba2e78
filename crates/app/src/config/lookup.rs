//! Finding values: flag, then environment, then `.env`, then default, in this one place.

use std::{collections::BTreeMap, ffi::OsString, fmt, io, path::Path};

use serde::Serialize;

use super::{Mode, dotenv::DotEnv, raw::Flags, setting::Setting, table};

/// What a process finds around it: variables, and files to read.
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    read: Box<Read>,
}

/// Reads a file.
type Read = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync;

/// A setting that cannot be used, or several: all that is wrong is told at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", list(problems))]
pub struct ConfigError {
    /// One message for each problem.
    pub problems: Vec<String>,
}

/// A setting as it applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The setting's name.
    pub name: &'static str,
    /// Its value, fit to be shown: secrets are not in it.
    pub value: String,
    /// Where the value came from.
    #[serde(serialize_with = "as_text")]
    pub source: Source,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing set it.
    Default,
    /// A flag of this name.
    Flag(&'static str),
    /// An environment variable of this name.
    Environment(&'static str),
    /// A variable in `.env`.
    DotEnv {
        /// The variable.
        variable: &'static str,
        /// The line it stands on.
        line: usize,
    },
}

/// Looks values up, and keeps what it found and what was wrong.
pub(super) struct Lookup<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    dotenv: DotEnv,
    pub(super) mode: Mode,
    pub(super) effective: Vec<Effective>,
    problems: Vec<String>,
}

impl Environment {
    /// The environment of this process. Files are read when they are asked for, `.env` among them.
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os(), |path| std::fs::read(path))
    }

    /// An environment of these variables, and of the files that `read` finds.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
        read: impl Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        // A name that is not UTF-8 is none of ours.
        let named = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into().into_string().ok()?, value.into())));
        Self { variables: named.collect(), read: Box::new(read) }
    }

    /// An environment without variables or files.
    pub fn empty() -> Self {
        let no_file = |_: &Path| Err(io::ErrorKind::NotFound.into());
        Self::new(std::iter::empty::<(OsString, OsString)>(), no_file)
    }
}

impl<'a> Lookup<'a> {
    /// Decides the mode, from the flag and the real environment only, and reads `.env` if that is
    /// development: a file that travels with the code has no say about whether it is production.
    pub(super) fn start(
        flags: &'a Flags,
        environment: &'a Environment,
    ) -> Result<Self, ConfigError> {
        let mode = Mode::Development;
        let (effective, problems) = (Vec::new(), Vec::new());
        let dotenv = DotEnv::default();
        let mut lookup = Self { flags, environment, dotenv, mode, effective, problems };
        let Some(mode) = lookup.value(&table::ENV, Mode::parse, ToString::to_string) else {
            return Err(lookup.into_error());
        };
        lookup.mode = mode;
        if mode == Mode::Development {
            lookup.read_dotenv();
        }
        Ok(lookup)
    }

    fn read_dotenv(&mut self) {
        match self.read(Path::new(".env")).map(|text| DotEnv::parse(&text)) {
            Ok(Ok(dotenv)) => self.dotenv = dotenv,
            Ok(Err(why)) => self.problem(format!("the file .env: {why}")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.problem(format!("cannot read the file .env: {error}")),
        }
        let decided = self.effective.iter().any(|mode| mode.source != Source::Default);
        for variable in table::ENV.variables {
            // Someone who wrote this means it: starting in development would be the worse surprise.
            if let Some(("production", line)) = self.dotenv.get(variable)
                && !decided
            {
                self.problem(format!(
                    "{variable} from .env line {line}: production mode cannot be chosen in a file; \
                     set the variable in the environment itself, or start with --env production"
                ));
            }
        }
    }

    /// What was given for a setting, if anything, and where. Empty variables count as unset.
    pub(super) fn given(&mut self, setting: &'static Setting) -> Option<(String, Source)> {
        if let Some((flag, text)) = self.flags.get(setting) {
            return Some((text.to_owned(), Source::Flag(flag)));
        }
        for variable in setting.variables {
            match self.environment.variables.get(*variable).map(|value| value.to_str()) {
                None | Some(Some("")) => {}
                Some(Some(text)) => {
                    return Some((text.to_owned(), Source::Environment(variable)));
                }
                Some(None) => {
                    self.problem(format!("{variable} from the environment is not UTF-8 text"));
                }
            }
        }
        setting.variables.iter().find_map(|variable| {
            let (text, line) = self.dotenv.get(variable).filter(|(text, _)| !text.is_empty())?;
            Some((text.to_owned(), Source::DotEnv { variable, line }))
        })
    }

    /// The value of a setting that always has one. `None` means that there was a problem, which
    /// has been kept, and that the look-up cannot end well.
    pub(super) fn value<T>(
        &mut self,
        setting: &'static Setting,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let (text, source) = match self.given(setting) {
            Some(given) => given,
            None => (setting.default.text(self.mode)?.to_owned(), Source::Default),
        };
        self.accept(setting, &text, source, parse, show)
    }

    /// Judges one text for a setting, and keeps the value or the problem.
    pub(super) fn accept<T>(
        &mut self,
        setting: &'static Setting,
        text: &str,
        source: Source,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        match parse(text) {
            Ok(value) => {
                self.note(setting, show(&value), source);
                Some(value)
            }
            Err(why) if setting.secret => {
                self.problem(format!("{}: the value {why}", source.of(setting)));
                None
            }
            Err(why) => {
                self.problem(format!("{}: {text:?} {why}", source.of(setting)));
                None
            }
        }
    }

    pub(super) fn note(&mut self, setting: &Setting, value: String, source: Source) {
        self.effective.push(Effective { name: setting.name(), value, source });
    }

    pub(super) fn problem(&mut self, message: String) {
        self.problems.push(message);
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (self.environment.read)(path)
    }

    /// What has been shown so far, unless something was wrong.
    pub(super) fn finish(self) -> Result<Vec<Effective>, ConfigError> {
        if self.problems.is_empty() { Ok(self.effective) } else { Err(self.into_error()) }
    }

    /// The problems, for when a value is missing because of them.
    pub(super) fn into_error(self) -> ConfigError {
        ConfigError { problems: self.problems }
    }
}

impl ConfigError {
    /// A single problem.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()] }
    }
}

impl Source {
    /// How a message names a value from here.
    pub(super) fn of(self, setting: &Setting) -> String {
        match self {
            Self::Default => format!("the default of {}", setting.name()),
            Self::Flag(flag) => format!("--{flag} on the command line"),
            Self::Environment(variable) => format!("{variable} from the environment"),
            Self::DotEnv { variable, line } => format!("{variable} from .env line {line}"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(formatter, "default"),
            Self::Flag(flag) => write!(formatter, "flag --{flag}"),
            Self::Environment(variable) => write!(formatter, "environment {variable}"),
            Self::DotEnv { variable, line } => write!(formatter, ".env line {line} {variable}"),
        }
    }
}

fn as_text<S: serde::Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

fn list(problems: &[String]) -> String {
    match problems {
        [problem] => problem.clone(),
        several => {
            format!("{} settings cannot be used:\n  - {}", several.len(), several.join("\n  - "))
        }
    }
}
