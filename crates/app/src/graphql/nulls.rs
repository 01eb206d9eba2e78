//! Nulls in the places of what failed.
//!
//! async-graphql leaves a field that failed out of the data, whatever its type, and writes null
//! for an object of which every field failed. Clients are promised something else (GraphQL
//! specification, section 6.4.4): null where the type allows it; else the nearest thing around
//! it that may be null is null, be it all of the data.

use std::collections::{BTreeMap, HashMap};

use async_graphql::{
    Name, PathSegment, Positioned, ServerError, Value,
    indexmap::IndexMap,
    parser::{
        Error, parse_query, parse_schema,
        types::{
            BaseType, ExecutableDocument, FieldDefinition, FragmentDefinition, OperationType,
            Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
        },
    },
};

use super::{selected, surrogates};

/// What an operation asks for, to be parsed again in the rare case that it is needed.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) query: String,
    pub(super) operation_name: Option<String>,
}

/// The types of a schema's fields.
#[derive(Debug, Default)]
pub(super) struct Types {
    query: Option<Name>,
    mutation: Option<Name>,
    subscription: Option<Name>,
    /// By the name of the object that they are of, then by their own.
    fields: HashMap<Name, HashMap<Name, Type>>,
}

impl Types {
    /// Of a schema in the schema definition language.
    pub(super) fn of(sdl: &str) -> Result<Self, Error> {
        let mut types = Self::default();
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let name = |root: Option<Positioned<Name>>| root.map(|name| name.node);
                    types.query = name(schema.node.query);
                    types.mutation = name(schema.node.mutation);
                    types.subscription = name(schema.node.subscription);
                }
                TypeSystemDefinition::Type(definition) => {
                    let name = definition.node.name.node;
                    let fields = match definition.node.kind {
                        TypeKind::Object(object) => object.fields,
                        TypeKind::Interface(interface) => interface.fields,
                        _ => continue,
                    };
                    let entry = |field: Positioned<FieldDefinition>| {
                        (field.node.name.node, field.node.ty.node)
                    };
                    types.fields.insert(name, fields.into_iter().map(entry).collect());
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(types)
    }

    /// Puts nulls into a response's data where its errors say that something failed.
    pub(super) fn put_nulls(&self, asked: &Asked, errors: &[ServerError], data: &mut Value) {
        let mut failures = Failures::default();
        // Errors without a path are of requests that were not executed.
        for error in errors.iter().filter(|error| !error.path.is_empty()) {
            failures.add(&error.path);
        }
        if failures.fields.is_empty() {
            return;
        }
        // Both worked before the execution.
        let Ok(document) = parse_query(surrogates::join(&asked.query)) else { return };
        let name = asked.operation_name.as_deref();
        let Ok(operation) = selected(&document, name) else { return };
        let root = match operation.ty {
            OperationType::Query => &self.query,
            OperationType::Mutation => &self.mutation,
            OperationType::Subscription => &self.subscription,
        };
        let Some(root) = root.clone() else { return };
        let root = Type { base: BaseType::Named(root), nullable: true };
        let walk = Walk { types: self, document: &document };
        walk.value(data, &root, &[&operation.selection_set.node], &failures);
    }
}

/// The paths of errors as a tree.
#[derive(Debug, Default)]
struct Failures<'a> {
    /// An error's path ends here.
    here: bool,
    fields: BTreeMap<&'a str, Failures<'a>>,
    items: BTreeMap<usize, Failures<'a>>,
}

impl<'a> Failures<'a> {
    fn add(&mut self, path: &'a [PathSegment]) {
        let end = path.iter().fold(self, |at, segment| match segment {
            PathSegment::Field(key) => at.fields.entry(key).or_default(),
            PathSegment::Index(index) => at.items.entry(*index).or_default(),
        });
        end.here = true;
    }
}

/// What is selected under one key of an object.
struct Selected<'a> {
    /// Nothing for `__typename` and the like, which don't fail.
    ty: Option<&'a Type>,
    sets: Vec<&'a SelectionSet>,
}

/// What is selected of an object, in the order in which the object has it.
type Fields<'a> = IndexMap<&'a str, Selected<'a>>;

#[derive(Clone, Copy)]
struct Walk<'a> {
    types: &'a Types,
    document: &'a ExecutableDocument,
}

impl<'a> Walk<'a> {
    /// Makes the value what it is after the failures in it: null, if it can't stand without
    /// what failed. Whether null may stand in its place is for what is around it to say.
    fn value(
        &self,
        value: &mut Value,
        ty: &Type,
        sets: &[&'a SelectionSet],
        failed: &Failures<'_>,
    ) {
        if failed.here {
            *value = Value::Null;
            return;
        }
        let stands = match (&ty.base, &mut *value) {
            (BaseType::List(ty), Value::List(items)) => {
                failed.items.iter().all(|(index, failed)| {
                    items.get_mut(*index).is_none_or(|item| self.stands(item, ty, sets, failed))
                })
            }
            (BaseType::Named(ty), Value::Object(object)) => self.object(object, ty, sets, failed),
            (BaseType::Named(ty), Value::Null) if !failed.fields.is_empty() => {
                // It was there: something in it could fail.
                let mut object = IndexMap::new();
                let stands = self.object(&mut object, ty, sets, failed);
                *value = Value::Object(object);
                stands
            }
            // A list that is missing because of one of its items.
            _ => true,
        };
        if !stands {
            *value = Value::Null;
        }
    }

    /// The same, and whether that value may stand in a place of its type.
    fn stands(
        &self,
        value: &mut Value,
        ty: &Type,
        sets: &[&'a SelectionSet],
        failed: &Failures<'_>,
    ) -> bool {
        self.value(value, ty, sets, failed);
        ty.nullable || *value != Value::Null
    }

    /// Gives an object the fields that failed, each in its place; tells whether it stands.
    fn object(
        &self,
        object: &mut IndexMap<Name, Value>,
        ty: &Name,
        sets: &[&'a SelectionSet],
        failed: &Failures<'_>,
    ) -> bool {
        let mut fields = Fields::new();
        for set in sets {
            self.collect(set, ty, &mut fields);
        }
        let stands = failed.fields.iter().all(|(key, failed)| {
            let Some(Selected { ty: Some(ty), sets }) = fields.get(key) else { return true };
            let value = object.entry(Name::new(key)).or_insert(Value::Null);
            self.stands(value, ty, sets, failed)
        });
        object.sort_by_cached_key(|key, _| fields.get_index_of(key.as_str()));
        stands
    }

    /// Collects what is selected. It does not matter which object a fragment is for: fields of
    /// the same key are all null or all not (specification, section 5.3.2).
    fn collect(&self, set: &'a SelectionSet, ty: &Name, fields: &mut Fields<'a>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let known = || self.types.fields.get(ty)?.get(&field.name.node);
                    let selected = fields
                        .entry(field.response_key().node.as_str())
                        .or_insert_with(|| Selected { ty: known(), sets: Vec::new() });
                    selected.sets.push(&field.selection_set.node);
                }
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|on| &on.node.on.node);
                    self.collect(&inline.node.selection_set.node, on.unwrap_or(ty), fields);
                }
                Selection::FragmentSpread(spread) => {
                    let fragments = &self.document.fragments;
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let FragmentDefinition { type_condition, selection_set, .. } =
                            &fragment.node;
                        self.collect(&selection_set.node, &type_condition.node.on.node, fields);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, Object, Request, Response, Result, Schema, Subscription};
    use futures_util::{Stream, StreamExt as _, stream};

    use super::*;
    use crate::graphql::schema::sdl;

    /// A thing of a number; some of its fields fail when that is odd.
    struct Thing(i32);

    fn even(n: i32) -> Result<i32> {
        if n % 2 == 0 { Ok(n) } else { Err("odd".into()) }
    }

    #[Object]
    impl Thing {
        async fn n(&self) -> i32 {
            self.0
        }
        async fn even(&self) -> Result<i32> {
            even(self.0)
        }
        async fn even_or_null(&self) -> Result<Option<i32>> {
            even(self.0).map(Some)
        }
        /// Comes after what is beside it.
        async fn slow(&self) -> i32 {
            tokio::task::yield_now().await;
            self.0
        }
        async fn next(&self) -> Thing {
            Thing(self.0 + 1)
        }
        async fn next_or_null(&self) -> Option<Thing> {
            Some(Thing(self.0 + 1))
        }
    }

    struct Query;

    #[Object]
    impl Query {
        async fn thing(&self, n: i32) -> Thing {
            Thing(n)
        }
        async fn maybe(&self, n: i32) -> Result<Option<Thing>> {
            if n < 0 { Err("negative".into()) } else { Ok((n > 0).then_some(Thing(n))) }
        }
        /// `[Thing!]!`
        async fn all(&self) -> Vec<Thing> {
            (1..4).map(Thing).collect()
        }
        /// `[Thing]!`
        async fn some(&self) -> Vec<Option<Thing>> {
            vec![Some(Thing(1)), None, Some(Thing(2)), Some(Thing(3))]
        }
        /// `[Thing!]`
        async fn all_or_null(&self) -> Option<Vec<Thing>> {
            Some((1..4).map(Thing).collect())
        }
        /// `[[Thing!]]!`
        async fn rows(&self) -> Vec<Option<Vec<Thing>>> {
            vec![Some(vec![Thing(2), Thing(4)]), Some(vec![Thing(2), Thing(3)]), None]
        }
        /// `[[Thing!]!]`
        async fn grid(&self) -> Option<Vec<Vec<Thing>>> {
            Some(vec![vec![Thing(2)], vec![Thing(4), Thing(3)]])
        }
        /// `[Int!]!`
        async fn numbers(&self) -> Vec<Result<i32>> {
            (1..3).map(even).collect()
        }
        /// `[Int]!`
        async fn some_numbers(&self) -> Vec<Option<Result<i32>>> {
            (1..3).map(|n| Some(even(n))).collect()
        }
        /// `[[Int!]!]`
        async fn number_grid(&self) -> Option<Vec<Vec<Result<i32>>>> {
            Some(vec![vec![Ok(2)], vec![Ok(2), even(3)]])
        }
    }

    struct Events;

    #[Subscription]
    impl Events {
        async fn things(&self) -> impl Stream<Item = Thing> {
            stream::iter((1..4).map(Thing))
        }
    }

    type TestSchema = Schema<Query, EmptyMutation, Events>;

    fn schema() -> (TestSchema, Types) {
        let schema = Schema::new(Query, EmptyMutation, Events);
        let types = Types::of(&schema.sdl()).unwrap();
        (schema, types)
    }

    fn asked(query: &str, operation_name: Option<&str>) -> Asked {
        Asked { query: query.to_owned(), operation_name: operation_name.map(str::to_owned) }
    }

    fn json(response: &Response) -> String {
        serde_json::to_string(&response.data).unwrap()
    }

    #[tokio::test]
    async fn nulls_stand_where_the_specification_wants_them() {
        let (schema, types) = schema();
        for (query, expected) in [
            // What may be null is, in its place.
            ("{ maybe(n: -1) { n } }", r#"{"maybe":null}"#),
            (
                "{ a: thing(n: 2) { n } maybe(n: -1) { n } b: thing(n: 4) { n } }",
                r#"{"a":{"n":2},"maybe":null,"b":{"n":4}}"#,
            ),
            (
                "{ thing(n: 1) { slow evenOrNull n __typename } }",
                r#"{"thing":{"slow":1,"evenOrNull":null,"n":1,"__typename":"Thing"}}"#,
            ),
            // An object stays one, though every field of it failed.
            ("{ thing(n: 1) { evenOrNull } }", r#"{"thing":{"evenOrNull":null}}"#),
            ("{ some { evenOrNull } }", r#"{"some":[{"evenOrNull":null},null,{"evenOrNull":2},{"evenOrNull":null}]}"#),
            (
                "{ thing(n: 0) { next { a: evenOrNull b: evenOrNull } n } }",
                r#"{"thing":{"next":{"a":null,"b":null},"n":0}}"#,
            ),
            // What may not be null takes what is around it along, as far as need be.
            ("{ a: thing(n: 2) { n } b: thing(n: 1) { n even } }", "null"),
            ("{ a: thing(n: 2) { n } b: thing(n: 1) { even } }", "null"),
            (
                "{ a: thing(n: 2) { n } maybe(n: 1) { n even } }",
                r#"{"a":{"n":2},"maybe":null}"#,
            ),
            (
                "{ thing(n: 7) { n nextOrNull { n next { n even } } } }",
                r#"{"thing":{"n":7,"nextOrNull":null}}"#,
            ),
            // A null that nothing failed in stays what it is.
            ("{ x: maybe(n: 0) { even } maybe(n: -1) { n } }", r#"{"x":null,"maybe":null}"#),
            // Several errors, each with its own end; the order they come in does not matter.
            (
                "{ maybe(n: 1) { even evenOrNull n } thing(n: 1) { evenOrNull n } }",
                r#"{"maybe":null,"thing":{"evenOrNull":null,"n":1}}"#,
            ),
            (
                "{ maybe(n: 1) { evenOrNull a: even b: even } thing(n: 2) { n } }",
                r#"{"maybe":null,"thing":{"n":2}}"#,
            ),
            // Lists: the item, or the list, or what the list is in.
            (
                "{ all { n evenOrNull } }",
                r#"{"all":[{"n":1,"evenOrNull":null},{"n":2,"evenOrNull":2},{"n":3,"evenOrNull":null}]}"#,
            ),
            ("{ some { n even } }", r#"{"some":[null,null,{"n":2,"even":2},null]}"#),
            ("{ some { even } }", r#"{"some":[null,null,{"even":2},null]}"#),
            ("{ some { n } allOrNull { n even } }", r#"{"some":[{"n":1},null,{"n":2},{"n":3}],"allOrNull":null}"#),
            ("{ some { n } all { n even } }", "null"),
            ("{ rows { even } }", r#"{"rows":[[{"even":2},{"even":4}],null,null]}"#),
            ("{ thing(n: 2) { n } grid { n even } }", r#"{"thing":{"n":2},"grid":null}"#),
            (
                "{ grid { n evenOrNull } }",
                r#"{"grid":[[{"n":2,"evenOrNull":2}],[{"n":4,"evenOrNull":4},{"n":3,"evenOrNull":null}]]}"#,
            ),
            ("{ thing(n: 2) { n } numbers }", "null"),
            ("{ someNumbers }", r#"{"someNumbers":[null,2]}"#),
            ("{ thing(n: 2) { n } numberGrid }", r#"{"thing":{"n":2},"numberGrid":null}"#),
            // Aliases, fragments, the same key from several places.
            ("{ x: maybe(n: -1) { n } thing: maybe(n: 1) { y: even } }", r#"{"x":null,"thing":null}"#),
            (
                "{ ...q } fragment q on Query { ... { x: maybe(n: 1) { ...t ... on Thing { n } } } }
                 fragment t on Thing { a: n ...u } fragment u on Thing { b: evenOrNull }",
                r#"{"x":{"a":1,"b":null,"n":1}}"#,
            ),
            (
                "{ maybe(n: 1) { n } ...q } fragment q on Query { maybe(n: 1) { even } }",
                r#"{"maybe":null}"#,
            ),
            (
                "{ maybe(n: 1) { next { n } } ...q }
                 fragment q on Query { maybe(n: 1) { next { nextOrNull { even } } } }",
                r#"{"maybe":{"next":{"n":2,"nextOrNull":null}}}"#,
            ),
            // What is skipped is not there.
            (
                "{ maybe(n: -1) { n } thing(n: 1) @skip(if: true) { n } x: thing(n: 1) {
                 n @include(if: false) evenOrNull slow } }",
                r#"{"maybe":null,"x":{"evenOrNull":null,"slow":1}}"#,
            ),
        ] {
            let mut response = schema.execute(query).await;
            assert!(!response.errors.is_empty(), "{query}");
            types.put_nulls(&asked(query, None), &response.errors, &mut response.data);
            assert_eq!(json(&response), expected, "{query} {response:?}");
        }
    }

    #[tokio::test]
    async fn the_operation_is_the_one_that_was_executed() {
        let (schema, types) = schema();
        let query = "query a { x: maybe(n: 2) { n } } query b { x: maybe(n: -1) { n } }";
        let mut response = schema.execute(Request::new(query).operation_name("b")).await;
        types.put_nulls(&asked(query, Some("b")), &response.errors, &mut response.data);
        assert_eq!(json(&response), r#"{"x":null}"#);
    }

    #[tokio::test]
    async fn events_have_their_nulls_too() {
        let (schema, types) = schema();
        for (query, expected) in [
            (
                "subscription { things { n evenOrNull } }",
                [
                    r#"{"things":{"n":1,"evenOrNull":null}}"#,
                    r#"{"things":{"n":2,"evenOrNull":2}}"#,
                    r#"{"things":{"n":3,"evenOrNull":null}}"#,
                ],
            ),
            ("subscription { x: things { even } }", ["null", r#"{"x":{"even":2}}"#, "null"]),
        ] {
            let events = schema.execute_stream(query).map(|mut response| {
                types.put_nulls(&asked(query, None), &response.errors, &mut response.data);
                json(&response)
            });
            assert_eq!(events.collect::<Vec<_>>().await, expected);
        }
    }

    #[tokio::test]
    async fn without_failures_nothing_changes() {
        let (schema, types) = schema();
        for query in ["{ thing(n: 1) { slow n } maybe(n: 0) { even } }", "{ nothing }"] {
            let (mut response, untouched) =
                (schema.execute(query).await, schema.execute(query).await);
            types.put_nulls(&asked(query, None), &response.errors, &mut response.data);
            assert_eq!(format!("{response:?}"), format!("{untouched:?}"));
        }
    }

    #[test]
    fn our_own_schema_is_read() {
        let types = Types::of(&sdl()).unwrap();
        for (root, field, expected) in [
            (&types.query, "chats", "[Chat!]!"),
            (&types.query, "chat", "Chat"),
            (&types.mutation, "login", "Auth!"),
            (&types.subscription, "postAdded", "Post!"),
        ] {
            let fields = &types.fields[root.as_ref().unwrap()];
            assert_eq!(fields[field].to_string(), expected);
        }
    }
}
