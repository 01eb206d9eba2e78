//! Reading single values. Every error continues the sentence `"the value" …`.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
};

use super::Mode;
use crate::telemetry::LogFormat;

/// `IP:PORT`, `localhost:PORT`, `[::1]:PORT`, `:PORT` or `PORT`. A port alone keeps the mode's own
/// address, so that moving to another port never opens a development server to the network.
pub(super) fn listen(text: &str, mode: Mode) -> Result<SocketAddr, String> {
    let own = match mode {
        Mode::Development => IpAddr::from([127, 0, 0, 1]),
        Mode::Production => IpAddr::from([0, 0, 0, 0]),
    };
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let named = match host {
        "" => Some(own),
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        _ => None,
    };
    // `u16` would also read "+80".
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let address = match (named, port.parse::<u16>()) {
        (Some(ip), Ok(port)) if digits => Some(SocketAddr::new(ip, port)),
        _ => text.parse().ok(),
    };
    address.ok_or_else(|| {
        "is not an address (expected HOST:PORT such as 127.0.0.1:8000, with an IP address or \
         localhost as HOST, or only a port)"
            .to_owned()
    })
}

/// A switch.
pub(super) fn on_off(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("is neither on (1, true, yes) nor off (0, false, no)".to_owned()),
    }
}

/// How `on_off` values are shown.
pub(super) fn show_on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

/// A whole number within bounds.
pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("is not a whole number from {} to {}", range.start(), range.end()))
}

/// The path of a folder.
pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    match text {
        "" => Err("is not the path of a folder".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

impl Mode {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            // Test runners of the JavaScript world set NODE_ENV=test.
            "development" | "test" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err("is not a mode (expected development or production)".to_owned()),
        }
    }
}

impl LogFormat {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("is not a log format (expected text or json)".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for (text, development, production) in [
            ("127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:8080", "[::1]:8080", "[::1]:8080"),
            ("localhost:1", "127.0.0.1:1", "127.0.0.1:1"),
            (":9000", "127.0.0.1:9000", "0.0.0.0:9000"),
            ("9000", "127.0.0.1:9000", "0.0.0.0:9000"),
        ] {
            for (mode, expected) in
                [(Mode::Development, development), (Mode::Production, production)]
            {
                assert_eq!(listen(text, mode).unwrap().to_string(), expected, "{text}");
            }
        }
        for text in
            ["", ":", "localhost", "localhost:80a", "1.2.3.4", "::1", "65536", "+80", "web:80"]
        {
            let error = listen(text, Mode::Development).unwrap_err();
            assert!(error.starts_with("is not an address"), "{text}: {error}");
        }
    }

    #[test]
    fn switches_and_numbers() {
        for (text, on) in [("1", true), ("TRUE", true), ("on", true), ("No", false), ("0", false)] {
            assert_eq!(on_off(text), Ok(on), "{text}");
        }
        assert!(on_off("maybe").is_err());
        assert_eq!(number("1000", 1..=1000), Ok(1000));
        for text in ["0", "1001", "-1", "ten", "1.5", "99999999999"] {
            assert!(number(text, 1..=1000).is_err(), "{text}");
        }
    }
}
