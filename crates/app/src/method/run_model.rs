//! Methods that call methods of other models: `runModel` of the context.

use std::sync::Arc;

use mangrove_domain::{data::DataHandle, definition::Definition, form::Located, json::Json, type_name::TypeName};

use super::{
    Invocation, Invoked, handle,
    host::{Host, text},
    instance::InstanceCall,
    invoke,
    origin::Origin,
};
use crate::{data::DataLookups, workflow::library::Library};

/// What a method asks for.
struct Wanted<'a> {
    type_name: TypeName,
    name: String,
    method: &'a str,
    arguments: Json,
}

impl Host {
    /// Calls a method of another model. What goes wrong is part of the answer.
    pub(super) async fn run_model(&self, options: &Json) -> Json {
        match self.call_model(options).await {
            Ok(handles) => {
                let resources = handles.iter().map(handle::document).collect();
                Json::object([("ok", Json::Bool(true)), ("resources", Json::Array(resources))])
            }
            Err(message) => {
                let error = Json::object([("message", Json::from(message))]);
                Json::object([("ok", Json::Bool(false)), ("error", error)])
            }
        }
    }

    async fn call_model(&self, options: &Json) -> Result<Vec<DataHandle>, String> {
        let caller = &self.caller;
        let library = caller.chain.library(&caller.services).await?;
        let Wanted { type_name, name, method, arguments } = self.wanted(library, options).await?;
        caller.chain.take(&type_name, method)?;
        caller.check_target(&type_name).await?;
        let located = Located { value: name, line: 1, column: 1 };
        let type_name = Located { value: type_name, line: 1, column: 1 };
        let definition = Definition::new(&caller.file, String::new(), located.clone(), type_name.clone());
        let definition = Arc::new(definition);
        let call = Invocation {
            definition: &definition,
            digest: None,
            method,
            inputs: &arguments,
            inputs_at: &located.position(&caller.file),
            inputs_written: None,
            is_single: false,
            instance: Some(InstanceCall {
                library,
                file: &caller.file,
                type_name: &type_name,
                name: &located,
                global_arguments: None,
                written: None,
            }),
            checks: &caller.checks,
            driver: caller.driver.as_deref(),
            scope: &caller.scope,
            environment: &self.environment,
            models: &self.models,
            records: &self.records,
            lookups: &DataLookups::new(self.records.clone()),
            run_id: &self.run_id,
            repository: &caller.repository,
            // That of this call, which waits for it.
            timeout: None,
            cancellation: &self.ending,
            on_line: Arc::clone(&self.on_line),
            origin: Origin { overrides: Vec::new(), ..self.origin.clone() },
            budget: &self.budget,
            chain: caller.chain.clone(),
            // What is reported of a step is what the step called.
            reports: None,
        };
        let Invoked { error, handles, of_others, logs, .. } = Box::pin(invoke(&caller.services, call)).await;
        let mut state = self.state();
        state.log.adopt(logs);
        state.of_others.extend(handles.iter().cloned().chain(of_others));
        drop(state);
        match error {
            None => Ok(handles),
            Some(error) => Err(error.message),
        }
    }

    async fn wanted<'a>(&self, library: &Library, options: &'a Json) -> Result<Wanted<'a>, String> {
        let named = |key: &str| options.get(key).filter(|value| **value != Json::Null);
        let method = text("runModel", "method", options.get("method").unwrap_or(&Json::Null))?;
        let arguments = match named("arguments") {
            None => Json::Object(Vec::new()),
            Some(given @ Json::Object(_)) => given.clone(),
            Some(other) => {
                return Err(format!("ctx.runModel: `arguments` must be an object, found {}", other.type_name()));
            }
        };
        match (named("definition"), named("modelType"), named("name")) {
            (Some(definition), None, None) => {
                let name = text("runModel", "definition", definition)?;
                let found = self.caller.services.definitions.named(library, name).await;
                let found = found.map_err(|problem| problem.message)?;
                let (type_name, name) = (found.type_name.value.clone(), found.name.value.clone());
                Ok(Wanted { type_name, name, method, arguments })
            }
            (None, Some(type_name), Some(name)) => {
                let (type_name, name) = (text("runModel", "modelType", type_name)?, text("runModel", "name", name)?);
                let type_name = TypeName::model(type_name).map_err(|error| format!("ctx.runModel: {error}"))?;
                Ok(Wanted { type_name, name: name.to_owned(), method, arguments })
            }
            _ => Err("ctx.runModel: give either `definition`, or `modelType` and `name`".to_owned()),
        }
    }
}
