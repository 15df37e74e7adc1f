//! The handbook job: the features and models of a published book on card fraud as a pipeline, on the book's own data,
//! compared number for number with an offline computation. See `examples/fraud/handbook`.

use crate::errands::{overrides, programs};
use crate::guests;
use crate::home::Home;
use crate::kafka;
use crate::onnxruntime;
use crate::process::Job;
use crate::python;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "examples/fraud/handbook";

#[derive(Args, Debug)]
pub(crate) struct Handbook {
    /// The handbook's transactions, a Parquet file
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Let the pipeline have the first N transactions only
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The model that scores; all are trained
    #[arg(long, value_enum, default_value_t = Model::Forest)]
    model: Model,
    /// State has so much memory, as `state.memory` says it; the rest of it lies on disk
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Model {
    Logistic,
    Tree,
    Forest,
    #[value(alias = "trees")]
    Boosted,
}

impl Model {
    /// Called as `train.py` does.
    fn file(self) -> &'static str {
        match self {
            Self::Logistic => "logistic.onnx",
            Self::Tree => "tree.onnx",
            Self::Forest => "forest.onnx",
            Self::Boosted => "boosted.onnx",
        }
    }
}

pub(crate) fn run(home: &Home, handbook: &Handbook) -> Result<()> {
    let table = prove(home, handbook);
    home.steps.print_table();
    println!("\n{}", table?);
    Ok(())
}

/// Gives the table of models, once all is as it should be.
fn prove(home: &Home, handbook: &Handbook) -> Result<String> {
    let data = handbook.data.canonicalize().with_context(|| handbook.data.display().to_string())?;
    let scripts = Scripts::prepare(home)?;
    let onnxruntime = onnxruntime::library(home)?;
    guests::build(home)?;
    programs(home, "host", &["tailwater"])?;

    let models = home.target.join("handbook");
    fs::create_dir_all(&models)?;
    let (features, model) = (models.join("features.parquet"), models.join(handbook.model.file()));
    scripts.run("compute", "features offline", "offline.py", |job| {
        job.arg("--check").arg(&data).arg(&features);
    })?;
    scripts.run("train", "models", "train.py", |job| {
        job.arg(&features).arg(&models);
    })?;

    // Empty, so that whatever comes out came of this run.
    let broker = kafka::launch(home)?;
    let address = broker.address();
    scripts.run("load", "topics", "load.py", |job| {
        job.arg(&address).arg(&data).args(handbook.limit());
    })?;
    home.steps.loud("run", "pipeline", || {
        let mut job = Job::new(home.target.join("release/tailwater"));
        job.args(["run", "--until-end"]).arg(Path::new(FOLDER).join("handbook.toml")).within(&home.root);
        job.without(&overrides());
        job.env("TAILWATER__KAFKA__BROKERS", &address).env("TAILWATER__MODEL__FILE", &model);
        if let Some(memory) = &handbook.memory {
            job.env("TAILWATER__STATE__MEMORY", memory);
        }
        job.env("TAILWATER_ONNXRUNTIME", &onnxruntime).show()
    })?;
    scripts.run("verify", "scores", "verify.py", |job| {
        job.arg(&address).arg(&features).arg("--model").arg(&model).args(handbook.limit());
    })?;
    broker.close()?;
    Ok(fs::read_to_string(models.join("table.md"))?)
}

impl Handbook {
    fn limit(&self) -> Vec<String> {
        self.limit.map(|rows| vec!["--limit".to_owned(), rows.to_string()]).unwrap_or_default()
    }
}

/// The handbook's scripts, and the packages that they need.
struct Scripts<'a> {
    home: &'a Home,
    python: PathBuf,
    packages: PathBuf,
    folder: PathBuf,
}

impl<'a> Scripts<'a> {
    fn prepare(home: &'a Home) -> Result<Self> {
        let folder = home.root.join(FOLDER);
        let packages = python::packages(home, "handbook", &folder.join("requirements.txt"))?;
        Ok(Self { home, python: python::python(home)?, packages, folder })
    }

    fn run(&self, verb: &str, what: &str, script: &str, arguments: impl FnOnce(&mut Job)) -> Result<()> {
        let mut job = Job::new(&self.python);
        job.arg(self.folder.join(script)).env("PYTHONPATH", &self.packages);
        // Its bytecode would lie among the sources.
        job.env("PYTHONDONTWRITEBYTECODE", "1");
        job.advise("What is wrong stands above.");
        arguments(&mut job);
        self.home.steps.loud(verb, what, || job.show())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        handbook: Handbook,
    }

    fn parse(line: &str) -> Result<Handbook, clap::Error> {
        Line::try_parse_from(line.split_whitespace()).map(|line| line.handbook)
    }

    #[test]
    fn the_data_must_be_named_and_the_rest_need_not() {
        assert!(parse("x").is_err());
        let handbook = parse("x --data d").unwrap();
        assert_eq!((handbook.model, handbook.limit().len()), (Model::Forest, 0));
        let handbook = parse("x --data d --limit 7 --model trees").unwrap();
        assert_eq!((handbook.model, handbook.limit()), (Model::Boosted, vec!["--limit".into(), "7".into()]));
    }

    #[test]
    fn models_are_those_that_are_trained() {
        let names = fs::read_to_string(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FOLDER).join("names.py"),
        );
        let names = names.unwrap();
        for model in Model::value_variants() {
            let name = model.file().strip_suffix(".onnx").unwrap();
            assert!(names.contains(&format!("    {name:?}: ")), "{name}");
        }
    }
}
