use serde_json::{Value, json};

use super::protocol::{ClientMessage, Close, Dialect, Fault, ServerMessage, binary, parse};

use Dialect::{Legacy, Modern};

fn read(message: &Value, dialect: Dialect) -> ClientMessage {
    parse(&message.to_string(), dialect).unwrap()
}

fn token(message: &Value) -> Option<String> {
    match read(message, Modern) {
        ClientMessage::Init { token } => token,
        other => panic!("{other:?}"),
    }
}

fn closes(text: &str) -> String {
    match parse(text, Modern) {
        Err(Fault::Close(close)) if close.code == 4400 => {
            close.reason().strip_prefix("Invalid message: ").unwrap().to_owned()
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn answers(text: &str) -> Value {
    match parse(text, Legacy) {
        Err(Fault::Answer(answer)) => written(&answer, Legacy),
        other => panic!("{text}: {other:?}"),
    }
}

fn written(message: &ServerMessage, dialect: Dialect) -> Value {
    serde_json::from_str(&message.encode(dialect)).unwrap()
}

#[test]
fn the_dialects_have_names() {
    for dialect in [Modern, Legacy] {
        assert_eq!(Dialect::named(dialect.name()), Some(dialect));
    }
    assert_eq!(Dialect::named("soap"), None);
}

#[test]
fn a_token_is_found_wherever_clients_put_it() {
    for field in ["authToken", "Authorization", "authorization"] {
        let message = json!({"type": "connection_init", "payload": {field: "Bearer x", "a": 1}});
        assert_eq!(token(&message).as_deref(), Some("Bearer x"));
    }
    let both = json!({"authToken": null, "authorization": "x"});
    assert_eq!(token(&json!({"type": "connection_init", "payload": both})).as_deref(), Some("x"));
    for payload in [json!(null), json!({}), json!({"authToken": ""}), json!({"authToken": null})] {
        assert_eq!(token(&json!({"type": "connection_init", "payload": payload})), None);
    }
    assert_eq!(token(&json!({"type": "connection_init"})), None);
}

#[test]
fn an_operation_starts_and_stops() {
    let payload = json!({
        "query": "query A { a }", "operationName": "A", "variables": {"x": [1]},
        "extensions": {"ignored": true},
    });
    for (dialect, start, stop) in [(Modern, "subscribe", "complete"), (Legacy, "start", "stop")] {
        let message = json!({"type": start, "id": "1", "payload": payload});
        let ClientMessage::Start { id, operation } = read(&message, dialect) else { panic!() };
        assert_eq!((id.as_str(), operation.query.as_str()), ("1", "query A { a }"));
        assert_eq!(operation.operation_name.as_deref(), Some("A"));
        assert!(operation.variables.is_some());
        let bare = json!({"query": "{ a }", "operationName": null, "variables": null});
        let message = json!({"type": start, "id": "1", "payload": bare});
        assert!(matches!(read(&message, dialect), ClientMessage::Start { .. }));
        let message = json!({"type": stop, "id": "1"});
        assert!(matches!(read(&message, dialect), ClientMessage::Stop { id } if id == "1"));
    }
}

#[test]
fn what_only_one_dialect_has() {
    let payload = json!({"at": 1});
    let ping = json!({"type": "ping", "payload": payload});
    assert!(
        matches!(read(&ping, Modern), ClientMessage::Ping { payload: Some(p) } if p == payload)
    );
    assert!(matches!(read(&json!({"type": "pong"}), Modern), ClientMessage::Pong));
    let terminate = json!({"type": "connection_terminate"});
    assert!(matches!(read(&terminate, Legacy), ClientMessage::Terminate));
    for message in ["ping", "pong", "subscribe", "complete"] {
        assert_eq!(answers(&json!({"type": message}).to_string())["type"], "error");
    }
    for message in ["connection_terminate", "start", "stop", "next", "connection_ack", ""] {
        assert_eq!(closes(&json!({"type": message}).to_string()), "its type is unknown");
    }
}

#[test]
fn the_modern_dialect_closes_on_what_it_does_not_specify() {
    let long = "x".repeat(257);
    for (text, why) in [
        ("", "it is not a JSON object"),
        ("{", "it is not a JSON object"),
        ("[]", "it is not a JSON object"),
        ("{} {}", "it is not a JSON object"),
        ("{}", "its type is missing"),
        (r#"{"type":1}"#, "its type is missing"),
        (r#"{"type":"subscribe"}"#, "its id is not a string"),
        (r#"{"type":"subscribe","id":1}"#, "its id is not a string"),
        (r#"{"type":"complete"}"#, "its id is not a string"),
        (r#"{"type":"complete","id":""}"#, "its id is empty"),
        (&format!(r#"{{"type":"complete","id":"{long}"}}"#), "its id has more than 256 bytes"),
        (r#"{"type":"subscribe","id":"1"}"#, "its payload is not an object"),
        (r#"{"type":"subscribe","id":"1","payload":"{ a }"}"#, "its payload is not an object"),
        (r#"{"type":"subscribe","id":"1","payload":{}}"#, "its payload is not a GraphQL request"),
        (
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            "its payload is not a GraphQL request",
        ),
        (r#"{"type":"ping","payload":1}"#, "its payload is not an object"),
        (r#"{"type":"connection_init","payload":"x"}"#, "its payload is not an object"),
        (r#"{"type":"connection_init","payload":{"authToken":1}}"#, "the token is not a string"),
    ] {
        assert_eq!(closes(text), why, "{text}");
    }
    // As deep as the reader refuses to go.
    assert_eq!(closes(&"[".repeat(100_000)), "it is not a JSON object");
    assert!(matches!(binary(Modern), Fault::Close(close) if close.code == 4400));
}

#[test]
fn the_legacy_dialect_answers_and_goes_on() {
    let unreadable = |why| json!({"type": "connection_error", "payload": {"message": why}});
    assert_eq!(answers("{"), unreadable("it is not a JSON object"));
    assert_eq!(answers("{}"), unreadable("its type is missing"));
    assert_eq!(
        answers(r#"{"type":"start","id":"7","payload":{}}"#),
        json!({
            "type": "error", "id": "7",
            "payload": {"message": "its payload is not a GraphQL request"},
        })
    );
    assert_eq!(
        answers(r#"{"type":"start","payload":{"query":"{a}"}}"#),
        json!({"type": "error", "id": null, "payload": {"message": "its id is not a string"}})
    );
}

#[test]
fn messages_are_written() {
    let id = || "a\"\\\n\u{1}ł".to_owned();
    let response = r#"{"data":{"x":1}}"#.to_owned();
    let data = json!({"data": {"x": 1}});
    let errors = r#"[{"message":"no"}]"#.to_owned();
    for (message, modern, legacy) in [
        (ServerMessage::Ack, json!({"type": "connection_ack"}), json!({"type": "connection_ack"})),
        (ServerMessage::Beat, json!({"type": "ping"}), json!({"type": "ka"})),
        (
            ServerMessage::Next { id: id(), response },
            json!({"type": "next", "id": id(), "payload": data}),
            json!({"type": "data", "id": id(), "payload": data}),
        ),
        (
            ServerMessage::Refused { id: id(), errors },
            json!({"type": "error", "id": id(), "payload": [{"message": "no"}]}),
            json!({"type": "data", "id": id(), "payload": {"errors": [{"message": "no"}]}}),
        ),
        (
            ServerMessage::Complete { id: id() },
            json!({"type": "complete", "id": id()}),
            json!({"type": "complete", "id": id()}),
        ),
    ] {
        assert_eq!(written(&message, Modern), modern);
        assert_eq!(written(&message, Legacy), legacy);
    }
    let pong = ServerMessage::Pong { payload: Some(json!({"at": 1})) };
    assert_eq!(written(&pong, Modern), json!({"type": "pong", "payload": {"at": 1}}));
    let pong = ServerMessage::Pong { payload: None };
    assert_eq!(written(&pong, Modern), json!({"type": "pong"}));
}

#[test]
fn a_reason_fits_into_a_frame_and_is_not_cut_within_a_character() {
    let close = Close::id_taken("1");
    assert_eq!((close.code, close.reason()), (4409, "Subscriber for 1 already exists"));
    for length in 100..130 {
        let close = Close::id_taken(&format!("{}łłłł", "x".repeat(length - 20)));
        assert!(close.reason().len() <= 123);
        assert!(close.reason().len() >= 119 || length < 110);
    }
}
