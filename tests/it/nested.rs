//! Headers nested so deep that the AMQP library of this process could not write them either: its bytes are made here.

use std::io::{Read, Write};
use std::net::TcpStream;

use lapin::uri::AMQPUri;
use serde_json::json;

use crate::stage::{PATIENCE, Stage};

/// As many as overflowed the stack of a thread two and a half times.
const N_LEVELS: usize = 2_000;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

#[tokio::test]
async fn a_job_with_deeply_nested_headers_kills_no_worker() {
    let stage = Stage::new().await;
    let mut worker = stage.worker().set("retry.missing_delays", "50ms").start().await;
    let job = json!({"id": "nested", "front": stage.key("nowhere.jpg")}).to_string();
    publish(&stage.amqp_url, &stage.name("jobs"), nested_headers(), job.as_bytes());
    let event = stage.next_event().await.json();
    assert_eq!((&event["subject"], &event["data"]["failure"]["class"]), (&json!("nested"), &json!("image_missing")));
    let dead = stage.name("dead");
    stage.until("it lies among the dead", async || stage.depth(&dead).await.is_some_and(|(n_letters, _)| n_letters == 1)).await;
    assert!(worker.ended().is_none());
    assert_eq!(worker.log().matches(r#""connected to the broker""#).count(), 1, "{}", worker.log());
}

/// Tables in one another, each the one entry of the next.
fn nested_headers() -> Vec<u8> {
    (0..N_LEVELS).fold(long(b""), |inner, _| long(&[&short("x")[..], b"F", &inner].concat()))
}

/// Publishes one job and waits for the broker's confirm.
fn publish(url: &str, queue: &str, headers: Vec<u8>, job: &[u8]) {
    let uri: AMQPUri = url.parse().expect("the broker's URL");
    let user = &uri.authority.userinfo;
    let mut broker = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).expect("the broker");
    broker.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    broker.write_all(b"AMQP\x00\x00\x09\x01").expect("a greeting");
    receive(&mut broker);
    let login = format!("\0{}\0{}", user.username, user.password);
    let start_ok = [&long(b"")[..], &short("PLAIN"), &long(login.as_bytes()), &short("en_US")].concat();
    call(&mut broker, 0, 10, 11, &start_ok);
    // Its wishes for channels, frames and heartbeats are ours.
    let tune = receive(&mut broker);
    call(&mut broker, 0, 10, 31, &tune[4..]);
    call(&mut broker, 0, 10, 40, &[&short(&uri.vhost)[..], &short(""), b"\x00"].concat());
    receive(&mut broker);
    call(&mut broker, 1, 20, 10, &short(""));
    receive(&mut broker);
    call(&mut broker, 1, 85, 10, b"\x00");
    receive(&mut broker);
    call(&mut broker, 1, 60, 40, &[b"\x00\x00", &short("")[..], &short(queue), b"\x00"].concat());
    let properties = [&60u16.to_be_bytes()[..], &[0, 0], &(job.len() as u64).to_be_bytes(), &0x2000u16.to_be_bytes(), &headers].concat();
    send(&mut broker, HEADER, 1, &properties);
    send(&mut broker, BODY, 1, job);
    assert_eq!(receive(&mut broker)[..4], [0, 60, 0, 80], "the broker has it");
}

fn call(broker: &mut TcpStream, channel: u16, class: u16, method: u16, arguments: &[u8]) {
    send(broker, METHOD, channel, &[&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat());
}

fn send(broker: &mut TcpStream, kind: u8, channel: u16, payload: &[u8]) {
    let frame = [&[kind][..], &channel.to_be_bytes(), &(payload.len() as u32).to_be_bytes(), payload, b"\xce"].concat();
    broker.write_all(&frame).expect("a frame is sent");
}

/// The payload of the next frame.
fn receive(broker: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 7];
    broker.read_exact(&mut head).expect("an answer");
    let n_bytes = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let mut payload = vec![0; n_bytes + 1];
    broker.read_exact(&mut payload).expect("an answer");
    payload.pop();
    payload
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}
