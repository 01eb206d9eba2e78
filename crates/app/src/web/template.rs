//! Parts of pages: markup with fields to be filled. Pure.
//!
//! One source for what the server answers and what the client adds later: the client has the same parts
//! as `<template>`s, and fills them by the same rules (`web/js/parts.js`). Parts are well-formed XML;
//! what they become is HTML, in which every value is text.
//!
//! | Attribute | Does |
//! | --- | --- |
//! | `data-text="path"` | the element says the value; with `data-links`, addresses in it are links |
//! | `data-set="href: /user/{path}; …"` | sets attributes; without one of the values, not that one |
//! | `data-class="own: a = b; …"` | adds classes under conditions |
//! | `data-if="path"`, `data-if="a = b"`, `data-unless="…"` | leaves the element away, or not |
//! | `data-each="path part"` | its children are the part, once for each item |
//! | `data-each="path member part"` | the same of a member of each item |
//! | `data-part="name"` | its child is the part; `{path}` in the name is filled |
//! | `data-time="path"` | the element is a `<time>`, and says how long ago that is |
//! | `data-initial="path"` | the element says the first letter |

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use roxmltree::{Document, Node as Xml, ParsingOptions};
use serde_json::Value;

use super::text::{Piece, ago, initial, pieces};

/// What has no content and no end tag (HTML, "Void elements").
const VOID: [&str; 9] = ["area", "br", "col", "hr", "img", "input", "link", "meta", "source"];
/// The directives.
const DIRECTIVES: [&str; 10] = [
    "data-text",
    "data-links",
    "data-set",
    "data-class",
    "data-if",
    "data-unless",
    "data-each",
    "data-part",
    "data-time",
    "data-initial",
];
/// Parts that only the server fills, once for a page.
const ONCE: [&str; 4] = ["bar", "chats", "page", "sign-in"];
/// Parts within parts.
const DEPTH: usize = 12;

/// All parts, by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts(BTreeMap<String, Node>);

/// A part, or something in it.
#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Element(Element),
}

#[derive(Clone, Debug)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    directives: BTreeMap<String, String>,
    children: Vec<Node>,
}

/// What is wrong with a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the part {part:?} can't be read: {reason}")]
pub(super) struct PartError {
    part: String,
    reason: String,
}

/// Where values are looked for: in the innermost first.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    value: &'a Value,
    outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// Of a page.
    pub(super) fn new(value: &'a Value) -> Self {
        Self { value, outer: None }
    }

    fn within(value: &'a Value, outer: &'a Self) -> Self {
        Self { value, outer: Some(outer) }
    }

    /// The value at a path, such as `user.name`; nothing for null. `.` is the innermost itself.
    fn get(&self, path: &str) -> Option<&'a Value> {
        if path == "." {
            return Some(self.value);
        }
        let mut names = path.split('.');
        let found = names.next().and_then(|first| self.value.get(first));
        match found {
            Some(found) => {
                let inner = |value: &'a Value, name: &str| match name.parse::<usize>() {
                    Ok(at) => value.get(at),
                    Err(_) => value.get(name),
                };
                names.try_fold(found, inner).filter(|it| !it.is_null())
            }
            None => self.outer?.get(path),
        }
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.get(path)? {
            Value::String(text) => Some(text.clone()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        }
    }

    /// `a = b`, or whether there is something that is not false, zero or empty.
    fn holds(&self, condition: &str) -> bool {
        if let Some((left, right)) = condition.split_once(" = ") {
            let left = self.text(left);
            return left.is_some() && left == self.text(right);
        }
        match self.get(condition) {
            None | Some(Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        }
    }
}

impl Parts {
    /// Reads parts: names and markup.
    pub(super) fn read<'a>(
        parts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PartError> {
        let read = |(name, markup): (&str, &str)| {
            let refuse = |reason: String| PartError { part: name.to_owned(), reason };
            let document = Document::parse_with_options(markup, ParsingOptions::default());
            let document = document.map_err(|error| refuse(error.to_string()))?;
            let node = element(document.root_element()).map_err(refuse)?;
            Ok((name.to_owned(), Node::Element(node)))
        };
        Ok(Self(parts.into_iter().map(read).collect::<Result<_, PartError>>()?))
    }

    /// All parts, as `<template>`s that the client fills.
    pub(super) fn templates(&self) -> String {
        let mut out = String::new();
        for (name, node) in self.0.iter().filter(|(name, _)| !ONCE.contains(&name.as_str())) {
            out.push_str("<template id=\"part-");
            escape(name, &mut out);
            out.push_str("\">");
            unfilled(node, &mut out);
            out.push_str("</template>");
        }
        out
    }

    /// Fills a part, at a moment that times are told from; nothing for a part that is not there.
    pub(super) fn render(&self, name: &str, scope: &Scope<'_>, now: DateTime<Utc>) -> String {
        let mut out = String::new();
        Renderer { parts: self, now }.part(name, scope, DEPTH, &mut out);
        out
    }
}

/// A part as it was written, as HTML.
fn unfilled(node: &Node, out: &mut String) {
    match node {
        Node::Text(text) => escape(text, out),
        Node::Element(element) => {
            let directives = element.directives.iter();
            start(element, element.attributes.iter().map(|(k, v)| (k, v)).chain(directives), out);
            for child in &element.children {
                unfilled(child, out);
            }
            end(element, out);
        }
    }
}

fn start<'a>(
    element: &Element,
    attributes: impl Iterator<Item = (&'a String, &'a String)>,
    out: &mut String,
) {
    out.push('<');
    out.push_str(&element.name);
    for (name, value) in attributes {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape(value, out);
        out.push('"');
    }
    out.push('>');
}

fn end(element: &Element, out: &mut String) {
    if !VOID.contains(&element.name.as_str()) {
        out.push_str("</");
        out.push_str(&element.name);
        out.push('>');
    }
}

fn element(node: Xml<'_, '_>) -> Result<Element, String> {
    let mut directives = BTreeMap::new();
    let mut attributes = Vec::new();
    for attribute in node.attributes() {
        let (name, value) = (attribute.name().to_owned(), attribute.value().to_owned());
        if DIRECTIVES.contains(&name.as_str()) {
            directives.insert(name, value);
        } else {
            attributes.push((name, value));
        }
    }
    let child = |child: Xml<'_, '_>| {
        if child.is_element() {
            return element(child).map(|it| Some(Node::Element(it)));
        }
        // Comments are for who reads the part.
        let text = child.is_text().then(|| child.text().unwrap_or_default());
        // Markup is written in lines for people; between words, a line's end is a space.
        Ok(text.map(collapsed).filter(|text| !text.is_empty()).map(Node::Text))
    };
    let children = node.children().map(child).filter_map(Result::transpose);
    let children = children.collect::<Result<Vec<_>, String>>()?;
    Ok(Element { name: node.tag_name().name().to_owned(), attributes, directives, children })
}

fn collapsed(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        // Between elements of one line, a space may matter.
        return if text.contains('\n') || text.is_empty() { words } else { " ".to_owned() };
    }
    if text.starts_with(char::is_whitespace) {
        words.insert(0, ' ');
    }
    if text.ends_with(char::is_whitespace) {
        words.push(' ');
    }
    words
}

struct Renderer<'a> {
    parts: &'a Parts,
    now: DateTime<Utc>,
}

impl Renderer<'_> {
    fn part(&self, name: &str, scope: &Scope<'_>, depth: usize, out: &mut String) {
        if let Some(node) = self.parts.0.get(name).filter(|_| depth > 0) {
            self.node(node, scope, depth - 1, out);
        }
    }

    fn node(&self, node: &Node, scope: &Scope<'_>, depth: usize, out: &mut String) {
        match node {
            Node::Text(text) => escape(text, out),
            Node::Element(element) => self.element(element, scope, depth, out),
        }
    }

    fn element(&self, element: &Element, scope: &Scope<'_>, depth: usize, out: &mut String) {
        let directive = |name: &str| element.directives.get(name).map(String::as_str);
        if directive("data-if").is_some_and(|condition| !scope.holds(condition))
            || directive("data-unless").is_some_and(|condition| scope.holds(condition))
        {
            return;
        }
        let mut attributes = element.attributes.clone();
        for (name, template) in pairs(directive("data-set")) {
            if let Some(value) = filled(template, scope) {
                set(&mut attributes, name, value);
            }
        }
        for (class, condition) in pairs(directive("data-class")) {
            if scope.holds(condition) {
                let had = attributes.iter().find(|(name, _)| name == "class");
                let had = had.map(|(_, value)| format!("{value} ")).unwrap_or_default();
                set(&mut attributes, "class", had + class);
            }
        }
        let time = directive("data-time").and_then(|path| scope.text(path));
        if let Some(time) = &time {
            set(&mut attributes, "datetime", time.clone());
        }
        start(element, attributes.iter().map(|(name, value)| (name, value)), out);
        if let Some(path) = directive("data-text") {
            let text = scope.text(path).unwrap_or_default();
            if directive("data-links").is_some() { linked(&text, out) } else { escape(&text, out) }
        } else if let Some(path) = directive("data-initial") {
            escape(&initial(&scope.text(path).unwrap_or_default()), out);
        } else if let Some(time) = time {
            escape(&ago(&time, self.now), out);
        } else if let Some(each) = directive("data-each") {
            let words: Vec<&str> = each.split(' ').collect();
            let (path, member, part) = match *words.as_slice() {
                [path, part] => (path, None, part),
                [path, member, part] => (path, Some(member), part),
                _ => return end(element, out),
            };
            let items = scope.get(path).and_then(Value::as_array).into_iter().flatten();
            for item in items.filter_map(|it| member.map_or(Some(it), |member| it.get(member))) {
                self.part(part, &Scope::within(item, scope), depth, out);
            }
        } else if let Some(name) = directive("data-part") {
            self.part(&filled(name, scope).unwrap_or_default(), scope, depth, out);
        } else {
            for child in &element.children {
                self.node(child, scope, depth, out);
            }
        }
        end(element, out);
    }
}

/// `name: value; name: value`.
fn pairs(text: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    text.unwrap_or_default().split("; ").filter_map(|pair| pair.split_once(": "))
}

fn set(attributes: &mut Vec<(String, String)>, name: &str, value: String) {
    match attributes.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => attributes.push((name.to_owned(), value)),
    }
}

/// Fills `{path}`s; nothing if one has no value. What is only one stays as it is; what is put into a
/// longer address is a piece of that.
fn filled(template: &str, scope: &Scope<'_>) -> Option<String> {
    if let Some(path) = template.strip_prefix('{').and_then(|it| it.strip_suffix('}'))
        && !path.contains('{')
    {
        return scope.text(path);
    }
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}')?;
        out.push_str(before);
        let value = scope.text(path)?;
        if template.starts_with('/') {
            encode(&value, &mut out);
        } else {
            out.push_str(&value);
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// As `encodeURIComponent` does it (ECMA-262).
fn encode(value: &str, out: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|it| HEX.get(usize::from(it)).copied());
            out.push('%');
            out.extend(digits.into_iter().flatten());
        }
    }
}

fn linked(text: &str, out: &mut String) {
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => escape(text, out),
            Piece::Link(address) => {
                out.push_str("<a href=\"");
                escape(address, out);
                out.push_str("\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">");
                escape(address, out);
                out.push_str("</a>");
            }
        }
    }
}

fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The client keeps the same rules: both are held against these cases.
    #[test]
    fn parts_become_what_the_cases_say() {
        let cases: Value = serde_json::from_str(include_str!("../../web/cases.json")).unwrap();
        let now = cases["now"].as_str().unwrap().parse().unwrap();
        for case in cases["parts"].as_array().unwrap() {
            let text = |key: &str| case[key].as_str().unwrap();
            let item = case["item"].as_str().unwrap_or("<i></i>");
            let parts = Parts::read([("case", text("part")), ("item", item)]).unwrap();
            let html = parts.render("case", &Scope::new(&case["data"]), now);
            assert_eq!(html, text("html"), "{}", text("part"));
        }
    }

    #[test]
    fn a_part_in_itself_comes_to_an_end() {
        let parts = Parts::read([("a", "<p data-part=\"a\"/>")]).unwrap();
        let html = parts.render("a", &Scope::new(&json!({})), DateTime::UNIX_EPOCH);
        assert_eq!(html.matches("<p>").count(), DEPTH);
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_name() {
        let error = Parts::read([("post", "<p><b></p>")]).unwrap_err();
        assert!(error.to_string().starts_with("the part \"post\" can't be read: "), "{error}");
    }
}
