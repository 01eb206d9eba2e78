//! Signing up, in and out; what a token is worth, and for how long.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use migrate::testing::{Engine, with_database};

use crate::support::{Answer, PASSWORD, Person, SECRET, TEMPLATE, TestDatabase, TestServer, json};

migrate::on_every_database!(
    from TEMPLATE:
    signing_up_signs_in,
    names_addresses_and_passwords_are_checked,
    names_and_addresses_are_unique_in_any_case,
    twenty_sign_ups_of_one_name_make_one_person,
    signing_in_says_the_same_for_unknown_people,
    failed_sign_ins_run_out,
    guesses_at_the_same_moment_count,
    one_document_signs_in_once,
    signing_out_ends_the_session,
    signing_out_everywhere_ends_all_sessions,
    changing_the_password_ends_all_other_sessions,
    a_password_that_is_changed_meanwhile_signs_nobody_in,
    strangers_do_not_use_up_the_attempts_of_the_signed_in,
    a_session_ends_a_day_after_its_last_use,
    a_session_ends_after_thirty_days,
    tokens_that_are_not_genuine_are_worth_nothing,
    everything_but_signing_up_and_in_needs_a_user,
    the_cookie_signs_in_like_the_header,
    the_cookie_does_not_serve_other_sites,
    sessions_that_are_over_are_removed,
);

const ME: &str = "{ currentUser { username } }";

async fn is_signed_in(person: &Person<'_>) -> bool {
    let answer = person.ask(ME, json!({})).await;
    if answer.body.get("errors").is_none() {
        return true;
    }
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    assert_eq!(answer.message(), "You need to be logged in.");
    false
}

async fn again<'a>(person: &Person<'a>) -> Person<'a> {
    let answer = person.server.sign_in(&person.email(), PASSWORD).await;
    let token = answer.ok()["login"]["token"].as_str().unwrap().to_owned();
    Person { token, username: person.username.clone(), ..*person }
}

async fn signing_up_signs_in(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let answer = server.sign_up("ada").await;
    let token = answer.ok()["signup"]["token"].as_str().unwrap();
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("authorization={token}; ")), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains("Secure"), "{cookie}");
    for header in [token.to_owned(), format!("Bearer {token}"), format!("bearer {token}")] {
        let answer = server.ask_with(ME, json!({}), |r| r.header("authorization", header)).await;
        assert_eq!(answer.ok()["currentUser"]["username"], "ada");
    }
    let secure = TestServer::start_with(&database, |config| config.secure_cookies = true).await;
    let answer = secure.sign_in("ADA@example.org", PASSWORD).await;
    answer.ok();
    assert!(answer.header("set-cookie").unwrap().ends_with("; Secure"));
}

async fn names_addresses_and_passwords_are_checked(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let long = "x".repeat(129);
    for (username, email, password, field) in [
        ("ab", "a@b.org", PASSWORD, "username"),
        ("a b c", "a@b.org", PASSWORD, "username"),
        ("a/b/c", "a@b.org", PASSWORD, "username"),
        ("", "a@b.org", PASSWORD, "username"),
        ("ada", "nonsense", PASSWORD, "email"),
        ("ada", "", PASSWORD, "email"),
        ("ada", "a@b.org", "short", "password"),
        ("ada", "a@b.org", &long, "password"),
    ] {
        let answer = server.sign_up_as(username, email, password).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{username} {email}");
        assert_eq!(answer.body["errors"][0]["extensions"]["field"], field);
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert!(!server.store().has_users().await.unwrap());
    server.sign_up_as("  Ada.L_1-x  ", "  Ada@Example.org ", PASSWORD).await.ok();
}

async fn names_and_addresses_are_unique_in_any_case(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.sign_up_as("Ada", "ada@example.org", PASSWORD).await.ok();
    for (username, email, field) in
        [("aDA", "other@example.org", "username"), ("other", "ADA@example.ORG", "email")]
    {
        let answer = server.sign_up_as(username, email, PASSWORD).await;
        assert_eq!(answer.code(), "CONFLICT");
        assert_eq!(answer.body["errors"][0]["extensions"]["field"], field);
    }
    // An accent makes another name, whatever the database's collation thinks.
    server.sign_up_as("Adá", "ad@example.org", PASSWORD).await.ok();
}

async fn twenty_sign_ups_of_one_name_make_one_person(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let emails: Vec<String> = (0..20).map(|number| format!("{number}@example.org")).collect();
    let answers =
        join_all(emails.iter().map(|email| server.sign_up_as("ada", email, PASSWORD))).await;
    let (joined, refused): (Vec<&Answer>, Vec<&Answer>) =
        answers.iter().partition(|answer| answer.body.get("errors").is_none());
    assert_eq!(joined.len(), 1);
    assert!(refused.iter().all(|answer| answer.code() == "CONFLICT"), "{refused:?}");
}

async fn signing_in_says_the_same_for_unknown_people(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.join("ada").await;
    let wrong = server.sign_in("ada@example.org", "wrong horse").await;
    let unknown = server.sign_in("nobody@example.org", PASSWORD).await;
    assert_eq!(wrong.code(), "UNAUTHENTICATED");
    assert_eq!((wrong.code(), wrong.message()), (unknown.code(), unknown.message()));
    assert_eq!(wrong.header("set-cookie"), None);
}

/// The fastest of several attempts is what noise hardly reaches. As many are made as it takes the two
/// to agree, but not for ever. Without a password to compare, a sign-in takes a tenth of the time.
#[tokio::test]
async fn signing_in_takes_the_same_time_for_unknown_people() {
    with_database(Engine::Sqlite, async |database: TestDatabase| {
        let server = TestServer::start(&database).await;
        let ada = server.join("ada").await;
        let fail = async |email: &str| {
            // So that no attempt has to wait for another.
            server.clock.advance(Duration::from_mins(1));
            let started = Instant::now();
            assert_eq!(server.sign_in(email, "wrong horse").await.code(), "UNAUTHENTICATED");
            started.elapsed()
        };
        let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
        for attempt in 1..=60 {
            known = known.min(fail(&ada.email()).await);
            unknown = unknown.min(fail("nobody@example.org").await);
            let agree = known.min(unknown).as_secs_f64() > 0.4 * known.max(unknown).as_secs_f64();
            if attempt >= 5 && agree {
                return;
            }
        }
        panic!("known people take {known:?}, unknown ones {unknown:?}");
    })
    .await;
}

async fn failed_sign_ins_run_out(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.join("ada").await;
    let ben = server.join("ben").await;
    for _ in 0..10 {
        assert_eq!(
            server.sign_in("ada@example.org", "wrong horse").await.code(),
            "UNAUTHENTICATED"
        );
    }
    // Not even with the right password, nor with the address written in another way.
    for email in ["ada@example.org", " ADA@EXAMPLE.ORG "] {
        let limited = server.sign_in(email, PASSWORD).await;
        assert_eq!((limited.status.as_u16(), limited.code()), (429, "RATE_LIMITED"));
        assert_eq!(limited.header("retry-after"), Some("60"));
        assert_eq!(limited.body["errors"][0]["extensions"]["retryAfter"], 60);
    }
    // The status does not say that nothing was done where something was.
    let both = "mutation { addPost(post: { text: \"x\" }) { id }
        login(email: \"ada@example.org\", password: \"x\") { token } }";
    let partly = ben.ask(both, json!({})).await;
    assert_eq!((partly.status.as_u16(), partly.code()), (200, "RATE_LIMITED"));
    assert_eq!(partly.body.get("data"), Some(&json!(null)));
    server.sign_in("ben@example.org", PASSWORD).await.ok();
    server.clock.advance(Duration::from_mins(1));
    server.sign_in("ada@example.org", PASSWORD).await.ok();
    // The address as a whole has its limit as well: 60, of which some have come back.
    let mut wrong = 0;
    while server.sign_in(&format!("{wrong}@example.org"), "wrong horse").await.code()
        != "RATE_LIMITED"
    {
        wrong += 1;
    }
    assert!((50..=60).contains(&wrong), "{wrong}");
}

async fn guesses_at_the_same_moment_count(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.join("ada").await;
    let guesses = (0..30).map(|_| server.sign_in("ada@example.org", "wrong horse"));
    let answers = join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.code() == "UNAUTHENTICATED").count();
    assert_eq!(checked, 10);
}

async fn one_document_signs_in_once(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    server.join("ada").await;
    let login = "login(email: \"ada@example.org\", password: \"correct horse\") { token }";
    let twice = server.ask(&format!("mutation {{ a: {login} b: {login} }}"), json!({})).await;
    assert_eq!((twice.status.as_u16(), twice.code()), (400, "GRAPHQL_VALIDATION_FAILED"));
    let hidden =
        format!("mutation {{ a: {login} ...more }} fragment more on RootMutation {{ b: {login} }}");
    assert_eq!(server.ask(&hidden, json!({})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    server.ask(&format!("mutation {{ {login} }}"), json!({})).await.ok();
}

async fn signing_out_ends_the_session(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let other = again(&ada).await;
    let answer = ada.ask("mutation { logout { success } }", json!({})).await;
    assert_eq!(answer.ok()["logout"]["success"], true);
    assert!(answer.header("set-cookie").unwrap().starts_with("authorization=; Path=/; Max-Age=0;"));
    assert!(!is_signed_in(&ada).await);
    assert!(is_signed_in(&other).await);
}

async fn signing_out_everywhere_ends_all_sessions(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let other = again(&ada).await;
    ada.ask("mutation { logoutEverywhere { success } }", json!({})).await.ok();
    assert!(!is_signed_in(&ada).await && !is_signed_in(&other).await);
    assert!(is_signed_in(&ben).await);
}

async fn changing_the_password_ends_all_other_sessions(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let other = again(&ada).await;
    let mutation = "mutation($old: String!, $new: String!) {
        changePassword(currentPassword: $old, newPassword: $new) { token } }";
    let change =
        async |old: &str, new: &str| ada.ask(mutation, json!({ "old": old, "new": new })).await;
    assert_eq!(change("wrong horse", "another one").await.code(), "BAD_USER_INPUT");
    assert_eq!(change(PASSWORD, "short").await.code(), "BAD_USER_INPUT");
    assert!(is_signed_in(&other).await);
    let changed = change(PASSWORD, "another one").await;
    let token = changed.ok()["changePassword"]["token"].as_str().unwrap().to_owned();
    assert!(changed.header("set-cookie").unwrap().contains(&token));
    assert!(!is_signed_in(&ada).await && !is_signed_in(&other).await);
    let fresh = Person { token, username: ada.username.clone(), ..ada };
    assert!(is_signed_in(&fresh).await);
    assert_eq!(server.sign_in("ada@example.org", PASSWORD).await.code(), "UNAUTHENTICATED");
    server.sign_in("ada@example.org", "another one").await.ok();
}

async fn a_password_that_is_changed_meanwhile_signs_nobody_in(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let session = server.state.accounts.authenticate(&ada.token).await.unwrap().unwrap();
    let session = app::store::Session { id: "another".to_owned(), ..session };
    // What a sign-in does that checked the password before it was changed.
    assert!(!server.store().create_session(&session, "the hash of before").await.unwrap());
    assert!(!server.store().change_password("the hash of before", "x", &session).await.unwrap());
    assert!(is_signed_in(&ada).await);
    server.sign_in("ada@example.org", PASSWORD).await.ok();
}

async fn strangers_do_not_use_up_the_attempts_of_the_signed_in(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for email in [format!("user {}", ada.id), ada.id.to_string()] {
        for _ in 0..11 {
            server.sign_in(&email, "wrong horse").await;
        }
    }
    let mutation = "mutation { changePassword(currentPassword: \"correct horse\", newPassword: \"another one\") { token } }";
    ada.ask(mutation, json!({})).await.ok();
}

async fn a_session_ends_a_day_after_its_last_use(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let hour = Duration::from_hours(1);
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    for _ in 0..3 {
        server.clock.advance(20 * hour);
        assert!(is_signed_in(&ada).await);
    }
    assert!(!is_signed_in(&ben).await);
    server.clock.advance(24 * hour);
    assert!(!is_signed_in(&ada).await);
}

async fn a_session_ends_after_thirty_days(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for _ in 0..59 {
        server.clock.advance(Duration::from_hours(12));
        assert!(is_signed_in(&ada).await);
    }
    server.clock.advance(Duration::from_hours(12));
    assert!(!is_signed_in(&ada).await);
}

async fn tokens_that_are_not_genuine_are_worth_nothing(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let (_, rest) = ada.token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let other = TestServer::start_with(&database, |config| {
        config.jwt_secret = [SECRET, b"another"].concat().into();
    });
    let other = other.await.join("ben").await.token;
    // {"alg":"none"}, {"alg":"HS512","typ":"JWT"}
    let forged = [
        format!("eyJhbGciOiJub25lIn0.{payload}."),
        format!("eyJhbGciOiJub25lIn0.{payload}.{signature}"),
        format!("eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.{payload}.{signature}"),
        format!("{}x", ada.token),
        other,
        "Bearer".to_owned(),
        "..".to_owned(),
        "x".repeat(7_000),
    ];
    for token in forged {
        let guest = Person { token, username: String::new(), ..ada };
        assert!(!is_signed_in(&guest).await, "{}", guest.token);
    }
    // Not UTF-8 in the header.
    let value = reqwest::header::HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
    let answer = server.ask_with(ME, json!({}), |r| r.header("authorization", value)).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    // A token that is worth nothing does not keep anybody from signing in.
    let mutation =
        "mutation { login(email: \"ada@example.org\", password: \"correct horse\") { token } }";
    server.ask_with(mutation, json!({}), |r| r.bearer_auth("worthless")).await.ok();
}

async fn everything_but_signing_up_and_in_needs_a_user(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    for operation in [
        "{ currentUser { id } }",
        "{ user(username: \"ada\") { id } }",
        "{ posts { id } }",
        "{ postsFeed(page: 0, limit: 10) { posts { id } } }",
        "{ feed(first: 1) { edges { cursor } } }",
        "{ chats { id } }",
        "{ chat(chatId: 1) { id } }",
        "{ usersSearch(page: 0, limit: 5, text: \"ada\") { users { id } } }",
        "mutation { addPost(post: { text: \"x\" }) { id } }",
        "mutation { addChat(chat: { users: [1] }) { id } }",
        "mutation { addMessage(message: { text: \"x\", chatId: 1 }) { id } }",
        "mutation { deletePost(postId: 1) { success } }",
        "mutation { uploadAvatar(file: \"0\") { url } }",
        "mutation { logout { success } }",
        "mutation { logoutEverywhere { success } }",
        "mutation { changePassword(currentPassword: \"x\", newPassword: \"yyyyyyyy\") { token } }",
    ] {
        assert_eq!(server.ask(operation, json!({})).await.code(), "UNAUTHENTICATED", "{operation}");
    }
}

async fn the_cookie_signs_in_like_the_header(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (ada, ben) = (server.join("ada").await, server.join("ben").await);
    let cookie = format!("theme=dark; authorization={}", ada.token);
    let by_cookie = |r: reqwest::RequestBuilder| r.header("cookie", cookie.clone());
    let answer = server.ask_with(ME, json!({}), by_cookie).await;
    assert_eq!(answer.ok()["currentUser"]["username"], "ada");
    // The header counts when there are both.
    let answer = server.ask_with(ME, json!({}), |r| by_cookie(r).bearer_auth(&ben.token)).await;
    assert_eq!(answer.ok()["currentUser"]["username"], "ben");
}

async fn the_cookie_does_not_serve_other_sites(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let add = "mutation { addPost(post: { text: \"x\" }) { id } }";
    let cookie = format!("authorization={}", ada.token);
    let own = format!("http://{}", server.address);
    for (name, value, allowed) in [
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("origin", "https://evil.example", false),
        ("origin", "null", false),
        ("sec-fetch-site", "same-origin", true),
        ("origin", own.as_str(), true),
    ] {
        let answer = server
            .ask_with(add, json!({}), |r| r.header("cookie", &cookie).header(name, value))
            .await;
        if allowed {
            answer.ok();
        } else {
            assert_eq!(
                (answer.status.as_u16(), answer.code()),
                (403, "FORBIDDEN"),
                "{name} {value}"
            );
        }
        // Who shows the token itself was not tricked into it.
        let by_header = server
            .ask_with(add, json!({}), |r| r.bearer_auth(&ada.token).header(name, value))
            .await;
        by_header.ok();
    }
}

async fn sessions_that_are_over_are_removed(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let (_ada, ben) = (server.join("ada").await, server.join("ben").await);
    server.clock.advance(Duration::from_hours(23));
    assert!(is_signed_in(&ben).await);
    server.clock.advance(Duration::from_hours(2));
    assert_eq!(server.state.accounts.sweep().await.unwrap(), 1);
    assert!(is_signed_in(&ben).await);
}
