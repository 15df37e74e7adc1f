//! A model that passed its checks, and makes sessions.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ort::session::Session;

use crate::columns::Schema;
use crate::engine::ports::{MatrixColumn, Model};
use crate::error::{Code, Error, Result};
use crate::model::inputs::{Inputs, bind};
use crate::model::names::{self, PROPERTY};
use crate::model::outputs::{self, Pick};
use crate::model::session::{Asker, Scorer, Shape, load};
use crate::model::watch::{self, LOAD_LIMIT};
use crate::model::{Runtime, ScoreSpec, Wanted, file, graph, probe, words};

/// A checked model. It keeps the file's bytes, so that every session runs what was checked.
pub struct Prepared {
    runtime: Runtime,
    bytes: Arc<Vec<u8>>,
    digest: String,
    shape: Arc<Shape>,
    matrix: Vec<MatrixColumn>,
    columns: Vec<usize>,
    schema: Schema,
    scores: Vec<String>,
    widths: Arc<[usize]>,
    picks: Arc<[Pick]>,
}

impl Prepared {
    /// SHA-256 of the file, in hexadecimal: the model's name.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What each column of [`Question::matrix`](crate::engine::ports::Question::matrix) must be, in order;
    /// empty if the model takes no matrix. Features are indices into [`Wanted::features`], columns into
    /// [`Wanted::columns`].
    pub fn matrix(&self) -> &[MatrixColumn] {
        &self.matrix
    }

    /// Which of [`Wanted::columns`] the batch of a question must have, in order.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The schema of a question's batch: [`Prepared::columns`], written out.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Names of the scores, in the order in which they are answered.
    pub fn scores(&self) -> &[String] {
        &self.scores
    }

    /// A session for one thread: about the model's size again, on the calling thread's time.
    pub fn session(&self) -> Result<Box<dyn Model + Send>> {
        let session = load(&self.runtime.environment, &self.bytes);
        let asker = session.and_then(|session| Asker::new(session, Arc::clone(&self.shape)));
        let asker = asker.map_err(|error| unreadable(&words::said(&error)))?;
        Ok(Box::new(Scorer { asker, widths: Arc::clone(&self.widths), picks: Arc::clone(&self.picks) }))
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { digest, matrix, schema, scores, .. } = self;
        write!(f, "Prepared {{ {digest}: {matrix:?}, {schema:?} -> {scores:?} }}")
    }
}

/// All checks, in the order in which they help most.
pub(super) fn prepare(runtime: &Runtime, path: &Path, wanted: &Wanted<'_>) -> Result<Prepared> {
    let bytes = Arc::new(file::read(path)?);
    graph::check(&bytes)?;
    let session = load_in_time(runtime, &bytes)?;
    let property = session.metadata().map_err(|error| unreadable(&words::said(&error)))?.custom(PROPERTY);
    let names = names::of_matrix(property.as_deref(), wanted.feature_names)?;
    let Inputs { inputs, matrix, columns } = bind(session.inputs(), names.as_deref(), wanted)?;
    let schema: Schema = columns.iter().map(|at| wanted.columns[*at].clone()).collect();
    let kinds = schema.iter().map(|column| column.kind).collect();
    let by_default = [ScoreSpec::by_default()];
    let specs = if wanted.scores.is_empty() { &by_default } else { wanted.scores };
    let (asked, indices) = outputs::choose(session.outputs(), specs)?;

    let shape = Arc::new(Shape { inputs, features: matrix.len(), kinds, asked });
    let widths = try_out(session, &shape, &schema)?;
    let pick = |(spec, asked): (&ScoreSpec, usize)| {
        let column = outputs::column(spec, &shape.asked[asked], widths[asked])?;
        Ok(Pick { asked, column })
    };
    let picks: Result<Vec<Pick>> = specs.iter().zip(indices).map(pick).collect();
    Ok(Prepared {
        runtime: runtime.clone(),
        digest: file::digest(&bytes),
        bytes,
        matrix,
        columns,
        schema,
        scores: specs.iter().map(|spec| spec.name.clone()).collect(),
        widths: widths.into(),
        picks: picks?.into(),
        shape,
    })
}

fn load_in_time(runtime: &Runtime, bytes: &Arc<Vec<u8>>) -> Result<Session> {
    let (environment, bytes) = (runtime.environment.clone(), Arc::clone(bytes));
    let loaded = watch::in_time(LOAD_LIMIT, move || load(&environment, &bytes));
    loaded.map_err(|lost| unreadable(&lost))?.map_err(|error| unreadable(&words::said(&error)))
}

fn unreadable(why: &str) -> Error {
    let outside = why.contains("External data path");
    let advice = if outside { ". Its weights are in another file: save it as one" } else { "" };
    Error::new(Code::ModelUnreadable, format!("ONNX Runtime can't load it: {why}{advice}"))
}

fn try_out(session: Session, shape: &Arc<Shape>, schema: &Schema) -> Result<Vec<usize>> {
    let asker = Asker::new(session, Arc::clone(shape));
    let asker = asker.map_err(|error| unreadable(&words::said(&error)))?;
    probe::widths(asker, shape, schema)
}
