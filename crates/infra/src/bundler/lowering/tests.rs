use super::{Source, lower};

fn source(text: &str) -> Source<'_> {
    Source { path: "a.ts", address: "a.ts", text, has_wrong_assignments: false, has_legacy_decorators: false }
}

fn lowered(text: &str) -> Option<String> {
    lower(source(text)).map(|(code, _)| code)
}

#[test]
fn what_needs_no_change_is_left_alone() {
    for text in [
        "class A { x = 1; constructor(readonly_: string) {} }",
        "const a = '@private'; export const b = { constructor: a };",
        "class A { private x = 1; constructor() {} }",
        "declare class A { constructor(private x: string); }",
        "class A { constructor(private x: string);",
    ] {
        assert_eq!(lowered(text), None, "{text}");
    }
}

#[test]
fn older_decorators_are_left_to_whoever_knows_them() {
    let text = "class A { @d x = 1; @d m() {} }";
    assert!(lowered(text).is_some());
    assert!(lower(Source { has_legacy_decorators: true, ..source(text) }).is_none());
}

#[test]
fn fields_wait_for_parameter_properties() {
    let text = "class A { x: number = this.y; constructor(private y: number) {} }";
    assert_eq!(
        lowered(text).unwrap(),
        "class A { y; x; #__lowered_field1() { return (this.y); }; constructor(y: number) { this.y = y; \
         this.x = this.#__lowered_field1();} }"
    );
}

#[test]
fn lines_stay_where_they_were() {
    let text = "class A {\n  x =\n    this.y;\n  @d\n  m() {\n    throw 1;\n  }\n  constructor(\n    private y: number,\n  ) {}\n}\n";
    let (code, map) = lower(source(text)).unwrap();
    let at = code.split('\n').position(|line| line.contains("throw 1")).unwrap();
    let table = map.generate_lookup_table();
    let token = map.lookup_token(&table, u32::try_from(at).unwrap(), 4).unwrap();
    assert_eq!(token.get_src_line(), 5, "{code}");
}

#[test]
fn a_class_in_a_field_of_a_class_is_closed_before_it() {
    let text = "class A { inner = class { @d m() {} }; constructor(private y: number) {} }";
    let code = lowered(text).unwrap();
    assert!(code.contains("}[\"inner\"]; })()); }; constructor"), "{code}");
}

#[test]
fn names_that_the_file_has_are_not_given_again() {
    let code = lowered("const __lowered = 1; class A { @d m() {} }").unwrap();
    assert!(code.starts_with("import { applyDecorators as __lowered_ }"), "{code}");
}

#[test]
fn a_file_is_told_where_it_lies_itself() {
    let text = "const here = new URL('.', import.meta.url);";
    let code = "import { importMeta as __import_meta } from \"mangrove:import-meta\"; \
                const here = new URL('.', __import_meta(\"models/a%20b.js?x=1\").url);";
    let source = Source { path: "models/a b.js", address: "models/a%20b.js?x=1", ..source(text) };
    assert_eq!(lower(source).map(|(code, _)| code).as_deref(), Some(code));
    assert_eq!(lowered("// import.meta"), None);
    let code = lowered("const a = b\nimport.meta.resolve('./c')\nnew import.meta.X()").unwrap();
    assert!(code.ends_with("b\n__import_meta(\"a.ts\").resolve('./c')\nnew (__import_meta(\"a.ts\")).X()"), "{code}");
    let both = lowered("@d(import.meta.url) class A {}").unwrap();
    assert!(both.contains("d(__import_meta(\"a.ts\").url)"), "{both}");
}
