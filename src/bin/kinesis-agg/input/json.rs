//! JSON that holds Kinesis records: the records themselves, lists of them, and documents with a list called `Records` or
//! `records`.

use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::failure::Failure;
use crate::input::entry::{Entry, Text};

/// What is wrong with JSON, without the place, which is said elsewhere.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// Reads one JSON value, and visits every record in it as soon as it is read: what comes before a fault is not lost by
/// it, and a long list is not kept.
pub(crate) struct EachEntry<'v, V> {
    pub(crate) visit: &'v mut V,
    /// The failure of a visit, which ends the reading.
    pub(crate) failure: &'v mut Option<Failure>,
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> EachEntry<'_, V> {
    /// The same for a value inside this one.
    fn again(&mut self) -> EachEntry<'_, V> {
        EachEntry { visit: &mut *self.visit, failure: &mut *self.failure }
    }

    fn visit<E: Error>(&mut self, entry: Entry<'de>) -> Result<(), E> {
        (self.visit)(entry).map_err(|failure| {
            *self.failure = Some(failure);
            E::custom("visit failed")
        })
    }
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> DeserializeSeed<'de> for EachEntry<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: FnMut(Entry<'de>) -> Result<(), Failure>> Visitor<'de> for EachEntry<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kinesis record, a list of them, or an object with \"Records\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }

    /// An object is a record unless it turns out to have a list of them.
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut entry = Entry::default();
        let mut is_list = false;
        while let Some(Text(name)) = map.next_key()? {
            match &*name {
                // Firehose and Kinesis Analytics write it small.
                "Records" | "records" => {
                    is_list = true;
                    map.next_value_seed(self.again())?;
                }
                name => entry.take(name, &mut map)?,
            }
        }
        if is_list { Ok(()) } else { self.visit(entry.complete()) }
    }
}
