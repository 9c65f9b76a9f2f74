//! What idmill says about itself: schemas that hold for what it sends, help, completions, and README's table.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::command::CommandBuilder;
use crate::stage::Stage;

fn run(stage: &Stage, line: &str) -> String {
    CommandBuilder::new(stage).args(line.split(' ')).run().expect_code(0).stdout()
}

/// A schema that idmill prints, asked through somebody else's validator: Python's.
struct Validator(Value);

impl Validator {
    fn new(stage: &Stage, what: &str) -> Self {
        Self(serde_json::from_str(&run(stage, &format!("schema {what}"))).unwrap())
    }

    /// What is wrong with the value; nothing where the schema holds.
    fn errors(&self, value: &Value) -> Vec<String> {
        const SCRIPT: &str = "import json, sys, jsonschema
schema, value = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
errors = jsonschema.Draft202012Validator(schema).iter_errors(value)
print(json.dumps([f'{list(error.absolute_path)}: {error.message}' for error in errors]))";
        let python = Command::new("/usr/bin/python3").args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut python = python.expect("python3 with the Debian package python3-jsonschema");
        python.stdin.take().unwrap().write_all(json!([self.0, value]).to_string().as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).expect("python3 with the Debian package python3-jsonschema")
    }

    fn is_valid(&self, value: &Value) -> bool {
        self.errors(value).is_empty()
    }
}

#[track_caller]
fn check(validator: &Validator, value: &Value) {
    assert_eq!(validator.errors(value), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_as_their_schema_says() {
    let stage = Stage::new().await;
    let events = Validator::new(&stage, "event");
    let (front, back) = stage.upload_specimen("td1-1").await;
    let _worker = stage.worker().start().await;
    stage.publish(&json!({"id": "good", "front": front, "back": back, "metadata": {"applicant": 42}})).await;
    stage.publish(&json!({"id": "bad", "front": front, "bucket": "somebody-elses"})).await;
    for _ in 0..2 {
        let event = stage.next_event().await.json();
        check(&events, &event);
        // A schema that holds for anything would be worth nothing.
        for key in ["id", "subject", "time", "data"] {
            let mut other = event.clone();
            other.as_object_mut().unwrap().remove(key);
            assert!(!events.is_valid(&other), "without {key}");
        }
        let mut other = event.clone();
        other["data"]["fields"]["idType"] = json!("library_card");
        other["data"]["failure"]["class"] = json!("bad_mood");
        assert!(!events.is_valid(&other));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_needs_a_front_and_an_id_that_fits() {
    let stage = Stage::new().await;
    let jobs = Validator::new(&stage, "job");
    check(
        &jobs,
        &json!({"id": "a", "front": "f", "back": "b", "bucket": "c", "metadata": {}, "deadline": "2030-01-02T03:04:05Z", "new": 1}),
    );
    check(&jobs, &json!({"front": "f"}));
    for job in [json!({"id": "a"}), json!({"front": ""}), json!({"front": 7}), json!({"front": "f", "id": "a".repeat(201)}), json!([])] {
        assert!(!jobs.is_valid(&job), "{job}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_schema_knows_every_setting_and_no_other() {
    let stage = Stage::new().await;
    let settings = Validator::new(&stage, "settings");
    check(&settings, &json!({"broker": {"url": "amqp://x"}, "retry": {"delays": ["5s"]}, "reader": {"remote": {"proxy": null}}}));
    assert!(!settings.is_valid(&json!({"brokr": {}})));
    assert!(!settings.is_valid(&json!({"topology": {"mode": "sometimes"}})));
}

#[test]
fn readmes_table_of_settings_is_the_programs_own() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let start = readme.find("| setting | default | meaning |").expect("README has the table");
    let table: String = readme[start..].lines().take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect();
    assert!(table == idmill::schema::settings_table(), "README's table of settings is not what `idmill schema settings-table` prints");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_asyncapi_document_carries_the_names_of_the_topology() {
    let stage = Stage::new().await;
    let document: Value = serde_json::from_str(&run(&stage, "schema asyncapi --prefix onboarding")).unwrap();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(document["channels"]["jobs"]["address"], "onboarding.jobs");
    assert_eq!(document["channels"]["documentRead"]["bindings"]["amqp"]["exchange"]["name"], "onboarding.events");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_explains_itself_with_an_example() {
    let stage = Stage::new().await;
    let commands = |help: &str| -> Vec<String> {
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
        let names = listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        names.filter(|name| *name != "help").map(str::to_owned).collect()
    };
    let mut todo = commands(&run(&stage, "--help"));
    assert!(todo.len() >= 9, "{todo:?}");
    while let Some(command) = todo.pop() {
        let help = run(&stage, &format!("{command} --help"));
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(!help.contains('\u{1b}'), "no colours where there is no terminal");
        todo.extend(commands(&help).into_iter().map(|name| format!("{command} {name}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_know_the_commands_and_need_no_settings() {
    let stage = Stage::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        // A setting that nobody knows stops every command that reads them.
        let command = CommandBuilder::new(&stage).set("no.such_setting", "1").args(["completions", shell]);
        let script = command.run().expect_code(0).stdout();
        assert!(script.contains("doctor") && script.contains("replay"), "{shell}");
    }
    let stopped = CommandBuilder::new(&stage).set("no.such_setting", "1").args(["dead", "list"]).run().expect_code(1);
    assert!(stopped.stderr().contains("no"), "{}", stopped.stderr());
}
