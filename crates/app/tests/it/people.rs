//! People: finding them, and their pictures.

use crate::support::{
    Answer, BOUNDARY, Person, TEMPLATE, TestDatabase, TestServer, client, json, multipart,
};

migrate::on_every_database!(
    from TEMPLATE:
    a_person_is_found_by_name_in_any_case,
    people_are_searched_by_a_part_of_their_name,
    a_search_takes_no_wildcards,
    searches_are_paged,
    an_uploaded_picture_is_served_in_two_sizes,
    what_is_no_picture_is_refused,
    uploads_need_a_signed_in_user,
    broken_uploads_are_refused_and_lose_nothing,
);

async fn a_person_is_found_by_name_in_any_case(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("Zoë").await;
    let query = "query($name: String!) { user(username: $name) { id username avatar createdAt } }";
    for name in ["Zoë", "zoë", "ZOË", " Zoe\u{308} "] {
        let found = ada.ask(query, json!({ "name": name })).await;
        assert_eq!(found.ok()["user"]["id"], ada.id, "{name}");
        assert_eq!(found.ok()["user"]["username"], "Zoë");
    }
    for name in ["zoe", "", "zoë'--", "nobody"] {
        let found = ada.ask(query, json!({ "name": name })).await;
        assert_eq!(found.ok()["user"], json!(null), "{name}");
    }
    assert_eq!(server.ask(query, json!({ "name": "Zoë" })).await.code(), "UNAUTHENTICATED");
}

async fn search(person: &Person<'_>, text: &str) -> Vec<String> {
    let query = "query($text: String!) { usersSearch(text: $text) { users { username } } }";
    let answer = person.ask(query, json!({ "text": text })).await;
    let users = answer.ok()["usersSearch"]["users"].as_array().unwrap().clone();
    users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn people_are_searched_by_a_part_of_their_name(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let mut ada = None;
    for name in ["John.Smith", "smithy", "banana", "Łukasz", "aaaa"] {
        ada = Some(server.join(name).await);
    }
    let ada = ada.unwrap();
    assert_eq!(search(&ada, "smith").await, ["smithy", "John.Smith"]);
    assert_eq!(search(&ada, "N.SM").await, ["John.Smith"]);
    assert_eq!(search(&ada, "ana").await, ["banana"]);
    assert_eq!(search(&ada, "ŁUK").await, ["Łukasz"]);
    assert_eq!(search(&ada, "aaa").await, ["aaaa"]);
    for short in ["", "a", "aa", "  aa  "] {
        assert_eq!(search(&ada, short).await, [""; 0], "{short:?}");
    }
    let anonymous = "{ usersSearch(text: \"smith\") { users { id } } }";
    assert_eq!(server.ask(anonymous, json!({})).await.code(), "UNAUTHENTICATED");
}

async fn a_search_takes_no_wildcards(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("under_score").await;
    server.join("underXscore").await;
    assert_eq!(search(&ada, "%%%").await, [""; 0]);
    assert_eq!(search(&ada, "r_s").await, ["under_score"]);
    assert_eq!(search(&ada, "___").await, [""; 0]);
}

async fn searches_are_paged(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let mut ada = server.join("same0").await;
    for number in 1..5 {
        ada = server.join(&format!("same{number}")).await;
    }
    let query = "{ usersSearch(text: \"same\", page: 1, limit: 2) { users { username } } }";
    let answer = ada.ask(query, json!({})).await;
    let expected = json!([{ "username": "same2" }, { "username": "same1" }]);
    assert_eq!(answer.ok()["usersSearch"]["users"], expected);
}

/// A picture with some transparency, which makes it a PNG, or without, which makes it a JPEG.
fn picture(transparent: bool) -> Vec<u8> {
    let alpha = if transparent { 100 } else { 255 };
    let pixels =
        image::RgbaImage::from_fn(40, 20, |x, y| image::Rgba([x as u8 * 6, y as u8, 9, alpha]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn an_uploaded_picture_is_served_in_two_sizes(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    for (transparent, mimetype) in [(true, "image/png"), (false, "image/jpeg")] {
        let answer = ada.upload(&picture(transparent)).await;
        let file = &answer.ok()["uploadAvatar"];
        assert_eq!((&file["mimetype"], &file["encoding"]), (&json!(mimetype), &json!("binary")));

        let query = "{ currentUser { avatar small: avatar(size: SMALL) } }";
        let me = ada.ask(query, json!({})).await;
        let me = &me.ok()["currentUser"];
        assert_eq!(me["avatar"], file["url"]);
        for (url, side) in [(&me["avatar"], 512), (&me["small"], 128)] {
            let url = server.url(url.as_str().unwrap());
            let response = server.client.get(&url).send().await.unwrap();
            let header = |name| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("content-type"), mimetype);
            assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert!(header("content-security-policy").contains("sandbox"));
            let etag = header("etag");
            let picture = image::load_from_memory(&response.bytes().await.unwrap()).unwrap();
            assert_eq!((picture.width(), picture.height()), (side, side));
            let known = server.client.get(&url).header("if-none-match", etag).send().await.unwrap();
            assert_eq!(known.status(), 304);
        }
    }
    for strange in ["nothing.png", "..%2f..%2fgraphbook.db", &"0".repeat(32)] {
        let response = server.client.get(server.url(&format!("/uploads/{strange}"))).send().await;
        assert_eq!(response.unwrap().status(), 404, "{strange}");
    }
}

#[tokio::test]
async fn pictures_are_kept_in_a_bucket() {
    let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
        assert!(
            std::env::var("TEST_NO_SKIP").is_err(),
            "TEST_S3_ENDPOINT is not set: run dev/test"
        );
        println!("skipped: TEST_S3_ENDPOINT is not set (dev/test starts a server)");
        return;
    };
    let in_a_bucket = |database| in_a_bucket(database, endpoint);
    migrate::testing::with_database(migrate::testing::Engine::Sqlite, in_a_bucket).await;
}

async fn in_a_bucket(database: TestDatabase, endpoint: String) {
    let bucket = format!("pictures-{}", std::process::id());
    let made = client().put(format!("{endpoint}/{bucket}")).send().await.unwrap();
    assert!(made.status().is_success());
    let server = TestServer::start_with(&database, |config| {
        config.uploads = app::config::Uploads::S3 {
            bucket,
            prefix: "some/where".into(),
            settings: app::avatars::S3Settings {
                region: Some("eu-central-1".into()),
                endpoint: Some(endpoint),
                access_key_id: Some("test".into()),
                secret_access_key: Some("test".to_owned().into()),
                session_token: None,
            },
        };
    });
    let server = server.await;
    let ada = server.join("ada").await;
    let answer = ada.upload(&self::picture(false)).await;
    let url = server.url(answer.ok()["uploadAvatar"]["url"].as_str().unwrap());
    let picture = server.client.get(url).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/jpeg");
    assert_eq!(image::load_from_memory(&picture.bytes().await.unwrap()).unwrap().width(), 512);
    let missing = server.url(&format!("/uploads/{}-512.jpg", "0".repeat(32)));
    assert_eq!(server.client.get(missing).send().await.unwrap().status(), 404);
}

async fn what_is_no_picture_is_refused(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    let png = picture(false);
    for content in [&b""[..], b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", &png[..60]] {
        let answer = ada.upload(content).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{content:?}");
    }
    let me = ada.ask("{ currentUser { avatar } }", json!({})).await;
    assert_eq!(me.ok()["currentUser"]["avatar"], json!(null));
    let large = ada.upload(&vec![0; 5 * 1024 * 1024 + 1]).await;
    assert_eq!((large.status.as_u16(), large.code()), (413, "BAD_USER_INPUT"));
}

async fn uploads_need_a_signed_in_user(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let nobody = Person { server: &server, id: 0, username: String::new(), token: "x".into() };
    let answer = nobody.upload(&picture(false)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHENTICATED"));
}

async fn broken_uploads_are_refused_and_lose_nothing(database: TestDatabase) {
    let server = TestServer::start(&database).await;
    let ada = server.join("ada").await;
    ada.upload(&picture(true)).await.ok();
    let query = "mutation($file: Upload!) { uploadAvatar(file: $file) { url } }";
    let operations = json!({ "query": query, "variables": { "file": null } }).to_string();
    let whole = multipart(&[
        ("operations", operations.as_bytes()),
        ("map", br#"{"0":["variables.file"]}"#),
        ("0", &picture(false)),
    ]);
    let send = async |content_type: String, body: Vec<u8>| {
        let request = server.client.post(server.url("/graphql")).bearer_auth(&ada.token);
        Answer::of(request.header("content-type", content_type).body(body).send().await.unwrap())
            .await
    };
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    for cut in [0, 10, 60, whole.len() / 2, whole.len() - 30] {
        let answer = send(content_type.clone(), whole[..cut].to_vec()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "BAD_USER_INPUT"), "{cut}");
    }
    for wrong in ["multipart/form-data", "multipart/form-data; boundary=other"] {
        let answer = send(wrong.to_owned(), whole.clone()).await;
        assert!(answer.status.is_client_error(), "{wrong}");
        assert_eq!(answer.code(), "BAD_USER_INPUT");
    }
    // A file's place that nobody filled.
    for file in [json!("0"), json!("#__graphql_file__:99"), json!(null), json!(7)] {
        let answer = ada.ask(query, json!({ "file": file })).await;
        assert_eq!(answer.code(), "BAD_USER_INPUT", "{file}");
    }
    let me = ada.ask("{ currentUser { avatar } }", json!({})).await;
    let avatar = me.ok()["currentUser"]["avatar"].as_str().unwrap();
    assert!(avatar.contains("-512."), "{avatar}");
}
