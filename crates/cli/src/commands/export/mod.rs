//! `mangrove export`: files for those who operate Mangrove, each to standard output.

use clap::CommandFactory as _;
use mangrove_documents::ErrorReport;

use super::Context;
use crate::{
    args::{Arguments, Export},
    errors::CommandError,
    exit::Exit,
};

const SYSTEMD: &str = include_str!("templates/mangrove.service");
const CONFIGURATION_SCHEMA: &str = include_str!("templates/configuration.schema.json");
const DASHBOARD: &str = include_str!("templates/grafana-dashboard.json");
const ALERT_RULES: &str = include_str!("templates/alert-rules.yaml");

pub(crate) fn run(context: &Context, export: &Export) -> Result<Exit, CommandError> {
    let text = match export {
        Export::Systemd => systemd(context)?,
        Export::Openapi => mangrove_daemon::http::openapi_document()
            .map(|document| document + "\n")
            .map_err(|error| failed(&format!("the OpenAPI document cannot be written: {error}")))?,
        Export::ConfigSchema => CONFIGURATION_SCHEMA.to_owned(),
        Export::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "mangrove", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
        Export::Man { command } => manual_page(command)?,
        Export::GrafanaDashboard => DASHBOARD.to_owned(),
        Export::AlertRules => ALERT_RULES.to_owned(),
    };
    context.printer.text(&text);
    Ok(Exit::Done)
}

/// The unit for this program and this repository.
fn systemd(context: &Context) -> Result<String, CommandError> {
    let repository = context.repository()?;
    let repository = std::path::absolute(&repository).unwrap_or(repository).display().to_string();
    let program = std::env::current_exe()
        .map_err(|error| failed(&format!("it cannot be found out where this program lies: {error}")))?;
    let program = program.display().to_string();
    let quoted = |text: &str| text.replace('%', "%%").replace(' ', "\\x20");
    Ok(SYSTEMD.replace("{program}", &quoted(&program)).replace("{repository}", &quoted(&repository)))
}

/// The page of a command; that of the program if none is named.
fn manual_page(words: &[String]) -> Result<String, CommandError> {
    let mut program = Arguments::command();
    program.build();
    let mut command = &program;
    for word in words {
        command = command.find_subcommand(word).filter(|command| !command.is_hide_set()).ok_or_else(|| {
            let message = format!("there is no command `{}`", words.join(" "));
            CommandError::usage(None, message, Some("`mangrove --help` lists the commands"))
        })?;
    }
    let mut page = Vec::new();
    // Its full name was found when the program was built.
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut page);
    rendered.map_err(|error| failed(&format!("the manual page cannot be written: {error}")))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn failed(message: &str) -> CommandError {
    CommandError::failed(ErrorReport::new(None, message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mangrove_domain::{
        json::Json,
        permission::Permission,
        ports::{Documents as _, SchemaValidator as _},
    };
    use mangrove_infra::{documents::YamlDocuments, schema::JsonSchemas};
    use mangrove_sources::Layout;
    use serde_json::Value;

    use super::*;

    fn schema() -> Value {
        serde_json::from_str(CONFIGURATION_SCHEMA).expect("JSON")
    }

    fn keys(members: &Value) -> BTreeSet<String> {
        members.as_object().expect("members").keys().cloned().collect()
    }

    #[test]
    fn the_schema_of_the_configuration_has_what_its_reader_knows_and_nothing_else() {
        let schema = schema();
        let mut described = keys(&schema["properties"]);
        let serve = keys(&schema["properties"]["serve"]["properties"]);
        described.extend(serve.into_iter().map(|key| format!("serve.{key}")));
        let bundles = keys(&schema["properties"]["bundles"]["oneOf"][1]["properties"]);
        described.extend(bundles.into_iter().map(|key| format!("bundles.{key}")));
        assert_eq!(described, Layout::known_keys().into_iter().collect());
        let permissions: BTreeSet<String> = Permission::ALL.map(|name| name.as_str().to_owned()).into();
        assert_eq!(keys(&schema["$defs"]["grants"]["properties"]), permissions);
    }

    /// True if the text is right by the schema; true if the reader finds nothing wrong with it.
    fn judged(text: &str) -> (bool, bool) {
        let value = YamlDocuments.parse("mangrove.yaml", text).expect("YAML").root.to_json();
        let schema: Json = YamlDocuments.parse("schema", CONFIGURATION_SCHEMA).expect("JSON").root.to_json();
        let violations = JsonSchemas.validate(&schema, &value).expect("a schema");
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("mangrove.yaml"), text).expect("written");
        let is_read = crate::compose::serve_section(directory.path()).is_ok_and(|(_, problems)| problems.is_empty());
        (violations.is_empty(), is_read)
    }

    #[test]
    fn the_schema_says_of_a_configuration_what_its_reader_says() {
        for text in [
            "repoId: 00000000-0000-4000-8000-000000000001",
            "catalog: postgres://ada@db.example/mangrove",
            "bundler: embedded\ndeno: /usr/bin/deno\nmodelsDir: lib/models\ndefaultVault: ops",
            "permissions:\n  '*': {net: [registry.example], env: false}\n  '@acme/tools': {read: true}",
            "serve:\n  listen: 127.0.0.1:1\n  grace: 5s\n  parallelRuns: 8\n  hosts: [a.example]\n  keepRuns: forever",
            "bundles: s3://shop-bundles/team",
            "bundles: {url: 's3://b', region: eu-west-1, allowHttp: true, cacheSize: 500MiB, credentials: instance}",
        ] {
            assert_eq!(judged(text), (true, true), "{text}");
        }
        for text in [
            "bundlr: embedded",
            "bundler: 5",
            "deno: ''",
            "catalog: 5",
            "defaultVault: [a]",
            "modelsDir: [a]",
            "permissions: {'*': {network: true}}",
            "permissions: {'*': {net: 5}}",
            "serve: {lissen: here}",
            "serve: [a]",
            "bundles: [a]",
            "bundles: {bucket: b}",
            "bundles: {url: {}}",
            "serve: {hosts: [[a]]}",
            "[a]",
        ] {
            assert_eq!(judged(text), (false, false), "{text}");
        }
    }

    #[test]
    fn every_command_has_a_manual_page_and_hidden_ones_have_none() {
        let page = |words: &[&str]| {
            manual_page(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>())
                .map_err(|error| error.report.message)
        };
        assert!(page(&[]).expect("a page").contains(".TH mangrove 1"));
        let run = page(&["workflow", "run"]).expect("a page");
        assert!(run.contains(".TH mangrove-workflow-run 1") && run.contains("input"), "{run}");
        assert!(page(&["worker"]).is_err());
        assert_eq!(page(&["workflow", "walk"]).expect_err("none"), "there is no command `workflow walk`");
    }
}
