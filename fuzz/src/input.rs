//! Inputs that are not schemas: options, edits of values, and texts with a walk.

use arbitrary::{Arbitrary, Result, Unstructured};
use schemask::{Grammar, JsonSpelling, Options, PropertyOrder, Whitespace};
use serde_json::Value;

use crate::schema::{Key, Literal};
use crate::walk::{Walk, accepts, spelled};

/// How JSON is written.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Writing {
    order_matters: bool,
    is_plain: bool,
    whitespace: Space,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Space {
    Compact,
    Spaced,
    Flexible,
}

impl Writing {
    pub fn options(self) -> Options {
        Options {
            whitespace: match self.whitespace {
                Space::Compact => Whitespace::Compact,
                Space::Spaced => Whitespace::Spaced,
                Space::Flexible => Whitespace::Flexible { run: 2 },
            },
            property_order: match self.order_matters {
                true => PropertyOrder::Schema,
                false => PropertyOrder::Any,
            },
            spelling: match self.is_plain {
                true => JsonSpelling::Plain,
                false => JsonSpelling::Any,
            },
            ..Options::default()
        }
    }
}

/// A text, and how the grammar that it describes is walked: the text stands as it is at the end of
/// the input, so that a dictionary and a corpus of plain texts work.
#[derive(Debug)]
pub struct Text<'a> {
    pub walk: Walk,
    pub text: &'a str,
}

/// Bytes at the beginning that are for the walk.
pub const WALK_BYTES: usize = 16;

impl<'a> Arbitrary<'a> for Text<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let walk = u.bytes(WALK_BYTES)?;
        Ok(Text {
            walk: Walk::from_bytes(walk),
            text: str::from_utf8(u.bytes(u.len())?)
                .map_err(|_| arbitrary::Error::IncorrectFormat)?,
        })
    }

    fn arbitrary_take_rest(mut u: Unstructured<'a>) -> Result<Self> {
        Text::arbitrary(&mut u)
    }
}

/// Walks a grammar and reads it back as it is printed: what the print allows, the grammar does.
pub fn walk_and_print(grammar: &Grammar, walk: &Walk) {
    walk.text(grammar);
    // Not all of them can be written in GBNF.
    let Ok(print) = grammar.to_gbnf() else { return };
    let again = match Grammar::from_gbnf(&print, "root", Options::default()) {
        Ok(again) => again,
        Err(error) if error.is_limit() => return,
        Err(error) => panic!("{error}, in the grammar as it is printed:\n{print}"),
    };
    let Some(tokens) = walk.tokens(&again) else {
        return;
    };
    let text = spelled(&tokens);
    let shown = String::from_utf8_lossy(&text);
    assert_ne!(
        accepts(grammar, &tokens),
        Some(false),
        "{shown:?} is a text of the print alone:\n{print}"
    );
}

/// Something done to a value.
#[derive(Arbitrary, Debug)]
pub enum Edit {
    Replace(u8, Literal),
    Remove(u8),
    Add(u8, Key, Literal),
    Repeat(u8),
    Swap(u8),
}

impl Edit {
    pub fn apply(&self, value: &mut Value) {
        let (Edit::Replace(at, _)
        | Edit::Remove(at)
        | Edit::Add(at, ..)
        | Edit::Repeat(at)
        | Edit::Swap(at)) = self;
        let mut left = usize::from(*at) % size(value);
        let part = nth(value, &mut left).expect("there are so many");
        match (self, part) {
            (Edit::Replace(_, new), part) => *part = new.to_json(),
            (Edit::Remove(_), Value::Array(items)) => drop(items.pop()),
            (Edit::Remove(_), Value::Object(members)) => {
                if let Some(key) = members.keys().next().cloned() {
                    members.shift_remove(&key);
                }
            }
            (Edit::Add(_, _, new), Value::Array(items)) => items.push(new.to_json()),
            (Edit::Add(_, key, new), Value::Object(members)) => {
                members.insert(key.0.into(), new.to_json());
            }
            (Edit::Repeat(_), Value::Array(items)) => items.extend(items.last().cloned()),
            (Edit::Repeat(_), Value::String(text)) => text.push('a'),
            (Edit::Swap(_), Value::Array(items)) => items.reverse(),
            (Edit::Swap(_), Value::Object(members)) => {
                *members = std::mem::take(members).into_iter().rev().collect();
            }
            _ => {}
        }
    }
}

/// How many values a value is made of, itself included.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// The value that comes after `left` others.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(members) => members.values_mut().find_map(|member| nth(member, left)),
        _ => None,
    }
}
