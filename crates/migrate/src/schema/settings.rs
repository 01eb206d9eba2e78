//! Which settings of the session to print, and where.
//!
//! Most objects of a database were made with the same settings. Those are set once before the
//! first of them; only an object that was made with others has them beside it.

use std::collections::BTreeMap;

use super::object::{Kind, Object, Settings};

/// The mode for what keeps none: no strictness, because an old default such as `'0000-00-00'` is
/// part of a schema, but no other engine than the one that is named.
pub(super) const PLAIN_MODE: &str = "NO_ENGINE_SUBSTITUTION";

/// The usual settings, and what the session has at this point of the text.
pub(super) struct Usual {
    usual: Settings,
    current: Settings,
}

impl Usual {
    /// What most objects were made with; of equally frequent values the smallest, so that the text
    /// depends on nothing else.
    pub(super) fn of(objects: &[Object]) -> Self {
        let most = |value: fn(&Settings) -> &Option<String>| {
            most_frequent(objects.iter().filter_map(|object| value(&object.settings).as_deref()))
        };
        let usual = Settings {
            sql_mode: most(|settings| &settings.sql_mode),
            collation: most(|settings| &settings.collation),
            time_zone: most(|settings| &settings.time_zone),
        };
        let current = Settings { sql_mode: Some(PLAIN_MODE.to_owned()), ..Settings::default() };
        Self { usual, current }
    }

    /// The statement that sets what objects of this kind usually need, unless it is set already.
    pub(super) fn change_to(&mut self, kind: Kind) -> Option<String> {
        let wanted = self.for_kind(kind);
        let change = difference(&self.current, &wanted);
        let set = set(&change);
        let Settings { sql_mode, collation, time_zone } = change;
        self.current = Settings {
            sql_mode: sql_mode.or(self.current.sql_mode.take()),
            collation: collation.or(self.current.collation.take()),
            time_zone: time_zone.or(self.current.time_zone.take()),
        };
        set
    }

    /// The statement that sets what only this object needs, and the one that takes it back.
    pub(super) fn deviation(&self, object: &Object) -> Option<(String, String)> {
        let own = difference(&self.current, &object.settings);
        let back = Settings {
            sql_mode: own.sql_mode.as_ref().and(self.current.sql_mode.clone()),
            collation: own.collation.as_ref().and(self.current.collation.clone()),
            time_zone: own.time_zone.as_ref().and(self.current.time_zone.clone()),
        };
        set(&own).zip(set(&back))
    }

    fn for_kind(&self, kind: Kind) -> Settings {
        let plain = Some(PLAIN_MODE.to_owned());
        match kind {
            Kind::Sequence | Kind::Table | Kind::Index => {
                Settings { sql_mode: plain, ..Settings::default() }
            }
            // The server keeps its text in a form of its own, which any mode but a few understands.
            Kind::View => Settings { sql_mode: plain, time_zone: None, ..self.usual.clone() },
            Kind::Event => self.usual.clone(),
            Kind::Package
            | Kind::PackageBody
            | Kind::Function
            | Kind::Procedure
            | Kind::Trigger => Settings { time_zone: None, ..self.usual.clone() },
        }
    }
}

fn most_frequent<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let most = counts.values().max().copied()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(value, _)| value.to_owned())
}

/// What `wanted` asks for and `current` has not.
fn difference(current: &Settings, wanted: &Settings) -> Settings {
    let differs = |wanted: &Option<String>, current: &Option<String>| {
        wanted.clone().filter(|_| wanted != current)
    };
    Settings {
        sql_mode: differs(&wanted.sql_mode, &current.sql_mode),
        collation: differs(&wanted.collation, &current.collation),
        time_zone: differs(&wanted.time_zone, &current.time_zone),
    }
}

fn set(settings: &Settings) -> Option<String> {
    let quoted = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{name} = '{}'", value.replace('\'', "''")))
    };
    let assignments: Vec<String> = [
        quoted("sql_mode", &settings.sql_mode),
        settings.collation.as_ref().map(|value| format!("collation_connection = {value}")),
        quoted("time_zone", &settings.time_zone),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!assignments.is_empty()).then(|| format!("SET {}", assignments.join(", ")))
}
