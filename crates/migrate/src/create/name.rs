//! What a migration is called in its file's name.

/// Lower-case letters and digits, with `_` between words; `None` if nothing is left.
///
/// A word ends at anything else and before a capital that follows a small letter.
pub(super) fn normalise(name: &str) -> Option<String> {
    let name = name.trim();
    let name = [".sql", ".up", ".down"]
        .iter()
        .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
    let mut normal = String::with_capacity(name.len());
    let mut before = ' ';
    for char in name.chars() {
        let is_part = char.is_ascii_alphanumeric();
        let begins = !before.is_ascii_alphanumeric()
            || (before.is_ascii_lowercase() && char.is_ascii_uppercase());
        if is_part && begins && !normal.is_empty() {
            normal.push('_');
        }
        if is_part {
            normal.push(char.to_ascii_lowercase());
        }
        before = char;
    }
    (!normal.is_empty()).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn names_are_letters_digits_and_underscores() {
        for (name, normal) in [
            ("add users", "add_users"),
            ("  Add the users' e-mail! ", "add_the_users_e_mail"),
            ("AddUsersTable2", "add_users_table2"),
            ("add__users_", "add_users"),
            ("add_users.up.sql", "add_users"),
            ("add_users.sql", "add_users"),
            ("../../etc/passwd", "etc_passwd"),
            ("a/b\\c\n\0d", "a_b_c_d"),
            ("HTTP", "http"),
            ("caf\u{e9} 2", "caf_2"),
        ] {
            assert_eq!(normalise(name).as_deref(), Some(normal), "{name:?}");
        }
        for name in ["", " ", "___", "../..", ".sql", "\u{e9}"] {
            assert_eq!(normalise(name), None, "{name:?}");
        }
    }
}
