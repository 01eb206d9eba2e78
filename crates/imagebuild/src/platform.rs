//! Whether a dependency that is only for some platforms is for this one (The Cargo Book, "Platform
//! specific dependencies"; The Rust Reference, "Conditional compilation").

use std::collections::BTreeSet;

/// Deeper than anybody writes.
const DEPTH: usize = 64;

/// What rustc says of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    triple: String,
    cfgs: BTreeSet<String>,
}

impl Platform {
    /// From the target's name and what `rustc --print cfg --target TRIPLE` printed.
    pub fn new(triple: &str, printed: &str) -> Self {
        let cfgs = printed.lines().map(|line| line.trim().to_owned());
        Self { triple: triple.to_owned(), cfgs: cfgs.collect() }
    }

    /// Whether `cfg(…)`, or a target's name, is this one. What can't be read is: a list of what is
    /// in a program had better be too long than too short.
    pub(crate) fn is(&self, condition: &str) -> bool {
        let inner = condition.trim().strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')'));
        let Some(inner) = inner else { return condition == self.triple };
        let mut reader = Reader { rest: inner, platform: self };
        reader.expression(0).filter(|_| reader.rest.trim().is_empty()).unwrap_or(true)
    }
}

struct Reader<'a> {
    rest: &'a str,
    platform: &'a Platform,
}

impl<'a> Reader<'a> {
    fn expression(&mut self, depth: usize) -> Option<bool> {
        if depth > DEPTH {
            return None;
        }
        let name = self.word()?;
        if self.takes('(') {
            let mut values = Vec::new();
            while !self.takes(')') {
                values.push(self.expression(depth + 1)?);
                if !self.takes(',') && !self.rest.trim_start().starts_with(')') {
                    return None;
                }
            }
            return match (name, values.as_slice()) {
                ("all", values) => Some(values.iter().all(|value| *value)),
                ("any", values) => Some(values.iter().any(|value| *value)),
                ("not", [value]) => Some(!value),
                _ => None,
            };
        }
        if self.takes('=') {
            let text = self.rest.trim_start().strip_prefix('"')?;
            let (value, rest) = text.split_once('"')?;
            self.rest = rest;
            return Some(self.platform.cfgs.contains(&format!("{name}=\"{value}\"")));
        }
        Some(name == "true" || self.platform.cfgs.contains(name))
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn takes(&mut self, sign: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn linux() -> Platform {
        let printed = "debug_assertions\ntarget_arch=\"x86_64\"\ntarget_os=\"linux\"\nunix\n";
        Platform::new("x86_64-unknown-linux-gnu", printed)
    }

    #[test]
    fn a_condition_is_met_or_not() {
        for (condition, is) in [
            ("x86_64-unknown-linux-gnu", true),
            ("x86_64-pc-windows-gnu", false),
            ("cfg(unix)", true),
            ("cfg( windows )", false),
            ("cfg(target_os = \"linux\")", true),
            ("cfg(target_os=\"macos\")", false),
            ("cfg(not(windows))", true),
            ("cfg(all(unix, not(target_os = \"linux\")))", false),
            ("cfg(all(unix, any(windows, target_arch = \"x86_64\",)))", true),
            ("cfg(any(windows, target_os = \"wasi\"))", false),
            ("cfg(any())", false),
            ("cfg(all())", true),
            ("cfg(true)", true),
            ("cfg(false)", false),
        ] {
            assert_eq!(linux().is(condition), is, "{condition}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_met() {
        let deep = format!("cfg({}windows{})", "all(".repeat(99), ")".repeat(99));
        let endless = format!("cfg({})", "all(".repeat(100_000));
        for odd in ["cfg(windows unix)", "cfg(not(windows, a b))", "cfg(xor(windows))", "cfg(a=b)"]
        {
            assert!(linux().is(odd), "{odd}");
        }
        assert!(linux().is(&deep) && linux().is(&endless));
    }

    proptest! {
        #[test]
        fn no_condition_is_too_odd(text in "(cfg\\(|all\\(|any\\(|not\\(|\\)|,|=|\"|a|é| ){0,30}") {
            let _ = linux().is(&text);
            let _ = linux().is(&format!("cfg({text})"));
        }
    }
}
