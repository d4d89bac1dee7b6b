//! What a type offers together with its add-ons.

use mangrove_domain::{
    attachment::{self, Attachment, RECORDS},
    description::{Description, MethodDescription},
    json::Json,
    source::{RelativePath, RootId, SourceId},
    type_name::TypeName,
};

fn source(path: &str) -> SourceId {
    SourceId { root: RootId::local(), path: RelativePath::parse(path).expect("a path") }
}

fn description(methods: &[&str], details: Json) -> Description {
    let method = |name: &&str| MethodDescription {
        name: (*name).to_owned(),
        description: String::new(),
        kind: None,
        arguments: Json::object::<&str>([]),
    };
    Description {
        type_name: TypeName::stored("@acme/dns"),
        version: None,
        is_add_on: false,
        methods: methods.iter().map(method).collect(),
        details,
        requirements: Vec::new(),
        notes: Vec::new(),
    }
}

fn section(name: &str, members: &[&str]) -> Json {
    Json::object([(name, Json::object(members.iter().map(|member| (*member, Json::from("its own")))))])
}

fn attach(base: &Description, add_ons: &[(&str, Description)]) -> Attachment {
    let sources: Vec<SourceId> = add_ons.iter().map(|(path, _)| source(path)).collect();
    let parts: Vec<_> = sources.iter().zip(add_ons.iter().map(|(_, description)| description)).collect();
    attachment::attach((&source("base.ts"), base), &parts)
}

fn collisions(attachment: &Attachment) -> Vec<String> {
    let text = |collision: &attachment::Collision| {
        format!("{} {} {} {}", collision.add_on, collision.what, collision.name, collision.taken_by)
    };
    attachment.collisions.iter().map(text).collect()
}

#[test]
fn a_base_alone_is_itself() {
    let base = description(&["run"], section("checks", &["alive"]));
    let attached = attach(&base, &[]);
    assert_eq!((attached.description, attached.methods.len(), attached.collisions.len()), (base, 0, 0));
}

#[test]
fn fault_24_each_name_belongs_to_the_first_that_has_it() {
    let base = description(&["run"], section("checks", &["alive"]));
    let mut first = description(&["run", "more"], section("checks", &["alive", "deep"]));
    let Json::Object(details) = &mut first.details else { unreachable!("an object") };
    details.push((RECORDS.to_owned(), Json::object([("run", Json::from(0)), ("more", Json::from(3))])));
    let second = description(&["more", "last"], section("resources", &["zone"]));
    let attached = attach(&base, &[("a.ts", first), ("b.ts", second)]);
    let names: Vec<&str> = attached.description.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["run", "more", "last"]);
    assert_eq!(attached.methods["more"].add_on, source("a.ts"));
    assert_eq!(attached.methods["more"].record, 3);
    assert_eq!(collisions(&attached), ["a.ts method run base.ts", "a.ts check alive base.ts", "b.ts method more a.ts"]);
    let details = attached.description.details.to_string();
    assert_eq!(details, r#"{"checks":{"alive":"its own","deep":"its own"},"resources":{"zone":"its own"}}"#);
}

#[test]
fn the_whole_needs_what_its_parts_need() {
    let mut base = description(&[], Json::object::<&str>([]));
    base.requirements = vec!["fetch".to_owned()];
    let mut more = description(&[], Json::object::<&str>([]));
    more.requirements = vec!["deno".to_owned(), "fetch".to_owned()];
    assert_eq!(attach(&base, &[("a.ts", more)]).description.requirements, ["deno", "fetch"]);
}
