//! Renders specimens of identity documents with ground truth, the same ones for the same seed.
//!
//! ```sh
//! cargo run --example specimen -- --seed 7 --out DIR [--count 3] [--distort mild|hard] [--kind td1]
//! ```
//! writes `DIR/KIND-N/{front.jpg,back.jpg,truth.json}`. The persons are fictional and the state is Utopia; the word
//! SPECIMEN is on every side. Fonts are those of the Debian packages fonts-dejavu-core, fonts-liberation and fonts-ocr-b.

mod canvas;
mod card;
mod chance;
mod codes;
mod distort;
mod india;
mod licence;
mod mrz;
mod person;
mod travel;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use serde_json::json;

use crate::canvas::Fonts;
use crate::card::{Desk, Look, Specimen};
use crate::chance::Chance;
use crate::distort::Distortion;

/// What can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Passport, zone of two lines of 44.
    Passport,
    /// Identity card, zone of three lines of 30 on its back.
    Td1,
    /// Identity card, zone of two lines of 36.
    Td2,
    /// Driving licence with the numbered fields of the European model.
    Licence,
    /// Driver license with an AAMVA symbol on its back.
    Aamva,
    /// Indian permanent account number card.
    Pan,
    /// Indian Aadhaar card with a secure QR code on its back.
    Aadhaar,
    /// Visa, zone of two lines of 44.
    VisaA,
    /// Smaller visa, zone of two lines of 36.
    VisaB,
    /// Identity card with the zone of French cards before 2021.
    FrenchId,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Passport,
        Self::Td1,
        Self::Td2,
        Self::Licence,
        Self::Aamva,
        Self::Pan,
        Self::Aadhaar,
        Self::VisaA,
        Self::VisaB,
        Self::FrenchId,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Passport => "passport",
            Self::Td1 => "td1",
            Self::Td2 => "td2",
            Self::Licence => "licence",
            Self::Aamva => "aamva",
            Self::Pan => "pan",
            Self::Aadhaar => "aadhaar",
            Self::VisaA => "visa-a",
            Self::VisaB => "visa-b",
            Self::FrenchId => "french-id",
        }
    }

    fn render(self, desk: &mut Desk<'_>) -> Specimen {
        match self {
            Self::Passport => travel::passport(desk),
            Self::Td1 => travel::small_card(desk),
            Self::Td2 => travel::large_card(desk),
            Self::Licence => licence::numbered(desk),
            Self::Aamva => licence::american(desk),
            Self::Pan => india::pan(desk),
            Self::Aadhaar => india::aadhaar(desk),
            Self::VisaA => travel::large_visa(desk),
            Self::VisaB => travel::small_visa(desk),
            Self::FrenchId => travel::french_card(desk),
        }
    }
}

/// Renders specimens of identity documents with ground truth.
#[derive(Debug, Parser)]
struct Arguments {
    /// Decides everything that is left to chance.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Folder to write to.
    #[arg(long)]
    out: PathBuf,
    /// Documents of each kind.
    #[arg(long, default_value_t = 3)]
    count: u64,
    /// Kinds to render; all of them if none is named.
    #[arg(long)]
    kind: Vec<Kind>,
    /// What happens to the pictures.
    #[arg(long, value_enum, default_value_t = Distortion::None)]
    distort: Distortion,
    /// Folder with the fonts, searched with its subfolders.
    #[arg(long, default_value = "/usr/share/fonts")]
    fonts: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let fonts = Fonts::load(&arguments.fonts)?;
    let kinds = if arguments.kind.is_empty() { Kind::ALL.to_vec() } else { arguments.kind.clone() };
    for kind in kinds {
        for index in 1..=arguments.count {
            let mut chance = Chance::part(arguments.seed, kind.name(), index);
            let look = Look::choose(&mut chance);
            let specimen = kind.render(&mut Desk { fonts: &fonts, chance, look });
            let chance = Chance::part(arguments.seed, "distort", index ^ (kind as u64) << 32);
            write(&arguments.out.join(format!("{}-{index}", kind.name())), specimen, arguments.distort, chance)?;
        }
    }
    Ok(())
}

fn write(folder: &Path, specimen: Specimen, distortion: Distortion, mut chance: Chance) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    let mut files = json!({});
    for (side, image) in [("front", Some(specimen.front)), ("back", specimen.back)] {
        let Some(image) = image else { continue };
        let name = format!("{side}.jpg");
        write_jpeg(&folder.join(&name), &distortion.apply(image, &mut chance), distortion.jpeg_quality())?;
        files[side] = json!(name);
    }
    let truth = serde_json::to_string_pretty(&specimen.truth.to_json(files))?;
    std::fs::write(folder.join("truth.json"), truth + "\n").with_context(|| format!("failed to write {}", folder.display()))
}

fn write_jpeg(path: &Path, image: &RgbImage, quality: u8) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("failed to make {}", path.display()))?;
    let mut writer = BufWriter::new(file);
    JpegEncoder::new_with_quality(&mut writer, quality).encode_image(image)?;
    writer.flush().with_context(|| format!("failed to write {}", path.display()))
}
