//! The model types that come with the program (`design/workflows.md`). They are described as those of extensions are, and
//! carried out here.

mod quoting;
pub(crate) mod shell;

use std::sync::{Arc, LazyLock};

use mangrove_domain::{description::Description, type_name::TypeName};

/// The root that their sources would lie in.
pub const ROOT: &str = "built-in";

/// What the extension is called that they belong to.
pub const EXTENSION: &str = "mangrove";

/// Model types of the format that its own server keeps its books with.
const OF_ANOTHER_SERVER: [&str; 7] = [
    "swamp/dispatch",
    "swamp/enrollment-token",
    "swamp/grant",
    "swamp/group",
    "swamp/lease",
    "swamp/server-token",
    "swamp/worker",
];

static TYPES: LazyLock<[Arc<Description>; 1]> = LazyLock::new(|| [Arc::new(shell::description())]);

/// The types, sorted by name.
#[must_use]
pub fn types() -> &'static [Arc<Description>] {
    TYPES.as_slice()
}

/// The type of this name.
#[must_use]
pub fn model(name: &TypeName) -> Option<&'static Arc<Description>> {
    types().iter().find(|description| description.type_name == *name)
}

/// Why a type that the format knows is not served; `None` of all others.
#[must_use]
pub fn not_served(name: &TypeName) -> Option<String> {
    OF_ANOTHER_SERVER
        .contains(&name.as_str())
        .then(|| format!("`{name}` is what a swamp server keeps its books with; it is not supported"))
}
