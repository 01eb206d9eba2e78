//! Where Valkey is.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion, io::tcp::TcpSettings};
use url::Url;

/// The address of a Valkey or Redis server, and how to sign in there. Shown without its password.
#[derive(Clone, Debug)]
pub struct Valkey {
    info: ConnectionInfo,
    shown: String,
}

impl Valkey {
    /// Reads `redis://[USER[:PASSWORD]@]HOST[:PORT]`, or `rediss://…` for TLS. Which number a
    /// database has means nothing to what is published, so that there is none.
    ///
    /// # Errors
    /// What is wrong, without the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected redis://HOST:PORT or, with TLS, rediss://HOST:PORT";
        let mut url = Url::parse(text).map_err(|error| {
            format!("is not a URL ({error}); {EXPECTED}, special characters of a password as %XX")
        })?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(format!("is not the URL of a Valkey or Redis server ({EXPECTED})"));
        }
        // The client would take `#insecure` for a wish not to verify anything.
        if url.fragment().is_some() || url.query().is_some() || !matches!(url.path(), "" | "/") {
            return Err(format!(
                "has something behind the host ({EXPECTED}; special characters of a password are \
                 written as %XX, such as %23 for #)"
            ));
        }
        let info = url.as_str().into_connection_info();
        let info = info.map_err(|error| format!("cannot be used: {error}"))?;
        // Of the third version, in which one connection both publishes and listens.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info
            .set_redis_settings(settings)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        // Refused for URLs without a host only.
        let _ = url.set_password(None);
        Ok(Self { info, shown: url.to_string() })
    }

    /// Whether there is a password.
    pub fn has_password(&self) -> bool {
        self.info.redis_settings().password().is_some()
    }

    /// With this password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        let settings = self.info.redis_settings().clone().set_password(password);
        self.info = self.info.set_redis_settings(settings);
        self
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }
}

impl fmt::Display for Valkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use redis::ConnectionAddr;

    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_the_password() {
        for (text, shown, user, password) in [
            ("redis://cache", "redis://cache", None, None),
            ("redis://:s3cret@cache:7000/", "redis://cache:7000/", None, Some("s3cret")),
            (
                "rediss://app:s3%23cret@[::1]:1",
                "rediss://app@[::1]:1",
                Some("app"),
                Some("s3#cret"),
            ),
        ] {
            let valkey = Valkey::parse(text).unwrap();
            assert_eq!(valkey.to_string(), shown);
            let settings = valkey.info.redis_settings();
            assert_eq!((settings.username(), settings.password()), (user, password), "{text}");
            assert_eq!(settings.protocol(), ProtocolVersion::RESP3);
            let tls = text.starts_with("rediss:");
            assert!(match valkey.info.addr() {
                ConnectionAddr::Tcp(..) => !tls,
                ConnectionAddr::TcpTls { insecure, .. } => tls && !insecure,
                _ => false,
            });
            let given = valkey.with_password("an0ther");
            assert_eq!(given.info.redis_settings().password(), Some("an0ther"));
            let shown = format!("{given} {given:?}");
            assert!(!shown.contains("cret") && !shown.contains("an0ther"), "{shown}");
        }
    }

    #[test]
    fn other_addresses_are_refused_without_repeating_them() {
        for text in [
            "s3cret",
            "http://:s3cret@cache",
            "unix:///s3cret",
            "redis://:s3cret@cache/#insecure",
            "redis://:s3cret@cache/?protocol=resp2",
            "redis://:s3cret@cache/1",
            "redis://:s3cret#1@cache",
            "redis://:s3cret/1@cache",
            "redis://:s3cret@",
            "redis://:s3cret@0.0.0.0",
        ] {
            let refused = Valkey::parse(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
