//! The command line as it was typed: values by flag, not yet judged.
//!
//! The arguments are made from the table of settings rather than derived from a struct, and clap
//! never looks at the environment: it would lose where a value came from, and know no `.env`.

use std::{collections::BTreeMap, fmt};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, builder::PossibleValue};

use super::{
    setting::{Scope, Setting},
    table::SETTINGS,
};

const PRINT_CONFIG: &str = "print-config";

/// The flags of `serve`, as typed.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub(super) flags: Flags,
    /// Whether to show the effective configuration instead of serving, and how.
    pub print_config: Option<PrintFormat>,
}

/// The flags of the other commands that open the database, as typed.
#[derive(Clone, Debug, Default)]
pub struct StoreSettings {
    pub(super) flags: Flags,
}

/// How `--print-config` shows the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrintFormat {
    /// A table on a terminal, `name = value` lines elsewhere.
    Text,
    /// A JSON object.
    Json,
}

/// What was typed, by flag name.
#[derive(Clone, Default)]
pub(super) struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    pub(super) fn get(&self, setting: &Setting) -> Option<(&'static str, &str)> {
        let name = setting.flag.as_ref()?.name;
        Some((name, self.0.get(name)?))
    }

    fn read(matches: &ArgMatches, scopes: &[Scope]) -> Self {
        let typed = arguments(scopes).filter_map(|(name, _)| {
            let value = matches.try_get_one::<String>(name).ok()??;
            Some((name, value.clone()))
        });
        Self(typed.collect())
    }
}

impl fmt::Debug for Flags {
    /// Names only: the URL of a database may hold a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The settings of these scopes that have a flag.
fn arguments(scopes: &[Scope]) -> impl Iterator<Item = (&'static str, &'static Setting)> {
    SETTINGS
        .iter()
        .filter(|setting| scopes.contains(&setting.scope))
        .filter_map(|setting| Some((setting.flag.as_ref()?.name, *setting)))
}

fn add_arguments(command: Command, scopes: &[Scope]) -> Command {
    command.args(arguments(scopes).filter_map(|(name, setting)| {
        let flag = setting.flag.as_ref()?;
        let help = format!(
            "{} [env: {}] [default: {}]",
            setting.meaning.replace('`', ""),
            setting.variables.join(", "),
            setting.default.summary(),
        );
        let arg = Arg::new(name).long(name).value_name(flag.value).help(help);
        Some(if flag.switch {
            // `--migrate` and `--migrate=off`, but never `--migrate off`: an argument that follows
            // a bare switch must not become its value.
            arg.num_args(0..=1).require_equals(true).default_missing_value("on")
        } else {
            arg.action(ArgAction::Set)
        })
    }))
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let print = Arg::new(PRINT_CONFIG)
            .long(PRINT_CONFIG)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("text")
            .value_name("FORMAT")
            .value_parser(clap::value_parser!(PrintFormat))
            .help("Show the effective settings and where each comes from, then stop");
        add_arguments(command, &[Scope::Store, Scope::Serve]).arg(print)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            flags: Flags::read(matches, &[Scope::Store, Scope::Serve]),
            print_config: matches.get_one(PRINT_CONFIG).copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for StoreSettings {
    fn augment_args(command: Command) -> Command {
        // Global, so that they may also stand behind `migrate up`.
        add_arguments(command, &[Scope::Store]).mut_args(|arg| match arg.get_id().as_str() {
            "help" | "version" => arg,
            _ => arg.global(true),
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for StoreSettings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { flags: Flags::read(matches, &[Scope::Store]) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::ValueEnum for PrintFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}
