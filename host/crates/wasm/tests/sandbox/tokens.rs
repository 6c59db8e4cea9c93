//! Token counts for guests.

use crate::harness::Sandbox;
use crate::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_counts_tokens_and_cuts_between_them() {
    let stage = Sandbox::new().misbehave().await;
    for (asked, answer) in [
        ("tokens words one two three", "3 (Ok(7), Ok(3))"),
        ("tokens words one", "1 (Ok(3), Ok(0))"),
        ("tokens words ", "0 (Ok(0), Ok(0))"),
        ("tokens letters one", "Error::UnknownEncoding([\"words\"])"),
        ("count-megabytes 1", "Ok(1)"),
        ("count-megabytes 2", "Err(Error::TooLong(1048576))"),
    ] {
        assert_eq!(text(stage.run(asked).await), answer, "{asked}");
    }
}
