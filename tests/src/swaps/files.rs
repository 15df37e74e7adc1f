//! The files that are swapped: two plugins that tell their build and a setting, a model with a bias of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::artifacts::{biased, copy_slowly, rebuilt, replace};
use crate::chaos::campaign::Campaign;
use crate::{guest, repository};

pub const BUYERS: &str = "buyers.wasm";
pub const SHOPS: &str = "shops.wasm";
pub const MODEL: &str = "model.onnx";
const PIPELINE: &str = "pipeline.toml";

/// Settings and biases are fractions of these, so that floats of 32 bits are exact.
const SETTINGS: u32 = 64;
const BIASES: u32 = 1024;
/// Of a file that is copied, not put in place at once.
const PIECES: usize = 4;
const BETWEEN_PIECES: Duration = Duration::from_millis(20);

/// What makes a content another one: the numbers of its files and of its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub buyers: u32,
    pub shops: u32,
    pub model: u32,
    pub buyer_setting: u32,
    pub shop_setting: u32,
}

impl Marks {
    /// Columns of an output by which it is known, with what they must be.
    pub fn columns(&self) -> [(&'static str, f64); 7] {
        let [first, second] = [self.buyer_setting, self.shop_setting].map(setting);
        let sum = f64::from(bias(self.model)) + 0.5 * first - 1.25 * second + 2.0 * (first + second);
        [
            ("buyers_build", self.buyers.into()),
            ("buyers_setting", first),
            ("shops_build", self.shops.into()),
            ("shops_setting", second),
            ("builds", f64::from(self.buyers + self.shops)),
            ("settings", first + second),
            ("score", 1.0 / (1.0 + (-sum).exp())),
        ]
    }
}

fn setting(number: u32) -> f64 {
    f64::from(number % SETTINGS) / f64::from(SETTINGS)
}

fn bias(model: u32) -> f32 {
    (model % BIASES) as f32 / BIASES as f32
}

/// A part of them that is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Buyers,
    Shops,
    Model,
    Settings,
    /// The first plugin, with other windows.
    Windows,
}

/// All versions of the files of one pipeline.
#[derive(Debug)]
pub struct Files {
    /// The pipeline file but for its stages.
    front: String,
    /// By which windows: see the guest `other-marked-buyers`.
    buyers: [Vec<u8>; 2],
    shops: Vec<u8>,
    model: Vec<u8>,
    /// The last number that something was given.
    last: u32,
    /// Numbers by the sha256 of files.
    known: HashMap<String, u32>,
}

impl Files {
    /// `top` and `sections`: see [`Campaign::pipeline`].
    pub fn new(campaign: &Campaign, top: &str, sections: &str, prefix: &str) -> Self {
        let read = |path: PathBuf| fs::read(path).expect("readable");
        Self {
            front: campaign.front(top, sections, prefix),
            buyers: ["marked-buyers", "other-marked-buyers"].map(|name| read(guest(name))),
            shops: read(guest("marked-shops")),
            model: read(repository("tests/fixtures/models/bare.onnx")),
            last: 0,
            known: HashMap::new(),
        }
    }

    /// The marks that a content is known by. None: a file is of nobody.
    pub fn marks(&self, files: &HashMap<String, String>, configuration: &str) -> Option<Marks> {
        let number = |file: &str| self.known.get(files.get(file)?).copied();
        let setting = |name: &str| {
            // Columns are called so too.
            let value = |line: &str| line.strip_prefix(name)?.strip_prefix(" = ")?.parse::<f64>().ok();
            Some((configuration.lines().find_map(value)? * f64::from(SETTINGS)) as u32)
        };
        Some(Marks {
            buyers: number(BUYERS)?,
            shops: number(SHOPS)?,
            model: number(MODEL)?,
            buyer_setting: setting("buyer")?,
            shop_setting: setting("shop")?,
        })
    }

    /// A place with files of their own.
    pub fn place(&mut self, folder: &Path) -> Place {
        fs::create_dir_all(folder).expect("writable");
        let first = Marks { buyers: 1, shops: 1, model: 1, buyer_setting: 1, shop_setting: 1 };
        let place = Place { folder: folder.to_owned(), marks: first, windows: 0 };
        self.last = self.last.max(1);
        for part in [Part::Buyers, Part::Shops, Part::Model, Part::Settings] {
            self.write(&place, part, false);
        }
        place
    }

    /// Changes parts to what they never were. `slowly`: files grow in place.
    pub fn change(&mut self, place: &mut Place, parts: &[Part], slowly: bool) {
        self.last += 1;
        let last = self.last;
        for part in parts {
            let marks = &mut place.marks;
            match part {
                Part::Buyers => marks.buyers = last,
                Part::Windows => (marks.buyers, place.windows) = (last, 1 - place.windows),
                Part::Shops => marks.shops = last,
                Part::Model => marks.model = last,
                // Of many settings most are used again: two of them make up for it.
                Part::Settings => {
                    (marks.buyer_setting, marks.shop_setting) = (last % SETTINGS, last / SETTINGS % SETTINGS);
                }
            }
            self.write(place, *part, slowly);
        }
    }

    fn write(&mut self, place: &Place, part: Part, slowly: bool) {
        let marks = place.marks;
        let (name, bytes) = match part {
            Part::Buyers | Part::Windows => (BUYERS, rebuilt(&self.buyers[place.windows], marks.buyers)),
            Part::Shops => (SHOPS, rebuilt(&self.shops, marks.shops)),
            Part::Model => (MODEL, biased(&self.model, bias(marks.model))),
            Part::Settings => (PIPELINE, self.pipeline(marks).into_bytes()),
        };
        let number = match part {
            Part::Buyers | Part::Windows => marks.buyers,
            Part::Shops => marks.shops,
            Part::Model => marks.model,
            Part::Settings => 0,
        };
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        self.known.insert(digest, number);
        let path = place.folder.join(name);
        if slowly {
            copy_slowly(&path, &bytes, PIECES, BETWEEN_PIECES);
        } else {
            replace(&path, &bytes);
        }
    }

    fn pipeline(&self, marks: Marks) -> String {
        let [buyer, shop] = [marks.buyer_setting, marks.shop_setting].map(setting);
        let front = &self.front;
        format!(
            "{front}\n[[features]]\nplugin = \"{BUYERS}\"\nkey = \"buyer\"\nsettings = {{ buyer = {buyer:?} }}\n\
             [[features]]\nplugin = \"{SHOPS}\"\nkey = \"shop\"\nsettings = {{ shop = {shop:?} }}\n\
             [model]\nfile = \"{MODEL}\"\nfeatures = [\"buyers_setting\", \"shops_setting\", \"settings\"]\n"
        )
    }
}

/// Files as they lie in a folder.
#[derive(Debug)]
pub struct Place {
    folder: PathBuf,
    pub marks: Marks,
    /// Which the first plugin has.
    windows: usize,
}

impl Place {
    pub fn pipeline(&self) -> PathBuf {
        self.folder.join(PIPELINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_seen_in_an_output() {
        let marks = Marks { buyers: 1, shops: 2, model: 3, buyer_setting: 4, shop_setting: 5 };
        let others = [
            Marks { buyers: 9, ..marks },
            Marks { shops: 9, ..marks },
            Marks { model: 9, ..marks },
            Marks { buyer_setting: 9, ..marks },
            Marks { shop_setting: 9, ..marks },
        ];
        for other in others {
            let far = |((_, one), (_, other)): (&(&str, f64), &(&str, f64))| (one - other).abs() > 1e-4;
            assert!(marks.columns().iter().zip(&other.columns()).any(far), "{other:?}");
        }
    }
}
