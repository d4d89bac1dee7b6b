//! `mangrove types`

use std::borrow::Cow;

use mangrove_documents::{ErrorReport, TypeDocument, TypesDocument};
use mangrove_domain::{row::Row, source::Kind, state::StateName};

use super::Context;
use crate::{client::Client, errors::CommandError, exit::Exit, line::Style, printer::table};

pub(crate) async fn run(
    context: &Context,
    query: Option<&str>,
    kind: Option<&str>,
    all: bool,
) -> Result<Exit, CommandError> {
    if let Some(client) = context.client()? {
        return ask(context, &client, query, kind, all).await;
    }
    let service = context.look()?;
    let kind = kind.map(|name| Context::kind(&service, name)).transpose()?;
    let known = service.rows().await?;
    let rows = known
        .iter()
        .filter(|row: &&Row| all || row.is_resolvable())
        .filter(|row| kind.as_ref().is_none_or(|kind| row.kind == *kind))
        .filter(|row| {
            query.is_none_or(|query| {
                row.type_name().is_some_and(|name| name.as_str().contains(query))
                    || row.source.path.as_str().contains(query)
            })
        });
    let document = TypesDocument::new(rows).with_built_in(kind.as_ref().map(Kind::as_str), query);
    print(context, &document, known.is_empty());
    Ok(Exit::Done)
}

async fn ask(
    context: &Context,
    client: &Client,
    query: Option<&str>,
    kind: Option<&str>,
    all: bool,
) -> Result<Exit, CommandError> {
    let all = if all { "true" } else { "false" };
    let parameters = [("query", query), ("kind", kind), ("all", Some(all))];
    let given: Vec<(&str, &str)> = parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let document: TypesDocument = client.get(&["types"], &given).await?;
    let is_catalog_empty = if document.types.is_empty() {
        let any: TypesDocument = client.get(&["types"], &[("all", "true"), ("limit", "1")]).await?;
        any.types.is_empty()
    } else {
        false
    };
    // A catalog that it has not read yet is not an empty one.
    if is_catalog_empty && let Some(ailment) = client.ailment().await? {
        let message = format!("the daemon knows no types: {ailment}");
        return Err(CommandError { exit: Exit::TryAgain, report: ErrorReport::new(None, message) });
    }
    print(context, &document, is_catalog_empty);
    Ok(Exit::Done)
}

fn print(context: &Context, document: &TypesDocument, is_catalog_empty: bool) {
    if context.printer.is_json() {
        context.printer.document(document);
        return;
    }
    let mut cells: Vec<Vec<Cow<'_, str>>> = document
        .types
        .iter()
        .map(|listed| {
            vec![
                listed.name().unwrap_or("?").into(),
                listed.version.as_deref().unwrap_or("-").into(),
                listed.kind.as_str().into(),
                note(listed),
                listed.source_name().into(),
            ]
        })
        .collect();
    cells.extend(document.built_in.iter().map(|listed| {
        let version = listed.version.as_deref().unwrap_or("-");
        let texts = [listed.type_name.as_str(), version, listed.kind.as_str(), "built in", "-"];
        texts.map(Cow::Borrowed).into()
    }));
    context.printer.lines(table(&cells));
    if document.types.is_empty() && (is_catalog_empty || document.built_in.is_empty()) {
        let text = if is_catalog_empty {
            "the catalog is empty; `mangrove scan` finds extensions"
        } else {
            "no type matches; `mangrove types --all` shows failed and shadowed ones too"
        };
        context.printer.note(Style::Dim.of(text));
    }
}

fn note(listed: &TypeDocument) -> Cow<'_, str> {
    if let Some(winner) = &listed.shadowed_by {
        return format!("shadowed by {winner}").into();
    }
    let state = match StateName::parse(&listed.state) {
        Some(StateName::Indexed) if listed.degraded => "degraded",
        Some(StateName::Indexed) => "indexed",
        _ => &listed.state,
    };
    // Its name is that of the type that it adds to.
    if listed.add_on { format!("add-on, {state}").into() } else { state.into() }
}
