//! What a reload finds changed in the code of the stages: a module can be another one although the file names the same.

use gristmill_core::flow::Deployment;

/// Logs which stages run another module from now on, by the digests of both.
pub(super) fn log(pipeline: &str, before: &Deployment, after: &Deployment) {
    for (stage, [from, to]) in changes(&modules(before), &modules(after)) {
        tracing::info!(pipeline, stage, from, to, "the module changed");
    }
}

/// The stages with the digests of their modules.
type Modules<'d> = Vec<(&'d str, &'d str)>;

fn modules(deployment: &Deployment) -> Modules<'_> {
    deployment.steps.iter().map(|step| (&*step.name, &*step.digest)).collect()
}

/// The stages that both have, with another module.
fn changes<'d>(before: &Modules<'d>, after: &Modules<'d>) -> Vec<(&'d str, [&'d str; 2])> {
    let mut changed = Vec::new();
    for (stage, to) in after {
        let Some((_, from)) = before.iter().find(|(name, _)| name == stage) else { continue };
        if from != to {
            changed.push((*stage, [*from, *to]));
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stages_that_stay_with_another_module_are_told() {
        let before = vec![("same", "1"), ("changed", "2"), ("gone", "3")];
        let after = vec![("changed", "4"), ("same", "1"), ("new", "5")];
        assert_eq!(changes(&before, &after), [("changed", ["2", "4"])]);
    }
}
