"""How long `idmill worker` takes from its start to its first job, weights on disk: start.py RUNS COMMAND...

The queue exists and a job waits in it. Prints the runs' wall and CPU milliseconds as a JSON line. On a busy machine
the CPU time is what repeats.
"""

import asyncio
import json
import os
import sys
import time

import aio_pika

PREFIX = f"start-{os.getpid()}"


async def run_once(command, environment, connection):
    channel = await connection.channel()
    # An image that does not exist: the worker takes the job, finds nothing and holds it back.
    job = aio_pika.Message(json.dumps({"id": "first", "front": "start/none.jpg"}).encode())
    await channel.default_exchange.publish(job, f"{PREFIX}.jobs")
    while (await channel.declare_queue(f"{PREFIX}.jobs", passive=True)).declaration_result.message_count == 0:
        await asyncio.sleep(0.01)
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
    while (await channel.declare_queue(f"{PREFIX}.jobs", passive=True)).declaration_result.message_count:
        await asyncio.sleep(0.001)
    wall = time.monotonic() - started
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    process.kill()
    await process.wait()
    await (await channel.get_queue(f"{PREFIX}.jobs")).purge()
    return wall, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def main():
    n_runs, command = int(sys.argv[1]), sys.argv[2:]
    environment = {**os.environ, "IDMILL__TOPOLOGY__PREFIX": PREFIX, "IDMILL__WORKER__LISTEN": "127.0.0.1:0"}
    connection = await aio_pika.connect(os.environ["AMQP_URL"])
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.DEVNULL)
    while True:
        channel = await connection.channel()
        try:
            if (await channel.declare_queue(f"{PREFIX}.jobs", passive=True)).declaration_result.consumer_count:
                break
        except aio_pika.exceptions.ChannelNotFoundEntity:
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    runs = [await run_once(command, environment, connection) for _ in range(n_runs)]
    print(json.dumps({"wall_ms": sorted(round(1000 * wall) for wall, _ in runs), "cpu_ms": sorted(round(1000 * cpu) for _, cpu in runs)}))
    channel = await connection.channel()
    for queue in ("jobs", "dead", *(f"jobs.retry.{ms}ms" for ms in (1000, 5000, 30000, 120000, 600000))):
        await channel.queue_delete(f"{PREFIX}.{queue}")
    await connection.close()


asyncio.run(main())
