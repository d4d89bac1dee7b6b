//! `mangrove vault …`

use std::io::{IsTerminal as _, Read as _, Write as _};

use console::Term;
use mangrove_app::{
    catalogue::Lookup,
    service::Service,
    vault::{SecretError, Vaults},
};
use mangrove_documents::{
    CreatedVaultDocument, ListedVaultDocument, PutSecretDocument, SecretDocument, VaultDocument, VaultKeysDocument,
    VaultsDocument, json,
};
use mangrove_domain::{
    json::Json,
    ports::Entropy,
    problem::Code,
    source::Kind,
    vault::{LOCAL_ENCRYPTION, VaultConfiguration, current_type},
};
use mangrove_fs::{
    atomic::{self, Durability},
    directory::Directory,
};

use super::Context;
use crate::{args::Vault, compose, errors::CommandError, exit::Exit, line::Style, printer::table};

/// How long a secret on standard input may be, in bytes.
const LONGEST_SECRET: u64 = 16 << 20;

pub(crate) async fn run(context: &Context, command: Vault, entropy: &dyn Entropy) -> Result<Exit, CommandError> {
    match command {
        Vault::Create { type_name, name, config } => {
            create(context, entropy, &type_name, &name, config.as_deref()).await
        }
        Vault::Put { vault, key, value, yes } => put(context, &vault, key, value, yes).await,
        Vault::Get { vault } => get(context, &vault).await,
        Vault::ListKeys { vault } => list_keys(context, &vault).await,
        Vault::ReadSecret { vault, key, yes } => read_secret(context, &vault, &key, yes).await,
        Vault::Search { query } => search(context, query.as_deref().unwrap_or_default()).await,
    }
}

async fn create(
    context: &Context,
    entropy: &dyn Entropy,
    type_name: &str,
    name: &str,
    config: Option<&str>,
) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let type_name = current_type(type_name);
    let title = title(&service, type_name).await?;
    if name.is_empty() || name.contains(['/', '\\', '\0', '\'', '"', '`']) || name.contains("..") {
        let message = format!("{name:?} cannot be the name of a vault");
        return Err(CommandError::usage(Some(Code::INVALID_INPUT), message, Some("use letters, digits and dashes")));
    }
    let configured = service.vaults()?.configured().await.map_err(SecretError::Files)?;
    if let Ok(other) = configured.find(name) {
        let message = format!("there is a vault `{name}` already, in {}", other.file);
        return Err(CommandError::no(Some(Code::AMBIGUOUS_NAME), message, Some("choose another name")));
    }
    let config = match config {
        Some(text) => {
            let config = compose::parse_document("--config", text);
            let wrong =
                |message: &str| CommandError::usage(Some(Code::INVALID_INPUT), format!("`--config`: {message}"), None);
            config.map_err(|error| wrong(&error.message))?.to_json()
        }
        None if type_name == LOCAL_ENCRYPTION => Json::object([("auto_generate", Json::Bool(true))]),
        None => Json::Object(Vec::new()),
    };
    if config.as_object().is_none() {
        let message = format!("`--config`: expected an object, found {}", config.type_name());
        return Err(CommandError::usage(Some(Code::INVALID_INPUT), message, None));
    }
    let id = entropy.identifier();
    let path = format!("vaults/{type_name}/{id}.yaml");
    let quoted = |text: &str| Json::from(text).to_string();
    let text = format!(
        "id: {id}\nname: {}\ntype: {}\nconfig: {config}\ncreatedAt: {}\n",
        quoted(name),
        quoted(type_name),
        quoted(&context.now().to_string()),
    );
    let file = service.directory().join(&path);
    let directory = file.parent().unwrap_or_else(|| service.directory());
    let written = Directory::make(service.directory(), directory)
        .and_then(|directory| atomic::create(&directory, &format!("{id}.yaml"), text.as_bytes(), Durability::Durable));
    written.map_err(|error| {
        CommandError::usage(Some(Code::NOT_WRITABLE), format!("cannot write {path}: {error}"), None)
    })?;
    if context.printer.is_json() {
        context.printer.document(&CreatedVaultDocument {
            schema: "mangrove.vault-create/1".to_owned(),
            id,
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            title,
            config: json::to_value(&config),
            path,
        });
    } else {
        context.printer.status("Wrote", path);
        context.printer.note(format!("`mangrove vault put {name} KEY` keeps a secret in it"));
    }
    Ok(Exit::Done)
}

/// What people call a type of vaults.
async fn title(service: &Service, type_name: &str) -> Result<String, CommandError> {
    let built_in = service.vaults()?.built_in_types();
    if let Some((_, title)) = built_in.iter().find(|(name, _)| *name == type_name) {
        return Ok((*title).to_owned());
    }
    match service.describe(type_name, Some(&Kind::new("vault"))).await? {
        Lookup::Found(composed) => {
            let name = composed.attachment.description.details.get("name").and_then(Json::as_str);
            Ok(name.unwrap_or(type_name).to_owned())
        }
        Lookup::Unknown(not_ready) => Err(CommandError::not_ready(&not_ready, service.clock().now())),
        Lookup::BuiltIn(_) | Lookup::Ambiguous(_) | Lookup::NoName(_) => {
            let known: Vec<&str> = built_in.iter().map(|(name, _)| *name).collect();
            let hint = format!("known are {}, and the types of extensions", known.join(", "));
            let message = format!("there is no type of vaults `{type_name}`");
            Err(CommandError::no(Some(Code::UNKNOWN_TYPE), message, Some(&hint)))
        }
    }
}

async fn put(
    context: &Context,
    vault: &str,
    key: String,
    value: Option<String>,
    yes: bool,
) -> Result<Exit, CommandError> {
    let parted = key.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let (key, value) = match (value, parted) {
        (None, Some((key, value))) => (key, Some(value)),
        (value, _) => (key, value),
    };
    let service = context.open(None)?;
    let vaults = service.vaults()?;
    let configuration = vaults.find(vault).await?;
    // A vault that lists nothing keeps secrets all the same.
    let overwritten = vaults.keys(vault).await.is_ok_and(|keys| keys.contains(&key));
    let is_asked_for = value.is_none() && std::io::stdin().is_terminal();
    if overwritten && !yes && std::io::stdin().is_terminal() && !context.printer.is_json() {
        context.confirm(&format!("Replace `{key}` in `{vault}`?"))?;
    }
    let value = match value {
        Some(value) => value,
        None => read_value(context, is_asked_for)?,
    };
    vaults.put(vault, &key, &value).await?;
    let directory = vaults.directory(&configuration)?.filter(|directory| !directory.starts_with(service.directory()));
    let directory = directory.map(|directory| directory.display().to_string());
    if context.printer.is_json() {
        context.printer.document(&PutSecretDocument {
            schema: "mangrove.vault-put/1".to_owned(),
            vault_name: vault.to_owned(),
            secret_key: key,
            vault_type: configuration.type_name,
            overwritten,
            directory,
            timestamp: context.now().to_string(),
        });
    } else {
        let verb = if overwritten { "Replaced" } else { "Kept" };
        let place = directory.map(|directory| format!(", which lies in {directory}")).unwrap_or_default();
        context.printer.status(verb, format!("`{key}` in `{vault}`{place}"));
    }
    Ok(Exit::Done)
}

/// How many bytes of a line a terminal takes; it drops the rest.
const LONGEST_LINE: usize = 4095;

/// A secret that somebody types, which the terminal does not show.
fn typed_value(context: &Context) -> Result<String, CommandError> {
    let cannot = |message: &str| {
        let hint = "give it on standard input: `mangrove vault put VAULT KEY < FILE`";
        CommandError::usage(Some(Code::INVALID_INPUT), message.to_owned(), Some(hint))
    };
    context.printer.question("Type the value, which is not shown:");
    let text = Term::stderr().read_secure_line();
    let text = text.map_err(|error| cannot(&format!("the terminal cannot be read: {error}")))?;
    match text.len() {
        0 => Err(cannot("nothing was typed, and nothing is kept")),
        LONGEST_LINE.. => Err(cannot("a terminal takes no line as long as this one; nothing is kept")),
        _ => Ok(text),
    }
}

/// A secret from standard input, without its last line feed.
fn read_value(context: &Context, is_asked_for: bool) -> Result<String, CommandError> {
    if is_asked_for && Term::stderr().is_term() {
        return typed_value(context);
    }
    if is_asked_for {
        context.printer.note("Type the value, which is shown, and end with a new line and Ctrl-D:");
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_SECRET + 1).read_to_string(&mut text);
    let cannot = |message: String| CommandError::usage(Some(Code::INVALID_INPUT), message, None);
    let length = read.map_err(|error| cannot(format!("standard input cannot be read as text: {error}")))?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LONGEST_SECRET {
        return Err(cannot(format!("a secret has at most {} MiB", LONGEST_SECRET >> 20)));
    }
    if let Some(shorter) = text.strip_suffix('\n') {
        let length = shorter.strip_suffix('\r').unwrap_or(shorter).len();
        text.truncate(length);
    }
    Ok(text)
}

async fn get(context: &Context, vault: &str) -> Result<Exit, CommandError> {
    let configuration = found(context.look()?.vaults()?, vault).await?;
    if context.printer.is_json() {
        context.printer.document(&VaultDocument::from(&configuration));
        return Ok(Exit::Done);
    }
    context.printer.line(Style::Bold.of(&configuration.name.value) + format!(" {}", configuration.type_name));
    context.printer.line(format!("  in {}", configuration.file));
    if let Some(created) = &configuration.created_at {
        context.printer.line(format!("  made {created}"));
    }
    for (key, value) in configuration.config.as_object().unwrap_or_default() {
        context.printer.line(format!("  {key}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    Ok(Exit::Done)
}

async fn found(vaults: &Vaults, name: &str) -> Result<VaultConfiguration, CommandError> {
    Ok(vaults.find(name).await?)
}

async fn list_keys(context: &Context, vault: &str) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let vaults = service.vaults()?;
    let configuration = found(vaults, vault).await?;
    let keys = vaults.keys(vault).await?;
    if context.printer.is_json() {
        context.printer.document(&VaultKeysDocument {
            schema: "mangrove.vault-keys/1".to_owned(),
            vault_name: vault.to_owned(),
            vault_type: configuration.type_name,
            count: keys.len(),
            secret_keys: keys,
        });
        return Ok(Exit::Done);
    }
    for key in &keys {
        context.printer.line(key.as_str());
    }
    if keys.is_empty() {
        context.printer.note(format!("the vault has no secrets; `mangrove vault put {vault} KEY` keeps one"));
    }
    Ok(Exit::Done)
}

async fn read_secret(context: &Context, vault: &str, key: &str, yes: bool) -> Result<Exit, CommandError> {
    let service = context.open(None)?;
    let vaults = service.vaults()?;
    let configuration = found(vaults, vault).await?;
    let is_shown = std::io::stdout().is_terminal();
    if is_shown && !yes && !context.printer.is_json() {
        context.confirm(&format!("Print `{key}` of `{vault}` on this terminal?"))?;
    }
    let secret = vaults.secret(vault, key).await?;
    if let Some(remark) = &secret.remark {
        context.printer.note(format!("note: {remark}"));
    }
    if context.printer.is_json() {
        context.printer.document(&SecretDocument {
            schema: "mangrove.vault-secret/1".to_owned(),
            vault_name: vault.to_owned(),
            secret_key: key.to_owned(),
            vault_type: configuration.type_name,
            value: secret.value,
        });
    } else if is_shown {
        context.printer.line(secret.value);
    } else {
        // As it is: whoever reads it must get what was put.
        let mut out = std::io::stdout().lock();
        let written = out.write_all(secret.value.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| CommandError::usage(None, format!("the secret cannot be printed: {error}"), None))?;
    }
    Ok(Exit::Done)
}

async fn search(context: &Context, query: &str) -> Result<Exit, CommandError> {
    let service = context.look()?;
    let configured = service.usable_vaults().await?;
    let fits = |vault: &&VaultConfiguration| vault.name.value.contains(query) || vault.type_name.contains(query);
    let vaults: Vec<&VaultConfiguration> = configured.vaults.iter().filter(fits).collect();
    if context.printer.is_json() {
        context.printer.document(&VaultsDocument {
            schema: "mangrove.vaults/1".to_owned(),
            query: query.to_owned(),
            results: vaults.iter().map(|vault| ListedVaultDocument::from(*vault)).collect(),
        });
    } else {
        let cells: Vec<Vec<String>> = vaults
            .iter()
            .map(|vault| vec![vault.name.value.clone(), vault.type_name.clone(), vault.file.clone()])
            .collect();
        context.printer.lines(table(&cells));
        if cells.is_empty() {
            context.printer.note("no vaults; `mangrove vault create local_encryption NAME` makes one");
        }
    }
    for problem in &configured.problems {
        context.printer.problem(problem);
    }
    Ok(Exit::Done)
}
