//! The ceiling: the job with the same libraries as idmill and none of its semantics. No retry, no dead letter, no
//! limit, no time-out, no metrics; it ends at the first thing that goes wrong. Started by `benches/peers/run.sh`.

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::{Value, json};

/// What one job needs.
struct Clients {
    s3: aws_sdk_s3::Client,
    http: reqwest::Client,
    channel: Channel,
    ocr_url: String,
    exchange: String,
}

fn environment(name: &str) -> anyhow::Result<String> {
    std::env::var(name).map_err(|_| anyhow::anyhow!("{name} is set by benches/peers/run.sh"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let concurrency: u16 = environment("CONCURRENCY")?.parse()?;
    let credentials = Credentials::new(environment("S3_KEY")?, environment("S3_SECRET")?, None, None, "bare_loop");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(environment("S3_ENDPOINT")?)
        .credentials_provider(credentials)
        .force_path_style(true)
        .build();
    let connection = Connection::connect(&environment("AMQP_URL")?, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_qos(concurrency, BasicQosOptions::default()).await?;
    let queue = environment("QUEUE")?;
    let consumer = channel.basic_consume(queue.as_str().into(), "".into(), BasicConsumeOptions::default(), Default::default()).await?;
    let clients = Clients {
        s3: aws_sdk_s3::Client::from_conf(config),
        http: reqwest::Client::new(),
        channel,
        ocr_url: environment("OCR_URL")?,
        exchange: environment("EXCHANGE")?,
    };
    let mut runs = consumer.map(|delivery| clients.run(delivery)).buffer_unordered(concurrency.into());
    while let Some(run) = runs.next().await {
        run?;
    }
    Ok(())
}

impl Clients {
    async fn run(&self, delivery: lapin::Result<lapin::message::Delivery>) -> anyhow::Result<()> {
        let delivery = delivery?;
        let job: Value = serde_json::from_slice(&delivery.data)?;
        let (front, back) = tokio::try_join!(self.fetch(&job["front"]), self.fetch(&job["back"]))?;
        let mut body = String::with_capacity((front.len() + back.len()) / 3 * 4 + 100);
        body.push_str(r#"{"frontPart":"data:image/jpeg;base64,"#);
        BASE64_STANDARD.encode_string(&front, &mut body);
        body.push_str(r#"","backPart":"data:image/jpeg;base64,"#);
        BASE64_STANDARD.encode_string(&back, &mut body);
        body.push_str(r#""}"#);
        let request = self.http.post(&self.ocr_url).header("Authorization", "token").header("Content-Type", "application/json");
        let fields: Value = request.body(body).send().await?.error_for_status()?.json().await?;
        let event = json!({"specversion": "1.0", "type": "document.read", "subject": job["id"], "data": {"fields": fields}});
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let event = serde_json::to_vec(&event)?;
        let sent = self.channel.basic_publish(self.exchange.as_str().into(), "document.read".into(), mandatory, &event, properties).await?;
        anyhow::ensure!(sent.await?.is_ack(), "the broker refused the event");
        delivery.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    async fn fetch(&self, key: &Value) -> anyhow::Result<bytes::Bytes> {
        let key = key.as_str().unwrap_or_default();
        let object = self.s3.get_object().bucket("idmill").key(key).send().await?;
        Ok(object.body.collect().await?.into_bytes())
    }
}
