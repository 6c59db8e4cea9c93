//! What waits to be sent: one line for each host, so that a slow one holds up nobody else.

use std::collections::{HashMap, VecDeque};

/// How many messages are on their way at a time.
const MOST: usize = 64;
/// How many of these to one host.
const MOST_OF_HOST: usize = 8;
/// How many wait or are on their way.
const MOST_HELD: usize = 512;
/// How many of these for one host. The others are left to the store until their lease is over.
const MOST_HELD_OF_HOST: usize = 64;

/// Messages that wait and messages on their way. Pure: it only counts.
pub(crate) struct Line<T> {
    hosts: HashMap<String, Host<T>>,
    /// The hosts with something that waits, in the order in which they are served.
    turns: VecDeque<String>,
    held: usize,
    sending: usize,
}

struct Host<T> {
    waiting: VecDeque<T>,
    sending: usize,
}

impl<T> Line<T> {
    pub(crate) fn new() -> Self {
        Self { hosts: HashMap::new(), turns: VecDeque::new(), held: 0, sending: 0 }
    }

    /// How many more there is room for.
    pub(crate) fn room(&self) -> usize {
        MOST_HELD.saturating_sub(self.held)
    }

    /// Adds one. Drops it if its host has too many.
    pub(crate) fn add(&mut self, host: &str, message: T) {
        let of_host = self.hosts.entry(host.to_owned()).or_insert(Host { waiting: VecDeque::new(), sending: 0 });
        if of_host.waiting.len() + of_host.sending >= MOST_HELD_OF_HOST {
            return;
        }
        if of_host.waiting.is_empty() {
            self.turns.push_back(host.to_owned());
        }
        of_host.waiting.push_back(message);
        self.held += 1;
    }

    /// The next one that may be sent: one of each host after the other.
    pub(crate) fn next(&mut self) -> Option<(String, T)> {
        if self.sending >= MOST {
            return None;
        }
        for _ in 0..self.turns.len() {
            let name = self.turns.pop_front()?;
            let Some(host) = self.hosts.get_mut(&name) else { continue };
            if host.sending >= MOST_OF_HOST {
                self.turns.push_back(name);
                continue;
            }
            let Some(message) = host.waiting.pop_front() else { continue };
            host.sending += 1;
            self.sending += 1;
            if !host.waiting.is_empty() {
                self.turns.push_back(name.clone());
            }
            return Some((name, message));
        }
        None
    }

    /// One of this host is not on its way any more.
    pub(crate) fn done(&mut self, name: &str) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.sending = host.sending.saturating_sub(1);
        self.sending = self.sending.saturating_sub(1);
        self.held = self.held.saturating_sub(1);
        if host.sending == 0 && host.waiting.is_empty() {
            self.hosts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(line: &mut Line<usize>) -> Vec<String> {
        std::iter::from_fn(|| line.next()).map(|(host, _)| host).collect()
    }

    #[test]
    fn a_host_that_does_not_answer_holds_up_no_other() {
        let mut line = Line::new();
        for number in 0..1_000 {
            line.add("slow", number);
        }
        line.add("quick", 0);
        let sent = all(&mut line);
        assert_eq!(sent.iter().filter(|host| *host == "slow").count(), MOST_OF_HOST);
        assert!(sent.contains(&"quick".to_owned()));
        assert_eq!(line.room(), MOST_HELD - MOST_HELD_OF_HOST - 1);
        line.done("quick");
        line.add("quick", 1);
        assert_eq!(all(&mut line), ["quick"]);
        line.done("slow");
        assert_eq!(all(&mut line), ["slow"]);
    }

    #[test]
    fn there_is_a_bound_on_all_and_what_is_done_makes_room() {
        let mut line = Line::new();
        for host in 0..100 {
            line.add(&host.to_string(), 0);
        }
        let sent = all(&mut line);
        assert_eq!(sent.len(), MOST);
        for host in &sent {
            line.done(host);
        }
        let rest = all(&mut line);
        assert_eq!(rest.len(), 100 - MOST);
        for host in &rest {
            line.done(host);
        }
        assert_eq!((line.room(), line.hosts.len(), line.turns.len()), (MOST_HELD, 0, 0));
    }
}
