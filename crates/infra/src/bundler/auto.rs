//! Which bundler builds an entry: the embedded one where it can, else Deno; or what the configuration says.

use std::sync::Arc;

use async_trait::async_trait;
use mangrove_domain::{
    bundle::Bundle,
    failure::{Failure, Fault},
    outage::Outages,
    package::PackageRequest,
    ports::{AttemptCache, BuildFailure, BundleRequest, Bundler},
    route::Route,
};

use super::deno::needs_deno;

/// What the configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The embedded bundler, but Deno for entries that import from `jsr:` or an address.
    #[default]
    Auto,
    /// The embedded bundler for all.
    Embedded,
    /// Deno for all.
    Deno,
}

impl Choice {
    /// Every choice.
    pub const ALL: [Choice; 3] = [Choice::Auto, Choice::Embedded, Choice::Deno];

    /// As configurations spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Choice::Auto => "auto",
            Choice::Embedded => "embedded",
            Choice::Deno => "deno",
        }
    }

    /// The choice that a configuration spells.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == text)
    }
}

/// Both bundlers behind one port.
pub struct AutoBundler {
    choice: Choice,
    embedded: Arc<dyn Bundler>,
    deno: Arc<dyn Bundler>,
}

impl AutoBundler {
    /// Chooses between the two.
    #[must_use]
    pub fn new(choice: Choice, embedded: Arc<dyn Bundler>, deno: Arc<dyn Bundler>) -> Self {
        Self { choice, embedded, deno }
    }

    fn chosen<'a>(&self, specifiers: impl IntoIterator<Item = &'a str>) -> &dyn Bundler {
        let is_deno = match self.choice {
            Choice::Embedded => false,
            Choice::Deno => true,
            Choice::Auto => specifiers.into_iter().any(needs_deno),
        };
        if is_deno { self.deno.as_ref() } else { self.embedded.as_ref() }
    }
}

#[async_trait]
impl Bundler for AutoBundler {
    async fn route(&self, request: &PackageRequest) -> Route {
        self.chosen(request.specifiers.iter().map(String::as_str)).route(request).await
    }

    async fn fails_again(&self, request: &PackageRequest, earlier: &Failure) -> Option<Fault> {
        self.chosen(request.specifiers.iter().map(String::as_str)).fails_again(request, earlier).await
    }

    fn remembering_in(&self, cache: Arc<dyn AttemptCache>) -> Option<Arc<dyn Bundler>> {
        let embedded = self.embedded.remembering_in(cache)?;
        Some(Arc::new(Self { choice: self.choice, embedded, deno: Arc::clone(&self.deno) }))
    }

    async fn bundle(&self, request: BundleRequest, outages: &Arc<Outages>) -> Result<Bundle, BuildFailure> {
        self.chosen(request.graph.externals()).bundle(request, outages).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deno_is_for_what_no_npm_registry_has() {
        let needed: Vec<&str> = ["npm:zod@4", "node:fs", "jsr:@std/path@1", "https://x/y.ts", "http://x/y.ts", "zod"]
            .into_iter()
            .filter(|specifier| needs_deno(specifier))
            .collect();
        assert_eq!(needed, ["jsr:@std/path@1", "https://x/y.ts", "http://x/y.ts"]);
    }

    #[test]
    fn choices_are_read_as_they_are_written() {
        for choice in Choice::ALL {
            assert_eq!(Choice::parse(choice.as_str()), Some(choice));
        }
        assert_eq!(Choice::parse("Deno"), None);
    }
}
