//! What goes back to a client, whatever the transport.

use async_graphql::{Response, ServerError, Value};
use axum::http::{HeaderMap, StatusCode};
use serde::{Serialize, ser::SerializeMap as _};

use super::{
    errors::{
        BAD_USER_INPUT, INTERNAL_MESSAGE, INTERNAL_SERVER_ERROR, PARSE_FAILED, RATE_LIMITED,
        VALIDATION_FAILED,
    },
    nulls::{Asked, Types},
};

/// A response in which every error has a code and the request's id.
#[derive(Debug)]
pub struct Reply {
    response: Response,
    /// The operation was refused before anything was executed: `data` must be absent
    /// (GraphQL specification, section 7.1).
    refused: bool,
    /// There was no operation that could be refused.
    ill_formed: bool,
    /// How it is told over HTTP.
    status: StatusCode,
}

impl Reply {
    /// Wraps what async-graphql answered.
    pub(super) fn new(mut response: Response, request_id: &str) -> Self {
        // Errors without a path are of validation; those of execution have one.
        let refused = response.data == Value::Null
            && !response.errors.is_empty()
            && response.errors.iter().all(|error| error.path.is_empty());
        for error in &mut response.errors {
            // What we raise has a code; the rest comes from the library: a document that does
            // not fit the schema, or a value that does not fit its type.
            let code = if error.path.is_empty() && !is_about_a_value(error) {
                VALIDATION_FAILED
            } else {
                BAD_USER_INPUT
            };
            complete(error, code, request_id);
        }
        let limited = response.data == Value::Null && has_code(&response, RATE_LIMITED);
        let status = if limited {
            StatusCode::TOO_MANY_REQUESTS
        } else if refused {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        if limited && let Some(seconds) = retry_after(&response) {
            response.http_headers.insert("retry-after", seconds.into());
        }
        Self { response, refused, ill_formed: false, status }
    }

    /// The same with nulls where something failed. What was refused stays refused, and what was
    /// executed is no refusal, though all of its data may be null now.
    #[must_use]
    pub(super) fn with_nulls(mut self, types: &Types, asked: &Asked) -> Self {
        types.put_nulls(asked, &self.response.errors, &mut self.response.data);
        self
    }

    /// The same of a subscription whose source could not be had: nothing was executed (GraphQL
    /// specification, section 6.2.3.1).
    #[must_use]
    pub(super) fn without_data(self) -> Self {
        Self { refused: true, ..self }
    }

    /// An operation that is not executed, and why.
    pub fn refused(message: &str, code: &str, request_id: &str) -> Self {
        Self::refused_with(ServerError::new(message, None), code, request_id)
    }

    /// A document that can't be parsed, and where. The parser draws the place into its message,
    /// however long the line is; only its last line says what was expected.
    pub(super) fn unparsed(mut error: ServerError, request_id: &str) -> Self {
        let expected = error.message.lines().last().unwrap_or_default();
        error.message = format!("Syntax Error: {}", expected.trim_start_matches([' ', '=']));
        Self::refused_with(error, PARSE_FAILED, request_id)
    }

    fn refused_with(mut error: ServerError, code: &str, request_id: &str) -> Self {
        complete(&mut error, code, request_id);
        let response = Response::from_errors(vec![error]);
        Self { response, refused: true, ill_formed: false, status: StatusCode::BAD_REQUEST }
    }

    /// Input that can't even be read as an operation.
    pub fn bad_input(status: StatusCode, message: &str, request_id: &str) -> Self {
        Self { status, ill_formed: true, ..Self::refused(message, BAD_USER_INPUT, request_id) }
    }

    /// Something went wrong here; the cause is logged by whoever calls this.
    pub fn internal(status: StatusCode, request_id: &str) -> Self {
        Self { status, ..Self::refused(INTERNAL_MESSAGE, INTERNAL_SERVER_ERROR, request_id) }
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Whether nothing was executed.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// Whether there was not even an operation to refuse.
    pub fn is_ill_formed(&self) -> bool {
        self.ill_formed
    }

    /// The status that tells it over HTTP.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Headers that resolvers set, such as cookies.
    pub fn headers(&self) -> &HeaderMap {
        &self.response.http_headers
    }

    /// The errors, for a transport that sends them on their own.
    pub fn errors(&self) -> &[ServerError] {
        &self.response.errors
    }

    /// The response as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| {
            tracing::error!(%error, "a response can't be written as JSON");
            br#"{"errors":[{"message":"Something went wrong on our side. Try again.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_vec()
        })
    }
}

impl Serialize for Reply {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // Errors first: a person who reads the response sees them.
        if !self.response.errors.is_empty() {
            map.serialize_entry("errors", &self.response.errors)?;
        }
        if !self.refused {
            map.serialize_entry("data", &self.response.data)?;
        }
        if !self.response.extensions.is_empty() {
            map.serialize_entry("extensions", &self.response.extensions)?;
        }
        map.end()
    }
}

/// Gives an error a code, unless it has one, and the request's id.
fn complete(error: &mut ServerError, code: &str, request_id: &str) {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
    extensions.set("requestId", request_id);
}

/// Whether the library says that a variable's value is missing or does not fit.
fn is_about_a_value(error: &ServerError) -> bool {
    ["Invalid value for argument ", "Failed to parse ", "Expected input type "]
        .iter()
        .any(|start| error.message.starts_with(start))
}

fn extension<'a>(response: &'a Response, name: &str) -> impl Iterator<Item = &'a Value> {
    response.errors.iter().filter_map(move |error| error.extensions.as_ref()?.get(name))
}

fn has_code(response: &Response, code: &str) -> bool {
    extension(response, "code").any(|found| *found == Value::from(code))
}

fn retry_after(response: &Response) -> Option<u64> {
    extension(response, "retryAfter").find_map(|value| match value {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    })
}
