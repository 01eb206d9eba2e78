//! The significant tokens of a statement, read from the left.

use super::lexer::{Kind, Lexer, Token};
use super::name::{Name, unquoted};
use crate::Dialect;

/// A reader of tokens.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Words<'a> {
    /// What stands in executable comments counts like the rest on MySQL.
    pub(super) fn new(dialect: Dialect, statement: &'a str) -> Self {
        let tokens = Lexer::new(dialect, statement).filter(|token| token.says_something());
        Self { tokens: tokens.collect(), at: 0 }
    }

    pub(super) fn of(tokens: &[Token<'a>]) -> Self {
        Self { tokens: tokens.to_vec(), at: 0 }
    }

    /// What is not read yet.
    pub(super) fn rest(&self) -> &[Token<'a>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// The next word in lower case; empty if there is none.
    pub(super) fn word(&self) -> String {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => token.text.to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    /// Reads these words, if they come next, all of them.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let fits = words.iter().enumerate().all(|(offset, word)| {
            self.tokens.get(self.at + offset).is_some_and(|token| token.is_word(word))
        });
        if fits {
            self.at += words.len();
        }
        fits
    }

    /// Reads one of these words, if it comes next.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(&[word]))
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let fits = self.peek().is_some_and(|token| token.is_symbol(symbol));
        self.at += usize::from(fits);
        fits
    }

    /// Reads `IF EXISTS` or `IF NOT EXISTS`, if it comes next.
    pub(super) fn eat_if(&mut self) -> bool {
        self.eat(&["if", "exists"]) || self.eat(&["if", "not", "exists"])
    }

    /// Whether the definition of an index comes next, such as `KEY name USING BTREE (x)`. SQLite has
    /// columns that are called `key`.
    pub(super) fn begins_index(&self) -> bool {
        let mut look = self.clone();
        if look.eat(&["unique"]) {
            return true;
        }
        if !look.eat_any(&["fulltext", "spatial", "index", "key"]) {
            return false;
        }
        look.eat_any(&["index", "key"]);
        look.eat_if();
        if look.word() != "using" {
            look.identifier();
        }
        if look.eat(&["using"]) {
            look.next();
        }
        // With a number it is a type.
        look.eat_symbol("(") && look.peek().is_some_and(|token| token.kind != Kind::Number)
    }

    /// Whether one of `MariaDB`'s periods and versions comes next: `PERIOD FOR …`, `SYSTEM VERSIONING`.
    pub(super) fn begins_period(&self) -> bool {
        let mut look = self.clone();
        look.eat(&["period", "for"]) || look.eat(&["system", "versioning"])
    }

    /// Reads one name without what may stand in front of it.
    pub(super) fn identifier(&mut self) -> Option<String> {
        let token = self.peek()?;
        // SQLite takes a string where only a name can stand.
        if !matches!(token.kind, Kind::Word | Kind::QuotedName | Kind::Text | Kind::Number) {
            return None;
        }
        self.at += 1;
        Some(unquoted(token.text))
    }

    /// Reads a name such as `t` or `s.t`.
    pub(super) fn name(&mut self) -> Option<Name> {
        let first = self.identifier()?;
        if self.eat_symbol(".") {
            let name = self.identifier()?;
            return Some(Name { schema: Some(first), name });
        }
        Some(Name { schema: None, name: first })
    }

    /// Whether one of these words stands outside of parentheses in what is not read yet.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        outside(self.rest()).any(|token| token.is_any_word(words))
    }

    /// The first of these words outside of parentheses.
    pub(super) fn first_of<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        outside(self.rest())
            .find_map(|token| words.iter().copied().find(|word| token.is_word(word)))
    }

    /// What is not read yet, in parts between the commas outside of parentheses.
    pub(super) fn parts(&self) -> Vec<Vec<Token<'a>>> {
        let mut parts = vec![Vec::new()];
        let mut depth = 0_usize;
        for token in self.rest() {
            match (token.kind, token.text) {
                (Kind::Symbol, "(") => depth += 1,
                (Kind::Symbol, ")") => depth = depth.saturating_sub(1),
                (Kind::Symbol, ",") if depth == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.push(*token);
            }
        }
        parts
    }

    /// Reads a pair of parentheses, if one comes next, and gives what is between.
    pub(super) fn parentheses(&mut self) -> Option<Vec<Token<'a>>> {
        if !self.eat_symbol("(") {
            return None;
        }
        let (mut inside, mut depth) = (Vec::new(), 1_usize);
        while let Some(token) = self.next() {
            match (token.kind, token.text) {
                (Kind::Symbol, "(") => depth += 1,
                (Kind::Symbol, ")") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            inside.push(token);
        }
        Some(inside)
    }
}

/// The tokens outside of parentheses.
fn outside<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = Token<'a>> + use<'t, 'a> {
    let mut depth = 0_usize;
    tokens.iter().copied().filter(move |token| {
        match (token.kind, token.text) {
            (Kind::Symbol, "(") => depth += 1,
            (Kind::Symbol, ")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}
