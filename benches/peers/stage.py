"""Gives one worker the same jobs as every other and prints what it took, as JSON lines.

    stage.py --name NAME [--celery] [--large] [--specimens DIR] [--jobs N] [--seconds S] -- COMMAND...

The worker is started, watched and stopped here; RabbitMQ and SeaweedFS run already (AMQP_URL, S3_ENDPOINT, S3_KEY,
S3_SECRET). This process is the OCR service too: it takes the whole request, checks that it is one, and answers.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

import aio_pika
import aiobotocore.session
import aiormq.exceptions
import uvloop

CONCURRENCY = 32
IMAGE_BYTES = {"image": 256 * 1024, "large": 10_000_000}
# Far below what the slowest worker can do, so that the time of a job is not the time of those before it.
JOBS_PER_SECOND = 20
ANSWER = json.dumps({"idType": "passport", "idNumber": "L898902C3", "name": "ANNA MARIA ERIKSSON", "dateOfBirth": "1974-08-12", "gender": "F"})
TICKS = os.sysconf("SC_CLK_TCK")


class Ocr(asyncio.Protocol):
    """Just enough HTTP/1.1 to take a body of known length and answer it."""

    delay = 0.0
    n_bad = 0

    def connection_made(self, transport):
        self.transport, self.head, self.missing, self.start, self.end = transport, b"", None, b"", b""

    def data_received(self, data):
        if self.missing is None:
            self.head += data
            at = self.head.find(b"\r\n\r\n")
            if at < 0:
                return
            lines = self.head[:at].decode("latin-1").lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            self.missing = self.length = int(headers.get("content-length", 0))
            data, self.head, self.start, self.end = self.head[at + 4 :], b"", b"", b""
        self.missing -= len(data)
        if len(self.start) < 64:
            self.start += data[:64]
        self.end = (self.end + data[-2:])[-2:]
        if self.missing == 0:
            expected = {2 * ((n + 2) // 3 * 4) for n in IMAGE_BYTES.values()}
            body_ok = self.start.startswith(b'{"frontPart":"data:image/jpeg;base64,/9j/') and self.end == b'"}'
            Ocr.n_bad += not (body_ok and any(0 < self.length - n < 100 for n in expected))
            self.missing = None
            asyncio.get_running_loop().call_later(Ocr.delay, self.answer) if Ocr.delay else self.answer()

    def answer(self):
        self.transport.write(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n\r\n{ANSWER}".encode())


class Worker:
    """The process under test with all its descendants, as the kernel accounts for them."""

    def __init__(self, process):
        self.process = process
        self.peak_kib = 0

    def pids(self):
        children = collections.defaultdict(list)
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, rest = entry.read_text().split(" (", 1)
            except OSError:
                continue
            children[int(rest.rsplit(") ", 1)[1].split()[1])].append(int(pid))
        found = [self.process.pid]
        for pid in found:
            found.extend(children[pid])
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def look_at_memory(self):
        """Shared pages count once: the sum of the processes' proportional shares, or the one process' own peak."""
        shares, own_peak = 0, 0
        for pid in self.pids():
            try:
                shares += number(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), "Pss:")
                own_peak = max(own_peak, number(pathlib.Path(f"/proc/{pid}/status").read_text(), "VmHWM:"))
            except (OSError, StopIteration):
                continue
        self.peak_kib = max(self.peak_kib, shares, own_peak)
        return shares

    async def watch_memory(self):
        while True:
            self.look_at_memory()
            await asyncio.sleep(0.25)


def number(text, key):
    return int(next(line for line in text.splitlines() if line.startswith(key)).split()[1])


class Stage:
    def __init__(self, args):
        self.args = args
        self.prefix = f"peers-{args.name}-{os.getpid()}"
        self.published = {}
        self.seen = collections.Counter()
        self.seconds = []
        self.news = asyncio.Event()
        self.documents = []

    async def connect(self):
        self.connection = await aio_pika.connect(os.environ["AMQP_URL"])
        self.channel = await self.connection.channel(publisher_confirms=True)
        events = await self.channel.declare_exchange(f"{self.prefix}.events", aio_pika.ExchangeType.TOPIC, durable=True)
        inbox = await self.channel.declare_queue(f"{self.prefix}.inbox", durable=True)
        await inbox.bind(events, "#")
        await inbox.consume(self.hear, no_ack=True)
        if not self.args.name.startswith("idmill"):
            await self.channel.declare_queue(f"{self.prefix}.jobs", durable=True, arguments={"x-queue-type": "quorum"})

    async def hear(self, message):
        job = json.loads(message.body)["subject"]
        self.seen[job] += 1
        if job in self.published:
            self.seconds.append(time.monotonic() - self.published[job])
        self.news.set()

    async def upload(self):
        credentials = {"aws_access_key_id": os.environ["S3_KEY"], "aws_secret_access_key": os.environ["S3_SECRET"]}
        session = aiobotocore.session.get_session()
        async with session.create_client("s3", region_name="us-east-1", endpoint_url=os.environ["S3_ENDPOINT"], **credentials) as s3:
            for kind, n_bytes in IMAGE_BYTES.items():
                for side in ("front", "back"):
                    noise = b"\xff\xd8\xff\xe0" + random.Random(side).randbytes(n_bytes - 4)
                    await s3.put_object(Bucket="idmill", Key=f"peers/{kind}-{side}.jpg", Body=noise)
            for folder in sorted(pathlib.Path(self.args.specimens).iterdir()) if self.args.specimens else []:
                for image in folder.glob("*.jpg"):
                    await s3.put_object(Bucket="idmill", Key=f"peers/{folder.name}/{image.name}", Body=image.read_bytes())
                self.documents.append({image.stem: f"peers/{folder.name}/{image.name}" for image in folder.glob("*.jpg")})

    async def publish(self, kind="image"):
        job_id = f"{self.prefix}-{len(self.published)}"
        if kind == "specimen":
            job = {"id": job_id, **self.documents[len(self.published) % len(self.documents)]}
        else:
            job = {"id": job_id, "front": f"peers/{kind}-front.jpg", "back": f"peers/{kind}-back.jpg"}
        headers = {}
        if self.args.celery:
            headers = {"lang": "py", "task": "read", "id": job_id, "root_id": job_id, "argsrepr": "", "kwargsrepr": ""}
            job = [[job], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
        self.published[job_id] = time.monotonic()
        message = aio_pika.Message(
            json.dumps(job).encode(), headers=headers, content_type="application/json", content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT, correlation_id=job_id,
        )
        await self.channel.default_exchange.publish(message, f"{self.prefix}.jobs")

    async def settle(self, patience=180):
        """Waits until every job has its event; false when none came for too long."""
        while len(self.seen) < len(self.published):
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), patience)
            except TimeoutError:
                return False
        return True

    async def run_all_at_once(self, n_jobs, kind="image"):
        await asyncio.gather(*(self.publish(kind) for _ in range(n_jobs)))
        return await self.settle()

    async def run_paced(self, seconds):
        self.seconds.clear()
        for _ in range(int(seconds * JOBS_PER_SECOND)):
            pause = asyncio.sleep(1 / JOBS_PER_SECOND)
            await self.publish()
            await pause
        await self.settle()
        return [round(1000 * s, 1) for s in self.seconds]

    def environment(self, ocr_port, directory):
        url = f"http://127.0.0.1:{ocr_port}/ai/v1/ocr"
        (directory / "token").write_text("token")
        (directory / "credentials").write_text(f"{os.environ['S3_KEY']}\n{os.environ['S3_SECRET']}\n")
        names = {
            "IDMILL__BROKER__URL": os.environ["AMQP_URL"],
            "IDMILL__TOPOLOGY__PREFIX": self.prefix,
            "IDMILL__STORAGE__ENDPOINT": os.environ["S3_ENDPOINT"],
            "IDMILL__STORAGE__REGION": "us-east-1",
            "IDMILL__STORAGE__PATH_STYLE": "true",
            "IDMILL__STORAGE__CREDENTIALS_FILE": str(directory / "credentials"),
            "IDMILL__READER__ORDER": "embedded" if self.args.specimens else "remote",
            "IDMILL__READER__REMOTE__URL": url,
            "IDMILL__READER__REMOTE__TOKEN_FILE": str(directory / "token"),
            "IDMILL__WORKER__CONCURRENCY": "0" if self.args.specimens else str(CONCURRENCY),
            "IDMILL__WORKER__LISTEN": "127.0.0.1:0",
        }
        peers = {"OCR_URL": url, "QUEUE": f"{self.prefix}.jobs", "EXCHANGE": f"{self.prefix}.events", "CONCURRENCY": str(CONCURRENCY)}
        return {**os.environ, **names, **peers}

    async def wait_for_consumer(self):
        while True:
            channel = await self.connection.channel()
            try:
                queue = await channel.declare_queue(f"{self.prefix}.jobs", passive=True)
                if queue.declaration_result.consumer_count:
                    return
            except aiormq.exceptions.ChannelNotFoundEntity:
                pass
            await asyncio.sleep(0.1)

    async def measure_engine(self, worker):
        """Whole documents with the engine inside; as many at once as the worker has cores."""
        await asyncio.sleep(2)
        idle_kib = worker.look_at_memory()
        await self.run_all_at_once(len(self.documents), "specimen")
        cpu, wall = worker.cpu_seconds(), time.monotonic()
        await self.run_all_at_once(self.args.jobs, "specimen")
        cpu, wall = worker.cpu_seconds() - cpu, time.monotonic() - wall
        self.report("engine", worker, n_jobs=self.args.jobs, cpu_s=round(cpu, 2), wall_s=round(wall, 2), idle_kib=idle_kib)

    async def measure(self, worker):
        """The phases, in an order in which each one's peak of memory is its own."""
        name, n_jobs = self.args.name, self.args.jobs
        await asyncio.sleep(2)
        idle_kib = worker.look_at_memory()
        await self.run_all_at_once(100)
        watching = asyncio.create_task(worker.watch_memory())
        for case, delay in (("at once", 0.0), ("after 200 ms", 0.2)):
            Ocr.delay = delay
            cpu, wall = worker.cpu_seconds(), time.monotonic()
            complete = await self.run_all_at_once(n_jobs)
            cpu, wall = worker.cpu_seconds() - cpu, time.monotonic() - wall
            paced_ms = await self.run_paced(self.args.seconds) if complete else []
            self.report(case, worker, n_jobs=n_jobs, cpu_s=round(cpu, 2), wall_s=round(wall, 2), paced_ms=paced_ms, idle_kib=idle_kib)
        if self.args.large:
            Ocr.delay = 0.2
            await self.run_all_at_once(2 * CONCURRENCY, "large")
            self.report("2 x 10 MB", worker, n_jobs=2 * CONCURRENCY)
        watching.cancel()
        print(f"{name}: {len(self.seen)} of {len(self.published)} jobs answered", file=sys.stderr)

    def report(self, case, worker, **figures):
        worker.look_at_memory()
        lost = len(self.published) - len(self.seen)
        twice = sum(self.seen.values()) - len(self.seen)
        line = {"worker": self.args.name, "case": case, "peak_kib": worker.peak_kib, "lost": lost, "twice": twice, "bad_requests": Ocr.n_bad}
        print(json.dumps(line | figures), flush=True)

    async def clean_up(self):
        for queue in ("jobs", "inbox", "dead", *(f"jobs.retry.{ms}ms" for ms in (1000, 5000, 30000, 120000, 600000))):
            channel = await self.connection.channel()
            await channel.queue_delete(f"{self.prefix}.{queue}")
        await self.connection.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--celery", action="store_true", help="publish jobs as Celery's protocol wants them")
    parser.add_argument("--large", action="store_true", help="also 32 jobs in flight with two images of 10 MB each")
    parser.add_argument("--specimens", help="documents for the engine inside, instead of images for the hosted API")
    parser.add_argument("--jobs", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    server = await asyncio.get_running_loop().create_server(Ocr, "127.0.0.1", 0)
    stage = Stage(args)
    await stage.connect()
    await stage.upload()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as log:
        environment = stage.environment(server.sockets[0].getsockname()[1], pathlib.Path(directory))
        process = await asyncio.create_subprocess_exec(*args.command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            await asyncio.wait_for(stage.wait_for_consumer(), 60)
            measure = stage.measure_engine if args.specimens else stage.measure
            await measure(Worker(process))
        except Exception:
            log.seek(0)
            sys.stderr.write(log.read()[-3000:].decode(errors="replace"))
            raise
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            await stage.clean_up()


uvloop.run(main())
