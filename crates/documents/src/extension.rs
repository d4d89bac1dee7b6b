//! Extensions from elsewhere, and what is done with them.

use mangrove_app::extensions::{
    ExtensionError, InstallOutcome, InstalledExtension, ListedExtension, PullStatus, PulledExtension, RemovedExtension,
};
use mangrove_domain::source::RelativePath;
use serde::{Deserialize, Serialize};

use crate::error_report::ErrorReport;

/// `extension list --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionListDocument {
    /// `mangrove.extension-list/1`.
    pub schema: String,
    /// The extensions of the lockfile, by name.
    pub extensions: Vec<ListedExtensionDocument>,
}

/// An extension of the lockfile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedExtensionDocument {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was pulled, as the lockfile has it.
    pub pulled_at: Option<String>,
    /// Its files, as the lockfile names them.
    pub files: Vec<String>,
    /// The channel whose newest version it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The registry that it comes from; `null` for an archive or a directory.
    pub server_url: Option<String>,
    /// Those of its files that are not there, by their paths below it.
    pub missing: Vec<String>,
}

impl From<&[ListedExtension]> for ExtensionListDocument {
    fn from(listed: &[ListedExtension]) -> Self {
        let extension = |ListedExtension { entry, missing }: &ListedExtension| ListedExtensionDocument {
            name: entry.name.clone(),
            version: entry.version.clone(),
            pulled_at: entry.pulled_at.clone(),
            files: entry.files.iter().map(|file| file.text.clone()).collect(),
            channel: entry.channel.clone(),
            server_url: entry.server.clone(),
            missing: missing.iter().map(RelativePath::to_string).collect(),
        };
        Self { schema: "mangrove.extension-list/1".to_owned(), extensions: listed.iter().map(extension).collect() }
    }
}

/// `extension install --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInstallDocument {
    /// `mangrove.extension-install/1`.
    pub schema: String,
    /// The extensions of the lockfile, by name.
    pub entries: Vec<InstalledExtensionDocument>,
    /// How many were put in place.
    pub installed: usize,
    /// How many were put in place, with entries that named files of the layout of an older program and name theirs now.
    pub migrated: usize,
    /// How many were there already.
    pub up_to_date: usize,
    /// How many failed.
    pub failed: usize,
}

/// What became of an extension of the lockfile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstalledExtensionDocument {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `installed`, `migrated`, `up_to_date` or `failed`.
    pub status: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The code of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl From<&[InstalledExtension]> for ExtensionInstallDocument {
    fn from(installed: &[InstalledExtension]) -> Self {
        let count = |status: &str| installed.iter().filter(|one| status_of(&one.outcome) == status).count();
        let entry = |one: &InstalledExtension| {
            let error = match &one.outcome {
                InstallOutcome::Failed(error) => Some(error),
                InstallOutcome::Installed | InstallOutcome::Migrated | InstallOutcome::UpToDate => None,
            };
            InstalledExtensionDocument {
                name: one.name.clone(),
                version: one.version.clone(),
                status: status_of(&one.outcome).to_owned(),
                error: error.map(ToString::to_string),
                code: error.map(|error| error.code().to_string()),
            }
        };
        Self {
            schema: "mangrove.extension-install/1".to_owned(),
            entries: installed.iter().map(entry).collect(),
            installed: count("installed"),
            migrated: count("migrated"),
            up_to_date: count("up_to_date"),
            failed: count("failed"),
        }
    }
}

const fn status_of(outcome: &InstallOutcome) -> &'static str {
    match outcome {
        InstallOutcome::Installed => "installed",
        InstallOutcome::Migrated => "migrated",
        InstallOutcome::UpToDate => "up_to_date",
        InstallOutcome::Failed(_) => "failed",
    }
}

/// `extension pull --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionPullDocument {
    /// `mangrove.extension-pull/1`.
    pub schema: String,
    /// The extension that was asked for, then those that were pulled because another one needs them.
    pub extensions: Vec<PulledExtensionDocument>,
}

/// What became of an extension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PulledExtensionDocument {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version that was locked before.
    pub previous_version: Option<String>,
    /// `pulled` or `up_to_date`.
    pub status: String,
    /// How many files it has.
    pub files: usize,
    /// The registry that it comes from; `null` for an archive or a directory.
    pub server_url: Option<String>,
    /// The extension that needs it; `null` for the one that was asked for.
    pub needed_by: Option<String>,
}

impl From<&[PulledExtension]> for ExtensionPullDocument {
    fn from(pulled: &[PulledExtension]) -> Self {
        let extension = |one: &PulledExtension| PulledExtensionDocument {
            name: one.name.clone(),
            version: one.version.clone(),
            previous_version: one.previous.clone(),
            status: match one.status {
                PullStatus::Pulled => "pulled".to_owned(),
                PullStatus::UpToDate => "up_to_date".to_owned(),
            },
            files: one.files,
            server_url: one.server.clone(),
            needed_by: one.needed_by.clone(),
        };
        Self { schema: "mangrove.extension-pull/1".to_owned(), extensions: pulled.iter().map(extension).collect() }
    }
}

/// `extension rm --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionRemovalDocument {
    /// `mangrove.extension-rm/1`.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The files that were removed, by their paths below the extension.
    pub removed: Vec<String>,
    /// The files in its directory that the lockfile did not name, which stay.
    pub kept: Vec<String>,
}

impl From<&RemovedExtension> for ExtensionRemovalDocument {
    fn from(removed: &RemovedExtension) -> Self {
        let texts = |paths: &std::collections::BTreeSet<RelativePath>| paths.iter().map(ToString::to_string).collect();
        Self {
            schema: "mangrove.extension-rm/1".to_owned(),
            name: removed.name.clone(),
            version: removed.version.clone(),
            removed: texts(&removed.removed),
            kept: texts(&removed.kept),
        }
    }
}

impl From<&ExtensionError> for ErrorReport {
    fn from(error: &ExtensionError) -> Self {
        match error {
            ExtensionError::Failed(fault) => Self::fault("", fault),
            ExtensionError::Refused(problem) => Self::problem(problem),
        }
    }
}
