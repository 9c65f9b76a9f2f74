//! `idmill` reads identity documents for event-driven onboarding systems.
//!
//! A job on an AMQP queue names the front and back image of a document in S3; a worker fetches both, reads them with
//! the engine inside, and publishes a result event. This file is the map of the crate: the modules stand in the order
//! in which a job meets them. What each of them may know of the others is part of the design: the pure modules
//! ([`job`], [`failure`], [`retry`], [`circuit`], [`event`], [`document`]) do no input or output at all, [`ocr`] is CPU work only,
//! and each foreign client is imported in one place ([`broker`]: lapin, [`storage`]: aws-sdk-s3, [`reader`]: reqwest, which
//! the broker's management API is asked with too).

pub mod api;
pub mod broker;
pub mod circuit;
pub mod cli;
pub mod config;
pub mod document;
pub mod event;
pub mod failure;
pub mod health;
pub mod job;
pub mod ocr;
pub mod process;
pub mod reader;
pub mod retry;
pub mod schema;
pub mod shutdown;
pub mod storage;
pub mod telemetry;
pub mod worker;
