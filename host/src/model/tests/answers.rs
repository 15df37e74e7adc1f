//! What models answer.

use super::*;

/// Numbers that look random and are the same each time.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn a_matrix_gives_what_numpy_and_lightgbm_give() {
    let abc = names(&["a", "b", "c"]);
    for (model, input, features) in [
        ("linear", "x", abc.clone()),
        ("open", "x", abc),
        ("trees", "input", numbered(4)),
        ("mlp", "x", numbered(24)),
    ] {
        let expected = Expected::of(if model == "open" { "linear" } else { model });
        let prepared = open(model, &Wanted { features: &features, ..Wanted::default() }).unwrap();
        let in_order: Vec<_> = (0..features.len()).map(MatrixColumn::Feature).collect();
        assert_eq!(prepared.matrix(), in_order, "{model}");
        assert_eq!(prepared.scores(), ["score"]);
        let mut session = prepared.session().unwrap();
        let matrix = expected.matrix(input);
        expected.assert(&ask(&mut *session, expected.rows(), &matrix).unwrap());
    }
}

#[test]
fn features_are_found_by_name_whatever_their_order() {
    let features = names(&["c", "unused", "a", "b"]);
    let prepared = open("linear", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    assert_eq!(prepared.matrix(), [2, 3, 0].map(MatrixColumn::Feature));

    let expected = Expected::of("linear");
    let vectors: Vec<f32> =
        expected.matrix("x").chunks(3).flat_map(|row| [row[2], 99.0, row[0], row[1]]).collect();
    let mut session = prepared.session().unwrap();
    expected.assert(&ask(&mut *session, expected.rows(), &arrange(&prepared, &vectors, 4)).unwrap());
}

#[test]
fn a_matrix_may_come_from_columns_of_the_record() {
    let columns = [Column::new("c", Kind::Float), Column::new("a", Kind::Int), Column::new("a", Kind::Float)];
    let features = names(&["b"]);
    let wanted = Wanted { features: &features, columns: &columns, ..Wanted::default() };
    let prepared = open("linear", &wanted).unwrap();
    assert_eq!(
        prepared.matrix(),
        [MatrixColumn::Column(1), MatrixColumn::Feature(0), MatrixColumn::Column(0)]
    );
    assert!(prepared.columns().is_empty());
}

#[test]
fn ids_are_looked_up_by_the_models_own_table() {
    let columns = [Column::new("user", Kind::Text), Column::new("item_id", Kind::Int)];
    let expected = Expected::of("items");
    let prepared = open("items", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    assert_eq!((prepared.columns(), prepared.matrix()), (&[1][..], &[][..]));
    let batch = expected.columns(prepared.schema());
    let mut scores = Vec::new();
    let question = Question { rows: expected.rows(), matrix: &[], columns: &batch };
    prepared.session().unwrap().score(question, &mut scores).unwrap();
    expected.assert(&scores);
}

#[test]
fn a_matrix_and_ids_go_together() {
    let columns = [Column::new("item_id", Kind::Int)];
    let features = names(&["c0", "c1", "c2", "c3"]);
    let expected = Expected::of("item_context");
    let wanted = Wanted { columns: &columns, features: &features, ..Wanted::default() };
    let prepared = open("item_context", &wanted).unwrap();
    let (matrix, batch) = (expected.matrix("context"), expected.columns(prepared.schema()));
    let mut scores = vec![7.0];
    let question = Question { rows: expected.rows(), matrix: &matrix, columns: &batch };
    prepared.session().unwrap().score(question, &mut scores).unwrap();
    assert_eq!(scores[0], 7.0, "scores are appended");
    expected.assert(&scores[1..]);
}

/// All types of `several`, in another order than the model's.
pub(super) fn several() -> [Column; 6] {
    [
        Column::nullable("country", Kind::Text),
        Column::nullable("night", Kind::Boolean),
        Column::nullable("embedding", Kind::Floats),
        Column::nullable("hour", Kind::Int),
        Column::nullable("limit", Kind::Float),
        Column::nullable("amount", Kind::Float),
    ]
}

#[test]
fn named_inputs_of_all_types_get_their_columns() {
    let columns = several();
    let expected = Expected::of("several");
    let prepared = open("several", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    assert_eq!(prepared.columns(), [5, 4, 3, 1, 0, 2], "in the model's order");
    let batch = expected.columns(prepared.schema());
    let mut session = prepared.session().unwrap();
    let mut scores = Vec::new();
    session.score(Question { rows: expected.rows(), matrix: &[], columns: &batch }, &mut scores).unwrap();
    expected.assert(&scores);

    // Buffers shrink with the batch.
    let two = batch.gather(&[3, 4]);
    let mut again = Vec::new();
    session.score(Question { rows: 2, matrix: &[], columns: &two }, &mut again).unwrap();
    assert_eq!(again, scores[3..5]);
}

#[test]
fn numbers_are_converted_to_what_the_model_takes() {
    let mut columns = several();
    columns[5].kind = Kind::Int;
    columns[4].kind = Kind::Single;
    columns[3].kind = Kind::Time;
    let prepared = open("several", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let mut builder = Builder::new(prepared.schema().clone());
    builder.column(0).push_int(1);
    builder.column(1).push_single(0.5);
    builder.column(2).push_int(10);
    builder.column(3).push_boolean(true);
    builder.column(4).push_bytes("FR".as_bytes());
    builder.column(5).push_floats([100.0, 200.0, 300.0]);
    builder.finish_row();
    let mut scores = Vec::new();
    let question = Question { rows: 1, matrix: &[], columns: &builder.seal() };
    prepared.session().unwrap().score(question, &mut scores).unwrap();
    assert_eq!(scores, [1.0 + 0.5 + 10.0 + 1.0 + 2.0 + 600.0]);
}

#[test]
fn null_is_nan_where_the_type_has_one_and_refused_where_not() {
    let columns = several();
    let prepared = open("several", &Wanted { columns: &columns, ..Wanted::default() }).unwrap();
    let full = Expected::of("several").columns(prepared.schema()).gather(&[0, 1, 2]);
    let mut session = prepared.session().unwrap();
    for (null, name) in ["amount", "limit", "hour", "night", "country", "embedding"].into_iter().enumerate() {
        let mut builder = Builder::new(prepared.schema().clone());
        for (index, view) in full.columns().enumerate() {
            builder.column(index).push_from(view, 0);
            if index == null {
                builder.column(index).push_null()
            } else {
                builder.column(index).push_from(view, 1)
            }
            builder.column(index).push_from(view, 2);
        }
        builder.finish_rows(3);
        let mut scores = vec![7.0];
        let answer = session.score(Question { rows: 3, matrix: &[], columns: &builder.seal() }, &mut scores);
        if null < 2 {
            assert_eq!(answer, Ok(()));
            assert_eq!([1, 2, 3].map(|at| f32::is_nan(scores[at])), [false, true, false], "{name}");
        } else {
            assert_eq!(
                answer,
                Err(format!("row 1 has no value for the input `{name}`, which knows no null"))
            );
            assert_eq!(scores, [7.0], "nothing is appended");
        }
    }
}

#[test]
fn a_batch_is_answered_as_its_rows_are() {
    for (model, width) in [("trees", 4), ("mlp", 24)] {
        let features = numbered(width);
        let prepared = open(model, &Wanted { features: &features, ..Wanted::default() }).unwrap();
        let mut session = prepared.session().unwrap();
        let matrix = noise(5000 * width);
        let bits = |scores: Vec<f32>| scores.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let whole = bits(ask(&mut *session, 5000, &matrix).unwrap());
        assert!(whole.iter().any(|bits| *bits != whole[0]));
        for size in [1, 3, 64] {
            let parts = matrix
                .chunks(size * width)
                .flat_map(|part| ask(&mut *session, part.len() / width, part).unwrap());
            assert_eq!(bits(parts.collect()), whole, "{model} by {size}");
        }
    }
}

#[test]
fn no_rows_give_no_scores() {
    let features = numbered(4);
    let prepared = open("trees", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    assert_eq!(ask(&mut *prepared.session().unwrap(), 0, &[]), Ok(vec![]));
}

#[test]
fn what_is_not_finite_is_passed_on() {
    let features = names(&["a", "b"]);
    let prepared = open("log", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    let scores = ask(&mut *session, 3, &[1.0, 1.0, -1.0, 1.0, 0.0, 1.0]).unwrap();
    assert_eq!(scores[0], 0.0);
    assert!(scores[1].is_nan());
    assert_eq!(scores[2], f32::NEG_INFINITY);
}

#[test]
fn sessions_are_apart() {
    let features = numbered(24);
    let prepared = open("mlp", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    let matrix = noise(200 * 24);
    let once = ask(&mut *prepared.session().unwrap(), 200, &matrix).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut session = prepared.session().unwrap();
                (0..20).for_each(|_| assert_eq!(ask(&mut *session, 200, &matrix).unwrap(), once));
            });
        }
    });
}

#[test]
fn a_model_is_named_by_its_bytes() {
    let features = names(&["a", "b", "c"]);
    let prepared = open("linear", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    assert_eq!(prepared.digest(), "7695d0f7bea41211a66d18960faaa128a51863ac5f808b5228fe2d693503299e");
}
