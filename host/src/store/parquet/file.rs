//! One file, as long as it is written.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parquet::file::writer::SerializedFileWriter;

use super::columns::Form;
use super::names::{Folder, told};
use crate::columns::{Batch, Builder, Schema};
use crate::error::Result;

/// Dropped before it has its name, it is removed.
pub(super) struct Writing {
    form: Arc<Form>,
    folder: Folder,
    partition: i32,
    /// Offsets.
    first: i64,
    last: i64,
    rows: usize,
    begun: Instant,
    /// Rows that are not written yet.
    held: Builder,
    held_bytes: usize,
    /// None until some are.
    hidden: Option<Hidden>,
    written: usize,
}

struct Hidden {
    path: PathBuf,
    /// None: it is complete.
    writer: Option<SerializedFileWriter<BufWriter<File>>>,
}

impl Writing {
    pub fn new(schema: &Schema, form: &Arc<Form>, folder: &Folder, partition: i32, first: i64) -> Self {
        Self {
            form: Arc::clone(form),
            folder: folder.clone(),
            partition,
            first,
            last: first,
            rows: 0,
            begun: Instant::now(),
            held: Builder::new(schema.clone()),
            held_bytes: 0,
            hidden: None,
            written: 0,
        }
    }

    /// Adds a row.
    pub fn push(&mut self, batch: &Batch, row: usize, offset: i64) {
        for (index, view) in batch.columns().enumerate() {
            self.held.column(index).push_from(view, row);
            let kind = view.kind();
            self.held_bytes += if kind.is_list() { 4 + view.bytes(row).len() } else { kind.width() };
        }
        self.held.finish_row();
        (self.rows, self.last) = (self.rows + 1, offset);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn first(&self) -> i64 {
        self.first
    }

    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Bytes of rows that are not written yet.
    pub fn waiting(&self) -> usize {
        self.held_bytes
    }

    /// Bytes that are written.
    pub fn written(&self) -> usize {
        self.written
    }

    /// Writes the rows that wait.
    pub fn write(&mut self) -> Result<()> {
        if self.held.rows() == 0 {
            return Ok(());
        }
        let hidden = match &mut self.hidden {
            Some(hidden) => hidden,
            None => {
                self.folder.make()?;
                let path = self.folder.hidden(self.partition, self.first);
                let file = File::create_new(&path).map_err(|error| told(&path, &error))?;
                let writer = self.form.writer(BufWriter::new(file)).map_err(|error| told(&path, &error))?;
                self.hidden.insert(Hidden { path, writer: Some(writer) })
            }
        };
        let Some(writer) = &mut hidden.writer else { return Ok(()) };
        self.held_bytes = 0;
        let group = self.form.write(writer, &self.held.seal());
        group.map_err(|error| told(&hidden.path, &error))?;
        self.written = writer.bytes_written();
        Ok(())
    }

    /// Makes it complete, on disk.
    pub fn close(&mut self) -> Result<()> {
        self.write()?;
        let Some(Hidden { path, writer }) = &mut self.hidden else { return Ok(()) };
        let Some(writer) = writer.take() else { return Ok(()) };
        let closed = writer.into_inner().map_err(|error| told(path, &error))?;
        let file = closed.into_inner().map_err(|error| told(path, error.error()))?;
        file.sync_all().map_err(|error| told(path, &error))
    }

    /// Gives what is complete its name.
    pub fn name(&mut self) -> Result<()> {
        let Some(hidden) = &self.hidden else { return Ok(()) };
        self.folder.rename(&hidden.path, &self.folder.finished(self.partition, self.first, self.last))?;
        self.hidden = None;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(Hidden { path, .. }) = &self.hidden {
            // It may be gone: whoever was assigned the partition sweeps.
            let _ = fs::remove_file(path);
        }
    }
}
