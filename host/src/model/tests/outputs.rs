//! Scores, and what is refused for its outputs.

use super::*;

fn two() -> Vec<String> {
    names(&["a", "b"])
}

#[track_caller]
fn refused(model: &str, scores: &[ScoreSpec], message: &str) {
    let features = two();
    let wanted = Wanted { features: &features, scores, ..Wanted::default() };
    assert_eq!(refusal(model, &wanted), (Code::ModelOutputs, message.to_owned()));
}

#[test]
fn scores_come_in_the_pipelines_order() {
    let features = two();
    let scores = [
        score("f", "fraud", None),
        score("c", "churn", Some(0)),
        score("v", "votes", None),
        score("d", "fine", None),
    ];
    let expected = Expected::of("two");
    let prepared =
        open("two", &Wanted { features: &features, scores: &scores, ..Wanted::default() }).unwrap();
    assert_eq!(prepared.scores(), ["f", "c", "v", "d"]);
    let mut session = prepared.session().unwrap();
    expected.assert(&ask(&mut *session, expected.rows(), &expected.matrix("x")).unwrap());
}

#[test]
fn a_column_of_an_output_may_be_a_score_several_times() {
    let features = two();
    let scores = [
        score("last", "classes", Some(3)),
        score("first", "classes", Some(0)),
        score("again", "classes", Some(3)),
    ];
    let prepared =
        open("wide", &Wanted { features: &features, scores: &scores, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    assert_eq!(ask(&mut *session, 2, &[1.0, 2.0, 3.0, 4.0]).unwrap(), [2.0, 1.0, 2.0, 4.0, 3.0, 4.0]);
}

#[test]
fn doubles_and_int64_become_floats() {
    let features = two();
    let expected = Expected::of("double");
    let prepared = open("double", &Wanted { features: &features, ..Wanted::default() }).unwrap();
    let mut session = prepared.session().unwrap();
    expected.assert(&ask(&mut *session, expected.rows(), &expected.matrix("x")).unwrap());

    let label = [score("label", "label", None)];
    let prepared =
        open("labels", &Wanted { features: &features, scores: &label, ..Wanted::default() }).unwrap();
    assert_eq!(ask(&mut *prepared.session().unwrap(), 2, &[0.0, 5.0, 5.0, 0.0]).unwrap(), [1.0, 0.0]);
}

#[test]
fn the_score_must_be_found() {
    refused(
        "two",
        &[],
        "say in the pipeline file which output is the score. Its outputs are `votes: int64 [N]`, `fraud: float [N, 1]`, \
         `churn: float [N]`, `fine: double [N]`",
    );
    refused("labels", &[], "it has no output of floats. Its outputs are `label: int64 [N]`");
    refused(
        "wide",
        &[],
        "score `score`: the output `classes` has 4 columns, say in the pipeline file which one it is",
    );
    refused(
        "wide",
        &[score("s", "classes", Some(4))],
        "score `s`: the output `classes` has 4 columns, counted from 0; there is no column 4",
    );
    refused(
        "log",
        &[score("s", "scores", None)],
        "it has no output `scores`. Its outputs are `score: float [N, 1]`",
    );
}

#[test]
fn zipmap_is_told_how_to_go() {
    let features = numbered(4);
    let scores = [score("p", "probabilities", None)];
    for scores in [&[][..], &scores] {
        let (code, message) = refusal("zipmap", &Wanted { features: &features, scores, ..Wanted::default() });
        assert_eq!(code, Code::ModelOutputs);
        assert!(message.contains("Export the model without ZipMap (`zipmap=False`)"), "{message}");
    }
}

#[test]
fn rows_must_stay_rows() {
    refused(
        "one_row",
        &[],
        "the output `first` of type float [1, 2] has a fixed number of rows, where one a row of the batch is needed",
    );
    refused(
        "folded",
        &[],
        "the output `first` has shape [1, 2] for a batch of 3, where [N] or [N, C] is needed",
    );
    refused(
        "flat",
        &[],
        "the output `row` of type float [1, ?] has a fixed number of rows, where one a row of the batch is needed",
    );
    refused(
        "cube",
        &[],
        "the output `cube` has shape [1, 2, 1] for a batch of 1, where [N] or [N, C] is needed",
    );
}

#[test]
fn rows_must_not_see_each_other() {
    let features = two();
    let (code, message) = refusal("mixing", &Wanted { features: &features, ..Wanted::default() });
    assert_eq!(code, Code::ModelOutputs);
    assert!(message.contains("it mixes the rows of a batch"), "{message}");
}
