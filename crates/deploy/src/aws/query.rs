//! AWS Query (botocore, "query" protocol): parameters as a form, answers as XML. Pure.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

/// The form of an operation: members of lists are numbered from 1, those of maps follow a dot.
pub(super) fn form(operation: &str, version: &str, body: &Value) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("Action", operation).append_pair("Version", version);
    flatten(&mut form, "", body);
    form.finish()
}

fn flatten(form: &mut Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(form, &format!("{name}{dot}{key}"), value);
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                flatten(form, &format!("{name}.member.{}", number + 1), value);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            form.append_pair(name, text);
        }
        Value::Bool(_) | Value::Number(_) => {
            form.append_pair(name, &value.to_string());
        }
    }
}

/// What stands in `…Response`/`…Result` of an answer: elements with `member`s are lists, those with
/// other elements are maps, all others are texts; an empty one is an empty text.
pub(super) fn answer(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    let result = elements(root).find(|it| it.tag_name().name().ends_with("Result"));
    Ok(value(result.unwrap_or(root)))
}

fn value(node: Node<'_, '_>) -> Value {
    let mut members = elements(node).peekable();
    match members.peek() {
        None => Value::String(node.text().unwrap_or_default().to_owned()),
        Some(first) if first.tag_name().name() == "member" => members.map(value).collect(),
        Some(_) => {
            let pairs = members.map(|it| (it.tag_name().name().to_owned(), value(it)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// The code and the message of an error.
pub(super) fn error(bytes: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let document = Document::parse(text).ok()?;
    let error = document.descendants().find(|it| it.has_tag_name_in_any("Error"))?;
    let text = |name: &str| {
        let found = elements(error).find(|it| it.tag_name().name() == name)?;
        Some(found.text().unwrap_or_default().to_owned())
    };
    Some((text("Code")?, text("Message").unwrap_or_default()))
}

trait InAnyNamespace {
    fn has_tag_name_in_any(&self, name: &str) -> bool;
}

impl InAnyNamespace for Node<'_, '_> {
    fn has_tag_name_in_any(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn elements<'a, 'b>(node: Node<'a, 'b>) -> impl Iterator<Item = Node<'a, 'b>> {
    node.children().filter(Node::is_element)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_numbered_and_dotted() {
        let body = json!({
            "TargetGroupArn": "a:b", "Targets": [{ "Id": "i", "Port": 80 }], "All": true, "No": null,
        });
        assert_eq!(
            form("DescribeTargetHealth", "2015-12-01", &body),
            "Action=DescribeTargetHealth&Version=2015-12-01&All=true&TargetGroupArn=a%3Ab\
             &Targets.member.1.Id=i&Targets.member.1.Port=80"
        );
    }

    #[test]
    fn answers_are_lists_maps_and_texts() {
        let xml = br#"<?xml version="1.0"?><AResponse xmlns="http://x/"><AResult>
            <Items><member><Id>1</Id></member><member><Id>2</Id></member></Items><Empty/>
            </AResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AResponse>"#;
        let expected = json!({ "Items": [{ "Id": "1" }, { "Id": "2" }], "Empty": "" });
        assert_eq!(answer(xml).unwrap(), expected);
        assert!(answer(b"<a").is_err());
    }

    #[test]
    fn errors_have_a_code() {
        let xml = br#"<ErrorResponse xmlns="http://x/"><Error><Type>Sender</Type><Code>A</Code>
            <Message>m</Message></Error></ErrorResponse>"#;
        assert_eq!(error(xml), Some(("A".to_owned(), "m".to_owned())));
        assert_eq!(error(b"nothing"), None);
    }
}
