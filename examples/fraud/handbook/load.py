"""Creates the handbook's topics and fills the two that the pipeline reads, in order of time.

    python load.py BROKER DATA [--limit N]

A label has a topic of its own, where it comes a week after its transaction, and the key of the transaction, not of the
terminal. Records have today's timestamps, as brokers would delete those of 2018 by age; the event times are in the values.
"""

import argparse
import sys
import time

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from data import Transactions
from names import LABELS, PARTITIONS, TOPICS, TRANSACTIONS

STRIDE = 10_000
"""Records between two looks at what the producer has to say."""
PATIENCE = 60.0
"""Seconds."""


def create(broker):
    topics = [NewTopic(name, num_partitions=PARTITIONS, replication_factor=1) for name in TOPICS]
    # What it makes is only made while it lives.
    admin = AdminClient({"bootstrap.servers": broker})
    for name, made in admin.create_topics(topics).items():
        try:
            made.result(PATIENCE)
        except KafkaException as error:
            # One that is there may have something in it, which would then be there twice.
            sys.exit(f"{name}: {error.args[0].str()} Give it an empty broker.")


def transactions(data, rows):
    columns = (data.id, data.seconds, data.customer, data.terminal, data.amount)
    for number, seconds, customer, terminal, amount in zip(*(column[:rows].tolist() for column in columns)):
        yield str(customer), (
            f'{{"transaction_id":{number},"event_time":{seconds * 1000},"customer_id":{customer},'
            f'"terminal_id":{terminal},"amount":{amount!r}}}'
        )


def labels(data, rows):
    columns = (data.id, data.terminal, data.known_at, data.fraud)
    for number, terminal, known_at, fraud in zip(*(column[:rows].tolist() for column in columns)):
        yield str(number), (
            f'{{"transaction_id":{number},"terminal_id":{terminal},"known_at":{known_at * 1000},'
            f'"fraud":{"true" if fraud else "false"}}}'
        )


class Loader:
    def __init__(self, broker):
        self.failed = []
        self.producer = Producer(
            {
                "bootstrap.servers": broker,
                # As Java's producers choose.
                "partitioner": "murmur2_random",
                # A repeated request must not overtake another.
                "max.in.flight.requests.per.connection": 1,
                "linger.ms": 20,
                "batch.size": 1_000_000,
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,
                "on_delivery": lambda error, message: self.failed.append(f"{message.topic()}: {error}"),
            }
        )

    def fill(self, topic, records, count):
        began = time.monotonic()
        for number, (key, value) in enumerate(records):
            while True:
                try:
                    self.producer.produce(topic, value, key)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            if number % STRIDE == 0:
                self.producer.poll(0)
                self._check()
                if sys.stderr.isatty():
                    print(f"\r{topic} {number / count:4.0%}", end="", file=sys.stderr)
        left = self.producer.flush(PATIENCE)
        self._check()
        if left:
            sys.exit(f"{topic}: {left} records were not taken within {PATIENCE:.0f} s")
        took = time.monotonic() - began
        end = "\r" if sys.stderr.isatty() else ""
        print(f"{end}{topic}: {count} records in {took:.1f} s", flush=True)

    def _check(self):
        if self.failed:
            sys.exit(self.failed[0])


def main(args):
    data = Transactions(args.data)
    rows = min(args.limit or len(data), len(data))
    create(args.broker)
    loader = Loader(args.broker)
    loader.fill(TRANSACTIONS, transactions(data, rows), rows)
    loader.fill(LABELS, labels(data, rows), rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("broker", help="HOST:PORT")
    parser.add_argument("data", help="the handbook's transactions.parquet")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N transactions and their labels only")
    main(parser.parse_args())
