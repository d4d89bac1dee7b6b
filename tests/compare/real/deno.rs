//! A real Deno that loads what an author wrote, by its own resolution, and says what is exported.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use mangrove_domain::{kind_layout::KindLayout, package::SCHEMA_LIBRARIES};
use serde::Deserialize;
use serde_json::{Value, json};

use super::process;

const SCRIPT: &str = include_str!("describe.js");

/// What begins the line of an answer; modules may print lines of their own.
const MARK: &str = "compared:";

/// What Deno says where a registry does not give it a package.
const UNFETCHED: &str = "Failed caching npm package";

/// The file that loads a module stands beside it, so that Deno finds the configuration that it would find for the module.
const LOADER: &str = "mangrove-compare.mjs";

/// A Deno with a cache of its own.
pub(crate) struct Deno {
    pub(crate) program: PathBuf,
    pub(crate) cache: PathBuf,
    /// What modules may read besides the cache: the copy of what is compared.
    pub(crate) copy: PathBuf,
}

/// What a module exports.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Answer {
    /// Why nothing can be said of it.
    pub(crate) failed: Option<String>,
    pub(crate) export_name: String,
    /// The text of its type, as the author wrote it.
    #[serde(rename = "type")]
    pub(crate) type_text: Value,
    /// How many schemas nothing could convert.
    unconverted: usize,
    /// `version`, `methods` and `details`, as `describe` has them.
    pub(crate) description: Value,
}

impl Answer {
    /// True if a package could not be fetched.
    pub(crate) fn is_unfetched(&self) -> bool {
        self.failed.as_deref().is_some_and(|failed| failed.contains(UNFETCHED))
    }
}

impl Deno {
    /// What an entry point exports, from its text as it lies on the disk. Its packages are fetched before anything of it runs.
    pub(crate) fn describe(&self, entry: &Path, layout: &KindLayout) -> Result<Answer> {
        let directory = entry.parent().context("a file has a directory")?;
        let mut fetch = self.prepare(process::fetching(&self.program, directory));
        let fetched = process::run(fetch.args(["cache", "--quiet", "--node-modules-dir=none"]).arg(entry))?;
        let complaint = fetched.complaint();
        // Whatever else is wrong is told when it is loaded.
        if fetched.code != 0 && complaint.contains(UNFETCHED) {
            return Ok(Answer { failed: Some(complaint), ..Answer::default() });
        }
        let options = ["--cached-only".to_owned(), self.may_read(&[self.copy.as_path(), self.cache.as_path()])?];
        let answer = self.load(entry, layout, &[], false, &options)?;
        if answer.failed.is_some() || answer.unconverted == 0 {
            return Ok(answer);
        }
        let libraries = self.schema_libraries(entry)?;
        if libraries.is_empty() { Ok(answer) } else { self.load(entry, layout, &libraries, false, &options) }
    }

    /// Whether a bundle links, loads and has its export. It finds nothing but what lies in the store.
    pub(crate) fn link(&self, bundle: &Path, layout: &KindLayout) -> Result<Answer> {
        let store = bundle.ancestors().nth(2).context("a bundle lies in a store")?;
        let mut options: Vec<String> =
            ["--no-config", "--no-lock", "--no-remote", "--no-npm"].map(str::to_owned).into();
        options.push(self.may_read(&[store])?);
        self.load(bundle, layout, &[], true, &options)
    }

    /// The option by which modules may read below these directories and nowhere else.
    fn may_read(&self, directories: &[&Path]) -> Result<String> {
        let real: Vec<String> = directories
            .iter()
            .map(|directory| directory.canonicalize().map(|path| path.display().to_string()))
            .collect::<Result<_, _>>()
            .with_context(|| format!("a directory of {} is missing", self.copy.display()))?;
        let plain = directories.iter().map(|directory| directory.display().to_string());
        Ok(format!("--allow-read={}", real.into_iter().chain(plain).collect::<Vec<_>>().join(",")))
    }

    fn load(
        &self,
        module: &Path,
        layout: &KindLayout,
        libraries: &[String],
        only_load: bool,
        options: &[String],
    ) -> Result<Answer> {
        let directory = module.parent().context("a file has a directory")?;
        let name = module.file_name().and_then(|name| name.to_str()).context("a name in UTF-8")?;
        let request = json!({
            "mark": MARK,
            "entry": format!("./{}", name.replace('%', "%25").replace('#', "%23").replace('?', "%3F")),
            "exportNames": layout.export_names.iter().map(|name| &**name).collect::<Vec<&str>>(),
            "typeKey": &*layout.type_key,
            "libraries": libraries,
            "onlyLoad": only_load,
        });
        let loader = directory.join(LOADER);
        fs::write(&loader, format!("const request = {request};\n{SCRIPT}"))?;
        let mut run = self.prepare(process::command(&self.program, directory));
        run.args(["run", "--quiet", "--no-prompt", "--node-modules-dir=none", "--allow-env", "--allow-sys"]);
        let ended = process::run(run.args(options).arg(&loader));
        fs::remove_file(&loader)?;
        let ended = ended?;
        let line = ended.stdout.lines().rev().find_map(|line| line.strip_prefix(MARK));
        match line {
            Some(line) => serde_json::from_str(line).context("Deno's answer is no JSON document"),
            None => {
                let failed = Some(format!("Deno ended with {}: {}", ended.code, ended.complaint()));
                Ok(Answer { failed, ..Answer::default() })
            }
        }
    }

    /// The specifiers of the schema libraries in the module graph of an entry point.
    fn schema_libraries(&self, entry: &Path) -> Result<Vec<String>> {
        let directory = entry.parent().context("a file has a directory")?;
        let ended =
            process::run(self.prepare(process::command(&self.program, directory)).args(["info", "--json"]).arg(entry))?;
        let graph: Value = serde_json::from_str(&ended.stdout).context("`deno info` gives no JSON document")?;
        let modules = graph["modules"].as_array().cloned().unwrap_or_default();
        let specifiers = modules.iter().filter_map(|module| module["specifier"].as_str());
        let is_library = |specifier: &&str| {
            let name = specifier.trim_start_matches("npm:").trim_start_matches('/');
            SCHEMA_LIBRARIES.iter().any(|library| name.strip_prefix(library).is_some_and(|rest| rest.starts_with('@')))
        };
        Ok(specifiers.filter(|specifier| specifier.starts_with("npm:")).filter(is_library).map(str::to_owned).collect())
    }

    fn prepare(&self, mut command: Command) -> Command {
        // What the system trusts, as the program itself does.
        command.env("DENO_DIR", &self.cache).env("DENO_TLS_CA_STORE", "mozilla,system").env("NO_COLOR", "1");
        // The cache knows packages by their registry.
        if let Some(registry) = std::env::var_os("NPM_CONFIG_REGISTRY") {
            command.env("NPM_CONFIG_REGISTRY", registry);
        }
        command
    }
}
