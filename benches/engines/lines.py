"""What another engine reads on documents: one JSON line a document, with its lines and its CPU time on one core.

    lines.py rapidocr|rapidocr-tuned|tesseract FOLDER
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time


def rapidocr(**more):
    import cv2
    from rapidocr import RapidOCR

    one_thread = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    options = more.pop("options", {})
    engine = RapidOCR(params={**one_thread, "Global.log_level": "error", **more.pop("params", {})})
    cv2.setNumThreads(1)

    def read(path):
        started = time.process_time()
        texts = engine(cv2.imread(str(path)), **options).txts or ()
        return list(texts), time.process_time() - started

    return read


def rapidocr_tuned():
    """The models that idmill reads with at first, at the same size, and without the classifier of directions."""
    models = pathlib.Path(os.environ["IDMILL__ENGINE__DIR"])
    params = {
        "Det.model_path": str(models / "tiny-det.onnx"),
        "Det.limit_side_len": 832,
        "Det.limit_type": "max",
        "Rec.model_path": str(models / "tiny-rec.onnx"),
        "Rec.rec_keys_path": str(models / "tiny-dict.txt"),
        "Global.use_cls": False,
    }
    return rapidocr(params=params, options={"use_cls": False})


def tesseract():
    def read(path):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["tesseract", str(path), "stdout", "--psm", "11"]
        text = subprocess.run(command, env={**os.environ, "OMP_THREAD_LIMIT": "1"}, capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return [line for line in text.splitlines() if line.strip()], seconds

    return read


def main():
    engine, folder = sys.argv[1:]
    read = {"rapidocr": rapidocr, "rapidocr-tuned": rapidocr_tuned, "tesseract": tesseract}[engine]()
    documents = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_dir())
    read(documents[0] / "front.jpg")
    for document in documents:
        lines, seconds, images = [], 0.0, sorted(document.glob("*.jpg"), reverse=True)
        for image in images:
            found, took = read(image)
            lines += found
            seconds += took
        print(json.dumps({"id": document.name, "n_images": len(images), "cpu_s": seconds, "lines": lines}), flush=True)


main()
