//! Sources that tests share.

/// A healthy model of this type. It needs no package.
pub(crate) fn model(type_name: &str) -> String {
    model_with("", type_name, "")
}

/// A healthy model with code before its export, and further members of the export.
pub(crate) fn model_with(head: &str, type_name: &str, members: &str) -> String {
    format!(
        "{head}
const schema = () => ({{ _def: {{}}, parse: (value) => value, safeParse: (value) => ({{ success: true, data: value }}) }});

export const model = {{
  type: \"{type_name}\",
  version: \"2026.05.23.1\",
  {members}
  methods: {{
    greet: {{
      description: \"Greet somebody\",
      arguments: schema(),
      execute: async (args, context) => {{
        context.logger.info(`hello ${{args.name}}`);
        return {{ dataHandles: [] }};
      }},
    }},
  }},
}};
"
    )
}

/// A model that does not parse, but says its type.
pub(crate) fn broken(type_name: &str) -> String {
    model_with("const unfinished = { list: [;", type_name, "")
}
