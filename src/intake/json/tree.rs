//! A JSON value as it was written: every member, twice if it was written twice, and numbers with their own digits.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// How deep a value may be: that of a record in an array is seven.
const DEEPEST: u8 = 16;

/// Under this name `serde_json` hands over a number that is no 64-bit integer, with its digits. An object that has a
/// member of this name is read as a number too, which is then judged as any other value.
const NUMBER: &str = "$serde_json::private::Number";

/// A JSON value.
#[derive(Debug)]
pub(super) enum Tree {
    Null,
    Boolean,
    /// A text, or the digits of a number.
    Scalar(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// Reads one JSON text, which may hold `most` values in all.
pub(super) fn read(text: &[u8], most: usize) -> Result<Tree, serde_json::Error> {
    let left = Cell::new(most);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let tree = Reading { left: &left, deeper: DEEPEST }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(tree)
}

/// A value about to be read.
#[derive(Clone, Copy)]
struct Reading<'a> {
    /// How many values more there may be.
    left: &'a Cell<usize>,
    /// How many levels more there may be.
    deeper: u8,
}

impl Reading<'_> {
    /// What reads the values within.
    fn within<E: de::Error>(self) -> Result<Self, E> {
        let deeper = self.deeper.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { deeper, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| de::Error::custom("too many values"))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(Tree::Scalar(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let within = self.within()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(within)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let within = self.within()?;
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(within)?;
            if name == NUMBER {
                return Ok(value);
            }
            object.push((name, value));
        }
        Ok(Tree::Object(object))
    }
}
