//! Token counts for guests.

use crate::harness::Sandbox;
use crate::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_counts_tokens_in_the_encodings_of_the_host() {
    let stage = Sandbox::new().misbehave().await;
    for (asked, answer) in [
        ("tokens words one two three", "Ok(3)"),
        ("tokens words ", "Ok(0)"),
        ("tokens letters one", "Err(Error::UnknownEncoding([\"words\"]))"),
        ("count-megabytes 1", "Ok(1)"),
        ("count-megabytes 2", "Err(Error::TooLong(1048576))"),
    ] {
        assert_eq!(text(stage.run(asked).await), answer, "{asked}");
    }
}
