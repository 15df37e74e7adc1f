//! Refused for their inputs.

use super::answers::several;
use super::*;

#[track_caller]
fn refused(model: &str, wanted: &Wanted<'_>, message: &str) {
    assert_eq!(refusal(model, wanted), (Code::ModelInputs, message.to_owned()));
}

#[test]
fn features_that_nobody_provides() {
    let features = names(&["a", "x"]);
    let columns = [Column::new("b", Kind::Text), Column::new("c", Kind::Float)];
    refused(
        "linear",
        &Wanted { features: &features, columns: &columns, ..Wanted::default() },
        "the input `x` of type float [N, 3] wants features that nobody provides: `b`. There are features: `a`, \
         `x`; columns: `b (text)`, `c (float)`",
    );
}

#[test]
fn nobody_names_the_features() {
    let features = names(&["a", "b", "c"]);
    refused(
        "bare",
        &Wanted { features: &features, ..Wanted::default() },
        "the input `x` of type float [N, 3] has no names for its columns. Put a JSON array of them into the \
         model's metadata as `tailwater.features`, or name them in the pipeline file",
    );
}

#[test]
fn the_pipeline_file_names_them_where_the_model_does_not() {
    let features = names(&["a", "b", "c"]);
    let given = names(&["c", "b", "a"]);
    let wanted = Wanted { features: &features, feature_names: Some(&given), ..Wanted::default() };
    assert_eq!(open("bare", &wanted).unwrap().matrix(), [2, 1, 0].map(MatrixColumn::Feature));
    refused(
        "linear",
        &wanted,
        "its metadata and the pipeline file name different features: 3 and 3, at 0 (counted from 0) `a` and `c`. \
         Take the names out of the pipeline file: the model knows its own",
    );
    let same = Wanted { feature_names: Some(&features), ..wanted.clone() };
    assert!(open("linear", &same).is_ok());
    let fewer = Wanted { feature_names: Some(&features[..2]), ..wanted };
    let (code, message) = refusal("linear", &fewer);
    assert_eq!(code, Code::ModelInputs);
    assert!(message.contains("3 and 2, at 2 (counted from 0) `c` and nothing"), "{message}");
}

#[test]
fn names_that_can_not_be() {
    let features = names(&["a", "b", "c"]);
    let wanted = Wanted { features: &features, ..Wanted::default() };
    refused("short_names", &wanted, "the input `x` of type float [N, 3] takes 3 features, but 2 are named");
    refused("twice", &wanted, "the feature `a` is named twice");
    let (code, message) = refusal("bad_names", &wanted);
    assert_eq!(code, Code::ModelInputs);
    assert!(message.starts_with("its metadata property `tailwater.features` is no JSON array"), "{message}");
    let none = Wanted { feature_names: Some(&[]), ..wanted.clone() };
    refused("bare", &none, "the input `x` of type float [N, 3] takes 3 features, but 0 are named");
    refused(
        "items",
        &Wanted { feature_names: Some(&features), columns: &[Column::new("item_id", Kind::Int)], ..wanted },
        "features are named (`a`, `b`, `c`), but no input is left that takes a matrix of floats",
    );
}

#[test]
fn a_fixed_batch() {
    let features = names(&["a", "b", "c"]);
    refused(
        "fixed",
        &Wanted { features: &features, ..Wanted::default() },
        "the input `x` of type float [1, 3]: its batch size is fixed. Export the model with a first dimension that \
         may vary: with skl2onnx and onnxmltools `FloatTensorType([None, F])`, with torch.onnx.export `dynamic_axes`",
    );
}

#[test]
fn inputs_that_no_column_fits() {
    let features = names(&["a"]);
    let text = [Column::new("item_id", Kind::Text)];
    refused(
        "items",
        &Wanted { columns: &text, ..Wanted::default() },
        "the input `item_id` of type int64 [N] can't be provided: the column of that name is text, which does not \
         fit. There are features: none; columns: `item_id (text)`",
    );
    refused(
        "items",
        &Wanted { features: &features, ..Wanted::default() },
        "the input `item_id` of type int64 [N] can't be provided: there is no column of that name. There are \
         features: `a`; columns: none",
    );
    for (kind, fits) in [(Kind::Int, false), (Kind::Float, false)] {
        let columns = [Column::new("x", kind)];
        assert_eq!(open("int32", &Wanted { columns: &columns, ..Wanted::default() }).is_ok(), fits);
    }
}

#[test]
fn each_type_takes_its_own_kinds_only() {
    let taken = |name: &str| -> Vec<&'static str> {
        let kinds = [
            Kind::Boolean,
            Kind::Int,
            Kind::Float,
            Kind::Single,
            Kind::Time,
            Kind::Text,
            Kind::Bytes,
            Kind::Floats,
        ];
        let fits = |kind: &Kind| {
            let mut columns = several();
            columns.iter_mut().filter(|column| column.name == name).for_each(|column| column.kind = *kind);
            open("several", &Wanted { columns: &columns, ..Wanted::default() }).is_ok()
        };
        kinds.iter().filter(|kind| fits(kind)).map(|kind| kind.name()).collect()
    };
    assert_eq!(taken("amount"), ["int", "float", "single", "floats"]);
    assert_eq!(taken("limit"), ["int", "float", "single"]);
    assert_eq!(taken("hour"), ["int", "time"]);
    assert_eq!(taken("night"), ["boolean"]);
    assert_eq!(taken("country"), ["text"]);
    assert_eq!(taken("embedding"), ["floats"]);
}

#[test]
fn types_and_shapes_that_are_not_taken() {
    let features = names(&["a", "b", "c"]);
    let wanted = Wanted { features: &features, ..Wanted::default() };
    let (_, message) = refusal("double_matrix", &wanted);
    assert!(message.starts_with("the input `x` of type double [N, 3] can't be provided"), "{message}");
    refused(
        "shapeless",
        &wanted,
        "the input `x` of type float [] says nothing of its shape: export it with [N] or [N, F]",
    );
    let (_, message) = refusal("sequence", &wanted);
    assert!(
        message.starts_with("the input `x` of type a sequence of float [N, 1] is no tensor"),
        "{message}"
    );
    refused(
        "two_matrices",
        &wanted,
        "two inputs are left for one matrix: the input `left` of type float [N, 1] and the input `right` of type \
         float [N, 1]. There are features: `a`, `b`, `c`; columns: none",
    );
    let columns = [Column::new("left", Kind::Float)];
    let one = open("two_matrices", &Wanted { columns: &columns, ..wanted }).unwrap();
    assert_eq!((one.columns(), one.matrix()), (&[0][..], &[MatrixColumn::Feature(0)][..]));
}
