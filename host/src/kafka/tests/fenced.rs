//! A cluster whose only broker is fenced for a moment, and says meanwhile that there is none. librdkafka drops it then,
//! and what it does of its own to find it again is stopped at times, by chance; here, always.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use super::*;
use crate::engine::Budget;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const LEADER_NOT_AVAILABLE: i16 = 5;
const NOT_LEADER: i16 = 6;

/// Speaks the oldest Kafka that there is. It has one topic, `out`, of one partition, and takes all messages.
struct Broker {
    port: u16,
    fenced: Arc<AtomicBool>,
}

impl Broker {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, fenced) = (listener.local_addr().unwrap().port(), Arc::<AtomicBool>::default());
        let own = Arc::clone(&fenced);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let fenced = Arc::clone(&own);
                // It ends with its connection.
                thread::spawn(move || answer(stream, port, &fenced));
            }
        });
        Self { port, fenced }
    }

    fn sink(&self) -> KafkaSink {
        let mut cluster = Cluster::at(format!("127.0.0.1:{}", self.port));
        for (name, value) in [
            ("metadata.recovery.strategy", "none"),
            ("api.version.request", "false"),
            ("broker.version.fallback", "0.8.2"),
        ] {
            cluster.properties.insert(name.to_owned(), value.to_owned());
        }
        KafkaSink::connect(SinkOptions {
            cluster,
            client_id: "test".to_owned(),
            budget: Budget::new(1 << 20),
            message_bytes: 100_000,
            transactions: None,
            asked: Asked::default(),
        })
        .unwrap()
    }
}

fn answer(mut stream: TcpStream, port: u16, fenced: &AtomicBool) -> io::Result<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut request)?;
        let body = match i16::from_be_bytes([request[0], request[1]]) {
            PRODUCE => produced(fenced.load(Relaxed)),
            // Fenced until it has said so once.
            METADATA => metadata(port, fenced.swap(false, Relaxed)),
            _ => continue,
        };
        stream.write_all(&(4 + body.len() as u32).to_be_bytes())?;
        stream.write_all(&request[4..8])?;
        stream.write_all(&body)?;
    }
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// Brokers; topics, and of each its partitions: error, number, leader, replicas.
fn metadata(port: u16, fenced: bool) -> Vec<u8> {
    let int = |value: i32| value.to_be_bytes().to_vec();
    let (brokers, error, leader) = if fenced {
        (int(0), LEADER_NOT_AVAILABLE, -1)
    } else {
        ([int(1), int(1), text("127.0.0.1"), int(i32::from(port))].concat(), 0, 1)
    };
    let partition = [error.to_be_bytes().to_vec(), int(0), int(leader), int(1), int(1), int(1), int(1)];
    [brokers, int(1), vec![0; 2], text("out"), int(1), partition.concat()].concat()
}

fn produced(fenced: bool) -> Vec<u8> {
    let error = if fenced { NOT_LEADER } else { 0 };
    let one = 1_i32.to_be_bytes();
    [&one[..], &text("out"), &one, &[0; 4], &error.to_be_bytes(), &[0; 8]].concat()
}

#[test]
fn a_client_that_lost_all_brokers_finds_them_again() {
    let broker = Broker::start();
    let mut sink = broker.sink();
    deliver(&mut sink, &[message("out", Some(b"k"), b"before")]);
    broker.fenced.store(true, Relaxed);
    deliver(&mut sink, &[message("out", Some(b"k"), b"after")]);
    assert!(!broker.fenced.load(Relaxed), "it was asked meanwhile");
}
