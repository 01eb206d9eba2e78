//! A mutation that is selected twice under one key runs once.
//!
//! The specification merges fields of one response key before it executes them (section 6.3.2);
//! async-graphql executes each, so that `{ addPost(…) { id } addPost(…) { text } }` would write two
//! posts. For queries that is only work done twice.

use async_graphql::{
    Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType,
        Selection,
    },
};

/// Merges what a document's mutations select twice. What the specification does not let stand
/// together (other arguments) is left for validation to refuse.
pub(super) fn mutations(document: &mut ExecutableDocument) {
    match &mut document.operations {
        DocumentOperations::Single(operation) => merge(&mut operation.node),
        DocumentOperations::Multiple(operations) => {
            for operation in operations.values_mut() {
                merge(&mut operation.node);
            }
        }
    }
}

fn merge(operation: &mut OperationDefinition) {
    if operation.ty != OperationType::Mutation {
        return;
    }
    let items = &mut operation.selection_set.node.items;
    let mut merged: Vec<Positioned<Selection>> = Vec::with_capacity(items.len());
    for item in std::mem::take(items) {
        let again = match &item.node {
            Selection::Field(field) => merged.iter_mut().find_map(|earlier| {
                let Selection::Field(earlier) = &mut earlier.node else { return None };
                is_same(&earlier.node, &field.node).then_some(earlier)
            }),
            _ => None,
        };
        match (again, item.node) {
            (Some(earlier), Selection::Field(field)) => {
                let more = field.node.selection_set.node.items;
                earlier.node.selection_set.node.items.extend(more);
            }
            (_, node) => merged.push(Positioned { pos: item.pos, node }),
        }
    }
    *items = merged;
}

/// Whether two fields are one: also their directives, which may take one of them away.
fn is_same(one: &Field, other: &Field) -> bool {
    let arguments = |field: &Field| -> Vec<(String, String)> {
        let of = field.arguments.iter();
        let mut all: Vec<_> =
            of.map(|(name, value)| (name.node.to_string(), value.node.to_string())).collect();
        all.sort_unstable();
        all
    };
    one.response_key().node == other.response_key().node
        && one.name.node == other.name.node
        && one.directives.is_empty()
        && other.directives.is_empty()
        && arguments(one) == arguments(other)
}
