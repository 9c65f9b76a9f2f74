//! How long each step of a job takes on one core: `cargo bench --bench steps`. The engine's steps need the weights
//! (`IDMILL__ENGINE__DIR`) and rendered specimens (`IDMILL_TEST_SPECIMENS`), which `benches/run.sh` provides.

mod hot;

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use idmill::document::Side;
use idmill::ocr::steps::{Decoded, detect, recognise};
use idmill::ocr::{Engine, Weights, find_folder};

fn pure_steps(criterion: &mut Criterion) {
    let page = hot::passport();
    let pages = [(Side::Front, page.clone())];
    let reading = hot::parse(&pages);
    let card = [(Side::Front, hot::card())];
    let (transcriber, steps) = hot::recognised_line();
    let (map, width, height) = hot::text_map();
    let picture = hot::picture();
    let image = hot::decode(&hot::photo());
    criterion.bench_function("straighten a line", |b| b.iter(|| hot::crop(black_box(&image))));
    criterion.bench_function("make text of a line's probabilities", |b| b.iter(|| transcriber.read(black_box(&steps))));
    criterion.bench_function("make boxes of a detector's map", |b| b.iter(|| hot::text_boxes(black_box(&map), width, height)));
    criterion.bench_function("look for codes where there is none", |b| b.iter(|| hot::codes(black_box(&picture))));
    criterion.bench_function("decode the zone of a passport", |b| b.iter(|| hot::decode_zone(black_box(&page))));
    criterion.bench_function("parse a passport's page", |b| b.iter(|| hot::parse(black_box(&pages))));
    criterion.bench_function("parse a card's front", |b| b.iter(|| hot::parse(black_box(&card))));
    criterion.bench_function("encode an event", |b| b.iter(|| hot::encode_event(black_box(&reading))));
}

fn stream_bodies(criterion: &mut Criterion) {
    let image = hot::image();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let mut group = criterion.benchmark_group("base64");
    group.throughput(Throughput::Bytes(2 * hot::IMAGE_BYTES as u64));
    group.bench_function("stream a body of two images of 256 KiB", |b| b.iter(|| runtime.block_on(hot::encode_body(&image))));
    group.finish();
}

fn engine_steps(criterion: &mut Criterion) {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).unwrap_or_else(|| panic!("{name} is set by benches/run.sh"));
    let weights = Weights::load(&find_folder(Some(&folder("IDMILL__ENGINE__DIR"))).expect("a folder")).expect("weights");
    let mut engine = Engine::new(&weights, hot::LIMITS).expect("an engine");
    let bytes = std::fs::read(folder("IDMILL_TEST_SPECIMENS").join("clean/td1-1/front.jpg")).expect("a specimen");
    let image = Decoded::new(&bytes, hot::LIMITS).expect("an image");
    let boxes = detect(&mut engine, &image).expect("boxes");
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20).measurement_time(Duration::from_secs(4));
    group.bench_function("decode a card", |b| b.iter(|| Decoded::new(black_box(&bytes), hot::LIMITS)));
    group.bench_function(format!("detect the {} lines of a card", boxes.len()), |b| b.iter(|| detect(&mut engine, &image)));
    group.bench_function(format!("recognise the {} lines of a card", boxes.len()), |b| {
        b.iter(|| boxes.iter().map(|quad| recognise(&mut engine, &image, quad).expect("a line")).sum::<usize>());
    });
    group.finish();
}

criterion_group!(steps, pure_steps, stream_bodies, engine_steps);
criterion_main!(steps);
