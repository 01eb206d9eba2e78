//! Task definitions, changed without losing anything. Pure.
//!
//! A definition is held as JSON from what AWS describes to what is registered: every tool that has a
//! type for it loses what its type lacks (CircleCI-Public/aws-ecs-orb#29, silinternational/ecs-deploy#78,
//! aws-actions/amazon-ecs-deploy-task-definition#64, …).

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// What `DescribeTaskDefinition` says and `RegisterTaskDefinition` does not take (botocore, ECS
/// 2014-11-13).
const READ_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// A task definition that can be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration(Value);

/// A change of a task definition, in one of its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The container.
    pub container: String,
    /// What becomes of it.
    pub change: Set,
}

/// What becomes of a container.
#[derive(Clone, PartialEq, Eq)]
pub enum Set {
    /// It has this image.
    Image(String),
    /// It has the image that it had, with this tag.
    Tag(String),
    /// A variable has this value.
    Variable(String, String),
    /// A variable has the value of this secret or parameter.
    Secret(String, String),
    /// A label for Docker has this value.
    Label(String, String),
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => write!(f, "Image({image})"),
            Self::Tag(tag) => write!(f, "Tag({tag})"),
            Self::Variable(name, _) => write!(f, "Variable({name})"),
            Self::Secret(name, from) => write!(f, "Secret({name}, {from})"),
            Self::Label(name, value) => write!(f, "Label({name}, {value})"),
        }
    }
}

/// Why a definition can't be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is none.
    #[error("AWS describes no task definition: {0} is missing")]
    Form(&'static str),
    /// There is no such container.
    #[error("there is no container {wanted:?} in the task definition: there are {}", .known.join(", "))]
    Container {
        /// As it was called.
        wanted: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// ECS refuses a name that is both.
    #[error(
        "{name} of container {container} is a secret and would be a variable, or the reverse: remove it first"
    )]
    Both {
        /// The container.
        container: String,
        /// The variable.
        name: String,
    },
}

impl Registration {
    /// Of what `DescribeTaskDefinition` answers, with its tags.
    pub fn of_described(answer: &Value) -> Result<Self, EditError> {
        let definition = answer.get("taskDefinition").and_then(Value::as_object);
        let mut definition = definition.ok_or(EditError::Form("taskDefinition"))?.clone();
        definition.retain(|key, _| !READ_ONLY.contains(&key.as_str()));
        let tags = answer.get("tags").and_then(Value::as_array).into_iter().flatten();
        // Those of AWS itself can't be set.
        let own = |tag: &&Value| {
            tag.get("key").and_then(Value::as_str).is_some_and(|key| !key.starts_with("aws:"))
        };
        let tags: Vec<Value> = tags.filter(own).cloned().collect();
        if !tags.is_empty() {
            definition.insert("tags".to_owned(), tags.into());
        }
        Ok(Self(definition.into()))
    }

    /// As `RegisterTaskDefinition` takes it.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// As it is registered, without the values of variables.
    pub fn masked(&self) -> Value {
        masked(&self.0)
    }

    /// Its family.
    pub fn family(&self) -> &str {
        self.0.get("family").and_then(Value::as_str).unwrap_or_default()
    }

    /// The names of its containers.
    pub fn containers(&self) -> Vec<String> {
        let containers = self.0.get("containerDefinitions").and_then(Value::as_array);
        containers.into_iter().flatten().map(|it| name(it, "name").to_owned()).collect()
    }

    /// The image of a container.
    pub fn image(&self, container: &str) -> Option<&str> {
        let containers = self.0.get("containerDefinitions")?.as_array()?;
        let found = containers.iter().find(|it| name(it, "name") == container)?;
        found.get("image")?.as_str()
    }

    /// Makes all of these changes, and no others; or none, if one of them can't be made.
    pub fn edited(&self, edits: &[Edit]) -> Result<Self, EditError> {
        let mut edited = self.clone();
        for Edit { container, change } in edits {
            let known = self.containers();
            let found = edited.0.get_mut("containerDefinitions").and_then(Value::as_array_mut);
            let found = found.into_iter().flatten().find(|it| name(it, "name") == container);
            let found = found.and_then(Value::as_object_mut);
            let refuse = || EditError::Container { wanted: container.clone(), known };
            edit(found.ok_or_else(refuse)?, container, change)?;
        }
        Ok(edited)
    }
}

fn edit(found: &mut Map<String, Value>, container: &str, change: &Set) -> Result<(), EditError> {
    match change {
        Set::Image(image) => {
            found.insert("image".to_owned(), image.as_str().into());
        }
        Set::Tag(tag) => {
            let image = found.get("image").and_then(Value::as_str).unwrap_or_default();
            let tagged = format!("{}:{tag}", repository(image));
            found.insert("image".to_owned(), tagged.into());
        }
        Set::Variable(variable, value) => {
            refuse_both(found, "secrets", container, variable)?;
            put(found, "environment", variable, "value", value);
        }
        Set::Secret(variable, from) => {
            refuse_both(found, "environment", container, variable)?;
            put(found, "secrets", variable, "valueFrom", from);
        }
        Set::Label(label, value) => {
            let labels = found.entry("dockerLabels").or_insert_with(|| Map::new().into());
            if let Some(labels) = labels.as_object_mut() {
                labels.insert(label.clone(), value.as_str().into());
            }
        }
    }
    Ok(())
}

fn refuse_both(
    found: &Map<String, Value>,
    list: &str,
    container: &str,
    variable: &str,
) -> Result<(), EditError> {
    let mut list = found.get(list).and_then(Value::as_array).into_iter().flatten();
    if list.any(|it| name(it, "name") == variable) {
        let (container, name) = (container.to_owned(), variable.to_owned());
        return Err(EditError::Both { container, name });
    }
    Ok(())
}

/// Sets an entry of a list by its name, where it stands; a new one goes to the end.
fn put(found: &mut Map<String, Value>, list: &str, variable: &str, key: &str, value: &str) {
    let list = found.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    let Some(list) = list.as_array_mut() else { return };
    match list.iter_mut().find(|it| name(it, "name") == variable).and_then(Value::as_object_mut) {
        Some(entry) => {
            entry.insert(key.to_owned(), value.into());
        }
        None => list.push(serde_json::json!({ "name": variable, key: value })),
    }
}

fn name<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An image's registry and repository, without tag and digest.
pub fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    match image.rsplit_once(':') {
        // What follows a registry's port is no tag.
        Some((before, after)) if !after.contains('/') => before,
        _ => image,
    }
}

/// One difference of two definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where, such as `containers.app.image`.
    pub path: String,
    /// What it was, if it was; never the value of a variable.
    pub before: Option<String>,
    /// What it is, if it is; never the value of a variable.
    pub after: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} → {after}", self.path),
            (None, Some(after)) => write!(f, "{}: {after} (new)", self.path),
            (Some(before), None) => write!(f, "{}: {before} (removed)", self.path),
            (None, None) => write!(f, "{}", self.path),
        }
    }
}

/// What changed. Members of lists that have a name are compared by it.
pub fn changes(before: &Registration, after: &Registration) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", Some(&before.0), Some(&after.0), &mut changes);
    changes
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let object = |value: Option<&Value>| match value {
        Some(Value::Object(members)) => Some(members.clone()),
        Some(Value::Array(items)) => by_name(items),
        None => Some(Map::new()),
        Some(_) => None,
    };
    match (object(before), object(after)) {
        (Some(b), Some(a)) if !(b.is_empty() && a.is_empty()) => {
            let keys = b.keys().chain(a.keys().filter(|key| !b.contains_key(*key)));
            for key in keys {
                let key_shown = if key == "containerDefinitions" { "containers" } else { key };
                let dot = if path.is_empty() { "" } else { "." };
                compare(&format!("{path}{dot}{key_shown}"), b.get(key), a.get(key), changes);
            }
        }
        _ => changes.push(Change {
            path: path.to_owned(),
            before: before.map(|value| shown(path, value)),
            after: after.map(|value| shown(path, value)),
        }),
    }
}

/// A list as a map, if all of its items have names of their own.
fn by_name(items: &[Value]) -> Option<Map<String, Value>> {
    let mut map = Map::new();
    for item in items {
        let name = item.get("name").or_else(|| item.get("key")).and_then(Value::as_str)?;
        if map.insert(name.to_owned(), item.clone()).is_some() {
            return None;
        }
    }
    Some(map)
}

/// Values of variables are nobody's business: some are secrets, whatever they are called.
fn shown(path: &str, value: &Value) -> String {
    let is_variable = path.split('.').any(|part| part == "environment");
    match value {
        _ if is_variable && path.rsplit('.').next() != Some("name") => "***".to_owned(),
        Value::String(text) => text.clone(),
        other => masked(other).to_string(),
    }
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => {
            let of = |(name, value): (&String, &Value)| {
                let hide = |it: &Value| {
                    let mut it = it.clone();
                    if let Some(value) = it.get_mut("value") {
                        *value = "***".into();
                    }
                    it
                };
                let shown = match value.as_array().filter(|_| name == "environment") {
                    Some(variables) => variables.iter().map(hide).collect(),
                    None => masked(value),
                };
                (name.clone(), shown)
            };
            Value::Object(members.iter().map(of).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn described() -> Value {
        json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:x:7", "revision": 7, "status": "ACTIVE", "registeredAt": 1.5,
                "requiresAttributes": [], "compatibilities": ["FARGATE"], "registeredBy": "me",
                "family": "app",
                "inventedTomorrow": { "deep": [1, 2.5, null, 18_446_744_073_709_551_615_u64] },
                "containerDefinitions": [
                    { "name": "proxy", "image": "registry:5000/proxy", "environment": [] },
                    {
                        "name": "app", "image": "registry:5000/app:1", "new": true,
                        "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
                        "secrets": [{ "name": "S", "valueFrom": "arn:s" }],
                    },
                ],
            },
            "tags": [{ "key": "team", "value": "a" }, { "key": "aws:cloudformation:x", "value": "b" }],
        })
    }

    fn edit(container: &str, change: Set) -> Edit {
        Edit { container: container.to_owned(), change }
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn nothing_is_lost_but_what_can_not_be_registered() {
        let registration = Registration::of_described(&described()).unwrap();
        let mut expected = described()["taskDefinition"].clone();
        for key in READ_ONLY {
            expected.as_object_mut().unwrap().remove(key);
        }
        expected["tags"] = json!([{ "key": "team", "value": "a" }]);
        assert_eq!(registration.json().to_string(), expected.to_string());
        assert!(Registration::of_described(&json!({})).is_err());
    }

    #[test]
    fn changes_are_made_where_they_belong_and_shown_without_values() {
        let before = Registration::of_described(&described()).unwrap();
        let edits = [
            edit("app", Set::Image(text("r/app@sha256:1"))),
            edit("app", Set::Variable(text("B"), text("a secret value"))),
            edit("app", Set::Variable(text("C"), text("3"))),
            edit("app", Set::Secret(text("S"), text("arn:t"))),
            edit("app", Set::Label(text("l"), text("v"))),
            edit("proxy", Set::Tag(text("9"))),
        ];
        let after = before.edited(&edits).unwrap();
        let shown: Vec<String> = changes(&before, &after).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "containers.app.environment.B.value: *** → ***",
                "containers.app.environment.C.name: C (new)",
                "containers.app.environment.C.value: *** (new)",
                "containers.app.image: registry:5000/app:1 → r/app@sha256:1",
                "containers.app.secrets.S.valueFrom: arn:s → arn:t",
                "containers.app.dockerLabels.l: v (new)",
                "containers.proxy.image: registry:5000/proxy → registry:5000/proxy:9",
            ]
        );
        assert_eq!(after.image("app"), Some("r/app@sha256:1"));
        assert_eq!(changes(&after, &after), []);
        assert!(!format!("{edits:?}").contains("a secret value"));
    }

    #[test]
    fn what_can_not_be_changed_is_told() {
        let definition = Registration::of_described(&described()).unwrap();
        let error = definition.edited(&[edit("api", Set::Tag(text("1")))]).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no container \"api\" in the task definition: there are proxy, app"
        );
        let both = definition.edited(&[edit("app", Set::Variable(text("S"), text("v")))]);
        assert!(both.unwrap_err().to_string().starts_with("S of container app is a secret"));
    }

    #[test]
    fn a_repository_may_have_a_port() {
        assert_eq!(repository("a:5000/b/c:1@sha256:2"), "a:5000/b/c");
        assert_eq!(repository("a:5000/b"), "a:5000/b");
        assert_eq!(repository("b@sha256:2"), "b");
    }

    /// Any JSON, several levels deep.
    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z]{1,12}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_aws_invents_stays(
            more in prop::collection::btree_map("x[a-zA-Z]{1,12}", anything(), 0..5),
            inside in prop::collection::btree_map("x[a-zA-Z]{1,12}", anything(), 0..5),
        ) {
            let mut container: Map<String, Value> = inside.into_iter().collect();
            container.insert("name".to_owned(), "app".into());
            container.insert("image".to_owned(), "a:1".into());
            let mut definition: Map<String, Value> = more.into_iter().collect();
            definition.insert("family".to_owned(), "f".into());
            definition.insert("containerDefinitions".to_owned(), json!([container]));
            let mut answered = definition.clone();
            answered.insert("revision".to_owned(), 3.into());
            let read: Value = serde_json::from_str(&json!({ "taskDefinition": answered }).to_string()).unwrap();
            let registration = Registration::of_described(&read).unwrap();
            let edits = [edit("app", Set::Image(text("a:2")))];
            let mut edited = registration.edited(&edits).unwrap().0;
            edited["containerDefinitions"][0]["image"] = "a:1".into();
            prop_assert_eq!(edited, Value::from(definition));
        }
    }
}
