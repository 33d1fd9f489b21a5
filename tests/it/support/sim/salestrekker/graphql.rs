//! Just enough of GraphQL: one operation, arguments, variables, aliases and selections.

use serde_json::{Map, Value, json};

use crate::support::sim::wire::Call;

/// A document with one operation.
#[derive(Clone, Debug)]
pub struct Document {
    /// `query` or `mutation`.
    pub kind: String,
    /// What is asked for.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in the answer.
    pub alias: String,
    /// Its name in the schema.
    pub name: String,
    /// Its arguments, with the variables put in.
    pub arguments: Map<String, Value>,
    /// What is wanted of it.
    pub fields: Vec<Self>,
}

impl Field {
    /// An argument; `Null` if it is not there.
    pub fn argument(&self, name: &str) -> Value {
        self.arguments.get(name).cloned().unwrap_or(Value::Null)
    }

    /// Only what was asked for.
    pub fn select(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.select(item)).collect(),
            Value::Object(object) if !self.fields.is_empty() => {
                let mut selected = Map::new();
                for field in &self.fields {
                    let inner = object.get(&field.name).unwrap_or(&Value::Null);
                    selected.insert(field.alias.clone(), field.select(inner));
                }
                Value::Object(selected)
            }
            Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_) => value.clone(),
        }
    }
}

impl Document {
    /// Reads the document of a call.
    pub fn read(call: &Call) -> Result<Self, String> {
        let body = call.json();
        let text = body
            .get("query")
            .and_then(Value::as_str)
            .ok_or("no query")?;
        let variables = body.get("variables").cloned().unwrap_or(json!({}));
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            variables,
        };
        parser.document()
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        if c.is_whitespace() || c == ',' {
            chars.next();
        } else if c.is_alphanumeric() || c == '_' || c == '-' || c == '.' {
            let mut word = String::new();
            while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || "_-.".contains(*c)) {
                word.push(c);
            }
            tokens.push(Token::Word(word));
        } else if c == '"' {
            chars.next();
            tokens.push(Token::Text(quoted(&mut chars)?));
        } else {
            chars.next();
            tokens.push(Token::Sign(c));
        }
    }
    Ok(tokens)
}

fn quoted(chars: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match chars.next().ok_or("a text without an end")? {
            '"' => return Ok(text),
            '\\' => text.push(chars.next().ok_or("a text without an end")?),
            c => text.push(c),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    variables: Value,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is(&mut self, sign: char) -> bool {
        let here = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(here);
        here
    }

    fn must(&mut self, sign: char) -> Result<(), String> {
        if self.is(sign) {
            Ok(())
        } else {
            Err(format!("{sign} was expected"))
        }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            other => Err(format!("a name was expected, not {other:?}")),
        }
    }

    fn document(&mut self) -> Result<Document, String> {
        let mut kind = "query".to_owned();
        if matches!(self.peek(), Some(Token::Word(_))) {
            kind = self.word()?;
            if matches!(self.peek(), Some(Token::Word(_))) {
                self.word()?;
            }
            if self.is('(') {
                self.declarations()?;
            }
        }
        self.must('{')?;
        let fields = self.selection()?;
        Ok(Document { kind, fields })
    }

    /// `$id: ID!, $list: [ID!]`: every variable that is required must have a value.
    fn declarations(&mut self) -> Result<(), String> {
        while !self.is(')') {
            self.must('$')?;
            let name = self.word()?;
            self.must(':')?;
            let list = self.is('[');
            self.word()?;
            let mut required = self.is('!');
            if list {
                self.must(']')?;
                required = self.is('!');
            }
            if required && self.variables.get(&name).is_none_or(Value::is_null) {
                return Err(format!("variable ${name} has no value"));
            }
        }
        Ok(())
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        while !self.is('}') {
            let mut name = self.word()?;
            let alias = name.clone();
            if self.is(':') {
                name = self.word()?;
            }
            let mut arguments = Map::new();
            if self.is('(') {
                while !self.is(')') {
                    let key = self.word()?;
                    self.must(':')?;
                    let value = self.value()?;
                    arguments.insert(key, value);
                }
            }
            let inner = if self.is('{') {
                self.selection()?
            } else {
                Vec::new()
            };
            fields.push(Field {
                alias,
                name,
                arguments,
                fields: inner,
            });
        }
        Ok(fields)
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.is('$') {
            let name = self.word()?;
            return Ok(self.variables.get(&name).cloned().unwrap_or(Value::Null));
        }
        if self.is('[') {
            let mut items = Vec::new();
            while !self.is(']') {
                items.push(self.value()?);
            }
            return Ok(Value::Array(items));
        }
        if self.is('{') {
            let mut object = Map::new();
            while !self.is('}') {
                let key = self.word()?;
                self.must(':')?;
                object.insert(key, self.value()?);
            }
            return Ok(Value::Object(object));
        }
        if let Some(Token::Text(text)) = self.peek().cloned() {
            self.at += 1;
            return Ok(Value::String(text));
        }
        let word = self.word()?;
        Ok(match word.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            "null" => Value::Null,
            other => other
                .parse::<i64>()
                .map_or_else(|_| json!(other), |number| json!(number)),
        })
    }
}
