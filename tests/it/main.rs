//! Integration tests against a real RabbitMQ and a real S3 server; `tests/run.sh` starts both and says where they are.

mod command;
mod proxy;
mod stage;
mod worker_process;

mod api;
mod dead;
mod doctor;
mod engine;
mod page;
mod remote;
mod schema;
mod sides;
mod staging;
mod submit;
mod trace;
mod vectors;
mod worker;
