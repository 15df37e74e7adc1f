//! What waits to be written: bounded in bytes, in order.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Queue<J> {
    bound: usize,
    waiting: Mutex<Waiting<J>>,
    came: Condvar,
    went: Condvar,
}

#[derive(Debug)]
struct Waiting<J> {
    jobs: VecDeque<(J, usize)>,
    /// Those of the job at work included.
    bytes: usize,
    closed: bool,
}

pub(super) enum Taken<J> {
    Job(J, usize),
    /// Nothing came for a while.
    Nothing,
    Closed,
}

impl<J> Queue<J> {
    pub fn new(bound: usize) -> Self {
        let waiting = Waiting { jobs: VecDeque::new(), bytes: 0, closed: false };
        Self { bound, waiting: Mutex::new(waiting), came: Condvar::new(), went: Condvar::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().expect("nothing panics while it has this")
    }

    /// Waits for room; an empty queue has room for anything.
    pub fn push(&self, job: J, bytes: usize) {
        let full = |waiting: &mut Waiting<J>| waiting.bytes > 0 && waiting.bytes + bytes > self.bound;
        let waiting = self.went.wait_while(self.waiting(), full);
        let mut waiting = waiting.expect("nothing panics while it has this");
        waiting.bytes += bytes;
        waiting.jobs.push_back((job, bytes));
        self.came.notify_one();
    }

    /// For the one that takes: the next job, within a while. To be [`Queue::done`].
    pub fn take(&self, within: Duration) -> Taken<J> {
        let nothing = |waiting: &mut Waiting<J>| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.came.wait_timeout_while(self.waiting(), within, nothing);
        let (mut waiting, _) = waited.expect("nothing panics while it has this");
        match waiting.jobs.pop_front() {
            Some((job, bytes)) => Taken::Job(job, bytes),
            None if waiting.closed => Taken::Closed,
            None => Taken::Nothing,
        }
    }

    pub fn done(&self, bytes: usize) {
        self.waiting().bytes -= bytes;
        self.went.notify_all();
    }

    /// Nothing comes any more; what is here will be taken still.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.came.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn take(queue: &Queue<u8>) -> (u8, usize) {
        match queue.take(Duration::from_secs(60)) {
            Taken::Job(job, bytes) => (job, bytes),
            Taken::Nothing | Taken::Closed => panic!("no job"),
        }
    }

    #[test]
    fn it_holds_so_many_bytes_or_one_job() {
        let queue = Queue::new(10);
        let (pushed, was_pushed) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (job, bytes) in [(1, 100), (2, 4), (3, 6), (4, 1)] {
                    queue.push(job, bytes);
                    pushed.send(job).unwrap();
                }
            });
            assert_eq!(was_pushed.recv(), Ok(1));
            assert_eq!(take(&queue), (1, 100));
            // It is at work still.
            assert!(was_pushed.try_recv().is_err());
            queue.done(100);
            assert_eq!((was_pushed.recv(), was_pushed.recv()), (Ok(2), Ok(3)));
            assert!(was_pushed.try_recv().is_err());
            assert_eq!(take(&queue), (2, 4));
            queue.done(4);
            assert_eq!(was_pushed.recv(), Ok(4));
        });
        queue.close();
        assert_eq!((take(&queue), take(&queue)), ((3, 6), (4, 1)));
        assert!(matches!(queue.take(Duration::from_secs(60)), Taken::Closed));
    }

    #[test]
    fn waiting_for_jobs_ends() {
        let queue = Queue::<u8>::new(1);
        assert!(matches!(queue.take(Duration::ZERO), Taken::Nothing));
    }
}
