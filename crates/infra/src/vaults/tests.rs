use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use mangrove_domain::form::Located;
use mangrove_testkit::contract;
use tempfile::TempDir;

use super::*;

fn configuration(type_name: &str, config: &[(&str, Json)]) -> VaultConfiguration {
    VaultConfiguration {
        file: "vaults/v.yaml".to_owned(),
        id: "00000000-0000-4000-8000-000000000001".to_owned(),
        name: Located { value: "ops".to_owned(), line: 1, column: 1 },
        type_name: type_name.to_owned(),
        config: Json::object(config.iter().cloned()),
        created_at: None,
    }
}

fn open(repository: &Path, config: &[(&str, Json)]) -> Result<Arc<dyn Vault>, VaultError> {
    let providers = BuiltInVaults::new(repository.to_owned(), Some(repository.join("home")));
    providers.open(&configuration(LOCAL_ENCRYPTION, config)).expect("a built-in type")
}

fn generated() -> Vec<(&'static str, Json)> {
    vec![("auto_generate", Json::Bool(true))]
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a stat").permissions().mode() & 0o777
}

const INSIDE: &str = ".swamp/secrets/local_encryption/ops";

#[tokio::test]
async fn encrypted_files_keep_the_contract() {
    let directories = std::sync::Mutex::new(Vec::new());
    contract::vault(async || {
        let directory = TempDir::new().expect("a directory");
        let vault = open(directory.path(), &generated()).expect("a vault");
        directories.lock().expect("nobody panicked").push(directory);
        vault
    })
    .await;
}

#[tokio::test]
async fn the_vault_in_memory_keeps_the_contract() {
    let providers = BuiltInVaults::new("/".into(), None);
    contract::vault(async || {
        let configured = configuration(MOCK, &[("API", Json::from("k")), ("N", Json::from(3))]);
        let vault = providers.open(&configured).expect("a built-in type").expect("a vault");
        assert_eq!(vault.get("N").await.expect("a vault").expect("a secret").value, "3");
        vault
    })
    .await;
}

#[tokio::test]
async fn d1_files_that_people_have_are_read_and_d2_their_key_counts_byte_by_byte() {
    let directory = TempDir::new().expect("a directory");
    let inside = directory.path().join(INSIDE);
    fs::create_dir_all(&inside).expect("made");
    let key = "00000000-0000-4000-8000-00000000000111111111-1111-4111-8111-111111111111";
    fs::write(inside.join(".key"), key).expect("written");
    let file = r#"{"iv":"AAECAwQFBgcICQoL","data":"F1+RboRPNxGXo5mgOnfiagObdOSjiUEHl6o=","salt":"AAECAwQFBgcICQoLDA0ODw==","version":2}"#;
    fs::write(inside.join("X.enc"), file).expect("written");
    let vault = open(directory.path(), &generated()).expect("a vault");
    let secret = vault.get("X").await.expect("readable").expect("a secret");
    assert_eq!((&*secret.value, secret.remark), ("hunter2-ä", None));
    fs::write(inside.join(".key"), format!("{key}\n")).expect("written");
    let error = vault.get("X").await.expect_err("another key");
    assert!(matches!(error, VaultError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn what_is_written_is_for_its_owner_alone_and_holds_no_plain_text() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(directory.path(), &generated()).expect("a vault");
    assert!(!directory.path().join(".swamp").exists(), "opening makes nothing");
    vault.put("TOKEN", "s3cret-value").await.expect("put");
    let inside = directory.path().join(INSIDE);
    assert_eq!((mode(&inside), mode(&inside.join(".key")), mode(&inside.join("TOKEN.enc"))), (0o700, 0o600, 0o600));
    assert_eq!(fs::read(inside.join(".key")).expect("a key").len(), 72);
    for name in [".key", "TOKEN.enc"] {
        assert!(!fs::read_to_string(inside.join(name)).expect("a text").contains("s3cret"));
    }
    let mut names: Vec<_> =
        fs::read_dir(&inside).expect("a list").map(|entry| entry.expect("one").file_name()).collect();
    names.sort();
    assert_eq!(names, [".key", "TOKEN.enc"], "nothing is left beside them");
    let shown = format!("{:?}", vault.get("TOKEN").await.expect("readable").expect("a secret"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn keys_and_names_that_lead_elsewhere_are_refused() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(directory.path(), &generated()).expect("a vault");
    for key in ["", "../x", "a/b", "a\\b", "a\0b", ".."] {
        assert!(matches!(vault.put(key, "x").await, Err(VaultError::Key { .. })), "{key:?}");
        assert!(matches!(vault.get(key).await, Err(VaultError::Key { .. })), "{key:?}");
    }
    let mut named = configuration(LOCAL_ENCRYPTION, &generated());
    named.name.value = "../other".to_owned();
    let providers = BuiltInVaults::new(directory.path().to_owned(), None);
    assert!(matches!(providers.open(&named), Some(Err(VaultError::Unusable(_)))));
}

#[tokio::test]
async fn nothing_is_read_or_written_through_a_link_that_leads_out() {
    let scene = TempDir::new().expect("a directory");
    let (repository, outside) = (scene.path().join("repository"), scene.path().join("outside"));
    fs::create_dir_all(repository.join(".swamp/secrets")).expect("made");
    fs::create_dir(&outside).expect("made");
    symlink(&outside, repository.join(".swamp/secrets/local_encryption")).expect("a link");
    let vault = open(&repository, &generated()).expect("a vault");
    assert!(vault.put("K", "x").await.is_err());
    assert_eq!(fs::read_dir(&outside).expect("a list").count(), 0);
}

/// The body of a key of OpenSSH that names this cipher.
fn ssh_body(cipher: &str) -> String {
    use base64::Engine as _;
    let mut bytes = b"openssh-key-v1\0".to_vec();
    bytes.extend(u32::try_from(cipher.len()).unwrap().to_be_bytes());
    bytes.extend(cipher.as_bytes());
    bytes.extend(b"and the rest of it");
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn ssh_key(path: &Path, cipher: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    let text =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n", ssh_body(cipher));
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

#[tokio::test]
async fn an_ssh_key_is_used_unless_others_may_read_it_or_it_has_a_passphrase() {
    let directory = TempDir::new().expect("a directory");
    let key = directory.path().join("home/.ssh/id_rsa");
    let named = [("ssh_key_path", Json::from("~/.ssh/id_rsa"))];
    for config in [&named[..], &[]] {
        ssh_key(&key, "none", 0o600);
        let vault = open(directory.path(), config).expect("a vault");
        vault.put("K", "value").await.expect("put");
        assert_eq!(vault.get("K").await.expect("readable").expect("a secret").value, "value");
        ssh_key(&key, "none", 0o640);
        let error = vault.get("K").await.expect_err("others may read it");
        assert!(error.to_string().contains("may be read by others"), "{error}");
        ssh_key(&key, "aes256-ctr", 0o600);
        let error = vault.get("K").await.expect_err("it has a passphrase");
        assert!(error.to_string().contains("has a passphrase"), "{error}");
        fs::remove_file(&key).expect("removed");
        let error = vault.get("K").await.expect_err("it is gone");
        assert!(error.to_string().contains("there is no SSH key"), "{error}");
    }
    assert!(!directory.path().join(INSIDE).join(".key").exists());
    // What cannot be used makes way for a key that is made.
    let both = [named.to_vec(), generated()].concat();
    let vault = open(directory.path(), &both).expect("a vault");
    vault.put("L", "value").await.expect("put");
    assert!(directory.path().join(INSIDE).join(".key").exists());
}

#[tokio::test]
async fn base_directory_and_key_file_are_those_that_are_configured() {
    let directory = TempDir::new().expect("a directory");
    let config = [generated(), vec![("base_dir", Json::from("~/base")), ("key_file", Json::from("keys/own"))]].concat();
    fs::create_dir_all(directory.path().join("keys")).expect("made");
    fs::write(directory.path().join("keys/own"), "").expect("an empty one is filled");
    let vault = open(directory.path(), &config).expect("a vault");
    vault.put("K", "value").await.expect("put");
    assert!(directory.path().join("home/base").join(INSIDE).join("K.enc").exists());
    assert_eq!(fs::read(directory.path().join("keys/own")).expect("a key").len(), 72);
    let wrong = open(directory.path(), &[("auto_generate", Json::from("yes"))]).err().expect("no boolean");
    assert_eq!(wrong.to_string(), "`config.auto_generate`: expected true or false, found string");
}

#[tokio::test]
async fn a_command_that_would_renew_a_secret_is_not_run_and_told() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(directory.path(), &generated()).expect("a vault");
    vault.put("K", "value").await.expect("put");
    let refresh = directory.path().join(INSIDE).join(".refresh");
    fs::create_dir(&refresh).expect("made");
    fs::write(refresh.join("K.enc"), "{}").expect("written");
    let secret = vault.get("K").await.expect("readable").expect("a secret");
    assert_eq!(secret.value, "value");
    assert!(secret.remark.expect("a remark").contains("never run"));
    assert_eq!(vault.list().await.expect("a list"), ["K"]);
}

#[test]
fn other_types_are_none_of_these() {
    let providers = BuiltInVaults::new("/".into(), None);
    assert!(providers.open(&configuration("@acme/vault", &[])).is_none());
    assert_eq!(providers.types().iter().map(|(name, _)| *name).collect::<Vec<_>>(), [LOCAL_ENCRYPTION, MOCK]);
}
