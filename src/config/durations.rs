//! Lists of durations as people write them: `5s`, `2m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Human(#[serde(with = "humantime_serde")] Duration);

pub(super) fn serialize<S: Serializer>(list: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    list.iter().map(|delay| Human(*delay)).collect::<Vec<_>>().serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
    Ok(Vec::<Human>::deserialize(deserializer)?.into_iter().map(|human| human.0).collect())
}
