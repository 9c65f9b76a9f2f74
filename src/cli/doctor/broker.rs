//! What can be known of the broker: over AMQP, and where a URL is given over its management API.

use std::time::Duration;

use super::finding::Finding;
use crate::broker::{Connector, Greeting, Management, Names, Part, PartState, Role, greet, inspect};
use crate::config::{Settings, TopologyMode};

/// Oldest RabbitMQ that has quorum queues with message time to live and at-least-once dead-lettering.
const OLDEST: (u32, u32) = (3, 10);

/// What RabbitMQ does where nobody sets a consumer time-out.
const DEFAULT_CONSUMER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Longest wait for the broker's answers about the whole topology.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every check of the broker.
pub(super) async fn check(settings: &Settings, management: Option<&str>) -> Vec<Finding> {
    let connector = Connector::new(settings.broker.clone());
    let names = Names::new(&settings.topology.prefix);
    let mut findings = match greet(&connector).await {
        Ok(greeting) => vec![version(&greeting)],
        // To log in would fail for the same reason.
        Err(error) => {
            return vec![Finding::failure(
                "broker.version",
                format!("the broker does not answer: {error:#}"),
                "check host and port of broker.url, that it begins with amqps:// for a TLS port (5671) and with amqp:// for a plain one (5672), \
                 the certificates, and that nothing on the way keeps connections out",
            )];
        }
    };
    let connection = match connector.connect(Role::Operate).await {
        Ok(connection) => connection,
        Err(error) => {
            findings.push(Finding::failure(
                "broker.login",
                format!("{error:#}"),
                "check user, password and virtual host of broker.url, and that rabbitmqctl list_permissions has the user",
            ));
            return findings;
        }
    };
    findings.push(Finding::ok("broker.login", "logged in"));
    let holds = settings.retry.schedule().rungs();
    let asking = inspect(&connection, &names, &holds, settings.topology.delivery_limit);
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(parts)) => findings.extend(topology(&parts, settings.topology.mode)),
        Ok(Err(error)) => findings.push(Finding::failure("topology", format!("the broker could not be asked: {error}"), "try again")),
        Err(_) => findings.push(Finding::failure(
            "topology",
            format!("the broker did not answer within {PATIENCE:?}"),
            "look for a memory or disk alarm, and whether a majority of the quorum queues' nodes is up",
        )),
    }
    // The answers are known; how the connection ends is of no interest.
    let _ = connection.close(200, "done".into()).await;
    findings.extend(routes(settings, &connector, &names, management).await);
    findings
}

fn version(greeting: &Greeting) -> Finding {
    let found = format!("{} {}", greeting.product, greeting.version);
    if greeting.major_minor().is_some_and(|version| version < OLDEST) {
        Finding::failure("broker.version", found, "idmill needs RabbitMQ 3.10 or later: older ones have no at-least-once dead-lettering")
    } else if greeting.product != "RabbitMQ" || greeting.major_minor().is_none() {
        Finding::warning("broker.version", found, "idmill is tested with RabbitMQ alone, 3.10 and later")
    } else {
        Finding::ok("broker.version", found)
    }
}

/// One finding for the whole topology where all is well, else one for each part that is not.
fn topology(parts: &[Part], mode: TopologyMode) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Part { kind, name, state } in parts {
        findings.push(match (state, mode) {
            (PartState::AsExpected, _) => continue,
            (PartState::Missing, TopologyMode::Declare) => Finding::warning(
                "topology",
                format!("{kind} {name} does not exist"),
                "nothing to do before the first start: a worker declares it",
            ),
            (PartState::Missing, TopologyMode::Verify | TopologyMode::None) => Finding::failure(
                "topology",
                format!("{kind} {name} does not exist, and topology.mode keeps workers from making it"),
                "declare it with the arguments that deploy/README.md lists under RabbitMQ, or set topology.mode to declare for one start",
            ),
            (PartState::Differs(text), TopologyMode::Declare) => Finding::failure(
                "topology",
                format!("{kind} {name} is not as this worker would declare it: {text}"),
                "arguments can never be changed: delete it when it is empty, or choose another topology.prefix",
            ),
            (PartState::Differs(text), TopologyMode::Verify | TopologyMode::None) => Finding::warning(
                "topology",
                format!("{kind} {name} is not as idmill would declare it: {text}"),
                "make sure that this is meant: the promises of README's section \"What is promised\" rest on these arguments",
            ),
            (PartState::Hidden(text), _) => Finding::warning(
                "topology",
                format!("the arguments of {kind} {name} cannot be seen: {text}"),
                "give the user of broker.url the permission `configure` for it, or look with rabbitmqctl list_queues name arguments",
            ),
        });
    }
    if findings.is_empty() {
        findings.push(Finding::ok("topology", format!("{} queues and exchanges are as expected", parts.len())));
    }
    findings
}

/// What only bindings and policies tell.
async fn routes(settings: &Settings, connector: &Connector, names: &Names, management: Option<&str>) -> Vec<Finding> {
    let Some(url) = management else {
        return vec![
            Finding::warning(
                "routes",
                "AMQP does not tell which queues are bound: whether dead letters and events arrive was not checked",
                "name RabbitMQ's management API with --management http://host:15672",
            ),
            consumer_timeout(settings, None),
        ];
    };
    match asked(settings, connector, names, url).await {
        Ok(findings) => findings,
        Err(error) => vec![
            Finding::failure(
                "management",
                format!("{error:#}"),
                "check host and port of --management, user and password in it (else those of broker.url count), and that the plugin is enabled: \
                 rabbitmq-plugins enable rabbitmq_management",
            ),
            consumer_timeout(settings, None),
        ],
    }
}

async fn asked(settings: &Settings, connector: &Connector, names: &Names, url: &str) -> anyhow::Result<Vec<Finding>> {
    let management = Management::new(connector, url)?;
    let dead = management.bindings(&names.dead_exchange).await?.unwrap_or_default();
    let route = if dead.iter().any(|binding| binding.destination == names.dead && binding.routing_key == names.dead) {
        Finding::ok("dead_letter_route", format!("{} is bound to exchange {}", names.dead, names.dead_exchange))
    } else {
        Finding::failure(
            "dead_letter_route",
            format!(
                "{} is not bound to exchange {}: a job that kills its worker would block {}",
                names.dead, names.dead_exchange, names.jobs
            ),
            format!(
                "bind it with the routing key {}, or start a worker with topology.mode declare; what waits arrives within three minutes",
                names.dead
            ),
        )
    };
    let events = management.bindings(&names.events).await?.unwrap_or_default();
    let is_heard = |key| events.iter().any(|binding| binding.takes(key));
    let replies = reply_route(&names.events, is_heard("document.read"), is_heard("document.failed"));
    let jobs = management.queue(&names.jobs).await?;
    let limit = match jobs.as_ref().and_then(|jobs| jobs.delivery_limit) {
        Some(limit) if limit == i64::from(settings.topology.delivery_limit) => {
            Finding::ok("delivery_limit", format!("a job is given up after {limit} deliveries without an answer"))
        }
        Some(limit) if limit > 0 => Finding::warning(
            "delivery_limit",
            format!("a job is given up after {limit} deliveries, topology.delivery_limit says {}", settings.topology.delivery_limit),
            policy_advice(jobs.as_ref().and_then(|jobs| jobs.policy.as_deref())),
        ),
        Some(_) | None => Finding::failure(
            "delivery_limit",
            format!("{} has no delivery limit: a job that kills its worker would come back for ever", names.jobs),
            "declare the queue with x-delivery-limit",
        ),
    };
    let timeout = consumer_timeout(settings, jobs.and_then(|jobs| jobs.consumer_timeout));
    Ok(vec![route, replies, limit, timeout])
}

/// Whether the two kinds of event that the exchange is sent reach a queue.
fn reply_route(exchange: &str, read_is_heard: bool, failed_is_heard: bool) -> Finding {
    const CHECK: &str = "reply_route";
    let advice = format!("bind the queue of whoever waits for events to exchange {exchange}, with the routing key document.*");
    match (read_is_heard, failed_is_heard) {
        (true, true) => Finding::ok(CHECK, format!("exchange {exchange} has queues for both kinds of event")),
        (true, false) => Finding::warning(
            CHECK,
            format!(
                "exchange {exchange} has no queue for document.failed: each waits in the hold queues for retry.give_up_after, and then its \
                 dead letter alone tells of it"
            ),
            advice,
        ),
        (false, failed_is_heard) => {
            let unheard = if failed_is_heard { "document.read" } else { "document.read and document.failed" };
            let message = format!("exchange {exchange} has no queue for {unheard}: workers would pause at the first document that is read");
            Finding::failure(CHECK, message, advice)
        }
    }
}

fn policy_advice(policy: Option<&str>) -> String {
    match policy {
        Some(policy) => format!("look at the policy {policy}: the smaller of policy and argument counts"),
        None => "declare the queue anew, or set topology.delivery_limit to what it has".to_owned(),
    }
}

/// Compares the job budget with the time after which the broker takes a job away; `known` where queue or policy set it.
fn consumer_timeout(settings: &Settings, known: Option<Duration>) -> Finding {
    const CHECK: &str = "consumer_timeout";
    let budget = settings.worker.job_budget;
    let timeout = known.unwrap_or(DEFAULT_CONSUMER_TIMEOUT);
    let shown = |duration: Duration| humantime::format_duration(duration).to_string();
    let source = match known {
        Some(_) => "as queue or policy say".to_owned(),
        // Neither AMQP nor the management API tells what stands in the node's file.
        None => "RabbitMQ's default; no API tells whether rabbitmq.conf sets another".to_owned(),
    };
    let found = format!("a job may take {}, the broker waits {} ({source})", shown(budget), shown(timeout));
    if budget >= timeout {
        Finding::failure(
            CHECK,
            found,
            "lower worker.job_budget or raise consumer_timeout: the broker would give jobs away that are in work",
        )
    } else if budget * 3 > timeout {
        Finding::warning(
            CHECK,
            found,
            "lower worker.job_budget to a third of consumer_timeout or less: a job that waits for an engine and for a publish takes longer",
        )
    } else {
        Finding::ok(CHECK, found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn the_job_budget_stays_well_below_the_consumer_timeout() {
        let status = |budget_s, known: Option<u64>| {
            let mut settings = Settings::default();
            settings.worker.job_budget = Duration::from_secs(budget_s);
            consumer_timeout(&settings, known.map(Duration::from_secs)).status
        };
        assert_eq!(status(120, None), Status::Ok);
        assert_eq!(status(1000, None), Status::Warning);
        assert_eq!(status(1800, None), Status::Failure);
        assert_eq!(status(120, Some(60)), Status::Failure);
        assert_eq!(status(1800, Some(7200)), Status::Ok);
    }

    #[test]
    fn only_documents_that_nobody_hears_of_keep_workers_from_work() {
        let check = |read, failed| reply_route("idmill.events", read, failed).status;
        assert_eq!([check(true, true), check(true, false)], [Status::Ok, Status::Warning]);
        assert_eq!([check(false, true), check(false, false)], [Status::Failure, Status::Failure]);
        assert!(reply_route("idmill.events", false, true).message.contains("no queue for document.read: workers would pause"));
    }

    #[test]
    fn what_is_missing_matters_where_nobody_would_make_it() {
        let part = |state| [Part { kind: "queue", name: "q".into(), state }];
        let status = |state, mode| topology(&part(state), mode)[0].status;
        assert_eq!(status(PartState::AsExpected, TopologyMode::Verify), Status::Ok);
        assert_eq!(status(PartState::Missing, TopologyMode::Declare), Status::Warning);
        assert_eq!(status(PartState::Missing, TopologyMode::Verify), Status::Failure);
        assert_eq!(status(PartState::Differs("x".into()), TopologyMode::Declare), Status::Failure);
        assert_eq!(status(PartState::Differs("x".into()), TopologyMode::None), Status::Warning);
        assert_eq!(status(PartState::Hidden("x".into()), TopologyMode::Declare), Status::Warning);
    }
}
