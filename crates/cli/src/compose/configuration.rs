//! The configuration in the marker of a repository.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use mangrove_domain::{
    configuration::InForce,
    failure::Fault,
    nearest,
    ports::{Configuration, Documents},
    problem::{Code, Problem, Severity},
};
use mangrove_infra::bundler::auto::Choice;
use mangrove_sources::Layout;

use super::error::ComposeError;

/// Which bundler is used, and which Deno.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BundlerSettings {
    pub(super) choice: Choice,
    pub(super) deno: Option<PathBuf>,
}

impl BundlerSettings {
    /// What was chosen comes before what the configuration says.
    pub(super) fn of(layout: &Layout, chosen: Option<Choice>, repository: &Path) -> Result<Self, ComposeError> {
        Self::read(layout, chosen, repository).map_err(ComposeError::Configuration)
    }

    fn read(layout: &Layout, chosen: Option<Choice>, repository: &Path) -> Result<Self, Problem> {
        let choice = match (chosen, &layout.bundler) {
            (Some(chosen), _) => chosen,
            (None, None) => Choice::default(),
            (None, Some(text)) => Choice::parse(text).ok_or_else(|| unknown_bundler(text))?,
        };
        Ok(Self { choice, deno: layout.deno.as_ref().map(|path| repository.join(path)) })
    }
}

fn unknown_bundler(text: &str) -> Problem {
    let known = Choice::ALL.map(Choice::as_str);
    let message = format!("mangrove.yaml: `bundler` is {text:?}; expected one of {}", known.join(", "));
    Problem::error(Code::INVALID_DOCUMENT, "mangrove.yaml", message).advise_if(nearest::hint(text, known))
}

/// Called with settings that are not those of before.
type Replace = Box<dyn Fn(&BundlerSettings) + Send + Sync>;

/// What `mangrove.yaml` says beside the places of sources.
pub(super) struct MarkerConfiguration {
    repository: PathBuf,
    documents: Arc<dyn Documents>,
    /// The bundler that is chosen, whatever the marker says.
    chosen: Option<Choice>,
    replace: Replace,
    current: Mutex<Current>,
}

struct Current {
    in_force: InForce,
    bundlers: BundlerSettings,
}

impl MarkerConfiguration {
    /// The configuration of a marker that was read already. `replace` lets adapters go by other bundler settings.
    pub(super) fn new(
        repository: PathBuf,
        documents: Arc<dyn Documents>,
        chosen: Option<Choice>,
        layout: &Layout,
        bundlers: BundlerSettings,
        replace: impl Fn(&BundlerSettings) + Send + Sync + 'static,
    ) -> Self {
        let current = Mutex::new(Current { in_force: in_force(layout, &bundlers), bundlers });
        Self { repository, documents, chosen, replace: Box::new(replace), current }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_force(layout: &Layout, bundlers: &BundlerSettings) -> InForce {
    InForce {
        permissions: layout.permissions.clone(),
        drivers: layout.drivers.clone(),
        bundler: bundlers.choice.as_str(),
        allowed_schedules: layout.allowed_schedules.clone(),
        default_vault: layout.default_vault.clone(),
    }
}

#[async_trait]
impl Configuration for MarkerConfiguration {
    fn in_force(&self) -> InForce {
        self.current().in_force.clone()
    }

    async fn reload(&self) -> Result<InForce, Vec<Problem>> {
        let (repository, documents) = (self.repository.clone(), Arc::clone(&self.documents));
        let read = mangrove_fs::blocking(move || Layout::of_repository(&repository, documents.as_ref())).await;
        let layout = match read {
            Ok(layout) => layout.map_err(|fault| vec![unreadable(fault)])?,
            Err(error) => {
                let message = format!("cannot be read: {error}");
                return Err(vec![Problem::error(Code::UNREADABLE, "mangrove.yaml", message)]);
            }
        };
        let errors: Vec<Problem> =
            layout.problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let bundlers =
            BundlerSettings::read(&layout, self.chosen, &self.repository).map_err(|problem| vec![problem])?;
        let mut current = self.current();
        if current.bundlers != bundlers {
            (self.replace)(&bundlers);
        }
        *current = Current { in_force: in_force(&layout, &bundlers), bundlers };
        Ok(current.in_force.clone())
    }
}

fn unreadable(fault: Fault) -> Problem {
    let message = fault.to_string();
    Problem::error(fault.code, "mangrove.yaml", message).at_if(fault.position)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mangrove_infra::documents::YamlDocuments;
    use mangrove_testkit::contract;
    use tempfile::TempDir;

    use super::*;

    struct Kept {
        directory: TempDir,
        configuration: MarkerConfiguration,
    }

    #[async_trait]
    impl Configuration for Kept {
        fn in_force(&self) -> InForce {
            self.configuration.in_force()
        }

        async fn reload(&self) -> Result<InForce, Vec<Problem>> {
            self.configuration.reload().await
        }
    }

    fn kept(marker: &str, replace: impl Fn(&BundlerSettings) + Send + Sync + 'static) -> Kept {
        let directory = TempDir::new().expect("a directory");
        fs::write(directory.path().join("mangrove.yaml"), marker).expect("a marker");
        let repository = directory.path().to_owned();
        let layout = Layout::of_repository(&repository, &YamlDocuments).expect("a layout");
        let bundlers = BundlerSettings::of(&layout, None, &repository).expect("bundler settings");
        let documents = Arc::new(YamlDocuments);
        let configuration = MarkerConfiguration::new(repository, documents, None, &layout, bundlers, replace);
        Kept { directory, configuration }
    }

    fn write(kept: &Kept, marker: &str) {
        fs::write(kept.directory.path().join("mangrove.yaml"), marker).expect("a marker");
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::configuration(async |marker| kept(marker, |_| {}), write).await;
    }

    #[tokio::test]
    async fn adapters_go_by_other_bundler_settings_only_when_they_change() {
        let seen: Arc<Mutex<Vec<BundlerSettings>>> = Arc::default();
        let sink = Arc::clone(&seen);
        let kept = kept("repoId: a\n", move |settings| sink.lock().expect("a list").push(settings.clone()));
        write(&kept, "repoId: b\n");
        kept.reload().await.expect("it can be read");
        assert!(seen.lock().expect("a list").is_empty());
        write(&kept, "bundler: deno\ndeno: tools/deno\n");
        kept.reload().await.expect("it can be read");
        let deno = Some(kept.directory.path().join("tools/deno"));
        assert_eq!(*seen.lock().expect("a list"), [BundlerSettings { choice: Choice::Deno, deno }]);
    }
}
