//! The update grammar of the orb `aws-ecs` of `CircleCI`, so that who leaves it changes one line. Pure.
//!
//! `container=NAME,tag=TAG`, one after the other: a new one begins wherever `container=` does. The last
//! key of each takes all that follows, so that values may hold commas and equals signs, which the orb
//! can't read (CircleCI-Public/aws-ecs-orb#98).

use crate::task_definition::{Edit, Set};

/// Which flag a text is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// `container-image-name-updates`.
    Images,
    /// `container-env-var-updates`.
    Variables,
    /// `container-secret-updates`.
    Secrets,
    /// `container-docker-label-updates`.
    Labels,
}

/// Why a text is no update. Values are not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrbError {
    /// It begins otherwise.
    #[error("an update begins with container=NAME")]
    Container,
    /// Something is missing.
    #[error("the update of container {container} lacks {missing}: write {wanted}")]
    Missing {
        /// The container.
        container: String,
        /// What is missing.
        missing: &'static str,
        /// How to write it.
        wanted: &'static str,
    },
}

impl Updates {
    fn wanted(self) -> &'static str {
        match self {
            Self::Images => "container=NAME,tag=TAG or container=NAME,image-and-tag=IMAGE:TAG",
            Self::Variables => "container=NAME,name=VARIABLE,value=VALUE",
            Self::Secrets => "container=NAME,name=VARIABLE,valueFrom=ARN",
            Self::Labels => "container=NAME,key=LABEL,value=VALUE",
        }
    }

    /// The edits that a text stands for.
    pub fn read(self, text: &str) -> Result<Vec<Edit>, OrbError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let rest = text.strip_prefix("container=").ok_or(OrbError::Container)?;
        rest.split(",container=").map(|update| self.one(update)).collect()
    }

    fn one(self, update: &str) -> Result<Edit, OrbError> {
        let (container, rest) = update.split_once(',').unwrap_or((update, ""));
        let container = container.trim().to_owned();
        // ECS's own rule for names. What is none may be a value.
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        if container.is_empty() || !container.chars().all(is_name) {
            return Err(OrbError::Container);
        }
        let missing = |missing| OrbError::Missing {
            container: container.clone(),
            missing,
            wanted: self.wanted(),
        };
        let change = match self {
            Self::Images => image(rest).ok_or_else(|| missing("its image or tag"))?,
            Self::Variables => {
                let (name, value) =
                    pair(rest, "name", "value").ok_or_else(|| missing("name or value"))?;
                Set::Variable(name, value)
            }
            Self::Secrets => {
                let found = pair(rest, "name", "valueFrom");
                let (name, from) = found.ok_or_else(|| missing("name or valueFrom"))?;
                Set::Secret(name, from)
            }
            Self::Labels => {
                let (key, value) =
                    pair(rest, "key", "value").ok_or_else(|| missing("key or value"))?;
                Set::Label(key, value)
            }
        };
        Ok(Edit { container, change })
    }
}

/// `image-and-tag=I:T`, `tag=T`, `image=I`, or `image=I,tag=T`.
fn image(text: &str) -> Option<Set> {
    let keys: Vec<(&str, &str)> =
        text.split(',').filter_map(|it| it.trim().split_once('=')).collect();
    let of = |key: &str| keys.iter().find(|(it, _)| *it == key).map(|(_, value)| *value);
    match (of("image-and-tag"), of("image"), of("tag")) {
        (Some(both), ..) => Some(Set::Image(both.to_owned())),
        (None, Some(image), Some(tag)) => Some(Set::Image(format!("{image}:{tag}"))),
        (None, Some(image), None) => Some(Set::Image(image.to_owned())),
        (None, None, Some(tag)) => Some(Set::Tag(tag.to_owned())),
        (None, None, None) => None,
    }
}

/// `FIRST=…,LAST=…`, where the last takes all that follows.
fn pair(text: &str, first: &str, last: &str) -> Option<(String, String)> {
    let rest = text.trim_start().strip_prefix(first)?.strip_prefix('=')?;
    let (name, value) = rest.split_once(&format!(",{last}="))?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(container: &str, change: Set) -> Edit {
        Edit { container: container.to_owned(), change }
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn images_are_named_in_the_ways_of_the_orb() {
        let read = |text| Updates::Images.read(text).unwrap();
        assert_eq!(
            read("container=app,tag=1,container=proxy,image-and-tag=r/p:2"),
            [edit("app", Set::Tag(text("1"))), edit("proxy", Set::Image(text("r/p:2")))]
        );
        assert_eq!(read("container=app,image=r/a,tag=3"), [edit("app", Set::Image(text("r/a:3")))]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn values_may_hold_whatever_they_like() {
        let read = |text| Updates::Variables.read(text).unwrap();
        let variable =
            |name: &str, value: &str| edit("app", Set::Variable(text(name), text(value)));
        assert_eq!(
            read("container=app,name=A,value=1,2=3,container=app,name=B,value="),
            [variable("A", "1,2=3"), variable("B", "")]
        );
        let secret = Updates::Secrets.read("container=app,name=S,valueFrom=arn:a:b").unwrap();
        assert_eq!(secret, [edit("app", Set::Secret(text("S"), text("arn:a:b")))]);
        let label = Updates::Labels.read("container=app,key=l,value=v").unwrap();
        assert_eq!(label, [edit("app", Set::Label(text("l"), text("v")))]);
    }

    #[test]
    fn what_is_missing_is_told_and_no_value() {
        assert_eq!(Updates::Images.read("tag=1"), Err(OrbError::Container));
        let error = Updates::Variables.read("container=app,value=hidden").unwrap_err().to_string();
        assert!(error.contains("container app lacks name or value"), "{error}");
        assert!(!error.contains("hidden"), "{error}");
        assert!(Updates::Images.read("container=app").is_err());
        let error = Updates::Variables.read("container=app;name=X;value=hidden").unwrap_err();
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}
