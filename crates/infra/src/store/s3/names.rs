//! The keys of objects in the bucket, below the prefix of the store.

use mangrove_domain::{
    bundle::{ObjectKey, StoredObject},
    digest::Digest,
};

/// The key of the object that says whose store this is.
pub(super) const OWNER: &str = "catalog-id";

/// The key of the code of an extension: `<aa>/<sha256>.js`.
pub(super) fn of_extension(digest: Digest) -> String {
    let name = digest.to_string();
    format!("{}/{name}.js", &name[..2])
}

/// Where a vendor bundle lies: `vendor/<sha256>`.
pub(super) fn vendor_folder(digest: Digest) -> String {
    format!("vendor/{digest}")
}

/// The key of a vendor bundle: `vendor/<sha256>/<bytes of its files>.<bytes of the object>`. A listing tells by it how
/// large the files are, and whether the object is whole.
pub(super) fn of_vendor(digest: Digest, file_bytes: u64, object_bytes: u64) -> String {
    format!("vendor/{digest}/{file_bytes}.{object_bytes}")
}

/// What a listing says of one object: which one it is and how large it is, as the catalog counts. `None` for what is
/// none of ours.
pub(super) fn listed(name: &str, object_bytes: u64) -> Option<StoredObject> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["vendor", digest, sizes] => {
            let (file_bytes, whole_bytes) = sizes.split_once('.')?;
            let (file_bytes, whole_bytes): (u64, u64) = (number(file_bytes)?, number(whole_bytes)?);
            // One that was cut has as many bytes less.
            let missing = whole_bytes.saturating_sub(object_bytes);
            let surplus = object_bytes.saturating_sub(whole_bytes);
            let size_bytes = file_bytes.saturating_sub(missing).saturating_add(surplus);
            Some(StoredObject { key: ObjectKey::Vendor(digest.parse().ok()?), size_bytes })
        }
        [folder, file] => {
            let digest: Digest = file.strip_suffix(".js")?.parse().ok()?;
            let key = ObjectKey::Extension(digest);
            (of_extension(digest) == name && folder.len() == 2)
                .then_some(StoredObject { key, size_bytes: object_bytes })
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
