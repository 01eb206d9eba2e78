//! GraphQL over HTTP: what is accepted, what is refused and how, whatever else a request may be.

use std::time::{Duration, Instant};

use reqwest::Method;

use crate::support::{Answer, TEMPLATE, TestDatabase, TestServer, Value, json};

migrate::on_every_database!(
    from TEMPLATE:
    queries_may_come_by_get_and_mutations_may_not,
    other_methods_are_not_allowed,
    only_json_is_read,
    bodies_that_are_no_operation_are_refused,
    documents_that_do_not_fit_are_told_so,
    values_that_do_not_fit_are_told_so,
    what_fails_is_null_where_it_may_be,
    characters_may_be_escaped_in_halves,
    large_bodies_are_refused,
    documents_that_grow_are_refused_at_once,
    replies_come_in_the_type_that_the_client_wants,
    requests_have_ids,
    responses_tell_browsers_to_be_careful,
    health_is_told,
    subscriptions_need_a_socket,
    large_answers_are_compressed,
);

async fn send(
    server: &TestServer,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = server.client.request(method, server.url(path)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn queries_may_come_by_get_and_mutations_may_not(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let get = async |query: &str| {
        let token = ("authorization", ada.token.as_str());
        send(&server, Method::GET, &format!("/graphql?{query}"), &[token], "").await
    };
    let me = get("query=query%20A%7BcurrentUser%7Busername%7D%7D%20query%20B%7B__typename%7D&operationName=A").await;
    assert_eq!(me.ok()["currentUser"]["username"], "ada");
    let user = get("query=query(%24u:String!)%7Buser(username:%24u)%7Bid%7D%7D&variables=%7B%22u%22:%22ada%22%7D").await;
    assert_eq!(user.ok()["user"]["id"], ada.id);
    let post = get("query=mutation%7BaddPost(post:%7Btext:%22x%22%7D)%7Bid%7D%7D").await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("POST")));
    assert_eq!(post.code(), "BAD_USER_INPUT");
    assert_eq!(ada.ask("{ posts { id } }", json!({})).await.ok()["posts"], json!([]));
    for wrong in [
        "",
        "query=",
        "variables=%7B%7D",
        "query=%7Bx%7D&variables=%7B",
        "query=%7Bx%7D&variables=3",
    ] {
        let answer = get(wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        answer.code();
    }
}

async fn other_methods_are_not_allowed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = send(&server, method.clone(), "/graphql", &[JSON], "{}").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, Some("GET, POST")),
            "{method}"
        );
    }
}

async fn only_json_is_read(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let body = "{\"query\":\"{ __typename }\"}";
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/graphql",
        "application/json; charset=utf-16",
    ] {
        let headers = [("content-type", content_type)];
        let answer = send(&server, Method::POST, "/graphql", &headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (415, "BAD_USER_INPUT"),
            "{content_type}"
        );
    }
    assert_eq!(send(&server, Method::POST, "/graphql", &[], body).await.status, 415);
    for content_type in ["application/json", "application/json; charset=utf-8", "Application/JSON"]
    {
        let headers = [("content-type", content_type)];
        send(&server, Method::POST, "/graphql", &headers, body).await.ok();
    }
    // An upgrade that is offered, not asked for.
    let offered = [JSON, ("connection", "upgrade, http2-settings"), ("upgrade", "h2c")];
    send(&server, Method::POST, "/graphql", &offered, body).await.ok();
}

async fn bodies_that_are_no_operation_are_refused(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let nested = format!(
        "{{\"query\":\"{{x}}\",\"variables\":{{\"a\":{}1{}}}}}",
        "[".repeat(500),
        "]".repeat(500)
    );
    let bodies: [&[u8]; 16] = [
        b"",
        b"{",
        b"null",
        b"3",
        b"\"{ __typename }\"",
        b"[]",
        b"[{\"query\":\"{ __typename }\"}]",
        b"{}",
        b"{\"query\":null}",
        b"{\"query\":{}}",
        b"{\"query\":\"{x}\",\"variables\":[]}",
        b"{\"query\":\"{x}\",\"variables\":\"{}\"}",
        b"{\"query\":\"{x}\",\"operationName\":{}}",
        b"{\"query\":\"\xff\xfe\"}",
        b"{\"query\":\"{x}\"} trailing",
        nested.as_bytes(),
    ];
    for body in bodies {
        let answer = send(&server, Method::POST, "/graphql", &[JSON], body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_USER_INPUT"), "{shown}");
        assert!(answer.body.get("data").is_none(), "{answer:?}");
        assert_clean(&answer);
    }
}

/// No Rust, no SQL, no paths.
fn assert_clean(answer: &Answer) {
    let text = answer.body.to_string();
    for telltale in ["Error(", "Some(", "src/", "SELECT", "sqlx", "panicked", "::"] {
        assert!(!text.contains(telltale), "{telltale} in {text}");
    }
}

async fn documents_that_do_not_fit_are_told_so(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let syntax = server.ask("{ currentUser { id }", json!({})).await;
    assert!(syntax.message().starts_with("Syntax Error: expected "), "{syntax:?}");
    assert_eq!(syntax.body["errors"][0]["locations"], json!([{ "line": 1, "column": 21 }]));
    for (document, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query { currentUser { id } } }", "GRAPHQL_PARSE_FAILED"),
        ("\u{0}", "GRAPHQL_PARSE_FAILED"),
        ("{ nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ currentUser }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ user { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ currentUser { password } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ currentUser { email } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ ...a } fragment a on RootQuery { ...a }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("query { chat(chatId: \"one\") { id } }", "BAD_USER_INPUT"),
    ] {
        let answer = server.ask(document, json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, code), "{document}");
        assert!(answer.body.get("data").is_none(), "{answer:?}");
        assert_clean(&answer);
    }
}

async fn what_fails_is_null_where_it_may_be(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let (own, foreign) = (ada.chat_with(&[]).await, ben.chat_with(&[]).await);
    let me = json!({ "id": ada.id });
    for (query, data, path) in [
        (
            "{ currentUser { id } chat(chatId: $foreign) { id } }",
            json!({ "currentUser": me, "chat": null }),
            json!(["chat"]),
        ),
        ("{ x: chat(chatId: $foreign) { id } }", json!({ "x": null }), json!(["x"])),
        (
            r#"{ user(username: "\uD83D\uDE00") { id } chat(chatId: $foreign) { id } }"#,
            json!({ "user": null, "chat": null }),
            json!(["chat"]),
        ),
        (
            "{ currentUser { id } chat(chatId: $own) { id messages(last: -1) { id } } }",
            json!({ "currentUser": me, "chat": null }),
            json!(["chat", "messages"]),
        ),
        (
            "{ currentUser { id } ...c } fragment c on RootQuery { chats { id messages(last: -1) { id } } }",
            json!(null),
            json!(["chats", 0, "messages"]),
        ),
        ("{ currentUser { id } posts(limit: -1) { id } }", json!(null), json!(["posts"])),
    ] {
        let query = query.replace("$own", &own.to_string());
        let query = query.replace("$foreign", &foreign.to_string());
        let answer = ada.ask(&query, json!({})).await;
        assert_eq!(answer.status, 200, "{query}");
        answer.code();
        // Present even where it is null: the operation was executed.
        assert_eq!(answer.body.get("data"), Some(&data), "{query}");
        assert_eq!(answer.body["errors"][0]["path"], path, "{query}");
    }
    // The operation that is asked for is the one whose nulls are looked for.
    let query = "query a { x: currentUser { id } } query b { x: chat(chatId: $foreign) { id } }";
    let query = query.replace("$foreign", &foreign.to_string());
    let body = json!({ "query": query, "operationName": "b" }).to_string();
    let token = ("authorization", ada.token.as_str());
    let answer = send(&server, Method::POST, "/graphql", &[JSON, token], body).await;
    assert_eq!(answer.body["data"], json!({ "x": null }), "{answer:?}");
}

async fn characters_may_be_escaped_in_halves(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let add = r#"mutation { addPost(post: { text: "hi \uD83D\uDE00" }) { text } }"#;
    assert_eq!(ada.ask(add, json!({})).await.ok()["addPost"]["text"], "hi 😀");
    let half = r#"mutation { addPost(post: { text: "hi \uD83D" }) { text } }"#;
    assert_eq!(ada.ask(half, json!({})).await.code(), "GRAPHQL_PARSE_FAILED");
}

async fn values_that_do_not_fit_are_told_so(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let query = "query($id: Int!) { chat(chatId: $id) { id } }";
    for variables in [
        json!({}),
        json!({ "id": null }),
        json!({ "id": "one" }),
        json!({ "id": 1.5 }),
        json!({ "id": true }),
        json!({ "id": [] }),
    ] {
        let answer = ada.ask(query, variables.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_USER_INPUT"), "{variables}");
        assert_clean(&answer);
    }
    let literal = ada.ask("{ posts(limit: \"x\") { id } }", json!({})).await;
    assert_eq!(literal.body["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let missing = ada.ask(query, json!({})).await;
    assert_eq!(missing.message(), "Variable \"$id\" of required type \"Int!\" was not provided.");
    let name = ada.ask("query A { __typename } query B { __typename }", json!({})).await;
    assert_eq!(name.code(), "GRAPHQL_VALIDATION_FAILED");
}

async fn large_bodies_are_refused(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for bytes in [300 * 1024, 10 * 1024 * 1024] {
        let body = json!({ "query": "{ __typename }", "variables": { "x": "y".repeat(bytes) } });
        let answer = send(&server, Method::POST, "/graphql", &[JSON], body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (413, "BAD_USER_INPUT"), "{bytes}");
    }
    let long = format!("{{ __typename # {}\n }}", "x".repeat(40_000));
    let answer = server.ask(&long, json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
}

async fn documents_that_grow_are_refused_at_once(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let doubling: String = (0..30)
        .map(|level| format!("fragment f{level} on RootQuery {{ ...f{0} ...f{0} }} ", level + 1))
        .collect();
    let documents = [
        format!("{{ ...f0 }} {doubling} fragment f30 on RootQuery {{ __typename }}"),
        format!("{{ {} }}", "posts { user { id } } ".repeat(1_000)),
        format!("{{ {} }}", (0..1_000).map(|n| format!("a{n}: __typename ")).collect::<String>()),
        format!("{{ currentUser {{ {} }} }}", "id @skip(if: true) ".repeat(500)),
        format!("{{ chats {{ {}id{} }} }}", "messages { chat { ".repeat(15), " } }".repeat(15)),
        "{ chats(limit: 100) { messages(last: 100) { chat { messages(last: 100) { id text } } } } }".to_owned(),
        // Costs that, multiplied, would overflow and come out small.
        format!("{{ chats(limit: 100) {{ {}id{} }} }}", "messages(last: 100) { chat { ".repeat(8), " } }".repeat(8)),
        // Texts by the hundred thousand.
        format!("{{ posts(limit: 100) {{ {} }} }}", (0..60).map(|n| format!("a{n}: text ")).collect::<String>()),
    ];
    for document in documents {
        let started = Instant::now();
        let answer = server.ask(&document, json!({})).await;
        let shown = &document[..document.len().min(60)];
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "GRAPHQL_VALIDATION_FAILED"),
            "{shown}"
        );
        // Walking what the first one grows to would take minutes.
        assert!(started.elapsed() < Duration::from_secs(5), "{shown}");
    }
}

async fn replies_come_in_the_type_that_the_client_wants(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let json_type = "application/json; charset=utf-8";
    let graphql_type = "application/graphql-response+json; charset=utf-8";
    for (accept, content_type, refused) in [
        ("*/*", graphql_type, 400),
        ("application/graphql-response+json, application/json;q=0.9", graphql_type, 400),
        // The specification's word for clients that know no better.
        ("application/json", json_type, 200),
    ] {
        let ask = async |query: &str| {
            server.ask_with(query, json!({}), |r| r.header("accept", accept)).await
        };
        let answer = ask("{ __typename }").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, Some(content_type))
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(ask("{ nonsense }").await.status, refused, "{accept}");
        let malformed =
            send(&server, Method::POST, "/graphql", &[JSON, ("accept", accept)], "{").await;
        assert_eq!(
            (malformed.status.as_u16(), malformed.header("content-type")),
            (400, Some(content_type))
        );
    }
    let answer =
        server.ask_with("{ __typename }", json!({}), |r| r.header("accept", "text/html")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (406, "BAD_USER_INPUT"));
}

async fn requests_have_ids(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let with = async |id: &str| {
        server.ask_with("{ nonsense }", json!({}), |r| r.header("x-request-id", id)).await
    };
    let answer = with("abc-123").await;
    assert_eq!(answer.header("x-request-id"), Some("abc-123"));
    assert_eq!(answer.body["errors"][0]["extensions"]["requestId"], "abc-123");
    for unfit in ["a b", "x\"y", "", &"x".repeat(65)] {
        let answer = with(unfit).await;
        let given = answer.header("x-request-id").unwrap();
        assert!(given != unfit && given.len() == 16, "{given}");
        assert_eq!(answer.body["errors"][0]["extensions"]["requestId"], given);
    }
}

async fn responses_tell_browsers_to_be_careful(database: TestDatabase) {
    let server = TestServer::start_with(&database, |config| config.secure_cookies = true).await;
    for path in ["/", "/graphql", "/healthz", "/nothing/here"] {
        let answer = send(&server, Method::GET, path, &[], "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert!(answer.header("strict-transport-security").is_some());
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

async fn health_is_told(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(send(&server, Method::GET, path, &[], "").await.status, 200, "{path}");
    }
}

async fn subscriptions_need_a_socket(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let answer = ada.ask("subscription { postAdded { id } }", json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_USER_INPUT"));
    let plain = send(&server, Method::GET, "/subscriptions", &[], "").await;
    assert_eq!((plain.status.as_u16(), plain.header("upgrade")), (426, Some("websocket")));
}

async fn large_answers_are_compressed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    ada.post(&"all work and no play ".repeat(400)).await;
    let answer = server
        .ask_with("{ posts { text } }", json!({}), |r| {
            r.bearer_auth(&ada.token).header("accept-encoding", "gzip")
        })
        .await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let plain: Value = ada.ask("{ posts { text } }", json!({})).await.ok().clone();
    assert!(plain.to_string().len() > 8_000);
}
