//! From `compilerOptions` to the bundler's transform options.

use mangrove_domain::{failure::Fault, json::Json, problem::Code};
use mangrove_fs::json_text;
use rolldown_common::{
    BundlerTransformOptions,
    bundler_options::{DecoratorOptions, Either, JsxOptions},
};
use serde::Deserialize;

/// The settings of `compilerOptions` that change output. Others are of no concern here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CompilerOptions {
    jsx: Option<String>,
    jsx_factory: Option<String>,
    jsx_fragment_factory: Option<String>,
    jsx_import_source: Option<String>,
    experimental_decorators: Option<bool>,
    emit_decorator_metadata: Option<bool>,
}

/// True if decorators are those of before the standard.
pub(super) fn has_legacy_decorators(compiler_options: &Json) -> bool {
    json_text::to_value(compiler_options).get("experimentalDecorators") == Some(&true.into())
}

/// The settings with one for JSX that the embedded bundler knows, where what it makes of the sources is thrown away.
#[cfg(feature = "deno")]
pub(super) fn without_precompile(compiler_options: &Json) -> Json {
    let known = |(name, value): &(String, Json)| {
        let is_it = name == "jsx" && value.as_str() == Some("precompile");
        (name.clone(), if is_it { Json::from("react-jsx") } else { value.clone() })
    };
    Json::Object(compiler_options.as_object().unwrap_or_default().iter().map(known).collect())
}

/// The transform options that `compilerOptions` asks for. Without a `jsx` setting JSX calls
/// `React.createElement`, as Deno has it.
pub(super) fn transform(compiler_options: &Json) -> Result<BundlerTransformOptions, Fault> {
    let options: CompilerOptions = serde_json::from_value(json_text::to_value(compiler_options)).map_err(|error| {
        Fault::deterministic(Code::INVALID_DOCUMENT, "config", format!("compilerOptions cannot be understood: {error}"))
    })?;
    let (runtime, development) = match options.jsx.as_deref() {
        // Sources with JSX to which `precompile` applies are refused before.
        Some("react-jsx" | "precompile" | "preserve") => ("automatic", false),
        Some("react-jsxdev") => ("automatic", true),
        _ => ("classic", false),
    };
    Ok(BundlerTransformOptions {
        jsx: Some(Either::Right(JsxOptions {
            runtime: Some(runtime.to_owned()),
            development: Some(development),
            import_source: options.jsx_import_source.filter(|_| runtime == "automatic"),
            pragma: options.jsx_factory.filter(|_| runtime == "classic"),
            pragma_frag: options.jsx_fragment_factory.filter(|_| runtime == "classic"),
            ..JsxOptions::default()
        })),
        decorator: Some(DecoratorOptions {
            legacy: options.experimental_decorators,
            emit_decorator_metadata: options.emit_decorator_metadata,
            strict_null_checks: None,
        }),
        ..BundlerTransformOptions::default()
    })
}
