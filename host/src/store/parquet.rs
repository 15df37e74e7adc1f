//! Parquet files.
//!
//! A file has rows of one partition of one topic, one behind the other, and is called by their offsets:
//! `DIRECTORY/TOPIC/PARTITION-FIRST-LAST.parquet`. It ends by size, rows or age, with its partition, or with the store.
//!
//! ```text
//!   rows ─> hidden file ─> fsync ─> "it ends here" ─> rename ─> offset
//!                                    committed                 committed
//! ```
//!
//! Where a file ends is committed beside the offset where it begins, before it gets its name. Whoever begins there again,
//! on whatever machine, ends it there too: it writes the same rows under the same name, and no two files overlap. Who was
//! replaced in the group commits nothing any more, and so names nothing. Hidden files of a partition are removed by whom
//! it is assigned to.
//!
//! Memory: `memory` for rows that are not written yet, of all partitions together; and what is kept of each file's row
//! groups until it ends, a few KiB each.

mod columns;
mod file;
mod names;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Options;
use super::keeper::{Group, Keeper, Place, Taken};
use super::ports::Outputs;
use super::rows::{Layout, Rows};
use crate::columns::Schema;
use crate::config::Parquet;
use crate::engine::Words;
use crate::engine::ports::Mark;
use crate::error::{Code, Error, Result};
use crate::record::PartitionId;
use columns::Form;
use file::Writing;
use names::Folder;

/// Refuses columns that no file could have.
pub(super) fn check(layout: &Layout) -> Result<()> {
    Form::new(&layout.schema).map(drop)
}

/// Rows that are written together, if there are so many: readers take them as a whole.
const GROUP_BYTES: usize = 16 << 20;

pub(super) struct Files {
    schema: Schema,
    form: Arc<Form>,
    limits: Limits,
    folders: Vec<Folder>,
    parts: BTreeMap<PartitionId, Part>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    rows: usize,
    age: Duration,
    memory: usize,
}

/// A partition, and its file.
struct Part {
    place: Place,
    /// Behind what was read.
    read: i64,
    file: Option<Writing>,
}

impl Files {
    pub fn new(section: &Parquet, layout: &Layout, outputs: &Outputs, options: &Options<'_>) -> Result<Self> {
        let directory: PathBuf = options.folder.join(&section.directory);
        Ok(Self {
            schema: layout.schema.clone(),
            form: Arc::new(Form::new(&layout.schema)?),
            limits: Limits {
                bytes: section.file_bytes.bytes(),
                rows: section.file_rows,
                age: section.file_age.get(),
                memory: section.memory.bytes(),
            },
            folders: outputs.topics.iter().map(|topic| Folder::new(&directory, topic)).collect(),
            parts: BTreeMap::new(),
        })
    }

    fn add(&mut self, rows: &Rows, row: usize, group: &mut dyn Group) -> Result<()> {
        let (id, offset) = rows.places[row];
        // What was fetched of a partition that is gone.
        let Some(part) = self.parts.get(&id) else { return Ok(()) };
        if part.place.before.is_some_and(|before| offset >= before) {
            self.end(id, group)?;
        }
        let folder = &self.folders[usize::from(id.source)];
        let Some(part) = self.parts.get_mut(&id) else { return Ok(()) };
        let file = match &mut part.file {
            Some(file) => file,
            None => part.file.insert(Writing::new(&self.schema, &self.form, folder, id.partition, offset)),
        };
        file.push(&rows.batch, row, offset);
        part.read = offset + 1;
        if file.waiting() >= GROUP_BYTES.min(self.limits.bytes) {
            file.write()?;
        }
        // Where it ends is said already, if it is.
        if part.place.before.is_none()
            && (file.rows() >= self.limits.rows || file.written() >= self.limits.bytes)
        {
            self.end(id, group)?;
        }
        Ok(())
    }

    /// Ends the file of a partition, behind all that was read of it.
    fn end(&mut self, id: PartitionId, group: &mut dyn Group) -> Result<()> {
        let Some(part) = self.parts.get_mut(&id) else { return Ok(()) };
        let Part { place, read, file } = part;
        let end = place.before.unwrap_or(*read);
        if let Some(file) = file {
            file.close()?;
            let mark = |next, commit| [Mark { of: id, next, commit, last: false, words: Words::default() }];
            if place.before.is_none() {
                let begin = place.next.unwrap_or(file.first());
                commit(group, &mark(begin, end as u64))?;
                *place = Place { next: Some(begin), before: Some(end) };
            }
            file.name()?;
            commit(group, &mark(end, 0))?;
        } else {
            group.kept(&[(id, end)]);
        }
        *part = Part { place: Place { next: Some(end), before: None }, read: end, file: None };
        Ok(())
    }

    /// Writes rows until the others are within bounds.
    fn make_room(&mut self) -> Result<()> {
        let mut held: usize =
            self.parts.values().filter_map(|part| Some(part.file.as_ref()?.waiting())).sum();
        while held > self.limits.memory {
            let files = self.parts.values_mut().filter_map(|part| part.file.as_mut());
            let Some(largest) = files.max_by_key(|file| file.waiting()) else { return Ok(()) };
            held -= largest.waiting();
            largest.write()?;
        }
        Ok(())
    }
}

/// Who is not a member any more leaves the rest to whoever is.
fn commit(group: &mut dyn Group, marks: &[Mark]) -> Result<()> {
    if group.commit(marks)? {
        return Ok(());
    }
    Err(Error::new(Code::Fenced, "the group went on without this store"))
}

impl Keeper for Files {
    fn begin(&mut self, partitions: &[(PartitionId, Place)]) {
        for (id, place) in partitions {
            self.folders[usize::from(id.source)].sweep(id.partition);
            let read = place.next.unwrap_or(0);
            self.parts.insert(*id, Part { place: *place, read, file: None });
        }
    }

    fn take(&mut self, rows: &Rows, group: &mut dyn Group) -> Result<Taken> {
        for row in 0..rows.batch.rows() {
            self.add(rows, row, group)?;
        }
        for (id, next) in &rows.next {
            let Some(part) = self.parts.get_mut(id) else { continue };
            part.read = part.read.max(*next);
            if part.place.before.is_some_and(|before| part.read >= before) {
                self.end(*id, group)?;
                self.parts.entry(*id).and_modify(|part| part.read = part.read.max(*next));
            }
        }
        self.make_room()?;
        Ok(Taken { flawed: rows.flaws(), left_out: Vec::new() })
    }

    fn look(&mut self, now: Instant, group: &mut dyn Group) -> Result<()> {
        let is_due = |part: &Part| match &part.file {
            Some(file) => {
                part.place.before.is_none() && now.saturating_duration_since(file.begun()) >= self.limits.age
            }
            // Nothing of what was read is an output.
            None => part.place.before.is_none() && part.place.next.is_some_and(|next| part.read > next),
        };
        let due: Vec<_> = self.parts.iter().filter(|(_, part)| is_due(part)).map(|(id, _)| *id).collect();
        due.into_iter().try_for_each(|id| self.end(id, group))
    }

    fn finish(&mut self, partitions: &[PartitionId], group: &mut dyn Group) -> Result<()> {
        // What is to end elsewhere is left to whoever goes on.
        let can_end = |id: &&PartitionId| {
            self.parts.get(id).is_some_and(|part| part.file.is_some() && part.place.before.is_none())
        };
        let own: Vec<_> = partitions.iter().filter(can_end).copied().collect();
        own.into_iter().try_for_each(|id| {
            group.alive()?;
            self.end(id, group)
        })
    }

    fn forget(&mut self, partitions: &[PartitionId]) {
        partitions.iter().for_each(|id| drop(self.parts.remove(id)));
    }
}

#[cfg(test)]
mod tests;
