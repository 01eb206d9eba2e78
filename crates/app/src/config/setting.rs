//! What there is to know about a setting.

use super::Mode;

/// What is known about one setting.
#[derive(Debug)]
pub struct Setting {
    /// The flag, if there is one. Secrets have none: other users of a machine can read arguments.
    pub flag: Option<Flag>,
    /// The environment variables that set it; the first that is set wins.
    pub variables: &'static [&'static str],
    /// What applies when nothing sets it.
    pub default: Fallback,
    /// What it does, in one line.
    pub meaning: &'static str,
    /// Whether its value must never be repeated, not even in the message that refuses it.
    pub secret: bool,
    /// Which commands have its flag.
    pub scope: Scope,
}

/// How a setting is given on the command line.
#[derive(Debug)]
pub struct Flag {
    /// The long name, without the dashes.
    pub name: &'static str,
    /// What stands for the value in the help.
    pub value: &'static str,
    /// Whether the name alone means `on`.
    pub switch: bool,
}

/// What applies when nothing sets a setting.
#[derive(Debug)]
pub enum Fallback {
    /// This text, read as if it had been given.
    Text(&'static str),
    /// One text per mode, read as if it had been given.
    PerMode {
        /// The text in development mode.
        development: &'static str,
        /// The text in production mode.
        production: &'static str,
    },
    /// Not a value of its own but worked out from others; the text tells readers how.
    Described(&'static str),
}

/// Which commands a setting is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every command that opens the database.
    Store,
    /// `serve` only.
    Serve,
}

impl Setting {
    /// The name that `--print-config` shows: the flag's, else the variable's.
    pub fn name(&self) -> &'static str {
        match (&self.flag, self.variables) {
            (Some(flag), _) => flag.name,
            (None, [variable, ..]) => variable,
            (None, []) => "",
        }
    }
}

impl Flag {
    pub(super) const fn new(name: &'static str, value: &'static str) -> Self {
        Self { name, value, switch: false }
    }

    pub(super) const fn switch(name: &'static str) -> Self {
        Self { name, value: "on|off", switch: true }
    }
}

impl Fallback {
    /// The text to read in this mode, unless the default is worked out.
    pub fn text(&self, mode: Mode) -> Option<&'static str> {
        match (self, mode) {
            (Self::Text(text), _)
            | (Self::PerMode { development: text, .. }, Mode::Development)
            | (Self::PerMode { production: text, .. }, Mode::Production) => Some(text),
            (Self::Described(_), _) => None,
        }
    }

    /// The default as help and README show it.
    pub fn summary(&self) -> String {
        match self {
            Self::Text(text) | Self::Described(text) => (*text).to_owned(),
            Self::PerMode { development, production } => {
                format!("{development}; in production {production}")
            }
        }
    }
}
