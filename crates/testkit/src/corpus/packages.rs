//! Repositories whose entries describe what they take and give with a schema library, as real ones do, and of which some
//! call a cloud through an SDK.

use std::{fmt::Write as _, fs, io, path::Path};

use mangrove_domain::state::StateName;

use super::{Expected, library_path};
use crate::archives::FakePackage;

/// What every entry imports.
pub const SCHEMAS: &str = "npm:zod@4";

/// What some entries import.
pub const SDK: &str = "npm:@aws-sdk/client-sts@3";

/// Of so many entries in a hundred.
pub const SDK_PERCENT: usize = 7;

/// Entries of one extension.
pub const ENTRIES_OF_EXTENSION: usize = 6;

/// Writes a repository of so many entries of 4 to 10 KB, marker included, into `directory`. Every entry and every shared
/// file imports [`SCHEMAS`], the first entry and [`SDK_PERCENT`] of a hundred [`SDK`]. The answer is sorted by path.
///
/// # Errors
/// Whatever the file system says.
pub fn write(directory: &Path, entries: usize) -> io::Result<Vec<Expected>> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("mangrove.yaml"), "repoId: 00000000-0000-4000-8000-00000000c0de\n")?;
    let mut expected = Vec::with_capacity(entries);
    for number in 0..entries {
        let service = format!("p{:04}", number / ENTRIES_OF_EXTENSION);
        let folder = directory.join("extensions/models").join(&service);
        if number % ENTRIES_OF_EXTENSION == 0 {
            fs::create_dir_all(folder.join("_lib"))?;
            fs::write(directory.join(library_path(&service)), library(&service))?;
        }
        let name = format!("item{number:05}");
        let path = format!("extensions/models/{service}/{name}.ts");
        let type_name = format!("@corpus/{service}/{name}");
        fs::write(directory.join(&path), entry(number, &type_name))?;
        expected.push(Expected { path, service, type_name: Some(type_name), state: StateName::Indexed });
    }
    expected.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(expected)
}

/// Something small in the place of [`SCHEMAS`] and [`SDK`], for a registry on this machine.
#[must_use]
pub fn stand_ins() -> [FakePackage; 2] {
    let module = |name: &str, version: &str, code: &str| {
        FakePackage::new(name, version).metadata("exports", "./index.js".into()).file("index.js", code)
    };
    let schemas = "const schema = (definition) => {\n  const made = { _def: definition, parse: (value) => value, \
        safeParse: (value) => ({ success: true, data: value }) };\n  \
        for (const name of [\"describe\", \"optional\", \"min\", \"max\", \"int\", \"default\"]) made[name] = () => \
        schema(definition);\n  return made;\n};\n\
        export const toJSONSchema = () => ({});\n\
        export const z = { toJSONSchema };\n\
        for (const name of [\"string\", \"number\", \"boolean\", \"enum\", \"array\", \"object\"]) z[name] = (of) => \
        schema({ name, of });\n";
    let sdk = "export class STSClient { async send() { return {}; } }\nexport class GetCallerIdentityCommand {}\n";
    [module("zod", "4.0.0", schemas), module("@aws-sdk/client-sts", "3.0.0", sdk)]
}

/// True for as many of each hundred entries as [`SDK_PERCENT`] says, spread evenly; the first is one.
fn has_sdk(number: usize) -> bool {
    (number * SDK_PERCENT) % 100 < SDK_PERCENT
}

fn library(service: &str) -> String {
    format!(
        "// Shared by the models of {service}.\n\nimport {{ z }} from \"{SCHEMAS}\";\n\n\
         export interface Context {{ writeResource(spec: string, instance: string, data: unknown): Promise<unknown>; }}\n\n\
         export const Tags = z.array(z.object({{\n  key: z.string().min(1).max(128).describe(\"The key of a tag\"),\n  \
         value: z.string().max(256).describe(\"Its value\"),\n}})).describe(\"Tags of the {service}\");\n\n\
         export const Region = z.enum([\"eu-central-1\", \"eu-west-1\", \"us-east-1\", \"us-west-2\"])\n  \
         .describe(\"The region of the {service}\");\n\n\
         export const revision = \"1\";\n\n\
         export function identifier(parts: string[]): string {{\n  return [\"{service}\", revision, ...parts].join(\"/\");\n}}\n"
    )
}

/// The words that fields are named by.
const WORDS: [&str; 12] =
    ["name", "owner", "size", "mode", "zone", "policy", "limit", "window", "target", "label", "bucket", "network"];

/// One field of an object, in one of ten shapes.
fn field(number: usize, index: usize) -> String {
    let word = WORDS[(number + index) % WORDS.len()];
    let about = format!("The {word} that request {index} of thing {number} goes by");
    let schema = match (number + index) % 10 {
        0 => format!("z.string().min(1).max({})", 32 + index),
        1 => format!("z.number().int().min(0).max({})", 1_000 + number % 100),
        2 => "z.boolean().default(false)".to_owned(),
        3 => format!("z.enum([\"{word}-low\", \"{word}-middle\", \"{word}-high\"])"),
        4 => format!("z.array(z.string().describe(\"One {word}\")).max(20)"),
        5 => "z.string().optional()".to_owned(),
        6 => format!(
            "z.object({{\n      first: z.string().describe(\"The first {word}\"),\n      \
             second: z.number().optional().describe(\"The second {word}, if any\"),\n    }})"
        ),
        7 => "Tags".to_owned(),
        8 => "z.number().min(0).max(1).optional()".to_owned(),
        _ => "z.array(z.object({ key: z.string(), amount: z.number().int() })).optional()".to_owned(),
    };
    format!("    {word}{index}: {schema}.describe(\"{about}\"),\n")
}

fn object(number: usize, fields: usize) -> String {
    let fields: String = (0..fields).map(|index| field(number, index)).collect();
    format!("z.object({{\n    id: z.string().min(1).describe(\"What it is known by\"),\n{fields}  }})")
}

fn entry(number: usize, type_name: &str) -> String {
    let has_sdk = has_sdk(number);
    let sdk = if has_sdk {
        format!("import {{ GetCallerIdentityCommand, STSClient }} from \"{SDK}\";\n")
    } else {
        String::new()
    };
    let mut text = format!(
        "// Thing {number}.\n\nimport {{ z }} from \"{SCHEMAS}\";\n{sdk}\
         import {{ identifier, Region, revision, Tags, type Context }} from \"./_lib/shared.ts\";\n\n"
    );
    let globals = object(number + 3, 4 + number % 4);
    let _ = write!(text, "const GlobalArguments = z.object({{\n  region: Region,\n  settings: {globals},\n}});\n\n");
    for (index, method) in METHODS.iter().enumerate() {
        let _ = write!(text, "const {method}Arguments = {};\n\n", object(number + 5 * index, 9 + (number + index) % 3));
    }
    let _ = write!(text, "const State = {};\n\n", object(number + 1, 6 + number % 5));
    text.push_str(CALL);
    if has_sdk {
        text.push_str(CALL_BY_SDK);
    }
    let _ = write!(
        text,
        "export const model = {{\n  type: \"{type_name}\",\n  version: \"2026.05.23.1\",\n  globalArguments: GlobalArguments,\n  \
         resources: {{\n    state: {{ description: \"What is known of thing {number}\", schema: State, \
         lifetime: \"infinite\", garbageCollection: 10 }},\n  }},\n  methods: {{\n"
    );
    let caller = if has_sdk { "await caller()" } else { "\"nobody\"" };
    for method in METHODS {
        let _ = write!(
            text,
            "    {method}: {{\n      description: \"{method} thing {number}\",\n      arguments: {method}Arguments,\n      \
             execute: async (args: {{ id: string }}, context: Context) => {{\n        \
             const made = request(\"{method}\", args.id);\n        \
             const handle = await context.writeResource(\"state\", args.id, {{ ...made, by: {caller} }});\n        \
             return {{ dataHandles: [handle] }};\n      }},\n    }},\n"
        );
    }
    text.push_str("  },\n};\n");
    text
}

const METHODS: [&str; 3] = ["create", "read", "remove"];

const CALL: &str = "function request(method: string, id: string): { id: string; place: string; revision: string } {\n  \
    return { id, place: identifier([method, id]), revision };\n}\n\n";

const CALL_BY_SDK: &str = "async function caller(): Promise<unknown> {\n  \
    const client = new STSClient({ region: \"eu-central-1\" });\n  \
    return await client.send(new GetCallerIdentityCommand({}));\n}\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_long_as_real_ones_and_some_have_an_sdk() {
        let directory = tempfile::tempdir().expect("a directory");
        let expected = write(directory.path(), 200).expect("a corpus");
        let texts: Vec<String> = expected
            .iter()
            .map(|entry| fs::read_to_string(directory.path().join(&entry.path)).expect("an entry"))
            .collect();
        for (entry, text) in expected.iter().zip(&texts) {
            assert!((4_000..10_240).contains(&text.len()), "{}: {} bytes", entry.path, text.len());
            assert!(text.contains(&format!("type: \"{}\"", entry.type_name.as_deref().unwrap_or_default())));
            assert!(text.contains(SCHEMAS));
            assert!(directory.path().join(library_path(&entry.service)).is_file());
        }
        assert_eq!(texts.iter().filter(|text| text.contains(SDK)).count(), 2 * SDK_PERCENT);
        assert!(texts[0].contains(SDK), "the first one fetches everything");
    }
}
