//! Names of tables and the like.

use std::fmt;

/// A name, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    /// The database in front of it, if there is one.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl Name {
    pub(crate) fn unqualified(name: &str) -> Self {
        Self { schema: None, name: name.to_owned() }
    }

    /// As it stands in a statement for MySQL.
    pub(crate) fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", backquoted(schema), backquoted(&self.name)),
            None => backquoted(&self.name),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// A name in MySQL's quotes, which SQLite understands as well.
pub(crate) fn backquoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A name in the standard's quotes, which SQLite writes.
pub(crate) fn doublequoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name or word without its quotes.
pub(crate) fn unquoted(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next_back()) {
        (Some('['), Some(']')) => chars.as_str().to_owned(),
        (Some(first @ ('`' | '"')), Some(last)) if first == last => {
            chars.as_str().replace(&format!("{first}{first}"), &first.to_string())
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off_and_put_on_again() {
        for (text, name) in
            [("`a``b`", "a`b"), ("\"a\"\"b\"", "a\"b"), ("[a b]", "a b"), ("a", "a")]
        {
            assert_eq!(unquoted(text), name);
        }
        assert_eq!(Name::unqualified("a`b").quoted(), "`a``b`");
        for name in ["a", "a`b", "``", "a \"b\";", "[\u{e9}"] {
            assert_eq!(unquoted(&backquoted(name)), name);
            assert_eq!(unquoted(&doublequoted(name)), name);
        }
        let name = Name { schema: Some("s".into()), name: "t".into() };
        assert_eq!((name.quoted().as_str(), name.to_string().as_str()), ("`s`.`t`", "s.t"));
    }
}
