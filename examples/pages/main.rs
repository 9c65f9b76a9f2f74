//! Recognised pages as files, so that rules can be tried on many documents without recognising their text again.
//!
//! `pages dump FOLDER OUT` recognises `FOLDER/<id>/front.*` and `back.*` with both recognisers and writes `OUT/<id>.json`;
//! `pages replay OUT` reads the documents off these files and prints what `idmill scan --batch` would, a line each.
//! The files hold recognised text, which the program itself never writes outside its answers.

mod dump;
mod replay;

use std::path::Path;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["dump", folder, out] => dump::dump(Path::new(folder), Path::new(out)),
        ["replay", folder] => replay::replay(Path::new(folder)),
        _ => anyhow::bail!("usage: pages dump FOLDER OUT | pages replay OUT"),
    }
}
