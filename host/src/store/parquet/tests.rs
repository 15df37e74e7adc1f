use std::collections::VecDeque;
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;

use super::*;
use crate::columns::{Builder, Column, Kind};
use crate::config::Size;

const A: PartitionId = PartitionId { source: 0, partition: 0 };
const B: PartitionId = PartitionId { source: 0, partition: 1 };

/// What was committed: partition, offset, and the end of what begins there.
#[derive(Default)]
struct Commits {
    done: Vec<(i32, i64, i64)>,
    /// Answers, before all others succeed.
    answers: VecDeque<bool>,
}

impl Group for Commits {
    fn alive(&self) -> Result<()> {
        Ok(())
    }

    fn kept(&mut self, next: &[(PartitionId, i64)]) {
        self.done.extend(next.iter().map(|(id, next)| (id.partition, *next, 0)));
    }

    fn commit(&mut self, marks: &[Mark]) -> Result<bool> {
        let taken = self.answers.pop_front().unwrap_or(true);
        if taken {
            self.done.extend(marks.iter().map(|mark| (mark.of.partition, mark.next, mark.commit as i64)));
        }
        Ok(taken)
    }
}

fn outputs() -> Outputs {
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
    let columns = kinds.iter().map(|kind| Column::new(kind.name(), *kind)).collect();
    Outputs { release: 1, topics: vec!["out".to_owned()], columns, windows: false }
}

fn files(directory: &Path, section: impl FnOnce(&mut Parquet)) -> Files {
    let mut own = Parquet {
        directory: directory.to_owned(),
        file_bytes: Size::from_mib(64),
        file_rows: 1_000,
        file_age: crate::config::Duration::from_millis(60_000),
        memory: Size::from_mib(64),
    };
    section(&mut own);
    let (outputs, kind) = (outputs(), crate::config::StoreKind::Parquet(&own));
    let options = Options { place: "store", kind, folder: Path::new(""), client_id: "c" };
    Files::new(&own, &Layout::new(&outputs).unwrap(), &outputs, &options).unwrap()
}

/// Rows at these offsets; the offset is in them. All of each third row is null.
fn rows(of: &[(PartitionId, i64)]) -> Rows {
    let mut builder = Builder::new(Layout::new(&outputs()).unwrap().schema);
    for (_, offset) in of {
        builder.column(0).push_bytes(b"in");
        (1..4).for_each(|column| builder.column(column).push_int(*offset));
        builder.column(4).push_bytes(b"1-a");
        builder.column(5).push_int(1_000);
        if offset % 3 == 2 {
            (6..15).for_each(|column| builder.column(column).push_null());
        } else {
            builder.column(6).push_boolean(true);
            builder.column(7).push_int(*offset);
            builder.column(8).push_float(0.5);
            builder.column(9).push_single(0.25);
            builder.column(10).push_int(-1);
            builder.column(11).push_bytes("ä\0".as_bytes());
            builder.column(12).push_bytes(&[0xff]);
            builder.column(13).push_floats([1.5, f32::NAN].into_iter().take(*offset as usize % 3 * 2));
            builder.column(14).push_null();
        }
        builder.finish_row();
    }
    let next = of.iter().map(|(id, offset)| (*id, offset + 1)).collect();
    Rows { batch: builder.seal(), places: of.to_vec(), next, left_out: Vec::new(), newest: 1 }
}

fn of(id: PartitionId, offsets: std::ops::Range<i64>) -> Rows {
    rows(&offsets.map(|offset| (id, offset)).collect::<Vec<_>>())
}

/// Names of what is in the folder.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("out")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn name(partition: i32, first: i64, last: i64) -> String {
    format!("{partition:05}-{first:020}-{last:020}.parquet")
}

/// The offsets that a file's rows have.
fn offsets(directory: &Path, name: &str) -> Vec<i64> {
    let file = std::fs::File::open(directory.join("out").join(name)).unwrap();
    let rows = SerializedFileReader::new(file).unwrap().into_iter();
    let offset = |row: ::parquet::record::Row| {
        row.get_column_iter().find_map(|(name, field)| match field {
            Field::Long(offset) if name == "tailwater_offset" => Some(*offset),
            _ => None,
        })
    };
    rows.map(|row| offset(row.unwrap()).unwrap()).collect()
}

fn start(next: Option<i64>) -> Place {
    Place { next, before: None }
}

#[test]
fn every_kind_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut commits) = (files(folder.path(), |_| {}), Commits::default());
    files.begin(&[(A, start(None))]);
    files.take(&of(A, 0..3), &mut commits).unwrap();
    files.finish(&[A], &mut commits).unwrap();
    let file = std::fs::File::open(folder.path().join("out").join(name(0, 0, 2))).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    assert!(reader.metadata().file_metadata().created_by().is_some_and(|by| by.starts_with("tailwater")));
    let rows: Vec<_> = reader.into_iter().map(|row| row.unwrap()).collect();
    let text = |row: usize| rows[row].to_string();
    assert!(text(0).contains("text: \"ä\0\", bytes: [255], floats: [], tailwater_flaw: null"), "{}", text(0));
    assert!(text(1).contains("boolean: true, int: 1, float: 0.5, single: 0.25"), "{}", text(1));
    assert!(text(1).contains("time: 1969-12-31 23:59:59.999 +00:00"), "{}", text(1));
    assert!(text(1).contains("floats: [1.5, null]"), "{}", text(1));
    assert!(
        text(2).contains("boolean: null, int: null, float: null, single: null, time: null"),
        "{}",
        text(2)
    );
    assert!(text(2).contains("floats: null"), "{}", text(2));
}

#[test]
fn a_file_ends_by_rows_by_age_and_with_its_partition() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path(), |section| section.file_rows = 4);
    let mut commits = Commits::default();
    files.begin(&[(A, start(Some(7))), (B, start(None))]);
    files.take(&of(A, 10..16), &mut commits).unwrap();
    assert_eq!(commits.done, [(0, 7, 14), (0, 14, 0)], "where it ends, then that it has");
    files.take(&of(B, 5..6), &mut commits).unwrap();
    files.look(Instant::now(), &mut commits).unwrap();
    assert_eq!(names(folder.path()), [name(0, 10, 13)]);
    files.look(Instant::now() + Duration::from_secs(61), &mut commits).unwrap();
    files.take(&of(A, 16..17), &mut commits).unwrap();
    files.finish(&[A], &mut commits).unwrap();
    let expected = [name(0, 10, 13), name(0, 14, 15), name(0, 16, 16), name(1, 5, 5)];
    assert_eq!(names(folder.path()), expected);
    assert_eq!(offsets(folder.path(), &expected[1]), [14, 15]);
    // Nobody knows where the beginning of the other was.
    assert_eq!(commits.done[2..6], [(0, 14, 16), (0, 16, 0), (1, 5, 6), (1, 6, 0)]);
}

#[test]
fn whoever_goes_on_writes_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut commits = Commits::default();
    {
        let mut first = files(folder.path(), |_| {});
        first.begin(&[(A, start(Some(0)))]);
        first.take(&of(A, 0..5), &mut commits).unwrap();
        // It is killed when its file has a name, and before that is committed.
        commits.answers = VecDeque::from([true, false]);
        assert_eq!(first.finish(&[A], &mut commits).unwrap_err().code, Code::Fenced);
    }
    assert_eq!(commits.done, [(0, 0, 5)]);
    assert_eq!(names(folder.path()), [name(0, 0, 4)]);
    let mut second = files(folder.path(), |_| {});
    second.begin(&[(A, Place { next: Some(0), before: Some(5) })]);
    second.take(&of(A, 0..3), &mut commits).unwrap();
    second.look(Instant::now() + Duration::from_secs(61), &mut commits).unwrap();
    second.finish(&[A], &mut commits).unwrap();
    assert_eq!(commits.done, [(0, 0, 5)], "it has to end elsewhere");
    second.take(&of(A, 3..9), &mut commits).unwrap();
    second.finish(&[A], &mut commits).unwrap();
    assert_eq!(commits.done[1..], [(0, 5, 0), (0, 5, 9), (0, 9, 0)]);
    assert_eq!(names(folder.path()), [name(0, 0, 4), name(0, 5, 8)]);
    assert_eq!(offsets(folder.path(), &name(0, 0, 4)), [0, 1, 2, 3, 4]);
}

#[test]
fn who_was_replaced_names_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut commits) = (files(folder.path(), |_| {}), Commits::default());
    files.begin(&[(A, start(Some(0)))]);
    files.take(&of(A, 0..5), &mut commits).unwrap();
    commits.answers = VecDeque::from([false]);
    assert_eq!(files.finish(&[A], &mut commits).unwrap_err().code, Code::Fenced);
    files.forget(&[A]);
    assert!(names(folder.path()).is_empty(), "nor leaves it anything behind");
}

#[test]
fn what_others_left_unfinished_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, mut commits) = (files(folder.path(), |_| {}), Commits::default());
    first.begin(&[(A, start(Some(0)))]);
    first.take(&of(A, 0..5), &mut commits).unwrap();
    first.parts.get_mut(&A).unwrap().file.as_mut().unwrap().write().unwrap();
    // As if it were killed: nothing is dropped.
    std::mem::forget(first);
    let left = names(folder.path());
    assert!(left.len() == 1 && left[0].starts_with(".00000-") && left[0].ends_with(".part"), "{left:?}");
    let mut second = files(folder.path(), |_| {});
    second.begin(&[(B, start(None))]);
    assert_eq!(names(folder.path()), left, "of another partition");
    second.begin(&[(A, start(Some(0)))]);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn rows_of_many_partitions_stay_within_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files(folder.path(), |section| {
        section.memory = Size::from_kib(1);
        section.file_rows = 1_000_000;
    });
    let mut commits = Commits::default();
    files.begin(&[(A, start(Some(0))), (B, start(Some(0)))]);
    for n in 0..20 {
        let both = (n * 50..(n + 1) * 50).flat_map(|offset| [(A, offset), (B, offset)]);
        files.take(&rows(&both.collect::<Vec<_>>()), &mut commits).unwrap();
        let held: usize =
            files.parts.values().map(|part| part.file.as_ref().map_or(0, Writing::waiting)).sum();
        assert!(held <= 1 << 10, "{held}");
    }
    files.finish(&[A, B], &mut commits).unwrap();
    for partition in 0..2 {
        assert_eq!(offsets(folder.path(), &name(partition, 0, 999)), (0..1_000).collect::<Vec<_>>());
    }
}

#[test]
fn a_disk_that_is_full_is_told_and_nothing_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the directory should be.
    let path = folder.path().join("taken");
    std::fs::write(&path, "").unwrap();
    let (mut files, mut commits) = (files(&path, |_| {}), Commits::default());
    files.begin(&[(A, start(Some(0)))]);
    files.take(&of(A, 0..5), &mut commits).unwrap();
    assert_eq!(files.finish(&[A], &mut commits).unwrap_err().code, Code::StoreFiles);
    assert!(commits.done.is_empty());
}
