//! A stack of `CloudFormation`, as AWS describes it, and what a change of it is told. Pure: JSON → values.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

/// A stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Such as `UPDATE_COMPLETE`.
    pub status: String,
    /// The names of the parameters that it has.
    pub parameters: Vec<String>,
    /// What it says of itself.
    pub outputs: BTreeMap<String, String>,
}

/// What can be done with a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there in name only: nothing of it was made yet.
    Empty,
    /// It can be changed.
    Fine,
    /// Something is being done with it.
    Busy,
    /// Its creation failed, and it can only be deleted.
    Dead,
    /// A way back of it failed, which must be gone on with first.
    Stuck,
}

impl Stack {
    /// From one of `DescribeStacks`.
    pub fn read(value: &Value) -> Self {
        let outputs = list(value, "Outputs");
        Self {
            name: text(value, "StackName"),
            status: text(value, "StackStatus"),
            parameters: list(value, "Parameters").map(|it| text(it, "ParameterKey")).collect(),
            outputs: outputs.map(|it| (text(it, "OutputKey"), text(it, "OutputValue"))).collect(),
        }
    }

    /// What can be done with it (`CloudFormation`, "Stack status codes").
    pub fn standing(&self) -> Standing {
        match self.status.as_str() {
            "REVIEW_IN_PROGRESS" => Standing::Empty,
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" | "DELETE_COMPLETE" => {
                Standing::Dead
            }
            "UPDATE_ROLLBACK_FAILED" => Standing::Stuck,
            status if status.ends_with("_IN_PROGRESS") => Standing::Busy,
            _ => Standing::Fine,
        }
    }

    /// Whether it is as its template says.
    pub fn is_done(&self) -> bool {
        matches!(self.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
    }
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Whether it can be left away.
    pub has_default: bool,
}

impl Declared {
    /// All of those that `GetTemplateSummary` lists.
    pub fn all(answer: &Value) -> Vec<Self> {
        let declared = list(answer, "Parameters").map(|it| Self {
            name: text(it, "ParameterKey"),
            has_default: it.get("DefaultValue").is_some(),
        });
        declared.collect()
    }
}

/// What is wrong with parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// The template has no such parameter.
    #[error("the template has no parameter {wanted:?}: there are {}", .known.join(", "))]
    Unknown {
        /// As it was called.
        wanted: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// They have no values.
    #[error("the template needs {}: parameters = {{ … }} in deploy.toml, or --parameter NAME=VALUE", .0.join(", "))]
    Missing(Vec<String>),
}

/// What a stack is given: what was said, the image that runs, and else what it has. AWS would take the
/// template's default instead for what a change leaves away.
pub fn parameters(
    declared: &[Declared],
    stack: Option<&Stack>,
    given: &BTreeMap<String, String>,
    image: Option<&str>,
) -> Result<Vec<Value>, ParameterError> {
    let known = || declared.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    if let Some(wanted) = given.keys().find(|name| !known().contains(name)) {
        return Err(ParameterError::Unknown { wanted: wanted.clone(), known: known() });
    }
    let mut missing = Vec::new();
    let mut all = Vec::new();
    for Declared { name, has_default } in declared {
        let running = image.filter(|_| name == IMAGE);
        let has_it = stack.is_some_and(|stack| stack.parameters.contains(name));
        match given.get(name).map(String::as_str).or(running) {
            Some(value) => all.push(json!({ "ParameterKey": name, "ParameterValue": value })),
            None if has_it => all.push(json!({ "ParameterKey": name, "UsePreviousValue": true })),
            None if *has_default => {}
            None => missing.push(name.clone()),
        }
    }
    if missing.is_empty() { Ok(all) } else { Err(ParameterError::Missing(missing)) }
}

/// The parameter that is given the image that runs.
pub const IMAGE: &str = "Image";

/// What would be done with a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    /// What.
    pub action: Action,
    /// Its name in the template.
    pub resource: String,
    /// Such as `AWS::ECS::Service`.
    pub kind: String,
    /// The properties that change.
    pub properties: Vec<String>,
}

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed.
    Modify,
    /// It is changed, or another takes its place: that shows only then.
    MayReplace,
    /// Another takes its place.
    Replace,
    /// It is deleted.
    Remove,
    /// It is taken over, or only looked at then.
    Other,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Modify => "change",
            Self::MayReplace => "change or replace",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Other => "look at",
        })
    }
}

impl ResourceChange {
    /// From one of `DescribeChangeSet`.
    pub fn read(value: &Value) -> Option<Self> {
        let value = value.get("ResourceChange")?;
        let action = match (text(value, "Action").as_str(), text(value, "Replacement").as_str()) {
            ("Add", _) => Action::Add,
            ("Remove", _) => Action::Remove,
            ("Modify", "True") => Action::Replace,
            ("Modify", "Conditional") => Action::MayReplace,
            ("Modify", _) => Action::Modify,
            _ => Action::Other,
        };
        let name = |it: &Value| Some(it.pointer("/Target/Name")?.as_str()?.to_owned());
        let mut properties: Vec<String> = list(value, "Details").filter_map(name).collect();
        properties.sort();
        properties.dedup();
        let (resource, kind) = (text(value, "LogicalResourceId"), text(value, "ResourceType"));
        Some(Self { action, resource, kind, properties })
    }

    /// Whether something may be lost by it. Task definitions are never changed, but replaced by their
    /// next revisions.
    pub fn is_grave(&self) -> bool {
        let is_gone = matches!(self.action, Action::Remove | Action::Replace | Action::MayReplace);
        is_gone && self.kind != "AWS::ECS::TaskDefinition"
    }
}

/// Something that happened to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its name.
    pub id: String,
    /// The resource's name in the template.
    pub resource: String,
    /// Such as `AWS::ECS::Service`.
    pub kind: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    /// In AWS's words.
    pub reason: String,
}

impl Event {
    /// From one of `DescribeStackEvents`.
    pub fn read(value: &Value) -> Self {
        Self {
            id: text(value, "EventId"),
            resource: text(value, "LogicalResourceId"),
            kind: text(value, "ResourceType"),
            status: text(value, "ResourceStatus"),
            reason: text(value, "ResourceStatusReason"),
        }
    }

    /// Whether it says why a stack fails: not because another resource did.
    pub fn is_cause(&self) -> bool {
        self.status.ends_with("_FAILED")
            && self.kind != "AWS::CloudFormation::Stack"
            && !self.reason.ends_with("cancelled")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:28} {} ({})", self.status, self.resource, self.kind)?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(names: &[(&str, bool)]) -> Vec<Declared> {
        let of = |(name, has_default): &(&str, bool)| Declared {
            name: (*name).to_owned(),
            has_default: *has_default,
        };
        names.iter().map(of).collect()
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_change_keeps_what_is_not_said_and_the_image_that_runs() {
        let declared = declared(&[("Image", true), ("Cpu", true), ("Name", false)]);
        let stack =
            Stack { parameters: vec!["Cpu".to_owned(), "Image".to_owned()], ..Stack::default() };
        let told = |given: &[(&str, &str)], stack, image| {
            parameters(&declared, stack, &self::given(given), image)
        };
        assert_eq!(
            told(&[("Name", "shop")], Some(&stack), Some("r@sha256:1")).unwrap(),
            [
                json!({ "ParameterKey": "Image", "ParameterValue": "r@sha256:1" }),
                json!({ "ParameterKey": "Cpu", "UsePreviousValue": true }),
                json!({ "ParameterKey": "Name", "ParameterValue": "shop" }),
            ]
        );
        let first = told(&[("Name", "shop"), ("Image", "mine")], None, Some("r@sha256:1")).unwrap();
        assert_eq!(first.len(), 2);
        assert_eq!(first[0]["ParameterValue"], "mine", "what is said wins");
        let missing = ParameterError::Missing(vec!["Name".to_owned()]);
        assert_eq!(told(&[], Some(&stack), None).unwrap_err(), missing);
        let unknown = told(&[("Nane", "shop")], None, None).unwrap_err();
        assert!(unknown.to_string().contains("no parameter \"Nane\": there are Image, Cpu, Name"));
    }

    #[test]
    fn what_may_lose_something_is_grave() {
        let change = |action: &str, replacement: &str, kind: &str| {
            ResourceChange::read(&json!({ "ResourceChange": {
                "Action": action, "Replacement": replacement, "ResourceType": kind,
                "Details": [{ "Target": { "Name": "B" } }, { "Target": { "Name": "A" } },
                            { "Target": { "Attribute": "Tags" } }, { "Target": { "Name": "B" } }],
            }}))
            .unwrap()
        };
        let database = "AWS::RDS::DBInstance";
        assert!(!change("Add", "", database).is_grave());
        assert!(!change("Modify", "False", database).is_grave());
        assert!(change("Modify", "Conditional", database).is_grave());
        assert!(change("Modify", "True", database).is_grave());
        assert!(change("Remove", "", database).is_grave());
        assert!(!change("Modify", "True", "AWS::ECS::TaskDefinition").is_grave());
        assert_eq!(change("Modify", "True", database).properties, ["A", "B"]);
    }

    #[test]
    fn a_stack_says_what_can_be_done_with_it() {
        let of = |status: &str| Stack { status: status.to_owned(), ..Stack::default() };
        for (status, standing) in [
            ("REVIEW_IN_PROGRESS", Standing::Empty),
            ("CREATE_COMPLETE", Standing::Fine),
            ("UPDATE_ROLLBACK_COMPLETE", Standing::Fine),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Standing::Busy),
            ("ROLLBACK_COMPLETE", Standing::Dead),
            ("UPDATE_ROLLBACK_FAILED", Standing::Stuck),
        ] {
            assert_eq!(of(status).standing(), standing, "{status}");
        }
        assert!(of("UPDATE_COMPLETE").is_done() && !of("UPDATE_ROLLBACK_COMPLETE").is_done());
    }

    #[test]
    fn only_what_failed_by_itself_is_a_cause() {
        let event = |kind: &str, status: &str, reason: &str| {
            Event::read(&json!({
                "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason,
            }))
        };
        let database = "AWS::RDS::DBInstance";
        assert!(event(database, "CREATE_FAILED", "DB engine is not available").is_cause());
        assert!(!event(database, "CREATE_FAILED", "Resource creation cancelled").is_cause());
        assert!(!event(database, "CREATE_COMPLETE", "").is_cause());
    }
}
