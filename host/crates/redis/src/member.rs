//! The name of this host in its group: two hosts that live never share one, because each would take the other's pending
//! entries for its own.

use std::time::Duration;

use redis::RedisResult;

use super::client::Link;
use super::scripts::{Scripts, members};
use super::settings::Consumer;

/// How many hosts of one group may be on one machine under the machine's name.
const MOST: usize = 1_000;

/// A name that is ours as long as we say so.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// Tells us from other holders of the name.
    token: String,
    members: String,
    kept: Duration,
}

/// What is known of a name after one was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) is_ours: bool,
    /// How many names are used in the group, this one included if it is ours.
    pub(super) used: usize,
    /// Changes each time its holder says that it lives.
    noted: String,
}

/// Why a host has no name.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoName {
    /// Another host has it.
    #[error(
        "the consumer \"{name}\" of the group {group} is another host, which is alive: give each host a name of its own by \
         consumer under [redis], or leave that key out"
    )]
    Used { name: String, group: String },
    /// Redis does not answer, or answers with an error.
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
}

/// Takes a name that no living host has. One whose holder has fallen silent is waited for, at most as long as names are
/// kept.
pub(super) async fn join(
    link: &mut Link,
    scripts: &Scripts,
    (stream, group): (&str, &str),
    consumer: &Consumer,
    kept: Duration,
) -> Result<(Member, Holding), NoName> {
    let members = members(stream, group);
    let token = format!("{:016x}", fastrand::u64(..));
    let of = |name: String| Member { name, token: token.clone(), members: members.clone(), kept };
    match consumer {
        Consumer::Exactly(name) => {
            let member = of(name.clone());
            match member.take(link, scripts).await? {
                Some(holding) => Ok((member, holding)),
                None => Err(NoName::Used { name: name.clone(), group: group.to_owned() }),
            }
        }
        Consumer::Numbered(name) => {
            for number in 1..=MOST {
                let member = of(if number == 1 { name.clone() } else { format!("{name}-{number}") });
                if let Some(holding) = member.take(link, scripts).await? {
                    return Ok((member, holding));
                }
            }
            Err(NoName::Used { name: format!("{name}-{MOST}"), group: group.to_owned() })
        }
    }
}

impl Member {
    /// Waits until the name is ours or its holder has said that it lives: then it is `None`.
    async fn take(&self, link: &mut Link, scripts: &Scripts) -> RedisResult<Option<Holding>> {
        let first = self.hold(link, scripts).await?;
        if first.is_ours {
            return Ok(Some(first));
        }
        loop {
            tokio::time::sleep(self.kept / 6).await;
            let holding = self.hold(link, scripts).await?;
            match holding.is_ours {
                true => return Ok(Some(holding)),
                false if holding.noted != first.noted => return Ok(None),
                false => {}
            }
        }
    }

    /// Says that the name is still used, unless it is somebody else's by now.
    pub(super) async fn hold(&self, link: &mut Link, scripts: &Scripts) -> RedisResult<Holding> {
        let kept = u64::try_from(self.kept.as_millis()).unwrap_or(u64::MAX);
        let mut hold = scripts.hold.key(&self.members);
        hold.arg(&self.name).arg(&self.token).arg(kept);
        let (ours, used, noted): (u8, usize, String) = hold.invoke_async(link).await?;
        Ok(Holding { is_ours: ours == 1, used, noted })
    }

    /// Frees the name. What is pending goes to others that claim after this time. Returns how much that is; `None` if the
    /// name is not ours any more.
    pub(super) async fn leave(
        &self,
        link: &mut Link,
        scripts: &Scripts,
        (stream, group): (&str, &str),
        claim_after: Duration,
    ) -> RedisResult<Option<usize>> {
        let idle = u64::try_from(claim_after.as_millis()).unwrap_or(u64::MAX);
        let mut leave = scripts.leave.key(stream);
        leave.key(&self.members).arg(group).arg(&self.name).arg(&self.token).arg(idle);
        let left: i64 = leave.invoke_async(link).await?;
        Ok(usize::try_from(left).ok())
    }

    /// Names that were used and not freed: hosts that live, and those that died.
    pub(super) async fn known(&self, link: &mut Link) -> RedisResult<Vec<String>> {
        redis::cmd("HKEYS").arg(&self.members).query_async(link).await
    }

    /// Forgets a host that died.
    pub(super) async fn forget(&self, link: &mut Link, name: &str) -> RedisResult<()> {
        redis::cmd("HDEL").arg(&self.members).arg(name).query_async(link).await
    }
}
