//! Attributes that begin with "sys.": every item has those of its event, whatever the stages do.

use super::play::{Assign, Play, Replay, Stop, Wait};
use super::seconds;
use crate::model::{Intake, OnFailure, Plan};

#[tokio::test(start_paused = true)]
async fn every_item_inherits_the_attributes_of_the_host_and_gathering_keeps_them() {
    let plan = |plan: &mut Plan| plan.nodes[1].intake = Intake::Gathered;
    let headers = &[
        "gristmill-attribute-sys.tenant=acme",
        "gristmill-attribute-sys.tenant=acme",
        "gristmill-attribute-sys.failure.code=forged",
        "gristmill-attribute-page=1",
    ];
    let play = Play { stages: 3, plan, ..Play::default() };
    let effects = play.effects(&[Assign(0), Replay(0, 1, "split a b", headers), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[0].matches(r#""attributes":{"sys.tenant":"acme"}"#).count(), 2, "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_mended_item_keeps_them_and_loses_the_failure() {
    let plan = |plan: &mut Plan| {
        plan.nodes[0].on_failure = OnFailure::Rescue(1);
        plan.nodes[2].intake = Intake::Gathered;
    };
    let headers = &["gristmill-attribute-sys.tenant=acme"];
    let play = Play { stages: 3, plan, ..Play::default() };
    let effects = play.effects(&[Assign(0), Replay(0, 1, "never", headers), Wait(seconds(20)), Stop]).await;
    assert!(effects[0].contains(r#""attributes":{"sys.tenant":"acme"}"#), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn an_attribute_of_the_host_that_cannot_be_trusted_is_a_dead_letter() {
    let headers = &["gristmill-attribute-sys.acl=a", "gristmill-attribute-sys.acl=b"];
    let effects = Play::default().effects(&[Assign(0), Replay(0, 1, "a", headers), Wait(seconds(1)), Stop]).await;
    assert_eq!(effects[0], "0s dead a unusable-attribute");
}
