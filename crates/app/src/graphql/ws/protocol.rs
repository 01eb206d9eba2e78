//! The messages of [graphql-transport-ws] and of its predecessor [graphql-ws].
//!
//! Everything here is a function of its arguments. The two differ mostly in what they call
//! things, and in how much they put up with: the newer one closes the socket on whatever it does
//! not specify, the older one answers and goes on.
//!
//! [graphql-transport-ws]: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
//! [graphql-ws]: https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md

use std::borrow::Cow;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::graphql::Operation;

/// The longest reason that fits into a close frame (RFC 6455, section 5.5).
const MAX_REASON_BYTES: usize = 123;
/// The longest id of an operation; every reply repeats it.
const MAX_ID_BYTES: usize = 256;
/// Where `connection_init` may carry a token. The first is what our own client sends.
const TOKEN_FIELDS: [&str; 3] = ["authToken", "Authorization", "authorization"];

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// graphql-transport-ws.
    Modern,
    /// graphql-ws, of the package subscriptions-transport-ws.
    Legacy,
}

impl Dialect {
    /// What they are called in `Sec-WebSocket-Protocol`, the better one first.
    pub(super) const NAMES: [&str; 2] = ["graphql-transport-ws", "graphql-ws"];

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Modern, Self::Legacy].into_iter().find(|dialect| dialect.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        let [modern, legacy] = Self::NAMES;
        match self {
            Self::Modern => modern,
            Self::Legacy => legacy,
        }
    }
}

/// Why a socket is closed, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    pub(super) const NORMAL: Self = Self::new(1000, "");
    pub(super) const GOING_AWAY: Self = Self::new(1001, "Going away");
    pub(super) const SILENT: Self = Self::new(1001, "No sign of life");
    pub(super) const NOT_UTF8: Self = Self::new(1007, "Not UTF-8");
    pub(super) const TOO_BIG: Self = Self::new(1009, "Message too big");
    /// What the older server did after `connection_error`.
    pub(super) const LEGACY_REFUSED: Self = Self::new(1011, "");
    /// Unlike 1011, clients take this one as a reason to connect again.
    pub(super) const TRY_LATER: Self = Self::new(1013, "Try again later");
    pub(super) const UNAUTHORIZED: Self = Self::new(4401, "Unauthorized");
    pub(super) const FORBIDDEN: Self = Self::new(4403, "Forbidden");
    pub(super) const SESSION_ENDED: Self = Self::new(4403, "Session ended");
    pub(super) const NO_PROTOCOL: Self = Self::new(4406, "Subprotocol not acceptable");
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    pub(super) const SECOND_INIT: Self = Self::new(4429, "Too many initialisation requests");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// There is an operation of that id already.
    pub(super) fn id_taken(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    fn malformed(why: &str) -> Self {
        Self { code: 4400, reason: format!("Invalid message: {why}").into() }
    }

    /// The reason, cut to what a frame holds.
    pub(super) fn reason(&self) -> &str {
        self.reason.get(..self.reason.floor_char_boundary(MAX_REASON_BYTES)).unwrap_or_default()
    }
}

/// What a client says.
#[derive(Debug)]
pub(super) enum ClientMessage {
    Init { token: Option<String> },
    Ping { payload: Option<Value> },
    Pong,
    Start { id: String, operation: Operation },
    Stop { id: String },
    Terminate,
}

/// What follows from a message that can't be read.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    Close(Close),
    Answer(ServerMessage),
}

/// What the server says. Replies come as the JSON that they are sent as.
#[derive(Debug, PartialEq)]
pub(super) enum ServerMessage {
    Ack,
    /// The older protocol's answer to `connection_init`, or to what it can't make sense of.
    ConnectionError {
        message: &'static str,
    },
    /// A sign of life.
    Beat,
    Pong {
        payload: Option<Value>,
    },
    /// A reply, which more may follow.
    Next {
        id: String,
        response: String,
    },
    /// A list of errors instead of a reply.
    Refused {
        id: String,
        errors: String,
    },
    /// The older protocol's answer to a request that is none.
    Invalid {
        id: Option<String>,
        message: &'static str,
    },
    Complete {
        id: String,
    },
}

/// Reads a message.
pub(super) fn parse(text: &str, dialect: Dialect) -> Result<ClientMessage, Fault> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return Err(unreadable("it is not a JSON object", dialect));
    };
    let Some(Value::String(kind)) = message.remove("type") else {
        return Err(unreadable("its type is missing", dialect));
    };
    let fields = Fields { message, dialect };
    match (dialect, kind.as_str()) {
        (_, "connection_init") => fields.init(),
        (Dialect::Modern, "ping") => Ok(ClientMessage::Ping { payload: fields.payload()? }),
        (Dialect::Modern, "pong") => fields.payload().map(|_| ClientMessage::Pong),
        (Dialect::Modern, "subscribe") | (Dialect::Legacy, "start") => fields.start(),
        (Dialect::Modern, "complete") | (Dialect::Legacy, "stop") => {
            fields.id().map(|id| ClientMessage::Stop { id })
        }
        (Dialect::Legacy, "connection_terminate") => Ok(ClientMessage::Terminate),
        _ => Err(fields.fault("its type is unknown")),
    }
}

/// What follows from a message that is not text.
pub(super) fn binary(dialect: Dialect) -> Fault {
    unreadable("it is binary", dialect)
}

fn unreadable(why: &'static str, dialect: Dialect) -> Fault {
    match dialect {
        Dialect::Modern => Fault::Close(Close::malformed(why)),
        Dialect::Legacy => Fault::Answer(ServerMessage::ConnectionError { message: why }),
    }
}

/// A message without its type.
struct Fields {
    message: Map<String, Value>,
    dialect: Dialect,
}

impl Fields {
    fn init(&self) -> Result<ClientMessage, Fault> {
        let Some(payload) = self.payload()? else { return Ok(ClientMessage::Init { token: None }) };
        for field in TOKEN_FIELDS {
            match payload.get(field) {
                // Clients that have no token yet say so in one of these ways.
                None | Some(Value::Null) => {}
                Some(Value::String(token)) if token.trim().is_empty() => {}
                Some(Value::String(token)) => {
                    return Ok(ClientMessage::Init { token: Some(token.clone()) });
                }
                Some(_) => return Err(self.fault("the token is not a string")),
            }
        }
        Ok(ClientMessage::Init { token: None })
    }

    fn start(mut self) -> Result<ClientMessage, Fault> {
        let id = self.id()?;
        let Some(payload @ Value::Object(_)) = self.message.remove("payload") else {
            return Err(self.fault("its payload is not an object"));
        };
        match Operation::deserialize(payload) {
            Ok(operation) => Ok(ClientMessage::Start { id, operation }),
            Err(_) => Err(self.fault("its payload is not a GraphQL request")),
        }
    }

    fn id(&self) -> Result<String, Fault> {
        match self.message.get("id") {
            Some(Value::String(id)) if id.is_empty() => Err(self.fault("its id is empty")),
            Some(Value::String(id)) if id.len() > MAX_ID_BYTES => {
                Err(self.fault("its id has more than 256 bytes"))
            }
            Some(Value::String(id)) => Ok(id.clone()),
            _ => Err(self.fault("its id is not a string")),
        }
    }

    /// The payload where it may be left out.
    fn payload(&self) -> Result<Option<Value>, Fault> {
        match self.message.get("payload") {
            None | Some(Value::Null) => Ok(None),
            Some(payload @ Value::Object(_)) => Ok(Some(payload.clone())),
            Some(_) => Err(self.fault("its payload is not an object")),
        }
    }

    fn fault(&self, why: &'static str) -> Fault {
        match self.dialect {
            Dialect::Modern => Fault::Close(Close::malformed(why)),
            Dialect::Legacy => {
                let id = self.message.get("id").and_then(Value::as_str).map(ToOwned::to_owned);
                Fault::Answer(ServerMessage::Invalid { id, message: why })
            }
        }
    }
}

impl ServerMessage {
    /// Writes the message.
    pub(super) fn encode(&self, dialect: Dialect) -> String {
        let modern = dialect == Dialect::Modern;
        match self {
            Self::Ack => json!({"type": "connection_ack"}).to_string(),
            Self::ConnectionError { message } => {
                json!({"type": "connection_error", "payload": {"message": message}}).to_string()
            }
            Self::Beat => json!({"type": if modern { "ping" } else { "ka" }}).to_string(),
            Self::Pong { payload: None } => json!({"type": "pong"}).to_string(),
            Self::Pong { payload } => json!({"type": "pong", "payload": payload}).to_string(),
            Self::Next { id, response } => with_payload(dialect, id, response),
            Self::Refused { id, errors } if modern => tagged(id, "error", errors),
            // The older protocol has `error` for this, but the server that spoke it did not use
            // it, and its clients show only the first message of it.
            Self::Refused { id, errors } => {
                with_payload(dialect, id, &format!(r#"{{"errors":{errors}}}"#))
            }
            Self::Invalid { id, message } => {
                json!({"type": "error", "id": id, "payload": {"message": message}}).to_string()
            }
            Self::Complete { id } => json!({"type": "complete", "id": id}).to_string(),
        }
    }
}

fn with_payload(dialect: Dialect, id: &str, payload: &str) -> String {
    let kind = match dialect {
        Dialect::Modern => "next",
        Dialect::Legacy => "data",
    };
    tagged(id, kind, payload)
}

/// A message around a payload that is JSON already.
fn tagged(id: &str, kind: &str, payload: &str) -> String {
    let id = Value::from(id);
    format!(r#"{{"id":{id},"type":"{kind}","payload":{payload}}}"#)
}
