use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// The timeout of every wait; enough for a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A folder that goes away with its test.
struct Here {
    _guard: TempDir,
    root: PathBuf,
}

fn here() -> Here {
    let guard = tempfile::tempdir().unwrap();
    let root = guard.path().canonicalize().unwrap();
    Here { _guard: guard, root }
}

impl Here {
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

/// The next change, which has to come.
async fn next(watch: &mut FileWatch) -> Vec<PathBuf> {
    let changed = timeout(LONG, watch.changed()).await.expect("a change was not noticed");
    changed.into_iter().collect()
}

async fn both() -> [(Watching, Here); 2] {
    [(Watching::Told, here()), (Watching::Looked, here())]
}

#[tokio::test]
async fn a_file_is_noticed_however_it_is_saved() {
    for (how, here) in both().await {
        let file = here.write("m.wasm", "1");
        let other = here.write("other.toml", "1");
        let mut watch = FileWatch::start(how, [file.clone(), other].into()).await;
        // In place.
        here.write("m.wasm", "2");
        assert_eq!(next(&mut watch).await, std::slice::from_ref(&file), "{how:?}");
        // By a rename over it.
        fs::rename(here.write("m.wasm.tmp", "3"), &file).unwrap();
        assert_eq!(next(&mut watch).await, std::slice::from_ref(&file), "{how:?}");
        // As editors do: the old one is moved away, and the new one written.
        fs::rename(&file, here.path("m.wasm~")).unwrap();
        here.write("m.wasm", "4");
        assert_eq!(next(&mut watch).await, std::slice::from_ref(&file), "{how:?}");
        // Gone, and back again.
        fs::remove_file(&file).unwrap();
        assert_eq!(next(&mut watch).await, std::slice::from_ref(&file), "{how:?}");
        here.write("m.wasm", "5");
        assert_eq!(next(&mut watch).await, [file], "{how:?}");
    }
}

#[tokio::test]
async fn a_config_map_is_noticed_when_its_link_is_swapped() {
    for (how, here) in both().await {
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(here.path(version)).unwrap();
            here.write(&format!("{version}/p.toml"), text);
            here.write(&format!("{version}/same.toml"), "same");
        }
        symlink("..1", here.path("..data")).unwrap();
        for name in ["p.toml", "same.toml"] {
            symlink(format!("..data/{name}"), here.path(name)).unwrap();
        }
        let files = BTreeSet::from([here.path("p.toml"), here.path("same.toml")]);
        let mut watch = FileWatch::start(how, files).await;
        symlink("..2", here.path("..data_tmp")).unwrap();
        fs::rename(here.path("..data_tmp"), here.path("..data")).unwrap();
        assert_eq!(next(&mut watch).await, [here.path("p.toml")], "what holds the same is not told, {how:?}");
        // The folder behind the new link is watched now.
        here.write("..2/p.toml", "three");
        assert_eq!(next(&mut watch).await, [here.path("p.toml")], "{how:?}");
    }
}

#[tokio::test]
async fn a_file_is_told_of_only_when_it_is_whole() {
    let here = here();
    let file = here.write("m.wasm", "old");
    let mut watch = FileWatch::start(Watching::Told, [file.clone()].into()).await;
    let mut half = fs::File::create(&file).unwrap();
    for _ in 0..20 {
        half.write_all(b"part").unwrap();
        let written = Instant::now();
        if timeout(QUIET / 2, watch.changed()).await.is_ok() {
            // On a busy machine a pause of the writer can look like its end.
            assert!(written.elapsed() >= QUIET, "a part was told of");
        }
    }
    if watch.differs() {
        assert_eq!(next(&mut watch).await, [file]);
    }
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let here = here();
    let file = here.write("m.wasm", "same");
    let mut watch = FileWatch::start(Watching::Told, [file.clone()].into()).await;
    here.write("m.wasm", "same");
    fs::rename(here.write("m.wasm.tmp", "same"), &file).unwrap();
    here.write("beside.wasm", "other");
    let marker = here.path("marker.toml");
    watch.replace([file.clone(), marker.clone()].into()).await;
    here.write("marker.toml", "now");
    assert_eq!(next(&mut watch).await, [marker], "only the file that was written later holds something new");
}

#[tokio::test]
async fn a_change_while_nobody_waited_is_told_at_once_and_a_wait_may_be_dropped() {
    let here = here();
    let file = here.write("p.toml", "1");
    let mut watch = FileWatch::start(Watching::Looked, [file.clone()].into()).await;
    here.write("p.toml", "2");
    for _ in 0..20 {
        tokio::select! {
            biased;
            _ = watch.changed() => panic!("a wait that was dropped at once cannot have ended"),
            () = std::future::ready(()) => {}
        }
    }
    assert_eq!(next(&mut watch).await, [file]);
}

#[tokio::test]
async fn a_folder_that_comes_later_is_watched_then() {
    let here = here();
    let file = here.path("later/deeper/p.toml");
    let mut watch = FileWatch::start(Watching::Told, [file.clone()].into()).await;
    fs::create_dir_all(here.path("later/deeper")).unwrap();
    here.write("later/deeper/p.toml", "1");
    assert_eq!(next(&mut watch).await, std::slice::from_ref(&file));
    here.write("later/deeper/p.toml", "2");
    assert_eq!(next(&mut watch).await, [file]);
}
