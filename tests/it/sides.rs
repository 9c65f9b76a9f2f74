//! Front and back in the wrong order, one image twice, and both sides in one image: composed of rendered specimens.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, imageops};
use serde_json::Value;

use crate::engine::{check, scan, specimens, truths};

/// Desk around the cards of a composed image, in pixels.
const DESK: u32 = 60;

#[test]
fn swapped_sides_are_read_and_told() {
    let folder = composed(|front, back| (back.to_owned(), Some(front.to_owned())));
    check_nearly_all(folder.path());
    for (id, answer) in scan(folder.path()) {
        assert_eq!(answer["details"]["signals"]["sidesSwapped"], true, "{id}");
        assert!(has_warning(&answer, "front and back seem to be swapped"), "{id}");
    }
}

#[test]
fn sides_in_their_order_are_not_told() {
    for (id, answer) in scan(&specimens("clean")) {
        assert_ne!(answer["details"]["signals"]["sidesSwapped"], true, "{id}");
        assert_ne!(answer["details"]["signals"]["sameImage"], true, "{id}");
    }
}

#[test]
fn one_image_sent_twice_is_told() {
    let folder = composed(|front, _| (front.to_owned(), Some(front.to_owned())));
    // The same picture in another file.
    let recoded = composed(|front, _| {
        (front.to_owned(), Some(imageops::resize(front, front.width() - 9, front.height() - 6, imageops::FilterType::Triangle)))
    });
    for (id, answer) in scan(folder.path()).into_iter().chain(scan(recoded.path())) {
        assert_eq!(answer["details"]["signals"]["sameImage"], true, "{id}");
        assert!(has_warning(&answer, "front and back are the same image"), "{id}");
    }
}

#[test]
fn both_sides_in_one_image_are_read() {
    let above = composed(|front, back| {
        let mut desk = desk(front.width(), 2 * front.height() + DESK);
        imageops::replace(&mut desk, front, i64::from(DESK), i64::from(DESK));
        imageops::replace(&mut desk, back, i64::from(DESK), i64::from(2 * DESK + front.height()));
        (desk, None)
    });
    let beside = composed(|front, back| {
        let mut desk = desk(2 * front.width() + DESK, front.height());
        imageops::replace(&mut desk, back, i64::from(DESK), i64::from(DESK));
        imageops::replace(&mut desk, front, i64::from(2 * DESK + back.width()), i64::from(DESK));
        (desk, None)
    });
    check_nearly_all(above.path());
    check_nearly_all(beside.path());
}

/// All documents have to be read right but one, for the rounding of other processors.
fn check_nearly_all(folder: &Path) {
    check(folder, truths(folder).len() - 1);
}

/// A desk that leaves a margin around something of this size.
fn desk(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width + 2 * DESK, height + 2 * DESK, Rgb([120, 104, 88]))
}

/// Every clean specimen of two sides, its images made anew of its front and its back.
fn composed(compose: impl Fn(&RgbImage, &RgbImage) -> (RgbImage, Option<RgbImage>)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let clean = specimens("clean");
    for id in truths(&clean).into_keys() {
        let side = |name: &str| -> Option<RgbImage> { Some(image::open(clean.join(&id).join(name)).ok()?.to_rgb8()) };
        let (Some(front), Some(back)) = (side("front.jpg"), side("back.jpg")) else { continue };
        let (front, back) = compose(&front, &back);
        let made: PathBuf = folder.path().join(&id);
        std::fs::create_dir(&made).expect("a folder");
        std::fs::copy(clean.join(&id).join("truth.json"), made.join("truth.json")).expect("the truth");
        // Without loss, so that one image is the same bytes twice and no letter gets worse.
        save(&front, &made.join("front.png"));
        if let Some(back) = back {
            save(&back, &made.join("back.png"));
        }
    }
    folder
}

fn save(image: &RgbImage, path: &Path) {
    image.save(path).expect("the image is written");
}

fn has_warning(answer: &Value, warning: &str) -> bool {
    answer["warnings"].as_array().is_some_and(|warnings| warnings.iter().any(|said| said == warning))
}
