"""A cluster of Kafka brokers, as the client library librdkafka brings one for tests; and a client.

    kafka.py cluster COUNT     runs until it is killed; prints the brokers' addresses in a line
    kafka.py client ADDRESS    asks there for the cluster; prints the brokers that the answer names
"""
import sys
import time

from confluent_kafka import Producer


def brokers(producer):
    found = producer.list_topics(timeout=20).brokers.values()
    return " ".join(sorted(f"{broker.host}:{broker.port}" for broker in found))


if sys.argv[1] == "cluster":
    cluster = Producer({"test.mock.num.brokers": int(sys.argv[2]), "log_level": 0})
    print(brokers(cluster), flush=True)
    while True:
        time.sleep(60)
print(brokers(Producer({"bootstrap.servers": sys.argv[2], "log_level": 0})))
