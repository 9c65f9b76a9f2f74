use serde_json::{Map, Value, json};

use super::event::names_of;
use super::{part_of, schema_of};
use crate::config::Settings;

/// One MiB, which limits in bytes are whole multiples of.
const MIB: u64 = 1024 * 1024;

/// JSON Schema of the settings file.
pub fn settings() -> Value {
    schema_of::<Settings>()
}

/// All settings as a table in Markdown: name, default, meaning.
pub fn settings_table() -> String {
    let defaults = json!(Settings::default());
    let mut rows = String::from("| setting | default | meaning |\n|---|---|---|\n");
    rows_of("", &part_of::<Settings>(), &defaults, &mut rows);
    rows
}

/// One row for each setting of a section, sections inside it included.
fn rows_of(prefix: &str, section: &Value, defaults: &Value, rows: &mut String) {
    let nothing = Map::new();
    for (name, schema) in section["properties"].as_object().unwrap_or(&nothing) {
        let (path, default) = (format!("{prefix}{name}"), &defaults[name]);
        if schema["properties"].is_object() {
            rows_of(&format!("{path}."), schema, default, rows);
        } else {
            rows.push_str(&format!("| `{path}` | {} | {} |\n", shown_default(&path, default), meaning(schema)));
        }
    }
}

fn shown_default(path: &str, default: &Value) -> String {
    let code = |text: String| if text.is_empty() { text } else { format!("`{text}`") };
    match default {
        Value::Null => String::new(),
        Value::String(text) => code(text.clone()),
        Value::Array(values) => code(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        Value::Number(number) => match number.as_u64() {
            Some(bytes) if path.ends_with("_bytes") && bytes % MIB == 0 => format!("`{bytes}` ({} MiB)", bytes / MIB),
            _ => code(number.to_string()),
        },
        Value::Bool(_) | Value::Object(_) => code(default.to_string()),
    }
}

/// The doc comment on one line, and the names that may be given where there is a choice.
fn meaning(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let names = names_of(schema);
    // A sentence that explains the names need not be followed by their list.
    if names.is_empty() || names.iter().all(|name| text.contains(&format!("`{name}`"))) {
        return text;
    }
    format!("{text} One of {}.", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}
