//! Getting packages, and making sure that they are what was asked for.

use mangrove_domain::{
    advice::{Advice, UserAction},
    digest::Digest,
    document::Node,
    failure::Fault,
    outage::Outages,
    problem::{Code, Problem},
    pulled::{Arranged, FilesChecksum, LockEntry, MANIFEST, Package, PackageManifest},
    source::RelativePath,
};

use super::{Extensions, error::ExtensionError};

/// A package with what the lockfile will say of it.
#[derive(Debug)]
pub(super) struct Obtained {
    pub(super) package: Package,
    /// Of the archive; `None` if it was a directory.
    pub(super) checksum: Option<Digest>,
    /// The registry that it comes from.
    pub(super) server: Option<String>,
    pub(super) channel: Option<String>,
}

impl Extensions {
    /// Downloads a version of an extension. Of what is locked in this version, the archive has to be the one that was
    /// locked.
    pub(super) async fn download(
        &self,
        wanted: (&str, &str),
        server: String,
        locked: Option<&LockEntry>,
        outages: &Outages,
    ) -> Result<Obtained, ExtensionError> {
        let obtained = self.downloaded(wanted, server, locked, outages).await;
        obtained.map_err(|error| match locked {
            Some(entry) if entry.server.is_none() => from_a_path(entry, error),
            Some(_) | None => error,
        })
    }

    async fn downloaded(
        &self,
        (name, version): (&str, &str),
        server: String,
        locked: Option<&LockEntry>,
        outages: &Outages,
    ) -> Result<Obtained, ExtensionError> {
        let label = format!("{name}@{version}");
        let registry = &self.ports.registry;
        let (checksum, promised_by) = match locked.and_then(|entry| entry.checksum) {
            Some(checksum) => (Some(checksum), "the lockfile"),
            None => (registry.checksum(&server, name, version, outages).await?, "the registry"),
        };
        let archive = registry.archive(&server, name, version, checksum, outages).await;
        let archive = archive.map_err(|fault| match fault.code {
            Code::INTEGRITY_MISMATCH => {
                Fault { message: format!("{}; {promised_by} promises the checksum", fault.message), ..fault }
            }
            _ => fault,
        })?;
        let archive = archive.ok_or_else(|| {
            let message = format!("{server} has no {label}");
            Problem::error(Code::PACKAGE_NOT_FOUND, name, message).advise("check the name and the version")
        })?;
        let found = Digest::of(&archive);
        let package = self.opened(&label, self.ports.packages.unpack(&label, archive).await?)?;
        let (is, is_wanted) = (&package.manifest, (name, version));
        if (is.name.as_str(), is.version.as_str()) != is_wanted {
            let message = format!("the archive of {label} holds {}@{}", is.name, is.version);
            return Err(malformed(name, message).into());
        }
        if let Some(entry) = locked.filter(|entry| entry.checksum.is_none())
            && entry.files_checksum != FilesChecksum::Nothing
            && !entry.files_checksum.is_of(&package.digests())
        {
            let message = format!("the files of {label} at {server} are not those that the lockfile names");
            return Err(Problem::error(Code::INTEGRITY_MISMATCH, name, message)
                .advise("pull it from where it came from, or force a pull of it")
                .into());
        }
        let channel = locked.and_then(|entry| entry.channel.clone());
        Ok(Obtained { package, checksum: Some(found), server: Some(server), channel })
    }

    /// A package whose manifest keeps the rules.
    pub(super) fn opened(&self, label: &str, files: Arranged) -> Result<Package, ExtensionError> {
        let place = format!("{MANIFEST} of {label}");
        let bytes = RelativePath::parse(MANIFEST).ok().and_then(|path| files.files.get(&path));
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| malformed(label, format!("{place} is not UTF-8")))?;
        let document = self
            .documents
            .parse(&place, text)
            .map_err(|error| malformed(label, format!("{}: {}", error.position, error.message)))?;
        let manifest = PackageManifest::read(&document.root).map_err(|wrongs| {
            let line = |(node, message): &(&Node, String)| format!("{}: {message}", node.position(&place));
            malformed(label, wrongs.iter().map(line).collect::<Vec<_>>().join("; "))
        })?;
        Ok(Package::new(manifest, files))
    }
}

/// What it means that a registry does not give what was not pulled from one.
fn from_a_path(entry: &LockEntry, error: ExtensionError) -> ExtensionError {
    let name = &entry.name;
    let origin = format!(
        "the lockfile names no registry for {name}: it was pulled from an archive or a directory, or by an older program"
    );
    match error.adding(&origin) {
        ExtensionError::Refused(problem) => {
            let again = UserAction::PullExtension { name: "PATH".to_owned(), is_forced: false };
            let advice = Advice::new("pull it from where it came from: ").and(again);
            problem.advise(advice).into()
        }
        failed @ ExtensionError::Failed(_) => failed,
    }
}

fn malformed(subject: &str, message: impl Into<String>) -> Problem {
    Problem::error(Code::PACKAGE_MALFORMED, subject, message)
        .advise("do not use this version; tell whoever published it")
}

/// What it means that a registry does not know an extension.
pub(super) fn unknown(name: &str, channel: Option<&str>, server: &str) -> Fault {
    let channel = channel.map(|channel| format!(" in the channel {channel}")).unwrap_or_default();
    let message = format!("{server} has no extension {name}{channel}; check the name, or the address of the registry");
    Fault::environment(Code::PACKAGE_NOT_FOUND, format!("extension:{name}"), message)
}
