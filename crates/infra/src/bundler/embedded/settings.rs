//! How the bundler is set.

use mangrove_domain::ports::{BuildFailure, BundleRequest};
use rolldown::{BundlerOptions, InputItem};
use rolldown_common::bundler_options::{
    AttachDebugInfo, ChecksOptions, CodeSplittingMode, ExperimentalOptions, InlineConstOption, LogLevel,
    OptimizationOption, OutputFormat, Platform, RawMinifyOptions, SourceMapType, TreeshakeOptions, TsConfig,
};

use super::ids::ROOT;

/// The settings for a request whose entry has this id.
pub(super) fn options(request: &BundleRequest, entry: &str) -> Result<BundlerOptions, BuildFailure> {
    Ok(BundlerOptions {
        input: Some(vec![InputItem { name: Some("bundle".to_owned()), import: entry.to_owned() }]),
        cwd: Some(ROOT.into()),
        // What stands behind an unconditional `throw` is unreachable, and its exports are exports all the same.
        minify: Some(RawMinifyOptions::Bool(false)),
        // Source map paths are relative to the output directory.
        dir: Some(ROOT.to_owned()),
        entry_filenames: Some("bundle.js".to_owned().into()),
        format: Some(OutputFormat::Esm),
        platform: Some(Platform::Neutral),
        code_splitting: Some(CodeSplittingMode::Bool(false)),
        sourcemap: Some(SourceMapType::Hidden),
        tsconfig: Some(TsConfig::Auto(false)),
        transform: Some(super::super::options::transform(&request.graph.compiler_options)?),
        // Code tells errors apart by the names of their classes.
        keep_names: Some(true),
        // Both would evaluate constant expressions, with other results than the engines in places.
        treeshake: TreeshakeOptions::Boolean(false),
        optimization: Some(OptimizationOption {
            inline_const: Some(InlineConstOption::Bool(false)),
            ..OptimizationOption::default()
        }),
        experimental: Some(ExperimentalOptions {
            attach_debug_info: Some(AttachDebugInfo::None),
            ..ExperimentalOptions::default()
        }),
        checks: Some(ChecksOptions::default()),
        log_level: Some(LogLevel::Silent),
        ..BundlerOptions::default()
    })
}
