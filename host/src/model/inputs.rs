//! Which input of a model gets what. Decided at load, by name.

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::columns::{Column, Kind, position};
use crate::engine::ports::MatrixColumn;
use crate::error::{Code, Error, Result};
use crate::model::names::PROPERTY;
use crate::model::{Wanted, words};

const FIXED: &str = "its batch size is fixed. Export the model with a first dimension that may vary: with \
    skl2onnx and onnxmltools `FloatTensorType([None, F])`, with torch.onnx.export `dynamic_axes`";

/// What the numbers of an input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Float,
    Double,
    Int,
    Boolean,
    Text,
}

/// Where an input's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The question's matrix.
    Matrix,
    /// A column of the question's batch.
    Column(usize),
}

/// One input of the model, bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub name: String,
    pub from: From,
    pub element: Element,
    /// Values a row.
    pub width: usize,
    /// 1 for `[N]`, 2 for `[N, width]`.
    pub rank: usize,
}

/// All inputs of a model, bound.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inputs {
    /// In the model's order.
    pub inputs: Vec<Input>,
    /// What each column of the matrix is; empty if there is no matrix.
    pub matrix: Vec<MatrixColumn>,
    /// Which of the offered columns the question's batch has, in order.
    pub columns: Vec<usize>,
}

/// `names`: of the matrix's columns, as far as anybody says.
pub(super) fn bind(outlets: &[Outlet], names: Option<&[String]>, wanted: &Wanted<'_>) -> Result<Inputs> {
    if outlets.is_empty() {
        return Err(refusal("it has no input"));
    }
    let mut bound = Inputs::default();
    let mut matrix: Option<&Outlet> = None;
    for outlet in outlets {
        let dimensions = batched(outlet)?;
        let input = match bind_column(outlet, &mut bound.columns, wanted) {
            Some(input) => input,
            None if is_matrix(outlet) => {
                if let Some(first) = matrix.replace(outlet) {
                    return Err(two_matrices(first, outlet, wanted));
                }
                let names = names.ok_or_else(|| nameless(outlet))?;
                bound.matrix = bind_matrix(outlet, dimensions[1], names, wanted)?;
                let (name, width) = (outlet.name().to_owned(), names.len());
                Input { name, from: From::Matrix, element: Element::Float, width, rank: 2 }
            }
            None => return Err(unbound(outlet, wanted)),
        };
        bound.inputs.push(input);
    }
    match (names, matrix) {
        (Some(names), None) => {
            let names = words::list(names.iter().map(String::as_str));
            Err(refusal(format!(
                "features are named ({names}), but no input is left that takes a matrix of floats"
            )))
        }
        _ => Ok(bound),
    }
}

/// The dimensions of a tensor whose first may vary.
fn batched(outlet: &Outlet) -> Result<&[i64]> {
    match outlet.dtype().tensor_shape() {
        Some(shape) if shape.is_empty() => {
            Err(refusal(format!("{} says nothing of its shape: export it with [N] or [N, F]", input(outlet))))
        }
        Some(shape) if shape[0] >= 0 => Err(refusal(format!("{}: {FIXED}", input(outlet)))),
        Some(shape) => Ok(shape),
        None => Err(refusal(format!("{} is no tensor, which can't be provided", input(outlet)))),
    }
}

/// Binds to the offered column of the same name, if it fits.
fn bind_column(outlet: &Outlet, chosen: &mut Vec<usize>, wanted: &Wanted<'_>) -> Option<Input> {
    let offered = position(wanted.columns, outlet.name())?;
    let (element, width) = fit(outlet.dtype(), wanted.columns[offered].kind)?;
    let rank = outlet.dtype().tensor_shape()?.len();
    chosen.push(offered);
    let from = From::Column(chosen.len() - 1);
    Some(Input { name: outlet.name().to_owned(), from, element, width, rank })
}

/// How a column of that kind is given to a tensor of that type; `None` if it can't be.
fn fit(dtype: &ValueType, kind: Kind) -> Option<(Element, usize)> {
    let ValueType::Tensor { ty, shape, .. } = dtype else { return None };
    if let (Kind::Floats, TensorElementType::Float32, [_, width]) = (kind, ty, &**shape) {
        return Some((Element::Float, usize::try_from(*width).ok().filter(|width| *width > 0)?));
    }
    let element = match (ty, kind) {
        (TensorElementType::Float32, Kind::Int | Kind::Float | Kind::Single) => Element::Float,
        (TensorElementType::Float64, Kind::Int | Kind::Float | Kind::Single) => Element::Double,
        (TensorElementType::Int64, Kind::Int | Kind::Time) => Element::Int,
        (TensorElementType::Bool, Kind::Boolean) => Element::Boolean,
        (TensorElementType::String, Kind::Text) => Element::Text,
        _ => return None,
    };
    matches!(&**shape, [_] | [_, 1]).then_some((element, 1))
}

fn is_matrix(outlet: &Outlet) -> bool {
    let dtype = outlet.dtype();
    dtype.tensor_type() == Some(TensorElementType::Float32)
        && dtype.tensor_shape().is_some_and(|s| s.len() == 2)
}

/// `width`: as declared, negative if it may vary.
fn bind_matrix(
    outlet: &Outlet,
    width: i64,
    names: &[String],
    wanted: &Wanted<'_>,
) -> Result<Vec<MatrixColumn>> {
    if width >= 0 && width != names.len() as i64 {
        let message = format!("{} takes {width} features, but {} are named", input(outlet), names.len());
        return Err(refusal(message));
    }
    if names.is_empty() {
        return Err(refusal(format!("{} has no feature", input(outlet))));
    }
    let found: Vec<Option<MatrixColumn>> = names.iter().map(|name| matrix_column(name, wanted)).collect();
    let missing =
        names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| name.as_str());
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let (missing, available) = (words::list(missing), available(wanted));
    Err(refusal(format!("{} wants features that nobody provides: {missing}. {available}", input(outlet))))
}

/// Features go before columns of the same name.
fn matrix_column(name: &str, wanted: &Wanted<'_>) -> Option<MatrixColumn> {
    let feature = wanted.features.iter().position(|feature| feature == name).map(MatrixColumn::Feature);
    let number =
        |column: &Column| matches!(column.kind, Kind::Boolean | Kind::Int | Kind::Float | Kind::Single);
    let column = || position(wanted.columns, name).filter(|at| number(&wanted.columns[*at]));
    feature.or_else(|| column().map(MatrixColumn::Column))
}

fn two_matrices(first: &Outlet, second: &Outlet, wanted: &Wanted<'_>) -> Error {
    let (first, second) = (input(first), input(second));
    refusal(format!("two inputs are left for one matrix: {first} and {second}. {}", available(wanted)))
}

fn nameless(outlet: &Outlet) -> Error {
    refusal(format!(
        "{} has no names for its columns. Put a JSON array of them into the model's metadata as `{PROPERTY}`, \
         or name them in the pipeline file",
        input(outlet)
    ))
}

fn unbound(outlet: &Outlet, wanted: &Wanted<'_>) -> Error {
    let why = match position(wanted.columns, outlet.name()) {
        Some(at) => format!("the column of that name is {}, which does not fit", wanted.columns[at].kind),
        None => "there is no column of that name".into(),
    };
    refusal(format!("{} can't be provided: {why}. {}", input(outlet), available(wanted)))
}

fn available(wanted: &Wanted<'_>) -> String {
    let columns: Vec<String> = wanted.columns.iter().map(|c| format!("{} ({})", c.name, c.kind)).collect();
    let features = words::list(wanted.features.iter().map(String::as_str));
    format!("There are features: {features}; columns: {}", words::list(columns.iter().map(String::as_str)))
}

fn input(outlet: &Outlet) -> String {
    format!("the input {} of type {}", words::quoted(outlet.name()), words::shaped(outlet.dtype()))
}

fn refusal(message: impl Into<String>) -> Error {
    Error::new(Code::ModelInputs, message)
}
