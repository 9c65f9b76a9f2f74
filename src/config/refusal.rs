use std::path::Path;

use anyhow::anyhow;
use config::ConfigError;

/// What is wrong with the settings, without quoting what stands there: a line or a value may hold a password.
pub(super) fn without_values(error: &ConfigError, file: Option<&Path>) -> anyhow::Error {
    anyhow!(said(error, file))
}

fn said(error: &ConfigError, file: Option<&Path>) -> String {
    let place = |key: &Option<String>, origin: &Option<String>| {
        let key = key.as_ref().map(|key| format!(" for key `{key}`"));
        let origin = origin.as_ref().map(|origin| format!(" in {origin}"));
        key.unwrap_or_default() + &origin.unwrap_or_default()
    };
    match error {
        ConfigError::Type { origin, expected, key, .. } => format!("a value of the wrong type, expected {expected}{}", place(key, origin)),
        ConfigError::At { error, origin, key } => said(error, file) + &place(key, origin),
        // The parser's own message shows the line.
        ConfigError::FileParse { .. } => match file {
            Some(file) => format!("{} is no TOML{}", file.display(), fault(file)),
            None => "not TOML".to_owned(),
        },
        // Serde's words for a value that is another thing altogether: `invalid type: string "…", expected struct Broker`.
        ConfigError::Message(text) if text.starts_with("invalid ") => match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("a value of the wrong type, expected {expected}"),
            None => "a value of the wrong type".to_owned(),
        },
        // The others are written by us and by serde, and name keys.
        other => other.to_string(),
    }
}

/// Where the file stops being TOML.
fn fault(file: &Path) -> String {
    let Ok(text) = std::fs::read_to_string(file) else { return String::new() };
    let Some(span) = toml::from_str::<toml::Table>(&text).err().and_then(|error| error.span()) else { return String::new() };
    let before = text.get(..span.start).unwrap_or(&text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
    format!(", see line {line}, column {column}; is a quotation mark missing?")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use crate::config::Settings;

    #[track_caller]
    fn check(toml: &str, expected: &str) {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        file.write_all(toml.as_bytes()).unwrap();
        let error = format!("{:#}", Settings::load(Some(file.path())).unwrap_err());
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_password_in_a_broken_file_is_not_shown() {
        check("[broker]\nurl = \"amqp://u:hunter2@h\n", "see line 2, column");
        check("[broker]\nurl = amqp://u:hunter2@h\"\n", "see line 2, column");
        check("broker = \"amqp://u:hunter2@h\"\n", "a value of the wrong type, expected struct Broker for key `broker`");
        check("[worker]\nconcurrency = \"amqp://u:hunter2@h\"\n", "worker.concurrency");
        check("[broker]\nulr = \"amqp://u:hunter2@h\"\n", "ulr");
    }
}
