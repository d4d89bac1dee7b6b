//! `mangrove types`

use mangrove_domain::{row::Row, state::State};

use super::Context;
use crate::{
    documents::{TypeDocument, TypesDocument},
    errors::CommandError,
    exit::Exit,
    line::Style,
    printer::table,
};

pub(crate) async fn run(
    context: &Context,
    query: Option<&str>,
    kind: Option<&str>,
    all: bool,
) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let kind = kind.map(|name| Context::kind(&service, name)).transpose()?;
    let index = service.types().await?;
    let rows: Vec<&Row> = index
        .rows()
        .map(AsRef::as_ref)
        .filter(|row: &&Row| all || row.is_resolvable())
        .filter(|row| kind.as_ref().is_none_or(|kind| row.kind == *kind))
        .filter(|row| {
            query.is_none_or(|query| {
                row.type_name().is_some_and(|name| name.as_str().contains(query))
                    || row.source.path.as_str().contains(query)
            })
        })
        .collect();
    if context.printer.is_json() {
        let types = rows.iter().map(|row| TypeDocument::from(*row)).collect();
        context.printer.document(&TypesDocument { schema: "mangrove.types/1", types });
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.type_name().map_or_else(|| "?".to_owned(), ToString::to_string),
                version(row),
                row.kind.to_string(),
                note(row),
                row.source.to_string(),
            ]
        })
        .collect();
    for line in table(&cells) {
        context.printer.line(line);
    }
    if cells.is_empty() {
        let text = if index.rows().next().is_none() {
            "the catalog is empty; `mangrove scan` finds extensions"
        } else {
            "no type matches; `mangrove types --all` shows failed and shadowed ones too"
        };
        context.printer.note(Style::Dim.of(text));
    }
    Ok(Exit::Done)
}

fn version(row: &Row) -> String {
    match &row.state {
        State::Indexed(indexed) => indexed.version.as_deref().unwrap_or("-").to_owned(),
        _ => "-".to_owned(),
    }
}

fn note(row: &Row) -> String {
    if let Some(winner) = &row.shadowed_by {
        return format!("shadowed by {winner}");
    }
    let state = match &row.state {
        State::Indexed(_) if row.degraded.is_some() => "degraded",
        State::Indexed(_) => "indexed",
        other => other.name().as_str(),
    };
    // Its name is that of the type that it adds to.
    if row.is_add_on() { format!("add-on, {state}") } else { state.to_owned() }
}
