//! Results appear whole, together, or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use cli::files::atomic::Content;
use cli::files::error::WriteError;
use cli::files::npy::write_matrix;
use cli::files::output::OutputFolder;
use cli::files::read::{ArrayFile, read_samples};

/// Names in a folder, sorted, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Writes one file into a folder that is there.
fn write(
    folder: &Path,
    name: &str,
    content: impl FnOnce(&mut Content<'_>) -> io::Result<()>,
) -> Result<(), WriteError> {
    let mut output = OutputFolder::open(folder)?;
    output.stage(name, content)?;
    output.commit().map(|_| ())
}

fn full_disk() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
}

#[test]
fn a_new_file_is_whole_and_an_old_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.npy");
    for data in [[1.0, 2.0], [3.0, 4.0]] {
        write(folder.path(), "codes.npy", |writer| write_matrix(writer, 1, 2, &data)).unwrap();
        assert_eq!(read_samples(&ArrayFile::new(&path)).unwrap().array.data, data);
    }
    assert_eq!(names(folder.path()), ["codes.npy"]);
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "old").unwrap();
    let failed = write(folder.path(), "a.txt", |writer| {
        writer.write_all(&[b'x'; 1 << 20])?;
        full_disk()
    });
    assert!(matches!(failed, Err(WriteError::Io { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["a.txt"]);
}

/// The same mode as that of a file made directly, whatever the mask of the process.
#[cfg(unix)]
#[test]
fn the_mode_is_that_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    fs::write(folder.path().join("direct"), "x").unwrap();
    write(folder.path(), "atomic", |writer| writer.write_all(b"x")).unwrap();
    assert_eq!(format!("{:o}", mode("atomic")), format!("{:o}", mode("direct")));
}

#[test]
fn results_appear_together() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("runs/first");
    let mut output = OutputFolder::open(&folder).unwrap();
    output.stage("b.txt", |writer| writer.write_all(b"2")).unwrap();
    output.stage("a.txt", |writer| writer.write_all(b"1")).unwrap();
    assert!(names(&folder).iter().all(|name| name.starts_with('.') && name.ends_with(".tmp")));
    assert_eq!(output.commit().unwrap(), [folder.join("b.txt"), folder.join("a.txt")]);
    assert_eq!(names(&folder), ["a.txt", "b.txt"]);
    assert_eq!(fs::read_to_string(folder.join("b.txt")).unwrap(), "2");
}

#[test]
fn a_failure_before_the_commit_leaves_earlier_results() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.txt"), "old").unwrap();
    let mut output = OutputFolder::open(root.path()).unwrap();
    output.stage("a.txt", |writer| writer.write_all(b"new")).unwrap();
    assert!(output.stage("b.txt", |_| full_disk()).is_err());
    assert_eq!(fs::read_to_string(root.path().join("a.txt")).unwrap(), "old");
    drop(output);
    assert_eq!(names(root.path()), ["a.txt"]);
    assert_eq!(fs::read_to_string(root.path().join("a.txt")).unwrap(), "old");
}

#[test]
fn folders_made_in_vain_are_removed_but_no_others() {
    let root = tempfile::tempdir().unwrap();
    let mut output = OutputFolder::open(root.path().join("a/b")).unwrap();
    output.stage("x", |writer| writer.write_all(b"x")).unwrap();
    drop(output);
    assert_eq!(names(root.path()), Vec::<String>::new());
    let output = OutputFolder::open(root.path().join("a/b")).unwrap();
    assert_eq!(output.commit().unwrap(), Vec::<std::path::PathBuf>::new());
    assert_eq!(names(root.path()), ["a"]);
    drop(OutputFolder::open(root.path().join("a/b")).unwrap());
    assert_eq!(names(root.path()), ["a"]);
}

/// A folder in the way is seen before the first rename.
#[test]
fn an_obstacle_stops_the_commit_before_it_starts() {
    let root = tempfile::tempdir().unwrap();
    let mut output = OutputFolder::open(root.path()).unwrap();
    output.stage("a", |writer| writer.write_all(b"a")).unwrap();
    output.stage("b", |writer| writer.write_all(b"b")).unwrap();
    fs::create_dir(root.path().join("b")).unwrap();
    assert!(matches!(output.commit(), Err(WriteError::Folder { .. })));
    assert_eq!(names(root.path()), ["b"]);
}

#[test]
fn names_are_plain_and_used_once() {
    let root = tempfile::tempdir().unwrap();
    let mut output = OutputFolder::open(root.path()).unwrap();
    for name in ["", ".", "..", "a/b", "/a", "a/", "../a", "./a"] {
        assert!(matches!(output.stage(name, |_| Ok(())), Err(WriteError::Name { .. })), "{name:?}");
    }
    output.stage("a", |_| Ok(())).unwrap();
    assert!(matches!(output.stage("a", |_| Ok(())), Err(WriteError::Twice { .. })));
}
