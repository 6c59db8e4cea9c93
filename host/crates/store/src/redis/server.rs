//! What a server must be: one that drops nothing by itself.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;

use super::failure::{CLUSTER, failure};
use crate::health::Failure;

/// Why the server will not do, if it will not; else what the operator should know.
///
/// # Errors
/// It evicts, or is a cluster; or it does not answer.
pub(super) async fn check(connection: &mut MultiplexedConnection) -> Result<Vec<&'static str>, Failure> {
    // Managed servers forbid CONFIG, but not INFO.
    let info: String = match redis::cmd("INFO").query_async(connection).await {
        Ok(info) => info,
        Err(error) if error.code() == Some("NOPERM") => return Ok(vec![UNKNOWN]),
        Err(error) => return Err(failure(&error)),
    };
    judge(&info).map_err(Failure::Broken)
}

const UNKNOWN: &str = "it does not answer INFO, so nobody can tell whether it evicts keys or keeps them when it restarts: \
    it must have maxmemory-policy noeviction and appendonly yes";
const NO_AOF: &str = "it has no append-only file: if it crashes, what was acknowledged since its last snapshot is lost, and \
    paid for again; set appendonly yes";

/// By what `INFO` says.
fn judge(info: &str) -> Result<Vec<&'static str>, String> {
    let said: BTreeMap<&str, &str> = info.lines().filter_map(|line| line.trim_end().split_once(':')).collect();
    if said.get("cluster_enabled") == Some(&"1") {
        return Err(CLUSTER.to_owned());
    }
    match said.get("maxmemory_policy") {
        Some(&"noeviction") => {}
        Some(policy) => {
            return Err(format!(
                "its maxmemory-policy is {policy}: when its memory is full, it would drop what was paid for; set \
                 maxmemory-policy noeviction"
            ));
        }
        None => return Ok(vec![UNKNOWN]),
    }
    Ok(if said.get("aof_enabled") == Some(&"1") { Vec::new() } else { vec![NO_AOF] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(policy: &str, aof: &str, cluster: &str) -> String {
        format!(
            "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:{policy}\r\n\r\n# Persistence\r\naof_enabled:{aof}\r\n\
             # Cluster\r\ncluster_enabled:{cluster}\r\n"
        )
    }

    #[test]
    fn a_server_that_evicts_is_refused() {
        assert_eq!(judge(&info("noeviction", "1", "0")), Ok(Vec::new()));
        for policy in ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-ttl"] {
            let error = judge(&info(policy, "1", "0")).unwrap_err();
            assert!(error.contains(policy) && error.contains("set maxmemory-policy noeviction"), "{error}");
        }
    }

    #[test]
    fn a_cluster_is_refused() {
        assert_eq!(judge(&info("noeviction", "1", "1")), Err(CLUSTER.to_owned()));
    }

    #[test]
    fn one_without_an_append_only_file_or_that_says_nothing_is_warned_of() {
        assert_eq!(judge(&info("noeviction", "0", "0")), Ok(vec![NO_AOF]));
        assert_eq!(judge("# Server\r\nredis_version:7.0.15\r\n"), Ok(vec![UNKNOWN]));
    }
}
