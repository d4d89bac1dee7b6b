//! Vaults: old names of types, keys of sensitive values, references to them.

use mangrove_domain::{
    json::Json,
    vault::{SensitiveField, current_type, reference, referenced, replaced, sensitive_fields, sensitive_key},
};

#[test]
fn n12_a_sensitive_value_has_the_key_of_its_place() {
    let key = sensitive_key(&["@t/db", "ID", "create", "conn", "main", "cred.pw"]);
    assert_eq!(reference("V", &key), "${{ vault.get('V', 't-db-ID-create-conn-main-cred.pw') }}");
    assert_eq!(sensitive_key(&["a\\b", "c\0d", "e..f"]), "a-b-cd-e.f");
}

#[test]
fn a_reference_is_known_again_and_nothing_else_is_one() {
    for (vault, key) in [("V", "K"), ("my vault", "a'b"), ("v", "op://x/y")] {
        assert_eq!(referenced(&reference(vault, key)), Some((vault, key)));
    }
    assert_eq!(referenced("${{vault.get(\"a\",`b`)}}"), Some(("a", "b")));
    for text in [
        "",
        "${{ vault.get('a') }}",
        "x ${{ vault.get('a', 'b') }}",
        "${{ vault.get(a, b) }}",
        "${{ vault.get('a', 'b') + 'c' }}",
    ] {
        assert_eq!(referenced(text), None, "{text}");
    }
}

#[test]
fn types_are_known_by_their_old_names() {
    let table = [
        ("aws", "@swamp/aws-sm"),
        ("aws-sm", "@swamp/aws-sm"),
        ("azure", "@swamp/azure-kv"),
        ("azure-kv", "@swamp/azure-kv"),
        ("1password", "@swamp/1password"),
        ("local_encryption", "local_encryption"),
        ("@acme/aws", "@acme/aws"),
    ];
    for (written, today) in table {
        assert_eq!(current_type(written), today);
    }
}

fn field(path: &str, vault: Option<&str>, key: Option<&str>) -> SensitiveField {
    SensitiveField {
        path: path.split('.').map(str::to_owned).collect(),
        vault: vault.map(str::to_owned),
        key: key.map(str::to_owned),
    }
}

/// An object schema with these members.
fn object(members: &[(&str, Json)]) -> Json {
    Json::object([("type", Json::from("object")), ("properties", Json::object(members.iter().cloned()))])
}

fn sensitive(more: &[(&str, &str)]) -> Json {
    let more = more.iter().map(|(name, text)| (*name, Json::from(*text)));
    Json::object([("type", Json::from("string")), ("sensitive", Json::Bool(true))].into_iter().chain(more))
}

#[test]
fn fields_that_a_schema_marks_are_sensitive_where_they_have_a_value() {
    let plain = Json::object([("type", Json::from("string"))]);
    let nullable =
        Json::object([("anyOf", Json::Array(vec![sensitive(&[]), Json::object([("type", Json::from("null"))])]))]);
    let schema = object(&[
        ("user", plain.clone()),
        ("cred", object(&[("pw", sensitive(&[])), ("hint", plain)])),
        ("token", sensitive(&[("vaultName", "ops"), ("vaultKey", "TOKEN")])),
        ("maybe", nullable.clone()),
        ("none", nullable),
        ("absent", sensitive(&[])),
    ]);
    let declared = Json::object([("schema", schema)]);
    let content = Json::object([
        ("user", Json::from("u")),
        ("cred", Json::object([("pw", Json::from("p")), ("hint", Json::from("h"))])),
        ("token", Json::from("t")),
        ("maybe", Json::from("m")),
        ("none", Json::Null),
    ]);
    let fields = sensitive_fields(&declared, &content);
    assert_eq!(
        fields,
        [field("cred.pw", None, None), field("token", Some("ops"), Some("TOKEN")), field("maybe", None, None)]
    );
    let replaced = replaced(&content, &fields[0].path, Json::from("***"));
    assert_eq!(
        replaced.to_string(),
        r#"{"user":"u","cred":{"pw":"***","hint":"h"},"token":"t","maybe":"m","none":null}"#
    );
    let everything = Json::object([("sensitiveOutput", Json::Bool(true))]);
    let paths: Vec<String> = sensitive_fields(&everything, &content).iter().map(|field| field.path.join(".")).collect();
    assert_eq!(paths, ["user", "cred", "token", "maybe"]);
}
