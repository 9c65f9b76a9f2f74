//! Paper and ink: a card in millimetres, drawn into pixels.

use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec, PxScale, ScaleFont, point};
use anyhow::{Context, bail};
use image::{Rgb, RgbImage};

use crate::chance::Chance;
use crate::codes::Modules;

/// Resolution of the rendered cards: about 300 dpi, as a flatbed scanner delivers them.
pub(crate) const PX_PER_MM: f32 = 12.0;

/// Pitch of machine-readable zones: ten characters an inch.
const MRZ_PITCH_MM: f32 = 2.54;

/// Distance of two lines of a machine-readable zone.
const MRZ_LEADING_MM: f32 = 4.25;

/// Which font a text is set in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Face {
    /// DejaVu Sans.
    Sans,
    /// DejaVu Sans Bold.
    SansBold,
    /// Liberation Sans, of Arial's widths.
    Grotesque,
    /// Liberation Sans Bold.
    GrotesqueBold,
    /// Liberation Serif, of Times' widths.
    Serif,
    /// Liberation Serif Bold.
    SerifBold,
    /// Liberation Mono.
    Mono,
    /// OCR-B, the font of machine-readable zones.
    OcrB,
}

impl Face {
    const ALL: [Self; 8] =
        [Self::Sans, Self::SansBold, Self::Grotesque, Self::GrotesqueBold, Self::Serif, Self::SerifBold, Self::Mono, Self::OcrB];

    fn file(self) -> &'static str {
        match self {
            Self::Sans => "DejaVuSans.ttf",
            Self::SansBold => "DejaVuSans-Bold.ttf",
            Self::Grotesque => "LiberationSans-Regular.ttf",
            Self::GrotesqueBold => "LiberationSans-Bold.ttf",
            Self::Serif => "LiberationSerif-Regular.ttf",
            Self::SerifBold => "LiberationSerif-Bold.ttf",
            Self::Mono => "LiberationMono-Regular.ttf",
            Self::OcrB => "OCRB.otf",
        }
    }
}

/// All faces, loaded.
pub(crate) struct Fonts(Vec<FontVec>);

impl Fonts {
    /// Finds and loads every face below the folder.
    ///
    /// # Errors
    /// A font is missing; the message names the Debian packages that carry them.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        collect(folder, &mut files);
        let mut fonts = Vec::new();
        for face in Face::ALL {
            let Some(path) = files.iter().find(|path| path.file_name().is_some_and(|name| name == face.file())) else {
                bail!("{} is not below {}: install fonts-dejavu-core, fonts-liberation and fonts-ocr-b", face.file(), folder.display());
            };
            let bytes = std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
            fonts.push(FontVec::try_from_vec(bytes).with_context(|| format!("{} is no font", path.display()))?);
        }
        Ok(Self(fonts))
    }

    fn get(&self, face: Face) -> &FontVec {
        &self.0[face as usize]
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ink {
    /// Font.
    pub(crate) face: Face,
    /// Size of the em square in millimetres; a capital letter has about 0.72 of it.
    pub(crate) em_mm: f32,
    /// Colour.
    pub(crate) colour: [u8; 3],
}

/// One side of a document. All positions are millimetres from the top left corner; text stands on its baseline.
pub(crate) struct Canvas<'f> {
    fonts: &'f Fonts,
    /// The picture so far.
    pub(crate) image: RgbImage,
}

impl<'f> Canvas<'f> {
    /// Paper of this size and tint with a security pattern of fine waves.
    pub(crate) fn new(fonts: &'f Fonts, width_mm: f32, height_mm: f32, tint: [u8; 3], chance: &mut Chance) -> Self {
        let (pitch, swing) = (chance.between(18.0, 30.0), chance.between(10.0, 26.0));
        let (wave, phase) = (chance.between(0.004, 0.011), chance.between(0.0, 6.0));
        let image = RgbImage::from_fn((width_mm * PX_PER_MM) as u32, (height_mm * PX_PER_MM) as u32, |x, y| {
            let (x, y) = (x as f32, y as f32);
            let bend = swing * (x * wave + phase).sin() + 0.6 * swing * (x * wave * 2.7 + y * 0.003).cos();
            let from_line = ((y + bend).rem_euclid(pitch) - pitch / 2.0).abs();
            let shade = if from_line < 0.9 { -14.0 } else { 5.0 * (x * 0.002 + y * 0.003 + phase).sin() };
            Rgb(tint.map(|channel| (f32::from(channel) + shade).clamp(0.0, 255.0) as u8))
        });
        Self { fonts, image }
    }

    /// Sets a text; returns where it ends, in millimetres from the left.
    pub(crate) fn text(&mut self, x_mm: f32, y_mm: f32, ink: Ink, text: &str) -> f32 {
        let font = self.fonts.get(ink.face);
        let scaled = font.as_scaled(scale(font, ink.em_mm));
        let mut pen = x_mm * PX_PER_MM;
        let mut previous = None;
        for letter in text.chars() {
            let glyph = font.glyph_id(letter);
            pen += previous.map_or(0.0, |previous| scaled.kern(previous, glyph));
            self.glyph(pen, y_mm * PX_PER_MM, ink, letter);
            pen += scaled.h_advance(glyph);
            previous = Some(glyph);
        }
        pen / PX_PER_MM
    }

    /// Small labels with their values below, as most documents set their fields: place, label, value.
    pub(crate) fn fields(&mut self, label: Ink, value: Ink, fields: &[(f32, f32, &str, &str)]) {
        for (x_mm, y_mm, name, text) in fields {
            self.text(*x_mm, *y_mm, label, name);
            self.text(*x_mm, y_mm + value.em_mm * 1.02, value, text);
        }
    }

    /// Labels with their values beside, as licences set them: place, label, value.
    pub(crate) fn rows(&mut self, label: Ink, value: Ink, rows: &[(f32, f32, &str, &str)]) {
        for (x_mm, y_mm, name, text) in rows {
            let end_mm = self.text(*x_mm, *y_mm, label, name);
            self.text(end_mm + 1.2, *y_mm, value, text);
        }
    }

    /// A machine-readable zone whose first line stands on `y_mm`: OCR-B at ten characters an inch, on white.
    pub(crate) fn mrz(&mut self, x_mm: f32, y_mm: f32, lines: &[String]) {
        let top = y_mm - 4.5;
        let height = self.image.height() as f32 / PX_PER_MM - top;
        self.bar(0.0, top, self.image.width() as f32 / PX_PER_MM, height, [250, 250, 247]);
        // OCR-B is as wide as 0.72 of its em.
        let ink = Ink { face: Face::OcrB, em_mm: MRZ_PITCH_MM / 0.72, colour: [15, 15, 18] };
        for (line_idx, line) in lines.iter().enumerate() {
            for (column, letter) in line.chars().enumerate() {
                let x = (x_mm + column as f32 * MRZ_PITCH_MM) * PX_PER_MM;
                self.glyph(x, (y_mm + line_idx as f32 * MRZ_LEADING_MM) * PX_PER_MM, ink, letter);
            }
        }
    }

    /// A filled rectangle.
    pub(crate) fn bar(&mut self, x_mm: f32, y_mm: f32, width_mm: f32, height_mm: f32, colour: [u8; 3]) {
        self.shape(x_mm, y_mm, width_mm, height_mm, |_, _| Some(colour));
    }

    /// A head and shoulders in grey: nobody's face.
    pub(crate) fn portrait(&mut self, x_mm: f32, y_mm: f32, width_mm: f32, height_mm: f32) {
        self.shape(x_mm, y_mm, width_mm, height_mm, |u, v| {
            let head = ((u - 0.5) / 0.21).powi(2) + ((v - 0.38) / 0.25).powi(2) < 1.0;
            let shoulders = ((u - 0.5) / 0.43).powi(2) + ((v - 1.02) / 0.36).powi(2) < 1.0;
            Some(if head {
                [168, 150, 138]
            } else if shoulders {
                [84, 96, 118]
            } else {
                [214, 219, 224]
            })
        });
    }

    /// The modules of a code on white, each so many pixels wide and high, with a quiet zone around.
    pub(crate) fn code(&mut self, x_mm: f32, y_mm: f32, module_px: (usize, usize), modules: &Modules) {
        let quiet = 4 * module_px.0;
        let (width, height) = (modules.width * module_px.0 + 2 * quiet, modules.height * module_px.1 + 2 * quiet);
        let (left, top) = ((x_mm * PX_PER_MM) as usize, (y_mm * PX_PER_MM) as usize);
        for y in 0..height {
            for x in 0..width {
                let inside = (quiet..width - quiet).contains(&x) && (quiet..height - quiet).contains(&y);
                let black = inside && modules.black[(y - quiet) / module_px.1 * modules.width + (x - quiet) / module_px.0];
                if let Some(pixel) = self.image.get_pixel_mut_checked((left + x) as u32, (top + y) as u32) {
                    *pixel = Rgb(if black { [20, 20, 20] } else { [252, 252, 252] });
                }
            }
        }
    }

    /// Colours the pixels of a rectangle; the closure gets their place in it, 0..1 on both axes.
    fn shape(&mut self, x_mm: f32, y_mm: f32, width_mm: f32, height_mm: f32, colour: impl Fn(f32, f32) -> Option<[u8; 3]>) {
        let pixels = |mm: f32| (mm * PX_PER_MM) as u32;
        let (left, top, width, height) = (pixels(x_mm), pixels(y_mm), pixels(width_mm), pixels(height_mm));
        for y in 0..height {
            for x in 0..width {
                if let Some(colour) = colour(x as f32 / width as f32, y as f32 / height as f32)
                    && let Some(pixel) = self.image.get_pixel_mut_checked(left + x, top + y)
                {
                    *pixel = Rgb(colour);
                }
            }
        }
    }

    /// One letter, its origin in pixels.
    fn glyph(&mut self, x: f32, y: f32, ink: Ink, letter: char) {
        let font = self.fonts.get(ink.face);
        let glyph = font.glyph_id(letter).with_scale_and_position(scale(font, ink.em_mm), point(x, y));
        let Some(outline) = font.outline_glyph(glyph) else { return };
        let origin = outline.px_bounds().min;
        let image = &mut self.image;
        outline.draw(|dx, dy, coverage| {
            let (x, y) = (origin.x as i64 + i64::from(dx), origin.y as i64 + i64::from(dy));
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
            if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
                for (channel, wanted) in pixel.0.iter_mut().zip(ink.colour) {
                    *channel = (f32::from(*channel) * (1.0 - coverage) + f32::from(wanted) * coverage) as u8;
                }
            }
        });
    }
}

/// `ab_glyph` scales by ascent minus descent; typesetters speak of the em.
fn scale(font: &FontVec, em_mm: f32) -> PxScale {
    let em = font.units_per_em().unwrap_or(1000.0);
    PxScale::from(em_mm * PX_PER_MM * font.height_unscaled() / em)
}
