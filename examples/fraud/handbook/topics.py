"""Reads whole topics: all that is in them when reading begins."""

import sys
import time

from confluent_kafka import Consumer, KafkaError, TopicPartition

PATIENCE = 60.0
"""Seconds without a record."""
STRIDE = 10_000


def read(broker, topic):
    """Yields lists of records."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "handbook-verify",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    try:
        found = consumer.list_topics(topic, timeout=PATIENCE).topics[topic]
        if found.error:
            sys.exit(f"{topic}: {found.error.str()}")
        consumer.assign([TopicPartition(topic, number, 0) for number in found.partitions])
        open_ones, heard = set(found.partitions), time.monotonic()
        while open_ones:
            records = []
            for message in consumer.consume(STRIDE, timeout=0.2):
                heard = time.monotonic()
                error = message.error()
                if error is None:
                    records.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_ones.discard(message.partition())
                elif not error.retriable():
                    sys.exit(f"{topic}: {error.str()}")
            if records:
                yield records
            if time.monotonic() - heard > PATIENCE:
                sys.exit(f"{topic}: nothing came for {PATIENCE:.0f} s; partitions {sorted(open_ones)} have more")
    finally:
        consumer.close()
