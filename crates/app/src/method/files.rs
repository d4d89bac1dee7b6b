//! Files that an extension brings and its methods ask for: `extensionFile` of the context.

use mangrove_domain::{json::Json, manifest::ExtensionManifest, source::RelativePath};

use super::host::{Host, text};

impl Host {
    /// The absolute path of a file that the manifest of the extension lists.
    pub(super) async fn extension_file(&self, name: &Json) -> Result<Json, String> {
        let manifest = self.caller.manifest().await.map_err(|error| format!("ctx.extensionFile: {error}"))?;
        listed_file(manifest, name)
    }
}

/// The absolute path of a file that this manifest lists.
pub(super) fn listed_file(manifest: Option<ExtensionManifest>, name: &Json) -> Result<Json, String> {
    let name = text("extensionFile", "path", name)?;
    let wanted = RelativePath::parse(name).map_err(|error| format!("ctx.extensionFile: {error}"))?;
    let Some(manifest) = manifest else {
        return Err(format!(
            "ctx.extensionFile: the extension has no manifest; a manifest.yaml above its sources has to list \
                 `{name}` under `additionalFiles`"
        ));
    };
    let listed = manifest.files.iter().find(|(listed, _)| RelativePath::parse(listed).is_ok_and(|at| at == wanted));
    match listed {
        Some((_, Some(path))) => Ok(Json::from(path.display().to_string())),
        Some((_, None)) => Err(format!("ctx.extensionFile: the manifest lists `{name}`, and no such file is there")),
        None => Err(format!("ctx.extensionFile: the manifest does not list `{name}` under `additionalFiles`")),
    }
}
