"""The job as a Celery task in prefork processes, with boto3 and requests."""

import base64
import json
import os

import amqp
import boto3
import requests
from botocore.config import Config
from celery import Celery
from celery.signals import worker_process_init
from kombu import Queue
from kombu.utils.url import parse_url

app = Celery("celery_worker", broker=os.environ["AMQP_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_detect_quorum_queues=True,
    task_create_missing_queues=False,
    task_queues=[Queue(os.environ["QUEUE"], queue_arguments={"x-queue-type": "quorum"}, no_declare=True)],
)


@worker_process_init.connect
def connect(**_):
    """Clients of each process, made after the fork."""
    global s3, http, channel
    s3 = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=os.environ["S3_ENDPOINT"],
        aws_access_key_id=os.environ["S3_KEY"],
        aws_secret_access_key=os.environ["S3_SECRET"],
        config=Config(s3={"addressing_style": "path"}),
    )
    http = requests.Session()
    url = parse_url(os.environ["AMQP_URL"])
    connection = amqp.Connection(
        host=f"{url['hostname']}:{url['port']}", userid=url["userid"], password=url["password"], virtual_host=url["virtual_host"], confirm_publish=True
    )
    connection.connect()
    channel = connection.channel()


def returned(exception, exchange, routing_key, message):
    raise exception


def fetch(key):
    return s3.get_object(Bucket="idmill", Key=key)["Body"].read()


@app.task(name="read")
def read(job):
    front, back = fetch(job["front"]), fetch(job["back"])
    body = b"".join((b'{"frontPart":"data:image/jpeg;base64,', base64.b64encode(front), b'","backPart":"data:image/jpeg;base64,', base64.b64encode(back), b'"}'))
    answer = http.post(os.environ["OCR_URL"], data=body, headers={"Authorization": "token", "Content-Type": "application/json"})
    answer.raise_for_status()
    event = {"specversion": "1.0", "type": "document.read", "subject": job["id"], "data": {"fields": answer.json()}}
    message = amqp.Message(json.dumps(event), message_id=job["id"], delivery_mode=2)
    channel.events["basic_return"].add(returned)
    channel.basic_publish(message, os.environ["EXCHANGE"], "document.read", mandatory=True)
