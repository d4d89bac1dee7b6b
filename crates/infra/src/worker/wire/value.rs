//! Values of the extension's world as flat lists of tokens.

use mangrove_domain::{
    json::{Json, Number},
    shape::Shape,
};
use serde::{Deserialize, Serialize};

use super::WireError;

/// How deep values may be nested. What is deeper could overflow the stack of whoever walks or drops it.
pub const MAX_DEPTH: usize = 256;

/// A [`Json`] or a [`Shape`] on the wire: its parts in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Token {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    /// So many items follow.
    Array(u32),
    /// So many pairs of a `Key` and a value follow.
    Object(u32),
    Key(String),
    Undefined,
    Function,
    /// A JSON value follows.
    Schema,
    Threw(String),
    Truncated,
}

fn count(items: usize) -> u32 {
    // More members than this do not fit into memory.
    u32::try_from(items).unwrap_or(u32::MAX)
}

fn number_token(number: Number) -> Token {
    match number {
        Number::Integer(value) => Token::Integer(value),
        Number::Float(value) => Token::Float(value),
    }
}

fn push_json(tokens: &mut Vec<Token>, json: &Json) {
    match json {
        Json::Null => tokens.push(Token::Null),
        Json::Bool(value) => tokens.push(Token::Bool(*value)),
        Json::Number(number) => tokens.push(number_token(*number)),
        Json::String(text) => tokens.push(Token::String(text.clone())),
        Json::Array(items) => {
            tokens.push(Token::Array(count(items.len())));
            for item in items {
                push_json(tokens, item);
            }
        }
        Json::Object(members) => {
            tokens.push(Token::Object(count(members.len())));
            for (key, value) in members {
                tokens.push(Token::Key(key.clone()));
                push_json(tokens, value);
            }
        }
    }
}

fn push_shape(tokens: &mut Vec<Token>, shape: &Shape) {
    match shape {
        Shape::Undefined => tokens.push(Token::Undefined),
        Shape::Null => tokens.push(Token::Null),
        Shape::Bool(value) => tokens.push(Token::Bool(*value)),
        Shape::Number(number) => tokens.push(number_token(*number)),
        Shape::String(text) => tokens.push(Token::String(text.clone())),
        Shape::Array(items) => {
            tokens.push(Token::Array(count(items.len())));
            for item in items {
                push_shape(tokens, item);
            }
        }
        Shape::Object(members) => {
            tokens.push(Token::Object(count(members.len())));
            for (key, value) in members {
                tokens.push(Token::Key(key.clone()));
                push_shape(tokens, value);
            }
        }
        Shape::Function => tokens.push(Token::Function),
        Shape::Schema { json_schema } => {
            tokens.push(Token::Schema);
            push_json(tokens, json_schema);
        }
        Shape::Threw { message } => tokens.push(Token::Threw(message.clone())),
        Shape::Truncated => tokens.push(Token::Truncated),
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        let mut tokens = Vec::new();
        push_json(&mut tokens, json);
        Self(tokens)
    }
}

impl From<&Shape> for Value {
    fn from(shape: &Shape) -> Self {
        let mut tokens = Vec::new();
        push_shape(&mut tokens, shape);
        Self(tokens)
    }
}

impl Value {
    /// The JSON value.
    ///
    /// # Errors
    /// [`WireError`] if the tokens make none, or one that is nested deeper than [`MAX_DEPTH`].
    pub fn into_json(self) -> Result<Json, WireError> {
        let mut reader = TokenReader(self.0.into_iter());
        let json = reader.json(0)?;
        reader.end(json)
    }

    /// The shape.
    ///
    /// # Errors
    /// [`WireError`] if the tokens make none, or one that is nested deeper than [`MAX_DEPTH`].
    pub fn into_shape(self) -> Result<Shape, WireError> {
        let mut reader = TokenReader(self.0.into_iter());
        let shape = reader.shape(0)?;
        reader.end(shape)
    }
}

struct TokenReader(std::vec::IntoIter<Token>);

impl TokenReader {
    fn next(&mut self) -> Result<Token, WireError> {
        self.0.next().ok_or(WireError::Value("it ends too early"))
    }

    fn end<T>(mut self, value: T) -> Result<T, WireError> {
        if self.0.next().is_none() { Ok(value) } else { Err(WireError::Value("more follows after its end")) }
    }

    fn key(&mut self) -> Result<String, WireError> {
        if let Token::Key(key) = self.next()? { Ok(key) } else { Err(WireError::Value("a key is missing")) }
    }

    /// Room for so many members, but never more than there are tokens left.
    fn room<T>(&self, members: u32) -> Vec<T> {
        Vec::with_capacity((members as usize).min(self.0.len()))
    }

    fn json(&mut self, depth: usize) -> Result<Json, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        Ok(match self.next()? {
            Token::Null => Json::Null,
            Token::Bool(value) => Json::Bool(value),
            Token::Integer(value) => Json::Number(Number::Integer(value)),
            Token::Float(value) => Json::Number(Number::Float(value)),
            Token::String(text) => Json::String(text),
            Token::Array(members) => {
                let mut items = self.room(members);
                for _ in 0..members {
                    items.push(self.json(depth + 1)?);
                }
                Json::Array(items)
            }
            Token::Object(members) => {
                let mut object = self.room(members);
                for _ in 0..members {
                    object.push((self.key()?, self.json(depth + 1)?));
                }
                Json::Object(object)
            }
            Token::Key(_) | Token::Undefined | Token::Function | Token::Schema | Token::Threw(_) | Token::Truncated => {
                return Err(WireError::Value("it is not JSON"));
            }
        })
    }

    fn shape(&mut self, depth: usize) -> Result<Shape, WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::TooDeep);
        }
        Ok(match self.next()? {
            Token::Undefined => Shape::Undefined,
            Token::Null => Shape::Null,
            Token::Bool(value) => Shape::Bool(value),
            Token::Integer(value) => Shape::Number(Number::Integer(value)),
            Token::Float(value) => Shape::Number(Number::Float(value)),
            Token::String(text) => Shape::String(text),
            Token::Array(members) => {
                let mut items = self.room(members);
                for _ in 0..members {
                    items.push(self.shape(depth + 1)?);
                }
                Shape::Array(items)
            }
            Token::Object(members) => {
                let mut object = self.room(members);
                for _ in 0..members {
                    object.push((self.key()?, self.shape(depth + 1)?));
                }
                Shape::Object(object)
            }
            Token::Function => Shape::Function,
            Token::Schema => Shape::Schema { json_schema: self.json(depth + 1)? },
            Token::Threw(message) => Shape::Threw { message },
            Token::Truncated => Shape::Truncated,
            Token::Key(_) => return Err(WireError::Value("a key without an object")),
        })
    }
}
