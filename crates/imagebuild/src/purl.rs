//! Names of packages that every scanner knows (ECMA-427, "Package-URL specification").

use std::fmt::Write as _;

use crate::digest::Digest;

/// An image. `repository` is the place that it is pushed to, such as `registry.example/team/app`;
/// its last part is the image's name.
pub fn image(repository: &str, digest: Digest, architecture: &str) -> String {
    let name = repository.rsplit('/').next().unwrap_or_default().to_lowercase();
    let place = if repository.contains('/') { repository } else { "" };
    let qualifiers = [("arch", architecture), ("repository_url", place)];
    purl("oci", "", &name, &digest.to_string(), &qualifiers)
}

/// Puts one together. What is empty is left out; qualifiers are given in the order of their keys,
/// which is the order that the specification wants.
pub(crate) fn purl(
    kind: &str,
    namespace: &str,
    name: &str,
    version: &str,
    qualifiers: &[(&str, &str)],
) -> String {
    let mut purl = format!("pkg:{kind}/");
    if !namespace.is_empty() {
        purl += &encoded(namespace);
        purl.push('/');
    }
    purl += &encoded(name);
    if !version.is_empty() {
        purl.push('@');
        purl += &encoded(version);
    }
    let mut before = '?';
    for (key, value) in qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
        purl.push(before);
        purl += key;
        purl.push('=');
        purl += &encoded(value);
        before = '&';
    }
    purl
}

/// Everything but letters, digits, `.-_~` and the colon (ECMA-427, "Character encoding").
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A URL without user, password, query and fragment, any of which may be secret.
pub(crate) fn without_credentials(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // A password may have an `@` of its own.
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_divide_a_name_is_encoded() {
        assert_eq!(
            purl(
                "deb",
                "debian",
                "libstdc++6",
                "1:12.2.0-14+b1~x",
                &[("arch", "amd64"), ("x", "")]
            ),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bb1~x?arch=amd64"
        );
        assert_eq!(
            purl("cargo", "", "a", "1", &[("a", "é/@"), ("b", "&=")]),
            "pkg:cargo/a@1?a=%C3%A9%2F%40&b=%26%3D"
        );
    }

    #[test]
    fn an_image_is_named_by_its_digest() {
        let digest = Digest::of(b"");
        let hex = digest.hex();
        let pushed = format!(
            "pkg:oci/app@sha256:{hex}?arch=amd64&repository_url=registry.example:5000%2Fteam%2Fapp"
        );
        assert_eq!(image("registry.example:5000/team/app", digest, "amd64"), pushed);
        assert_eq!(image("App", digest, ""), format!("pkg:oci/app@sha256:{hex}"));
    }

    #[test]
    fn a_url_keeps_no_secrets() {
        for (url, shown) in [
            ("https://me:p@ss@git.example/a.git?token=x#y", "https://git.example/a.git"),
            ("https://token@git.example", "https://git.example"),
            ("git+https://git.example/a@b", "git+https://git.example/a@b"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_encoded_so_that_it_can_be_decoded(text in any::<String>()) {
            let text = text.as_str();
            let encoded = encoded(text);
            prop_assert!(encoded.bytes().all(|it| it.is_ascii_alphanumeric() || b"%.-_~:".contains(&it)));
            let mut decoded = Vec::new();
            let mut rest = encoded.as_str();
            while let Some(first) = rest.chars().next() {
                let length = if first == '%' { 3 } else { 1 };
                let (this, after) = rest.split_at(length);
                decoded.push(match this.strip_prefix('%') {
                    Some(hex) => u8::from_str_radix(hex, 16).unwrap(),
                    None => this.as_bytes()[0],
                });
                rest = after;
            }
            prop_assert_eq!(decoded, text.as_bytes());
        }
    }
}
