//! The GraphQL API: transports in, [`Graph`] in the middle, the schema behind it.
//!
//! `http` and `ws` turn what arrives into an [`Operation`] and [`Reply`]s into what is sent.
//! `guard` stands before execution. async-graphql validates, executes and loads; its own
//! transports are not used (ARCHITECTURE.md says why).

mod errors;
mod guard;
pub mod http;
mod loaders;
mod merge;
mod nulls;
mod reply;
pub mod schema;
mod surrogates;
mod types;
pub mod ws;

use std::{net::IpAddr, sync::Arc};

use async_graphql::{
    Request, Value, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, OperationDefinition, OperationType},
    },
};
use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;

pub use self::reply::Reply;
use self::{
    errors::ApiError,
    loaders::Loaders,
    nulls::{Asked, Types},
    schema::GraphSchema,
};
use crate::{
    state::SharedState,
    store::{Session, User},
};

/// What a client asks, as GraphQL over HTTP and the WebSocket protocols have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub query: String,
    #[serde(default)]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Option<Variables>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Nothing for somebody who is not signed in.
    pub session: Option<Session>,
    pub address: IpAddr,
    /// Stands in every error, so that a report leads to the log.
    pub request_id: String,
}

impl Caller {
    /// The person, or an error that says to sign in.
    fn viewer(&self) -> Result<&User, ApiError> {
        Ok(&self.session()?.user)
    }

    fn session(&self) -> Result<&Session, ApiError> {
        self.session.as_ref().ok_or(ApiError::Unauthenticated)
    }
}

/// A file that came with an operation.
#[derive(Clone, Debug)]
pub struct UploadedFile {
    /// The part's name, which stands in the variables in the file's place.
    pub key: String,
    pub filename: String,
    pub bytes: bytes::Bytes,
}

/// An operation that keeps the limits and is ready to be executed.
#[derive(Debug)]
pub struct Prepared {
    request: Request,
    asked: Asked,
    kind: OperationType,
    request_id: String,
}

impl Prepared {
    /// What the operation does.
    pub fn kind(&self) -> OperationType {
        self.kind
    }

    /// Adds a file that came along.
    #[must_use]
    pub fn with_file(mut self, file: UploadedFile) -> Self {
        self.request = self.request.data(file);
        self
    }
}

/// Executes operations. Cheap to clone.
#[derive(Clone)]
pub struct Graph {
    schema: GraphSchema,
    types: Arc<Types>,
    state: SharedState,
}

impl Graph {
    /// The API over this state.
    pub fn new(state: SharedState) -> Self {
        let schema = schema::build(state.clone());
        // A test reads the same text; without types, responses are what the library makes them.
        let types = Types::of(&schema.sdl())
            .inspect_err(|error| errors::log(&format!("the schema can't be read: {error}")))
            .unwrap_or_default();
        Self { schema, types: types.into(), state }
    }

    /// What the requests share.
    pub fn state(&self) -> &SharedState {
        &self.state
    }

    /// Parses an operation and holds it against the limits.
    ///
    /// # Errors
    /// The reply that tells the client what is wrong with it.
    #[expect(clippy::result_large_err, reason = "moved once, on its way out")]
    pub fn prepare(&self, operation: Operation, caller: Caller) -> Result<Prepared, Reply> {
        let request_id = caller.request_id.clone();
        let Operation { query, operation_name, variables } = operation;
        if query.len() > guard::MAX_DOCUMENT_BYTES {
            let message =
                format!("The document has more than {} bytes.", guard::MAX_DOCUMENT_BYTES);
            return Err(Reply::refused(&message, errors::VALIDATION_FAILED, &request_id));
        }
        let mut document = parse_query(surrogates::join(&query))
            .map_err(|error| Reply::unparsed(error.into(), &request_id))?;
        guard::check(&document)
            .map_err(|why| Reply::refused(&why, errors::VALIDATION_FAILED, &request_id))?;
        merge::mutations(&mut document);
        let definition = selected(&document, operation_name.as_deref())
            .map_err(|why| Reply::refused(why, errors::VALIDATION_FAILED, &request_id))?;
        let kind = definition.ty;
        let variables = variables.unwrap_or_default();
        require_variables(definition, &variables)
            .map_err(|why| Reply::refused(&why, errors::BAD_USER_INPUT, &request_id))?;

        // The text is not needed: the document is parsed.
        let mut request =
            Request::new("").variables(variables).data(Loaders::new(&self.state)).data(caller);
        request.operation_name.clone_from(&operation_name);
        request.set_parsed_query(document);
        if !self.state.introspection {
            request = request.disable_introspection();
        }
        let asked = Asked { query, operation_name };
        Ok(Prepared { request, asked, kind, request_id })
    }

    /// Executes a query or a mutation.
    pub async fn execute(&self, prepared: Prepared) -> Reply {
        let Prepared { request, asked, request_id, .. } = prepared;
        let response = self.schema.execute(request).await;
        Reply::new(response, &request_id).with_nulls(&self.types, &asked)
    }

    /// Executes an operation of any kind: a subscription gives a reply per event, everything
    /// else gives one.
    pub fn stream(&self, prepared: Prepared) -> impl Stream<Item = Reply> + Send + use<> {
        let Prepared { request, asked, kind, request_id } = prepared;
        let types = Arc::clone(&self.types);
        self.schema.execute_stream(request).map(move |response| {
            // Of every event, even of one that fails altogether, the library has an object.
            let no_source = kind == OperationType::Subscription && response.data == Value::Null;
            let reply = Reply::new(response, &request_id);
            if no_source { reply.without_data() } else { reply.with_nulls(&types, &asked) }
        })
    }
}

/// The operation of that name; the name may be left out when there is only one.
fn selected<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, &'static str> {
    let mut operations = document.operations.iter();
    let found = match name {
        Some(name) => operations.find(|(found, _)| found.is_some_and(|found| found == name)),
        None => match (operations.next(), operations.next()) {
            (first, None) => first,
            _ => return Err("The document has several operations: say which in operationName."),
        },
    };
    found.map(|(_, operation)| &operation.node).ok_or("There is no operation of that name.")
}

/// Refuses required variables that have no value: async-graphql takes a null for those that it
/// puts where a null would do.
fn require_variables(
    definition: &OperationDefinition,
    variables: &Variables,
) -> Result<(), String> {
    let missing =
        definition.variable_definitions.iter().map(|variable| &variable.node).find(|variable| {
            let value = variables.get(variable.name.node.as_str());
            let required = !variable.var_type.node.nullable && variable.default_value.is_none();
            let null = matches!(value, Some(async_graphql::Value::Null));
            !variable.var_type.node.nullable && null || required && value.is_none()
        });
    let Some(variable) = missing else { return Ok(()) };
    let (name, kind) = (&variable.name.node, &variable.var_type.node);
    Err(format!("Variable \"${name}\" of required type \"{kind}\" was not provided."))
}
