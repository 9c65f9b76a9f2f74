//! RabbitMQ's HTTP API: what AMQP does not tell. Only read from, and only by operators' commands.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::connect::Connector;

/// A client of the HTTP API.
pub struct Management {
    client: reqwest::Client,
    base: Url,
    vhost: String,
    user: String,
    password: SecretString,
}

/// What the HTTP API knows of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueFacts {
    /// The delivery limit in force: the smaller of argument and policy; `None` where neither names one.
    pub delivery_limit: Option<i64>,
    /// The consumer time-out in force, of argument and policy; `None` where neither names one and the node's own counts.
    pub consumer_timeout: Option<Duration>,
    /// Name of the policy that applies.
    pub policy: Option<String>,
}

/// A binding from an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Name of the queue or exchange that messages go to.
    pub destination: String,
    /// The pattern they must match, on a topic exchange.
    pub routing_key: String,
}

impl Management {
    /// A client for the API at `url`; user, password and virtual host are those of the AMQP URL, unless `url` names a
    /// user of its own. The virtual host may stand at its end, as in the URL that KEDA takes.
    ///
    /// # Errors
    /// One of the URLs is none, or the authority's file cannot be read.
    pub fn new(connector: &Connector, url: &str) -> anyhow::Result<Self> {
        let uri = connector.uri()?;
        let mut base: Url = url.parse().context("--management is no URL; expected http://host:15672")?;
        ensure!(matches!(base.scheme(), "http" | "https") && base.has_host(), "--management is no URL; expected http://host:15672");
        let (mut user, mut password) = (uri.authority.userinfo.username.clone(), uri.authority.userinfo.password.clone());
        if !base.username().is_empty() {
            (user, password) = (base.username().to_owned(), base.password().unwrap_or_default().to_owned());
        }
        // What is left of the URL may stand in an error message.
        let stripped = base.set_username("").and_then(|()| base.set_password(None));
        ensure!(stripped.is_ok(), "--management is no URL; expected http://host:15672");
        drop_vhost(&mut base, &uri.vhost);
        let settings = connector.settings();
        let mut builder = reqwest::Client::builder().timeout(settings.connect_timeout).no_proxy();
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path).with_context(|| format!("failed to read broker.ca_file: {}", path.display()))?;
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem).context("broker.ca_file holds no certificate")?);
        }
        let client = builder.build().context("failed to set up the client of the management API")?;
        Ok(Self { client, base, vhost: uri.vhost, user, password: password.into() })
    }

    /// What is in force for a queue; `None` where it does not exist.
    ///
    /// # Errors
    /// The API cannot be reached or refuses us.
    pub async fn queue(&self, name: &str) -> anyhow::Result<Option<QueueFacts>> {
        Ok(self.get(&["queues", &self.vhost, name]).await?.map(|queue| facts_of(&queue)))
    }

    /// The bindings from an exchange; `None` where it does not exist.
    ///
    /// # Errors
    /// The API cannot be reached or refuses us.
    pub async fn bindings(&self, exchange: &str) -> anyhow::Result<Option<Vec<Binding>>> {
        let Some(answer) = self.get(&["exchanges", &self.vhost, exchange, "bindings", "source"]).await? else { return Ok(None) };
        let text = |binding: &Value, key: &str| binding[key].as_str().unwrap_or_default().to_owned();
        let binding = |value: &Value| Binding { destination: text(value, "destination"), routing_key: text(value, "routing_key") };
        Ok(Some(answer.as_array().into_iter().flatten().map(binding).collect()))
    }

    async fn get(&self, path: &[&str]) -> anyhow::Result<Option<Value>> {
        let mut url = self.base.clone();
        // Segments are encoded one by one: the default virtual host is a slash.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        let request = self.client.get(url).basic_auth(&self.user, Some(self.password.expose_secret()));
        let response = request.send().await.map_err(reqwest::Error::without_url).context("the management API cannot be reached")?;
        match response.status() {
            StatusCode::OK => {
                let answer = response.json().await.map_err(reqwest::Error::without_url);
                answer.map(Some).context("the management API's answer is no JSON: is --management right?")
            }
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                bail!("the management API refuses the user: it needs the tag `monitoring` or `management`")
            }
            status => bail!("the management API answered {status}"),
        }
    }
}

/// Takes the virtual host off the end of a URL: `http://rabbit:15672/%2f` is how KEDA wants it, and no folder of the API.
fn drop_vhost(base: &mut Url, vhost: &str) {
    let mut named = base.clone();
    named.set_path("");
    if let Ok(mut segments) = named.path_segments_mut() {
        segments.push(vhost);
    }
    if base.path().eq_ignore_ascii_case(named.path()) {
        base.set_path("");
    }
}

impl Binding {
    /// Whether messages with this key take the binding, on a topic exchange.
    pub fn takes(&self, key: &str) -> bool {
        let (pattern, words): (Vec<&str>, Vec<&str>) = (self.routing_key.split('.').collect(), key.split('.').collect());
        matches(&pattern, &words)
    }
}

fn matches(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=words.len()).any(|n| matches(rest, &words[n..])),
        ([word, pattern @ ..], [first, words @ ..]) => (*word == "*" || word == first) && matches(pattern, words),
        _ => false,
    }
}

fn facts_of(queue: &Value) -> QueueFacts {
    let smaller = |argument: &str, key: &str| {
        let named = [&queue["arguments"][argument], &queue["effective_policy_definition"][key]];
        named.into_iter().filter_map(Value::as_i64).min()
    };
    let milliseconds = smaller("x-consumer-timeout", "consumer-timeout").and_then(|ms| u64::try_from(ms).ok());
    QueueFacts {
        delivery_limit: smaller("x-delivery-limit", "delivery-limit"),
        consumer_timeout: milliseconds.map(Duration::from_millis),
        policy: queue["policy"].as_str().filter(|name| !name.is_empty()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_smaller_of_argument_and_policy_is_in_force() {
        let queue = json!({
            "arguments": {"x-delivery-limit": 20},
            "effective_policy_definition": {"delivery-limit": 5, "consumer-timeout": 60_000},
            "policy": "strict",
        });
        let expected =
            QueueFacts { delivery_limit: Some(5), consumer_timeout: Some(Duration::from_secs(60)), policy: Some("strict".into()) };
        assert_eq!(facts_of(&queue), expected);
        // RabbitMQ sends an empty list where there is no policy.
        assert_eq!(facts_of(&json!({"arguments": {}, "effective_policy_definition": [], "policy": ""})), QueueFacts::default());
    }

    #[test]
    fn the_virtual_host_is_no_folder() {
        for (url, vhost, expected) in [
            ("http://rabbit:15672/%2f", "/", "http://rabbit:15672/"),
            ("http://rabbit:15672/%2F", "/", "http://rabbit:15672/"),
            ("http://rabbit:15672/kyc", "kyc", "http://rabbit:15672/"),
            ("http://rabbit:15672", "/", "http://rabbit:15672/"),
            ("http://rabbit/management", "/", "http://rabbit/management"),
        ] {
            let mut base: Url = url.parse().unwrap();
            drop_vhost(&mut base, vhost);
            assert_eq!(base.as_str(), expected);
        }
    }

    #[track_caller]
    fn check(pattern: &str, expected: bool) {
        let binding = Binding { destination: "q".into(), routing_key: pattern.into() };
        assert_eq!(binding.takes("document.read"), expected, "{pattern}");
    }

    #[test]
    fn patterns_match_as_the_brokers_do() {
        for pattern in ["#", "document.read", "document.*", "*.read", "document.#", "#.read", "document.#.read", "*.*"] {
            check(pattern, true);
        }
        for pattern in ["", "*", "document", "document.failed", "document.*.read", "read.#"] {
            check(pattern, false);
        }
    }
}
