//! Kafka through librdkafka: the adapter.
