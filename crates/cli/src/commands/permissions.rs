//! `mangrove permissions`

use mangrove_app::service::PermissionAdviceError;
use mangrove_documents::{ErrorReport, PermissionAdviceDocument};

use super::Context;
use crate::{errors::CommandError, exit::Exit};

/// Shows what the code of a type asks for and is not granted.
pub(crate) async fn suggest(context: &Context, text: &str, kind: Option<&str>) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let kind = match kind {
        Some(kind) => Context::kind(&service, kind)?,
        None => service.usual_kind(text).await?,
    };
    let Some(type_name) = service.type_name(&kind, text) else {
        let nearest = service.types().await?.nearest_of_all(text);
        return Err(CommandError::mistake(ErrorReport::no_type_name(text, &nearest)));
    };
    let advice = service.permission_advice(&kind, &type_name).await.map_err(|error| match error {
        PermissionAdviceError::NotReady(not_ready) => CommandError::not_ready(&not_ready, service.clock().now()),
        PermissionAdviceError::Service(error) => error.into(),
    })?;
    let document = PermissionAdviceDocument::from(&advice);
    if context.printer.is_json() {
        context.printer.document(&document);
    } else {
        print(context, &document);
    }
    Ok(Exit::Done)
}

fn print(context: &Context, document: &PermissionAdviceDocument) {
    let printer = &context.printer;
    if document.uses.is_empty() {
        return printer.line(format!("`{}` asks for nothing, as far as its text says", document.type_name));
    }
    printer.line(format!("`{}` asks for:", document.type_name));
    for wanted in &document.uses {
        let name = wanted.name.as_deref().unwrap_or("(a name that it computes)");
        let is_missing = document.missing.contains(wanted)
            || wanted.name.is_none() && document.computed.contains(&wanted.permission);
        let state = match (is_missing, wanted.name.is_some(), wanted.permission.as_str()) {
            (true, false, "read") => "granted in its own root only",
            (true, ..) => "not granted",
            (false, true, _) => "granted",
            (false, false, _) => "granted as far as an entry names it",
        };
        printer.line(format!("  {:<6} {name} ({state})", wanted.permission));
    }
    match &document.entry {
        Some(entry) => {
            printer.line("");
            printer.line("To grant what it names, write into mangrove.yaml:");
            printer.line(format!("  {entry}"));
        }
        None if document.computed.is_empty() => printer.line("All of it is granted."),
        None => {}
    }
    for permission in &document.computed {
        printer.line(format!(
            "Of `{permission}` the text does not say what: the error of the first run names it; `{permission}: true` grants all of it."
        ));
    }
}
