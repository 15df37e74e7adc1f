//! Files of plugins and models with something changed in them, and how they come to where a host watches them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What stands before the number in a plugin that tells which build it is.
const BUILD: &[u8] = b"build:";
const DIGITS: usize = 8;
/// The bias of the fixtures `linear` and `bare`.
const BIAS: f32 = 0.1;
/// In a model with trees: the name of the list that says where they go on, and how a number of a list begins.
const TREES: &[u8] = b"nodes_truenodeids";
const NUMBER: u8 = 0x40;

/// A plugin with a section more, of which nothing is made: another file that does the same.
pub fn marked(plugin: &[u8], mark: &str) -> Vec<u8> {
    let (name, mut bytes) = (b"mark", plugin.to_vec());
    bytes.extend([0, (1 + name.len() + mark.len()) as u8, name.len() as u8]);
    bytes.extend(name);
    bytes.extend(mark.as_bytes());
    bytes
}

/// A plugin made with the crate `marks`, as if it were another build.
pub fn rebuilt(plugin: &[u8], build: u32) -> Vec<u8> {
    let place = only(plugin, BUILD) + BUILD.len();
    let mut bytes = plugin.to_vec();
    bytes[place..place + DIGITS].copy_from_slice(format!("{build:0DIGITS$}").as_bytes());
    bytes
}

/// The model `linear` or `bare` with another bias.
pub fn biased(model: &[u8], bias: f32) -> Vec<u8> {
    let place = only(model, &BIAS.to_le_bytes());
    let mut bytes = model.to_vec();
    bytes[place..place + 4].copy_from_slice(&bias.to_le_bytes());
    bytes
}

/// A model of trees, the first of which leads from its root back to it.
pub fn circling(model: &[u8]) -> Vec<u8> {
    let place = only(model, TREES) + TREES.len();
    assert_eq!(model[place..place + 2], [NUMBER, 1], "the root's first child is node 1");
    let mut bytes = model.to_vec();
    bytes[place + 1] = 0;
    bytes
}

/// Where these bytes are, which must be there once.
fn only(bytes: &[u8], part: &[u8]) -> usize {
    let mut places = bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part);
    let (place, _) = places.next().unwrap_or_else(|| panic!("{:?} is not there", part.escape_ascii()));
    assert!(places.next().is_none(), "{:?} is there twice", part.escape_ascii());
    place
}

/// Puts a file in place at once, as it should be done.
pub fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes).expect("writable");
    fs::rename(beside, path).expect("writable");
}

/// Copies bytes into a file piece by piece, as over a slow line. Gives the longest that it stood still half done.
pub fn copy_slowly(path: &Path, bytes: &[u8], pieces: usize, pause: Duration) -> Duration {
    let mut file = File::create(path).expect("writable");
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
        longest = longest.max(last.elapsed());
        file.write_all(piece).expect("writable");
        last = Instant::now();
        std::thread::sleep(pause);
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_written_over_the_one_before() {
        let plugin = b"code build:00000001 more";
        assert_eq!(rebuilt(plugin, 12_345), b"code build:00012345 more");
        assert_eq!(rebuilt(&rebuilt(plugin, 7), 1), plugin);
    }

    #[test]
    fn fixtures_have_what_is_changed_once() {
        let model = |name: &str| {
            fs::read(crate::repository("tests/fixtures/models").join(name)).expect("it is there")
        };
        let bare = model("bare.onnx");
        assert_eq!(biased(&bare, 0.1), bare);
        assert_ne!(biased(&bare, 0.2), bare);
        assert_ne!(circling(&model("trees.onnx")), model("trees.onnx"));
    }

    #[test]
    #[should_panic(expected = "is there twice")]
    fn what_is_there_twice_is_not_guessed() {
        rebuilt(b"build:00000001 build:00000001", 2);
    }
}
