//! The container image, made of a program that is built on this machine.

use crate::containers::Engine;
use crate::errands::program;
use crate::home::{Home, remove};
use crate::onnxruntime;
use crate::process::Job;
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(crate) struct Image {
    /// What the image is called
    #[arg(long, value_name = "NAME[:TAG]", default_value = "tailwater")]
    tag: String,
    /// `release` is built sooner, and is slower and larger
    #[arg(long, value_enum, default_value_t = Profile::Dist)]
    profile: Profile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Profile {
    Dist,
    Release,
}

impl Profile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dist => "dist",
            Self::Release => "release",
        }
    }
}

/// Prints how it is run.
pub(crate) fn run(home: &Home, image: &Image) -> Result<()> {
    // What is missing shows before the compiler has worked for long.
    let engine = Engine::find(home)?;
    let program = program(home, image.profile)?;
    build(home, &engine, &program, &image.tag)?;
    eprintln!("{:<8} {} MB", "size", engine.size(&image.tag)? / 1_000_000);
    println!("{} run {}", engine.program.display(), image.tag);
    Ok(())
}

/// What tests run.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) engine: PathBuf,
    pub(crate) tag: &'static str,
}

/// With the program that other tests run, too.
pub(crate) fn for_tests(home: &Home) -> Result<Built> {
    let (engine, tag) = (Engine::find(home)?, "localhost/tailwater:tests");
    engine.sweep()?;
    build(home, &engine, &home.target.join("release/tailwater"), tag)?;
    Ok(Built { engine: engine.program, tag })
}

fn build(home: &Home, engine: &Engine, program: &Path, tag: &str) -> Result<()> {
    let library = onnxruntime::library(home)?;
    let _lock = home.lock("image")?;
    let context = home.target.join("image");
    lay(&home.root, program, &library, &context)?;
    let base = engine.base(home)?;
    let revision = Job::new("git").args(["rev-parse", "HEAD"]).within(&home.root).output();
    let revision = revision.as_deref().map_or("unknown", str::trim);
    let arguments = [("PROGRAM", "given"), ("BASE", &base), ("REVISION", revision)];
    home.steps.quiet("build", &format!("container image {tag}"), || engine.build(&context, tag, &arguments))
}

/// The folder that the image is built of.
fn lay(root: &Path, program: &Path, library: &Path, context: &Path) -> Result<()> {
    remove(context)?;
    for folder in ["program", "deploy"] {
        fs::create_dir_all(context.join(folder))?;
    }
    let mut strip = Job::new("strip");
    strip.arg("-o").arg(context.join("program/tailwater")).arg(program);
    strip.advise("Install binutils, which come with a C compiler.").run()?;
    fs::copy(library, context.join("program/libonnxruntime.so"))?;
    for file in ["deploy/Dockerfile", "deploy/lay-root.sh"] {
        fs::copy(root.join(file), context.join(file))?;
    }
    Ok(())
}
