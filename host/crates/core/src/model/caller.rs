//! Who asks the HTTP API, and what they may.

use std::fmt;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Submit, cancel and retry jobs.
    WriteJobs,
    /// See one's own jobs.
    ReadJobs,
    /// Replay dead letters.
    WriteDeadLetters,
    /// Everything, on the jobs of everybody.
    Admin,
}

impl Scope {
    /// All, as tokens write them.
    pub const ALL: [(&'static str, Self); 4] = [
        ("jobs:write", Self::WriteJobs),
        ("jobs:read", Self::ReadJobs),
        ("dlq:write", Self::WriteDeadLetters),
        ("admin", Self::Admin),
    ];

    /// The scope of this name. Names that are not ours are somebody else's, and no fault.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, scope)| *scope)
    }
}

/// To whom a job belongs: nobody else sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// The tenant; empty where tokens name none.
    pub tenant: String,
    /// The subject within the tenant.
    pub subject: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tenant.as_str() {
            "" => f.write_str(&self.subject),
            tenant => write!(f, "{tenant}/{}", self.subject),
        }
    }
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `None` where there are no tokens: everybody on this machine, who may do everything.
    pub owner: Option<Owner>,
    /// What they may, without repeats.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Whoever asks where there are no tokens.
    #[must_use]
    pub fn local() -> Self {
        Self { owner: None, scopes: vec![Scope::Admin] }
    }

    /// Whether they may do what needs this scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether they may know of a job with this owner. Jobs of events that came without the API have none: only admins see
    /// them.
    #[must_use]
    pub fn sees(&self, owner: Option<&Owner>) -> bool {
        self.scopes.contains(&Scope::Admin) || (owner.is_some() && self.owner.as_ref() == owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_seen_by_its_owner_and_by_admins() {
        let owner = |tenant: &str, subject: &str| Owner { tenant: tenant.into(), subject: subject.into() };
        let ann = Caller { owner: Some(owner("a", "ann")), scopes: vec![Scope::ReadJobs] };
        assert!(ann.sees(Some(&owner("a", "ann"))));
        assert!(!ann.sees(Some(&owner("a", "bob"))));
        assert!(!ann.sees(Some(&owner("b", "ann"))));
        assert!(!ann.sees(None));
        assert!(Caller::local().sees(None));
        let nobody = Caller { owner: None, scopes: vec![Scope::ReadJobs] };
        assert!(!nobody.sees(None));
    }

    #[test]
    fn only_admins_may_everything() {
        let reader = Caller { owner: None, scopes: vec![Scope::ReadJobs] };
        assert!(reader.may(Scope::ReadJobs) && !reader.may(Scope::WriteJobs) && !reader.may(Scope::Admin));
        assert!(Scope::ALL.iter().all(|(_, scope)| Caller::local().may(*scope)));
    }
}
