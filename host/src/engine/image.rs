//! Images of a whole task in its changelog, so that what came before can be trimmed, and a process without a local
//! base need not read all that ever was.
//!
//! An image is of the base's checkpoint. It goes out bit by bit, with the transactions that come by; the changes
//! that the checkpoint does not have yet stand before, between and behind its blocks, and are never trimmed.

use super::block::{self, Label, Parts, What};
use super::durable::{BaseHead, Durable, is_first};
use super::ports::Changelog;
use super::task::Task;
use super::vault::{Patience, WAIT};
use crate::bytes::{Reader, Write};
use crate::error::{Code, Error, Result};
use crate::state::{Base, Checkpoint, Commit, Frozen, Image, due_of, lock};

/// Bytes of an image that go with one transaction.
const AT_ONCE: usize = 256 << 10;
/// Bytes of an image that are put into a base at a time.
const TAKEN_AT_ONCE: usize = 8 << 20;

/// An image on its way out.
pub(super) struct Imaging {
    keys: Box<dyn Iterator<Item = Result<Frozen>> + Send>,
    commit: Commit,
    head: Vec<u8>,
    bytes: usize,
    is_begun: bool,
    /// All of it was sent; the transaction has yet to end.
    is_sent: bool,
}

impl std::fmt::Debug for Imaging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imaging").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl Durable {
    /// Whether it is time for an image: it has to be smaller than what it makes superfluous.
    fn wants_image(&self, tail_bytes: usize) -> bool {
        self.imaging.is_none()
            && self.since_image > tail_bytes.saturating_mul(2).max(self.image_bytes.saturating_mul(2))
    }

    fn begin_image(&mut self) -> Result<()> {
        let base = lock(&self.base);
        let Some((commit, head)) = base.position().filter(|(commit, _)| *commit > 0) else { return Ok(()) };
        let (head, keys) = (head.to_vec(), base.frozen()?);
        drop(base);
        self.imaging = Some(Imaging { keys, commit, head, bytes: 0, is_begun: false, is_sent: false });
        Ok(())
    }

    /// The next blocks of the image.
    fn image_blocks(&mut self) -> Result<Vec<Vec<u8>>> {
        let Some(imaging) = &mut self.imaging else { return Ok(Vec::new()) };
        let label = |what| Label { fingerprint: self.fingerprint, what, commit: imaging.commit };
        let (mut blocks, mut content) = (Vec::new(), Vec::new());
        if !imaging.is_begun {
            imaging.is_begun = true;
            blocks.extend(block::blocks(label(What::ImageBegin), &block::pack(&[])));
        }
        let (mut is_sent, label_end) = (false, label(What::ImageEnd));
        let label = label(What::Image);
        while content.len() < AT_ONCE {
            let Some(frozen) = imaging.keys.next() else {
                is_sent = true;
                break;
            };
            let (store, key, bytes) = frozen?;
            content.byte(store);
            content.list(&key);
            content.list(&bytes);
        }
        let packed = block::pack(&content);
        imaging.bytes += packed.len();
        blocks.extend(block::blocks(label, &packed));
        if is_sent {
            imaging.is_sent = true;
            blocks.extend(block::blocks(label_end, &block::pack(&imaging.head)));
        }
        Ok(blocks)
    }
}

impl Task {
    /// Blocks of an image that go with this transaction.
    pub(super) fn image(&mut self, tail_bytes: usize) -> Result<Vec<Vec<u8>>> {
        let Some(durable) = &mut self.durable else { return Ok(Vec::new()) };
        if durable.wants_image(tail_bytes) {
            durable.begin_image()?;
        }
        durable.image_blocks()
    }

    /// The transaction is there for good. If an image is whole now: the changelog is needed from this offset on.
    pub(super) fn image_committed(&mut self) -> Option<i64> {
        let durable = self.durable.as_mut()?;
        let imaging = durable.imaging.take_if(|imaging| imaging.is_sent)?;
        (durable.image_bytes, durable.since_image) = (imaging.bytes, 0);
        BaseHead::read(&imaging.head).map(|head| head.log_next)
    }
}

/// A whole image that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it begins.
    offset: i64,
    commit: Commit,
}

/// The first image of a partition that is whole, and of use: all changes behind it are there. None: there is none, and all
/// changes are there from the beginning. `is_empty`: nothing was ever committed.
pub(super) fn find(
    log: &mut dyn Changelog,
    (topic, partition): (&str, i32),
    first: i64,
    is_empty: bool,
    patience: &mut Patience<'_>,
) -> Result<Option<Found>> {
    if is_empty {
        return Ok(None);
    }
    log.open(topic, partition, first)?;
    let (mut parts, mut begun) = (Parts::default(), None);
    loop {
        let Some((offset, block)) = log.next(WAIT)? else {
            patience.wait(incomplete)?;
            continue;
        };
        patience.moved()?;
        let Some((Label { what, commit, .. }, packed)) = parts.take(block)? else { continue };
        match what {
            What::Changes if is_first(commit) => return Ok(None),
            What::ImageBegin => begun = Some(Found { offset, commit }),
            What::ImageEnd => {
                let head = block::unpack(&packed)?;
                // An older one may lie behind the place that a newer one let the changelog be trimmed to.
                let is_of_use = BaseHead::read(&head).is_some_and(|head| head.log_next >= first);
                if let Some(found) = begun.filter(|begun| begun.commit == commit && is_of_use) {
                    return Ok(Some(found));
                }
            }
            What::Image | What::Changes => {}
        }
    }
}

/// Fills an empty base from an image, with the keys that are to be kept.
pub(super) fn load(
    log: &mut dyn Changelog,
    (topic, partition): (&str, i32),
    Found { offset, commit }: Found,
    base: &mut dyn Base,
    keep: &dyn Fn(&Image) -> bool,
    patience: &mut Patience<'_>,
) -> Result<()> {
    log.open(topic, partition, offset)?;
    let (mut parts, mut images, mut bytes) = (Parts::default(), Vec::new(), 0);
    loop {
        let Some((_, block)) = log.next(WAIT)? else {
            patience.wait(incomplete)?;
            continue;
        };
        patience.moved()?;
        let Some((label, packed)) = parts.take(block)? else { continue };
        match label.what {
            What::Image if label.commit == commit => {
                let content = block::unpack(&packed)?;
                bytes += content.len();
                images.extend(read(&content)?.into_iter().filter(keep));
            }
            What::ImageEnd if label.commit == commit => {
                let head = block::unpack(&packed)?;
                base.write(Checkpoint { commit, head, images })?;
                base.written(true)?;
                return Ok(());
            }
            _ => {}
        }
        if bytes > TAKEN_AT_ONCE {
            // Without a head it is of no use until the last part is in.
            base.write(Checkpoint { commit: 0, head: Vec::new(), images: std::mem::take(&mut images) })?;
            bytes = 0;
        }
    }
}

fn incomplete() -> Error {
    Error::new(Code::ChangelogDamaged, "its beginning is gone, and no whole image is there")
}

fn read(content: &[u8]) -> Result<Vec<Image>> {
    let (mut reader, mut images) = (Reader(content), Vec::new());
    while reader.end().is_none() {
        let mut next = || {
            let (store, key, bytes) = (reader.byte()?, reader.list()?, reader.list()?);
            let due = due_of(bytes)?;
            Some(Image { store, key: key.into(), bytes: Some(bytes.into()), due, due_before: None })
        };
        let image = next().ok_or_else(|| Error::new(Code::ChangelogDamaged, "an image can't be read"))?;
        images.push(image);
    }
    Ok(images)
}
