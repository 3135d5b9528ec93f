//! Every example config says first what it shows.

use super::finding::Finding;
use super::tree::{File, Tree};

/// Fewer words than this say nothing.
const FEWEST_WORDS: usize = 3;

/// Configs without a first comment that says what they show.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let is_config = |file: &&File| file.path.starts_with("configs/") && file.path.ends_with(".toml");
    tree.files.iter().filter(is_config).filter_map(check_file).collect()
}

/// A finding if the first line says too little.
fn check_file(file: &File) -> Option<Finding> {
    let first = file.text.lines().next().unwrap_or_default();
    let n_words = first.strip_prefix('#').map_or(0, |comment| comment.split_whitespace().count());
    let remedy = "begin with `# ` and a sentence";
    (n_words < FEWEST_WORDS)
        .then(|| Finding::error(&file.path, 1, "the first line does not say what it shows", remedy))
}

#[cfg(test)]
mod tests {
    use super::{Tree, check};

    #[test]
    fn a_config_begins_with_a_sentence() {
        let n_findings = |path, text| check(&Tree::made_up(&[(path, text)])).len();
        assert_eq!(n_findings("configs/a.toml", "# Denoises a picture.\nx = 1\n"), 0);
        for text in ["x = 1\n# Denoises a picture.\n", "# Config\n", "\n# Denoises a picture.\n", ""] {
            assert_eq!(n_findings("configs/a.toml", text), 1, "{text:?}");
        }
        assert_eq!(n_findings("other/a.toml", ""), 0);
    }
}
