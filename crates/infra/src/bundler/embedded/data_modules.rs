//! Modules whose text is the address by which they are imported.

use std::borrow::Cow;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::percent_decode_str;
use rolldown_common::ModuleType;
use url::{Position, Url};

use super::imports::json_module;

/// Padding may be left out, as it may be wherever such addresses are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// True for the address of a module that is its own text.
pub(super) fn is_data(address: &str) -> bool {
    address.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// Such a module.
#[derive(Debug)]
pub(super) struct DataModule {
    pub(super) text: String,
    /// What its address says that it is; what says nothing that is known is JavaScript, as in Deno.
    pub(super) kind: ModuleType,
    /// A name of a file of this kind.
    pub(super) file_name: &'static str,
    /// The address as engines write it.
    pub(super) address: String,
}

/// Reads an address; `None` if it holds no text.
pub(super) fn read(address: &str) -> Option<DataModule> {
    let url = Url::parse(address).ok()?;
    let (head, body) = url[Position::BeforePath..Position::AfterQuery].split_once(',')?;
    let mut parts = head.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_base64 = parts.next_back().is_some_and(|last| last.eq_ignore_ascii_case("base64"));
    let bytes: Cow<'_, [u8]> = percent_decode_str(body).into();
    let bytes = if is_base64 {
        let letters: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        BASE64.decode(letters).ok()?
    } else {
        bytes.into_owned()
    };
    let (kind, file_name) = match media.as_str() {
        "application/typescript"
        | "application/x-typescript"
        | "text/typescript"
        | "video/mp2t"
        | "video/vnd.dlna.mpeg-tts" => (ModuleType::Ts, "data.ts"),
        "text/jsx" => (ModuleType::Jsx, "data.jsx"),
        "text/tsx" => (ModuleType::Tsx, "data.tsx"),
        "application/json" | "text/json" => (ModuleType::Json, "data.json"),
        _ => (ModuleType::Js, "data.js"),
    };
    Some(DataModule { text: String::from_utf8(bytes).ok()?, kind, file_name, address: url.into() })
}

impl DataModule {
    /// What the bundler gets: the text and what it is.
    pub(super) fn loaded(self, is_text: bool) -> (String, ModuleType) {
        if is_text {
            return (self.text, ModuleType::Text);
        }
        match json_module(self.file_name, &self.text) {
            Some(code) => (code, ModuleType::Js),
            None => (self.text, self.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_kind_of_addresses() {
        for (address, file_name, text) in [
            ("data:text/javascript,export const a = 1", "data.js", "export const a = 1"),
            ("data:text/javascript;base64,ZXhwb3J0IGNvbnN0IGEgPSAz", "data.js", "export const a = 3"),
            ("DATA:application/typescript;charset=utf-8;BASE64,YQ", "data.ts", "a"),
            ("data:application/json,%7B%22a%22:[1]%7D?b#c", "data.json", "{\"a\":[1]}?b"),
            ("data:,a,b", "data.js", "a,b"),
        ] {
            let module = read(address).unwrap();
            assert_eq!((module.file_name, module.text.as_str()), (file_name, text), "{address}");
        }
        for broken in ["data:text/javascript", "data:;base64,!!!!", "data:,%ff"] {
            assert!(read(broken).is_none(), "{broken}");
        }
    }
}
