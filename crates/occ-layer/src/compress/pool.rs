//! Blocks compressed side by side and handed back in order.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::format::Block;

/// Blocks that may wait beside those in the threads' hands: one for each thread, and at most this many.
const RESERVE: usize = 4;

type Compress = fn(&mut Block) -> io::Result<()>;
type Answer = io::Result<Block>;

struct Job {
    block: Block,
    reply: Sender<Answer>,
}

/// Threads and the blocks they have; dropping it waits for the threads.
pub(super) struct Pool {
    compress: Compress,
    threads: usize,
    jobs: Option<Sender<Job>>,
    queue: Arc<Mutex<Receiver<Job>>>,
    workers: Vec<JoinHandle<()>>,
    /// Where the answers will come, oldest block first.
    waiting: VecDeque<Receiver<Answer>>,
}

impl Pool {
    /// Starts nothing yet.
    pub(super) fn new(threads: NonZeroUsize, compress: Compress) -> Self {
        let (jobs, queue) = mpsc::channel();
        Self {
            compress,
            threads: threads.get(),
            jobs: Some(jobs),
            queue: Arc::new(Mutex::new(queue)),
            workers: Vec::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Takes a block. A single thread is the caller's own; of several, each block starts one until all run.
    ///
    /// Before it, [`make_room`](Self::make_room) has to return nothing.
    pub(super) fn submit(&mut self, mut block: Block) -> io::Result<()> {
        let (reply, answer) = mpsc::channel();
        if self.threads == 1 {
            // It cannot fail: the receiver is right here.
            drop(reply.send((self.compress)(&mut block).map(|()| block)));
        } else {
            if self.workers.len() < self.threads {
                self.workers.push(start(self.compress, Arc::clone(&self.queue))?);
            }
            let job = Job { block, reply };
            self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(lost)?;
        }
        self.waiting.push_back(answer);
        Ok(())
    }

    /// Returns the oldest block if it is done, and waits for it if there are too many.
    ///
    /// Blocks differ in how long they take, and behind a slow one the others pile up. With this many, and
    /// blocks as they were measured, eight threads lose 3 % of their time; with half the reserve, up to 8 %.
    pub(super) fn make_room(&mut self) -> Option<Answer> {
        if self.waiting.len() >= self.threads + self.threads.min(RESERVE) {
            return self.next();
        }
        match self.waiting.front()?.try_recv() {
            Err(TryRecvError::Empty) => None,
            Ok(answer) => self.waiting.pop_front().map(|_| answer),
            Err(TryRecvError::Disconnected) => self.waiting.pop_front().map(|_| Err(lost())),
        }
    }

    /// Waits for the oldest block; none when there is no block.
    pub(super) fn next(&mut self) -> Option<Answer> {
        let answer = self.waiting.pop_front()?;
        Some(answer.recv().unwrap_or_else(|_| Err(lost())))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // One that panicked left its block without an answer, which was an error already.
            drop(worker.join());
        }
    }
}

fn start(compress: Compress, queue: Arc<Mutex<Receiver<Job>>>) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("compress".to_owned()).spawn(move || {
        while let Some(Job { mut block, reply }) = take(&queue) {
            // Nobody waits for it any more where another block failed.
            drop(reply.send(compress(&mut block).map(|()| block)));
        }
    })
}

/// Waits while holding the lock: whoever comes next could only wait for the same.
fn take(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn lost() -> io::Error {
    io::Error::other("a thread ended without compressing its block")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

    fn block(input: impl Into<Vec<u8>>) -> Block {
        Block { input: input.into(), ..Block::default() }
    }

    fn rest(pool: &mut Pool) -> Vec<Answer> {
        std::iter::from_fn(|| pool.next()).collect()
    }

    #[test]
    fn answers_come_in_order_however_long_a_block_takes() {
        let mut pool = Pool::new(FOUR, |block| {
            thread::sleep(Duration::from_millis(20 - u64::from(block.input[0])));
            block.output.extend_from_slice(&block.input);
            Ok(())
        });
        let mut got = Vec::new();
        for number in 0..20 {
            while let Some(answer) = pool.make_room() {
                got.extend(answer.unwrap().output);
            }
            assert!(pool.waiting.len() < 8);
            pool.submit(block([number])).unwrap();
        }
        assert_eq!(pool.workers.len(), 4);
        got.extend(rest(&mut pool).into_iter().flat_map(|answer| answer.unwrap().output));
        assert_eq!(got, (0..20).collect::<Vec<u8>>());
    }

    #[test]
    fn a_pool_that_is_dropped_leaves_nobody_at_work() {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        let mut pool = Pool::new(FOUR, |_| {
            AT_WORK.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(50));
            AT_WORK.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        let queue = Arc::downgrade(&pool.queue);
        for number in 0..8 {
            pool.submit(block([number])).unwrap();
        }
        pool.next().unwrap().unwrap();
        drop(pool);
        assert_eq!(AT_WORK.load(Ordering::SeqCst), 0);
        assert_eq!(queue.strong_count(), 0, "a thread still holds the queue");
    }

    #[test]
    fn one_thread_is_the_callers_own() {
        let mut pool = Pool::new(NonZeroUsize::MIN, |block| {
            assert_eq!(block.input, thread::current().name().unwrap().as_bytes());
            block.output.push(1);
            Ok(())
        });
        pool.submit(block(thread::current().name().unwrap())).unwrap();
        assert!(pool.workers.is_empty());
        assert_eq!(pool.make_room().unwrap().unwrap().output, [1]);
        assert!(pool.make_room().is_none() && pool.next().is_none());
    }

    #[test]
    fn a_thread_that_panics_is_an_error_and_not_a_deadlock() {
        let mut pool = Pool::new(FOUR, |block| {
            assert_ne!(block.input, [1], "this test wants a thread to panic");
            Ok(())
        });
        for number in 0..6 {
            pool.submit(block([number])).unwrap();
        }
        let failed: Vec<bool> = rest(&mut pool).iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, true, false, false, false, false]);
    }

    #[test]
    fn a_block_that_fails_has_its_own_error() {
        for threads in [NonZeroUsize::MIN, FOUR] {
            let mut pool = Pool::new(threads, |_| Err(io::ErrorKind::OutOfMemory.into()));
            pool.submit(block([])).unwrap();
            let error = pool.next().unwrap().err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        }
    }
}
