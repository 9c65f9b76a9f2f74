//! What all documents have in common: truth, looks and chance.

use image::RgbImage;
use serde_json::{Value, json};

use crate::canvas::{Canvas, Face, Fonts, Ink};
use crate::chance::Chance;
use crate::person::{Person, iso};

/// One document with what a reader should find on it.
pub(crate) struct Specimen {
    /// The front.
    pub(crate) front: RgbImage,
    /// The back, where there is one.
    pub(crate) back: Option<RgbImage>,
    /// What is printed on it.
    pub(crate) truth: Truth,
}

/// What is printed on a document; `None` where it is not printed.
pub(crate) struct Truth {
    /// Word of the `idType` vocabulary.
    pub(crate) id_type: &'static str,
    /// Issuing state.
    pub(crate) country: &'static str,
    /// Document number.
    pub(crate) id_number: String,
    /// The holder; name and date of birth are printed on every document here.
    pub(crate) person: Person,
    /// Name as it is printed, if not in plain reading order.
    pub(crate) accepted_names: Vec<String>,
    /// Sex.
    pub(crate) gender: Option<char>,
    /// Address on one line.
    pub(crate) address: Option<String>,
    /// Lines of the machine-readable zone.
    pub(crate) mrz: Option<Vec<String>>,
}

impl Truth {
    /// The form that is written to `truth.json`.
    pub(crate) fn to_json(&self, files: Value) -> Value {
        json!({
            "files": files,
            "country": self.country,
            "truth": {
                "idType": self.id_type,
                "idNumber": self.id_number,
                "name": self.person.name(),
                "dateOfBirth": iso(self.person.birth),
                "address": self.address,
                "gender": self.gender,
                "mobileNumber": null,
            },
            "surname": self.person.surname,
            "givenNames": self.person.given_names,
            "acceptedIdNumbers": [self.id_number],
            "acceptedNames": self.accepted_names,
            "mrz": self.mrz,
            "quality": "good",
            "note": "",
            "source": "rendered",
        })
    }
}

/// Colours and fonts of one document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// Colour of the paper.
    pub(crate) tint: [u8; 3],
    /// Colour of titles.
    pub(crate) accent: [u8; 3],
    face: Face,
    bold: Face,
}

impl Look {
    /// One of the looks.
    pub(crate) fn choose(chance: &mut Chance) -> Self {
        let (tint, accent) = chance.pick(&[
            ([226, 236, 242], [24, 66, 116]),
            ([238, 231, 238], [96, 32, 88]),
            ([230, 240, 228], [22, 92, 58]),
            ([244, 237, 222], [122, 62, 18]),
        ]);
        let (face, bold) =
            chance.pick(&[(Face::Sans, Face::SansBold), (Face::Grotesque, Face::GrotesqueBold), (Face::Serif, Face::SerifBold)]);
        Self { tint, accent, face, bold }
    }

    /// Ink of titles.
    pub(crate) fn title(self, em_mm: f32) -> Ink {
        Ink { face: self.bold, em_mm, colour: self.accent }
    }

    /// Ink of labels.
    pub(crate) fn label(self, em_mm: f32) -> Ink {
        Ink { face: self.face, em_mm, colour: self.accent.map(|channel| channel / 2 + 50) }
    }

    /// Ink of values.
    pub(crate) fn value(self, em_mm: f32) -> Ink {
        Ink { face: self.bold, em_mm, colour: [22, 22, 26] }
    }

    /// Ink of values in regular weight.
    pub(crate) fn plain(self, em_mm: f32) -> Ink {
        Ink { face: self.face, em_mm, colour: [22, 22, 26] }
    }
}

/// Everything that a document is drawn with.
pub(crate) struct Desk<'f> {
    /// Fonts.
    pub(crate) fonts: &'f Fonts,
    /// Chance of this one document.
    pub(crate) chance: Chance,
    /// Its look.
    pub(crate) look: Look,
}

impl<'f> Desk<'f> {
    /// A bank card's format, ID-1.
    pub(crate) fn id1(&mut self) -> Canvas<'f> {
        Canvas::new(self.fonts, 85.6, 54.0, self.look.tint, &mut self.chance)
    }

    /// Another format.
    pub(crate) fn sheet(&mut self, width_mm: f32, height_mm: f32) -> Canvas<'f> {
        Canvas::new(self.fonts, width_mm, height_mm, self.look.tint, &mut self.chance)
    }
}

/// The mark that every side bears.
pub(crate) fn mark(canvas: &mut Canvas<'_>, x_mm: f32, y_mm: f32) {
    canvas.text(x_mm, y_mm, Ink { face: Face::GrotesqueBold, em_mm: 3.2, colour: [190, 30, 40] }, "SPECIMEN");
}
