//! `mangrove extension …`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Extension {
    /// Pull what the lockfile names and is not there, in the versions that it names
    Install {
        #[command(flatten)]
        registry: Registry,
    },
    /// Pull an extension and what it needs, and write them to the lockfile
    Pull {
        /// `@collective/name`, one version of it such as `@collective/name@2026.05.23.1`, or the path of an archive or of a
        /// directory with a manifest.yaml
        #[arg(value_name = "NAME[@VERSION]|PATH")]
        wanted: String,
        /// Pull the newest version of this channel, such as `rc`; the one of the lockfile if not given
        #[arg(long, value_name = "CHANNEL")]
        channel: Option<String>,
        /// Replace files that were changed, and pull a version again that is there
        #[arg(short, long)]
        force: bool,
        /// Do not ask; nothing is asked anyway
        #[arg(short, long, hide = true)]
        yes: bool,
        #[command(flatten)]
        registry: Registry,
    },
    /// List the extensions of the lockfile
    List,
    /// Remove the files of an extension that the lockfile names, and its entry
    #[command(visible_alias = "remove")]
    Rm {
        /// The extension
        name: String,
        /// Remove files that were changed, too
        #[arg(short, long)]
        force: bool,
        /// Do not ask; nothing is asked anyway
        #[arg(short, long, hide = true)]
        yes: bool,
    },
}

/// Which registry is asked.
#[derive(Debug, Args)]
pub(crate) struct Registry {
    /// The address of the registry; `MANGROVE_EXTENSION_REGISTRY` or `SWAMP_CLUB_URL` if not given, else that of the
    /// lockfile
    #[arg(long, value_name = "URL")]
    pub(crate) registry: Option<String>,
}
