//! What people may be called and sign in with: text in, valid values or a reason out. Pure.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_security::{GeneralSecurityProfile as _, MixedScript as _};

/// Why a text is not acceptable, in words for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// The argument.
    pub field: &'static str,
    pub reason: String,
}

fn invalid<T>(field: &'static str, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field, reason: reason.into() })
}

/// A name of 3–32 letters (of one script), digits, `_`, `.` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    pub shown: String,
    /// The same for names that differ only in case or in how a letter is encoded.
    pub key: String,
}

impl Username {
    /// Checks a name, after trimming and compatibility normalisation (NFKC).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const FIELD: &str = "username";
        let shown: String = text.trim().nfkc().take(MAX_NORMALISED).collect();
        if !(3..=32).contains(&shown.chars().count()) {
            return invalid(FIELD, "A username has 3 to 32 characters.");
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
        // Marks belong to the letters of many scripts, but can't stand first.
        let marked = |(index, c): (usize, char)| index > 0 && is_combining_mark(c);
        if !shown.chars().enumerate().all(|(index, c)| allowed(c) || marked((index, c))) {
            return invalid(FIELD, "A username has letters, digits, `_`, `.` and `-` only.");
        }
        // Unicode's list of what belongs into identifiers leaves out what can't be seen.
        let visible =
            |c: char| !c.is_alphanumeric() && !is_combining_mark(c) || c.identifier_allowed();
        let piled_up = shown.chars().collect::<Vec<_>>();
        let piled_up = piled_up.windows(3).any(|three| three.iter().all(|c| is_combining_mark(*c)));
        if piled_up || !shown.chars().all(visible) {
            return invalid(FIELD, "A username has letters that everybody can see and tell apart.");
        }
        if !shown.is_single_script() {
            // "pаypal" with a Cyrillic а looks like somebody else.
            return invalid(FIELD, "The letters of a username are of one script.");
        }
        Ok(Self { key: username_key(&shown), shown })
    }
}

/// Characters of an address (RFC 5321, section 4.5.3.1, with its angle brackets left out).
const MAX_EMAIL_CHARS: usize = 254;

/// Longer texts need no further normalising to be refused.
const MAX_NORMALISED: usize = 1_000;

/// How names are compared and searched: normalised (NFKC) and in lower case.
pub fn username_key(text: &str) -> String {
    // Up and down again, because some letters have two lower cases (σ, ς).
    let upper = text.trim().nfkc().take(MAX_NORMALISED).flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).nfkc().collect()
}

/// An address that looks like one: something, `@`, a host with a dot; 254 characters at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    pub shown: String,
    pub key: String,
}

impl Email {
    /// Checks an address, after trimming. Only a mail that arrives could prove more.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let shown = text.trim();
        if !plausible_email(shown) {
            return invalid("email", "That does not look like an email address.");
        }
        Ok(Self { shown: shown.to_owned(), key: email_key(shown) })
    }
}

/// How addresses are compared: normalised (NFKC) and in lower case. Cut where an address can't
/// be one any more.
pub fn email_key(text: &str) -> String {
    text.trim().nfkc().take(MAX_EMAIL_CHARS + 1).flat_map(char::to_lowercase).collect()
}

fn plausible_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '@');
    let labels_fit = host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    !local.is_empty()
        && local.chars().count() <= 64
        && text.chars().count() <= MAX_EMAIL_CHARS
        && email_key(text).chars().count() <= MAX_EMAIL_CHARS
        && host.contains('.')
        && labels_fit
        && !local.contains(strange)
        && !host.contains(strange)
}

/// A password that somebody wants to have: 8–128 characters, no other rules (NIST SP 800-63B).
pub struct NewPassword(String);

impl NewPassword {
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.chars().count() {
            8..=128 => Ok(Self(text.to_owned())),
            _ => invalid("password", "A password has 8 to 128 characters."),
        }
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A text that people write: trimmed, not empty, at most `max` characters.
pub fn written(field: &'static str, text: &str, max: usize) -> Result<String, Invalid> {
    let text = text.trim();
    match text.chars().count() {
        0 => invalid(field, "The text is empty."),
        count if count > max => {
            invalid(field, format!("The text has {count} characters; at most {max} fit."))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_one_script_are_fine() {
        for name in [
            "ada",
            "Łukasz_1",
            "李小龙",
            "ひらカナ漢字",
            "मीरा",
            "an.na-x",
            "ИВАН",
            "a".repeat(32).as_str(),
        ] {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_could_mislead_or_break_are_refused() {
        for name in [
            "",
            "ab",
            "  ab  ",
            "a b c",
            "a/bc",
            "p\u{430}ypal",
            "a\u{200d}bc",
            "\u{301}abc",
            "<b>x</b>",
            "a\0bc",
            "🙂🙂🙂",
            "\u{fdfa}",
            "ada\u{34f}",
            "a\u{34f}da",
            "ada\u{fe0f}",
            "\u{3164}\u{3164}\u{3164}",
            "김철수\u{3164}",
            "a\u{301}\u{301}\u{301}\u{301}bc",
            "a".repeat(33).as_str(),
        ] {
            assert!(Username::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_differ_in_case_or_encoding_are_the_same() {
        let key = |name| Username::parse(name).unwrap().key;
        assert_eq!(key("ADA"), key("ada"));
        assert_eq!(key("ΟΔΥΣΣΕΥΣ"), key("Οδυσσευς"));
        assert_eq!(key("Zoe\u{308}"), key("zo\u{eb}"));
        assert_eq!(key("ａｄａ"), key("ada"));
        assert_ne!(key("Zoë"), key("Zoe"));
    }

    #[test]
    fn addresses_must_be_plausible() {
        for address in ["a@b.c", " Ada.L@example.org ", "ü@exämple.org", "a+b@x.co.uk"] {
            assert!(Email::parse(address).is_ok(), "{address}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for address in [
            "", "a", "a@b", "@b.c", "a@", "a@.c", "a@b..c", "a b@c.d", "a@b@c.d", "a@b.c\n",
            "<a@b.c>", &long,
        ] {
            let trimmed_fine = address.trim() == "a@b.c";
            assert_eq!(Email::parse(address).is_ok(), trimmed_fine, "{address:?}");
        }
    }

    #[test]
    fn texts_are_trimmed_and_counted_in_characters() {
        assert_eq!(written("text", " 🙂\n", 1).unwrap(), "🙂");
        assert!(written("text", " \n ", 9).is_err());
        assert!(written("text", "ab", 1).is_err());
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        assert!(NewPassword::parse("1234567").is_err());
        assert!(NewPassword::parse("ååååålll").is_ok());
        assert!(NewPassword::parse(&"x".repeat(129)).is_err());
    }
}
