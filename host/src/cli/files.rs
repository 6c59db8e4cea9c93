//! Finds and loads the pipeline files that the command line names.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::app::{self, Failure};
use gristmill_config::ConfigError;
use gristmill_llm::settings::{AliasSettings, TargetSettings};

use crate::settings::{HostFile, Pipeline};

/// The host file, or its defaults without one.
pub(super) fn host(file: Option<&Path>) -> Result<HostFile, Failure> {
    Ok(file.map(HostFile::load).transpose()?.unwrap_or_default())
}

/// Loads the pipelines at these paths. A folder stands for all its files that end in `.toml`, sorted by name, except
/// those that a pipeline uses as the script of a model.
pub(super) fn load(paths: &[PathBuf], host: &HostFile) -> Result<Vec<Pipeline>, Failure> {
    let (pipelines, read) = load_each(paths, host);
    read.map(|()| pipelines)
}

/// The same with the pipelines of the host, but returns the good ones beside the faults of the others.
pub(super) fn load_each(paths: &[PathBuf], host: &HostFile) -> (Vec<Pipeline>, Result<(), Failure>) {
    let (mut pipelines, mut faults) = (Vec::new(), Vec::new());
    if paths.is_empty() && host.pipelines.is_none() {
        let fix = "name pipeline files, or set pipelines = \"FOLDER\" in the host file";
        return (pipelines, Err(Failure::Setup(anyhow::anyhow!("there is no pipeline; {fix}"))));
    }
    let own = host.path.as_ref().and_then(|path| path.canonicalize().ok());
    for path in paths.iter().chain(&host.pipelines) {
        if path.is_dir() {
            let files = match in_folder(path) {
                Ok(files) => files,
                Err(error) => return (pipelines, Err(Failure::Setup(error))),
            };
            for file in files {
                let real = file.canonicalize().ok();
                if real.is_some() && real == own {
                    continue;
                }
                read(&file, host, real, &mut pipelines, &mut faults);
            }
        } else {
            read(path, host, None, &mut pipelines, &mut faults);
        }
    }
    let scripts: Vec<PathBuf> = pipelines.iter().flat_map(scripts).collect();
    let faults = faults.into_iter().filter(|(found, _)| !found.as_ref().is_some_and(|found| scripts.contains(found)));
    let faults = faults.map(|(_, faults)| faults).reduce(ConfigError::and);
    (pipelines, faults.map_or(Ok(()), |faults| Err(Failure::Config(faults))))
}

/// `found` is the real path of a file that was found in a folder, `None` if the file itself was named.
fn read(
    file: &Path,
    host: &HostFile,
    found: Option<PathBuf>,
    pipelines: &mut Vec<Pipeline>,
    faults: &mut Vec<(Option<PathBuf>, ConfigError)>,
) {
    match Pipeline::load_in(file, host) {
        Ok(pipeline) => pipelines.push(pipeline),
        Err(error) => faults.push((found, error)),
    }
}

/// The real paths of the scripts that answer in place of models.
fn scripts(pipeline: &Pipeline) -> impl Iterator<Item = PathBuf> {
    pipeline.models.values().flat_map(AliasSettings::all_targets).filter_map(|(_, target)| match target {
        TargetSettings::Scripted(scripted) => scripted.script.canonicalize().ok(),
        TargetSettings::OpenAi(_)
        | TargetSettings::Anthropic(_)
        | TargetSettings::Gemini(_)
        | TargetSettings::Ollama(_) => None,
    })
}

/// The pipeline files in a folder, sorted by name.
pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = || format!("cannot read the folder {}", folder.display());
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
        "no pipeline file in {}; add a .toml file or name another folder",
        folder.display()
    );
    Ok(files)
}

/// Like [`load`], but applies the brokers of the environment and rejects pipelines that cannot
/// run side by side.
pub(super) fn load_to_run(paths: &[PathBuf], host: &HostFile) -> Result<Vec<Pipeline>, Failure> {
    let mut pipelines = load(paths, host)?;
    Failure::all(pipelines.iter_mut().map(app::override_brokers).collect())?;
    Failure::all(pipelines.iter().map(app::check_brokers).collect())?;
    app::check_together(&pipelines.iter().collect::<Vec<_>>())?;
    Ok(pipelines)
}

/// The file of one pipeline, as [`load_to_run`] would load it; `None` if no file has it. Faults of others do not matter, but
/// are reported if the pipeline is not found: they may be its own.
pub(super) fn load_one(paths: &[PathBuf], host: &HostFile, name: &str) -> Result<Option<Pipeline>, Failure> {
    let (pipelines, read) = load_each(paths, host);
    let Some(mut pipeline) = pipelines.into_iter().find(|pipeline| *pipeline.name == *name) else {
        return read.map(|()| None);
    };
    app::override_brokers(&mut pipeline)?;
    app::check_brokers(&pipeline)?;
    Ok(Some(pipeline))
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
    fn a_folder_stands_for_its_pipeline_files_sorted_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for (file, name) in [("b.toml", "second"), ("a.toml", "first"), ("c.txt", "none")] {
            write(folder.path(), file, &pipeline(name));
        }
        std::fs::create_dir(folder.path().join("d.toml")).unwrap();
        write(&folder.path().join("d.toml"), "e.toml", &pipeline("deeper"));
        let names =
            |pipelines: Vec<Pipeline>| pipelines.iter().map(|pipeline| pipeline.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(load(&[folder.path().to_owned()], &HostFile::default()).unwrap()), ["first", "second"]);
        assert_eq!(
            names(load(&[folder.path().join("b.toml"), folder.path().join("a.toml")], &HostFile::default()).unwrap()),
            ["second", "first"]
        );
    }

    #[test]
    fn one_pipeline_is_loaded_whatever_is_wrong_with_others() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("a"));
        write(folder.path(), "b.toml", "name = 1\n");
        let one = |name| load_one(&[folder.path().to_owned()], &HostFile::default(), name);
        assert_eq!(&*one("a").unwrap().unwrap().name, "a");
        assert!(matches!(one("b"), Err(Failure::Config(_))), "the fault may be why it is not found");
        write(folder.path(), "b.toml", &pipeline("c"));
        assert!(one("b").unwrap().is_none());
    }

    #[test]
    fn scripts_of_models_in_a_folder_are_not_loaded_as_pipelines() {
        let folder = tempfile::tempdir().unwrap();
        let model = "models.m.targets = [{ provider = \"scripted\", script = \"answers.toml\" }]\n";
        write(folder.path(), "a.toml", &(pipeline("a") + model));
        write(folder.path(), "answers.toml", "name = \"x\"\n");
        assert_eq!(load(&[folder.path().to_owned()], &HostFile::default()).unwrap().len(), 1);
        let named = [folder.path().to_owned(), folder.path().join("answers.toml")];
        assert!(
            load(&named, &HostFile::default()).unwrap_err().to_string().contains("answers.toml"),
            "a file that is named is always loaded"
        );
        write(folder.path(), "other.toml", "name = \"x\"\n");
        let error = load(&[folder.path().to_owned()], &HostFile::default()).unwrap_err().to_string();
        assert!(error.contains("other.toml") && !error.contains("answers.toml"), "{error}");
    }

    #[test]
    fn the_host_file_in_its_own_folder_of_pipelines_is_none() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("a"));
        write(folder.path(), "gristmill.toml", "pipelines = \".\"\n");
        let host = HostFile::load(&folder.path().join("gristmill.toml")).unwrap();
        assert_eq!(load_to_run(&[], &host).unwrap().len(), 1);
        let failure = load_to_run(&[], &HostFile::default()).unwrap_err().to_string();
        assert!(failure.contains("pipelines = \"FOLDER\""), "{failure}");
    }

    #[test]
    fn a_folder_without_pipelines_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(&[folder.path().to_owned()], &HostFile::default()).unwrap_err().to_string();
        assert!(error.contains("no pipeline file in"), "{error}");
    }

    #[test]
    fn the_faults_of_all_files_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("A"));
        write(folder.path(), "b.toml", "name = ");
        write(folder.path(), "c.toml", &pipeline("fine"));
        let error = load(&[folder.path().to_owned()], &HostFile::default()).unwrap_err().to_string();
        assert!(error.contains("a.toml:1:8") && error.contains("b.toml:1:"), "{error}");
        assert!(!error.contains("c.toml"), "{error}");
    }

    #[test]
    fn secrets_that_cannot_be_read_are_reported_for_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let secret = "kafka.properties.sasl.password = { file = \"/nonexistent/password\" }\n";
        for name in ["a", "b"] {
            let text = pipeline(name).replace("kafka = { brokers = \"embedded\" }", "kafka.brokers = \"h:9092\"");
            let text = text.replace("source =", &format!("{secret}source ="));
            write(folder.path(), &format!("{name}.toml"), &text);
        }
        let failure = load_to_run(&[folder.path().to_owned()], &HostFile::default()).unwrap_err();
        let shown = failure.to_string();
        assert!(matches!(failure, Failure::Config(_)), "{shown}");
        assert!(shown.contains("a.toml:3:") && shown.contains("b.toml:3:"), "{shown}");
    }

    #[test]
    fn the_same_file_twice_is_two_pipelines_with_one_name() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.toml", &pipeline("a"));
        let file = folder.path().join("a.toml");
        let error = load_to_run(&[file.clone(), file], &HostFile::default()).unwrap_err().to_string();
        assert!(error.contains("two pipelines are named \"a\""), "{error}");
    }
}
