//! The vaults that a repository configures.

use mangrove_domain::{
    nearest,
    ports::{Documents, FilesError, RepositoryFiles},
    problem::{Code, Problem, Severity},
    vault::{self, VaultConfiguration},
};

/// Where they lie: where the format keeps them now, and where it did once.
const DIRECTORIES: [&str; 2] = ["vaults", ".swamp/vault"];

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Everything that could be read, and what could not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfiguredVaults {
    /// The vaults in the order of their files; one that lies in the old place too is listed once.
    pub vaults: Vec<VaultConfiguration>,
    /// What is wrong, in the order of files. Nothing of it is more than a warning: each file costs only its own vault.
    pub problems: Vec<Problem>,
    /// The files of which no vault came.
    broken: Vec<String>,
}

impl ConfiguredVaults {
    /// Reads all configurations. A file that cannot be used costs only itself.
    ///
    /// # Errors
    /// [`FilesError`] if nothing can be listed.
    pub async fn load(files: &dyn RepositoryFiles, documents: &dyn Documents) -> Result<Self, FilesError> {
        let mut configured = Self::default();
        for directory in DIRECTORIES {
            let list = files.list(&[directory], &ENDINGS).await?;
            configured.problems.extend(list.problems);
            for path in list.paths {
                let Some(vault) = configured.read(files, documents, &path).await else { continue };
                // What lies in both places is one vault that was moved.
                if !configured.vaults.iter().any(|known| known.id == vault.id) {
                    configured.add(vault);
                }
            }
        }
        Ok(configured)
    }

    fn add(&mut self, vault: VaultConfiguration) {
        if let Some(first) = self.vaults.iter().find(|known| known.name.value == vault.name.value) {
            let message =
                format!("the vault `{}` is configured in {} too, which is used", vault.name.value, first.file);
            let problem = Problem::warning(Code::AMBIGUOUS_NAME, vault.file.clone(), message).at(vault.position());
            self.problems.push(problem.advise("give one of them another `name`"));
        }
        self.vaults.push(vault);
    }

    async fn read(
        &mut self,
        files: &dyn RepositoryFiles,
        documents: &dyn Documents,
        path: &str,
    ) -> Option<VaultConfiguration> {
        let text = match files.read(path).await {
            Ok(text) => text?,
            Err(error) => {
                let message = format!("cannot be read: {}", error.fault);
                self.lose(path, vec![Problem::warning(error.fault.code, path.to_owned(), message)]);
                return None;
            }
        };
        match documents.parse(path, &text) {
            Ok(document) => {
                let parsed = vault::parse(&document);
                match parsed.value {
                    Some(vault) => {
                        self.problems.extend(parsed.problems);
                        Some(vault)
                    }
                    None => {
                        self.lose(path, parsed.problems);
                        None
                    }
                }
            }
            Err(error) => {
                let problem = Problem::warning(Code::MALFORMED_DOCUMENT, path.to_owned(), error.message);
                self.lose(path, vec![problem.at(error.position)]);
                None
            }
        }
    }

    /// Goes on without what is in a file.
    fn lose(&mut self, path: &str, problems: Vec<Problem>) {
        self.problems.extend(problems.into_iter().map(|problem| Problem { severity: Severity::Warning, ..problem }));
        self.broken.push(path.to_owned());
    }

    /// The same without the vaults that nobody can open; `why` says of each why not.
    #[must_use]
    pub fn without(mut self, why: &[(String, Problem)]) -> Self {
        self.vaults.retain(|vault| !why.iter().any(|(file, _)| *file == vault.file));
        self.problems.extend(why.iter().map(|(_, problem)| problem.clone()));
        self
    }

    /// The vault of this name: the first one, where several have it.
    ///
    /// # Errors
    /// The [`Problem`] that there is none.
    pub fn find(&self, name: &str) -> Result<&VaultConfiguration, Problem> {
        if let Some(found) = self.vaults.iter().find(|vault| vault.name.value == name) {
            return Ok(found);
        }
        let known = || self.vaults.iter().map(|vault| vault.name.value.as_str());
        let mut advice = nearest::hint(name, known()).unwrap_or_else(|| {
            let first: Vec<&str> = known().take(10).collect();
            if first.is_empty() {
                format!("`mangrove vault create local_encryption {name}` makes one")
            } else {
                format!("known vaults: {}", first.join(", "))
            }
        });
        if let Some(broken) = self.problems.iter().find(|problem| self.broken.contains(&problem.subject)) {
            advice = format!("{advice}; it may be in {}, which cannot be used: {}", broken.subject, broken.message);
        }
        Err(Problem::error(Code::UNKNOWN_NAME, name.to_owned(), format!("unknown vault `{name}`")).advise(advice))
    }

    /// The vault for what names none: the one that the configuration of the repository names, if it is there, else the
    /// first whose name does not begin with `_`.
    #[must_use]
    pub fn default_vault(&self, configured: Option<&str>) -> Option<&VaultConfiguration> {
        let named = configured.and_then(|name| self.vaults.iter().find(|vault| vault.name.value == name));
        named.or_else(|| self.vaults.iter().find(|vault| !vault.name.value.starts_with('_')))
    }
}
