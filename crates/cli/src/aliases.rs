//! Commands as they are written for the program that had this format first.

use std::ffi::OsString;

/// The same arguments in the order in which this program reads them: `model @type method run METHOD NAME` names the type
/// before what is done with it.
pub(crate) fn usual(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_at = |at: usize, word: &str| arguments.get(at).is_some_and(|argument| argument == word);
    let is_type = |at: usize| {
        arguments.get(at).and_then(|argument| argument.to_str()).is_some_and(|argument| argument.starts_with('@'))
    };
    let model = (0..arguments.len())
        .find(|at| is_at(*at, "model") && is_type(at + 1) && is_at(at + 2, "method") && is_at(at + 3, "run"));
    if let Some(model) = model {
        arguments[model + 1..=model + 3].rotate_left(1);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_before_its_method_is_moved_behind_it() {
        let usual = |text: &str| {
            let arguments = usual(text.split(' ').map(OsString::from));
            arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(usual("mangrove model @t/echo method run say n"), "mangrove model method run @t/echo say n");
        assert_eq!(
            usual("mangrove --json model @t/echo method run say n --input a=b"),
            "mangrove --json model method run @t/echo say n --input a=b"
        );
        for same in ["mangrove model method run @t/echo say n", "mangrove model get @t/echo", "mangrove model"] {
            assert_eq!(usual(same), same);
        }
    }
}
