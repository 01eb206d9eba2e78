//! Stacks of `CloudFormation` in a world of its own, as far as a template's text tells: it finds
//! parameters and resources by their indentation. Pure; what is to happen is known when a change is
//! carried out, and told when its time has come.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How long AWS compares, and how long each resource takes, in seconds.
const TAKES: u64 = 5;
/// Changes and events that are told at a time.
const PAGE: usize = 20;

/// What goes wrong with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fails {
    /// Its name in the template.
    pub resource: &'static str,
    /// In AWS's words.
    pub reason: &'static str,
}

/// An error of AWS: status, code and message.
type Refusal = (u16, &'static str, String);

/// A stack, or none.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// What goes wrong.
    pub fails: Option<Fails>,
    name: Option<String>,
    template: String,
    parameters: BTreeMap<String, String>,
    /// The last first; those of the future as well.
    events: Vec<(u64, Value)>,
    change_set: Option<ChangeSet>,
}

#[derive(Clone, Debug)]
struct ChangeSet {
    name: String,
    since: u64,
    template: String,
    parameters: BTreeMap<String, String>,
    changes: Vec<Value>,
}

/// The blocks of a section of a template, by their names.
fn section(template: &str, name: &str) -> BTreeMap<String, String> {
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    let heading = format!("{name}:");
    let lines = template.lines().skip_while(|line| **line != heading).skip(1);
    let mut current = None;
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let is_name = line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':');
        if is_name && !line.contains('#') {
            current = Some(line.trim().trim_end_matches(':').to_owned());
        } else if let Some(name) = &current {
            let block = blocks.entry(name.clone()).or_default();
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

fn value_of<'a>(block: &'a str, key: &str) -> Option<&'a str> {
    let key = format!("    {key}: ");
    block.lines().find_map(|line| line.strip_prefix(&key))
}

fn is(value: &Value, key: &str, wanted: &str) -> bool {
    value.get(key).and_then(Value::as_str) == Some(wanted)
}

fn does_not_exist(name: &str) -> Refusal {
    (400, "ValidationError", format!("Stack with id {name} does not exist"))
}

fn page(all: &[Value], said: &Value, key: &str) -> Value {
    let from = said.get("NextToken").and_then(Value::as_str).and_then(|it| it.parse().ok());
    let from: usize = from.unwrap_or_default();
    let shown: Vec<&Value> = all.iter().skip(from).take(PAGE).collect();
    let next = (from + PAGE < all.len()).then(|| (from + PAGE).to_string());
    json!({ key: shown, "NextToken": next.unwrap_or_default() })
}

impl Stacks {
    /// Answers an operation of `CloudFormation`, at a second of the world; nothing if it is none.
    pub fn answer(
        &mut self,
        operation: &str,
        said: &Value,
        now: u64,
    ) -> Option<Result<Value, Refusal>> {
        let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("StackName").to_owned();
        let exists = self.name.as_ref() == Some(&name);
        Some(match operation {
            "GetTemplateSummary" => Ok(summary(text("TemplateBody"))),
            "CreateChangeSet" => self.propose(said, now),
            _ if !exists && operation.ends_with("Stacks") => Err(does_not_exist(&name)),
            "DescribeStacks" => Ok(json!({ "Stacks": [self.stack(now)] })),
            "DescribeStackEvents" => {
                let past = self.events.iter().filter(|(at, _)| *at <= now);
                let past: Vec<Value> = past.map(|(_, event)| event.clone()).collect();
                Ok(page(&past, said, "StackEvents"))
            }
            "DescribeChangeSet" => match &self.change_set {
                Some(it) if now < it.since + TAKES => Ok(json!({ "Status": "CREATE_IN_PROGRESS" })),
                Some(it) if it.changes.is_empty() => Ok(json!({
                    "Status": "FAILED",
                    "StatusReason": "The submitted information didn't contain changes. Submit different information to create a change set.",
                })),
                Some(it) => {
                    let mut answer = page(&it.changes, said, "Changes");
                    if let Some(answer) = answer.as_object_mut() {
                        answer.insert("Status".to_owned(), "CREATE_COMPLETE".into());
                    }
                    Ok(answer)
                }
                None => Err((404, "ChangeSetNotFound", "there is none".to_owned())),
            },
            "ExecuteChangeSet" => self.carry_out(now),
            "DeleteChangeSet" => {
                self.change_set = None;
                Ok(json!({}))
            }
            "DeleteStack" => {
                *self = Self { fails: self.fails, ..Self::default() };
                Ok(json!({}))
            }
            _ => return None,
        })
    }

    /// Whether there is a stack, if only in name.
    pub fn exists(&self) -> bool {
        self.name.is_some()
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    fn stack(&self, now: u64) -> Value {
        let is_stack = |(at, event): &&(u64, Value)| {
            *at <= now && is(event, "ResourceType", "AWS::CloudFormation::Stack")
        };
        let status =
            self.events.iter().find(is_stack).map(|(_, event)| event.get("ResourceStatus"));
        let parameter = |(name, value): (&String, &String)| json!({ "ParameterKey": name, "ParameterValue": value });
        let parameters: Vec<Value> = self.parameters.iter().map(parameter).collect();
        json!({
            "StackName": self.name, "StackStatus": status, "Parameters": parameters,
            "Outputs": [{ "OutputKey": "Address", "OutputValue": "http://graphbook.example" }],
        })
    }

    fn event(&mut self, at: u64, resource: &str, kind: &str, status: &str, reason: &str) {
        let id = format!("{resource}-{}", self.events.len());
        let event = json!({
            "EventId": id, "LogicalResourceId": resource, "ResourceType": kind,
            "ResourceStatus": status, "ResourceStatusReason": reason,
        });
        self.events.insert(0, (at, event));
    }

    fn of_stack(&mut self, at: u64, status: &str) {
        let name = self.name.clone().unwrap_or_default();
        self.event(at, &name, "AWS::CloudFormation::Stack", status, "");
    }

    fn propose(&mut self, said: &Value, now: u64) -> Result<Value, Refusal> {
        let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        let template = text("TemplateBody").to_owned();
        let is_new = text("ChangeSetType") == "CREATE";
        if !is_new && !self.exists() {
            return Err(does_not_exist(text("StackName")));
        }
        let capabilities = said.get("Capabilities").and_then(Value::as_array);
        if template.contains("AWS::IAM::") && capabilities.is_none_or(Vec::is_empty) {
            let message = "Requires capabilities : [CAPABILITY_IAM]".to_owned();
            return Err((400, "InsufficientCapabilitiesException", message));
        }
        let mut parameters = BTreeMap::new();
        for (name, block) in section(&template, "Parameters") {
            let told = said.get("Parameters").and_then(Value::as_array).into_iter().flatten();
            let mut told = told.filter(|it| is(it, "ParameterKey", &name));
            let value = match told.next() {
                Some(it) if is(it, "UsePreviousValue", "true") => {
                    self.parameters.get(&name).cloned()
                }
                Some(it) => it.get("ParameterValue").and_then(Value::as_str).map(ToOwned::to_owned),
                None => value_of(&block, "Default").map(|it| it.trim_matches('"').to_owned()),
            };
            let missing =
                || (400, "ValidationError", format!("Parameters: [{name}] must have values"));
            parameters.insert(name.clone(), value.ok_or_else(missing)?);
        }
        let (old, new) = (section(&self.template, "Resources"), section(&template, "Resources"));
        let others: Vec<&String> = parameters
            .iter()
            .filter(|(name, value)| self.parameters.get(*name) != Some(value))
            .map(|(name, _)| name)
            .collect();
        let names = |block: &str, parameter: &str| {
            block.contains(&format!("!Ref {parameter}"))
                || block.contains(&format!("${{{parameter}}}"))
        };
        let change = |action: &str, name: &str, block: &str| {
            json!({ "ResourceChange": {
                "Action": action, "LogicalResourceId": name, "ResourceType": value_of(block, "Type"),
                "Replacement": if action == "Modify" { "False" } else { "" },
            }})
        };
        let mut changes = Vec::new();
        for (name, block) in &new {
            match old.get(name) {
                None => changes.push(change("Add", name, block)),
                Some(before) => {
                    if before != block || others.iter().any(|it| names(block, it)) {
                        changes.push(change("Modify", name, block));
                    }
                }
            }
        }
        let gone = old.iter().filter(|(name, _)| !new.contains_key(*name));
        changes.extend(gone.map(|(name, block)| change("Remove", name, block)));
        if is_new && !self.exists() {
            self.name = Some(text("StackName").to_owned());
            self.of_stack(now, "REVIEW_IN_PROGRESS");
        }
        let name = text("ChangeSetName").to_owned();
        self.change_set =
            Some(ChangeSet { name: name.clone(), since: now, template, parameters, changes });
        Ok(json!({ "Id": name }))
    }

    fn carry_out(&mut self, now: u64) -> Result<Value, Refusal> {
        let none = || (404, "ChangeSetNotFound", "there is none".to_owned());
        let ChangeSet { template, parameters, changes, name, .. } =
            self.change_set.take().ok_or_else(none)?;
        let is_new = self.template.is_empty();
        let verb = if is_new { "CREATE" } else { "UPDATE" };
        let mut at = now + 1;
        self.of_stack(at, &format!("{verb}_IN_PROGRESS"));
        for change in changes {
            let text = |key: &str| {
                let found = change.pointer(&format!("/ResourceChange/{key}"));
                found.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (resource, kind) = (text("LogicalResourceId"), text("ResourceType"));
            self.event(at, &resource, &kind, &format!("{verb}_IN_PROGRESS"), "");
            at += TAKES;
            if let Some(fails) = self.fails.filter(|it| it.resource == resource) {
                self.event(at, &resource, &kind, &format!("{verb}_FAILED"), fails.reason);
                let other = "Resource creation cancelled";
                self.event(at, "Log", "AWS::Logs::LogGroup", &format!("{verb}_FAILED"), other);
                let back = if is_new { "ROLLBACK" } else { "UPDATE_ROLLBACK" };
                self.of_stack(at, &format!("{back}_IN_PROGRESS"));
                self.of_stack(at + TAKES, &format!("{back}_COMPLETE"));
                return Ok(json!({ "Id": name }));
            }
            self.event(at, &resource, &kind, &format!("{verb}_COMPLETE"), "");
        }
        self.of_stack(at, &format!("{verb}_COMPLETE"));
        self.template = template;
        self.parameters = parameters;
        Ok(json!({ "Id": name }))
    }
}

fn summary(template: &str) -> Value {
    let parameters = section(template, "Parameters").into_iter().map(|(name, block)| {
        let default = value_of(&block, "Default");
        match default {
            Some(value) => json!({ "ParameterKey": name, "DefaultValue": value.trim_matches('"') }),
            None => json!({ "ParameterKey": name }),
        }
    });
    let capabilities: &[&str] =
        if template.contains("AWS::IAM::") { &["CAPABILITY_IAM"] } else { &[] };
    json!({ "Parameters": parameters.collect::<Vec<_>>(), "Capabilities": capabilities })
}
