//! Integration tests against a real RabbitMQ and a real S3 server; `tests/run.sh` starts both and says where they are.

mod command;
#[expect(dead_code, reason = "shared with the fault campaign, which uses the rest")]
mod hosted_api;
#[expect(dead_code, reason = "shared with the fault campaign, which uses the rest")]
mod proxy;
mod stage;
#[expect(dead_code, reason = "shared with the fault campaign, which uses the rest")]
mod worker_process;

mod again;
mod api;
mod autoscale;
mod broker;
mod dead;
mod doctor;
mod engine;
mod metrics;
mod nested;
mod outage;
mod page;
mod remote;
mod reply;
mod rolling;
mod schema;
mod sender;
mod session;
mod sides;
mod staging;
mod start;
mod submit;
mod trace;
mod vectors;
mod worker;
