//! Special files in the places of documents and sources. No command hangs, and what lies beside them goes on.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use crate::{Outcome, repository::Repository};

/// Far more than a command needs on a repository of one model, also while other programs are compiled.
const BOUND: Duration = Duration::from_secs(30);

const PLACES: &[&str] =
    &["models/@drill/greeter/x.yaml", "workflows/x.yaml", "extensions/models/x.ts", "extensions/models/manifest.yaml"];

/// How to put a special file there.
type Put = fn(&Path) -> Result<()>;

const KINDS: &[(&str, Put)] = &[
    ("pipe", |path| {
        let status = Command::new("mkfifo").arg(path).status().context("cannot start `mkfifo`")?;
        ensure!(status.success(), "mkfifo {}", path.display());
        Ok(())
    }),
    ("endless device", |path| Ok(symlink("/dev/zero", path)?)),
    ("link to itself", |path| Ok(symlink(path.file_name().context("a name")?, path)?)),
    ("link to its directory", |path| Ok(symlink(".", path)?)),
    ("link out", |path| Ok(symlink("/etc/passwd", path)?)),
    ("socket", |path| {
        // The file stays when the listener goes.
        UnixListener::bind(path)?;
        Ok(())
    }),
    ("20 GB without content", |path| Ok(fs::File::create(path)?.set_len(20 << 30)?)),
];

pub(crate) fn run(_: &mut Rng) -> Result<Outcome> {
    let mut commands = 0;
    for (kind, put) in KINDS {
        let repository = Repository::new()?;
        for place in PLACES {
            let path = repository.path(place);
            fs::create_dir_all(path.parent().context("a parent")?)?;
            put(&path).with_context(|| format!("{kind} at {place}"))?;
        }
        // What the file is makes a problem of its own; the workflow beside it runs.
        let lines: [(&[&str], &[i32]); 4] = [
            (&["scan"], &[0, 1]),
            (&["workflow", "list"], &[0, 1]),
            (&["workflow", "run", "hello"], &[0]),
            (&["doctor"], &[0, 1]),
        ];
        for (arguments, codes) in lines {
            let ended = repository.start(arguments)?.end(BOUND).with_context(|| format!("{kind} everywhere"))?;
            let ended = ended.expect(codes).with_context(|| format!("{kind} everywhere"))?;
            ensure!(!ended.stdout.contains("root:") && !ended.stderr.contains("root:"), "{kind} was printed: {ended}");
            commands += 1;
        }
    }
    Ok(Outcome::Held(format!("{commands} commands beside {} kinds of special file; none hung", KINDS.len())))
}
