//! The command line: what is understood, what is refused, what the help says.

use cli::args::{CheckArgs, Command, RunArgs, command, parse};
use std::num::NonZeroUsize;

fn run(config: &str) -> RunArgs {
    RunArgs { config: config.into(), set: Vec::new(), out: None, threads: None, quiet: false, force: false }
}

fn accepted(line: &str) -> Command {
    parse(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn short_form_is_run() {
    assert_eq!(accepted("tddl a.toml"), Command::Run(run("a.toml")));
    assert_eq!(accepted("tddl a.toml"), accepted("tddl run a.toml"));
    let options = "--set seed=1 --set coding.loss=squared --out dir --threads 3 -q -f";
    let expected = RunArgs {
        set: vec!["seed=1".to_owned(), "coding.loss=squared".to_owned()],
        out: Some("dir".into()),
        threads: NonZeroUsize::new(3),
        quiet: true,
        force: true,
        ..run("a.toml")
    };
    for line in [
        format!("tddl a.toml {options}"),
        format!("tddl {options} a.toml"),
        format!("tddl run {options} a.toml"),
    ] {
        assert_eq!(accepted(&line), Command::Run(expected.clone()), "{line}");
    }
}

#[test]
fn check_takes_overrides() {
    let expected = CheckArgs { config: "a.toml".into(), set: vec!["seed=1".to_owned()] };
    assert_eq!(accepted("tddl check a.toml --set seed=1"), Command::Check(expected));
}

/// A config may be named as a subcommand, or nearly: `tddl run run` and `tddl ./chek` mean the file.
#[test]
fn a_path_is_a_config() {
    assert_eq!(accepted("tddl run run"), Command::Run(run("run")));
    assert_eq!(accepted("tddl ./chek"), Command::Run(run("./chek")));
    assert_eq!(accepted("tddl chek.toml"), Command::Run(run("chek.toml")));
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    for line in ["tddl chekc", "tddl a b", "tddl", "tddl a.toml --threads 0", "tddl --quiet run a.toml"] {
        let error = parse(line.split(' ')).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    for line in ["tddl --help", "tddl run -h", "tddl --version"] {
        let error = parse(line.split(' ')).expect_err(line);
        assert_eq!(error.exit_code(), 0, "{line}");
    }
}

fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn refusals() {
    let lines = [
        "tddl chekc a.toml",
        "tddl rnu",
        "tddl run",
        "tddl --quiet run a.toml",
        "tddl a.toml b.toml",
        "tddl a.toml --threads 0",
        "tddl run a.toml --thread 1",
        "tddl check a.toml --quiet",
    ];
    let document: String = lines
        .iter()
        .map(|line| format!("--- {line}\n{}\n", parse(line.split(' ')).expect_err(line)))
        .collect();
    check("refusals", &document);
}

#[test]
fn helps() {
    let mut tddl = command().term_width(100);
    tddl.build();
    let mut document = format!("--- tddl --help\n{}\n", tddl.render_long_help());
    for name in ["run", "check"] {
        let sub = tddl.find_subcommand_mut(name).expect("it was just named");
        let help = sub.render_help();
        document += &format!("--- tddl {name} -h\n{help}\n");
    }
    check("helps", &document);
}
