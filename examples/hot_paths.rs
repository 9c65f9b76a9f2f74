//! Takes each path that every document takes, for `tests/instructions.sh` to count its instructions. Prints their names, in
//! the order in which [`take`] takes them.

#[path = "../benches/hot/mod.rs"]
mod hot;

use std::hint::black_box;

use idmill::document::Side;
use tokio::runtime::Builder;

fn main() {
    for (name, path) in paths() {
        take(name, path.as_ref());
    }
}

/// What is counted: the script knows this function by its name.
#[expect(clippy::print_stdout, reason = "the names are what the counts are told apart by")]
#[inline(never)]
fn take(name: &str, path: &dyn Fn()) {
    path();
    println!("{name}");
}

type Path = Box<dyn Fn()>;

fn paths() -> Vec<(&'static str, Path)> {
    let page = hot::passport();
    let pages = [(Side::Front, page.clone())];
    let card = [(Side::Front, hot::card())];
    // Reads the tables that the rules work by: what is set up once is not counted.
    let reading = hot::parse(&card);
    let image = hot::image();
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let (transcriber, steps) = hot::recognised_line();
    let (map, width, height) = hot::text_map();
    let (picture, photo) = (hot::picture(), hot::photo());
    let decoded = hot::decode(&photo);
    vec![
        ("decode-photo", path(move || hot::decode(&photo))),
        ("crop-line", path(move || hot::crop(&decoded))),
        ("find-text-boxes", path(move || hot::text_boxes(&map, width, height))),
        ("transcribe-line", path(move || transcriber.read(&steps))),
        ("find-codes", path(move || hot::codes(&picture))),
        ("decode-zone", path(move || hot::decode_zone(&page))),
        ("parse-passport", path(move || hot::parse(&pages))),
        ("parse-card", path(move || hot::parse(&card))),
        ("encode-event", path(move || hot::encode_event(&reading))),
        ("stream-body", path(move || runtime.block_on(hot::encode_body(&image)))),
    ]
}

fn path<T>(body: impl Fn() -> T + 'static) -> Path {
    Box::new(move || {
        black_box(body());
    })
}
