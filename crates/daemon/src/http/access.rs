//! Who may ask for what: bearer tokens with scopes.

use std::collections::BTreeSet;

use mangrove_domain::{
    position::Position,
    problem::{Code, Problem},
};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

/// What a token allows. Each scope includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Looking at everything.
    Read,
    /// Starting and cancelling runs, scanning, trying again.
    Run,
    /// What can lose something: a scan that accepts mass removal.
    Admin,
}

impl Scope {
    /// Every scope, the smallest first.
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Run, Scope::Admin];

    /// `read`, `run` or `admin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Run => "run",
            Scope::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name of the token; `anyone` where none is needed.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
}

/// Who may ask.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody who reaches the address, for everything.
    Open,
    /// Whoever has one of these tokens.
    Tokens(Vec<Token>),
}

/// A token. Of its secret only the digest is kept.
#[derive(Clone, Debug)]
pub struct Token {
    identity: Identity,
    /// SHA-256 of the secret.
    digest: [u8; 32],
}

/// The shortest secret that a file of tokens may have, in bytes.
const SHORTEST_SECRET: usize = 16;

impl Access {
    /// The tokens of a file: on each line a name, a scope (`read`, `run` or `admin`) and the secret, with white space between
    /// them. The secret stands there as `sha256:` and its digest in hexadecimal digits, or as it is, at least 16 bytes
    /// long. Empty lines and lines that begin with `#` say nothing. `file` is what people call the file.
    ///
    /// # Errors
    /// Everything that is wrong with it. No message contains a secret.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let (mut tokens, mut problems, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let position = Position { file: file.to_owned(), line: number, column: 1 };
            let token = token(line).and_then(|token| {
                let is_new = names.insert(token.identity.name.clone());
                if is_new { Ok(token) } else { Err(format!("two tokens have the name `{}`", token.identity.name)) }
            });
            match token {
                Ok(token) => tokens.push(token),
                Err(message) => {
                    problems.push(Problem::error(Code::INVALID_DOCUMENT, file, message).at(position));
                }
            }
        }
        if tokens.is_empty() && problems.is_empty() {
            let message = "the file has no token, so that nobody could ask for anything";
            problems.push(Problem::error(Code::INVALID_DOCUMENT, file, message));
        }
        if problems.is_empty() { Ok(Access::Tokens(tokens)) } else { Err(problems) }
    }

    /// Who presents this secret; `None` if nobody has it. Takes the same time for every secret of one length.
    #[must_use]
    pub fn identify(&self, secret: Option<&str>) -> Option<Identity> {
        let tokens = match self {
            Access::Open => return Some(Identity { name: "anyone".to_owned(), scope: Scope::Admin }),
            Access::Tokens(tokens) => tokens,
        };
        let presented = sha256(secret?.as_bytes());
        let mut found = None;
        for token in tokens {
            if bool::from(token.digest.ct_eq(&presented)) {
                found = Some(&token.identity);
            }
        }
        found.cloned()
    }
}

fn token(line: &str) -> Result<Token, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(scope), Some(secret), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err("expected a name, a scope and a secret, with white space between them".to_owned());
    };
    let Some(scope) = Scope::parse(scope) else {
        return Err(format!("`{name}`: the scope is none of read, run, admin"));
    };
    let digest = match secret.strip_prefix("sha256:") {
        Some(hexadecimal) => from_hexadecimal(hexadecimal)
            .ok_or_else(|| format!("`{name}`: expected 64 hexadecimal digits after `sha256:`"))?,
        None if secret.len() < SHORTEST_SECRET => {
            return Err(format!(
                "`{name}`: the secret is shorter than {SHORTEST_SECRET} bytes; `openssl rand -hex 32` gives one"
            ));
        }
        None => sha256(secret.as_bytes()),
    };
    Ok(Token { identity: Identity { name: name.to_owned(), scope }, digest })
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0; 32];
    array.copy_from_slice(digest(&SHA256, bytes).as_ref());
    array
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct-horse-battery";
    const DIGEST: &str = "62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d";

    fn scope(access: &Access, secret: &str) -> Option<Scope> {
        access.identify(Some(secret)).map(|identity| identity.scope)
    }

    #[test]
    fn a_token_is_known_by_its_secret_or_by_the_digest_of_it() {
        let file = format!("# who may ask\n\nci run sha256:{DIGEST}\nwall\tread  a-screen-on-the-wall\n");
        let access = Access::parse("tokens", &file).expect("tokens");
        assert_eq!(scope(&access, SECRET), Some(Scope::Run));
        assert_eq!(scope(&access, "a-screen-on-the-wall"), Some(Scope::Read));
        assert_eq!(scope(&access, DIGEST), None, "the digest is no secret");
        assert_eq!(scope(&access, ""), None);
        assert_eq!(access.identify(None), None);
        assert_eq!(Access::Open.identify(None).map(|identity| identity.scope), Some(Scope::Admin));
    }

    #[test]
    fn everything_that_is_wrong_with_a_file_is_said_without_a_secret() {
        let file = "one read short\ntwo write a-long-enough-secret\nthree read\nfour read sha256:00zz\n\
                    five run a-long-enough-secret\nfive run another-long-secret\n";
        let problems = Access::parse("tokens", file).expect_err("nothing but mistakes");
        let told: Vec<String> = problems
            .iter()
            .map(|problem| {
                let line = problem.position.as_ref().map_or(0, |position| position.line);
                format!("{line}: {}", problem.message)
            })
            .collect();
        assert_eq!(
            told,
            [
                "1: `one`: the secret is shorter than 16 bytes; `openssl rand -hex 32` gives one",
                "2: `two`: the scope is none of read, run, admin",
                "3: expected a name, a scope and a secret, with white space between them",
                "4: `four`: expected 64 hexadecimal digits after `sha256:`",
                "6: two tokens have the name `five`",
            ]
        );
        assert_eq!(Access::parse("tokens", "# nobody\n").expect_err("no token").len(), 1);
    }
}
