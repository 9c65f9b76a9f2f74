// The job with amqplib, AWS SDK v3 and undici: what a Node team would write today.
import amqp from "amqplib";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Agent, request } from "undici";

const concurrency = Number(process.env.CONCURRENCY);
const s3 = new S3Client({
  region: "us-east-1",
  endpoint: process.env.S3_ENDPOINT,
  forcePathStyle: true,
  credentials: { accessKeyId: process.env.S3_KEY, secretAccessKey: process.env.S3_SECRET },
  requestHandler: { httpAgent: { keepAlive: true, maxSockets: 2 * concurrency } },
});
const dispatcher = new Agent({ connections: concurrency });

async function fetchBase64(Key) {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: "idmill", Key }));
  return Body.transformToString("base64");
}

async function run(channel, message) {
  const job = JSON.parse(message.content);
  const [front, back] = await Promise.all([fetchBase64(job.front), fetchBase64(job.back)]);
  const body = `{"frontPart":"data:image/jpeg;base64,${front}","backPart":"data:image/jpeg;base64,${back}"}`;
  const headers = { Authorization: "token", "Content-Type": "application/json" };
  const answer = await request(process.env.OCR_URL, { method: "POST", headers, body, dispatcher });
  const fields = await answer.body.json();
  if (answer.statusCode !== 200) throw new Error(`the OCR answered ${answer.statusCode}`);
  const event = { specversion: "1.0", type: "document.read", subject: job.id, data: { fields } };
  await new Promise((resolve, reject) => {
    const options = { mandatory: true, persistent: true, messageId: job.id };
    channel.publish(process.env.EXCHANGE, "document.read", Buffer.from(JSON.stringify(event)), options, (error) => (error ? reject(error) : resolve()));
  });
  channel.ack(message);
}

const connection = await amqp.connect(process.env.AMQP_URL);
const channel = await connection.createConfirmChannel();
channel.on("return", () => { throw new Error("an event was returned"); });
await channel.prefetch(concurrency);
await channel.consume(process.env.QUEUE, (message) => run(channel, message));
