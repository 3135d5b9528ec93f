//! The one door to snapshots: no temporary paths, no seconds, and where asked no numbers that machines round apart.

use serde_json::Value;

/// What becomes of numbers with a point or an exponent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// They stay: they come from the input.
    Kept,
    /// `#`, and every gap of several spaces is two wide: they come from a run.
    Masked,
}

/// Compares a text with the snapshot of this name.
pub fn check(name: &str, text: &str, numbers: Numbers) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.add_filter(r#"[^\s"'`]*tddl-lab-[A-Za-z0-9]+"#, "[folder]");
    settings.add_filter(r"\(\d+\.\d s\)", "(# s)");
    if numbers == Numbers::Masked {
        settings.add_filter(r"-?\b\d+(\.\d+(e-?\d+)?|e-?\d+)\b", "#");
        settings.add_filter(r"(\S) {2,}", "$1  ");
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A JSON value with every number but the integers masked, and the versions too.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Number(number) if !number.is_u64() => Value::from("#"),
        Value::Array(values) => values.iter().map(masked).collect(),
        Value::Object(fields) => {
            let versions = |(key, value): (&String, &Value)| match key.as_str() {
                "tddl" | "target" => (key.clone(), Value::from("#")),
                _ => (key.clone(), masked(value)),
            };
            Value::Object(fields.iter().map(versions).collect())
        }
        other => other.clone(),
    }
}
