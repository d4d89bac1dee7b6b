//! Variables of the environment that programs of a test or a benchmark may be given.

/// What a program needs to reach a registry from this machine. A proxy may be named with a password, so no program gets
/// these that runs what others wrote.
const REACHING_REGISTRIES: [&str; 7] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NPM_CONFIG_REGISTRY",
    "MANGROVE_NPM_REGISTRY",
];

/// The names of the variables by which a program reaches registries, in either spelling.
pub fn reaching_registries() -> impl Iterator<Item = String> {
    REACHING_REGISTRIES.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase()])
}
