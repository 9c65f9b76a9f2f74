//! What the words of an error message tell, and which of them may be kept.

/// Bytes of an error message that are looked at.
const MESSAGE_BYTES: usize = 200;

/// Whether a message says that the API cannot answer now.
pub(super) fn speaks_of_outage(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["internal", "server error", "timeout", "timed out", "try again", "temporar", "unavailable", "overload"]
        .iter()
        .any(|word| message.contains(word))
}

/// Words about credentials. None that documents are spoken of with: a PAN is a "permanent account number", and a signature
/// and a date of expiry are printed on most.
const CREDENTIAL_WORDS: &[&str] = &[
    "apikey",
    "authentication",
    "authorisation",
    "authorization",
    "credentials",
    "forbidden",
    "jwt",
    "jsonwebtokenerror",
    "permissions",
    "token",
    "unauthenticated",
    "unauthorised",
    "unauthorized",
];

/// Pairs of words about credentials, the account or the plan, of which either alone could be about a document.
const CREDENTIAL_PAIRS: &[[&str; 2]] = &[
    ["access", "denied"],
    ["account", "deactivated"],
    ["account", "discontinued"],
    ["account", "suspended"],
    ["api", "key"],
    ["api", "secret"],
    ["invalid", "signature"],
    ["not", "authorised"],
    ["not", "authorized"],
    ["permission", "denied"],
];

/// Whether a message is about our credentials, account or plan.
pub(super) fn speaks_of_credentials(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let words: Vec<&str> = message.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    // What a parser says of a body that it cannot read, its own or ours.
    let is_parsers = words.windows(2).any(|pair| pair == ["unexpected", "token"]);
    !is_parsers
        && (words.iter().any(|word| CREDENTIAL_WORDS.contains(word))
            || words.windows(2).any(|pair| CREDENTIAL_PAIRS.iter().any(|known| pair == known)))
}

/// Words that an error message may keep. Everything else could be document content, a token or a piece of an image,
/// and becomes an ellipsis: the reason of a failure is logged and published.
const KNOWN_WORDS: &[&str] = &[
    "a",
    "access",
    "account",
    "again",
    "allowed",
    "an",
    "and",
    "api",
    "apikey",
    "are",
    "authentication",
    "authorization",
    "authorized",
    "back",
    "backpart",
    "bad",
    "base64",
    "be",
    "body",
    "bytes",
    "cannot",
    "code",
    "corrupt",
    "could",
    "data",
    "deactivated",
    "denied",
    "detected",
    "discontinued",
    "document",
    "documents",
    "empty",
    "enabled",
    "enterprise",
    "error",
    "exceeded",
    "exceeds",
    "expected",
    "expired",
    "extract",
    "failed",
    "field",
    "fields",
    "file",
    "for",
    "forbidden",
    "format",
    "found",
    "front",
    "frontpart",
    "gateway",
    "header",
    "id",
    "image",
    "images",
    "in",
    "input",
    "internal",
    "invalid",
    "is",
    "it",
    "jpeg",
    "json",
    "jwt",
    "key",
    "large",
    "later",
    "limit",
    "mandatory",
    "many",
    "maximum",
    "media",
    "message",
    "minimum",
    "missing",
    "must",
    "no",
    "not",
    "ocr",
    "of",
    "on",
    "only",
    "or",
    "parameter",
    "parse",
    "part",
    "payload",
    "permission",
    "permissions",
    "plan",
    "please",
    "png",
    "process",
    "provided",
    "quota",
    "rate",
    "read",
    "request",
    "requests",
    "required",
    "resolution",
    "response",
    "role",
    "server",
    "service",
    "size",
    "small",
    "string",
    "support",
    "supported",
    "temporarily",
    "text",
    "the",
    "this",
    "timed",
    "timeout",
    "to",
    "token",
    "too",
    "try",
    "type",
    "unable",
    "unauthorized",
    "unavailable",
    "unknown",
    "unprocessable",
    "unsupported",
    "upgrade",
    "valid",
    "validation",
    "value",
    "was",
    "while",
    "with",
    "wrong",
    "your",
];

/// What may be kept of a message; empty where nothing may.
pub(super) fn known_words(message: &str) -> String {
    let mut end = message.len().min(MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut words: Vec<&str> = Vec::new();
    for word in message[..end].split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if KNOWN_WORDS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok() {
            words.push(word);
        } else if words.last() != Some(&"…") {
            words.push("…");
        }
    }
    if words.iter().all(|word| *word == "…") { String::new() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_can_be_searched() {
        assert!(KNOWN_WORDS.is_sorted());
    }
}
