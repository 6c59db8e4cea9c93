//! The way to a file: the folders in which a change can lead it elsewhere.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// How many symbolic links are followed, as Linux does.
const MOST_LINKS: usize = 40;

/// The folders on the way to a file, and the names in them that matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) names: BTreeSet<OsString>,
}

impl Way {
    /// The way to this file. If something on it does not exist, it ends there.
    pub(super) fn to(file: &Path) -> Self {
        let mut way = Self::default();
        let Ok(file) = std::path::absolute(file) else { return way };
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        let mut left: VecDeque<OsString> = parts(&file);
        while let Some(name) = left.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            if let Ok(target) = std::fs::read_link(&next) {
                way.matters(&at, name);
                links += 1;
                if links > MOST_LINKS {
                    break;
                }
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            } else if left.is_empty() || !next.exists() {
                way.matters(&at, name);
                break;
            } else {
                at = next;
            }
        }
        way
    }

    fn matters(&mut self, folder: &Path, name: OsString) {
        self.folders.insert(folder.to_owned());
        self.names.insert(name);
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_is_a_place_where_it_can_change() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("releases/1/app")).unwrap();
        fs::write(root.join("releases/1/app/p.toml"), "").unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        symlink("../current/app", root.join("releases/app")).unwrap();
        let way = Way::to(&root.join("releases/app/p.toml"));
        let folders = [root.join("releases"), root.clone(), root.join("releases/1/app")];
        assert_eq!(way.folders, BTreeSet::from(folders));
        assert_eq!(way.names, ["app", "current", "p.toml"].map(OsString::from).into());
        let missing = Way::to(&root.join("releases/2/app/p.toml"));
        assert_eq!((missing.folders, missing.names), ([root.join("releases")].into(), [OsString::from("2")].into()));
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(Way::to(&root.join("loop/p.toml")).folders, [root].into());
    }
}
