//! Limits that a document must keep before anything expensive looks at it.
//!
//! async-graphql walks every fragment spread as often as it is spread, so that a document of
//! 900 bytes whose fragments spread each other twice keeps it busy for seconds, before its own
//! limits are compared. This walk looks at every fragment once and multiplies.

use std::collections::HashMap;

use async_graphql::{
    Positioned,
    parser::types::{
        ExecutableDocument, FragmentDefinition, OperationType, Selection, SelectionSet,
    },
};

/// Bytes of a document.
pub(super) const MAX_DOCUMENT_BYTES: usize = 32 * 1024;
/// Fields after all fragments are spread.
const MAX_FIELDS: u64 = 2_000;
/// Levels of fields after all fragments are spread; the common introspection query has 15.
const MAX_DEPTH: u64 = 20;
/// Fields at the root after all fragments are spread.
const MAX_ROOT_FIELDS: u64 = 20;
/// Aliased fields after all fragments are spread.
const MAX_ALIASES: u64 = 60;
/// Directives after all fragments are spread.
const MAX_DIRECTIVES: u64 = 100;
/// Fields that do hard work: a document must not be a batch of guesses, nor of pictures.
const MAX_HARD_WORK: u64 = 1;

/// The fields of the root that check or set a password, or decode a picture.
const HARD_FIELDS: [&str; 4] = ["changePassword", "login", "signup", "uploadAvatar"];

/// What a part of a document amounts to when its fragments are spread.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    fields: u64,
    depth: u64,
    root_fields: u64,
    aliases: u64,
    directives: u64,
    hard_work: u64,
}

impl Size {
    /// Side by side.
    fn add(&mut self, other: Self) {
        self.fields = self.fields.saturating_add(other.fields);
        self.depth = self.depth.max(other.depth);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.hard_work = self.hard_work.saturating_add(other.hard_work);
    }
}

/// Checks every operation of a document.
///
/// # Errors
/// A sentence for the client that names the limit.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), String> {
    let mut walk = Walk { fragments: &document.fragments, known: HashMap::new() };
    let mut size = Size::default();
    for (_, operation) in document.operations.iter() {
        let selected = walk.selection_set(&operation.node.selection_set.node)?;
        // GraphQL specification, section 5.2.4.1.
        if operation.node.ty == OperationType::Subscription && selected.root_fields != 1 {
            return Err("A subscription has exactly one field at the root.".to_owned());
        }
        size.add(selected);
        size.directives = size.directives.saturating_add(operation.node.directives.len() as u64);
    }
    // A fragment that nothing spreads is validated all the same.
    for name in document.fragments.keys() {
        walk.fragment(name.as_str())?;
    }
    for (found, limit, what) in [
        (size.fields, MAX_FIELDS, "fields"),
        (size.depth, MAX_DEPTH, "levels of fields"),
        (size.root_fields, MAX_ROOT_FIELDS, "fields at the root"),
        (size.aliases, MAX_ALIASES, "aliases"),
        (size.directives, MAX_DIRECTIVES, "directives"),
        (size.hard_work, MAX_HARD_WORK, "sign-ins or uploads"),
    ] {
        if found > limit {
            return Err(format!("The document has more than {limit} {what}."));
        }
    }
    Ok(())
}

struct Walk<'a> {
    fragments: &'a HashMap<async_graphql::Name, Positioned<FragmentDefinition>>,
    /// The size of each fragment that was walked; nothing while it is being walked.
    known: HashMap<&'a str, Option<Size>>,
}

impl<'a> Walk<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Size, String> {
        let mut size = Size::default();
        for item in &set.items {
            size.add(self.selection(&item.node)?);
        }
        Ok(size)
    }

    fn selection(&mut self, selection: &'a Selection) -> Result<Size, String> {
        let (mut size, directives) = match selection {
            Selection::Field(field) => {
                let field = &field.node;
                let inner = self.selection_set(&field.selection_set.node)?;
                let name = field.name.node.as_str();
                let size = Size {
                    fields: inner.fields.saturating_add(1),
                    depth: inner.depth.saturating_add(1),
                    root_fields: 1,
                    aliases: inner.aliases.saturating_add(field.alias.is_some().into()),
                    directives: inner.directives,
                    hard_work: HARD_FIELDS.contains(&name).into(),
                };
                (size, &field.directives)
            }
            Selection::InlineFragment(inline) => {
                let inner = self.selection_set(&inline.node.selection_set.node)?;
                (inner, &inline.node.directives)
            }
            Selection::FragmentSpread(spread) => {
                let inner = self.fragment(&spread.node.fragment_name.node)?;
                (inner, &spread.node.directives)
            }
        };
        size.directives = size.directives.saturating_add(directives.len() as u64);
        Ok(size)
    }

    fn fragment(&mut self, name: &str) -> Result<Size, String> {
        // An unknown fragment is validation's to report.
        let Some((name, fragment)) = self.fragments.get_key_value(name) else {
            return Ok(Size::default());
        };
        match self.known.get(name.as_str()) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(format!("The fragment \"{name}\" spreads itself.")),
            None => {}
        }
        self.known.insert(name, None);
        let size = self.selection_set(&fragment.node.selection_set.node)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use async_graphql::parser::parse_query;

    use super::*;

    fn checked(document: &str) -> Result<(), String> {
        check(&parse_query(document).unwrap())
    }

    fn spreading(times: usize, levels: usize) -> String {
        let mut document = String::from("{...f0}");
        for level in 0..levels {
            let spread = format!("...f{} ", level + 1).repeat(times);
            write!(document, "fragment f{level} on RootQuery{{{spread}}}").unwrap();
        }
        write!(document, "fragment f{levels} on RootQuery{{a}}").unwrap();
        document
    }

    #[test]
    fn fragments_that_double_are_counted_without_being_walked_twice() {
        // 2^60 fields: walking them all would never end.
        assert!(checked(&spreading(2, 60)).unwrap_err().contains("2000 fields"));
        assert!(checked(&spreading(3, 14)).is_err());
        assert!(checked(&spreading(2, 3)).is_ok());
    }

    #[test]
    fn fragments_in_a_circle_are_refused() {
        let circle = "{...a} fragment a on Q{...b} fragment b on Q{...a}";
        assert!(checked(circle).unwrap_err().contains("spreads itself"));
        assert!(checked("{x} fragment a on Q{...a}").is_err());
    }

    #[test]
    fn every_limit_holds() {
        let many = |part: &str, count| format!("{{a{{{}}}}}", part.repeat(count));
        assert!(checked(&many("b ", 1_999)).is_ok());
        assert!(checked(&many("b ", 2_000)).is_err());
        assert!(checked(&many("c:b ", 61)).unwrap_err().contains("aliases"));
        assert!(checked(&many("b @skip(if:true) ", 101)).unwrap_err().contains("directives"));
        assert!(checked(&format!("{{{}}}", "a ".repeat(21))).unwrap_err().contains("root"));
        let deep = format!("{}{}", "{a".repeat(21), "}".repeat(21));
        assert!(checked(&deep).unwrap_err().contains("levels"));
    }

    #[test]
    fn a_subscription_has_one_field() {
        assert!(checked("subscription { a { b c } }").is_ok());
        assert!(checked("subscription { a b }").unwrap_err().contains("exactly one"));
        assert!(checked("subscription { a ...s } fragment s on R { b }").is_err());
    }

    #[test]
    fn one_document_checks_one_password() {
        let login = |alias| format!("{alias}: login(email: \"a\", password: \"b\") {{ token }} ");
        assert!(checked(&format!("mutation {{ {} }}", login("a"))).is_ok());
        assert!(checked(&format!("mutation {{ {}{} }}", login("a"), login("b"))).is_err());
        let spread = "mutation { ...s ...s } fragment s on RootMutation { signup { token } }";
        assert!(checked(spread).unwrap_err().contains("sign-ins"));
        assert!(checked("mutation { login { token } changePassword { token } }").is_err());
    }
}
