//! Integration tests against a real RabbitMQ and a real S3 server; `tests/run.sh` starts both and says where they are.

mod proxy;
mod stage;
mod worker_process;

mod api;
mod engine;
mod page;
mod remote;
mod staging;
mod trace;
mod worker;
