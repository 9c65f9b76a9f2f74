//! `idmill doctor`: tries everything that a job or a request will need, and says what to do about what does not work.
//! Changes nothing and publishes nothing.

mod broker;
mod engine;
mod finding;
mod services;

use std::io::Write;
use std::process::ExitCode;

use self::finding::{Finding, Status, report};
use super::{Process, print_json};
use crate::config::{ReaderOrder, Settings, may_colour};

/// Check broker, topology, time-outs, object store, reader and clocks, and say what to do about each; for the API its keys and
/// the engine.
///
/// Exit status: 0 when nothing failed, warnings or not; 1 when something did.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  idmill doctor
  idmill doctor api
  idmill doctor --management http://rabbit:15672 --json | jq '.checks[] | select(.status != \"ok\")'")]
pub(super) struct DoctorArgs {
    /// Whose needs are checked: the API has neither broker nor object store.
    #[arg(value_enum, default_value_t = Process::Worker)]
    process: Process,

    /// RabbitMQ's management API, for the worker. Bindings and policies are visible there alone. User and password are those of the AMQP
    /// URL, or stand in this one.
    #[arg(long, value_name = "URL", env = "IDMILL_MANAGEMENT", hide_env_values = true)]
    management: Option<String>,

    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Where findings go as soon as they are made.
struct Report {
    findings: Vec<Finding>,
    /// Whether they are shown at once; as JSON they come together at the end.
    shown: bool,
}

impl DoctorArgs {
    /// Runs every check that the process and its settings ask for.
    ///
    /// # Errors
    /// The report cannot be written.
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let mut doctor = Report { findings: Vec::new(), shown: !self.json };
        match self.process {
            Process::Worker => {
                doctor.add(broker::check(&settings, self.management.as_deref()).await)?;
                doctor.add(services::check_storage(&settings).await)?;
                if settings.reader.order != ReaderOrder::Embedded {
                    doctor.add(services::check_ocr(&settings).await)?;
                }
                if settings.reader.order == ReaderOrder::EmbeddedThenRemote {
                    doctor.add(vec![services::check_required_fields(&settings.reader.required_fields)])?;
                }
            }
            Process::Api => doctor.add(vec![services::check_callers(&settings.api)])?,
        }
        // Whatever reader.order says, the API has the engine alone.
        if self.process == Process::Api || settings.reader.order != ReaderOrder::Remote {
            doctor.add(engine::check(settings.engine.clone()).await)?;
        }
        let count = |status| doctor.findings.iter().filter(|finding| finding.status == status).count();
        let n_failures = count(Status::Failure);
        if self.json {
            print_json(&report(&doctor.findings))?;
        } else {
            writeln!(std::io::stdout(), "{} ok, {} to look at, {n_failures} failed", count(Status::Ok), count(Status::Warning))?;
        }
        Ok(if n_failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Report {
    fn add(&mut self, findings: Vec<Finding>) -> anyhow::Result<()> {
        if self.shown {
            let mut stdout = std::io::stdout();
            let coloured = may_colour(&stdout);
            findings.iter().try_for_each(|finding| stdout.write_all(finding.lines(coloured).as_bytes()))?;
        }
        self.findings.extend(findings);
        Ok(())
    }
}
