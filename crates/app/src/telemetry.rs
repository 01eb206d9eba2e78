//! Logging: events as text for people or as JSON for programs.
//!
//! Text goes to standard error, in colour if that is a terminal and `NO_COLOR` is unset, and so
//! stays out of what a command prints. JSON goes to standard output, where containers expect it:
//! one object a line with the event's fields at the top and the time in UTC (RFC 3339).
//!
//! Libraries are heard from `warn` up unless the filter names them. In particular a filter of
//! `debug` does not log SQL statements; `debug,sqlx=debug` does, and even then never the values
//! bound to them.
//!
//! A panic is an event like any other: one line, in the span of the request that panicked.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing::{Subscriber, level_filters::LevelFilter, subscriber::set_global_default};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as `tracing-subscriber` reads it.
    pub filter: String,
    /// How events are written.
    pub format: LogFormat,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people, on standard error.
    Text,
    /// For programs, one JSON object a line on standard output.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Libraries that say more than an operator asked for. Names stand for all that start with them.
const QUIET: &str =
    "hyper=warn,object_store=warn,reqwest=warn,rustls=warn,sqlx=warn,tungstenite=warn";

/// Starts logging for the whole process, panics included. Only the first call of a process succeeds.
///
/// # Errors
/// What to tell the person who runs this program.
pub fn init(log: &LogConfig) -> Result<(), String> {
    let filter =
        filter(&log.filter).map_err(|why| format!("the log filter {:?} {why}", log.filter))?;
    let installed = match log.format {
        LogFormat::Text => set_global_default(text(filter, io::stderr, io::stderr().is_terminal())),
        LogFormat::Json => set_global_default(json(filter, io::stdout)),
    };
    installed.map_err(|error| format!("cannot start logging: {error}"))?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs a panic where it happens, which is once: those who catch it or wait for it say no more.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let cause = panic.payload_as_str().unwrap_or("(no text)");
    let location = panic.location().map(ToString::to_string);
    // Only for who asks with RUST_BACKTRACE.
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(cause, location, backtrace, "panicked");
}

/// Tells whether a filter can be used; an error continues the sentence `"the filter" …`.
pub(crate) fn check_filter(text: &str) -> Result<(), String> {
    filter(text).map(|_| ())
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    let parse = |text: &str| {
        EnvFilter::builder().parse(text).map_err(|error| {
            format!("is not a log filter: {error} (expected such as info or info,app=debug)")
        })
    };
    let asked = parse(text)?;
    // Where nothing below `warn` was asked for, holding libraries to `warn` would add to the log.
    match asked.max_level_hint() {
        Some(level) if level <= LevelFilter::WARN => Ok(asked),
        // What was asked for comes last, and so replaces what is said here about the same target.
        _ => parse(&format!("{QUIET},{text}")),
    }
}

fn text<W>(filter: EnvFilter, writer: W, terminal: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // On a terminal the library's own choice stands, which honours NO_COLOR.
    if terminal { Box::new(builder.finish()) } else { Box::new(builder.with_ansi(false).finish()) }
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn writer(&self) -> impl Fn() -> Self + Send + Sync + 'static {
            let sink = self.clone();
            move || sink.clone()
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn logged(filter_text: &str) -> String {
        let sink = Sink::default();
        let subscriber = text(filter(filter_text).unwrap(), sink.writer(), false);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "app", "ours");
            tracing::debug!(target: "sqlx::query", "statement");
            tracing::warn!(target: "sqlx::query", "slow");
        });
        sink.text()
    }

    #[test]
    fn libraries_are_quiet_until_they_are_named() {
        for (filter, ours, statement, slow) in [
            ("info", false, false, true),
            ("debug", true, false, true),
            ("debug,sqlx=debug", true, true, true),
            ("sqlx::query=debug", false, true, true),
            ("error", false, false, false),
            ("off", false, false, false),
        ] {
            let text = logged(filter);
            let found = ["ours", "statement", "slow"].map(|word| text.contains(word));
            assert_eq!(found, [ours, statement, slow], "{filter}: {text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let sink = Sink::default();
        let subscriber = json(filter("info").unwrap(), sink.writer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(status = 200, "two\nlines");
        });
        let text = sink.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["message"], &event["status"]), (&"two\nlines".into(), &200.into()));
        let time = event["timestamp"].as_str().unwrap();
        assert!(time.contains('T') && time.ends_with('Z'), "{time}");
    }

    /// In a process of its own, because hook and log are the whole process's: this same test,
    /// which finds that it is the one to panic.
    #[test]
    fn a_panic_is_logged_once_in_its_request_wherever_it_happens() {
        const NAME: &str =
            "telemetry::tests::a_panic_is_logged_once_in_its_request_wherever_it_happens";
        if std::env::var_os("GRAPHBOOK_TEST_PANICS").is_some() {
            panic_here_and_there();
            return;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("GRAPHBOOK_TEST_PANICS", "1")
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        assert!(!String::from_utf8_lossy(&child.stderr).contains("panicked"), "{child:?}");
        let text = String::from_utf8(child.stdout).unwrap();
        let lines = text.lines().filter(|line| line.starts_with('{'));
        let events: Vec<serde_json::Value> =
            lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = events.iter().map(|event| {
            assert_eq!((&event["level"], &event["message"]), (&"ERROR".into(), &"panicked".into()));
            assert!(event["location"].as_str().unwrap().contains("telemetry.rs:"), "{event}");
            assert!(event.get("backtrace").is_none(), "{event}");
            (event["cause"].as_str().unwrap(), event["span"]["id"].as_str().unwrap())
        });
        let expected = [("two\nlines", "req-1"), ("in a thread", "req-2")];
        assert_eq!(told.collect::<Vec<_>>(), expected, "{text}");
    }

    fn panic_here_and_there() {
        use std::panic::{AssertUnwindSafe, catch_unwind};

        use crate::tasks::{blocking, outcome};

        init(&LogConfig { filter: "info".into(), format: LogFormat::Json }).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let caught = |id: &str, work: &dyn Fn()| {
            tracing::info_span!("request", id)
                .in_scope(|| catch_unwind(AssertUnwindSafe(work)).unwrap_err())
        };
        caught("req-1", &|| panic!("two\nlines"));
        caught("req-2", &|| {
            runtime.block_on(async { outcome(blocking(|| panic!("in a thread"))).await });
        });
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        for text in ["app=loud", "=", "app[="] {
            let error = check_filter(text).unwrap_err();
            assert!(error.starts_with("is not a log filter"), "{text}: {error}");
        }
        let log = LogConfig { filter: "app=loud".into(), format: LogFormat::Text };
        assert!(init(&log).unwrap_err().contains("app=loud"));
    }
}
