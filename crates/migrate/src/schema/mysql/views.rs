//! The order in which views can be made.

use std::collections::BTreeMap;

use super::code::sources;
use crate::schema::object::{Kind, Object};

/// Puts each view behind those it selects from, and otherwise leaves the order.
pub(super) fn sort(objects: &mut [Object]) {
    let is_view = |object: &Object| object.kind == Kind::View;
    let Some(start) = objects.iter().position(is_view) else {
        return;
    };
    let count = objects.iter().filter(|object| is_view(object)).count();
    let Some(views) = objects.get_mut(start..start + count) else {
        return;
    };
    let ranks = ranks(views);
    views.sort_by_key(|view| ranks.get(&view.name).copied().unwrap_or_default());
}

/// The place of each view: by name, but each as soon as its sources are there.
fn ranks(views: &[Object]) -> BTreeMap<String, usize> {
    let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
    let mut waiting: BTreeMap<&str, Vec<&str>> = views
        .iter()
        .map(|view| {
            let mut sources = sources(&view.sql, &names);
            sources.retain(|source| *source != view.name);
            (view.name.as_str(), sources)
        })
        .collect();
    let mut ranks = BTreeMap::new();
    while !waiting.is_empty() {
        let is_ready =
            |sources: &Vec<&str>| sources.iter().all(|source| !waiting.contains_key(source));
        let ready = waiting.iter().find(|(_, sources)| is_ready(sources)).map(|(name, _)| *name);
        // A database has no circle of views. One that only seems to be (an alias that is called
        // like a view) must not keep this from ending.
        let Some(next) = ready.or_else(|| waiting.keys().next().copied()) else {
            break;
        };
        waiting.remove(next);
        ranks.insert(next.to_owned(), ranks.len());
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Settings;

    fn order(views: &[(&str, &str)]) -> Vec<String> {
        let object = |kind, name: &str, sql: String| Object {
            kind,
            name: name.to_owned(),
            sql,
            settings: Settings::default(),
        };
        let mut objects = vec![object(Kind::Table, "z", String::new())];
        objects.extend(views.iter().map(|(name, from)| {
            object(Kind::View, name, format!("CREATE VIEW `{name}` AS select 1 from {from}"))
        }));
        objects.push(object(Kind::Trigger, "a", String::new()));
        sort(&mut objects);
        objects.into_iter().map(|object| object.name).collect()
    }

    #[test]
    fn a_view_comes_after_those_it_selects_from() {
        let views = [("a", "`c` join `b`"), ("b", "`c`"), ("c", "`z`"), ("d", "`z`")];
        assert_eq!(order(&views), ["z", "c", "b", "a", "d", "a"]);
        assert_eq!(order(&[("a", "`a`"), ("b", "`z`")]), ["z", "a", "b", "a"]);
    }

    #[test]
    fn what_looks_like_a_circle_ends() {
        assert_eq!(order(&[("a", "`b`"), ("b", "`a`")]), ["z", "a", "b", "a"]);
    }
}
