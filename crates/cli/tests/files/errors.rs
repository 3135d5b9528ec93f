//! The words of every error: place, what was found, what is accepted, what to do.

use std::fmt::Display;
use std::fs;

use cli::files::output::OutputFolder;
use cli::files::read::{ArrayFile, read_labels, read_samples};
use cli::files::table::{Column, HeaderRow};
use zip::CompressionMethod;

use crate::bytes::{f8, header, npy, npz};

/// Messages one a line, the folder written as `[folder]`.
struct Messages {
    folder: tempfile::TempDir,
    text: String,
}

impl Messages {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), text: String::new() }
    }

    fn add(&mut self, problem: impl Display) {
        let folder = self.folder.path().display().to_string();
        self.text += &format!("{problem}\n").replace(&folder, "[folder]");
    }

    /// The error of reading samples from a file of this name and content.
    #[track_caller]
    fn samples(&mut self, name: &str, content: &[u8], change: impl Fn(&mut ArrayFile)) {
        let mut source = ArrayFile::new(self.folder.path().join(name));
        fs::write(&source.path, content).unwrap();
        change(&mut source);
        self.add(read_samples(&source).unwrap_err());
    }
}

fn named(name: &str) -> impl Fn(&mut ArrayFile) {
    move |source| source.array = Some(name.to_owned())
}

fn label(column: Column) -> impl Fn(&mut ArrayFile) {
    move |source| source.table.label = Some(column.clone())
}

#[test]
fn of_paths() {
    let mut m = Messages::new();
    let at = |m: &Messages, name: &str| ArrayFile::new(m.folder.path().join(name));
    m.add(read_samples(&at(&m, "missing.npy")).unwrap_err());
    m.add(read_samples(&at(&m, "missing")).unwrap_err());
    m.add(read_samples(&at(&m, "")).unwrap_err());
    fs::create_dir(m.folder.path().join("folder.csv")).unwrap();
    m.add(read_labels(&at(&m, "folder.csv")).unwrap_err());
    m.samples("x.mat", b"", |_| ());
    m.samples("x", b"", |_| ());
    m.samples("x.npy", &npy("<f8", "False", "(1, 1)", &f8(&[1.0])), named("codes"));
    #[cfg(unix)]
    {
        let _socket = std::os::unix::net::UnixListener::bind(m.folder.path().join("s.npz")).unwrap();
        m.add(read_labels(&at(&m, "s.npz")).unwrap_err());
    }
    insta::assert_snapshot!(m.text);
}

#[test]
fn of_npy() {
    let mut m = Messages::new();
    m.samples("a.npy", b"", |_| ());
    m.samples("a.npy", b"PK\x03\x04 something else", |_| ());
    m.samples("a.npy", b"\x93NUMPY\x04\x00\x10\x00", |_| ());
    m.samples("a.npy", b"\x93NUMPY\x01\x00\x76\x00{'descr'", |_| ());
    m.samples("a.npy", &header(1, "{'descr': '<f8', 'fortran_order': 0, 'shape': (1, 1), }"), |_| ());
    m.samples("a.npy", &header(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 1), }"), |_| ());
    m.samples(
        "a.npy",
        &header(1, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 1), }"),
        |_| (),
    );
    for kind in ["<c16", "<U3", "|S3", "|O", "<M8[ns]", "|V8", "<f2", "<f16", "=f8", "x"] {
        m.samples("a.npy", &npy(kind, "False", "(1, 1)", &[0; 16]), |_| ());
    }
    for shape in ["()", "(4,)", "(1, 2, 2)", "(0, 4)", "(9223372036854775807, 4)"] {
        m.samples("a.npy", &npy("<f8", "False", shape, &[0; 32]), |_| ());
    }
    m.samples("a.npy", &npy("<f8", "False", "(3, 1)", &[0; 20]), |_| ());
    m.samples("a.npy", &npy("<f8", "False", "(3, 1)", &[0; 32]), |_| ());
    m.samples("a.npy", &npy("<u8", "False", "(1, 1)", &u64::MAX.to_le_bytes()), |_| ());
    let source = ArrayFile::new(m.folder.path().join("a.npy"));
    fs::write(&source.path, npy("|u1", "False", "(2, 2)", &[0; 4])).unwrap();
    m.add(read_labels(&source).unwrap_err());
    fs::write(&source.path, npy("<f8", "False", "(2, 2)", &f8(&[1.0, 2.0, 3.0, f64::NAN]))).unwrap();
    m.add(read_samples(&source).unwrap().require_finite().unwrap_err());
    insta::assert_snapshot!(m.text);
}

#[test]
fn of_npz() {
    let mut m = Messages::new();
    let good = npy("<f8", "False", "(1, 1)", &f8(&[f64::INFINITY]));
    let short = npy("<f8", "False", "(2, 1)", &[0; 8]);
    let stored = |members: &[(&str, &[u8])]| npz(members, CompressionMethod::Stored);
    m.samples("a.npz", b"", |_| ());
    m.samples("a.npz", &good, |_| ());
    m.samples("a.npz", &stored(&[("readme.txt", b"x")]), |_| ());
    let several = stored(&[("codes.npy", &good), ("labels.npy", &good), ("\u{1b}[31m.npy", &good)]);
    m.samples("a.npz", &several, |_| ());
    m.samples("a.npz", &several, |source| source.array_key = "data.file.array".to_owned());
    m.samples("a.npz", &several, named("code"));
    let sparse =
        ["indices.npy", "indptr.npy", "format.npy", "shape.npy", "data.npy"].map(|name| (name, &good[..]));
    m.samples("a.npz", &stored(&sparse), |_| ());
    m.samples("a.npz", &several, named("zzz"));
    m.samples("a.npz", &stored(&[("x.npy", &short)]), |_| ());
    m.samples("a.npz", &stored(&[("x.npy", &npy("<f8", "False", "(1,)", &[0; 8]))]), |_| ());
    m.samples("a.npz", &stored(&[("\u{1b}[31m.npy", &short)]), |_| ());
    let mut damaged = stored(&[("x.npy", &good)]);
    damaged[30 + 5 + 128] ^= 1; // after local header and name: the first byte of the data
    m.samples("a.npz", &damaged, |_| ());
    let source = ArrayFile::new(m.folder.path().join("a.npz"));
    fs::write(&source.path, stored(&[("x.npy", &good)])).unwrap();
    m.add(read_samples(&source).unwrap().require_finite().unwrap_err());
    insta::assert_snapshot!(m.text);
}

#[test]
fn of_csv() {
    let mut m = Messages::new();
    m.samples("t.csv", b"", |_| ());
    m.samples("t.csv", b"a,b\n", |_| ());
    m.samples("t.csv", b"\xff\xfe1\x00", |_| ());
    m.samples("t.csv", b"a,b\n1,2\n3\n", |_| ());
    m.samples("t.csv", b"1,2\n3,\"4\n5,6\n", |_| ());
    m.samples("t.csv", b"a,b\n1,2\n3,x\n", |_| ());
    m.samples("t.csv", b"1,2\n3,\n", |_| ());
    m.samples("t.csv", b"1,\n3,4\n", |_| ());
    m.samples("t.csv", b"1,1.2.3\n3,4\n", |_| ());
    m.samples("t.csv", b"1,NA\n3,4\n", |source| source.table.empty_is_nan = true);
    m.samples("t.csv", b"1,2\n3,None\n", |source| source.table.empty_is_nan = true);
    m.samples("t.csv", b"1\n\n2\n", |source| source.table.empty_is_nan = true);
    m.samples("t.csv", b"1,0\n2,yes\n", |source| source.table.truth_values = true);
    m.samples("t.csv", b"a;b\n1;2\n", |_| ());
    m.samples("t.csv", b"a;b\n1;2,5\n", |source| source.table.delimiter = b';');
    m.samples("t.csv", b"a;b;c\n1,5;2,5;3\n", |_| ());
    m.samples("t.csv", b"a\tb\n1\t2\n", |_| ());
    m.samples("t.csv", b"1 2 3\n4 5 6\n", |_| ());
    m.samples("t.csv", b"a,b\n1,2\n", |source| source.table.header = HeaderRow::Absent);
    m.samples("t.csv", b"1,2\n3,-1e400\n", |_| ());
    m.samples("t.csv", b"width,class\n1,\n", label(Column::Name("class".to_owned())));
    m.samples("t.csv", b"width,class\n1,NA\n", |source| {
        source.table.empty_is_nan = true;
        source.table.label = Some(Column::Index(1));
    });
    m.samples("t.csv", &[b"1,2\n3,".as_slice(), &[0xe9; 1000], b"\n"].concat(), |_| ());
    m.samples("t.csv", b"width,class\n1,2\n", label(Column::Name("clas".to_owned())));
    m.samples("t.csv", b"width,class\n1,2\n", label(Column::Name("x".to_owned())));
    m.samples("t.csv", b"x,x\n1,2\n", label(Column::Name("x".to_owned())));
    m.samples("t.csv", b"1,2\n", label(Column::Name("x".to_owned())));
    m.samples("t.csv", b"1,2\n", label(Column::Index(2)));
    m.samples("t.csv", b"1\n", label(Column::Index(0)));
    let mut source = ArrayFile::new(m.folder.path().join("t.csv"));
    fs::write(&source.path, "a,b\n1,2\n\n3,inf\n").unwrap();
    m.add(read_labels(&source).unwrap_err());
    m.add(read_samples(&source).unwrap().require_finite().unwrap_err());
    source.table.label = Some(Column::Index(1));
    m.add(read_samples(&source).unwrap().require_finite().unwrap_err());
    insta::assert_snapshot!(m.text);
}

#[test]
fn of_writing() {
    let mut m = Messages::new();
    let root = m.folder.path().to_owned();
    fs::write(root.join("file"), "").unwrap();
    m.add(OutputFolder::open(root.join("file")).unwrap_err());
    m.add(OutputFolder::open(root.join("file/runs/first")).unwrap_err());
    fs::create_dir(root.join("folder")).unwrap();
    m.add(OutputFolder::open(&root).unwrap().stage("folder", |_| Ok(())).unwrap_err());
    let mut gone = OutputFolder::open(root.join("missing")).unwrap();
    fs::remove_dir(root.join("missing")).unwrap();
    m.add(gone.stage("codes.npy", |_| Ok(())).unwrap_err());
    let mut output = OutputFolder::open(&root).unwrap();
    m.add(output.stage("../x", |_| Ok(())).unwrap_err());
    output.stage("x", |_| Ok(())).unwrap();
    m.add(output.stage("x", |_| Ok(())).unwrap_err());
    let problem = || std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left on device");
    m.add(output.stage("y", |_| Err(problem())).unwrap_err());
    insta::assert_snapshot!(m.text);
}
