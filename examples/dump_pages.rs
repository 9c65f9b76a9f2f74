//! Prints what the engine sees on an image as JSON, for work on the evaluation documents: this prints recognised text,
//! which the program itself never does outside its answers.
//!
//! `dump_pages FOLDER OUT`: for every `FOLDER/<id>/front.*` and `back.*` a file `OUT/<id>.<side>.json`.

use std::path::Path;

use anyhow::Context;
use idmill::config::Settings;
use idmill::ocr::{Engine, Limits, Page, Weights, find_folder};
use serde_json::{Value, json};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), Some(out)) = (arguments.next(), arguments.next()) else { anyhow::bail!("usage: dump_pages FOLDER OUT") };
    let settings = Settings::load(None)?;
    let limits = Limits { max_pixels: settings.engine.max_pixels };
    let mut engine = Engine::new(&Weights::load(&find_folder(settings.engine.dir.as_deref())?)?, limits)?;
    std::fs::create_dir_all(&out)?;
    let mut documents: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    documents.sort_by_key(std::fs::DirEntry::file_name);
    for document in documents.iter().filter(|entry| entry.path().is_dir()) {
        for entry in std::fs::read_dir(document.path())? {
            let path = entry?.path();
            let Some(side @ ("front" | "back")) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let name = format!("{}.{side}.json", document.file_name().to_string_lossy());
            let bytes = std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
            let value = match engine.read(&bytes) {
                Ok((page, _)) => dump(&page),
                Err(error) => json!({ "error": error.to_string() }),
            };
            std::fs::write(Path::new(&out).join(name), serde_json::to_vec_pretty(&value)?)?;
        }
    }
    Ok(())
}

fn dump(page: &Page) -> Value {
    let corners = |quad: &idmill::ocr::Quad| quad.0.map(|p| [p.x, p.y]);
    let lines = page.lines.iter().map(|line| {
        let mut value = json!({ "text": line.text, "confidence": line.confidence, "quad": corners(&line.quad) });
        if let Some(lattice) = &line.lattice {
            value["lattice"] = lattice.steps.iter().map(|step| json!(&step[..])).collect();
        }
        value
    });
    let codes =
        page.codes.iter().map(|code| json!({ "kind": format!("{:?}", code.kind), "bytes": code.bytes, "quad": corners(&code.quad) }));
    json!({ "width": page.width, "height": page.height, "lines": lines.collect::<Vec<_>>(), "codes": codes.collect::<Vec<_>>() })
}
