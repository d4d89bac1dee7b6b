//! Secrets in a command: the shell gets each of them in a variable, so that no secret is ever read as a command.

use crate::secrets::{Placeholders, TextPart};

/// How the names of the variables begin.
const PREFIX: &str = "__SWAMP_VAULT_";

/// A command without the secrets in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Quoted {
    /// The text for the shell.
    pub(super) text: String,
    /// The variables that it names, with their secrets.
    pub(super) variables: Vec<(String, String)>,
    /// How many secrets stand between single quotes, where the shell replaces no variable.
    pub(super) unreplaced: usize,
}

/// Puts a variable in the place of each secret: as `"${NAME}"`, or as `${NAME}` where quotes stand around it already.
pub(super) fn quote(placeholders: &Placeholders, command: &str) -> Quoted {
    let mut quoted = Quoted::default();
    let mut state = State::default();
    for part in placeholders.parts(command) {
        match part {
            TextPart::Text(text) => {
                state.read(text);
                quoted.text.push_str(text);
            }
            TextPart::Secret(secret) => {
                let name = format!("{PREFIX}{}", quoted.variables.len());
                match state.within() {
                    Within::Nothing => quoted.text.push_str(&format!("\"${{{name}}}\"")),
                    Within::Double => quoted.text.push_str(&format!("${{{name}}}")),
                    Within::Single => {
                        quoted.text.push_str(&format!("${{{name}}}"));
                        quoted.unreplaced += 1;
                    }
                }
                quoted.variables.push((name, secret));
                state.read("x");
            }
        }
    }
    quoted
}

/// What stands around a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    Double,
    Single,
}

/// What was begun and has not ended, as far as it changes what quotes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// `$( … )`, with this many parentheses open in it.
    Substitution(usize),
    /// `` ` … ` ``
    Backquotes,
    Double,
    Single,
    /// `# …` up to the end of the line.
    Comment,
}

/// Where in a command of the shell a place is.
#[derive(Debug)]
struct State {
    begun: Vec<Begun>,
    /// The character before is a backslash that counts.
    is_escaped: bool,
    before: char,
}

impl Default for State {
    fn default() -> Self {
        Self { begun: Vec::new(), is_escaped: false, before: '\n' }
    }
}

impl State {
    fn within(&self) -> Within {
        match self.begun.last() {
            Some(Begun::Double) => Within::Double,
            Some(Begun::Single) => Within::Single,
            Some(Begun::Substitution(_) | Begun::Backquotes | Begun::Comment) | None => Within::Nothing,
        }
    }

    fn read(&mut self, text: &str) {
        for character in text.chars() {
            self.step(character);
            self.before = character;
        }
    }

    fn step(&mut self, character: char) {
        if std::mem::take(&mut self.is_escaped) {
            return;
        }
        let begun = self.begun.last().copied();
        match (begun, character) {
            (Some(Begun::Single), '\'')
            | (Some(Begun::Double), '"')
            | (Some(Begun::Comment), '\n')
            | (Some(Begun::Substitution(0)), ')') => {
                self.begun.pop();
            }
            (Some(Begun::Single | Begun::Comment), _) => {}
            (_, '\\') => self.is_escaped = true,
            (_, '`') => {
                if self.begun.contains(&Begun::Backquotes) {
                    while self.begun.pop().is_some_and(|popped| popped != Begun::Backquotes) {}
                } else {
                    self.begun.push(Begun::Backquotes);
                }
            }
            (_, '(') if self.before == '$' => self.begun.push(Begun::Substitution(0)),
            (Some(Begun::Double), _) => {}
            (_, '\'') => self.begun.push(Begun::Single),
            (_, '"') => self.begun.push(Begun::Double),
            (_, '#') if self.before.is_whitespace() || matches!(self.before, ';' | '&' | '|' | '(') => {
                self.begun.push(Begun::Comment);
            }
            (Some(Begun::Substitution(open)), '(') => self.replace(Begun::Substitution(open + 1)),
            (Some(Begun::Substitution(open)), ')') => self.replace(Begun::Substitution(open - 1)),
            _ => {}
        }
    }

    fn replace(&mut self, begun: Begun) {
        if let Some(last) = self.begun.last_mut() {
            *last = begun;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command that becomes of one with a secret at each `@`.
    fn quoted(command: &str) -> Quoted {
        let placeholders = Placeholders::default();
        let mut text = String::new();
        for (index, part) in command.split('@').enumerate() {
            if index > 0 {
                text.push_str(&placeholders.put(format!("secret {index}")));
            }
            text.push_str(part);
        }
        quote(&placeholders, &text)
    }

    #[test]
    fn s1_inside_of_double_quotes_a_secret_is_a_variable() {
        let Quoted { text, variables, unreplaced } = quoted(r#"echo "t=@""#);
        assert_eq!(text, r#"echo "t=${__SWAMP_VAULT_0}""#);
        assert_eq!(variables, [("__SWAMP_VAULT_0".to_owned(), "secret 1".to_owned())]);
        assert_eq!(unreplaced, 0);
    }

    #[test]
    fn s2_outside_of_quotes_it_is_a_quoted_variable() {
        assert_eq!(quoted("echo @").text, r#"echo "${__SWAMP_VAULT_0}""#);
        assert_eq!(quoted("curl -u @:@ x").text, r#"curl -u "${__SWAMP_VAULT_0}":"${__SWAMP_VAULT_1}" x"#);
    }

    #[test]
    fn inside_of_single_quotes_the_shell_replaces_nothing() {
        let Quoted { text, unreplaced, .. } = quoted("echo '@' \"@\" '\"@\"'");
        assert_eq!(text, "echo '${__SWAMP_VAULT_0}' \"${__SWAMP_VAULT_1}\" '\"${__SWAMP_VAULT_2}\"'");
        assert_eq!(unreplaced, 2);
    }

    #[test]
    fn quotes_count_where_the_shell_counts_them() {
        for (command, expected) in [
            (r"echo \' @", Within::Nothing),
            (r#"echo "\" @""#, Within::Double),
            (r#"echo "it's @""#, Within::Double),
            (r"echo 'a\' @", Within::Nothing),
            (r#"echo "$(get @)""#, Within::Nothing),
            (r#"echo "$(get "@")""#, Within::Double),
            (r#"echo "$( (a); get) @""#, Within::Double),
            ("echo \"`get @`\"", Within::Nothing),
            ("echo \"`get x` @\"", Within::Double),
            ("# don't\necho @", Within::Nothing),
            ("echo a#b'@'", Within::Single),
            ("echo '@", Within::Single),
            ("a=(x) @", Within::Nothing),
        ] {
            let Quoted { text, unreplaced, .. } = quoted(command);
            let found = match (text.contains("\"${__SWAMP_VAULT_0}\""), unreplaced) {
                (_, 1) => Within::Single,
                // The quotes around it may be those of the command.
                (true, _) if !command.contains("\"@\"") => Within::Nothing,
                _ => Within::Double,
            };
            assert_eq!(found, expected, "{command} gives {text}");
        }
    }
}
