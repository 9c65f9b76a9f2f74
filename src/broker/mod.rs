//! Everything of RabbitMQ: topology, two supervised connections, receive, publish with confirm, settle; dead letters, and
//! what operators ask of the broker.
//!
//! One rule settles every job: publish (persistent, mandatory), wait for the broker's confirm, then acknowledge. Two
//! connections, since a memory alarm blocks a connection that publishes, and acknowledgements on it with it. lapin's
//! automatic recovery stays off: measured, it consumed again 36 s after a broker that was back after 4 s.

mod connect;
mod dead;
mod delivery;
mod greeting;
pub mod header;
mod history;
mod letter;
mod management;
mod message;
mod publisher;
mod question;
mod session;
mod topology;

pub(crate) use connect::backoff;

pub use connect::{Connector, Role};
pub use dead::{DeadLetter, DeadQueue};
pub use delivery::{Delivery, LeaseLost};
pub use greeting::{Greeting, greet};
pub use history::History;
pub use letter::{Letter, LetterClass};
pub use management::{Binding, Management, QueueFacts};
pub use message::{DIRECT_REPLY, Outgoing, is_direct_reply};
pub use publisher::{PublishError, Publisher};
pub use question::Question;
pub use session::{Deliveries, Session, SessionLost};
pub use topology::{Names, Part, PartState, SetUpError, inspect, set_up};
