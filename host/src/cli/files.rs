//! Which pipeline files are meant.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::app::{self, Failure};
use crate::config::{ConfigError, Pipeline};

/// Reads all pipelines that the paths name: files as they are, of a folder all that end in `.toml`, by name.
pub(super) fn load(paths: &[PathBuf]) -> Result<Vec<Pipeline>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(in_folder(path).map_err(Failure::Setup)?),
            false => files.push(path.clone()),
        }
    }
    let (mut pipelines, mut faults) = (Vec::new(), None::<ConfigError>);
    for file in files {
        match Pipeline::load(&file) {
            Ok(pipeline) => pipelines.push(pipeline),
            Err(more) => {
                faults = Some(match faults {
                    Some(faults) => faults.and(more),
                    None => more,
                });
            }
        }
    }
    faults.map_or(Ok(pipelines), |faults| Err(Failure::Config(faults)))
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = || format!("the folder {} cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(listed)? {
        let path = entry.with_context(listed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    anyhow::ensure!(
        !files.is_empty(),
        "there is no pipeline in {}: name a .toml file, or put one there",
        folder.display()
    );
    Ok(files)
}

/// The same with the brokers of the environment, and nothing that keeps the pipelines from running side by side.
pub(super) fn load_to_run(paths: &[PathBuf]) -> Result<Vec<Pipeline>, Failure> {
    let mut pipelines = load(paths)?;
    for pipeline in &mut pipelines {
        app::override_brokers(pipeline)?;
    }
    app::check_together(&pipelines)?;
    Ok(pipelines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, text: &str) {
        std::fs::write(folder.join(file), text).unwrap();
    }

    fn pipeline(name: &str) -> String {
        format!(
            "name = {name:?}\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ topic = \"{name}\" }}\n\
             sink = {{ topic = \"out\" }}\ndead_letter = {{ topic = \"dead\" }}\n\
             stage = [{{ name = \"a\", module = \"builtin:extract\" }}]\n"
        )
    }

    #[test]
    fn of_a_folder_all_pipelines_are_read_by_name_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        for (file, name) in [("b.toml", "second"), ("a.toml", "first"), ("c.txt", "none")] {
            write(folder.path(), file, &pipeline(name));
        }
        std::fs::create_dir(folder.path().join("d.toml")).unwrap();
        write(&folder.path().join("d.toml"), "e.toml", &pipeline("deeper"));
        let names =
            |pipelines: Vec<Pipeline>| pipelines.iter().map(|pipeline| pipeline.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(load(&[folder.path().to_owned()]).unwrap()), ["first", "second"]);
        assert_eq!(
            names(load(&[folder.path().join("b.toml"), folder.path().join("a.toml")]).unwrap()),
            ["second", "first"]
        );
    }

    #[test]
    fn a_folder_without_pipelines_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("there is no pipeline in"), "{error}");
    }

    #[test]
    fn the_faults_of_all_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("A"));
        write(folder.path(), "b.toml", "name = ");
        write(folder.path(), "c.toml", &pipeline("fine"));
        let error = load(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("a.toml:1:8") && error.contains("b.toml:1:"), "{error}");
        assert!(!error.contains("c.toml"), "{error}");
    }

    #[test]
    fn the_same_file_twice_is_two_pipelines_of_one_name() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("a"));
        let file = folder.path().join("a.toml");
        let error = load_to_run(&[file.clone(), file]).unwrap_err().to_string();
        assert!(error.contains("two pipelines are named \"a\""), "{error}");
    }
}
