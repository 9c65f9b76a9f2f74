//! What a check found, and how it is shown. Pure.

use serde::Serialize;
use serde_json::{Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// Works, or could not be checked.
    Warning,
    /// Does not work.
    Failure,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    /// Name of the check; the same in every run.
    pub(super) check: &'static str,
    /// How bad it is.
    pub(super) status: Status,
    /// What was found.
    pub(super) message: String,
    /// What to do; none where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), advice: None }
    }

    pub(super) fn warning(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, message: message.into(), advice: Some(advice.into()) }
    }

    pub(super) fn failure(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, status: Status::Failure, message: message.into(), advice: Some(advice.into()) }
    }

    /// The finding as lines for a person; with colours where `coloured`.
    pub(super) fn lines(&self, coloured: bool) -> String {
        let (word, colour) = match self.status {
            Status::Ok => ("ok", "\u{1b}[32m"),
            Status::Warning => ("warning", "\u{1b}[33m"),
            Status::Failure => ("failure", "\u{1b}[31m"),
        };
        let (on, off) = if coloured { (colour, "\u{1b}[0m") } else { ("", "") };
        let mut text = format!("{on}{word:<8}{off} {:<18} {}\n", self.check, self.message);
        if let Some(advice) = &self.advice {
            text.push_str(&format!("{:28}-> {advice}\n", ""));
        }
        text
    }
}

/// The whole report as JSON.
pub(super) fn report(findings: &[Finding]) -> Value {
    let worst = findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok);
    json!({"status": worst, "checks": findings})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_as_bad_as_its_worst_finding() {
        let mut findings = vec![Finding::ok("a", "fine")];
        assert_eq!(report(&findings)["status"], "ok");
        findings.push(Finding::warning("b", "so so", "look"));
        assert_eq!(report(&findings)["status"], "warning");
        findings.push(Finding::failure("c", "broken", "mend"));
        insta::assert_snapshot!(report(&findings), @r#"{"status":"failure","checks":[{"check":"a","status":"ok","message":"fine"},{"check":"b","status":"warning","message":"so so","advice":"look"},{"check":"c","status":"failure","message":"broken","advice":"mend"}]}"#);
        insta::assert_snapshot!(findings[2].lines(false), @"
        failure  c                  broken
                                    -> mend
        ");
        assert!(findings[0].lines(true).starts_with("\u{1b}[32mok"));
    }
}
