//! Integration tests against a real RabbitMQ and a real S3 server; `tests/run.sh` starts both and says where they are.

#[allow(dead_code, reason = "the tests of the worker take what they need")]
mod stage;
#[allow(dead_code, reason = "the tests of the worker take what they need")]
mod worker_process;

mod api;
mod page;
mod remote;
mod staging;
