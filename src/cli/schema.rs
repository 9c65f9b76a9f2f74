//! `idmill schema`: what goes in and out, for machines.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;

use super::print_json;
use crate::broker::Names;
use crate::config::Topology;
use crate::schema;

/// Print the JSON Schema of job, event or settings, the AsyncAPI document, or the table of all settings.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  idmill schema event > event.schema.json\n  idmill schema asyncapi --prefix onboarding > asyncapi.json"
)]
pub(super) struct SchemaArgs {
    /// What to print.
    what: What,

    /// First part of the names of queues and exchanges in the AsyncAPI document, as in topology.prefix.
    #[arg(long, default_value_t = Topology::default().prefix)]
    prefix: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// JSON Schema of a job's body.
    Job,
    /// JSON Schema of an event.
    Event,
    /// JSON Schema of the settings file.
    Settings,
    /// All settings with default and meaning, as a table in Markdown.
    SettingsTable,
    /// AsyncAPI 3 document of queues, exchanges and messages.
    Asyncapi,
}

impl SchemaArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Job => print_json(&schema::job())?,
            What::Event => print_json(&schema::event())?,
            What::Settings => print_json(&schema::settings())?,
            What::SettingsTable => std::io::stdout().write_all(schema::settings_table().as_bytes())?,
            What::Asyncapi => print_json(&schema::asyncapi(&Names::new(&self.prefix)))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
