"""The job with aio-pika, aiobotocore and aiohttp on uvloop: what a Python team would write today."""

import asyncio
import base64
import json
import os

import aio_pika
import aiobotocore.session
import aiohttp
import uvloop
from botocore.config import Config

CONCURRENCY = int(os.environ["CONCURRENCY"])


async def fetch(s3, key):
    answer = await s3.get_object(Bucket="idmill", Key=key)
    async with answer["Body"] as body:
        return await body.read()


async def run(s3, http, exchange, message):
    job = json.loads(message.body)
    front, back = await asyncio.gather(fetch(s3, job["front"]), fetch(s3, job["back"]))
    body = b"".join((b'{"frontPart":"data:image/jpeg;base64,', base64.b64encode(front), b'","backPart":"data:image/jpeg;base64,', base64.b64encode(back), b'"}'))
    headers = {"Authorization": "token", "Content-Type": "application/json"}
    async with http.post(os.environ["OCR_URL"], data=body, headers=headers) as answer:
        answer.raise_for_status()
        fields = await answer.json()
    event = {"specversion": "1.0", "type": "document.read", "subject": job["id"], "data": {"fields": fields}}
    outgoing = aio_pika.Message(json.dumps(event).encode(), message_id=job["id"], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await exchange.publish(outgoing, routing_key="document.read", mandatory=True)
    await message.ack()


async def main():
    connection = await aio_pika.connect(os.environ["AMQP_URL"])
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    await channel.set_qos(prefetch_count=CONCURRENCY)
    exchange = await channel.get_exchange(os.environ["EXCHANGE"])
    queue = await channel.get_queue(os.environ["QUEUE"])
    config = Config(max_pool_connections=2 * CONCURRENCY, s3={"addressing_style": "path"})
    credentials = {"aws_access_key_id": os.environ["S3_KEY"], "aws_secret_access_key": os.environ["S3_SECRET"]}
    session = aiobotocore.session.get_session()
    async with (
        session.create_client("s3", region_name="us-east-1", endpoint_url=os.environ["S3_ENDPOINT"], config=config, **credentials) as s3,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as http,
    ):
        await queue.consume(lambda message: run(s3, http, exchange, message))
        await asyncio.Future()


uvloop.run(main())
