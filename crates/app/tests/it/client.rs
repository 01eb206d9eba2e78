//! The web client: its pages, its files, and that its documents fit the schema.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, Selection, SelectionSet, ServiceDocument, Type, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::parser::{parse_query, parse_schema};

use migrate::testing::{Engine, TestDatabase, with_database};
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION,
};
use reqwest::{Client, redirect};

use crate::support::{Answer, Person, TestServer};

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("web")
}

/// What the schema says, as far as a client is concerned.
struct Schema {
    /// Fields of objects and inputs.
    fields: BTreeMap<String, BTreeMap<String, Type>>,
    enums: BTreeMap<String, Vec<String>>,
}

impl Schema {
    fn new(document: &ServiceDocument) -> Self {
        let (mut fields, mut enums) = (BTreeMap::new(), BTreeMap::new());
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            match &definition.node.kind {
                TypeKind::Object(object) => {
                    let of = object.fields.iter().map(|it| &it.node);
                    let of = of.map(|it| (it.name.node.to_string(), it.ty.node.clone()));
                    fields.insert(name, of.collect());
                }
                TypeKind::InputObject(input) => {
                    let of = input.fields.iter().map(|it| &it.node);
                    let of = of.map(|it| (it.name.node.to_string(), it.ty.node.clone()));
                    fields.insert(name, of.collect());
                }
                TypeKind::Enum(values) => {
                    let of = values.values.iter().map(|it| it.node.value.node.to_string());
                    enums.insert(name, of.collect());
                }
                _ => {}
            }
        }
        Self { fields, enums }
    }

    /// A type as TypeScript writes it; `inner` says what an object is there.
    fn typed(&self, of: &Type, inner: &mut dyn FnMut(&str) -> String) -> String {
        let base = match &of.base {
            BaseType::List(item) => format!("({})[]", self.typed(item, inner)),
            BaseType::Named(name) => match name.as_str() {
                "Int" | "Float" => "number".to_owned(),
                "String" | "ID" | "DateTime" => "string".to_owned(),
                "Boolean" => "boolean".to_owned(),
                "Upload" => "null".to_owned(),
                name => match self.enums.get(name) {
                    Some(values) => {
                        values.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(" | ")
                    }
                    None => inner(name),
                },
            },
        };
        if of.nullable { format!("{base} | null") } else { base }
    }

    fn input(&self, of: &Type) -> String {
        self.typed(of, &mut |name| {
            let fields = self.fields.get(name).unwrap_or_else(|| panic!("there is no type {name}"));
            let members = fields.iter().map(|(name, of)| {
                let mark = if of.nullable { "?" } else { "" };
                format!("{name}{mark}: {}", self.input(of))
            });
            format!("{{ {} }}", members.collect::<Vec<_>>().join("; "))
        })
    }

    /// What is selected of an object.
    fn selected(&self, name: &str, document: &ExecutableDocument, set: &SelectionSet) -> String {
        let mut members = BTreeMap::new();
        self.members(name, document, set, &mut members);
        let members: Vec<String> = members.into_values().collect();
        format!("{{ {} }}", members.join("; "))
    }

    fn members(
        &self,
        name: &str,
        document: &ExecutableDocument,
        set: &SelectionSet,
        members: &mut BTreeMap<String, String>,
    ) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.to_string();
                    members.insert(key.clone(), self.member(name, document, &field.node, &key));
                }
                Selection::FragmentSpread(spread) => {
                    let spread = &spread.node.fragment_name.node;
                    let fragment = document.fragments.get(spread);
                    let fragment = fragment.unwrap_or_else(|| panic!("there is no {spread}"));
                    self.members(name, document, &fragment.node.selection_set.node, members);
                }
                Selection::InlineFragment(_) => panic!("the client has no inline fragments"),
            }
        }
    }

    fn member(
        &self,
        name: &str,
        document: &ExecutableDocument,
        field: &Field,
        key: &str,
    ) -> String {
        let called = field.name.node.as_str();
        if called == "__typename" {
            return format!("{key}: \"{name}\"");
        }
        let fields = self.fields.get(name).unwrap_or_else(|| panic!("there is no type {name}"));
        let of = fields.get(called).unwrap_or_else(|| panic!("{name} has no field {called}"));
        let mark = if field.directives.is_empty() { "" } else { "?" };
        let of =
            self.typed(of, &mut |inner| self.selected(inner, document, &field.selection_set.node));
        format!("{key}{mark}: {of}")
    }
}

/// The types of the client's documents.
fn types() -> String {
    let schema = Schema::new(&parse_schema(app::graphql::schema::sdl()).unwrap());
    let mut text =
        "// Made from the schema and web/queries; a test says when it has to be made anew.\n\n\
        export interface Operations {\n"
            .to_owned();
    let documents = app::web::documents();
    for (name, document) in &documents {
        let parsed = parse_query(document).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (_, operation) = parsed.operations.iter().next().unwrap();
        let operation = &operation.node;
        let variables = operation.variable_definitions.iter().map(|it| {
            let (name, of) = (&it.node.name.node, &it.node.var_type.node);
            let mark = if of.nullable { "?" } else { "" };
            format!("{name}{mark}: {}", schema.input(of))
        });
        let root = match operation.ty {
            async_graphql::parser::types::OperationType::Query => "RootQuery",
            async_graphql::parser::types::OperationType::Mutation => "RootMutation",
            async_graphql::parser::types::OperationType::Subscription => "RootSubscription",
        };
        let data = schema.selected(root, &parsed, &operation.selection_set.node);
        let variables = variables.collect::<Vec<_>>().join("; ");
        writeln!(text, "  {name}: {{ variables: {{ {variables} }}; data: {data} }};").unwrap();
    }
    text += "}\n\ndeclare const operation: unique symbol;\n\n/** A document of the API. */\n\
        export type Document<Name extends keyof Operations> = string & { readonly [operation]: Name };\n\n";
    for name in documents.keys() {
        writeln!(text, "export declare const {name}: Document<\"{name}\">;").unwrap();
    }
    text
}

#[test]
fn the_documents_fit_the_schema_and_their_types_are_current() {
    let file = web().join("js/documents.d.ts");
    let types = types();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &types).unwrap();
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == types,
        "the schema or web/queries changed. Make the types anew: UPDATE=1 dev/test the_documents_fit"
    );
}

/// A page, as a browser asks for it that is signed in or not.
async fn page(server: &TestServer, person: Option<&Person<'_>>, path: &str) -> (Answer, String) {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    let mut request = client.get(server.url(path)).header("accept", "text/html,*/*;q=0.8");
    if let Some(person) = person {
        request = request.header(COOKIE, format!("authorization={}", person.token));
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    let text = answer.body.as_str().unwrap_or_default().to_owned();
    (answer, text)
}

/// What of a page is shown, without the client's parts.
fn shown(text: &str) -> &str {
    text.split("<template").next().unwrap()
}

async fn on_sqlite(test: impl AsyncFnOnce(TestServer)) {
    with_database(Engine::Sqlite, async |database: TestDatabase| {
        test(TestServer::start(&database).await).await;
    })
    .await;
}

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_comes_back() {
    on_sqlite(async |server| {
        let ada = server.join("ada").await;
        for path in ["/app", "/user/ada?x=1", "/chats/1", "/settings"] {
            let (response, _) = page(&server, None, path).await;
            assert_eq!(response.status, 303, "{path}");
            let to = response.headers[LOCATION].to_str().unwrap().to_owned();
            assert!(to.starts_with("/?next=%2F"), "{to}");
            let (response, text) = page(&server, None, &to).await;
            assert_eq!(response.status, 200);
            assert!(text.contains(&format!("data-next=\"{path}\"")), "{path}");
            // Who is signed in is there already.
            let (response, _) = page(&server, Some(&ada), &to).await;
            assert_eq!(response.headers[LOCATION], path);
        }
        for elsewhere in [
            "//evil.example",
            "https://evil.example",
            "/%5Cevil.example",
            "/%0A/evil",
            "/%00",
            "/%7F",
        ] {
            let (response, _) = page(&server, Some(&ada), &format!("/?next={elsewhere}")).await;
            assert_eq!(response.headers[LOCATION], "/app", "{elsewhere}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_that_was_made_for_somebody_else_asks_nothing() {
    on_sqlite(async |server| {
        let (ada, bob) = (server.join("ada").await, server.join("bob").await);
        let asked = async |viewer: &str| {
            let request = server.client.post(server.url("/graphql"));
            let request = request.header(COOKIE, format!("authorization={}", ada.token));
            let request = request.header("graphbook-viewer", viewer);
            let request = request.header(CONTENT_TYPE, "application/json");
            let request = request.body(r#"{"query":"{ currentUser { username } }"}"#);
            Answer::of(request.send().await.unwrap()).await
        };
        assert_eq!(asked(&ada.id.to_string()).await.ok()["currentUser"]["username"], "ada");
        assert_eq!(asked(&bob.id.to_string()).await.code(), "UNAUTHENTICATED");
    })
    .await;
}

#[tokio::test]
async fn a_page_has_its_content_in_it_and_texts_stay_texts() {
    on_sqlite(async |server| {
        let (ada, bob) = (server.join("ada").await, server.join("bob").await);
        ada.post("<script>alert(1)</script> & \"quotes\" https://a.example/?a=1&b=2").await;
        let chat = ada.chat_with(&[bob.id]).await;
        bob.say(chat, "<b>hello</b>").await;
        let (response, text) = page(&server, Some(&ada), "/app").await;
        assert_eq!(response.status, 200);
        assert_eq!(response.headers[CACHE_CONTROL], "no-store");
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; "));
        assert!(text.contains("<a href=\"https://a.example/?a=1&amp;b=2\" rel=\"noopener"));
        assert!(!text.contains("<script>alert"), "{text}");
        assert!(text.contains("<title>Feed – Graphbook</title>"));
        let seen = shown(&text);
        assert!(
            seen.contains("&lt;b&gt;hello&lt;/b&gt;")
                && seen.contains(&format!("href=\"/chats/{chat}\""))
        );
        // Only what is one's own can be deleted.
        assert_eq!(seen.matches("data-do=\"delete\"").count(), 1);
        let (_, text) = page(&server, Some(&bob), "/app").await;
        assert_eq!(shown(&text).matches("data-do=\"delete\"").count(), 0);

        let (_, text) = page(&server, Some(&bob), &format!("/chats/{chat}")).await;
        let seen = shown(&text);
        assert!(seen.contains("<html lang=\"en\" data-place=\"chat\" class=\"signed-in\">"));
        assert!(
            seen.contains("class=\"message own\"")
                && seen.contains("class=\"other\" dir=\"auto\">ada<")
        );
        let (_, text) = page(&server, Some(&bob), "/user/ADA").await;
        assert!(text.contains("<title>ada – Graphbook</title>"));
        for nothing in ["/user/nobody", "/chats/999", "/chats/x", "/nothing/here"] {
            let (response, text) = page(&server, Some(&ada), nothing).await;
            assert_eq!(response.status, 404, "{nothing}");
            assert!(
                text.contains("There is nothing here") && text.contains("gb-chats"),
                "{nothing}"
            );
        }
        let carol = server.join("carol").await;
        let (response, text) = page(&server, Some(&carol), &format!("/chats/{chat}")).await;
        assert_eq!(response.status, 404);
        assert!(!text.contains("hello"), "not a member's");
        let (response, _) = page(&server, None, "/nothing").await;
        assert_eq!(response.status, 404);
    })
    .await;
}

#[tokio::test]
async fn files_are_kept_for_ever_under_an_address_of_their_content() {
    on_sqlite(async |server| {
        let (_, text) = page(&server, None, "/").await;
        let address = |end: &str| {
            let mut found = text.split('"').filter(|it| it.starts_with("/assets/"));
            found.find(|it| it.ends_with(end)).unwrap().to_owned()
        };
        let client = Client::builder().no_proxy().build().unwrap();
        for (end, kind) in [
            ("/js/main.js", "text/javascript; charset=utf-8"),
            ("/js/documents.js", "text/javascript; charset=utf-8"),
            ("/style.css", "text/css; charset=utf-8"),
            ("/icon.svg", "image/svg+xml"),
        ] {
            let of = |address: String| client.get(server.url(&address));
            let plain = of(address(end)).send().await.unwrap();
            assert_eq!(plain.headers()[CONTENT_TYPE], kind);
            assert_eq!(plain.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
            let plain = plain.bytes().await.unwrap();
            let brotli = of(address(end)).header(ACCEPT_ENCODING, "gzip, br").send().await.unwrap();
            assert_eq!(brotli.headers()[CONTENT_ENCODING], "br", "{end}");
            let brotli = brotli.bytes().await.unwrap();
            let mut whole = Vec::new();
            brotli::BrotliDecompress(&mut &*brotli, &mut whole).unwrap();
            assert_eq!(whole, plain, "{end}");
            // By the page of another release.
            let path = address(end).splitn(4, '/').last().unwrap().to_owned();
            let other = of(format!("/assets/0000000000000000/{path}")).send().await.unwrap();
            assert_eq!(other.headers()[CACHE_CONTROL], "no-store", "{path}");
            assert_eq!(other.bytes().await.unwrap(), plain);
        }
        for nothing in
            ["/assets/0/parts/page.html", "/assets/0/../Cargo.toml", "/assets/0/js/no.js"]
        {
            let status = client.get(server.url(nothing)).send().await.unwrap().status();
            assert_eq!(status, 404, "{nothing}");
        }
    })
    .await;
}

/// Of the feed: the page, the style and all scripts, as they are sent (issue 6: 45 KB at most).
#[tokio::test]
async fn the_client_is_small() {
    on_sqlite(async |server| {
        let ada = server.join("ada").await;
        for number in 0..20 {
            ada.post(&format!("A post of some length, as people write them, number {number}."))
                .await;
        }
        let (_, text) = page(&server, Some(&ada), "/app").await;
        let squeezed = |bytes: &[u8]| {
            let mut out = Vec::new();
            let parameters = brotli::enc::BrotliEncoderParams::default();
            brotli::BrotliCompress(&mut &*bytes, &mut out, &parameters).unwrap();
            out.len()
        };
        let mut sum = squeezed(text.as_bytes());
        let files = text
            .split('"')
            .filter(|it| it.starts_with("/assets/"))
            .collect::<std::collections::BTreeSet<_>>();
        for file in &files {
            let bytes = server.client.get(server.url(file)).send().await.unwrap();
            sum += squeezed(&bytes.bytes().await.unwrap());
        }
        assert!(files.len() > 15, "{files:?}");
        assert!(sum < 45_000, "{sum} bytes");
    })
    .await;
}
