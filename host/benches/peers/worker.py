"""The work of the rows `standard` by a Python worker on confluent-kafka: masks e-mail and phone, cuts into 1,000 characters.

worker.py BROKERS SOURCE SINK GROUP COUNT prints the seconds from the first event to the committed end, and the CPU seconds.
"""

import re
import resource
import sys
import time

from confluent_kafka import Consumer, Producer

EMAIL = re.compile(rb"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
PHONE = re.compile(rb"\+\d[\d ()/.-]{6,}\d")
SIZE = 1_000


def chunks(text):
    """Whole paragraphs of up to SIZE characters together."""
    chunk, length = [], 0
    for paragraph in text.split("\n\n"):
        if chunk and length + len(paragraph) + 2 > SIZE:
            yield "\n\n".join(chunk)
            chunk, length = [], 0
        chunk.append(paragraph)
        length += len(paragraph) + 2
    if chunk:
        yield "\n\n".join(chunk)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(brokers, source, sink, group, count):
    consumer = Consumer({
        "bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
    })
    # The settings of Gristmill's producer.
    producer = Producer({
        "bootstrap.servers": brokers, "enable.idempotence": True, "acks": "all", "linger.ms": 5, "compression.type": "lz4",
    })
    consumer.subscribe([source])
    begun, taken = None, 0
    while taken < count:
        for message in consumer.consume(500, 1.0):
            if message.error():
                raise SystemExit(message.error())
            begun = begun or (time.monotonic(), cpu())
            text = PHONE.sub(b"[PHONE]", EMAIL.sub(b"[EMAIL]", message.value())).decode()
            for ordinal, chunk in enumerate(chunks(text)):
                while True:
                    try:
                        producer.produce(sink, chunk, headers=[("ordinal", str(ordinal))])
                        break
                    except BufferError:
                        producer.poll(0.01)
            taken += 1
        producer.poll(0)
    producer.flush()
    consumer.commit(asynchronous=False)
    print(time.monotonic() - begun[0], cpu() - begun[1])
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:5], int(sys.argv[5]))
