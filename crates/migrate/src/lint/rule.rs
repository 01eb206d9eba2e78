//! What a rule is.

use super::Severity;
use super::look::Look;
use crate::Dialect;

/// A rule, with what `lint --explain` says about it.
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    /// What it finds, in a few words.
    pub(super) title: &'static str,
    /// Why that is bad.
    pub(super) why: &'static str,
    /// A migration in which it finds something.
    pub(super) bad: &'static str,
    /// How to do it safely.
    pub(super) safe: &'static str,
    /// A migration that does so, in which it finds nothing.
    pub(super) good: &'static str,
    pub(super) on: On,
    pub(super) ways: Ways,
    pub(super) check: Check,
}

/// On which database a rule means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Both,
    MySql,
}

impl On {
    pub(super) fn includes(self, dialect: Dialect) -> bool {
        self == Self::Both || dialect == Dialect::MySql
    }
}

/// In which files a rule means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    Up,
    /// Also in the files that take a migration back.
    Both,
}

/// How a rule is asked.
#[derive(Clone, Copy)]
pub(super) enum Check {
    /// For every statement.
    Statement(fn(&Look<'_>) -> Vec<Hit>),
    /// Once for every file, with its first statement.
    File(fn(&Look<'_>) -> Vec<Hit>),
    /// By what reads the files, not here.
    Elsewhere,
}

/// Something that a rule found, before it has a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) message: String,
    /// Where it is not the rule's own.
    pub(super) severity: Option<Severity>,
    /// Where it is not the one that was asked about: number and line.
    pub(super) statement: Option<(usize, usize)>,
}

impl Hit {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), severity: None, statement: None }
    }

    /// What can't be judged from the texts.
    pub(super) fn unsure(message: impl AsRef<str>) -> Self {
        let message = format!("cannot judge: {}", message.as_ref());
        Self { message, severity: Some(Severity::Info), statement: None }
    }

    pub(super) fn ranked(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    pub(super) fn at(mut self, statement: (usize, usize)) -> Self {
        self.statement = Some(statement);
        self
    }
}
