//! Operations out of bodies and query strings.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::time::timeout;

use super::{Operation, Trouble};

/// Bytes of a JSON body. A post of 10,000 characters, all of them escaped as surrogate pairs,
/// takes 120,000.
const MAX_JSON_BYTES: usize = 256 * 1024;
/// Bytes that are read and thrown away when a body is too large, so that a client that sends
/// before it reads gets to see why it is refused.
const MAX_DRAINED_BYTES: usize = 16 * 1024 * 1024;
/// How long a client may take to send a body. Leaves the request a third of its time, and tells the
/// client that it was slow before the request's own limit would tell it that we were. Tests don't
/// wait that long.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 20_000 });

/// Reads an operation from a JSON body.
pub(super) async fn from_json(body: Body) -> Result<Operation, Trouble> {
    let bytes = read(body, MAX_JSON_BYTES).await?;
    let json = serde_json::from_slice(&bytes)
        .map_err(|error| Trouble::bad(format!("The body is not JSON: {error}.")))?;
    from_value(json)
}

/// Reads an operation from its parsed JSON.
pub(super) fn from_value(json: Value) -> Result<Operation, Trouble> {
    let fields = match &json {
        Value::Object(fields) => fields,
        Value::Array(_) => return Err(Trouble::bad("Send one operation at a time, not a list.")),
        _ => return Err(Trouble::bad("The body is not a JSON object.")),
    };
    let fits = |name: &str, fits: fn(&Value) -> bool| {
        fields.get(name).is_none_or(|value| value.is_null() || fits(value))
    };
    for (name, fits, kind) in [
        ("query", fields.get("query").is_some_and(Value::is_string), "a string"),
        ("operationName", fits("operationName", Value::is_string), "a string"),
        ("variables", fits("variables", Value::is_object), "an object"),
        ("extensions", fits("extensions", Value::is_object), "an object"),
    ] {
        if !fits {
            return Err(Trouble::bad(format!("`{name}` must be {kind}.")));
        }
    }
    Operation::deserialize(json)
        .map_err(|error| Trouble::bad(format!("The body is not an operation: {error}.")))
}

/// Reads an operation from the query string of a GET request.
pub(super) fn from_query(query: &str) -> Result<Operation, Trouble> {
    let mut json = serde_json::Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = match &*name {
            "query" | "operationName" => Value::String(value.into_owned()),
            "variables" | "extensions" => serde_json::from_str(&value)
                .map_err(|error| Trouble::bad(format!("`{name}` is not JSON: {error}.")))?,
            _ => continue,
        };
        json.insert(name.into_owned(), value);
    }
    // An empty name is how forms say that there is none.
    if json.get("operationName").is_some_and(|name| name == "") {
        json.remove("operationName");
    }
    from_value(Value::Object(json))
}

/// Reads a body of at most `limit` bytes, as long as it arrives in time.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Trouble> {
    timeout(PATIENCE, read_slowly(body, limit)).await.unwrap_or_else(|_elapsed| {
        let message = format!("The body did not arrive within {} seconds.", PATIENCE.as_secs());
        Err(Trouble::new(StatusCode::REQUEST_TIMEOUT, message))
    })
}

async fn read_slowly(mut body: Body, limit: usize) -> Result<Bytes, Trouble> {
    let mut bytes = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        // What went wrong between us and the client is of no use to either.
        let frame = frame.map_err(|_| Trouble::bad("The body ended before it was complete."))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= limit {
            bytes.extend_from_slice(&data);
        } else if seen > MAX_DRAINED_BYTES {
            break;
        } else {
            bytes = BytesMut::new();
        }
    }
    if seen > limit {
        let message = format!("The body has more than {limit} bytes.");
        return Err(Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt as _, stream};

    use super::{
        super::{media::MediaType, multipart},
        *,
    };

    #[test]
    fn get_parameters_make_an_operation() {
        let operation =
            from_query("query=query+A%7Bx%7D&operationName=A&variables=%7B%22a%22%3A1%7D").ok();
        let operation = operation.unwrap();
        assert_eq!(operation.query, "query A{x}");
        assert_eq!(operation.operation_name.as_deref(), Some("A"));
        assert_eq!(operation.variables.unwrap().len(), 1);
        for wrong in ["", "variables={}", "query=x&variables=%7B", "query=x&variables=1"] {
            assert!(from_query(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read(Body::from("abcd"), 4).await.ok().unwrap(), "abcd");
        let trouble = read(Body::from("abcde"), 4).await.err().unwrap();
        assert_eq!(trouble.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_the_clients_fault() {
        let start = || stream::iter([Ok::<_, Infallible>(Bytes::from("{\"query\":"))]);
        let stops = || Body::from_stream(start().chain(stream::pending()));
        let trickles = Body::from_stream(start().chain(stream::unfold((), async |()| {
            tokio::time::sleep(PATIENCE / 10).await;
            Some((Ok(Bytes::from(" ")), ()))
        })));
        for trouble in [
            from_json(stops()).await.err(),
            from_json(trickles).await.err(),
            multipart::read(stops(), "X".into()).await.err(),
        ] {
            let reply = trouble.unwrap().reply("abc");
            assert_eq!(MediaType::Json.status(&reply), StatusCode::REQUEST_TIMEOUT);
            let told = serde_json::to_value(&reply).unwrap();
            let error = &told["errors"][0];
            assert!(error["message"].as_str().unwrap().starts_with("The body did not arrive"));
            let extensions = serde_json::json!({ "code": "BAD_USER_INPUT", "requestId": "abc" });
            assert_eq!(error["extensions"], extensions);
        }
    }
}
