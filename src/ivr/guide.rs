//! The operator's guide to the modules, made from their own tables: `relais modules`, dialplans/MODULES.md.

use std::fmt::Write;

use super::spec::{Input, Module, Need, Spec};

/// All modules, as a page of Markdown.
pub fn guide() -> String {
    let mut page = String::from(
        "# Modules\n\n\
         What a rule's `module` can be. `in` gives inputs, `out` says to which variables outputs go. Made by \
         `relais modules`.\n",
    );
    for module in Module::ALL {
        page.push('\n');
        page.push_str(&section(module.spec()));
    }
    page
}

/// One module.
pub fn section(spec: &Spec) -> String {
    let mut text = format!("## {}\n\n{}\n\n{}\n", spec.name, spec.summary, spec.ends.describe());
    // Writing to a text does not fail.
    if !spec.inputs.is_empty() {
        let _ = writeln!(text, "\n| input | is | default | |\n|---|---|---|---|");
        for input in spec.inputs {
            let cells = [cell(&input.kind.describe()), default_of(input), cell(input.doc)];
            let _ = writeln!(text, "| `{}` | {} |", input.name, cells.join(" | "));
        }
    }
    if spec.free_inputs {
        let _ = writeln!(text, "\nIt takes inputs of any name: each sets the variable of that name.");
    }
    if !spec.outputs.is_empty() {
        let _ = writeln!(text, "\n| output | is | |\n|---|---|---|");
        for output in spec.outputs {
            let cells = [cell(&output.kind.describe()), cell(output.doc)];
            let _ = writeln!(text, "| `{}` | {} |", output.name, cells.join(" | "));
        }
    }
    let _ = write!(text, "\n{}", indented(&example(spec)));
    text
}

/// A rule with the module: what it needs, and its first output.
pub fn example(spec: &Spec) -> String {
    let needed = spec.inputs.iter().filter(|input| input.need == Need::Required);
    let mut inputs: Vec<String> = needed.map(|input| format!("{} = {}", input.name, input.kind.sample())).collect();
    if spec.free_inputs && inputs.is_empty() {
        inputs.push("wish = \"sales\"".to_owned());
    }
    let mut rule = format!("[[level.rule]]\nmodule = \"{}\"\n", spec.name);
    if !inputs.is_empty() {
        let _ = writeln!(rule, "in = {{ {} }}", inputs.join(", "));
    }
    if let Some(output) = spec.outputs.first() {
        let _ = writeln!(rule, "out = {{ {} = \"{}_{}\" }}", output.name, spec.name, output.name);
    }
    rule
}

fn default_of(input: &Input) -> String {
    match input.need {
        Need::Required => "needed".to_owned(),
        Need::Optional => String::new(),
        Need::Text(text) => format!("`{}`", cell(&format!("{text:?}"))),
        Need::Integer(integer) => format!("`{integer}`"),
        Need::Flag(flag) => format!("`{flag}`"),
    }
}

/// A stroke would end the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
