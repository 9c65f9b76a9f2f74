//! Images -> files of recognised lines.

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idmill::config::Settings;
use idmill::ocr::{Engine, Limits, Line, Page, Quad, Weights, find_folder};
use serde_json::{Value, json};

/// Recognises every document of a folder.
pub(crate) fn dump(folder: &Path, out: &Path) -> anyhow::Result<()> {
    let settings = Settings::load(None)?;
    let limits = Limits { max_pixels: settings.engine.max_pixels };
    let mut engine = Engine::new(&Weights::load(&find_folder(settings.engine.dir.as_deref())?)?, limits)?;
    fs::create_dir_all(out)?;
    let mut documents: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    documents.sort_by_key(fs::DirEntry::file_name);
    for document in documents.iter().filter(|entry| entry.path().is_dir()) {
        let mut sides = serde_json::Map::new();
        for entry in fs::read_dir(document.path())? {
            let path = entry?.path();
            let Some(side @ ("front" | "back")) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let bytes = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
            sides.insert(side.to_owned(), dump_page(&mut engine, &bytes)?);
        }
        let name = format!("{}.json", document.file_name().to_string_lossy());
        fs::write(out.join(name), serde_json::to_vec(&sides)?)?;
    }
    Ok(())
}

/// A page with what each recogniser sees in its lines.
fn dump_page(engine: &mut Engine, bytes: &[u8]) -> anyhow::Result<Value> {
    let (mut page, original) = engine.read(bytes)?;
    engine.find_codes(&mut page, &original);
    let mut again = page.clone();
    engine.read_again(&mut again, &original, &(0..page.lines.len()).collect::<Vec<_>>())?;
    Ok(page_value(&page, &again))
}

fn page_value(page: &Page, again: &Page) -> Value {
    let lines = page.lines.iter().zip(&again.lines).map(|(line, again)| json!([line_value(line), line_value(again)]));
    let codes = page
        .codes
        .iter()
        .map(|code| json!({ "kind": format!("{:?}", code.kind), "bytes": STANDARD.encode(&code.bytes), "quad": corners(&code.quad) }));
    json!({
        "width": page.width,
        "height": page.height,
        "lines": lines.collect::<Vec<_>>(),
        "codes": codes.collect::<Vec<_>>(),
    })
}

fn line_value(line: &Line) -> Value {
    let lattice = line.lattice.as_ref().map(|lattice| {
        let bytes: Vec<u8> = lattice.steps.iter().flatten().flat_map(|p| p.to_le_bytes()).collect();
        STANDARD.encode(bytes)
    });
    json!({ "text": line.text, "confidence": line.confidence, "quad": corners(&line.quad), "lattice": lattice })
}

fn corners(quad: &Quad) -> [[f32; 2]; 4] {
    quad.0.map(|p| [p.x, p.y])
}
