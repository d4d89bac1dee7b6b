//! Properties of the mask, over values and spellings by chance.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mangrove_domain::json::Json;
use proptest::prelude::*;

use super::forms::Finder;

/// Stands around what is searched, and in no value.
const EDGE: &str = "\u{1}";

fn masked(value: &str, text: &str) -> String {
    Finder::new(value).replace(format!("{EDGE}{text}{EDGE}"), "***")
}

fn whole() -> String {
    format!("{EDGE}***{EDGE}")
}

/// One way to spell a character.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Raw,
    Unit,
    Braces,
    Byte,
    Percent(usize),
    PercentUnit,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    prop_oneof![
        Just(Spelling::Raw),
        Just(Spelling::Unit),
        Just(Spelling::Braces),
        Just(Spelling::Byte),
        (1_usize..4).prop_map(Spelling::Percent),
        Just(Spelling::PercentUnit),
    ]
}

fn spell(letter: char, spelling: Spelling) -> String {
    let units = |prefix: &str| {
        letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("{prefix}{unit:04x}")).collect::<Vec<_>>().concat()
    };
    match spelling {
        Spelling::Raw => letter.to_string(),
        Spelling::Byte if u32::from(letter) <= 0xff => format!("\\x{:02X}", u32::from(letter)),
        Spelling::Byte | Spelling::Unit => units("\\u"),
        Spelling::Braces => format!("\\u{{{:x}}}", u32::from(letter)),
        Spelling::Percent(depth) => {
            let signs = format!("%{}", "25".repeat(depth - 1));
            letter
                .encode_utf8(&mut [0; 4])
                .bytes()
                .map(|byte| format!("{signs}{byte:02X}"))
                .collect::<Vec<_>>()
                .concat()
        }
        Spelling::PercentUnit => units("%u"),
    }
}

/// A value without backslashes, and how each of its letters is spelled.
fn spelled_value(letters: &'static str) -> impl Strategy<Value = Vec<(char, Spelling)>> {
    let letters: Vec<char> = letters.chars().collect();
    prop::collection::vec((prop::sample::select(letters), spelling()), 3..24)
}

fn value_of(spelled: &[(char, Spelling)]) -> String {
    spelled.iter().map(|(letter, _)| *letter).collect()
}

fn text_of(spelled: &[(char, Spelling)]) -> String {
    spelled.iter().map(|(letter, spelling)| spell(*letter, *spelling)).collect()
}

fn bytes_of(text: &str, encoding: usize) -> Vec<u8> {
    match encoding {
        0 => text.as_bytes().to_vec(),
        1 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        2 => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => text.chars().filter_map(|letter| u8::try_from(letter).ok()).collect(),
    }
}

proptest! {
    #[test]
    fn f09_a_value_is_masked_however_its_letters_are_spelled(
        spelled in spelled_value("abcXYZ0129%25uxn+/\"'{}: -_.~é€😀"),
    ) {
        prop_assert_eq!(masked(&value_of(&spelled), &text_of(&spelled)), whole());
    }

    #[test]
    fn f09_a_value_is_masked_as_it_is_and_in_json(value in "[ -~éü€😀]{3,40}", depth in 0_usize..4) {
        let mut text = value.clone();
        for _ in 0..depth {
            let quoted = Json::from(text.as_str()).to_string();
            text = quoted[1..quoted.len() - 1].to_owned();
        }
        prop_assert_eq!(masked(&value, &text), whole());
    }

    #[test]
    fn f09_a_value_with_escapes_is_masked_as_it_is_and_in_json(value in "[\\\\nrtux0-4%\"/a]{3,24}", depth in 0_usize..4) {
        let mut text = value.clone();
        for _ in 0..depth {
            let quoted = Json::from(text.as_str()).to_string();
            text = quoted[1..quoted.len() - 1].to_owned();
        }
        prop_assert_eq!(masked(&value, &text), whole());
    }

    #[test]
    fn f09_the_bytes_of_a_value_are_masked_in_every_encoding(
        value in "[a-zA-Z0-9à-ÿ]{8,24}",
        before in "[a-z]{0,5}",
        after in "[a-z]{0,5}",
        encoding in 0_usize..4,
    ) {
        let bytes = bytes_of(&format!("{before}{value}{after}"), encoding);
        let around = bytes.len() - bytes_of(&value, encoding).len();
        let in_base64 = masked(&value, &STANDARD.encode(&bytes));
        let rest = in_base64.replace("***", "").replace(EDGE, "").replace('=', "");
        prop_assert!(in_base64.contains("***") && rest.len() * 6 / 8 <= around, "{}", in_base64);
        let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let in_digits = masked(&value, &digits);
        prop_assert!(in_digits.contains("***"), "{}", in_digits);
        prop_assert_eq!(in_digits.replace("***", "").len(), 2 * around + 2 * EDGE.len());
        let units = value.encode_utf16().map(|unit| format!("{unit:x}")).collect::<Vec<_>>().concat();
        prop_assert_eq!(masked(&value, &units), whole());
    }

    #[test]
    fn f09_what_differs_in_one_letter_is_not_masked(
        spelled in spelled_value("ghijkmnopqrXY"),
        at in any::<prop::sample::Index>(),
    ) {
        let value = value_of(&spelled);
        // A letter that no spelling of another one contains.
        let mut other = spelled.clone();
        other[at.index(spelled.len())].0 = 'z';
        let text = text_of(&other);
        prop_assert_eq!(masked(&value, &text), format!("{EDGE}{text}{EDGE}"));
    }

    #[test]
    fn f09_ordinary_text_is_left_alone(value in "[A-Z]{3,16}", text in "[ -@\\[-~\n]{0,200}") {
        // Without capital letters only digits could spell the value.
        let plain = text.replace(['%', '\\'], "");
        prop_assert_eq!(masked(&value, &plain), format!("{EDGE}{plain}{EDGE}"));
    }
}

/// With a cost that grows with the square of the length, each of these would take minutes.
#[test]
fn f09_no_text_costs_more_than_its_length() {
    let texts =
        ["\\".repeat(300_000), "%".repeat(300_000), "%25".repeat(100_000), format!("%{}", "25".repeat(150_000))];
    for value in ["s3cret-value", "%25%25%25%25", "\\n\\n\\n\\nx", "\\\\\\server"] {
        let found: Vec<bool> = texts.iter().map(|text| masked(value, text).contains("***")).collect();
        assert_eq!(found, [false, false, value.starts_with('%'), false], "{value}");
    }
    let many = "%".repeat(20_000);
    assert_eq!(masked(&many, &"%25".repeat(20_000)), whole());
}
