//! `mangrove vault …`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Vault {
    /// Configure a vault
    Create {
        /// Its type: `local_encryption`, `mock`, or the type of an extension
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// What expressions call it
        name: String,
        /// What its type is told, as a JSON object
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
    },
    /// Keep a secret
    Put {
        /// The vault
        vault: String,
        /// The key, or `KEY=VALUE`
        key: String,
        /// The value; standard input if not given, so that it is in no history of a shell
        value: Option<String>,
        /// Replace another value without asking
        #[arg(short, long)]
        yes: bool,
    },
    /// Show how a vault is configured
    Get {
        /// The vault
        vault: String,
    },
    /// List the keys of a vault
    ListKeys {
        /// The vault
        vault: String,
    },
    /// Print a secret
    ReadSecret {
        /// The vault
        vault: String,
        /// The key
        key: String,
        /// Print it on a terminal without asking
        #[arg(short, long)]
        yes: bool,
    },
    /// List the vaults
    #[command(visible_alias = "list")]
    Search {
        /// Only vaults whose name or type contains this
        query: Option<String>,
    },
}
