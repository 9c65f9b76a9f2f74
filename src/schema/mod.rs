//! What goes in and out, for machines: JSON Schemas of job and event, an AsyncAPI document, and the settings. Made from
//! the types that the program itself uses; does no input or output.

mod asyncapi;
mod event;
mod settings;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::job::JobMessage;

pub use asyncapi::asyncapi;
pub use event::{event, seven_keys};
pub use settings::{settings, settings_table};

/// JSON Schema of a job's body.
pub fn job() -> Value {
    schema_of::<JobMessage>()
}

/// The type's schema, in one piece: references would point somewhere else once it stands in another document.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// As [`schema_of`], without the keys that belong to a document's root.
fn part_of<T: JsonSchema>() -> Value {
    let mut schema = schema_of::<T>();
    if let Some(object) = schema.as_object_mut() {
        object.retain(|key, _| key != "$schema" && key != "title");
    }
    schema
}
