//! The stage itself: without these holding, no other failure means what it says.

use std::time::Duration;

use crate::stage::Stage;

#[tokio::test]
async fn what_is_uploaded_can_be_read_back() {
    let stage = Stage::new().await;
    let key = stage.upload("note.txt", "on stage").await;
    let object = stage.s3.get_object().bucket("idmill").key(key).send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"on stage");
}

#[tokio::test]
async fn stages_do_not_hear_each_other() {
    let (here, there) = (Stage::new().await, Stage::new().await);
    let channel = there.channel().await;
    let events = there.name("events");
    channel.basic_publish(events.as_str().into(), "a.b".into(), Default::default(), b"1", Default::default()).await.unwrap();
    assert_eq!(there.next_event().await.body, b"1");
    assert!(here.next_event_within(Duration::from_millis(200)).await.is_none());
}
