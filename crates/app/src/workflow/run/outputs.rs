//! What a step says of the data that it writes.

use mangrove_domain::{
    form::Located,
    json::Json,
    problem::Code,
    run::RunProblem,
    workflow::{OutputOverride, Step, template},
};

use crate::{
    method::{OutputSettings, problem},
    render::{Renderer, Stage},
};

/// The settings in the order in which later ones count. Names vary by the inputs of the step, else by those of the workflow.
/// What reads `env` or a vault stays as it is written: all of this is stored.
///
/// # Errors
/// An expression has no value; an input that a name is to vary by is not given, or has no text.
pub(super) async fn settings(
    step: &Step,
    inputs: [&Json; 2],
    renderer: &Renderer<'_>,
) -> Result<Vec<OutputSettings>, RunProblem> {
    let mut settings = Vec::with_capacity(step.outputs.len());
    for output in &step.outputs {
        settings.push(of_output(output, inputs, renderer).await?);
    }
    Ok(settings)
}

async fn of_output(
    output: &OutputOverride,
    inputs: [&Json; 2],
    renderer: &Renderer<'_>,
) -> Result<OutputSettings, RunProblem> {
    let value = |name: &Located<String>| {
        let found = inputs.iter().find_map(|inputs| inputs.get(&name.value));
        plain(found).ok_or_else(|| {
            let found = found.map_or("nothing", Json::type_name);
            let place = name.position(renderer.file);
            let message =
                format!("{place}: `vary` names the input `{}`: expected a text or a number, found {found}", name.value);
            problem(Code::INVALID_INPUT, message)
        })
    };
    let vary = output.vary.iter().map(value).collect::<Result<_, _>>()?;
    let lifetime = match &output.lifetime {
        Some(said) => Some(text(&said.value, said, renderer).await?).filter(|said| !said.is_empty()),
        None => None,
    };
    let garbage_collection = match &output.garbage_collection {
        Some(said) => Some(renderer.value(said, Stage::INPUTS).await?),
        None => None,
    };
    let mut tags = Vec::with_capacity(output.tags.len());
    for (name, value) in &output.tags {
        tags.push((name.clone(), text(value, &output.spec_name, renderer).await?));
    }
    Ok(OutputSettings {
        spec_name: text(&output.spec_name.value, &output.spec_name, renderer).await?,
        lifetime,
        garbage_collection,
        tags,
        vary,
        vault_name: None,
    })
}

/// The text of what is said at a place.
async fn text(said: &str, place: &Located<String>, renderer: &Renderer<'_>) -> Result<String, RunProblem> {
    let value = renderer.text(said, &place.position(renderer.file), Stage::INPUTS).await?;
    Ok(template::put_into_text(&value))
}

fn plain(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::String(text) => Some(text.clone()),
        value @ (Json::Number(_) | Json::Bool(_)) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
