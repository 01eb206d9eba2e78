//! Uploads: the GraphQL multipart request specification
//! (<https://github.com/jaydenseric/graphql-multipart-request-spec>), with one operation and
//! at most one file.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use multer::{Constraints, Error, Multipart, SizeLimit};
use serde_json::Value;

use super::{
    Operation, Trouble,
    body::{self, from_value},
};
use crate::{avatars::MAX_UPLOAD_BYTES, graphql::UploadedFile};

/// Bytes of the part that holds the operation.
const MAX_OPERATIONS_BYTES: u64 = 256 * 1024;
/// Bytes of the part that says where the file belongs.
const MAX_MAP_BYTES: u64 = 4 * 1024;

/// The boundary between the parts, if the request says that it has parts.
pub(super) fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(content_type).ok()
}

/// Reads an operation and the file that it needs.
pub(super) async fn read(
    body: Body,
    boundary: String,
) -> Result<(Operation, Option<UploadedFile>), Trouble> {
    // Read whole before it is parsed: it fits in memory, and `read` knows how to refuse what
    // does not so that the client hears of it.
    let bytes = body::read(body, MAX_UPLOAD_BYTES + 2 * MAX_OPERATIONS_BYTES as usize).await?;
    let limits = SizeLimit::new()
        .per_field(MAX_UPLOAD_BYTES as u64)
        .for_field("operations", MAX_OPERATIONS_BYTES)
        .for_field("map", MAX_MAP_BYTES);
    let constraints = Constraints::new().size_limit(limits);
    let stream = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut parts = Multipart::with_constraints(stream, boundary, constraints);

    let mut operation: Value = json(&mut parts, "operations").await?;
    let map: Value = json(&mut parts, "map").await?;
    let Some((key, path)) = only_entry(&map)? else {
        return Ok((from_value(operation)?, None));
    };
    put(&mut operation, path, key)?;
    let operation = from_value(operation)?;

    let Some(part) = parts.next_field().await.map_err(broken)? else {
        return Err(Trouble::bad(format!("The file `{key}` of the map is missing.")));
    };
    if part.name() != Some(key) {
        return Err(Trouble::bad(format!("Expected the file `{key}` after the map.")));
    }
    let filename = part.file_name().unwrap_or_default().to_owned();
    let bytes = part.bytes().await.map_err(broken)?;
    let file = UploadedFile { key: key.to_owned(), filename, bytes };
    if parts.next_field().await.map_err(broken)?.is_some() {
        return Err(Trouble::bad("Send one file at a time."));
    }
    Ok((operation, Some(file)))
}

async fn json(parts: &mut Multipart<'_>, name: &str) -> Result<Value, Trouble> {
    let part = parts.next_field().await.map_err(broken)?;
    let part = part.filter(|part| part.name() == Some(name)).ok_or_else(|| {
        Trouble::bad(format!("Expected the part `{name}`; the order is operations, map, file."))
    })?;
    let bytes = part.bytes().await.map_err(broken)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Trouble::bad(format!("The part `{name}` is not JSON: {error}.")))
}

/// The only entry of `{"<part>": ["<path>"]}`; nothing for an empty map.
fn only_entry(map: &Value) -> Result<Option<(&str, &str)>, Trouble> {
    const FORM: &str = "The map has the form {\"0\": [\"variables.file\"]}.";
    let map = map.as_object().ok_or_else(|| Trouble::bad(FORM))?;
    let mut entries = map.iter();
    let Some((key, paths)) = entries.next() else { return Ok(None) };
    if entries.next().is_some() {
        return Err(Trouble::bad("Send one file at a time."));
    }
    match paths.as_array().map(Vec::as_slice) {
        Some([Value::String(path)]) => Ok(Some((key, path))),
        _ => Err(Trouble::bad(FORM)),
    }
}

/// Puts the file's key where the file belongs: at a path such as `variables.file`, where the
/// operation must have a null.
fn put(operation: &mut Value, path: &str, key: &str) -> Result<(), Trouble> {
    let pointer = format!("/{}", path.replace('.', "/"));
    match operation.pointer_mut(&pointer) {
        Some(place @ Value::Null) if path.starts_with("variables.") => {
            *place = Value::String(key.to_owned());
            Ok(())
        }
        _ => Err(Trouble::bad("The map's path must lead to a null among the variables.")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn broken(error: Error) -> Trouble {
    match error {
        Error::FieldSizeExceeded { limit, .. } => {
            let message = format!("The upload is too large: at most {limit} bytes fit.");
            Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        _ => Trouble::bad("The multipart body is broken or ended too early."),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    const OPERATION: &str = r#"{"query":"mutation($f:Upload!){x(f:$f)}","variables":{"f":null}}"#;

    async fn parsed(parts: &[(&str, &str)]) -> Result<(Operation, Option<UploadedFile>), Trouble> {
        let mut body = String::new();
        for (name, content) in parts {
            write!(
                body,
                "--X\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.png\"\r\n\r\n{content}\r\n"
            )
            .unwrap();
        }
        read(Body::from(body + "--X--\r\n"), "X".into()).await
    }

    #[tokio::test]
    async fn a_file_takes_the_place_of_its_variable() {
        let parts = [("operations", OPERATION), ("map", r#"{"0":["variables.f"]}"#), ("0", "PNG")];
        let (operation, file) = parsed(&parts).await.ok().unwrap();
        assert_eq!(operation.variables.unwrap()["f"], async_graphql::Value::from("0"));
        let file = file.unwrap();
        assert_eq!((file.key.as_str(), &*file.bytes), ("0", b"PNG".as_slice()));
    }

    #[tokio::test]
    async fn broken_requests_are_refused() {
        let map = ("map", r#"{"0":["variables.f"]}"#);
        let operations = ("operations", OPERATION);
        for parts in [
            vec![],
            vec![map, operations, ("0", "x")],
            vec![operations, map],
            vec![operations, map, ("1", "x")],
            vec![operations, map, ("0", "x"), ("1", "x")],
            vec![operations, ("map", r#"{"0":["variables.g"]}"#), ("0", "x")],
            vec![operations, ("map", r#"{"0":["query"]}"#), ("0", "x")],
            vec![operations, ("map", r#"{"0":["variables.f","variables.f"]}"#), ("0", "x")],
            vec![operations, ("map", r#"{"0":["variables.f"],"1":["variables.f"]}"#), ("0", "x")],
            vec![operations, ("map", "[]"), ("0", "x")],
            vec![("operations", "{"), map, ("0", "x")],
            vec![("operations", "[]"), map, ("0", "x")],
        ] {
            assert!(parsed(&parts).await.is_err(), "{parts:?}");
        }
        assert!(read(Body::from("--X\r\nContent-Dis"), "X".into()).await.is_err());
    }

    #[tokio::test]
    async fn a_file_over_the_limit_is_refused() {
        let large = "x".repeat(MAX_UPLOAD_BYTES + 1);
        let parts = [("operations", OPERATION), ("map", r#"{"0":["variables.f"]}"#), ("0", &large)];
        let trouble = parsed(&parts).await.err().unwrap();
        assert_eq!(trouble.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
