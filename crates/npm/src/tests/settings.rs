use std::collections::BTreeMap;

use mangrove_domain::{failure::FailureClass, problem::Code};
use mangrove_testkit::registry::{FakePackage, FakeRegistry};
use reqwest::Url;

use super::{World, prepare};
use crate::{
    NpmPackages, Options,
    settings::{Locations, Settings},
};

fn load(repository: &str, home: &str, variables: &[(&str, &str)]) -> Result<Settings, crate::settings::Error> {
    let directory = tempfile::tempdir().unwrap();
    let (repository_directory, home_directory) = (directory.path().join("repo"), directory.path().join("home"));
    for (path, text) in [(&repository_directory, repository), (&home_directory, home)] {
        std::fs::create_dir_all(path).unwrap();
        std::fs::write(path.join(".npmrc"), text).unwrap();
    }
    let mut environment: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.insert("HOME".to_owned(), home_directory.display().to_string());
    Settings::load(&Locations { repository: repository_directory, environment })
}

#[test]
fn the_nearest_setting_wins() {
    let nothing = Settings::load(&Locations::default()).unwrap();
    assert_eq!(nothing.registry("zod").unwrap().as_str(), "https://registry.npmjs.org/");

    let settings = load(
        "; ours\nregistry = https://repo.example/npm\n@acme:registry=\"https://acme.example/\"\n",
        "registry=https://home.example/\n@other:registry=https://other.example/\n",
        &[],
    )
    .unwrap();
    assert_eq!(settings.registry("zod").unwrap().as_str(), "https://repo.example/npm/");
    assert_eq!(settings.registry("@acme/x").unwrap().as_str(), "https://acme.example/");
    assert_eq!(settings.registry("@other/x").unwrap().as_str(), "https://other.example/");
    assert_eq!(settings.registry("@acme2/x").unwrap().as_str(), "https://repo.example/npm/");

    let settings = load(
        "registry=https://repo.example/\n@acme:registry=https://acme.example/",
        "",
        &[("NPM_CONFIG_REGISTRY", "https://npm.example"), ("MANGROVE_NPM_REGISTRY", "https://mangrove.example")],
    )
    .unwrap();
    assert_eq!(settings.registry("zod").unwrap().as_str(), "https://mangrove.example/");
    assert_eq!(settings.registry("@acme/x").unwrap().as_str(), "https://acme.example/");
}

#[test]
fn credentials_go_only_where_they_belong() {
    let settings = load(
        "//acme.example/npm/:_authToken=${TOKEN}\n//acme.example/:_auth=YTpi\n//port.example:8080/:_authToken=p",
        "",
        &[("TOKEN", "secret")],
    )
    .unwrap();
    let header = |url: &str| {
        settings.credential(&Url::parse(url).unwrap()).unwrap().map(|credential| credential.header().to_owned())
    };
    assert_eq!(header("https://acme.example/npm/zod").as_deref(), Some("Bearer secret"));
    assert_eq!(header("https://acme.example/other").as_deref(), Some("Basic YTpi"));
    assert_eq!(header("https://port.example:8080/zod").as_deref(), Some("Bearer p"));
    assert_eq!(header("https://port.example/zod"), None);
    assert_eq!(header("https://acme.example.evil.example/npm/zod"), None);
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
fn broken_settings_name_file_and_line_to_whoever_needs_them() {
    for (line, told) in [("registry=not an address", "not an address"), ("registry=https://${MISSING}/", "MISSING")] {
        let settings = load(&format!("\n{line}\n@acme:registry=https://acme.example"), "", &[]).unwrap();
        let error = settings.registry("zod").unwrap_err().to_string();
        assert!(error.contains(".npmrc:2") && error.contains(told), "{error}");
        assert_eq!(settings.registry("@acme/x").unwrap().as_str(), "https://acme.example/");
        // What comes from outside counts instead.
        let settings = load(line, "", &[("MANGROVE_NPM_REGISTRY", "https://other.example")]).unwrap();
        assert_eq!(settings.registry("zod").unwrap().as_str(), "https://other.example/");
    }
    let settings = load("@acme:registry=${ACME_REGISTRY}\n@b:registry=https://b.example", "", &[]).unwrap();
    assert_eq!(settings.registry("zod").unwrap().as_str(), "https://registry.npmjs.org/");
    assert_eq!(settings.registry("@b/x").unwrap().as_str(), "https://b.example/");
    let error = settings.registry("@acme/x").unwrap_err().to_string();
    assert!(error.contains(".npmrc:1") && error.contains("ACME_REGISTRY"), "{error}");
}

#[test]
fn a_variable_may_be_marked_as_optional() {
    let settings = load("registry=https://${HOST?}repo.example/", "", &[]).unwrap();
    assert_eq!(settings.registry("zod").unwrap().as_str(), "https://repo.example/");
    let settings = load("registry=https://${HOST?}repo.example/", "", &[("HOST", "a.")]).unwrap();
    assert_eq!(settings.registry("zod").unwrap().as_str(), "https://a.repo.example/");
}

#[test]
fn a_token_that_is_not_set_matters_only_where_it_is_needed() {
    let settings = load("//x.example/:_authToken=${MISSING}", "", &[]).unwrap();
    assert_eq!(settings.credential(&Url::parse("https://y.example/zod").unwrap()), Ok(None));
    let unset = settings.credential(&Url::parse("https://x.example/zod").unwrap()).unwrap_err().to_string();
    assert!(unset.contains(".npmrc:1") && unset.contains("MISSING"), "{unset}");
}

#[test]
fn a_name_with_a_password_is_a_credential() {
    let settings = load("//x.example/:username=ann\n//x.example/:_password=c2VjcmV0", "", &[]).unwrap();
    let credential = settings.credential(&Url::parse("https://x.example/zod").unwrap()).unwrap().unwrap();
    // `ann:secret`
    assert_eq!(credential.header(), "Basic YW5uOnNlY3JldA==");
}

#[tokio::test]
async fn a_missing_token_matters_to_a_registry_that_asks_for_one() {
    let world = World::new();
    let npmrc = format!("//{}/:_authToken=${{ACME_TOKEN}}\n", world.registry.origin());
    std::fs::write(world.directory.path().join(".npmrc"), npmrc).unwrap();
    // What is public can be had by anybody.
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    world.registry.require_token("s3cret");
    let fault = prepare(&world.packages(), &["npm:old@1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::REGISTRY_REFUSED));
    assert!(fault.message.contains("ACME_TOKEN") && fault.message.contains(".npmrc:1"), "{}", fault.message);
    let sent = world.registry.requests().into_iter().any(|request| request.headers.contains_key("authorization"));
    assert!(!sent, "there is nothing to send");
}

#[tokio::test]
async fn a_scope_has_its_own_registry_and_token() {
    let world = World::new();
    let private = FakeRegistry::start().unwrap();
    private.publish(FakePackage::new("@acme/tools", "1.0.0").file("index.js", ""));
    private.require_token("s3cret");
    let repository = world.directory.path();
    let npmrc = format!("@acme:registry={}\n//{}/:_authToken=${{ACME_TOKEN}}\n", private.url(), private.origin());
    std::fs::write(repository.join(".npmrc"), &npmrc).unwrap();

    let mut options = world.options();
    options.environment.insert("ACME_TOKEN".to_owned(), "wrong".to_owned());
    let fault = prepare(&NpmPackages::new(options), &["npm:@acme/tools@1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::REGISTRY_REFUSED));
    assert_eq!(&*fault.cause.0, format!("registry:{}", private.origin()));
    assert!(!fault.message.contains("wrong"), "{}", fault.message);

    // A corrected token needs no restart.
    let mut options: Options = world.options();
    options.environment.insert("ACME_TOKEN".to_owned(), "wrong".to_owned());
    let packages = NpmPackages::new(options);
    prepare(&packages, &["npm:@acme/tools@1"]).await.unwrap_err();
    std::fs::write(repository.join(".npmrc"), npmrc.replace("${ACME_TOKEN}", "s3cret")).unwrap();
    prepare(&packages, &["npm:@acme/tools@1", "npm:zod@4"]).await.unwrap();

    assert!(private.count("/@acme/tools/-/tools-1.0.0.tgz") == 1);
    let leaked = world.registry.requests().into_iter().any(|request| request.headers.contains_key("authorization"));
    assert!(!leaked, "the public registry saw the private token");
}

#[tokio::test]
async fn a_registry_whose_variable_is_not_set_stops_only_its_own_packages() {
    let world = World::new();
    std::fs::write(world.directory.path().join(".npmrc"), "@acme:registry=https://${ACME_HOST}/\n").unwrap();
    prepare(&world.packages(), &["npm:zod@4"]).await.unwrap();
    let fault = prepare(&world.packages(), &["npm:@acme/tools@1"]).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (FailureClass::Environment, Code::INVALID_DOCUMENT));
    assert!(fault.message.contains("ACME_HOST") && fault.message.contains(".npmrc:1"), "{}", fault.message);
}
