//! The output folder read back with the library's own readers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use cli::config::Experiment;
use cli::files::array::Array;
use cli::files::{npy, npz};
use dictlearn::codes::{Code, Codes};
use faer::{Mat, MatRef};
use serde_json::Value;

/// Name and content of every file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Results {
    /// Every file of `folder`, hidden ones too.
    pub fn read(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let named =
            |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        Self { files: entries.map(named).collect() }
    }

    /// Names of the files.
    pub fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The files without the time that the run took: these bytes depend on config, data and seed alone.
    pub fn timeless(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files.clone();
        let history: String = self
            .text("history.csv")
            .lines()
            .map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0))
            .collect();
        let seconds = |line: &&str| !line.trim_start().starts_with("\"seconds\"");
        let summary: Vec<&str> = self.text("summary.json").lines().filter(seconds).collect();
        assert_eq!(summary.len() + 1, self.text("summary.json").lines().count(), "one line with seconds");
        files.insert("summary.json".to_owned(), summary.join("\n").into_bytes());
        files.insert("history.csv".to_owned(), history.into_bytes());
        files
    }

    /// [`Results::timeless`] without `config.toml`, which holds the paths of the data.
    pub fn numbers(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.timeless();
        files.remove("config.toml");
        files
    }

    /// A file as text.
    pub fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.files[name]).unwrap()
    }

    /// A two-dimensional array.
    pub fn array(&self, name: &str) -> Array {
        let bytes = &self.files[name];
        npy::read(&bytes[..], bytes.len() as u64, bytes.len() as u64).unwrap().into_array().unwrap()
    }

    /// A one-dimensional array.
    pub fn vector(&self, name: &str) -> Vec<f64> {
        let bytes = &self.files[name];
        npy::read(&bytes[..], bytes.len() as u64, bytes.len() as u64).unwrap().into_labels().unwrap()
    }

    /// A dictionary, `d x k`.
    pub fn dictionary(&self, name: &str) -> Mat<f64> {
        let atoms = self.array(name);
        MatRef::from_column_major_slice(&atoms.data, atoms.columns, atoms.rows).to_owned()
    }

    /// `codes.npz` put together from its members.
    pub fn codes(&self) -> Codes {
        let bytes = &self.files["codes.npz"];
        let member =
            |name: &str| npz::read(Cursor::new(&bytes[..]), bytes.len() as u64, Some(name)).unwrap().1.data;
        let (indptr, indices, values) = (member("indptr"), member("indices"), member("data"));
        let shape = member("shape");
        assert_eq!(shape[0] as usize + 1, indptr.len(), "rows of codes.npz");
        let mut codes = Codes::new(shape[1] as usize);
        for ends in indptr.windows(2) {
            let range = ends[0] as usize..ends[1] as usize;
            let support: Vec<u32> = indices[range.clone()].iter().map(|&j| j as u32).collect();
            codes.push(Code { support: &support, values: &values[range] });
        }
        codes
    }

    /// `summary.json`.
    pub fn summary(&self) -> Value {
        serde_json::from_slice(&self.files["summary.json"]).unwrap()
    }

    /// A number of `summary.json`, by its pointer (`/with_task/objective`).
    #[track_caller]
    pub fn number(&self, pointer: &str) -> f64 {
        let summary = self.summary();
        let found = summary.pointer(pointer).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("{pointer} is no number of summary.json"))
    }

    /// Rows of `history.csv` as stage and numbers (iteration, objective, .., seconds).
    pub fn history(&self) -> Vec<(&str, Vec<f64>)> {
        let lines = self.text("history.csv").lines().skip(1);
        lines
            .map(|line| {
                let (stage, numbers) = line.split_once(',').unwrap();
                (stage, numbers.split(',').map(|cell| cell.parse().unwrap()).collect())
            })
            .collect()
    }

    /// The experiment that `config.toml` spells out.
    pub fn experiment(&self) -> Experiment {
        cli::config::parse(self.text("config.toml"), Path::new("config.toml"), &[]).unwrap()
    }
}
